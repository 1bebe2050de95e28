"""The page of the board: published and reproduced results in one HTML file, which asks for nothing over the network."""
