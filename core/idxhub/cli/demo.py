"""`idxhub demo`."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click
import numpy as np

from idxhub._api import get_dataset, get_loader, load
from idxhub.cli.output import data_dir_option, json_option, print_json, print_table
from idxhub.conformance.subject import Subject, subject
from idxhub.errors import IdxHubError, MissingFrameworkError, UnknownNameError
from idxhub.plugins import installed

_FULL, _SAMPLE = "fashion-mnist", "fashion-mnist-sample"


@click.command()
@data_dir_option
@click.option("--batch-size", type=click.IntRange(min=1), default=128, show_default=True)
@click.option("--epochs", type=click.IntRange(min=1), default=1, show_default=True, help="Shuffled epochs to read.")
@click.option("--offline", is_flag=True, help="Download nothing.")
@json_option
@click.pass_context
def demo(
    ctx: click.Context, data_dir: Path | None, batch_size: int, epochs: int, *, offline: bool, as_json: bool
) -> None:
    """Read Fashion-MNIST in every framework installed.

    Takes the full dataset if it can be had: from --data-dir, from this machine, from the mirrors. Otherwise, and it
    says so, the sample that is installed with idxhub. Shows that all frameworks see the same bytes, in the files' order
    and in shuffled epochs; exit status 1 if two of them differ, or one is broken.
    """
    name, why = _FULL, ""
    try:
        load(_FULL, "train", data_dir=data_dir, download=not offline)
    except IdxHubError as error:
        name, why = _SAMPLE, str(error)
        click.secho(
            "THIS IS THE SAMPLE, 2,000 images, not the full Fashion-MNIST, which could not be had:", bold=True, err=True
        )
        click.echo(why, err=True)
        click.echo(err=True)
    rows = [_show(framework, name, data_dir, batch_size, epochs) for framework in installed().adapters()]
    same = len({(row["digest"], row["shuffled_digest"]) for row in rows if "digest" in row}) == 1
    if as_json:
        asked = {"dataset": name, "split": "train", "batch_size": batch_size, "epochs": epochs}
        print_json({**asked, "same": same, "frameworks": rows})
    else:
        _print(name, epochs, rows, same=same)
    if not same or any("broken" in row for row in rows):
        ctx.exit(1)


def _show(framework: str, *asked: Any) -> dict[str, Any]:
    """A framework's row, whatever becomes of it: the others are shown too."""
    try:
        return {"framework": framework} | _read(framework, *asked)
    except MissingFrameworkError as error:
        return {"framework": framework, "missing": str(error)}
    except Exception as error:  # noqa: BLE001 -- an adapter, and the framework behind it, may raise anything
        return {"framework": framework, "broken": f"{type(error).__name__}: {error}"}


def _read(framework: str, name: str, data_dir: Path | None, batch_size: int, epochs: int) -> dict[str, Any]:
    asked: dict[str, Any] = {"framework": framework, "data_dir": data_dir, "download": False}
    try:
        reader = subject(framework)
    except UnknownNameError:
        return {"missing": f"{framework!r} has no conformance subject to read it by"}
    if reader.start is not None:
        reader.start()
    native = get_dataset(name, **asked)
    loader = get_loader(name, batch_size=batch_size, seed=0, **asked)
    images, labels = next(iter(reader.batches(native, batch_size)))
    digest = _digest(reader, reader.batches(native, batch_size))  # first: what a framework sets up once is not timed
    shuffled = _digest(reader, (reader.pair(batch) for _ in range(epochs) for batch in loader))
    count, seconds = _timed(reader, native, batch_size)
    return {
        "type": f"{type(native).__module__}.{type(native).__qualname__}",
        "batch": f"{_brief(reader, images)}, {_brief(reader, labels)}",
        "digest": digest,
        "shuffled_digest": shuffled,
        "examples": count,
        "images_per_second": round(count / seconds),
    }


def _brief(reader: Subject, native: Any) -> str:
    """A native array's type, and its dtype and shape as NumPy has them: not all types have both, or call them so."""
    array = np.asarray(reader.to_numpy(native))
    return f"{type(native).__name__} {array.dtype} {array.shape}"


def _digest(reader: Subject, batches: Iterable[tuple[Any, Any]]) -> str:
    """SHA-256 of a stream of batches, whatever the layout and the width of the labels."""
    digest = hashlib.sha256()
    for images, labels in batches:
        digest.update(np.ascontiguousarray(reader.to_numpy(images)).data)
        digest.update(np.ascontiguousarray(reader.to_numpy(labels), dtype="<i8").data)
    return digest.hexdigest()


def _timed(reader: Subject, native: Any, batch_size: int) -> tuple[int, float]:
    """Examples, and seconds, of one pass in which every byte is read."""
    count, total = 0, 0
    start = time.perf_counter()
    for images, labels in reader.batches(native, batch_size):
        total += int(np.asarray(reader.to_numpy(images)).sum(dtype=np.int64))
        count += len(labels)
    return count, time.perf_counter() - start


def _print(name: str, epochs: int, rows: list[dict[str, Any]], *, same: bool) -> None:
    shown = [row for row in rows if "digest" in row]
    click.echo(f"{name}, train, {shown[0]['examples']:,} images" if shown else name)
    print_table(
        ("FRAMEWORK", "DATASET", "FIRST BATCH", "FILE ORDER", "SHUFFLED", "IMAGES/S"),
        [
            (
                *(row["framework"], row["type"], row["batch"]),
                *(row["digest"][:12], row["shuffled_digest"][:12], f"{row['images_per_second']:,}"),
            )
            for row in shown
        ],
    )
    for row in rows:
        if "missing" in row:
            click.echo(row["missing"])
        elif "broken" in row:
            click.secho(f"{row['framework']} is broken: {row['broken']}", fg="red")
    shuffled = f"{epochs} shuffled epoch{'s' * (epochs > 1)}"
    click.secho(
        f"the same bytes in all of them, in the files' order and over {shuffled}" if same else "THEY DIFFER", bold=True
    )


COMMANDS = (demo,)
