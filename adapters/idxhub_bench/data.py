"""The dataset that is measured, and the options that name it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import click

from idxhub import errors, load

FULL, SAMPLE = "fashion-mnist", "fashion-mnist-sample"


def dataset_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """`--dataset` and `--data-dir`."""
    folder = click.Path(exists=True, file_okay=False, path_type=Path)
    command = click.option("--data-dir", type=folder, help="The four .gz files.")(command)
    return click.option("--dataset", type=click.Choice([FULL, SAMPLE]), default=FULL, show_default=True)(command)


def prepare(asked: Mapping[str, Any], work: Path) -> Path:
    """A cache below `work` that has the dataset, without a network; raises `click.UsageError`."""
    cache_dir = work / "cache"
    try:
        load(asked["dataset"], "train+test", data_dir=asked["data_dir"], cache_dir=cache_dir, download=False)
    except errors.DownloadError as error:
        how = f"name the folder of the files with --data-dir, or take --dataset {SAMPLE}"
        raise click.UsageError(f"{error}\n{how}") from error
    return cache_dir
