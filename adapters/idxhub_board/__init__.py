"""`idxhub board`: the classifiers of Fashion-MNIST's benchmark, run again with today's scikit-learn.

It knows public names of `idxhub`, scikit-learn and joblib. It does not know where files are or how they are verified.
"""
