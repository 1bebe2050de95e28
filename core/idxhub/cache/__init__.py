"""The decoded arrays on disk.

Knows where the cache's folders and files lie, how a file is written so that it is complete or absent, the records that
prove an array intact, and how an array is published and mapped. Does not know where the bytes come from.
"""
