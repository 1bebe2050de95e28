"""`idxhub bench device`."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from idxhub_bench import processes
from idxhub_bench.data import dataset_options, prepare
from idxhub_bench.device.figures import rates
from idxhub_bench.load import machine

FRAMEWORKS = ("torch", "jax")


@click.command()
@click.argument("raw", type=click.Path(dir_okay=False, path_type=Path))
@dataset_options
@click.option(
    "--env", "environments", multiple=True, metavar="NAME=PYTHON", help="Another interpreter for a framework."
)
@click.option("--framework", "frameworks", multiple=True, type=click.Choice(FRAMEWORKS), default=FRAMEWORKS)
@click.option("--device", default="cuda", show_default=True, help="The device, by the name that the framework uses.")
@click.option(
    "--batch-size", "sizes", multiple=True, type=click.IntRange(min=1), default=(128, 512, 4096), show_default=True
)
@click.option("--repeats", type=click.IntRange(min=1), default=7, show_default=True, help="Passes of each kind.")
@click.option("--append", is_flag=True, help="Add to RAW what is measured now.")
@click.pass_context
def device(ctx: click.Context, /, raw: Path, environments: Sequence[str], *, append: bool, **asked: Any) -> None:
    """Measure batches that are gathered on a device, beside batches that travel there; write it to RAW.

    Prints images/s of get_loader(device=...) and of the ordinary loader whose batches are put on the device, and which
    share of the speed of a plain copy on that device the first has: the bytes that must be read and written at the
    least, as stored and as asked for. The batches are first compared bit for bit. Exit status 1 if a framework failed;
    where there is no such device, the table says so.
    """
    pythons = processes.pythons(tuple(environments), FRAMEWORKS)
    processes.check_raw(raw, append=append)
    with raw.open("a", encoding="utf-8") as file, tempfile.TemporaryDirectory() as folder:

        def write(record: Mapping[str, Any]) -> None:
            file.write(json.dumps(record) + "\n")
            file.flush()

        work = Path(folder)
        data = {"name": asked["dataset"], "cache_dir": str(prepare(asked, work))}
        how = {"device": asked["device"], "sizes": list(asked["sizes"]), "repeats": asked["repeats"]}
        write(
            {"kind": "run", "bench": "device", "dataset": asked["dataset"]}
            | how
            | {"load": machine.load_average(), "machine": machine.machine(work)}
        )
        problems, answers = [], {}
        for framework in asked["frameworks"]:
            question = how | data | {"framework": framework, "dtypes": ["uint8", "float32"]}
            try:
                answer = processes.ask(pythons[framework], "idxhub_bench.device.child", question, work)
            except processes.FailedError as error:
                write({"kind": "failure", "row": framework, "why": str(error)})
                problems.append(f"{framework}: {error}")
                continue
            answers[framework] = answer
            if "missing" in answer:
                write({"kind": "missing", "row": framework, "why": answer["missing"]})
                continue
            readings = answer["readings"]
            write({"kind": "row", "row": framework} | {k: v for k, v in answer.items() if k != "readings"})
            for reading in readings:
                write({"kind": "sample", "row": framework, "figure": "device rate"} | reading)
    click.echo(table(answers))
    for problem in problems:
        click.secho(f"PROBLEM {problem}", fg="red", err=True)
    if problems:
        ctx.exit(1)


def table(answers: Mapping[str, Mapping[str, Any]]) -> str:
    """Markdown: medians."""
    lines = ["| | batch | on the device, images/s | travelling, images/s | ratio | of a plain copy's bytes/s |"]
    lines.append("| --- | --- | --- | --- | --- | --- |")
    for framework, answer in answers.items():
        if "missing" in answer:
            lines.append(f"| {framework} | | not measured: {answer['missing']} | | | |")
            continue
        lines += [
            f"| {framework} {each.dtype} | {each.size} | {each.resident:,.0f} | {each.ordinary:,.0f} "
            f"| {each.ratio:.3g} | {each.share:.1%} |"
            for each in rates(answer)
        ]
        speed = answer["copy"]["bandwidth"] / 1e9
        lines.append(f"| {framework}, a plain copy on {answer['device']} | | {speed:,.0f} GB/s | | | |")
    return "\n".join(lines)
