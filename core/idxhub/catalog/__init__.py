"""What a dataset is, as data.

Knows the descriptions of datasets and of their files, the built-in ones, split strings such as "train[:80%]", and how
to recognise a file by its digests or its name. Reads and writes no cache, and downloads nothing.
"""
