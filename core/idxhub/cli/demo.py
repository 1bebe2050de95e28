"""`idxhub demo`."""

from __future__ import annotations

import contextlib
import hashlib
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click
import numpy as np

from idxhub._api import get_dataset, get_loader, load
from idxhub.cli.output import data_dir_option, json_option, print_json, print_table, say
from idxhub.conformance.subject import Subject, subject
from idxhub.errors import IdxHubError, MissingFrameworkError, UnknownNameError
from idxhub.plugins.manager import installed

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
    name = _available(data_dir, download=not offline)
    rows = [_show(framework, name, data_dir, batch_size, epochs) for framework in installed().adapters()]
    digests = {(row["digest"], row["shuffled_digest"]) for row in rows if "digest" in row}
    same = len(digests) == 1 if digests else None
    if as_json:
        asked = {"dataset": name, "split": "train", "batch_size": batch_size, "epochs": epochs}
        print_json({**asked, "same": same, "frameworks": rows})
    else:
        _print(name, epochs, rows, same=same)
    if not same or any("broken" in row for row in rows):
        ctx.exit(1)


def _available(data_dir: Path | None, *, download: bool) -> str:
    """The full dataset, or the sample, and a word about it; where not even that can be read, the rows say why."""
    try:
        load(_FULL, "train", data_dir=data_dir, download=download)
    except IdxHubError as error:
        with contextlib.suppress(IdxHubError):
            load(_SAMPLE, "train", data_dir=data_dir, download=False)
            title = "THIS IS THE SAMPLE, 2,000 images, not the full Fashion-MNIST, which could not be had:"
            click.secho(title, bold=True, err=True)
            say(f"{error}\n", err=True)
        return _SAMPLE
    return _FULL


def _show(framework: str, *asked: Any) -> dict[str, Any]:
    """A framework's row, whatever becomes of it: the others are shown too."""
    if sys.stderr.isatty():  # some take many seconds to import
        click.echo(f"reading by {framework}", err=True)
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
        "type": _public_name(type(native)),
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


def _print(name: str, epochs: int, rows: list[dict[str, Any]], *, same: bool | None) -> None:
    shown = [row for row in rows if "digest" in row]
    if shown:
        _print_read(name, shown)
    for missing in (row["missing"] for row in rows if "missing" in row):
        say(missing)
    causes: dict[str, list[str]] = {}
    for row in rows:
        if "broken" in row:
            causes.setdefault(row["broken"], []).append(row["framework"])
    if same is None and len(causes) == 1:
        say(f"no framework could be read: {''.join(causes)}", fg="red")
        return
    for why, names in causes.items():
        say(f"{' and '.join(names)} {'are' if len(names) > 1 else 'is'} broken: {why}", fg="red")
    shuffled = f"{epochs} shuffled epoch{'s' * (epochs > 1)}"
    verdicts = {
        True: f"the same bytes in all of them, in the files' order and over {shuffled}",
        False: "THEY DIFFER",
        None: "no framework could be read",
    }
    click.secho(verdicts[same], bold=True)


def _print_read(name: str, shown: list[dict[str, Any]]) -> None:
    click.echo(f"{name}, train, {shown[0]['examples']:,} images")
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


def _public_name(kind: type) -> str:
    """The name of a class as users import it: from the outermost package that has it."""
    name, parts = kind.__qualname__, kind.__module__.split(".")
    packages = [".".join(parts[:count]) for count in range(1, len(parts) + 1)]
    package = next((each for each in packages if getattr(sys.modules.get(each), name, None) is kind), packages[-1])
    return f"{package}.{name}"


COMMANDS = (demo,)
