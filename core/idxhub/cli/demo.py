"""`idxhub demo`."""

from __future__ import annotations

import contextlib
import hashlib
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType
from typing import Any

import click
import numpy as np

from idxhub._api import get_dataset, get_loader, load
from idxhub.acquire.local import is_offline
from idxhub.cli.options import data_dir_option, json_option
from idxhub.cli.output import format_error, install_command, is_terminal, print_json, print_table, print_text
from idxhub.conformance.subject import Subject, subject
from idxhub.errors import DownloadError, IdxHubError, MissingFrameworkError, UnknownNameError
from idxhub.plugins.importing import describe_error
from idxhub.plugins.manager import installed

_FULL, _SAMPLE = "fashion-mnist", "fashion-mnist-sample"
_FEW = 4  # frameworks whose commands fit into one line


@click.command()
@data_dir_option
@click.option("--batch-size", type=click.IntRange(min=1), default=128, show_default=True, help="Images in a batch.")
@click.option("--epochs", type=click.IntRange(min=1), default=1, show_default=True, help="Shuffled epochs to read.")
@click.option("--offline", is_flag=True, help="Download nothing.")
@click.option("-v", "--verbose", is_flag=True, help="Show what was tried, and why a framework is missing.")
@json_option
@click.pass_context
def demo(
    ctx: click.Context,
    data_dir: Path | None,
    batch_size: int,
    epochs: int,
    *,
    offline: bool,
    verbose: bool,
    as_json: bool,
) -> None:
    """Read Fashion-MNIST in every framework that is installed.

    Reads the full dataset if it is in --data-dir or elsewhere on this machine, or can be downloaded. Otherwise it reads
    the sample that is installed with idxhub, and says so. Shows that all frameworks see the same bytes, in the order of
    the files and in shuffled epochs. The exit status is 1 if two frameworks differ, or if one is broken.
    """
    name = _choose_dataset(data_dir, download=not offline, verbose=verbose)
    rows = [_try_framework(framework, name, data_dir, batch_size, epochs) for framework in installed().adapters()]
    digests = {(row["digest"], row["shuffled_digest"]) for row in rows if "digest" in row}
    same = len(digests) == 1 if digests else None
    if as_json:
        asked = {"dataset": name, "split": "train", "batch_size": batch_size, "epochs": epochs}
        print_json({**asked, "same": same, "frameworks": rows})
    else:
        _print(name, epochs, rows, same=same, verbose=verbose)
    if not same or any("broken" in row for row in rows):
        ctx.exit(1)


def _choose_dataset(data_dir: Path | None, *, download: bool, verbose: bool) -> str:
    """The full dataset, or else the sample, with a line that says why.

    If the sample cannot be read either, nothing is said here: the frameworks' rows say why.
    """
    try:
        load(_FULL, "train", data_dir=data_dir, download=download)
    except IdxHubError as error:
        with contextlib.suppress(IdxHubError):
            load(_SAMPLE, "train", data_dir=data_dir, download=False)
            why = _why_unavailable(error, download=download)
            more = "" if verbose else "; -v shows what was tried"
            print_text(f"Using the sample of 2,000 images, because {why}{more}.", err=True)
            if verbose:
                print_text(f"{format_error(error)}\n", err=True)
        return _SAMPLE
    return _FULL


def _why_unavailable(error: IdxHubError, *, download: bool) -> str:
    if not isinstance(error, DownloadError):
        return "Fashion-MNIST could not be read"
    if not download or is_offline():
        return "Fashion-MNIST is not on this machine and downloads are switched off"
    return "Fashion-MNIST is not on this machine and no mirror could be reached"


def _try_framework(framework: str, *asked: Any) -> dict[str, Any]:
    """The row of a framework. If it fails, the row contains the reason, so that the other frameworks are shown too."""
    try:
        installed().adapter(framework)
        if is_terminal(sys.stderr):  # some frameworks need seconds for their first pass
            click.echo(f"reading with {framework}", err=True)
        return {"framework": framework} | _read(framework, *asked)
    except MissingFrameworkError as error:
        return {"framework": framework, "missing": str(error)}
    except Exception as error:  # noqa: BLE001 -- an adapter, and the framework behind it, may raise anything
        is_ours = isinstance(error, IdxHubError)
        problem = f"{type(error).__name__}: {format_error(error)}" if is_ours else describe_error(error)
        return {"framework": framework, "broken": problem}


def _read(framework: str, name: str, data_dir: Path | None, batch_size: int, epochs: int) -> dict[str, Any]:
    asked: dict[str, Any] = {"framework": framework, "data_dir": data_dir, "download": False}
    try:
        reader = subject(framework)
    except UnknownNameError:
        return {"missing": f"{framework!r} cannot be read here, because its adapter provides no conformance subject"}
    if reader.start is not None:
        reader.start()
    native = get_dataset(name, **asked)
    loader = get_loader(name, batch_size=batch_size, seed=0, **asked)
    images, labels = next(iter(reader.batches(native, batch_size)))
    digest = _digest(
        reader, reader.batches(native, batch_size)
    )  # before the timed pass, which must not include what a framework does only once
    shuffled = _digest(reader, (reader.pair(batch) for _ in range(epochs) for batch in loader))
    count, seconds = _timed(reader, native, batch_size)
    return {
        "type": _public_name(type(native)),
        "batch": f"{_describe_array(reader, images)}, {_describe_array(reader, labels)}",
        "digest": digest,
        "shuffled_digest": shuffled,
        "examples": count,
        "images_per_second": round(count / seconds),
    }


def _describe_array(reader: Subject, native: Any) -> str:
    """The type of a native array, and the dtype and shape that NumPy sees: not all types have attributes for these."""
    array = np.asarray(reader.to_numpy(native))
    return f"{type(native).__name__} {array.dtype} {array.shape}"


def _digest(reader: Subject, batches: Iterable[tuple[Any, Any]]) -> str:
    """The SHA-256 of all batches. It depends neither on the layout nor on the integer type of the labels."""
    digest = hashlib.sha256()
    for images, labels in batches:
        digest.update(np.ascontiguousarray(reader.to_numpy(images)).data)
        digest.update(np.ascontiguousarray(reader.to_numpy(labels), dtype="<i8").data)
    return digest.hexdigest()


def _timed(reader: Subject, native: Any, batch_size: int) -> tuple[int, float]:
    """The number of examples and the seconds of one pass in which every byte is read."""
    count, total = 0, 0
    start = time.perf_counter()
    for images, labels in reader.batches(native, batch_size):
        total += int(np.asarray(reader.to_numpy(images)).sum(dtype=np.int64))
        count += len(labels)
    return count, time.perf_counter() - start


def _print(name: str, epochs: int, rows: list[dict[str, Any]], *, same: bool | None, verbose: bool = False) -> None:
    shown = [row for row in rows if "digest" in row]
    if shown:
        _print_read(name, shown)
    _print_missing({row["framework"]: row["missing"] for row in rows if "missing" in row}, verbose=verbose)
    causes: dict[str, list[str]] = {}
    for row in rows:
        if "broken" in row:
            causes.setdefault(row["broken"], []).append(row["framework"])
    if same is None and len(causes) == 1:
        print_text(f"no framework could be read: {''.join(causes)}", fg="red")
        return
    for why, names in causes.items():
        print_text(f"{' and '.join(names)} {'are' if len(names) > 1 else 'is'} broken: {why}", fg="red")
    shuffled = f"{epochs} shuffled epoch{'s' * (epochs > 1)}"
    all_of_them = "Both" if len(shown) == 2 else f"All {len(shown)}"
    verdicts = {
        True: f"{all_of_them} frameworks give the same bytes, in the order of the files and in {shuffled}.",
        False: "The frameworks differ.",
        None: "No framework could be read.",
    }
    if len(shown) != 1:  # a single framework cannot differ
        print_text(verdicts[same], bold=True)


def _print_missing(missing: dict[str, str], *, verbose: bool) -> None:
    """Print one line with the commands that install the missing frameworks, or with their names if they are many.

    With `verbose`, print a line for each framework, with the reason. A framework for which no command is known has its
    own line in any case.
    """
    commands = {} if verbose else {name: command for name, why in missing.items() if (command := install_command(why))}
    if len(commands) > _FEW:
        print_text(f"Not installed: {', '.join(commands)}. The command `idxhub doctor` shows how to install each.")
    elif commands:
        print_text(f"Not installed: {', '.join(f'{name} ({command})' for name, command in commands.items())}.")
    for name, why in missing.items():
        if name not in commands:
            print_text(why)


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
    """The name of a class as users import it: from the outermost package, or from a module that this one shows.

    A private class, such as one that a framework makes for each step of a pipeline, is named by its first public base.
    """
    for each in kind.__mro__:
        top = sys.modules[each.__module__.partition(".")[0]]
        modules = {top.__name__: top}
        modules |= {f"{top.__name__}.{name}": it for name, it in vars(top).items() if isinstance(it, ModuleType)}
        for path, module in modules.items():
            for name, value in tuple(vars(module).items()):
                if value is each and not any(part.startswith("_") for part in (*path.split("."), name)):
                    return f"{path}.{name}"
    return f"{kind.__module__}.{kind.__qualname__}"


COMMANDS = (demo,)
