"""`idxhub board page`."""

from __future__ import annotations

from pathlib import Path

import click

from idxhub import errors
from idxhub.cli.files import OptionPath, check_absent, write_files
from idxhub.cli.output import print_text
from idxhub_board.store import read_stores
from idxhub_board.summary import summarise


@click.command()
@click.argument("stores", nargs=-1, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    *("-o", "--output"),
    type=OptionPath(dir_okay=False, path_type=Path),
    default=Path("board.html"),
    show_default=True,
    help="The file.",
)
@click.option("--force", is_flag=True, help="Replace a file that exists.")
def page(*, stores: tuple[Path, ...], output: Path, force: bool) -> None:
    """Write one HTML page with published results and those in STORES.

    The page needs no network and no other file. It has tabs for Fashion-MNIST, MNIST and both, filters, a table that
    can be sorted, and accuracy against time as a plot. To write it, Jinja2 is needed.
    """
    check_absent([output], force=force)
    try:
        from idxhub_board.page.render import page as render  # noqa: PLC0415 -- needs Jinja2
    except ModuleNotFoundError as error:
        raise errors.MissingFrameworkError(
            f"the page needs {error.name}, which is not installed: pip install jinja2", name=error.name
        ) from error
    text = render(summarise(read_stores(stores)))
    write_files({output: text.encode()})
    print_text(f"wrote {output}")
