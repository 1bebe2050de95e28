"""The file formats: compressed bytes to their content, and IDX bytes to arrays and back.

Knows the IDX format, .gz and .xz streams, and how to read a member of a .zip, all within bounds that the caller sets.
Knows nothing of datasets, digests, folders or the network.
"""
