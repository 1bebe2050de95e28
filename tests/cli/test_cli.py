"""The command: what it prints for people, what for scripts, and with which exit status it ends."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, distribution, entry_points
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from support.processes import python, python_mounted

import idxhub
from idxhub.cli import commands, demo, doctor
from idxhub.conformance import CHECKS

SAMPLE = "fashion-mnist-sample"


@pytest.fixture
def run(monkeypatch):
    """Run the command offline; returns click's result, stdout and stderr apart."""
    monkeypatch.setenv("IDXHUB_OFFLINE", "1")
    return lambda *arguments: CliRunner().invoke(commands, arguments)


def rows(text: str) -> list[list[str]]:
    return [line.split() for line in text.splitlines()]


def test_the_console_script_is_installed():
    (script,) = entry_points(group="console_scripts", name="idxhub")
    assert script.value == "idxhub.cli:main"
    done = subprocess.run(
        [sys.executable, "-c", "import sys; from idxhub.cli import main; sys.argv[0] = 'idxhub'; main()", "--version"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == f"idxhub, version {idxhub.__version__}\n"


def test_help_lists_every_subcommand_with_a_whole_sentence(run):
    result = run("--help")
    assert result.exit_code == 0
    listed = result.stdout.partition("Commands:\n")[2].partition("\n\n")[0]
    assert [line.split()[0] for line in listed.splitlines()] == [*commands.commands]
    assert all(line.endswith(".") for line in listed.splitlines())


@pytest.mark.parametrize("name", commands.commands)
def test_every_subcommand_has_help(name, run):
    result = run(name, "--help")
    assert result.exit_code == 0
    assert "Usage: " in result.stdout


README = Path(__file__).parents[2] / "README.md"


def test_the_table_of_the_readme_names_every_command(run):
    table = README.read_text(encoding="utf-8").partition("## The command\n")[2].partition("\n\nAll but")[0]
    listed = run("--help").stdout.partition("Commands:\n")[2].splitlines()
    ours = {line.split()[0] for line in listed if line.startswith("  ") and not re.search("from (?!idxhub$)", line)}
    assert set(re.findall(r"`idxhub (\w+)", table)) == ours


def test_the_readme_says_which_commands_take_json(run):
    assert "All but `bench`" in README.read_text(encoding="utf-8")
    assert all("--json" in run(name, "--help").stdout for name in commands.commands)
    assert not any("--json" in run("bench", name, "--help").stdout for name in ("load", "train", "device", "report"))


def test_list(run):
    result = run("list")
    assert result.exit_code == 0
    assert rows(result.stdout)[1][:3] == ["fashion-mnist", "2017-08-31", "train"]
    assert [each["name"] for each in json.loads(run("list", "--json").stdout)] == list(idxhub.datasets())


def test_a_licence_that_is_not_stated_is_said_not_to_be(run):
    lines = {line.split()[0]: line for line in run("list").stdout.splitlines() if line}
    assert lines["mnist"].endswith("  unclear")
    assert lines["emnist-digits"].endswith("  not stated")
    assert "licence   not stated\n" in run("info", "emnist-digits").stdout
    assert json.loads(run("info", "emnist-digits", "--json").stdout)["license"] == ""


def test_info(run):
    result = run("info", "fashion-mnist")
    assert result.exit_code == 0
    sha256 = "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84"
    for part in (
        "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
        sha256,
        "26,421,880",
        "Ankle boot",
        "MIT",
        "@online{xiao2017/online",
    ):
        assert part in result.stdout
    data = json.loads(run("info", "fashion-mnist", "--json").stdout)
    assert data["classes"][9] == "Ankle boot"
    assert data["splits"]["test"]["labels"]["md5"] == "bb300cfdad3c16e7a12a480ee83cd310"
    assert data["cached"] == {}


def test_info_shows_where_a_cached_file_came_from(run):
    idxhub.load(SAMPLE, "test")
    cached = json.loads(run("info", SAMPLE, "--json").stdout)["cached"]
    assert set(cached) == {"t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz"}
    record = cached["t10k-images-idx3-ubyte.gz"]
    assert record["form"] == "published"
    assert record["source"].endswith("t10k-images-idx3-ubyte.gz")
    assert record["version"] == idxhub.__version__


def test_get_says_where_each_file_came_from(run, cache_dir):
    result = run("get", SAMPLE)
    assert result.exit_code == 0
    assert result.stdout.count("verified, published") == 4
    assert str(cache_dir) in result.stdout
    again = run("get", SAMPLE)
    assert again.stdout.count("in the cache already") == 4
    assert [row["cached_already"] for row in json.loads(run("get", SAMPLE, "--json").stdout)["files"]] == [True] * 4


def test_get_from_a_folder(run, full_data_dir):
    result = run("get", "fashion-mnist", "--data-dir", str(full_data_dir), "--json")
    assert result.exit_code == 0
    assert all(str(full_data_dir) in row["source"] for row in json.loads(result.stdout)["files"])


def test_get_without_data_or_network_is_a_problem_that_lists_the_places(run, tmp_path):
    result = run("get", "fashion-mnist")
    assert result.exit_code == 1
    assert "was not found" in result.stderr
    assert "storage.googleapis.com" in result.stderr
    assert "IDXHUB_OFFLINE is set" in result.stderr
    assert "Traceback" not in result.stderr


def sample_folder():
    (folder,) = idxhub.Plugins([]).dataset(SAMPLE).folders
    return folder


def test_verify_a_sound_dataset(run):
    result = run("verify", SAMPLE)
    assert result.exit_code == 0
    assert result.stdout.endswith("all sound\n")
    idxhub.load(SAMPLE)
    states = [each["state"] for each in json.loads(run("verify", SAMPLE, "--json").stdout)["files"]]
    assert states == ["sound", "sound, decoded"] * 2 + ["sound"] * 2


@pytest.mark.parametrize(
    ("harm", "state"),
    [
        (lambda path: path.write_bytes(path.read_bytes()[:100]), "WRONG: cut short"),
        (lambda path: path.write_bytes(b""), "WRONG: is empty"),
        (lambda path: path.write_bytes(b"<html>please log in</html>"), "WRONG: not IDX"),
        (lambda path: path.unlink(), "NOT FOUND"),
    ],
    ids=["cut", "emptied", "a page", "missing"],
)
def test_verify_a_folder_with_a_file_that_is_not_sound(harm, state, run, tmp_path):
    import shutil  # noqa: PLC0415

    folder = tmp_path / "files"
    shutil.copytree(sample_folder(), folder)
    harm(folder / "t10k-labels-idx1-ubyte.gz")
    result = run("verify", SAMPLE, "--data-dir", str(folder))
    assert result.exit_code == 1
    assert state in result.stdout
    assert "1 of 4 not sound" in result.stdout
    found = json.loads(run("verify", SAMPLE, "--data-dir", str(folder), "--json").stdout)["files"]
    assert [each["sound"] for each in found] == [True, True, True, False]


def test_verify_sees_a_damaged_array_in_the_cache(run, cache_dir):
    idxhub.load(SAMPLE)
    (array,) = cache_dir.glob("*/train-images-idx3-ubyte.npy")
    data = bytearray(array.read_bytes())
    data[-1] ^= 1
    array.write_bytes(data)
    result = run("verify", SAMPLE)
    assert result.exit_code == 1
    assert "WRONG: damaged" in result.stdout


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="names of files are Unicode there")
@pytest.mark.parametrize("locale", ["C.UTF-8", "C", "POSIX"])
@pytest.mark.parametrize("arguments", [["get", SAMPLE], ["verify", SAMPLE], ["cache"], ["doctor"], ["list"]], ids=str)
def test_json_is_ascii_whatever_is_in_a_path(arguments, locale, tmp_path):
    import shutil  # noqa: PLC0415

    folder = os.fsdecode(os.fsencode(tmp_path) + b"/d\xff\xc3\xa9")
    shutil.copytree(sample_folder(), folder)
    command = [sys.executable, "-c", "import sys; from idxhub.cli import main; sys.argv[0] = 'idxhub'; main()"]
    done = subprocess.run(
        [*command, *arguments, *(["--data-dir", folder] if SAMPLE in arguments else []), "--json"],
        capture_output=True,
        check=False,
        env=os.environ | {"LC_ALL": locale, "IDXHUB_CACHE": f"{folder}/cache", "IDXHUB_MIRRORS": folder},
    )
    assert done.returncode == 0, done.stderr
    json.loads(done.stdout.decode("ascii"))
    if arguments != ["list"]:
        assert rb"d\udcff\u00e9" in done.stdout


@pytest.mark.parametrize(("said", "status"), [("y", 0), ("n", 1), ("", 1)])
def test_the_question_is_not_part_of_the_json(said, status, run):
    idxhub.load(SAMPLE)
    result = CliRunner().invoke(commands, ["cache", "--remove", "--json"], input=f"{said}\n")
    assert result.exit_code == status
    assert "Remove 1 dataset, " in result.stderr
    assert json.loads(result.stdout)["freed"] > 0 if said == "y" else result.stdout == ""


def test_cache_shows_and_removes_only_what_idxhub_made(run, cache_dir):
    assert "empty" in run("cache").stdout
    idxhub.load(SAMPLE)
    (cache_dir / "mine").mkdir()
    (cache_dir / "mine" / "precious.npy").write_bytes(b"x")
    shown = json.loads(run("cache", "--json").stdout)
    assert shown["cache"] == str(cache_dir)
    assert list(shown["datasets"]) == [f"{SAMPLE}-{idxhub.Plugins([]).dataset(SAMPLE).fingerprint}"]
    asked = run("cache", "--remove")  # nobody said yes
    assert asked.exit_code == 1
    assert "Remove 1 dataset, " in asked.stderr
    assert asked.stdout == ""
    assert len(list(cache_dir.iterdir())) == 2
    freed = json.loads(run("cache", "--remove", "--yes", "--json").stdout)["freed"]
    assert freed > 2000 * 784
    assert [path.name for path in cache_dir.iterdir()] == ["mine"]


def test_doctor(run, cache_dir):
    result = run("doctor")
    assert result.exit_code == 0
    assert result.stdout.endswith("no problems found\n")
    report = json.loads(run("doctor", "--json").stdout)
    assert report["frameworks"]["numpy"]["state"] == "installed"
    assert set(report["frameworks"]) == set(idxhub.adapters())
    assert report["cache"] == {"path": str(cache_dir), "exists": False, "writable": True}
    assert f"{cache_dir} (not made yet; can be written)\n" in result.stdout
    assert not cache_dir.exists()
    assert report["settings"]["IDXHUB_OFFLINE"] == "1"


def test_doctor_finds_a_cache_that_cannot_be_one(run, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("IDXHUB_CACHE", str(tmp_path / "file"))
    result = run("doctor")
    assert result.exit_code == 1
    assert f"PROBLEM: the cache at {tmp_path / 'file'} cannot be written: Not a directory; set" in result.stdout


def test_doctor_leaves_nothing_in_the_cache(run, cache_dir):
    cache_dir.mkdir(parents=True)
    assert f"{cache_dir} (can be written)\n" in run("doctor").stdout
    assert list(cache_dir.iterdir()) == []


@pytest.mark.parametrize("below", ["", "yet/to/be/made"])
@pytest.mark.parametrize(
    ("mount", "why"),
    [
        ("mount -t tmpfs -o ro none /mnt", "Read-only file system"),
        ("mount -t tmpfs -o size=8k none /mnt; head -c 8k /dev/zero > /mnt/full", "No space left on device"),
    ],
    ids=["read-only", "full"],
)
def test_doctor_tries_whether_the_cache_can_be_written(mount, why, below):
    code = """
        import json, os, sys
        os.environ["IDXHUB_CACHE"] = sys.argv[1]
        from idxhub.cli import doctor
        print(doctor._obstacle(doctor.cache_root()), sorted(set(os.listdir("/mnt")) - {"full"}))
    """
    seen = python_mounted(mount, code, f"/mnt/{below}").stdout
    assert seen == f"{why}{' (/mnt)' if below else ''} []\n"


def test_doctor_finds_a_mirror_that_cannot_be_one(run, monkeypatch):
    monkeypatch.setenv("IDXHUB_MIRRORS", "/srv, ftp://me:secret@example.org/files")
    result = run("doctor")
    assert result.exit_code == 1
    assert result.stdout.count("PROBLEM: IDXHUB_MIRRORS is 'ftp://example.org/files'; it must be ") == 1
    assert "secret" not in result.stdout.partition("PROBLEM")[2]


def test_doctor_shows_the_version_of_all_that_is_required(run):
    required = [each for each in distribution("idxhub").requires if "extra" not in each]
    shown = run("doctor").stdout.splitlines()[1]
    assert len(required) == len(shown.split(", "))
    assert f"xxhash {distribution('xxhash').version}" in shown.split(", ")


@pytest.mark.parametrize("missing", ["xxhash", "idxhub"])
def test_doctor_bears_that_a_distribution_is_missing(missing, run, monkeypatch):
    def found(name):
        if name == missing:
            raise PackageNotFoundError(name)
        return distribution(name)

    monkeypatch.setattr(doctor, "distribution", found)
    packages = json.loads(run("doctor", "--json").stdout)["packages"]
    assert packages == {} if missing == "idxhub" else packages["xxhash"] is None
    assert ("xxhash (not installed)" in run("doctor").stdout) == (missing == "xxhash")


def test_doctor_shows_a_framework_that_is_there_under_another_name(tmp_path):
    def install(name, version, *lines, **files):
        folder = tmp_path / f"{name}-{version}.dist-info"
        folder.mkdir()
        head = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
        (folder / "METADATA").write_text(head + "".join(f"{line}\n" for line in lines))
        for file, content in files.items():
            (folder / f"{file}.txt").write_text(content)

    (tmp_path / "bigframe.py").touch()
    (tmp_path / "adapter.py").write_text(
        "import bigframe\nfrom idxhub import hookimpl\n@hookimpl\ndef idxhub_dataset(split): return split\n"
        "@hookimpl\ndef idxhub_batch(images, labels): return images, labels\n"
    )
    install("bigframe_cpu", "2.5", top_level="bigframe\n")
    needs = ("Provides-Extra: big", 'Requires-Dist: bigframe>=2; extra == "big"')
    install("adapters_of_big", "1.0", *needs, entry_points="[idxhub.adapters]\nbig = adapter\n")
    code = "from idxhub.cli import commands; commands(['doctor'])"
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"PYTHONPATH": str(tmp_path)},
    )
    assert ["big", "installed", "bigframe_cpu", "2.5"] in rows(done.stdout)


MIRRORS = "https://me:secret@one.example/{dataset}, HTTP://two.example,/srv/files"


@pytest.mark.parametrize(("offline", "mark"), [("", ""), ("1", " (not tried: IDXHUB_OFFLINE is set)")])
def test_doctor_shows_ones_own_mirrors_first(offline, mark, run, monkeypatch):
    monkeypatch.setenv("IDXHUB_MIRRORS", MIRRORS)
    monkeypatch.setenv("IDXHUB_OFFLINE", offline)
    lines = run("doctor").stdout.partition("\nmnist: ")[2].partition("\n\n")[0].splitlines()
    shown = [line for line in lines if "://" in line]
    assert shown[:2] == [f"  https://one.example/mnist{mark}", f"  HTTP://two.example{mark}"]
    assert len(shown) > 2
    assert all(line.endswith("not tried: IDXHUB_OFFLINE is set)") == bool(offline) for line in shown)
    assert "  /srv/files (not there)" in lines
    report = json.loads(run("doctor", "--json").stdout)
    assert report["download"] == (not offline)
    assert report["datasets"]["mnist"]["mirrors"][0] == "https://one.example/mnist"


OUTPUTS = [["list"], ["list", "--json"], ["info", SAMPLE], ["--help"], ["--version"], ["verify", SAMPLE]]


def started(arguments, unbuffered, **options):
    code = "import sys; from idxhub.cli import main; sys.argv[0] = 'idxhub'; main()"
    environment = os.environ | {"PYTHONUNBUFFERED": unbuffered, "IDXHUB_OFFLINE": "1"}
    command = [sys.executable, "-c", code, *arguments]
    options.setdefault("stderr", subprocess.PIPE)
    return subprocess.run(command, text=True, check=False, env=environment, **options)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
@pytest.mark.parametrize("unbuffered", ["", "1"], ids=["buffered", "unbuffered"])
@pytest.mark.parametrize("arguments", OUTPUTS, ids=" ".join)
def test_output_to_a_full_device_is_one_line_of_error(arguments, unbuffered):
    with open("/dev/full", "w", encoding="utf-8") as full:
        done = started(arguments, unbuffered, stdout=full)
    assert done.returncode == 1
    assert done.stderr == "Error: cannot write to standard output: No space left on device\n"


@pytest.mark.parametrize("unbuffered", ["", "1"], ids=["buffered", "unbuffered"])
@pytest.mark.parametrize("arguments", OUTPUTS, ids=" ".join)
def test_output_that_nobody_reads_ends_quietly(arguments, unbuffered):
    reader, writer = os.pipe()
    os.close(reader)
    try:
        done = started(arguments, unbuffered, stdout=writer)
    finally:
        os.close(writer)
    assert (done.returncode, done.stderr) == (1, "")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
@pytest.mark.parametrize("unbuffered", ["", "1"], ids=["buffered", "unbuffered"])
@pytest.mark.parametrize(
    ("arguments", "status"), [(["info", "nope"], 2), (["get", "fashion-mnist"], 1), (["lits"], 2)], ids=str
)
def test_an_error_that_cannot_be_said_keeps_its_status(arguments, status, unbuffered):
    code = "import sys; from idxhub.cli import main; sys.argv[0] = 'idxhub'; main()"
    environment = os.environ | {"PYTHONUNBUFFERED": unbuffered, "IDXHUB_OFFLINE": "1"}
    for both in (False, True):
        with open("/dev/full", "w", encoding="utf-8") as full:
            done = subprocess.run(
                [sys.executable, "-c", code, *arguments],
                stdout=full if both else subprocess.PIPE,
                stderr=full,
                check=False,
                env=environment,
            )
        assert done.returncode == status
        assert not done.stdout


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_nothing_can_be_said_anywhere():
    with open("/dev/full", "w", encoding="utf-8") as full:
        code = "import sys; from idxhub.cli import main; sys.argv[:] = ['idxhub', 'list']; main()"
        assert subprocess.run([sys.executable, "-c", code], stdout=full, stderr=full, check=False).returncode == 1


@pytest.mark.parametrize(
    ("error", "says"),
    [
        ('OSError(5, "elsewhere")', "elsewhere"),
        ('OSError(28, "No space left on device")', "No space left on device"),
        ('PermissionError(13, "Permission denied", "/etc/shadow")', "Permission denied: /etc/shadow"),
        ('OSError("odd")', "odd"),
    ],
)
def test_an_error_that_is_not_the_outputs_is_one_line_too(error, says):
    code = f"""
        import sys
        import idxhub.cli
        @idxhub.cli.commands.command()
        def fails():
            raise {error}
        sys.argv[:] = ["idxhub", "fails"]
        try:
            idxhub.cli.main()
        except SystemExit as end:
            print("status", end.code)
    """
    done = python(code)
    assert (done.stdout, done.stderr) == ("status 1\n", f"Error: {says}\n")


@pytest.mark.parametrize("bench", ["load", "train", "device"])
def test_bench_wants_a_folder_before_it_measures(bench, run, tmp_path):
    raw = tmp_path / "nowhere" / "raw.jsonl"
    result = run("bench", bench, str(raw), "--dataset", SAMPLE)
    assert result.exit_code == 2
    assert result.stderr.endswith(f"Error: there is no folder {raw.parent} to write raw.jsonl in: make it first\n")


def test_demo_without_the_full_data_takes_the_sample_and_says_so_loudly(run):
    result = run("demo")
    assert result.exit_code == 0
    assert result.stderr.startswith("THIS IS THE SAMPLE")
    assert "the same bytes in all of them" in result.stdout
    data = json.loads(run("demo", "--json").stdout)
    assert data["dataset"] == SAMPLE
    assert data["same"]
    numpy = next(row for row in data["frameworks"] if row["framework"] == "numpy")
    assert numpy["examples"] == 2000
    assert numpy["batch"] == "ndarray uint8 (128, 28, 28), ndarray int64 (128,)"
    assert numpy["images_per_second"] > 0
    assert (data["epochs"], data["batch_size"]) == (1, 128)


def test_demo_where_nothing_can_be_read_gives_the_cause_once(run, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("IDXHUB_CACHE", str(tmp_path / "file"))
    result = run("demo")
    assert result.exit_code == 1
    assert result.stdout.count("Not a directory") == 1
    assert result.stdout.splitlines()[-1].startswith("no framework could be read: CacheError: cannot use the cache at ")
    assert "DIFFER" not in result.stdout
    assert result.stderr == ""
    told = run("demo", "--json")
    assert told.exit_code == 1
    assert json.loads(told.stdout)["same"] is None


@pytest.mark.parametrize(
    ("causes", "same", "says"),
    [
        ([None, "E: x"], True, ["b is broken: E: x", "the same bytes in all of them"]),
        ([None, "E: x", "E: x"], True, ["b and c are broken: E: x", "the same bytes in all of them"]),
        (["E: x", "E: x"], None, ["no framework could be read: E: x"]),
        (["E: x", "E: y"], None, ["a is broken: E: x", "b is broken: E: y", "no framework could be read"]),
        ([], None, ["no framework could be read"]),
    ],
)
def test_demo_says_each_cause_once(causes, same, says, capsys):
    read = {"type": "t", "batch": "b", "digest": "d", "shuffled_digest": "s", "examples": 1, "images_per_second": 1}
    found = [
        {"framework": name} | (read if cause is None else {"broken": cause})
        for name, cause in zip("abc", causes, strict=False)
    ]
    demo._print("name", 1, found, same=same)
    lines = capsys.readouterr().out.splitlines()[-len(says) :]
    assert all(line.startswith(said) for line, said in zip(lines, says, strict=True)), lines


@pytest.mark.skipif(sys.platform == "win32", reason="needs pseudo-terminals")
@pytest.mark.parametrize("terminal", [True, False])
def test_demo_names_on_a_terminal_what_it_reads(terminal):
    ours, theirs = os.openpty()
    try:
        done = started(["demo", "--json"], "", **({"stderr": theirs} if terminal else {}), stdout=subprocess.DEVNULL)
        said = os.read(ours, 100_000).decode() if terminal else done.stderr
    finally:
        os.close(ours)
        os.close(theirs)
    assert ("reading by numpy" in said) == terminal


def test_demo_digests_are_those_of_the_arrays_and_the_shared_order(run):
    rows = json.loads(run("demo", "--json", "--epochs", "2", "--batch-size", "600").stdout)["frameworks"]
    images, labels = idxhub.get_dataset(SAMPLE)

    def digest(*orders):
        found = hashlib.sha256()
        for indices in orders:
            for start in range(0, 2000, 600):
                found.update(images[indices[start : start + 600]])
                found.update(labels[indices[start : start + 600]])
        return found.hexdigest()

    for row in rows:
        if "missing" not in row:
            assert row["digest"] == digest(np.arange(2000))
            assert row["shuffled_digest"] == digest(*(idxhub.order(2000, 0, epoch) for epoch in range(2)))


@pytest.mark.parametrize(
    ("order", "shuffled", "says"),
    [("", "", "0 the same bytes"), ("", "[::-1]", "1 THEY DIFFER"), ("[::-1]", "", "1 THEY DIFFER")],
    ids=["right", "loader reversed", "dataset reversed"],
)
def test_demo_shows_a_framework_that_differs(order, shuffled, says, tmp_path):
    (tmp_path / "crooked.py").write_text(
        "from idxhub import Arrays, hookimpl\n"
        "from idxhub.conformance import Subject\n"
        "@hookimpl\n"
        f"def idxhub_dataset(split): return Arrays(split.images, split.labels{order})\n"
        "@hookimpl\n"
        f"def idxhub_batch(images, labels): return images, labels{shuffled}\n"
        "SUBJECT = Subject('crooked', lambda native, size: [native])\n"
    )
    metadata = tmp_path / "crooked-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: crooked\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(
        "[idxhub.adapters]\ncrooked = crooked\n[idxhub.conformance]\ncrooked = crooked:SUBJECT\n"
    )
    code = """
        import click.testing, idxhub.cli
        result = click.testing.CliRunner().invoke(idxhub.cli.commands, ["demo", "--offline", "--batch-size", "2000"])
        print(result.exit_code, result.stdout.splitlines()[-1])
    """
    seen = python(code, env=os.environ | {"PYTHONPATH": str(tmp_path), "HOME": str(tmp_path)}).stdout
    assert seen.startswith(says)


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("raise OSError('libcudart.so.12: cannot open')", "OSError: libcudart.so.12"),
        ("def idxhub_dataset(split): return 1 / 0\n", "ZeroDivisionError"),
    ],
    ids=["does not import", "fails on data"],
)
def test_a_broken_adapter_hides_no_other(code, says, tmp_path):
    (tmp_path / "crooked.py").write_text(
        "from idxhub import hookimpl\nfrom idxhub.conformance import Subject\n"
        "@hookimpl\ndef idxhub_batch(images, labels): return images, labels\n"
        "SUBJECT = Subject('crooked', lambda native, size: [native])\n"
        f"@hookimpl\n{code}\n"
        if code.startswith("def")
        else code
    )
    metadata = tmp_path / "crooked-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: crooked\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(
        "[idxhub.adapters]\ncrooked = crooked\n[idxhub.conformance]\ncrooked = crooked:SUBJECT\n"
    )
    show = """
        import click.testing, idxhub.cli, json
        for arguments in (["demo", "--offline", "--json"], ["demo", "--offline"], ["doctor"]):
            result = click.testing.CliRunner().invoke(idxhub.cli.commands, arguments)
            print(json.dumps([result.exit_code, result.stdout]))
    """
    seen = python(show, env=os.environ | {"PYTHONPATH": str(tmp_path), "HOME": str(tmp_path)}).stdout
    (status, rows), (shown_status, shown), (doctor_status, doctor) = map(json.loads, seen.splitlines())
    assert (status, shown_status) == (1, 1)
    by_name = {row["framework"]: row for row in json.loads(rows)["frameworks"]}
    assert says in by_name["crooked"]["broken"]
    assert "digest" in by_name["numpy"]
    assert "crooked is broken: " in shown
    assert "numpy " in doctor
    if not code.startswith("def"):
        assert doctor_status == 1
        assert says in doctor.partition("PROBLEM: crooked: ")[2]


def test_demo_names_every_adapter_installed_or_not(run):
    data = json.loads(run("demo", "--json").stdout)
    assert {row["framework"] for row in data["frameworks"]} == set(idxhub.adapters())
    for row in data["frameworks"]:
        assert "digest" in row or "pip install" in row["missing"]


def test_demo_with_the_full_data(run, full_data_dir):
    result = run("demo", "--data-dir", str(full_data_dir))
    assert result.exit_code == 0
    assert result.stderr == ""
    assert result.stdout.startswith("fashion-mnist, train, 60,000 images\n")


def test_conformance(run):
    result = run("conformance", "numpy", "--json")
    assert result.exit_code == 0
    report = json.loads(result.stdout)
    assert report["passed"] + report["skipped"] == len(CHECKS)
    assert report["failed"] == 0


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["info", "fashon-mnist"], "did you mean 'fashion-mnist'?"),
        (["get", "mnits"], "Choices: fashion-mnist"),
        (["conformance", "numpi"], "did you mean 'numpy'?"),
        (["info"], "Missing argument 'NAME'"),
        (["lits"], "No such command 'lits'"),
        (["list", "--jason"], "No such option"),
        (["get", SAMPLE, "--data-dir", "nowhere"], "does not exist"),
        (["demo", "--batch-size", "0"], "Invalid value for '--batch-size'"),
        (["demo", "--epochs", "0"], "Invalid value for '--epochs'"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_wrong_usage_is_exit_status_2(arguments, says, run):
    result = run(*arguments)
    assert result.exit_code == 2
    assert says in result.stderr
    assert result.stderr.startswith(f"Usage: commands {'[OPTIONS]' if arguments == ['lits'] else arguments[0]} ")


def test_subcommands_of_other_packages_are_listed_without_being_imported(tmp_path):
    (tmp_path / "othercommand.py").write_text(
        "import click\n@click.command()\ndef hello():\n    click.echo('hello from elsewhere')\n"
    )
    (tmp_path / "notacommand.py").write_text("thing = 3\n")
    (tmp_path / "raisingcommand.py").write_text("raise RuntimeError('no')\n")
    metadata = tmp_path / "elsewhere-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: elsewhere\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(
        "[idxhub.commands]\nraises = raisingcommand:thing\nhello = othercommand:hello\n"
        "broken = notacommand:thing\nlist = othercommand:hello\n"
    )
    code = (
        "import sys; sys.path.insert(0, sys.argv.pop(1))\n"
        "import atexit; atexit.register(lambda: print('imported:', 'othercommand' in sys.modules))\n"
        "from idxhub.cli import main; main()"
    )

    def idxhub_with(*arguments):
        return subprocess.run(
            [sys.executable, "-c", code, str(tmp_path), *arguments], capture_output=True, text=True, check=False
        )

    listed = idxhub_with("--help").stdout
    others = [line.split() for line in listed.partition("More commands:\n")[2].splitlines()]
    assert [each for each in others if each[-1] == "elsewhere"] == [
        [name, "from", "elsewhere"] for name in ("broken", "hello", "raises")
    ]
    assert len([line for line in listed.splitlines() if line.startswith("  list ")]) == 1  # the core's own
    assert "imported: False" in listed
    assert idxhub_with("hello").stdout == "hello from elsewhere\nimported: True\n"
    broken = idxhub_with("broken")
    assert broken.returncode == 1
    assert "the command 'broken' is 3, not a click command" in broken.stderr
    raises = idxhub_with("raises")
    assert raises.returncode == 1
    assert "Error: raisingcommand:thing (elsewhere) does not import: RuntimeError: no" in raises.stderr
