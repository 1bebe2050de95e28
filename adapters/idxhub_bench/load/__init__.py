"""`idxhub bench load`: how fast each framework gets its batches from idxhub, and from its users' usual loaders."""
