"""A split of a dataset in memory.

Knows the arrays of a split and their description, the shared shuffled order, shards, and the loader that makes batches.
Knows no framework: an adapter turns these arrays and batches into native objects.
"""
