"""`idxhub bench`: the group that joins the command by entry point (group `idxhub.commands`)."""

from __future__ import annotations

import click

from idxhub_bench.device.command import device
from idxhub_bench.load.command import load
from idxhub_bench.report.command import report
from idxhub_bench.train.command import train


@click.group()
def bench() -> None:
    """Measure loading and training in each framework, and compare idxhub with other loaders."""


for command in (load, train, device, report):
    bench.add_command(command)
