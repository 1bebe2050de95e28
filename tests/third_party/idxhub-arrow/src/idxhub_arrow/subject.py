"""How the conformance kit reads a table."""

from idxhub.conformance import Subject

SUBJECT = Subject(
    framework="arrow",
    batches=lambda table, size: (batch.columns for batch in table.to_batches(size)),
    pair=lambda batch: batch.columns,
    to_numpy=lambda array: getattr(array, "to_numpy_ndarray", array.to_numpy)(),
    length=len,
    package="pyarrow",
    options={"names": True},
    minimum=44,
)
