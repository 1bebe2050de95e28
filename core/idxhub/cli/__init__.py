"""The `idxhub` command. Exit status: 0 well, 1 a problem was found, 2 wrong usage.

The core's own subcommands are in the modules beside this one; others join through the entry-point group
`idxhub.commands`, whose names are listed without importing anything.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import traceback
from types import FrameType
from typing import IO, Any

import click

from idxhub._version import __version__
from idxhub.cli import audit, cache, catalog, check, demo, doctor, files
from idxhub.cli.output import error_as_json, fit_to_terminal, format_error, print_json, printable_line
from idxhub.errors import AdapterError, IdxHubError, UnknownNameError
from idxhub.plugins.manager import installed

_AS_JSON = "idxhub.as_json"


class JsonError(click.ClickException):
    """An error of a subcommand that was asked for JSON: it is printed as JSON, on standard output."""

    def __init__(self, error: IdxHubError | click.ClickException, exit_code: int) -> None:
        super().__init__(str(error))
        self.error = error
        self.exit_code = exit_code  # type: ignore[misc]  # click reads it of the object

    def show(self, file: IO[Any] | None = None) -> None:
        """Print it; `file` is click's, and not used."""
        print_json({"error": error_as_json(self.error)})


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

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The subcommand, noting whether it is asked for JSON: that must be known even if its arguments are wrong."""
        ctx.meta[_AS_JSON] = "--json" in args[: args.index("--") if "--" in args else None]
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Run; an unknown name is wrong usage, everything else that idxhub raises a problem found."""
        try:
            return super().invoke(ctx)
        except (IdxHubError, click.ClickException) as error:
            shown = self._as_shown(error, ctx)
            if ctx.meta.get(_AS_JSON):
                raise JsonError(error, shown.exit_code) from error
            raise shown from error

    def _as_shown(self, error: IdxHubError | click.ClickException, ctx: click.Context) -> click.ClickException:
        if isinstance(error, click.ClickException):
            return error
        # click puts "Error: " before it
        message = fit_to_terminal(f"Error: {format_error(error)}", sys.stderr).removeprefix("Error: ")
        if isinstance(error, UnknownNameError):
            return click.UsageError(message, self._innermost(ctx))
        return click.ClickException(message)

    def _innermost(self, ctx: click.Context) -> click.Context:
        """The context whose usage an error shows: that of the subcommand, if one was running."""
        name = ctx.invoked_subcommand
        command = self.get_command(ctx, name) if name else None
        return ctx if command is None else click.Context(command, ctx, name)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="idxhub")
@click.pass_context
def commands(ctx: click.Context) -> None:
    """Fashion-MNIST, and every dataset in the IDX format: found, verified, and handed to your framework."""
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":  # see no-color.org
        ctx.color = False


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
        sys.exit(_end(error))


def _end(error: OSError) -> int:
    """Say in a line what went wrong, and give the exit status."""
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    stream = _refusing(frames)
    message = f"{error.strerror or error}{'' if error.filename is None else f': {error.filename}'}"
    if stream is not None:
        _give_up(stream)
        message = f"cannot write to standard output: {message}"
    if stream is not sys.stderr:
        try:
            click.echo(f"Error: {printable_line(message)}", err=True)
        except OSError:
            _give_up(sys.stderr)
    return _status(frames)


def _refusing(frames: list[FrameType]) -> IO[str] | None:
    """The stream that did not take what click wrote to it; None if the error came from elsewhere.

    Known by where it was raised: trying would write, and an unbuffered stream has forgotten what it did not take.
    """
    echo = frames[-1] if frames and frames[-1].f_code is click.echo.__code__ else None
    stream: IO[str] | None = None if echo is None else echo.f_locals.get("file")
    return stream


def _status(frames: list[FrameType]) -> int:
    """That of the error that could not be said, if one was being said: it has its status all the same."""
    unsaid = (frame.f_locals.get("self") for frame in frames)
    return next((each.exit_code for each in unsaid if isinstance(each, click.ClickException)), 1)


def _give_up(stream: IO[str]) -> None:
    """Let what waits to be written go nowhere, or Python would complain on its way out."""
    with contextlib.suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
