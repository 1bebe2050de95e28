"""The command `idxhub`. Its exit status is 0 if all is well, 1 if a problem was found, and 2 for wrong usage.

The core's own subcommands are in the modules beside this one. Other distributions add subcommands through the
entry-point group `idxhub.commands`. To list them, nothing is imported.
"""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import sys
import traceback
import warnings
from collections.abc import Container
from types import FrameType
from typing import IO, Any

import click
from click.shell_completion import CompletionItem

from idxhub._version import __version__
from idxhub.cli import audit, cache, catalog, check, demo, doctor, get, verify
from idxhub.cli.output import (
    error_as_json,
    fit_to_terminal,
    format_error,
    is_help_requested,
    is_json_requested,
    print_json,
    print_text,
    printable_line,
    provide_stderr,
    reserve_stdout,
    reserve_stdout_for_completion,
)
from idxhub.errors import AdapterError, IdxHubError, UnknownNameError
from idxhub.paths import describe_os_error
from idxhub.plugins.importing import describe_object
from idxhub.plugins.manager import installed

_AS_JSON, _ARGUMENTS = "idxhub.as_json", "idxhub.arguments"  # of the subcommand
_NOBODY_READS = errno.EINVAL if os.name == "nt" else errno.EPIPE  # of a pipe; click ends quietly for EPIPE alone
# of the commands that idxhub itself adds by entry point: --help imports no plugin; a test compares the names
_SUMMARIES = {
    "bench": "Measure loading and training, and compare with other loaders.",
    "board": "Run the 129 classifiers of Fashion-MNIST's benchmark again.",
    "export": "Write a dataset as files for other programs.",
    "plot": "Draw pictures of a dataset, and write each to a file.",
}


class JsonError(click.ClickException):
    """An error of the command with `--json`. It is printed as JSON on standard output."""

    def __init__(self, error: IdxHubError | click.ClickException, exit_code: int) -> None:
        super().__init__(str(error))
        self.error = error
        self.exit_code = exit_code  # type: ignore[misc]  # click reads it from the object

    def show(self, file: IO[Any] | None = None) -> None:
        """Print the error. `file` belongs to the signature of click, and is not used."""
        print_json({"error": error_as_json(self.error)})


class Commands(click.Group):
    """The core's subcommands and those of other distributions. It turns idxhub's errors into exit statuses."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names of all subcommands. Those of other distributions are not imported."""
        return [*self.commands, *sorted(set(installed().commands()) - set(self.commands))]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The subcommand with this name. If another distribution provides it, it is imported now."""
        if cmd_name in self.commands:
            return self.commands[cmd_name]
        try:
            command = installed().command(cmd_name)
            if command is not None and not isinstance(command, click.Command):
                raise AdapterError(f"the command {cmd_name!r} is {describe_object(command)}, not a click command")
        except IdxHubError:
            if ctx.resilient_parsing:  # a shell completes the line: there is nothing to offer
                return click.Command(cmd_name, add_help_option=False)
            raise
        return command

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """The options, or the subcommands, that begin with the text. Those of other distributions are not imported."""
        names = {name: command.get_short_help_str() for name, command in self.commands.items()}
        names |= _list_other_commands(self.commands)
        found = [CompletionItem(name, help=text) for name, text in names.items() if name.startswith(incomplete)]
        return found + click.Command.shell_complete(self, ctx, incomplete)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the subcommands with their summaries; those of other distributions with the distribution's name."""
        own = [(name, command.get_short_help_str(66)) for name, command in self.commands.items()]
        others = sorted(_list_other_commands(self.commands).items())
        for title, rows in (("Commands", own), ("More commands", others)):
            if rows:
                with formatter.section(title):
                    formatter.write_dl(rows)

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        """Parse the options before the subcommand. With `--json`, an error in these must be JSON too."""
        as_json = is_json_requested(args)
        try:
            return super().make_context(info_name, args, parent, **extra)
        except click.ClickException as error:
            if as_json:
                raise JsonError(error, error.exit_code) from error
            raise

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Resolve the subcommand, and note whether `--json` is given: an error in its arguments must be JSON too."""
        ctx.meta[_AS_JSON] = is_json_requested(args)
        name, command, rest = super().resolve_command(ctx, args)
        ctx.meta[_ARGUMENTS] = tuple(rest)
        return name, command, rest

    def invoke(self, ctx: click.Context) -> Any:
        """Run the subcommand. An unknown name is wrong usage (2); any other error of idxhub is a problem (1)."""
        try:
            return super().invoke(ctx)
        except (IdxHubError, click.ClickException) as error:
            shown = self._to_click_error(error, ctx)
            if ctx.meta.get(_AS_JSON):
                raise JsonError(error, shown.exit_code) from error
            raise shown from error

    def _to_click_error(self, error: IdxHubError | click.ClickException, ctx: click.Context) -> click.ClickException:
        if isinstance(error, click.ClickException):
            return error
        # click puts "Error: " before it
        message = fit_to_terminal(f"Error: {format_error(error)}", sys.stderr).removeprefix("Error: ")
        if isinstance(error, UnknownNameError):
            return click.UsageError(message, self._context_of_subcommand(ctx))
        return click.ClickException(message)

    def _context_of_subcommand(self, ctx: click.Context) -> click.Context:
        """The context of the subcommand that was running, or else `ctx`. Its usage is shown with an error.

        For a subcommand of a group, such as `plot sprite`, it is that of `sprite`.
        """
        name = ctx.invoked_subcommand
        command = self.get_command(ctx, name) if name else None
        if command is None:
            return ctx
        context = click.Context(command, ctx, name)
        first = next(iter(ctx.meta[_ARGUMENTS]), None)
        if isinstance(command, click.Group) and first in command.list_commands(context):
            nested = command.get_command(context, first)
            return context if nested is None else click.Context(nested, context, first)
        return context


def _list_other_commands(listed: Container[str]) -> dict[str, str]:
    """The names of the commands that are found by entry point, with a summary or the name of their distribution."""
    found = {name: origin for name, origin in installed().commands().items() if name not in listed}
    own = {name: text for name, text in _SUMMARIES.items() if found.get(name) == "idxhub"}
    return {name: f"from {origin}" for name, origin in found.items()} | own


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="idxhub")
@click.pass_context
def commands(ctx: click.Context) -> None:
    """Read Fashion-MNIST, and any other dataset in the IDX format, in your machine-learning framework."""
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":  # see no-color.org
        ctx.color = False


for module in (catalog, get, verify, audit, cache, doctor, demo, check):
    for command in module.COMMANDS:
        commands.add_command(command)


def main() -> None:
    """Run the command: the entry point of the console script."""
    provide_stderr()
    # SIGTERM raises SystemExit, so that temporary files are removed, as after Ctrl-C
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    warnings.showwarning = _show_warning  # type: ignore[assignment]  # it takes the rest of the arguments as one
    if is_json_requested(sys.argv[1:]) and not is_help_requested(sys.argv[1:]):
        reserve_stdout()
    if "_IDXHUB_COMPLETE" in os.environ:
        reserve_stdout_for_completion()
        warnings.simplefilter("ignore")  # the shell would show them beside the line that the user types
    try:
        commands()
    except OSError as error:
        sys.exit(_report_os_error(error))


def _show_warning(message: Warning | str, *where: Any) -> None:
    """Print a warning in a line; where in the code it was raised says nothing to the user of a command."""
    del where
    with contextlib.suppress(OSError, ValueError):  # ValueError: a plugin has closed standard error
        print_text(f"Warning: {str(message).removeprefix('idxhub: ')}", err=True)


def _report_os_error(error: OSError) -> int:
    """Print the error in one line, and return the exit status."""
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    stream = _failed_stream(frames)
    message = f"{describe_os_error(error)}{'' if error.filename is None else f': {error.filename}'}"
    if stream is not None:
        _discard_output(stream)
        if error.errno == _NOBODY_READS:
            return 1
        message = f"cannot write to standard output: {message}"
    if stream is not sys.stderr:
        try:
            click.echo(f"Error: {printable_line(message)}", err=True)
        except OSError:
            _discard_output(sys.stderr)
    return _exit_status(frames)


def _failed_stream(frames: list[FrameType]) -> IO[str] | None:
    """The stream to which click could not write; None if the error came from elsewhere.

    It is found in the frame that raised the error. Writing once more would not show it: an unbuffered stream does not
    keep what it could not write.
    """
    echo = frames[-1] if frames and frames[-1].f_code is click.echo.__code__ else None
    stream: IO[str] | None = None if echo is None else echo.f_locals.get("file")
    return stream


def _exit_status(frames: list[FrameType]) -> int:
    """The exit status: that of the error that could not be printed, or 1 if no error was being printed."""
    errors = (frame.f_locals.get("self") for frame in frames)
    return next((each.exit_code for each in errors if isinstance(each, click.ClickException)), 1)


def _discard_output(stream: IO[str]) -> None:
    """Discard what is still to be written to a stream; otherwise Python reports an error when it ends."""
    with contextlib.suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
