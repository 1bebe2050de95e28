"""Kill a process at each boundary of an export, and see what it leaves and what the next export makes of it.

    python tests/faults/export_kill_points.py TOLD

TOLD is a pickled (dataset, its cache, folder to work in). A file and a folder are exported, to a free path and over an
earlier export. Each kill has a new folder: a forked child is killed, and another one checks. The answer is one line of
JSON.
"""

import json
import os
import pickle
import shutil
import signal
import sys
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import filelock  # noqa: F401 -- imported once, for all children
from faults.kill_points import boundaries_of, in_a_child, killed_at
from support.exports import digests
from support.made import Made
from support.streaming import stream_all_if_asked

import idxhub

FORMATS = ("npz", "idx")  # a file, and a folder
NEW, OLD = "train", "test"  # what is exported, and what was there before


class Exports:
    """Exports of one dataset into one folder."""

    def __init__(self, toy: Made, cache: Path, here: Path) -> None:
        self.here, self.path = here, here / "result"
        self._spec, self._options = toy.spec, {"data_dir": toy.folder, "cache_dir": cache, "plugins": idxhub.Plugins()}

    def export(self, format_name: str, splits: str, path: Path, *, force: bool = False) -> Path:
        return idxhub.export(
            self._spec, format_name, path, splits=splits, force=force, progress=False, download=False, **self._options
        )

    def prepared(self, format_name: str, *, force: bool) -> Callable[[], Any]:
        """An empty folder, or one with an earlier export; and the call that is killed."""
        shutil.rmtree(self.here, ignore_errors=True)
        self.here.mkdir()
        if force:
            self.export(format_name, OLD, self.path)
        return partial(self.export, format_name, NEW, self.path, force=force)

    def check(self, format_name: str, whole: dict[str, Any], *, force: bool) -> None:
        """The target is absent, old or complete; after another export it is not absent if it was there before."""
        allowed = [whole[NEW], *([whole[OLD]] if force else [])]
        if self.path.exists():
            assert digests(self.path) in allowed
        else:  # only between the two renames by which a folder replaces a folder
            assert not force or format_name == "idx"
        self.export(format_name, NEW, self.here / "another")
        names = sorted(each.name for each in self.here.iterdir())
        assert names in (["another", "result"], *([] if force else [["another"]])), names
        assert "result" not in names or digests(self.path) in allowed


def main(told: str) -> None:
    stream_all_if_asked()
    toy, cache, folder = pickle.loads(Path(told).read_bytes())  # noqa: S301 -- the parent wrote it
    exports = Exports(toy, cache, folder / "here")
    killed = Counter[str]()
    for format_name in FORMATS:
        whole = {}
        for splits in (NEW, OLD):
            exports.prepared(format_name, force=False)
            whole[splits] = digests(exports.export(format_name, splits, exports.path))
        for force in (False, True):
            for boundary in boundaries_of(exports.prepared(format_name, force=force)):
                action = exports.prepared(format_name, force=force)
                status = in_a_child(partial(killed_at, action, boundary.number))
                if not os.WIFSIGNALED(status) or os.WTERMSIG(status) != signal.SIGKILL:
                    sys.exit(f"{format_name}, {boundary}: the child ended with {status}")
                killed[f"{boundary.moment} {boundary.call}"] += 1
                if in_a_child(partial(exports.check, format_name, whole, force=force)):
                    sys.exit(f"killed {boundary.moment} {boundary.call} of {format_name}, force={force}: see above")
    print(json.dumps(killed))  # noqa: T201 -- its answer


if __name__ == "__main__":
    main(*sys.argv[1:])
