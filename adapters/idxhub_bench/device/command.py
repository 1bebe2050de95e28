"""`idxhub bench device`."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from idxhub_bench.device import goals
from idxhub_bench.measuring import fill_cache, measuring, positive, recording
from idxhub_bench.report import device as report
from idxhub_bench.report import markdown
from idxhub_bench.report.records import runs

FRAMEWORKS = ("torch", "jax")


@click.command()
@measuring(FRAMEWORKS)
@click.option(
    "--framework",
    "frameworks",
    multiple=True,
    type=click.Choice(FRAMEWORKS),
    default=FRAMEWORKS,
    show_default=True,
    help="Only this framework; may be given several times.",
)
@click.option("--device", default="cuda", show_default=True, help="The device, by the name that the framework uses.")
@positive(
    "--batch-size", "sizes", multiple=True, default=goals.SIZES, help="Images in a batch; may be given several times."
)
@positive("--repeats", default=7, help="Passes of each kind.")
def device(raw: Path, pythons: Mapping[str, str], *, append: bool, **asked: Any) -> None:
    """Measure batches that are gathered on a device.

    The records are written to RAW, a file of JSON lines. Prints images/s of get_loader(device=...), of the ordinary
    loader whose batches are copied to the device, and how the first compares with the speed of a plain copy on that
    device. That share counts the bytes that must be read and written at least. Also measured are a gather by hand,
    whose permutation is drawn on the device, and a whole epoch in one call: lax.scan in JAX, a CUDA graph in PyTorch.
    Before the clock starts, the batches of both loaders are compared bit for bit. The exit status is 1 if a framework
    failed, but not if it is not installed, or if there is no such device.
    """
    with recording(raw, append=append) as recorder:
        data = {"name": asked["dataset"], "cache_dir": str(fill_cache(asked, recorder.folder))}
        setting = {"device": asked["device"], "sizes": list(asked["sizes"]), "repeats": asked["repeats"]}
        recorder.write_run("device", {"dataset": asked["dataset"]} | setting)
        for framework in asked["frameworks"]:
            question = setting | data | {"framework": framework, "dtypes": ["uint8", "float32"]}
            python = pythons.get(framework, sys.executable)
            answer = recorder.ask(framework, python, "idxhub_bench.device.child", question)
            if answer is not None:
                readings = answer.pop("readings")
                recorder.write({"kind": "row", "row": framework} | answer)
                for reading in readings:
                    recorder.write({"kind": "sample", "row": framework, "figure": "device rate"} | reading)
        for section in report.sections(runs(recorder.records)):
            click.echo(markdown.tables(section))
