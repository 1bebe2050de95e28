"""Options and arguments that several subcommands take, with the names that a shell completes them by."""

from __future__ import annotations

import click
from click.shell_completion import CompletionItem, FishComplete, add_completion_class

from idxhub.cli.files import FOLDER
from idxhub.plugins.manager import installed


@add_completion_class
class _FishComplete(FishComplete):
    """The same as click's, but a comma in a description does not end it."""

    source_template = FishComplete.source_template.replace('string split ","', 'string split --max 1 ","')


json_option = click.option("--json", "as_json", is_flag=True, help="Print the result or the error as JSON.")
data_dir_option = click.option("--data-dir", type=FOLDER, help="A folder to look in first.")


def _dataset_names(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    specs = installed().datasets().values()
    return [CompletionItem(spec.name, help=spec.title) for spec in specs if spec.name.startswith(incomplete)]


def _framework_names(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    return [CompletionItem(name) for name in installed().adapters() if name.startswith(incomplete)]


# plain strings: an unknown name is for the subcommand to refuse, with the nearest one
dataset_argument = click.argument("name", shell_complete=_dataset_names)
framework_argument = click.argument("framework", shell_complete=_framework_names)
