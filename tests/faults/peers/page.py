"""The outcomes in words: a table for the terminal, JSON for programs, a page for the documentation."""

from __future__ import annotations

import json
import os
import platform
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from faults.peers.cases import CASES, LEFT_OUT, RACES
from faults.peers.stage import GRACE
from support.matrix import ROWS

COMMAND = """\
python tests/faults/peers/run.py --markdown docs/reference/peers-under-faults.md \\
    --json docs/reference/peers-under-faults.json --peer-python mxnet=PYTHON"""
MARKS = {
    "right": "the loader returned the right data",
    "error": "the loader raised an exception, the row allows one, and the exception names the cause: by its type, by "
    "its words, or by those of the exceptions that led to it. If a signal was sent (row 27), that signal ended the "
    "process",
    "partly": "the loader returned the data or raised an exception, but did not do something else that the row asks "
    "for: see the notes",
    "vague": "the loader raised an exception that does not name the cause",
    "failed": "the loader raised an exception, but the row asks for the data: see the notes",
    "wrong": "the loader returned other data without any error",
    "hang": "the loader did not end within the time limit",
    "crash": "the process died",
    "not run": "this machine could not run the case",
    "n/a": "the row does not apply to this loader, or it was run with no loader: see the notes",
}
STUCK = "†"
ASKS = {(case.row, case.name): case.asks for case in CASES}
_GRAVE = {"wrong", "hang", "crash"}
_REFUGE = {(32, "read-only, cold"), (33, "a dangling link there"), (38, "no HOME, nor an entry")}
_LONG = 200.0  # seconds; an end that came so late is told in the notes


@dataclass(frozen=True)
class Results:
    """A run of the program."""

    machine: str
    versions: dict[str, dict[str, Any]]
    titles: dict[str, str]
    outcomes: list[dict[str, Any]]
    remark: str = ""  # on how the run was made

    def json(self) -> str:
        """Everything, one outcome a line."""
        head = {"machine": self.machine, "versions": self.versions, "titles": self.titles, "remark": self.remark}
        return "\n".join(json.dumps(each, ensure_ascii=False) for each in [head, *self.outcomes]) + "\n"

    @classmethod
    def read(cls, text: str) -> Results:
        """What `json` wrote."""
        head, *outcomes = map(json.loads, text.splitlines())
        return cls(**head, outcomes=outcomes)

    def judged_again(self, cases: Iterable[Any]) -> Results:
        """The same outcomes, the exceptions held against the patterns as they are now."""
        by_name = {(case.row, case.name): case for case in cases}
        outcomes = [each | {"mark": _mark_again(by_name[each["row"], each["case"]], each)} for each in self.outcomes]
        return replace(self, outcomes=outcomes)

    def over(self, earlier: Results, cases: Iterable[Any]) -> Results:
        """These outcomes in the place of the same in an earlier run's, in the order of the cases."""
        new = {(each["loader"], each["row"], each["case"]) for each in self.outcomes}
        kept = [each for each in earlier.outcomes if (each["loader"], each["row"], each["case"]) not in new]
        order = {(case.row, case.name): number for number, case in enumerate(cases)}
        outcomes = [each for each in kept + self.outcomes if (each["row"], each["case"]) in order]
        outcomes.sort(key=lambda each: order[each["row"], each["case"]])
        versions, titles = earlier.versions | self.versions, earlier.titles | self.titles
        return Results(self.machine, versions, titles, outcomes, self.remark or earlier.remark)

    def text(self) -> str:
        """For a terminal."""
        rows = [tuple(re.sub(r"\*\*", "", cell) for cell in row) for row in [self._headings(), *self._rows()]]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        return "\n".join("  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip() for row in rows)

    def markdown(self) -> str:
        """For the documentation."""
        rows = sorted([*self._rows(), *self._rows_left_out()], key=lambda row: int(row[0]))
        return (
            "\n\n".join(
                [
                    "# Peers under the same faults",
                    _HEAD.format(command=COMMAND),
                    "## Method",
                    _METHOD,
                    "\n".join(f"- {line}" for line in self._about()),
                    "## What each did",
                    "\n".join(f"- *{mark}*: {meaning}" for mark, meaning in self._legend()),
                    _markdown([self._headings(), *rows, *self._totals()]),
                    "## Notes",
                    "\n".join(
                        [
                            "### Rows that were run with no loader",
                            "",
                            "idxhub's own tests cover these rows.",
                            "",
                            *(f"- {row}, {ROWS[row].fault}: {why}" for row, why in LEFT_OUT.items()),
                        ]
                    ),
                    *self._notes(),
                    "## Exceptions",
                    "The exceptions that each loader raised, with the number of faults that raised them.",
                    _markdown([("loader", "exceptions"), *self._exceptions()]),
                ]
            )
            + "\n"
        )

    def _cases(self) -> list[tuple[int, str]]:
        return list(dict.fromkeys((each["row"], each["case"]) for each in self.outcomes))

    def _outcome(self, case: tuple[int, str], loader: str) -> dict[str, Any] | None:
        found = (o for o in self.outcomes if (o["row"], o["case"]) == case and o["loader"] == loader)
        return next(found, None)

    def _loaders(self) -> list[str]:
        return [name for name in self.titles if any(each["loader"] == name for each in self.outcomes)]

    def _headings(self) -> tuple[str, ...]:
        return "row", "fault", "asked for", *(self.titles[name] for name in self._loaders())

    def _rows(self) -> Iterator[tuple[str, ...]]:
        for case in self._cases():
            cells = (self._outcome(case, name) for name in self._loaders())
            yield str(case[0]), case[1], ASKS[case], *(_cell(each) for each in cells)

    def _rows_left_out(self) -> Iterator[tuple[str, ...]]:
        for row in LEFT_OUT:
            yield str(row), ROWS[row].fault, "data", *("n/a" for _ in self._loaders())

    def _totals(self) -> Iterator[tuple[str, ...]]:
        loaders = self._loaders()
        counts = [Counter(each["mark"] for each in self.outcomes if each["loader"] == name) for name in loaders]
        for count in counts:
            count["n/a"] += len(LEFT_OUT)
        as_asked = [sum(_is_as_asked(each) for each in self.outcomes if each["loader"] == name) for name in loaders]
        yield "", "as asked, and the next call was right", "", *map(str, as_asked)
        for mark in MARKS:
            if any(count[mark] for count in counts):
                yield "", f"*{mark}*", "", *(str(count[mark]) for count in counts)
        stuck = [sum(_is_stuck(each) for each in self.outcomes if each["loader"] == name) for name in loaders]
        yield "", f"*{STUCK}*", "", *map(str, stuck)

    def _legend(self) -> Iterator[tuple[str, str]]:
        seen = {each["mark"] for each in self.outcomes} | {"n/a"}
        yield from ((mark, meaning) for mark, meaning in MARKS.items() if mark in seen)
        yield (
            STUCK,
            "afterwards, when the fault was gone, the next call did not return the right data: somebody must clean up",
        )

    def _about(self) -> Iterator[str]:
        dates = sorted({each.get("on", "") for each in self.outcomes})
        yield f"{self.machine}; {' to '.join(dict.fromkeys((dates[0], dates[-1])))}"
        if self.remark:
            yield self.remark
        for name, title in self.titles.items():
            found = self.versions.get(name) or {}
            has = {package: version for package, version in found.get("versions", {}).items() if version}
            if name in self._loaders():
                versions = ", ".join(f"{package} {version}" for package, version in has.items())
                yield f"{title}, {versions}, Python {found['python']}: {_HOW[name]}"
            else:
                yield f"{title}: not installed on the machine of this run"

    def _notes(self) -> Iterator[str]:
        """A list for each loader."""
        for name in self._loaders():
            done = (each for each in self.outcomes if each["loader"] == name and each["mark"] != "n/a")
            said = [(each["row"], each["case"], _note(each)) for each in done]
            lines = [f"- {row}, {case}: {note}" for row, case, note in said if note]
            lines += [f"- {', '.join(rows)} not applicable: {why}" for why, rows in self._left_out(name).items()]
            yield "\n".join([f"### {self.titles[name]}", "", *(lines or ["Nothing."])])

    def _left_out(self, name: str) -> dict[str, list[str]]:
        """The rows that say nothing about a loader, by the reason."""
        reasons: dict[str, dict[str, None]] = {}
        for each in self.outcomes:
            if each["loader"] == name and each["mark"] == "n/a":
                reasons.setdefault(each["note"], {})[str(each["row"])] = None
        return {why: list(rows) for why, rows in reasons.items()}

    def _exceptions(self) -> Iterator[tuple[str, str]]:
        for name in self._loaders():
            counts = Counter(each["type"] for each in self.outcomes if each["loader"] == name and each["type"])
            yield self.titles[name], ", ".join(f"`{_type(kind)}` {n}" for kind, n in counts.most_common()) or "none"


def machine() -> str:
    """What the run depends on; no names of hosts or folders."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    user = "root" if hasattr(os, "geteuid") and os.geteuid() == 0 else "a user without rights"
    return f"{_cpu()}, {cores} cores, {platform.system()}, as {user}"


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.machine()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def _cell(outcome: dict[str, Any] | None) -> str:
    if outcome is None:
        return ""
    mark = outcome["mark"]
    shown = f"**{mark}**" if mark in _GRAVE else mark
    return f"{shown}\u00a0{STUCK}" if _is_stuck(outcome) else shown


def _mark_again(case: Any, outcome: dict[str, Any]) -> str:
    mark: str = outcome["mark"]
    if mark not in ("error", "vague", "failed", "partly") or not outcome["type"]:
        return mark
    again: str = case.mark_of(outcome["type"], outcome["message"], *outcome["chain"])
    return "partly" if mark == "partly" and again != "failed" else again


def _is_as_asked(outcome: dict[str, Any]) -> bool:
    return outcome["mark"] in ("right", "error") and not _is_stuck(outcome)


def _is_stuck(outcome: dict[str, Any]) -> bool:
    return outcome["next"] not in ("right", "")


def _note(outcome: dict[str, Any]) -> str:
    parts = [outcome["note"]] if outcome["note"] else []
    if outcome["loader"] == "keras" and outcome["mark"] == "right" and (outcome["row"], outcome["case"]) in _REFUGE:
        parts.append("in `/tmp/.keras`")
    if outcome["seconds"] >= _LONG and outcome["mark"] != "hang":
        parts.append(f"after {outcome['seconds']:.0f} s")
    if outcome["mark"] in ("vague", "failed") or (outcome["mark"] in ("partly", "crash") and outcome["type"]):
        parts.append(_words(f"{_type(outcome['type'])}: {outcome['message']}"))
    if _is_stuck(outcome):
        parts.append(f"the next call: {outcome['next']} {_words(_type(outcome['next_message']))}".rstrip())
    return "; ".join(parts)


def _words(message: str) -> str:
    """The first words of a message as code, without this machine's folders."""
    line = re.sub(r"(/[\w.@+~-]+){3,}", lambda path: "…/" + path[0].rpartition("/")[2], " ".join(message.split()))
    line = re.sub(r"_tmp_tmp\w+?_", "_tmp_", line)
    line = re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1", line).replace("`", "'").replace("|", "/")
    return f"`{line[:110]}{'…' if len(line) > 110 else ''}`" if line else ""


def _type(name: str) -> str:
    return name.removeprefix("builtins.")


def _markdown(rows: Iterable[tuple[str, ...]]) -> str:
    head, *body = rows
    return "\n".join(f"| {' | '.join(row)} |" for row in [head, ("---",) * len(head), *body])


_HEAD = """\
This page shows what other loaders of the same data do under [the faults](faults.md) of networks and disks with which
idxhub is tested.

A program wrote this page. To change it, change the program or run it again. If a loader needs another Python
interpreter, `--peer-python mxnet=PYTHON` names it. Each cell of the table has a line in
{{download}}`peers-under-faults.json` with the exception, its message and the time.

```sh
{command}
```"""
_METHOD = f"""\
Each loader runs in its own process. It gets the address of a real HTTP server on this machine, or a folder, and is
asked for Fashion-MNIST's test images and labels. The result is judged by the data that come back: the digest of all
pixels and labels is compared with that of the files, which are decoded separately. Then the fault is removed, nothing
is cleaned up, and the call is made again. This second call must return the right data.

**What is asked for.** If a row of [the matrix](faults.md) leaves a way to the data, the data are asked for, and an
exception is *failed*, however clear it is. In the other rows an exception is accepted if it names the cause. For each
row, a pattern in `tests/faults/peers/cases.py` decides whether the exception names the cause. The patterns are meant to
be generous: for a wrong file, any word for what is wrong with it is enough, and the words are the same in each row.
Addresses, paths and file names that the exception quotes do not count.

Some rows ask for more, and this is checked too: that no file is downloaded twice (row 23) or again (31), that no
password is shown (21), that https is not followed to http (19), that nothing is left behind (27, 28), that nobody
else's file is written (34), and that a group can read the files (35). The following is not checked for any loader:
whether it requests the file again after a 403 or 404 (3), whether it stops reading at the first byte too many (12; the
notes say how much it read), whether it names the free space or the setting to change (29, 32), and whether threads
download only once (40; the notes give the number of requests).

**Time.** A call has a limit of 120 s, or of 180 s with several processes or threads. It is 400 s if too much arrives or
nothing (rows 12, 15, 16), and 1,000 s if one byte arrives per second (row 17). This is longer than idxhub's own
deadline for a file, 900 s; with a shorter limit, idxhub would be called a hang too. After a signal (row 27) the limit
is 30 s. For the next call it is 400 s. A call that hangs is ended as a user would do it, with Ctrl-C, and with SIGKILL
{GRACE:.0f} s later. If a call ended by itself after 200 s or more, the notes give the time.

**The faults** affect one file: the test images, or the Parquet file. Each loader can download from only one server, so
no other mirror helps. In rows 24, 26 to 28 and 30, the calls of the C library fail. A shim that is loaded before the
library does this (`tests/faults/peers/faults.c`), so it works for loaders in any language. In rows 26 to 28 it stops
the process when it has written as many bytes, in all of its files together, as half of the test images have. Loaders
that begin with the train images have written a twelfth of those by then. In row 25, the stopped process continues after
the call of the second process, and ends before the next call. In row 34, each file name that a clean run uses becomes,
one after the other, a link to somebody's file, and then a dangling link. Rows 23, 24 and 40 (threads) are races. Each
of them was run {RACES} times; the table shows the worst run, and the notes say how many runs were as asked. If a wrong
file lay in a folder (rows 7, 42, 43), it is removed or corrected before the next call. Row 37 needs a hook inside the
loader, so it is `n/a` for all of them; idxhub's own tests cover it. Rows 45 to 51 are of exports.

**What this page does not show.** idxhub, pooch and MXNet Gluon know the digests of their files and pass row 42 because
of that, so the row says nothing about their decoders. Some loaders follow https to http in row 19; of these,
torchvision, pooch and MXNet Gluon would still notice wrong data. We did not try the libraries' own offline settings,
nor the Hub's own client in `datasets`. Keras uses `/tmp/.keras` if its folder cannot be written or created, so it
returns the data in rows 32, 33 (a dangling link) and 38."""
_HOW = {
    "idxhub": "`get_dataset` with an empty cache; the mirrors of the spec, and all its folders except one, are changed",
    "torchvision": "`FashionMNIST(root, train=False, download=True)`, only its Python part; its `mirrors` are changed",
    "keras": "`fashion_mnist.load_data()`; the `origin` of `get_file` is changed; it uses no digest",
    "datasets": (
        '`load_dataset("parquet", data_files=URL)`, or with the path of a folder: PNGs of the same data in an `Image` '
        "feature; it uses no digest. Usually `datasets` loads this dataset in another way, with the Hub's client"
    ),
    "pooch": (
        "`create` with the published MD5s and `retry_if_failed=3`, then `fetch`; decoded with gzip and NumPy, as its "
        "users do"
    ),
    "mxnet": (
        "`FashionMNIST(root, train=False)`. Its last release has the digests of the data's first release, so it "
        "refuses today's files: as installed, it returns nothing. For this run, they were replaced by today's digests"
    ),
    "plain": "urllib, gzip and NumPy, without a digest and without a deadline",
}
