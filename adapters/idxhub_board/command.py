"""`idxhub board`: the group that joins the command by entry point (group `idxhub.commands`)."""

from __future__ import annotations

import click

from idxhub import errors
from idxhub_board.check_command import check
from idxhub_board.compare_command import compare
from idxhub_board.export_command import export
from idxhub_board.page_command import page
from idxhub_board.run_command import run
from idxhub_board.suspects_command import suspects


class Actions(click.Group):
    """The subcommands; an unknown one is answered with the choices and the nearest."""

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The subcommand with this name."""
        found = super().get_command(ctx, cmd_name)
        if found is None and not ctx.resilient_parsing:
            raise errors.UnknownNameError("board subcommand", cmd_name, self.list_commands(ctx))
        return found


@click.group(cls=Actions)
def board() -> None:
    """Run the 129 classifiers of Fashion-MNIST's benchmark again, and compare with what was published."""


for each in (run, compare, page, export, check, suspects):
    board.add_command(each)
