"""The faults as they are done to any loader.

Each function is given a `Stage` and does its worst; it returns the attempt that is judged and, where the row asks
for more than right data or an error, what was found besides. Afterwards the fault is gone and the next call is judged.
"""
