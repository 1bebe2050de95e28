"""Exports that fail, that are ended in the middle, and that meet one another.

tests/export/test_faults.py ends them in each format. What both need is in support/exports.py.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import pickle
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from support import calls
from support.exports import check_full_disk, digests, end_by, export_that_waits
from support.installed import entry
from support.processes import importable, python, running, without

import idxhub
from idxhub import Plugins, errors

FILE_AND_FOLDER = pytest.mark.parametrize("format_name", ["npz", "idx"])
OLD, NEW = "test", "train"  # the split that is there, and the one that is exported over it


def remove(path):
    shutil.rmtree(path) if path.is_dir() else path.unlink()


@pytest.fixture
def here(tmp_path):
    folder = tmp_path / "here"
    folder.mkdir()
    return folder


@pytest.fixture
def export(toy, here):
    """Exports a split of `toy`, to here/result unless said otherwise."""

    def run(format_name, splits=NEW, path=here / "result", **options):
        folders = {"data_dir": toy.folder, "download": False, "progress": False}
        return idxhub.export(toy.spec, format_name, path, splits=splits, **{**folders, **options})

    return run


@pytest.fixture
def whole(export):
    """The digests of a complete export of each split."""

    def made(format_name):
        found = {}
        for splits in (OLD, NEW):
            path = export(format_name, splits, force=bool(found))
            found[splits] = digests(path)
            remove(path)
        return found

    return made


@pytest.mark.row(45)
@FILE_AND_FOLDER
def test_a_target_that_exists(export, here, whole, invariant, format_name):
    complete = whole(format_name)
    path = export(format_name, OLD)
    with pytest.raises(errors.ExportError, match=r"exists; .*force=True") as caught:
        export(format_name)
    assert digests(path) == complete[OLD]
    invariant(caught.value, file=str(path))
    seen = []

    def look(_):
        seen.append(digests(path))

    export(format_name, force=True, progress=look)
    assert seen
    assert all(each == complete[OLD] for each in seen)
    assert digests(path) == complete[NEW]
    assert list(here.iterdir()) == [path]
    invariant()


@pytest.mark.row(46)
@pytest.mark.parametrize("force", [False, True])
@FILE_AND_FOLDER
@pytest.mark.parametrize("call", ["mkdir", "fsync", "replace", "rename"])
def test_a_disk_that_is_full_after_some_calls(export, here, whole, invariant, format_name, call, force):
    """From the first such call on, from the second one, and so on to the last."""
    complete = whole(format_name)
    path = here / "result"
    if force:
        export(format_name, OLD)
    passed = calls.boundaries(lambda: export(format_name, force=force))
    count = sum((each.call, each.moment) == (call, "before") for each in passed)
    raised = None
    for number in range(1, count + 1):
        if force:
            export(format_name, OLD, force=True)
        elif path.exists():
            remove(path)
        with calls.wrapped(calls.fail(errno.ENOSPC, call, number)), pytest.raises(errors.ExportError) as caught:
            export(format_name, force=force)
        raised = caught.value
        assert "bytes free; make room, or name a path that can be written" in str(raised)
        if (call, number) == ("fsync", count):  # of the folder of a result that is in its place already
            assert digests(path) == complete[NEW]
        elif (call, number, force) == ("rename", count, True):
            # the last one would have brought the old folder back; the next export puts the new one in its place
            assert not path.exists()
            remove(export(format_name, OLD, path=here / "another"))
            assert digests(path) == complete[NEW]
            assert [each.name for each in here.iterdir()] == ["result"]
        else:
            assert [each.name for each in here.iterdir()] == (["result"] if force else [])
            assert not force or digests(path) == complete[OLD]
    assert count or call in {"replace", "rename"}  # one of them
    if raised is None:
        invariant()
    else:
        invariant(raised, file=str(path), expected=os.strerror(errno.ENOSPC), found="bytes free")


@pytest.mark.row(46)
@FILE_AND_FOLDER
def test_a_file_system_that_is_full(large, toy, here, invariant, format_name):
    check_full_disk(large.spec, large.folder, format_name, here / "result", ("12k", "24k"))
    invariant()


def new_export(toy, format_name, path, *, force):
    """In a process that waits for a line."""
    return export_that_waits(toy.spec, format_name, path, splits=NEW, data_dir=toy.folder, download=False, force=force)


@pytest.mark.row(47)
@pytest.mark.parametrize("force", [False, True])
@FILE_AND_FOLDER
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=str)
def test_a_signal_in_the_middle(toy, export, here, whole, invariant, number, format_name, force):
    complete = whole(format_name)
    if force:
        export(format_name, OLD)
    with new_export(toy, format_name, here / "result", force=force) as child:
        end_by(number, child)
    assert [each.name for each in here.iterdir()] == (["result"] if force else [])
    assert not force or digests(here / "result") == complete[OLD]
    invariant()


@pytest.mark.row(48)
def test_killed_at_every_boundary(toy, cache_dir, fast_dir, invariant):
    if not hasattr(os, "fork"):
        without("a system that forks")
    invariant()  # the cache has its arrays now
    told = fast_dir / "told"
    told.write_bytes(pickle.dumps((toy, cache_dir, fast_dir)))
    done = subprocess.run(
        [sys.executable, Path(__file__).with_name("export_kill_points.py"), told],
        env=os.environ | {"PYTHONPATH": importable()},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    killed = json.loads(done.stdout)
    names = ("mkdir", "open", "fsync", "replace", "rename", "unlink", "rmdir", "flock")
    assert {f"{moment} {call}" for call in names for moment in ("before", "after")} <= killed.keys()
    print(sum(killed.values()), done.stdout)  # noqa: T201 -- with pytest's -s or -rP
    invariant()


@pytest.mark.row(49)
@pytest.mark.parametrize("force", [False, True])
@FILE_AND_FOLDER
def test_two_exports_to_one_path(toy, export, here, whole, invariant, format_name, force):
    """The second one begins and ends while the first one is at work."""
    complete = whole(format_name)
    with new_export(toy, format_name, here / "result", force=force) as child:
        export(format_name, OLD, force=force)
        assert digests(here / "result") == complete[OLD]
        _, said = child.communicate("go on\n", timeout=30)
    assert (child.returncode == 0) == force, said
    assert force or f"ExportError: {here / 'result'} exists" in said
    assert digests(here / "result") == complete[NEW if force else OLD]
    assert [each.name for each in here.iterdir()] == ["result"]
    invariant()


MANY = """
    import sys
    import idxhub

    spec, folder, format_name, path, force = given
    print("there", flush=True)
    sys.stdin.readline()
    for _ in range(5):
        try:
            idxhub.export(spec, format_name, path, data_dir=folder, splits="train", progress=False, force=force)
        except idxhub.errors.ExportError as error:
            print(error)
"""


@pytest.mark.row(49)
@pytest.mark.parametrize("force", [False, True])
@FILE_AND_FOLDER
def test_four_processes_at_once(toy, here, whole, invariant, format_name, force):
    complete = whole(format_name)
    given = (toy.spec, toy.folder, format_name, here / "result", force)
    with contextlib.ExitStack() as stack:
        children = [stack.enter_context(running(MANY, given=given, stderr=subprocess.PIPE)) for _ in range(4)]
        for child in children:
            assert child.stdout.readline() == "there\n", child.stderr.read()
        for child in children:
            child.stdin.write("go on\n")
            child.stdin.flush()
        done = [child.communicate(timeout=60) for child in children]
    assert [child.returncode for child in children] == [0] * 4, done
    assert digests(here / "result") == complete[NEW]
    assert [each.name for each in here.iterdir()] == ["result"]
    refused = sum(len(said.splitlines()) for said, _ in done)
    # a folder is replaced by two renames: what meets them may find something in its way, or nothing to replace
    assert refused == (0 if force else 19) or (force and format_name == "idx"), done
    invariant()


@pytest.mark.row(49)
@pytest.mark.parametrize("number", [1, 2])  # the second call is filelock's
def test_another_process_removes_the_temporary_folder(here, export, whole, monkeypatch, number):
    """The system says that the folder exists, and a moment later it is gone, like that of a killed process."""
    complete, mkdir, made = whole("npz"), os.mkdir, []

    def make(path, *mode):
        made.append(path)
        if len(made) == number:
            if os.path.lexists(path):
                os.rmdir(path)
            raise FileExistsError(errno.EEXIST, "File exists", path)
        mkdir(path, *mode)

    monkeypatch.setattr(os, "mkdir", make)
    export("npz")
    assert made[0] == made[1]
    assert digests(here / "result") == complete[NEW]
    assert [each.name for each in here.iterdir()] == ["result"]


@pytest.mark.row(49)
@FILE_AND_FOLDER
def test_what_another_process_puts_there_at_the_last_moment(toy, here, export, monkeypatch, format_name):
    """Without `force` nothing is replaced, even if it was not there when the target was checked last."""
    rename, link = os.rename, os.link

    def first_the_other(real):
        def call_it(new, path):
            if Path(path) == here / "result":
                other = here / "other"
                if format_name == "idx":
                    other.mkdir()
                    other = other / "file"
                other.write_bytes(b"of another process")
                rename(here / "other", path)
                monkeypatch.setattr(os, "rename", rename)
                monkeypatch.setattr(os, "link", link)
            real(new, path)

        return call_it

    monkeypatch.setattr(os, "rename", first_the_other(rename))
    monkeypatch.setattr(os, "link", first_the_other(link))
    with pytest.raises(errors.ExportError, match=r"result exists; name another path"):
        export(format_name)
    assert [each.name for each in here.iterdir()] == ["result"]
    there = here / "result" / "file" if format_name == "idx" else here / "result"
    assert there.read_bytes() == b"of another process"


def test_a_file_system_without_links(here, export, whole, monkeypatch):
    def refuse(_new, _path):
        raise PermissionError(errno.EPERM, "Operation not permitted")

    complete = whole("npz")
    monkeypatch.setattr(os, "link", refuse)
    export("npz")
    assert digests(here / "result") == complete[NEW]


@pytest.mark.row(50)
def test_a_package_that_is_not_installed(tmp_path, export, here, invariant, monkeypatch):
    (tmp_path / "other_exporter.py").write_text("import package_that_is_not_there\n")
    monkeypatch.syspath_prepend(tmp_path)
    plugins = Plugins([entry("other", "other_exporter", "idxhub.exporters")])
    with pytest.raises(errors.MissingFrameworkError, match=r"install it with: pip install package_that_is_not_there$"):
        export("other", plugins=plugins)
    assert list(here.iterdir()) == []
    invariant()


@pytest.mark.row(51)
@pytest.mark.parametrize(
    ("format_name", "options", "says"),
    [
        ("npy", {}, r"unknown export format 'npy'; did you mean 'npz'.*\bidx\b"),
        ("npz", {"compres": True}, "unknown npz option 'compres'; did you mean 'compress'"),
        ("npz", {"splits": "tran"}, "did you mean 'train'"),
    ],
)
def test_a_name_that_does_not_exist(export, here, invariant, format_name, options, says):
    with pytest.raises(errors.UnknownNameError, match=says):
        export(format_name, **options)
    assert list(here.iterdir()) == []
    invariant()


BROKEN = {
    "has no hooks": ("", errors.AdapterError, "has no idxhub_export_format"),
    "raises at its import": ("raise ZeroDivisionError", errors.AdapterError, "ZeroDivisionError"),
    "ends the program": ("raise SystemExit(3)", errors.AdapterError, "SystemExit"),
}


@pytest.mark.row(51)
@pytest.mark.parametrize("how", BROKEN)
def test_a_broken_exporter(tmp_path, export, here, invariant, monkeypatch, how):
    code, kind, says = BROKEN[how]
    (tmp_path / "broken_exporter.py").write_text(code)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "broken_exporter", raising=False)
    plugins = Plugins([entry("broken", "broken_exporter", "idxhub.exporters")])
    assert plugins.exporters() == ("broken",)
    with pytest.raises(kind, match=says):
        export("broken", plugins=plugins)
    assert list(here.iterdir()) == []
    invariant()


@pytest.mark.row(51)
def test_the_list_imports_no_exporter(invariant):
    code = """
        import sys
        sys.argv = ["idxhub", "export", "--list"]
        from idxhub.cli import main
        try:
            main()
        finally:
            heavy = {"h5py", "zarr", "pyarrow", "lance", "array_record", "PIL", "google_crc32c"}
            imported = heavy & {name.partition(".")[0] for name in sys.modules}
            exporters = {name for name in sys.modules if name.startswith("idxhub_export.")}
            assert not imported and exporters <= {"idxhub_export.command"}, (imported, exporters)
    """
    assert "parquet" in python(code).stdout
    invariant()
