"""`export`: which exporter runs with what, and how a result comes to its path."""

from __future__ import annotations

import errno
import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import filelock
import pytest
from support.installed import entry, install

from idxhub import ExportFormat, ExportSplit, Plugins, errors, export, exporting

EXPORTER = """
    from idxhub import ExportFormat, errors, hookimpl

    @hookimpl
    def idxhub_export_format():
        return ExportFormat("a line", is_folder=FOLDER, suffix=".x", options={"colour": "which"})

    @hookimpl
    def idxhub_check_export(options, splits):
        if options.get("colour") == "red":
            raise errors.ArgumentError("colour", "red", f"another one for {splits}")

    @hookimpl
    def idxhub_export(splits, path, options, progress):
        for name, split in splits.items():
            target = path / name if FOLDER else path
            with target.open("ab") as file:
                file.write(split.images.tobytes())
            progress(len(split))
"""


@pytest.fixture
def plugins(write):
    write("export_file", EXPORTER.replace("FOLDER", "False"))
    write("export_folder", EXPORTER.replace("FOLDER", "True"))
    return Plugins([entry(name, f"export_{name}", "idxhub.exporters") for name in ("file", "folder")])


@pytest.fixture
def run(toy, plugins, tmp_path):
    """Exports `toy` to `here/result`."""
    (tmp_path / "here").mkdir()

    def run_export(format_name="file", path=tmp_path / "here" / "result", **options):
        return export(toy.spec, format_name, path, **{"data_dir": toy.folder, "plugins": plugins, **options})

    return run_export


@pytest.fixture
def here(run, tmp_path):
    return tmp_path / "here"


def test_a_file(run, toy, here):
    path = run()
    assert path == here / "result"
    assert path.read_bytes() == b"".join(toy.array(split.images).tobytes() for split in toy.spec.splits.values())
    assert list(here.iterdir()) == [path]


def test_a_folder(run, toy, here):
    path = run("folder")
    assert {each.name: each.read_bytes() for each in path.iterdir()} == {
        name: toy.array(split.images).tobytes() for name, split in toy.spec.splits.items()
    }
    assert list(here.iterdir()) == [path]


def test_listing_imports_no_exporter(plugins):
    assert plugins.exporters() == ("file", "folder")
    assert [each.name for each in plugins.summarize_exporters()] == ["file", "folder"]
    assert not {"export_file", "export_folder"} & sys.modules.keys()
    plugins.exporter("file")
    assert "export_file" in sys.modules
    assert "export_folder" not in sys.modules


def test_a_summary_names_the_packages_that_are_missing(write, tmp_path):
    required = ("numpy", "absent[data]>=2", "thinglib")
    metadata = ("Provides-Extra: file", *(f"Requires-Dist: {each}; extra == 'file'" for each in required))
    entry_points = "[idxhub.exporters]\nfile = export_thing\n"
    install(tmp_path / "modules", "idxhub_thing", *metadata, entry_points=entry_points)
    write("export_thing", '"""Files with things.\n\nMore of them."""')
    (summary,) = (each for each in Plugins().summarize_exporters() if each.name == "file")
    assert tuple(summary) == (
        "file",
        "Files with things.",
        ("numpy", "absent[data]", "thinglib"),
        ("absent[data]", "thinglib"),
    )


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"format_name": "fil"}, "unknown export format 'fil'; did you mean 'file'"),
        ({"format_name": None}, "unknown export format None"),
        ({"color": "red"}, "unknown file option 'color'; did you mean 'colour'"),
        ({"splits": "tran"}, "unknown split 'tran'; did you mean 'train'"),
        ({"splits": ("train[:3]", "train[3:]")}, "because both would be called 'train'"),
        ({"splits": {"a/b": "train"}}, "a name in splits is 'a/b'"),
        ({"splits": {".a": "train"}}, "begin with none of '.' and '-'"),
        ({"path": None}, "path is None; it must be a path"),
        ({"splits": []}, "at least one split"),
        ({"splits": 3}, "splits is 3"),
        ({"force": "yes"}, "force is 'yes'"),
        ({"progress": None}, "progress is None"),
        ({"path": ""}, "path is ''"),
        ({"colour": "red"}, "another one for"),
    ],
)
def test_what_is_wrong_is_said_before_anything_is_loaded(run, here, cache_dir, arguments, says):
    with pytest.raises(errors.UnknownNameError, match=says.replace("[", r"\[")):
        run(**arguments)
    assert list(here.iterdir()) == []
    assert not cache_dir.exists()


def test_what_an_exporter_is_told_before_anything_is_loaded(run):
    with pytest.raises(errors.ArgumentError) as caught:
        run(colour="red", splits={"a": "train[:3]+test"})
    assert str({"a": ExportSplit(15, (6, 5), "uint8", ("ant", "bee", "cat"))}) in str(caught.value)


@pytest.mark.parametrize(
    ("splits", "names"),
    [
        (None, ["train", "test"]),
        ("train[:3]", ["train"]),
        (["test", "train"], ["test", "train"]),
        ("train+test", ["train-test"]),
        ("all", ["all"]),
        ({"one": "train[:3]", "two": "train[3:]"}, ["one", "two"]),
    ],
)
def test_the_names_of_splits(toy, splits, names):
    assert list(exporting.name_splits(toy.spec, splits)) == names


def test_the_examples_are_counted(run):
    counts = []
    run(progress=counts.append)
    assert counts == [30, 12]


class TestATargetThatExists:
    def test_it_is_refused(self, run, here):
        (here / "result").write_bytes(b"mine")
        with pytest.raises(errors.ExportError, match=r"exists; name another path, or replace it with force=True$"):
            run()
        assert (here / "result").read_bytes() == b"mine"

    @pytest.mark.parametrize("format_name", ["file", "folder"])
    def test_it_is_replaced_by_force(self, run, here, format_name):
        path = run(format_name)
        (path / "mine" if format_name == "folder" else path).write_bytes(b"mine")
        run(format_name, force=True)
        assert list(here.iterdir()) == [path]
        assert not (path / "mine").exists()

    def test_a_folder_does_not_become_a_file(self, run, here):
        (here / "result").mkdir()
        with pytest.raises(errors.ExportError, match="is a folder, not a file, so it is not replaced"):
            run(force=True)
        (here / "other").write_bytes(b"mine")
        with pytest.raises(errors.ExportError, match="is a file, not a folder, so it is not replaced"):
            run("folder", here / "other", force=True)

    @pytest.mark.skipif(sys.platform == "win32", reason="needs pipes with a name")
    @pytest.mark.parametrize("is_link", [False, True])
    @pytest.mark.parametrize("format_name", ["file", "folder"])
    def test_a_special_file_is_not_replaced(self, run, here, format_name, is_link):
        pipe = here / ("pipe" if is_link else "result")
        os.mkfifo(pipe)
        if is_link:
            (here / "result").symlink_to(pipe)
        with pytest.raises(errors.ExportError, match="is a device, a pipe or a socket, so it is not replaced"):
            run(format_name, force=True)
        assert pipe.is_fifo()

    @pytest.mark.parametrize("format_name", ["file", "folder"])
    def test_the_target_of_a_link_is_not_touched(self, run, here, tmp_path, format_name):
        target = tmp_path / "target"
        target.mkdir()
        (target / "mine").write_bytes(b"mine")
        (here / "result").symlink_to(target)
        with pytest.raises(errors.ExportError, match="exists"):
            run(format_name)
        run(format_name, force=True)
        assert not (here / "result").is_symlink()
        assert (target / "mine").read_bytes() == b"mine"

    @pytest.mark.parametrize("inside", ["result/deep", "result"])
    @pytest.mark.parametrize(
        ("what", "named"),
        [
            ("home", "your home folder"),
            ("working directory", "the working directory"),
            ("cache", "the cache"),
            ("data", "the folder that the data is read from"),
        ],
    )
    def test_no_folder_is_replaced_that_is_needed(self, run, here, monkeypatch, what, named, inside):
        folder = here / inside
        folder.mkdir(parents=True)
        options = {}
        if what == "home":
            monkeypatch.setenv("HOME", str(folder))
            monkeypatch.setenv("USERPROFILE", str(folder))
        elif what == "working directory":
            monkeypatch.chdir(folder)
        else:
            options = {f"{what}_dir": folder}
        says = f"contains {named}, {folder}" if inside != "result" else f"is {named}"
        with pytest.raises(errors.ExportError, match=re.escape(f"is not replaced, because it {says}; name another")):
            run("folder", force=True, **options)
        assert folder.is_dir()

    def test_its_folder_must_exist(self, run, here):
        with pytest.raises(errors.ExportError, match="there is no folder"):
            run(path=here / "no" / "result")

    def test_a_folder_that_cannot_be_looked_for(self, run, tmp_path, monkeypatch):
        with pytest.raises(errors.ExportError, match="File name too long; use shorter names"):
            run(path=tmp_path / ("x" * 300) / "result")
        examine = os.stat

        def refuse(path, **options):
            if path == tmp_path / "closed":
                raise PermissionError(errno.EACCES, "Permission denied")
            return examine(path, **options)

        monkeypatch.setattr(os, "stat", refuse)
        with pytest.raises(errors.ExportError, match="Permission denied; name a path that can be written"):
            run(path=tmp_path / "closed" / "result")


BAD = {
    "writes nothing": "pass",
    "exits": "raise SystemExit(3)",
    "raises": "raise ZeroDivisionError",
    "cannot write": "raise OSError(28, 'No space left on device')",
    "half-way": "path.write_bytes(b'half') and 1 / 0",
}


@pytest.mark.parametrize("fault", BAD)
def test_an_exporter_that_fails_leaves_nothing(run, plugins, here, write, fault):
    code = textwrap.dedent(EXPORTER.replace("FOLDER", "False")).partition("    for name, split")[0]
    write("export_bad", f"{code}    {BAD[fault]}\n")
    plugins = Plugins([entry("bad", "export_bad", "idxhub.exporters")])
    expected = {
        "writes nothing": (errors.AdapterError, "has written no file"),
        "exits": (errors.AdapterError, "exporter 'bad': idxhub_export raised SystemExit: 3"),
        "cannot write": (errors.ExportError, r"cannot write .*result: .*bytes free; make room, or name a path"),
    }
    kind, says = expected.get(fault, (ZeroDivisionError, None))
    with pytest.raises(kind, match=says):
        run("bad", plugins=plugins)
    assert list(here.iterdir()) == []
    (here / "result").write_bytes(b"mine")
    with pytest.raises(kind, match=says):
        run("bad", plugins=plugins, force=True)
    assert [each.read_bytes() for each in here.iterdir()] == [b"mine"]


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("x = 1", "has no idxhub_export_format and no idxhub_export"),
        (EXPORTER.replace("FOLDER", "3"), "not an ExportFormat"),
        (
            EXPORTER.replace('ExportFormat("a line"', 'dict(description="a line"').replace("FOLDER", "False"),
            "not an ExportFormat",
        ),
        (EXPORTER.replace('return ExportFormat("a line"', 'raise SystemExit("a line"'), "raised "),
    ],
)
def test_a_bad_exporter_says_why(write, run, code, says):
    write("export_bad", code)
    for _ in range(2):
        with pytest.raises(errors.AdapterError, match=says):
            run("bad", plugins=Plugins([entry("bad", "export_bad", "idxhub.exporters")]))


def test_a_missing_package_says_what_installs_it(write, run):
    write("export_bad", "import package_that_is_not_there")
    plugins = Plugins([entry("bad", "export_bad", "idxhub.exporters")])
    with pytest.raises(errors.MissingFrameworkError, match=r"pip install package_that_is_not_there$"):
        run("bad", plugins=plugins)


HELD = """
    import sys
    from pathlib import Path
    from idxhub.exporting import write_target

    with write_target(Path(sys.argv[1]), is_folder=True, force=False) as path:
        (path / "half").write_bytes(b"half")
        print("there", flush=True)
        sys.stdin.readline()
"""


class TestOrphans:
    @pytest.fixture
    def child(self, here):
        """A process that writes an export until it reads a line."""
        command = [sys.executable, "-c", textwrap.dedent(HELD), here / "other"]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout.readline() == "there\n"
            yield process
            process.kill()

    def test_those_of_killed_processes_are_removed(self, run, here, child):
        assert len(list(here.iterdir())) == 1
        child.kill()
        child.wait()
        assert len(list(here.iterdir())) == 1
        run()
        assert [each.name for each in here.iterdir()] == ["result"]

    def test_those_of_living_processes_are_left(self, run, here, child):
        run()
        child.communicate("go on\n", timeout=30)
        assert child.returncode == 0
        assert sorted(each.name for each in here.iterdir()) == ["other", "result"]
        assert (here / "other" / "half").read_bytes() == b"half"

    def test_nothing_else_is_removed(self, run, here):
        mine = [here / ".mine.tmp", here / ".result.0123456789ab.tmp", here / ".other.0123456789ab.tmp"]
        for each in mine:
            each.mkdir()
        (mine[0] / "lock").write_bytes(b"")  # no name of ours
        for each in mine[1:]:
            (each / "precious").write_bytes(b"")  # no lock
        os.utime(mine[1], (1, 1))
        run()
        assert all(each.is_dir() for each in mine)

    def test_an_empty_one_is_removed(self, run, here):
        """Its process was killed before it could make the lock."""
        (here / ".other.0123456789ab.tmp").mkdir()
        run()
        assert [each.name for each in here.iterdir()] == ["result"]

    def test_a_living_process_whose_folder_is_removed_makes_another(self, run, here, monkeypatch):
        """Another process may remove it between the two calls that make the folder and the lock."""
        acquire = filelock.FileLock.acquire

        def removed_before(lock, *arguments, **options):
            monkeypatch.setattr(filelock.FileLock, "acquire", acquire)
            os.rmdir(os.path.dirname(lock.lock_file))
            return acquire(lock, *arguments, **options)

        monkeypatch.setattr(filelock.FileLock, "acquire", removed_before)
        run()
        assert [each.name for each in here.iterdir()] == ["result"]

    def test_a_replacement_is_finished(self, run, here):
        """Its process was killed after the first of two renames."""
        folder = here / ".other.0123456789ab.tmp"
        for which in ("old", "new"):
            (folder / which / "other").mkdir(parents=True)
            (folder / which / "other" / which).write_bytes(b"")
        (folder / "lock").write_bytes(b"")
        run()
        assert sorted(each.name for each in here.iterdir()) == ["other", "result"]
        assert os.listdir(here / "other") == ["new"]


def test_the_old_folder_comes_back_if_the_new_one_cannot_take_its_place(run, here, monkeypatch):
    path = run("folder")
    (path / "mine").write_bytes(b"mine")
    rename = os.rename

    def fail_once(source, target):
        if Path(target) == path and "new" in Path(source).parts:
            raise OSError(5, "Input/output error")
        rename(source, target)

    monkeypatch.setattr(os, "rename", fail_once)
    with pytest.raises(errors.ExportError, match="Input/output error"):
        run("folder", force=True)
    assert list(here.iterdir()) == [path]
    assert (path / "mine").read_bytes() == b"mine"


def test_nothing_is_left_if_another_export_renames_the_result_at_once(run, here, tmp_path, monkeypatch):
    """The other one has done the first of its two renames: nothing is at the path, and the old folder is here."""
    path, replace = run("folder"), exporting._replace

    def then_renamed(*arguments):
        replace(*arguments)
        os.rename(path, tmp_path / "old of the other")

    monkeypatch.setattr(exporting, "_replace", then_renamed)
    run("folder", force=True)
    assert not [*here.iterdir()]


def test_a_format_is_a_tuple():
    assert ExportFormat("a line", is_folder=True) == ("a line", True, "", {})
