"""`idxhub board check`."""

from __future__ import annotations

from pathlib import Path

import click

from idxhub.cli.files import FOLDER
from idxhub.cli.output import print_json, print_text
from idxhub_board.checking import check_file


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--data-dir", type=FOLDER, help="A folder to look in first.")
@click.option("--offline", is_flag=True, help="Download nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print the result or the error as JSON.")
def check(*, file: Path, data_dir: Path | None, offline: bool, as_json: bool) -> None:
    """Check results that somebody hands in.

    Each line of FILE must be a result of a known configuration on a dataset with a known digest, with the versions of
    the packages, and no line may repeat another. Where predictions are given, the accuracy is computed from them. The
    exit status is 1 if anything is wrong.
    """
    folder = None if data_dir is None else str(data_dir.absolute())
    found = check_file(file, data_dir=folder, download=not offline)
    if as_json:
        print_json(found._asdict())
    else:
        for problem in found.problems:
            print_text(f"{file}: {problem}")
        said = f"{len(found.problems)} problems" if found.problems else "no problems"
        print_text(f"{found.results} results, {found.recomputed} of them with predictions: {said}")
    if found.problems:
        click.get_current_context().exit(1)
