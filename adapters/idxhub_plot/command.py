"""`idxhub plot`: the group that joins the command by entry point (group `idxhub.commands`)."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from functools import wraps
from pathlib import Path
from typing import Any

import click

import idxhub_plot
from idxhub import errors
from idxhub_plot import output

_Command = Callable[..., Any]


class Pictures(click.Group):
    """The pictures as subcommands; an unknown one is answered with the choices and the nearest."""

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The subcommand that makes a picture."""
        found = super().get_command(ctx, cmd_name)
        if found is None and not ctx.resilient_parsing:
            raise errors.UnknownNameError("picture", cmd_name, self.list_commands(ctx))
        return found


@click.group(cls=Pictures, subcommand_metavar="WHAT [NAME]")
def plot() -> None:
    """Draw pictures of a dataset, and write each to a file."""


def picture(endings: Sequence[str] = output.ENDINGS, split: str | None = "train") -> Callable[[_Command], _Command]:
    """Makes a subcommand of a function that returns a picture: it adds NAME and the options that all of them have.

    The function receives its own options, and as `asked` the arguments that all functions of `idxhub_plot` have.
    """

    def decorate(make: _Command) -> _Command:
        @wraps(make)
        def run(
            *, name: str, output_path: Path | None, force: bool, offline: bool, data_dir: Path | None, **own: Any
        ) -> None:
            as_json = own.pop("as_json")
            what = click.get_current_context().info_name
            path = output_path or Path(f"{name}-{what}{endings[0]}")
            output.check_target(path, endings, force=force)
            asked = {"name": name, "data_dir": data_dir, "download": not offline}
            if split is not None:
                asked["split"] = own.pop("split")
            content = output.encode(make(asked, **own), path.suffix)
            output.write_files({path: content})
            report({"picture": what, "dataset": name, "files": [str(path)], "bytes": len(content)}, as_json=as_json)

        return _with_options(run, endings, split)

    return decorate


def _with_options(command: Any, endings: Sequence[str], split: str | None) -> _Command:
    """The order is that of --help: NAME and --split, the function's own options, then those that all of them have."""
    own, command.__click_params__ = getattr(command, "__click_params__", []), []
    for option in reversed(common_options):
        command = option(command)
    command = click.option(
        *("-o", "--output", "output_path"),
        type=click.Path(path_type=Path),
        help=f"The file; its name ends in {' or '.join(endings)}.  [default: NAME-WHAT{endings[0]}]",
    )(command)
    command.__click_params__ += own
    if split is not None:
        command = click.option(
            "--split", default=split, show_default=True, help="Which examples, such as 'test[:50%]'."
        )(command)
    decorated: _Command = click.argument("name", default="fashion-mnist")(command)
    return decorated


common_options = (
    click.option("--force", is_flag=True, help="Replace a file that exists."),
    click.option(
        "--data-dir",
        type=click.Path(exists=True, file_okay=False, path_type=Path),
        help="A folder to look in first.",
    ),
    click.option("--offline", is_flag=True, help="Download nothing."),
    click.option("--json", "as_json", is_flag=True, help="Print JSON, for scripts; errors too."),
)


def report(done: dict[str, Any], *, as_json: bool) -> None:
    """Say which files were written."""
    if as_json:
        click.echo(json.dumps(done, indent=2))
        return
    for path in done["files"]:
        click.echo(f"wrote {path}")


@plot.command()
@picture(endings=(".png",))
@click.option("--rows", type=click.IntRange(min=1), default=3, show_default=True, help="Rows for each class.")
@click.option("--columns", type=click.IntRange(min=1), default=30, show_default=True, help="Images in a row.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Which images are chosen.")
def sprite(asked: dict[str, Any], **own: Any) -> Any:
    """Many images of each class in one picture, pixel for pixel."""
    return idxhub_plot.sprite(**asked, **own)
