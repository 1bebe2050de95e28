"""`idxhub bench report`: records as an HTML page, as Markdown, and as the README's short table."""
