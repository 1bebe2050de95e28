"""A dataset as files that other programs read: one module for each format, and the command `idxhub export`.

It knows public names of `idxhub` and the conventions of the formats. It does not know where the data come from, nor how
a file is put in its place.
"""
