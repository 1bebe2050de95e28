"""`idxhub export`: the command that joins by entry point (group `idxhub.commands`)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem

from idxhub import Plugins, datasets, errors, exporters
from idxhub import export as export_dataset
from idxhub.cli.files import FOLDER
from idxhub.cli.output import print_json, print_table, printable_line


def _list_formats(*, as_json: bool) -> None:
    summaries = Plugins().summarize_exporters()
    if as_json:
        print_json([summary._asdict() for summary in summaries])
        return
    print_table(
        ("FORMAT", "TO INSTALL", "WRITES"),
        [
            (each.name, f"pip install {' '.join(each.packages)}" if each.missing else "nothing", each.description)
            for each in summaries
        ],
    )


def _complete_format(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    return [name for name in exporters() if name.startswith(incomplete)]


def _complete_dataset_or_path(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The names of datasets; if none begins with the text, the shell completes it as a path."""
    found = [CompletionItem(name) for name in datasets() if name.startswith(incomplete)]
    return found or [CompletionItem(incomplete, type="file")]


@click.command()
@click.argument("format_name", metavar="FORMAT", required=False, shell_complete=_complete_format)
@click.argument("name", metavar="[NAME]", required=False, shell_complete=_complete_dataset_or_path)
@click.argument("path", metavar="PATH", required=False, type=click.Path())
@click.option(
    "--split",
    "split_texts",
    multiple=True,
    help="A split, such as 'train[:80%]' or, under another name, 'valid=train[80%:]'; may be given several times.  "
    "[default: every split]",
)
@click.option(
    "--option",
    "option_texts",
    metavar="KEY=VALUE",
    multiple=True,
    help="An option of the format; may be given several times.",
)
@click.option("--force", is_flag=True, help="Replace what is at PATH; a folder as a whole.")
@click.option("--data-dir", type=FOLDER, help="A folder to look in first.")
@click.option("--offline", is_flag=True, help="Download nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print the result or the error as JSON.")
@click.option("--list", "as_list", is_flag=True, help="List the formats, and what installs them.")
def export(
    format_name: str | None,
    name: str | None,
    path: str | None,
    split_texts: tuple[str, ...],
    option_texts: tuple[str, ...],
    *,
    data_dir: Path | None,
    force: bool,
    offline: bool,
    as_json: bool,
    as_list: bool,
) -> None:
    """Write a dataset to PATH, in a format that other programs read.

    NAME is fashion-mnist if it is left out. If anything fails, nothing is at PATH; with --force, what was there before
    stays.
    """
    if as_list:
        _list_formats(as_json=as_json)
        return
    if format_name is None or name is None:
        raise click.UsageError("FORMAT and PATH are needed; --list shows the formats")
    plugins = Plugins()
    if path is None:
        if _is_dataset(name, plugins):  # otherwise Fashion-MNIST would be written to a path called like another dataset
            raise click.UsageError(f"{name} is a dataset: name the PATH too, or write ./{name} for such a path")
        name, path = "fashion-mnist", name
    options = dict(map(_option, option_texts))
    plugins.exporter(format_name).check_options(options)  # the arguments of `idxhub.export` are no options of a format
    written = export_dataset(
        name,
        format_name,
        path,
        splits=_splits(split_texts),
        force=force,
        data_dir=data_dir,
        download=not offline,
        plugins=plugins,
        **options,
    )
    if as_json:
        print_json({"format": format_name, "dataset": name, "path": str(written)})
    else:
        click.echo(f"wrote {printable_line(written)}")


def _is_dataset(name: str, plugins: Plugins) -> bool:
    try:
        plugins.dataset(name)
    except errors.UnknownNameError:
        return False
    return True


def _splits(texts: tuple[str, ...]) -> list[str] | dict[str, str] | None:
    """None for no text. If one of them has a name, a mapping, in which the others are called as they are written."""
    if not texts:
        return None
    pairs = [text.partition("=") for text in texts]
    if not any(equals for _, equals, _ in pairs):
        return list(texts)
    named: dict[str, str] = {}
    for name, equals, text in pairs:
        if name.strip() in named:
            raise click.UsageError(f"--split {name}{equals}{text}: another split has the name {name.strip()!r} already")
        named[name.strip()] = text if equals else name
    return named


def _option(text: str) -> tuple[str, Any]:
    """An option by its name; the value as JSON has it, True and False too, otherwise the text itself."""
    key, equals, value = text.partition("=")
    if not equals:
        raise click.UsageError(f"--option {text}: the form is KEY=VALUE")
    if value in ("True", "False"):  # as Python has them, and the error for another value
        return key.strip(), value == "True"
    try:
        return key.strip(), json.loads(value)
    except ValueError:
        return key.strip(), value
