"""`idxhub bench train`."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from idxhub import idx, load
from idxhub_bench import machine
from idxhub_bench.measuring import Recorder, fill_cache, measuring, positive, recording
from idxhub_bench.report import markdown, training
from idxhub_bench.report.records import runs
from idxhub_bench.train import convnet, judge
from idxhub_bench.train.rows import FRAMEWORKS, ROWS, Row


@click.command()
@measuring(FRAMEWORKS)
@click.option(
    "--row",
    "named",
    multiple=True,
    metavar="TEXT",
    help="Only rows that have TEXT in their name; may be given several times.",
)
@positive("--epochs", default=2, help="Epochs of training.")
@positive("--examples", default=12_000, help="Number of training images; all test images are used.")
@positive("--batch-size", default=convnet.BATCH, help="Images in a batch.")
@click.option(
    "--rate", type=float, default=convnet.RATE, show_default=True, help="The learning rate of gradient descent."
)
@click.option(
    "--seed", type=click.IntRange(min=0), default=0, show_default=True, help="The seed of weights, order and dropout."
)
@click.option("--device", help="Where to train, such as cuda; torch and jax keep the data there.  [default: the CPU]")
def train(raw: Path, pythons: Mapping[str, str], *, append: bool, **asked: Any) -> None:
    """Train one network in each framework on the same batches.

    The network is that of Fashion-MNIST's own benchmark (benchmark/convnet.py). All frameworks start from the same
    weights and use the same dropout; each one runs in its own process. The records are written to RAW, a file of JSON
    lines. Prints accuracy and time of each epoch, and the share of the time that a step waits for data. The rows with
    torchvision use its usual idiom instead of idxhub. The exit status is 1 if the losses of the first steps differ by
    more than rounding errors, or if a row failed; rows whose packages are not installed are left out.
    """
    chosen = _chosen(asked["named"])
    if asked["examples"] < asked["batch_size"]:
        raise click.UsageError(f"--examples {asked['examples']} are no batch of {asked['batch_size']}")
    with recording(raw, append=append) as recorder:
        data, examples = _prepare(asked, recorder.folder, torchvision=any(not row.ours for row in chosen))
        setting = {name: asked[name] for name in ("epochs", "batch_size", "rate", "seed", "device")}
        recorder.write_run("train", {"dataset": asked["dataset"], "examples": examples} | setting)
        losses: dict[str, list[float]] = {}
        for row in chosen:
            found = _train(row, pythons.get(row.framework, sys.executable), setting | data, recorder)
            if row.ours and found:
                losses[row.name] = found
        _compare(losses, asked["device"], recorder)
        for section in training.sections(runs(recorder.records)):
            click.echo(markdown.tables(section))


def _chosen(named: Sequence[str]) -> list[Row]:
    """The rows with these names, or with these words in their names; all rows if none is named."""
    names = [row.name for row in ROWS]
    found = [
        row for row in ROWS if not named or any(t == row.name or (t not in names and t in row.name) for t in named)
    ]
    if not found:
        listed = "".join(f"\n  {name}" for name in names)  # names have commas
        raise click.UsageError(f"no row has {' or '.join(named)} in its name. The rows are:{listed}")
    return found


def _prepare(asked: Mapping[str, Any], folder: Path, *, torchvision: bool) -> tuple[dict[str, Any], int]:
    """Put the data into a cache and, for torchvision, into files: the arguments of the processes that find it there.

    Also the number of train images that are used, which is at most that of all.
    """
    cache_dir, root = str(fill_cache(asked, folder)), folder / "torchvision"
    splits = {name: load(asked["dataset"], name, cache_dir=cache_dir, download=False) for name in ("train", "test")}
    if torchvision:
        raw = root / "FashionMNIST" / "raw"
        raw.mkdir(parents=True)
        for name, arrays in zip(("train", "t10k"), splits.values(), strict=True):
            for what, array in (("images-idx3", arrays.images), ("labels-idx1", arrays.labels.astype("uint8"))):
                (raw / f"{name}-{what}-ubyte").write_bytes(idx.encode(array))
    examples = min(asked["examples"], len(splits["train"]))
    where = {"dataset": asked["dataset"], "cache_dir": cache_dir, "root": str(root)}
    return where | {"train": f"train[:{examples}]", "test": "test"}, examples


def _train(row: Row, python: str, arguments: Mapping[str, Any], recorder: Recorder) -> list[float]:
    """Train a row and record it; the loss of each step, or none if it failed or cannot be trained here."""
    recorder.say(f"{row.name} ...")
    question = {"framework": row.framework, "workers": row.workers, **arguments}
    answer = recorder.ask(row.name, python, "idxhub_bench.train.child", question)
    if answer is None:
        return []
    recorder.write({"kind": "row", "row": row.name, "versions": answer["versions"], "threads": answer["threads"]})
    for number, epoch in enumerate(answer["epochs"], 1):
        recorder.write({"kind": "epoch", "row": row.name, "epoch": number, "load": machine.load_average()} | epoch)
    losses: list[float] = answer["losses"]
    recorder.write({"kind": "losses", "row": row.name, "losses": losses[: judge.STEPS]})
    return losses


def _compare(losses: Mapping[str, Sequence[float]], device: str | None, recorder: Recorder) -> None:
    agreement = judge.compare(losses)
    if agreement is None:
        return
    most, holds = judge.tolerance(device), agreement.holds(device)
    recorder.write({"kind": "agreement"} | asdict(agreement) | {"tolerance": most, "holds": holds})
    recorder.say(str(agreement))
    if not holds:
        recorder.problems.append(f"{agreement}; rounding makes less than {most:.0e}")
