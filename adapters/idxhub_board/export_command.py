"""`idxhub board export`."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from idxhub import errors
from idxhub.cli.files import OptionPath, check_absent, write_files
from idxhub.cli.output import print_text
from idxhub_board import records
from idxhub_board.records import Record
from idxhub_board.store import read_stores
from idxhub_board.summary import configuration_of

# the predictions are left out: who needs them reads the store
_COLUMNS: Mapping[str, Callable[[Record], Any]] = {
    "dataset": lambda record: record["dataset"],
    "examples": lambda record: record["examples"],
    "digest": lambda record: record["digest"],
    "preprocessing": lambda record: record["preprocessing"],
    "configuration": lambda record: configuration_of(record).name,
    "classifier": lambda record: record["classifier"],
    "parameters": lambda record: records.canonical(record["parameters"]),
    "seed": lambda record: record["seed"],
    "versions": lambda record: records.canonical(record["versions"]),
    "backend": lambda record: record["backend"],
    "accelerated": lambda record: record["accelerated"],
    "status": lambda record: record["status"],
    "accuracy": lambda record: record.get("accuracy"),
    "test_examples": lambda record: record.get("test_examples"),
    "fit_seconds": lambda record: record.get("fit_seconds"),
    "predict_seconds": lambda record: record.get("predict_seconds"),
    "threads": lambda record: record.get("threads"),
    "finished": lambda record: record.get("finished"),
    "error": lambda record: record.get("error"),
}


@click.command()
@click.argument("stores", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    *("-o", "--output"),
    type=OptionPath(dir_okay=False, path_type=Path),
    default=Path("results.csv"),
    show_default=True,
    help="The file; its name ends in .csv or .parquet.",
)
@click.option("--force", is_flag=True, help="Replace a file that exists.")
def export(*, stores: tuple[Path, ...], output: Path, force: bool) -> None:
    """Write the results in STORES as one table, a row for each result.

    CSV needs no other package, Parquet needs pyarrow. The predictions are left out.
    """
    ending = output.suffix.lower()
    if ending not in _FORMATS:
        raise errors.UnknownNameError("table file ending", output.suffix, _FORMATS)
    check_absent([output], force=force)
    rows = [[value(record) for value in _COLUMNS.values()] for record in read_stores(stores)]
    write_files({output: _FORMATS[ending](rows)})
    print_text(f"wrote {output}: {len(rows)} results")


def _csv(rows: Sequence[Sequence[Any]]) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_COLUMNS)
    writer.writerows(rows)
    return text.getvalue().encode()


def _parquet(rows: Sequence[Sequence[Any]]) -> bytes:
    try:
        import pyarrow as pa  # noqa: PLC0415 -- for this format alone
        from pyarrow import parquet  # noqa: PLC0415 -- as above
    except ModuleNotFoundError as error:
        raise errors.MissingFrameworkError(
            f"Parquet needs {error.name}, which is not installed: pip install pyarrow", name=error.name
        ) from error
    types = {
        **dict.fromkeys(("examples", "seed", "test_examples", "threads"), pa.int64()),
        **dict.fromkeys(("accuracy", "fit_seconds", "predict_seconds"), pa.float64()),
        "accelerated": pa.bool_(),
    }
    schema = pa.schema([(name, types.get(name, pa.string())) for name in _COLUMNS])
    columns = zip(*rows, strict=True) if rows else ([] for _ in _COLUMNS)
    arrays = [pa.array(list(column), field.type) for column, field in zip(columns, schema, strict=True)]
    target = io.BytesIO()
    parquet.write_table(pa.Table.from_arrays(arrays, schema=schema), target)
    return target.getvalue()


_FORMATS: Mapping[str, Callable[[Sequence[Sequence[Any]]], bytes]] = {".csv": _csv, ".parquet": _parquet}
