"""`idxhub cache`."""

from __future__ import annotations

import contextlib
import sys

import click

from idxhub.cache.layout import cache_root, folder_size, list_cache_folders, remove_all
from idxhub.cli.options import json_option
from idxhub.cli.output import format_size, print_json, print_table, print_text, printable_line


@click.command()
@click.option("--remove", "removing", is_flag=True, help="Remove every dataset in the cache.")
@click.option("--yes", is_flag=True, help="Do not ask before removing.")
@json_option
def cache(*, removing: bool, yes: bool, as_json: bool) -> None:
    """Show the cache, or remove it."""
    root = cache_root()
    sizes = {folder: folder_size(folder) for folder in list_cache_folders(root)}
    if removing:
        if not yes and sizes:
            what = f"{len(sizes)} dataset{'s' * (len(sizes) > 1)}, {format_size(sum(sizes.values()))},"
            question = f"Remove {what} from {printable_line(root)}?"
            _confirm(question)
        freed = remove_all(root)
        if as_json:
            print_json({"cache": str(root), "freed": freed})
        else:
            print_text(f"freed {format_size(freed)} in {root}")
        return
    if as_json:
        print_json({"cache": str(root), "datasets": {folder.name: count for folder, count in sizes.items()}})
        return
    print_text(f"{root}  (set IDXHUB_CACHE to use another folder)")
    if sizes:
        print_table(("DATASET", "SIZE"), [(folder.name, format_size(count)) for folder, count in sizes.items()])
    else:
        click.echo("no datasets")


def _confirm(question: str) -> None:
    """Ask the question, and raise an error unless the answer is yes. If nobody can answer, there is no answer."""
    try:
        # standard output is for the result; with err=True, click before 8.4 still writes a space there
        with contextlib.redirect_stdout(sys.stderr):
            confirmed = click.confirm(question)
    except click.Abort:  # the end of the input, or Ctrl-C
        click.echo(err=True)  # ends the line of the question
        confirmed = False
    if not confirmed:
        raise click.ClickException("nothing was removed, because the answer was not yes; --yes removes without asking")


COMMANDS = (cache,)
