"""Which published file a file is, by its digests, and which one its name claims that it is.

An error can then say what a wrong file really is, and the audit can compare the two for every file.
"""
