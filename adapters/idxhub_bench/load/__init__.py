"""`idxhub bench load`: how fast each framework gets its batches from idxhub, and from the usual loaders."""
