"""A framework that does not exist elsewhere: what `idxhub_rows` adapts to."""


class Table:
    """A framework's own dataset type."""
