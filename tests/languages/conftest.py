"""Builds and runs the programs of examples/languages; the run says at its end which languages were run and which not.

    pytest tests/languages --write-page

also writes the programs into docs/how-to/other-languages.md again, and the versions of the languages that were run.
"""

from __future__ import annotations

import functools
import http.server
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from click.testing import CliRunner
from support.languages import CRATES, PAGE, PROGRAMS, Language, page, shell
from support.needs import need

from idxhub.cli import commands

OFFLINE_CARGO = f"""\
net.offline = true
[source]
crates-io.replace-with = "debian"
debian.directory = "{CRATES}"
"""
_RUN, _NOT_RUN = pytest.StashKey[dict[Language, None]](), pytest.StashKey[dict[Language, str]]()


class Result(NamedTuple):
    """How a program ended."""

    failed: bool
    printed: str
    message: str


def pytest_addoption(parser: pytest.Parser) -> None:
    # known only where the command line names this folder
    parser.addoption("--write-page", action="store_true", help=f"write the programs into {PAGE.name} again")


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_RUN], config.stash[_NOT_RUN] = {}, {}


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: Any, call: pytest.CallInfo[None]) -> Iterator[Any]:
    report = yield
    if "run" in item.fixturenames and (report.when == "call" or not report.passed):
        language = item.callspec.params["language"]
        if report.passed:
            item.config.stash[_RUN][language] = None
        elif report.failed:
            item.config.stash[_NOT_RUN][language] = f"{language.name}: a test failed"
        elif language not in item.config.stash[_RUN]:
            item.config.stash[_NOT_RUN].setdefault(language, report.longrepr[2].removeprefix("Skipped: "))
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    run, not_run = _outcome(config)
    if run or not_run:
        terminalreporter.section("languages")
        terminalreporter.line(f"run: {', '.join(f'{each.name} ({each.with_version})' for each in run) or 'none'}")
        for reason in not_run.values():
            terminalreporter.line(reason)


def pytest_sessionfinish(session: pytest.Session) -> None:
    if session.config.getoption("--write-page", default=False):
        run, _ = _outcome(session.config)
        PAGE.write_text(page(run), encoding="utf-8")


def _outcome(config: pytest.Config) -> tuple[list[Language], dict[Language, str]]:
    """The languages whose programs were run and right, and why others were not."""
    not_run = config.stash[_NOT_RUN]
    return [each for each in config.stash[_RUN] if each not in not_run], not_run


@pytest.fixture(scope="session")
def lay_down(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Lays the files of a dataset down in a folder, once in a session, as `idxhub get NAME --to DIR` does."""

    @functools.cache
    def folder(name: str, data_dir: Path | None = None, *, raw: bool) -> Path:
        path = tmp_path_factory.mktemp(name)
        options = ["--raw"] * raw + (["--data-dir", str(data_dir)] if data_dir else [])
        done = CliRunner().invoke(commands, ["get", name, "--to", str(path), *options])
        assert done.exit_code == 0, done.output
        return path

    return folder


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Callable[..., Result]:
    """Runs the program of a language on a folder with files, as its comment says; it is built once."""
    home = tmp_path_factory.mktemp("home")  # where compilers keep what they have compiled
    if CRATES.is_dir():
        (home / ".cargo").mkdir()
        (home / ".cargo" / "config.toml").write_text(OFFLINE_CARGO, encoding="utf-8")

    @functools.cache
    def built(language: Language) -> Path:
        folder = tmp_path_factory.mktemp(language.folder) / "program"
        shutil.copytree(PROGRAMS / language.folder, folder)
        for command in language.commands[:-1]:
            done = shell(command, folder, home)
            assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
            assert "warning" not in done.stderr, done.stderr
        return folder

    def run_program(language: Language, files: Path) -> Result:
        if language.folder == "browser":
            return run_page(request.getfixturevalue("browser"), language.path, files)
        done = shell(language.commands[-1].replace("DIR", str(files)), built(language), home)
        return Result(done.returncode != 0, done.stdout, done.stderr)

    return run_program


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    need("selenium")
    from support.browser import running  # noqa: PLC0415 -- after the skip where selenium is absent

    with running("disable-gpu") as started:
        started.set_script_timeout(60)
        yield started


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *arguments: object) -> None:
        """Nothing: pytest shows what is printed."""


def run_page(browser: Any, page: Path, files: Path) -> Result:
    """What a browser shows when `python3 -m http.server --directory DIR` gives it the page."""
    shutil.copy(page, files)
    handler = functools.partial(_Quiet, directory=str(files))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            browser.get(f"http://127.0.0.1:{server.server_port}/{page.name}")
            shown = browser.execute_async_script(SHOWN)
        finally:
            server.shutdown()
    failed = shown.startswith("Error: ")
    return Result(failed, "" if failed else f"{shown}\n", shown if failed else "")


SHOWN = """
const done = arguments[arguments.length - 1];
const output = document.querySelector("output");
const look = () => (output.value ? done(output.value) : setTimeout(look, 20));
look();
"""
