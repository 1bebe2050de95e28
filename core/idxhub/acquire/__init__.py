"""A file of a dataset, from wherever it is, to verified and decoded arrays in the cache.

Knows the folders to search, the mirrors, HTTP downloads, and the digests that decide whether a file is accepted. Does
not know splits, frameworks or plugins.
"""
