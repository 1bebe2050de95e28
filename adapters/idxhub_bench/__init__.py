"""Loading and training, measured across frameworks and beside their peers: `idxhub bench`.

What is imported here and in `load.child` needs Python and NumPy alone: an interpreter that has a peer need not have
idxhub.
"""
