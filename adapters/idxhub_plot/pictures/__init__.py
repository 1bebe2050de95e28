"""One module for each picture."""
