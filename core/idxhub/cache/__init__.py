"""The decoded arrays on disk.

This room knows where the cache's folders and files are, how to write a file so that it is complete or absent, the
records that prove an array intact, and how to publish and map an array. It does not know where the bytes come from.
"""
