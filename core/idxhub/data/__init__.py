"""A split of a dataset in memory.

This room knows how to load the arrays of a split, their description, the shuffled order that all frameworks share,
shards, and the loader that makes batches. It knows no framework: an adapter turns the arrays into native objects.
"""
