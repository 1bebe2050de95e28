"""From a file of a dataset, wherever it is, to verified and decoded arrays in the cache.

Knows the folders to search, the mirrors, HTTP downloads, and the digests that decide whether a file is accepted. Knows
nothing of splits, frameworks or plugins.
"""
