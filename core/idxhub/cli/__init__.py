"""The `idxhub` command. Exit status: 0 well, 1 a problem was found, 2 wrong usage.

The core's own subcommands are in the modules beside this one; others join through the entry-point group
`idxhub.commands`, whose names are listed without importing anything.
"""

from __future__ import annotations

import os
import signal
import sys
from typing import IO, Any

import click

from idxhub._version import __version__
from idxhub.cli import audit, cache, catalog, check, demo, doctor, files
from idxhub.errors import AdapterError, IdxHubError, UnknownNameError
from idxhub.plugins import installed


class Commands(click.Group):
    """Own subcommands first, then those of other distributions; idxhub's errors become exit statuses."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All names, without importing a stranger's."""
        return [*self.commands, *sorted(set(installed().commands()) - set(self.commands))]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The one that runs, imported now if it is a stranger's."""
        if cmd_name in self.commands:
            return self.commands[cmd_name]
        command = installed().command(cmd_name)
        if command is not None and not isinstance(command, click.Command):
            raise AdapterError(f"the command {cmd_name!r} is {command!r}, not a click command")
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The core's commands with their summaries, those that joined with the distribution they come from."""
        own = [(name, command.get_short_help_str(66)) for name, command in self.commands.items()]
        found = sorted(installed().commands().items())
        others = [(name, f"from {origin}") for name, origin in found if name not in self.commands]
        for title, rows in (("Commands", own), ("More commands", others)):
            if rows:
                with formatter.section(title):
                    formatter.write_dl(rows)

    def invoke(self, ctx: click.Context) -> Any:
        """Run; an unknown name is wrong usage, everything else that idxhub raises a problem found."""
        try:
            return super().invoke(ctx)
        except UnknownNameError as error:
            raise click.UsageError(str(error), self._innermost(ctx)) from error
        except IdxHubError as error:
            raise click.ClickException(str(error)) from error

    def _innermost(self, ctx: click.Context) -> click.Context:
        """The context whose usage an error shows: that of the subcommand, if one was running."""
        name = ctx.invoked_subcommand
        command = self.get_command(ctx, name) if name else None
        return ctx if command is None else click.Context(command, ctx, name)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="idxhub")
def commands() -> None:
    """Fashion-MNIST, and every dataset in the IDX format: found, verified, and handed to your framework."""


for module in (catalog, files, audit, cache, doctor, demo, check):
    for command in module.COMMANDS:
        commands.add_command(command)


def main() -> None:
    """The console script."""
    # so that `kill` takes the same way out as Ctrl-C, past the code that removes temp files
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        commands()
    except OSError as error:
        if _can_be_written(sys.stdout):
            raise
        click.echo(f"Error: cannot write to standard output: {error.strerror or error}", err=True)
        sys.exit(1)


def _can_be_written(stream: IO[str] | None) -> bool:
    """Whether a line can; if not, what waits to be written is given up, or Python would complain on its way out."""
    if stream is None:
        return True
    try:
        stream.write("\n")
        stream.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
        return False
    return True
