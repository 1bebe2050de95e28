"""Modules that take the place of other libraries' loaders: change the import, and the rest of the program stays.

Each module has the functions or classes of one original, with its signature and its results, over files that idxhub
has verified. A module imports the framework that its results are made of, and no other library.
"""
