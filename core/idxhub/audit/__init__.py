"""What the IDX files in some folders really are, by their digests and not by their names.

Knows how to scan folders and .zip files, and how to compare what a file's name claims with its content. Only the
command `idxhub audit` uses it.
"""
