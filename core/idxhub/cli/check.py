"""`idxhub conformance`."""

from __future__ import annotations

import click

from idxhub.cli.options import framework_argument, json_option
from idxhub.cli.output import print_json, print_text


@click.command()
@framework_argument
@json_option
@click.pass_context
def conformance(ctx: click.Context, framework: str, *, as_json: bool) -> None:
    """Run the checks that every adapter must pass.

    FRAMEWORK is one of those that `idxhub doctor` lists. The exit status is 1 if a check fails.
    """
    from idxhub import conformance as kit  # noqa: PLC0415 -- the other subcommands do without it

    report = kit.run(kit.subject(framework))
    if as_json:
        print_json(report.to_json())
    else:
        print_text(report)
    if not report.ok:
        ctx.exit(1)


COMMANDS = (conformance,)
