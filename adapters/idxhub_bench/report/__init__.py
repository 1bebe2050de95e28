"""`idxhub bench report`: raw records as one HTML page, as Markdown, and as the README's short table."""
