"""Counts the rows of the fault matrix: the run says which rows have no test that passed and checked the invariant.

    pytest tests/faults --all-rows

fails, by name, for each row without such a test, and if the table in docs/reference/faults.md says anything else.
What the machine could not do is listed as not run.

    pytest tests/faults --collect-only --write-page

writes that table again.

    pytest tests/faults --streamed

runs them with files of any size verified block by block, as large ones are, also in the processes that the tests start.
Tests of what does not depend on this are left out.
"""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support import invariant as shared
from support import made
from support.made import Made
from support.matrix import ROWS
from support.processes import importable, without
from support.server import Server
from support.streaming import STREAM_ALL, stream_all_if_asked

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "faults.md"
# the tests of exports, proxies, https, other loaders and of these tests themselves: files of any size are alike there
_SAME_IN_STREAMS = {
    *("test_exports.py", "test_frame.py", "test_offline.py", "test_peers.py"),
    *("test_network_proxy.py", "test_network_tls.py"),
}
_BEGIN, _END = "<!-- rows -->\n", "<!-- end of rows -->\n"
_CHECKED = pytest.StashKey[bool]()
_TALLY = pytest.StashKey["Tally"]()


class Tally:
    """The results of the tests of each row."""

    def __init__(self) -> None:
        self.collected: dict[int, list[str]] = {row: [] for row in ROWS}
        self.functions: dict[int, dict[str, dict[str, None]]] = {
            row: {} for row in ROWS
        }  # by file, in order, each once
        self.proven: dict[int, int] = dict.fromkeys(ROWS, 0)
        self.not_run: dict[str, tuple[tuple[int, ...], str]] = {}

    def missing(self) -> Iterator[str]:
        """The rows that nothing has proven, with the reason."""
        excused = {row for rows, _ in self.not_run.values() for row in rows}
        for row, each in ROWS.items():
            if not self.collected[row]:
                yield f"row {row} has no test: {each.fault}"
            elif not self.proven[row] and row not in excused:  # in continuous integration `without` has failed already
                yield f"row {row} has no test that passed and checked the invariant: {each.fault}"
        if self.page() != PAGE.read_text(encoding="utf-8"):
            yield f"{PAGE.name} is out of date: pytest tests/faults --collect-only --write-page"

    def page(self) -> str:
        """The text of the page with the right table."""
        before, _, rest = PAGE.read_text(encoding="utf-8").partition(_BEGIN)
        lines = ["", "| # | fault | what idxhub must do | tests |", "| --- | --- | --- | --- |"]
        for row, each in ROWS.items():
            tests = "; ".join(f"{', '.join(names)} (`{file}`)" for file, names in self.functions[row].items())
            lines.append(f"| {row} | {each.fault} | {each.outcome} | {tests} |")
        return before + _BEGIN + "\n".join(lines) + "\n\n" + _END + rest.partition(_END)[2]


def pytest_addoption(parser: pytest.Parser) -> None:
    # known only where the command line names this folder
    parser.addoption("--all-rows", action="store_true", help="fail unless every row of the fault matrix was proven")
    parser.addoption("--write-page", action="store_true", help=f"write the table of {PAGE.name} again")
    parser.addoption("--kill-points", type=int, default=200, help="how many times a process is killed (200)")
    parser.addoption("--streamed", action="store_true", help="verify files of any size block by block, as large ones")


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--streamed", default=False):
        os.environ[STREAM_ALL] = "1"  # the tests' other processes get it: see `support.processes.program_with`
        stream_all_if_asked()
    config.stash[_TALLY] = Tally()


def rows_of(item: pytest.Item) -> tuple[int, ...]:
    """The rows that a test is marked with."""
    return tuple(sorted({row for mark in item.iter_markers("row") for row in mark.args}))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    tally = config.stash[_TALLY]
    if config.getoption("--streamed", default=False):
        left_out = [item for item in items if item.path.name in _SAME_IN_STREAMS]
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item.path.name not in _SAME_IN_STREAMS]
    for item in items:
        for row in rows_of(item):
            if row not in ROWS:
                raise pytest.UsageError(f"{item.nodeid}: there is no row {row}")
            tally.collected[row].append(item.nodeid)
            tally.functions[row].setdefault(item.path.name, {})[_in_words(item)] = None
    if config.getoption("--write-page", default=False):
        PAGE.write_text(tally.page(), encoding="utf-8")


def _in_words(item: pytest.Item) -> str:
    return item.name.partition("[")[0].removeprefix("test_").replace("_", " ")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    report = yield
    tally = item.config.stash[_TALLY]
    if report.skipped and isinstance(report.longrepr, tuple):
        tally.not_run[item.nodeid] = rows_of(item), report.longrepr[2]
    elif report.when == "call" and report.passed and item.stash.get(_CHECKED, False):
        for row in rows_of(item):
            tally.proven[row] += 1
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    tally = config.stash[_TALLY]
    ran = sum(map(bool, tally.proven.values()))
    terminalreporter.section("fault matrix")
    terminalreporter.line(f"{ran} of {len(ROWS)} rows proven, by {sum(tally.proven.values())} tests in all")
    for test, (rows, reason) in tally.not_run.items():
        terminalreporter.line(f"not run: row {', '.join(map(str, rows))}: {test}: {reason}")
    if config.getoption("--all-rows", default=False):
        for line in tally.missing():
            terminalreporter.line(line, red=True)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    collecting = session.config.getoption("collectonly")
    if (
        session.config.getoption("--all-rows", default=False)
        and not collecting
        and any(session.config.stash[_TALLY].missing())
    ):
        session.exitstatus = max(exitstatus, pytest.ExitCode.TESTS_FAILED)


@pytest.fixture
def invariant(request: pytest.FixtureRequest, toy: Made, cache_dir: Path) -> Callable[..., None]:
    """`support.invariant.check` for `toy` and the test's cache; `of=` and `cache=` for others. The row counts by it."""

    def check(
        raised: BaseException | None = None, *, of: Made = toy, cache: Path = cache_dir, **expectations: object
    ) -> None:
        shared.check(of, cache, raised, **expectations)
        request.node.stash[_CHECKED] = True

    return check


@pytest.fixture
def fast_dir(tmp_path: Path) -> Iterator[Path]:
    """A folder in memory where the system has one: a process killed a thousand times need not wait for a disk."""
    memory = "/dev/shm"  # noqa: S108 -- a folder with a name of its own is made in it
    with tempfile.TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else tmp_path) as folder:
        yield Path(folder)


@pytest.fixture
def run_kill_points(toy: Made, server: Server, fast_dir: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs kill_points.py with so many kill points; `options` are Python's own."""

    def run(count: int, *options: str) -> subprocess.CompletedProcess[str]:
        if not hasattr(os, "fork"):
            without("a system that forks")
        told, packed = fast_dir / "told", made.packed(toy, fast_dir / "packed")
        server.serve(toy.folder)
        server.serve(packed.folder)
        told.write_bytes(pickle.dumps((toy, packed, server.url, fast_dir)))
        return subprocess.run(
            [sys.executable, *options, Path(__file__).with_name("kill_points.py"), told, str(count)],
            env=os.environ | {"PYTHONPATH": importable()},
            capture_output=True,
            text=True,
            check=False,
        )

    return run
