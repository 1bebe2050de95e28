"""Ways to put the images into a data frame: the time and the memory of each.

    python tests/benchmarks/dataframes.py --data-dir FOLDER

with Fashion-MNIST's four files in FOLDER. Each row is measured in a process of its own, on Linux. The process has read
the images before, so "memory" is what the frame adds. The times are the best of three. Every answer is compared with
NumPy's. The page docs/how-to/dataframes.md has the same expressions.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import Any, NamedTuple

import click
import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa

from idxhub import Split, load

TIMES = 3
COLUMNS = [f"pixel{number}" for number in range(1, 785)]
ROW, COLUMN = 14, 8  # of the pixel whose mean is asked for; in SQL, which counts from 1, 15 and 9
PIXEL = ROW * 28 + COLUMN  # in SQL 401


class Way(NamedTuple):
    """How to build a frame of images (N, 28, 28) and labels (N,), and how to ask it two questions."""

    build: Callable[[Any, Any], Any]
    select: Callable[[Any], Any]  # the images of class 3
    average: Callable[[Any], Any]  # the mean of one pixel in each class, as a dictionary


def pandas_columns(images: Any, labels: Any) -> pd.DataFrame:
    """A column for each pixel."""
    return pd.DataFrame(images.reshape(-1, 784), columns=COLUMNS).assign(label=labels)


def polars_array(images: Any, labels: Any) -> pl.DataFrame:
    """A column of 28x28 arrays."""
    return pl.DataFrame({"image": images, "label": labels})


def arrow_table(images: Any, labels: Any) -> pa.Table:
    """A column of lists of 784 pixels."""
    return pa.table({"image": pa.FixedSizeListArray.from_arrays(images.reshape(-1), 784), "label": labels})


WAYS = {
    "pandas, 784 columns": Way(
        pandas_columns,
        lambda frame: frame[frame.label == 3][COLUMNS].to_numpy(),
        lambda frame: frame.groupby("label")[COLUMNS[PIXEL]].mean().to_dict(),
    ),
    "pandas, a column of arrays": Way(
        lambda images, labels: pd.DataFrame({"image": list(images), "label": labels}),
        lambda frame: np.stack(frame[frame.label == 3].image),
        lambda frame: frame.image.map(lambda image: image[ROW, COLUMN]).groupby(frame.label).mean().to_dict(),
    ),
    "pandas, an Arrow column": Way(
        lambda images, labels: arrow_table(images, labels).to_pandas(types_mapper=pd.ArrowDtype),
        lambda frame: frame[frame.label == 3].image.list.flatten().to_numpy("uint8"),
        lambda frame: frame.image.list[PIXEL].groupby(frame.label).mean().to_dict(),
    ),
    "Polars, 784 columns": Way(
        lambda images, labels: pl.DataFrame(images.reshape(-1, 784), schema=COLUMNS).with_columns(label=labels),
        lambda frame: frame.filter(label=3).select(COLUMNS).to_numpy(),
        lambda frame: dict(frame.group_by("label").agg(pl.col(COLUMNS[PIXEL]).mean()).rows()),
    ),
    "Polars, an array column": Way(
        polars_array,
        lambda frame: frame.filter(label=3)["image"].to_numpy(),
        lambda frame: dict(frame.group_by("label").agg(pl.col("image").arr.get(ROW).arr.get(COLUMN).mean()).rows()),
    ),
    "DuckDB, over the columns of pandas": Way(
        pandas_columns,
        lambda frame: duckdb.sql("SELECT * EXCLUDE label FROM frame WHERE label = 3").pl().to_numpy(),
        lambda frame: dict(duckdb.sql("SELECT label, avg(pixel401) FROM frame GROUP BY label").fetchall()),
    ),
    "DuckDB, over the Arrow table": Way(
        arrow_table,
        lambda frame: duckdb.sql("SELECT image FROM frame WHERE label = 3").pl()["image"].to_numpy(),
        lambda frame: dict(duckdb.sql("SELECT label, avg(image[401]) FROM frame GROUP BY label").fetchall()),
    ),
    "DuckDB, over the arrays of Polars": Way(
        polars_array,
        lambda frame: duckdb.sql("SELECT image FROM frame WHERE label = 3").pl()["image"].to_numpy(),
        lambda frame: dict(duckdb.sql("SELECT label, avg(image[15][9]) FROM frame GROUP BY label").fetchall()),
    ),
}


def main() -> None:
    """Print one table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", help="the four files; without it where idxhub finds them")
    parser.add_argument("--dataset", default="fashion-mnist", help="another dataset of 28x28 images")
    parser.add_argument("--way", choices=WAYS, help="print the row of one of them alone")
    asked = parser.parse_args()
    if asked.way is not None:
        click.echo(measure(asked.way, load(asked.dataset, data_dir=asked.data_dir, download=False)))
        return
    click.echo("| the frame | to build it | memory | all images of a class | the mean of a pixel by class |")
    click.echo("| --- | ---: | ---: | ---: | ---: |")
    for way in WAYS:
        command = [sys.executable, __file__, *sys.argv[1:], "--way", way]
        click.echo(subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout, nl=False)


def measure(name: str, split: Split) -> str:
    """One row of the table."""
    way, images, labels = WAYS[name], split.images, split.labels
    images.sum()  # now the pages of the file are in memory
    before = allocated()
    frame = way.build(images, labels)
    memory = allocated() - before
    build, _ = best(lambda: way.build(images, labels))
    select, selected = best(lambda: way.select(frame))
    average, averages = best(lambda: way.average(frame))
    expected = {label: images[labels == label, ROW, COLUMN].mean() for label in range(10)}
    if not np.array_equal(selected.reshape(-1, 28, 28), images[labels == 3]):
        raise click.ClickException(f"{name}: other images than NumPy's")
    if averages.keys() != expected.keys() or not np.allclose(list(map(averages.get, expected)), [*expected.values()]):
        raise click.ClickException(f"{name}: other averages than NumPy's")
    times = " | ".join(f"{seconds * 1e3:,.1f} ms" for seconds in (select, average))
    return f"| {name} | {build * 1e3:,.1f} ms | {memory / 1e6:,.0f} MB | {times} |"


def best(work: Callable[[], Any]) -> tuple[float, Any]:
    """Seconds of the fastest of several calls, and what the last one returned."""
    seconds = []
    for _ in range(TIMES):
        start = perf_counter()
        result = work()
        seconds.append(perf_counter() - start)
    return min(seconds), result


def allocated() -> int:
    """Bytes of memory that this process has, without mapped files."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(re.search(r"^RssAnon:\s+(\d+) kB$", status, re.MULTILINE)[1]) << 10  # type: ignore[index]


if __name__ == "__main__":
    main()
