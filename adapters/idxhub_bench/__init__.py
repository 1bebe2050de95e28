"""`idxhub bench`: measures loading and training in each framework, and compares idxhub with other loaders.

This module and what `load.child` imports need only Python and NumPy: an interpreter for a peer need not have idxhub.
"""
