"""What the IDX files in some folders really are, whatever they are called.

Knows how to scan folders and .zip files, and how to compare what a file's name claims with what its digests say. Only
the command `idxhub audit` uses it.
"""
