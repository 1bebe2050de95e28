"""The file formats: decompressing bytes, and converting IDX bytes to arrays and back.

This room knows the IDX format, .gz and .xz data, and how to read a member of a .zip, all within size limits that the
caller sets. It knows nothing about datasets, digests, folders or the network.
"""
