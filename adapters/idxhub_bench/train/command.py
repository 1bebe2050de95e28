"""`idxhub bench train`."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from idxhub import idx, load
from idxhub_bench import processes
from idxhub_bench.data import dataset_options, prepare
from idxhub_bench.load import machine
from idxhub_bench.train import convnet, judge
from idxhub_bench.train.figures import waiting
from idxhub_bench.train.rows import FRAMEWORKS, ROWS, Row

Write = Callable[[Mapping[str, Any]], None]


@click.command()
@click.argument("raw", type=click.Path(dir_okay=False, path_type=Path))
@dataset_options
@click.option(
    "--env", "environments", multiple=True, metavar="NAME=PYTHON", help="Another interpreter for a framework."
)
@click.option("--row", "named", multiple=True, metavar="TEXT", help="The rows that have TEXT in their name.")
@click.option("--epochs", type=click.IntRange(min=1), default=2, show_default=True)
@click.option(
    *("--examples", "examples"),
    type=click.IntRange(min=1),
    default=12_000,
    show_default=True,
    help="How many of the train images; of the test images all are used.",
)
@click.option("--batch-size", type=click.IntRange(min=1), default=convnet.BATCH, show_default=True)
@click.option(
    "--rate", type=float, default=convnet.RATE, show_default=True, help="The learning rate of gradient descent."
)
@click.option(
    "--seed", type=click.IntRange(min=0), default=0, show_default=True, help="The seed of weights, order and dropout."
)
@click.option("--device", help="Where to train, as cuda: torch and jax keep the data there too.  [default: the CPU]")
@click.option("--append", is_flag=True, help="Add to RAW what is measured now.")
@click.pass_context
def train(ctx: click.Context, /, raw: Path, environments: Sequence[str], *, append: bool, **asked: Any) -> None:
    """Train one network in each framework on the same batches; write the results to RAW.

    The network is that of Fashion-MNIST's own benchmark (benchmark/convnet.py), from the same weights, with the same
    dropout. Each framework has a process of its own. Prints accuracy and time for each epoch and the share of the
    time that a step waits for data, beside that of torchvision's usual idiom. Exit status 1 if the losses of the first
    steps differ by more than rounding makes, or if a row failed; what is not installed is left out.
    """
    pythons = processes.pythons(tuple(environments), FRAMEWORKS)
    chosen = _chosen(asked["named"])
    if asked["examples"] < asked["batch_size"]:
        raise click.UsageError(f"--examples {asked['examples']} are no batch of {asked['batch_size']}")
    processes.check_raw(raw, append=append)
    with raw.open("a", encoding="utf-8") as file, tempfile.TemporaryDirectory() as folder:

        def write(record: Mapping[str, Any]) -> None:
            file.write(json.dumps(record) + "\n")
            file.flush()

        work = Path(folder)
        data, examples = _data(asked, work, torchvision=any(not row.ours for row in chosen))
        how = {name: asked[name] for name in ("epochs", "batch_size", "rate", "seed", "device")}
        said = {"dataset": asked["dataset"], "examples": examples} | how
        write(
            {"kind": "run", "bench": "train"}
            | said
            | {"load": machine.load_average(), "machine": machine.machine(work)}
        )
        answers: dict[Row, dict[str, Any]] = {}
        problems: list[str] = []
        for row in chosen:
            try:
                answer = _answer(row, pythons[row.framework], how | data, work, write)
            except processes.FailedError as error:
                write({"kind": "failure", "row": row.name, "why": str(error)})
                problems.append(f"{row.name}: {error}")
            else:
                answers |= {row: answer} if answer else {}
        problems += _disagreements(answers, write)
    click.echo(table({row.name: answer for row, answer in answers.items()}))
    for problem in problems:
        click.secho(f"PROBLEM {problem}", fg="red", err=True)
    if problems:
        ctx.exit(1)


def table(answers: Mapping[str, Mapping[str, Any]]) -> str:
    """Markdown: a line for each row, with the last epoch's figures and the accuracy after each."""
    lines = ["| batches from idxhub, and torchvision's | seconds, each epoch | waits for data | accuracy after each |"]
    lines.append("| --- | --- | --- | --- |")
    for name, answer in answers.items():
        epochs = answer["epochs"]
        seconds = " ".join(f"{epoch['seconds']:.3g}" for epoch in epochs)
        accuracies = " ".join(f"{epoch['accuracy']:.4f}" for epoch in epochs)
        lines.append(f"| {name} | {seconds} | {waiting(epochs):.2%} | {accuracies} |")
    return "\n".join(lines)


def _chosen(named: Sequence[str]) -> list[Row]:
    """The rows of these names, or that have these words in their names; all of them for none."""
    names = [row.name for row in ROWS]
    found = [
        row for row in ROWS if not named or any(t == row.name or (t not in names and t in row.name) for t in named)
    ]
    if not found:
        raise click.UsageError(f"no row has {' or '.join(named)} in its name: {', '.join(names)}")
    return found


def _data(asked: Mapping[str, Any], work: Path, *, torchvision: bool) -> tuple[dict[str, Any], int]:
    """Where the processes find the data, once it is in a cache and, for torchvision, in files as that keeps them.

    And how many train images are used: no more than there are.
    """
    cache_dir, root = str(prepare(asked, work)), work / "torchvision"
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


def _answer(row: Row, python: str, asked: Mapping[str, Any], work: Path, write: Write) -> dict[str, Any] | None:
    """What came of a row; None, and a record that says why, where it cannot be measured."""
    click.echo(f"{row.name} ...", err=True)
    question = {"framework": row.framework, "workers": row.workers, **asked}
    answer = processes.ask(python, "idxhub_bench.train.child", question, work)
    if "missing" in answer:
        write({"kind": "missing", "row": row.name, "why": f"{answer['missing']} not installed"})
        click.echo(f"{row.name}: not measured: {answer['missing']} not installed", err=True)
        return None
    write({"kind": "row", "row": row.name, "versions": answer["versions"], "threads": answer["threads"]})
    for number, epoch in enumerate(answer["epochs"], 1):
        write({"kind": "epoch", "row": row.name, "epoch": number, "load": machine.load_average()} | epoch)
    write({"kind": "losses", "row": row.name, "losses": answer["losses"][: judge.STEPS]})
    return answer


def _disagreements(answers: Mapping[Row, Mapping[str, Any]], write: Write) -> list[str]:
    agreement = judge.compare({row.name: answer["losses"] for row, answer in answers.items() if row.ours})
    if agreement is None:
        return []
    write(
        {"kind": "agreement", "steps": agreement.steps, "worst": agreement.worst, "step": agreement.step}
        | {"between": agreement.between, "tolerance": judge.TOLERANCE, "holds": agreement.holds()}
    )
    click.echo(str(agreement), err=True)
    return [] if agreement.holds() else [f"{agreement}; rounding makes less than {judge.TOLERANCE:.0e}"]
