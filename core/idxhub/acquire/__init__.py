"""Finding the files of a dataset, verifying and decoding them, and publishing the arrays in the cache.

This room knows the folders to search, the mirrors, HTTP downloads, and the digests that decide whether a file is
accepted. It knows nothing about splits, frameworks or plugins.
"""
