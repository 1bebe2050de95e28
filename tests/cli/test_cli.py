"""The command: what it prints for people, what for scripts, and with which exit status it ends."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import pytest
from click.testing import CliRunner
from support.command import COMMAND, SAMPLE, rows, started
from support.installed import install
from support.processes import python

import idxhub
from idxhub.cli import commands
from idxhub.conformance import CHECKS
from idxhub.plugins.manager import installed


def test_the_console_script_is_installed():
    (script,) = entry_points(group="console_scripts", name="idxhub")
    assert script.value == "idxhub.cli:main"
    done = started(["--version"], stdout=subprocess.PIPE)
    assert done.stdout == f"idxhub, version {idxhub.__version__}\n"


def test_help_lists_every_subcommand_with_a_whole_sentence(run):
    result = run("--help")
    assert result.exit_code == 0
    listed = result.stdout.partition("Commands:\n")[2].partition("\n\n")[0]
    assert [line.split()[0] for line in listed.splitlines()] == [*commands.commands]
    assert all(line.endswith(".") for line in listed.splitlines())


def test_help_says_what_each_command_that_is_installed_with_idxhub_does(run):
    listed = run("--help").stdout.partition("More commands:\n")[2].splitlines()
    ours = {name for name, origin in installed().commands().items() if origin == "idxhub"} - {*commands.commands}
    assert {line.split()[0] for line in listed if line.endswith(".")} == ours


def test_the_help_of_every_command_needs_no_extra():
    code = """
        import re, sys
        from importlib.metadata import requires

        names = [(re.match(r"[\\w-]+", line)[0].replace("-", "_"), "extra ==" in line) for line in requires("idxhub")]
        base, extra = ({name for name, is_extra in names if is_extra == wanted} for wanted in (False, True))
        absent = (extra | {"PIL", "sklearn", "scipy", "umap"}) - base - {"idxhub"}
        assert {"matplotlib", "torch", "joblib"} <= absent
        sys.modules.update(dict.fromkeys(absent))  # an import of one of them fails

        import click
        from click.testing import CliRunner
        from idxhub.cli import commands

        def show_help(command, *words):
            done = CliRunner().invoke(commands, [*words, "--help"])
            assert done.exit_code == 0, (words, done.output)
            print(*words)
            if isinstance(command, click.Group):
                context = click.Context(command)
                for name in command.list_commands(context):
                    show_help(command.get_command(context, name), *words, name)

        show_help(commands)
    """
    shown = python(code).stdout.splitlines()
    assert {"get", "bench train", "board run", "export", "plot embed"} <= {*shown}


README = Path(__file__).parents[2] / "README.md"


def test_the_table_of_the_readme_names_every_command(run):
    table = README.read_text(encoding="utf-8").partition("## The command\n")[2].partition("\n\nAll of them")[0]
    listed = run("--help").stdout.partition("Commands:\n")[2].splitlines()
    ours = {line.split()[0] for line in listed if line.startswith("  ") and line.endswith(".")}
    assert set(re.findall(r"`idxhub (\w+)", table)) == ours


def test_the_readme_says_which_commands_take_json(run):
    assert "All of them accept `--json`, except `bench`" in README.read_text(encoding="utf-8")
    assert all("--json" in run(name, "--help").stdout for name in commands.commands)
    assert not any("--json" in run("bench", name, "--help").stdout for name in ("load", "train", "device", "report"))


def test_list(run):
    result = run("list")
    assert result.exit_code == 0
    assert rows(result.stdout)[1][:3] == ["fashion-mnist", "train", "60,000,"]
    assert [each["name"] for each in json.loads(run("list", "--json").stdout)] == list(idxhub.datasets())


def test_an_unstated_licence_is_shown_as_not_stated(run):
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


def test_info_does_not_list_missing_files_as_cached(run, cache_dir):
    run("get", SAMPLE)
    (gone,) = cache_dir.glob("*/train-images*.npy")
    (cut,) = cache_dir.glob("*/t10k-images*.npy")
    gone.unlink()
    cut.write_bytes(b"")
    cached = json.loads(run("info", SAMPLE, "--json").stdout)["cached"]
    assert set(cached) == {"train-labels-idx1-ubyte.gz", "t10k-labels-idx1-ubyte.gz"}


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
    assert result.stdout.count("verified, as published") == 4
    assert str(cache_dir) in result.stdout
    again = run("get", SAMPLE)
    assert again.stdout.count("in the cache already") == 4
    assert [row["cached_already"] for row in json.loads(run("get", SAMPLE, "--json").stdout)["files"]] == [True] * 4


def test_get_from_a_folder(run, full_data_dir):
    result = run("get", "fashion-mnist", "--data-dir", str(full_data_dir), "--json")
    assert result.exit_code == 0
    assert all(str(full_data_dir) in row["source"] for row in json.loads(result.stdout)["files"])


def test_get_without_data_or_network_is_a_problem_that_lists_the_places(run, tmp_path):
    result = run("get", "mnist")
    assert result.exit_code == 1
    assert "was not found" in result.stderr
    assert "storage.googleapis.com" in result.stderr
    assert "IDXHUB_OFFLINE is set" in result.stderr
    assert "Traceback" not in result.stderr


def test_get_offline_downloads_nothing(run, monkeypatch):
    monkeypatch.setenv("IDXHUB_OFFLINE", "")
    monkeypatch.setenv("IDXHUB_MIRRORS", "http://127.0.0.1:9/{dataset}")
    result = run("get", "kmnist", "--offline")
    assert result.exit_code == 1
    assert "http://127.0.0.1:9/kmnist/train-images-idx3-ubyte.gz: not tried: --offline\n" in result.stderr
    assert run("get", SAMPLE, "--offline").exit_code == 0


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


def test_verify_where_no_file_is_found_names_the_command_that_finds_them(run, tmp_path):
    result = run("verify", "kmnist")
    assert result.exit_code == 1
    assert result.stdout.endswith("\n4 not found; to find or download them, run: idxhub get kmnist\n")
    assert run("verify", "kmnist", "--data-dir", tmp_path).stdout.endswith("\n4 not found\n")


@pytest.mark.parametrize(
    ("harm", "state", "summary"),
    [
        (lambda path: path.write_bytes(path.read_bytes()[:100]), "WRONG: cut short", "1 of 4 not sound"),
        (lambda path: path.write_bytes(b""), "WRONG: is empty", "1 of 4 not sound"),
        (lambda path: path.write_bytes(b"<html>please log in</html>"), "WRONG: not IDX", "1 of 4 not sound"),
        (lambda path: path.unlink(), "NOT FOUND", "3 sound, 1 not found"),
    ],
    ids=["cut", "emptied", "a page", "missing"],
)
def test_verify_a_folder_with_a_file_that_is_not_sound(harm, state, summary, run, tmp_path):
    folder = tmp_path / "files"
    shutil.copytree(sample_folder(), folder)
    harm(folder / "t10k-labels-idx1-ubyte.gz")
    result = run("verify", SAMPLE, "--data-dir", str(folder))
    assert result.exit_code == 1
    assert state in result.stdout
    assert result.stdout.endswith(f"{summary}\n")
    is_checked = re.search(rf"{state} +-  ", result.stdout) is None
    assert is_checked == (state != "NOT FOUND")
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
    folder = os.fsdecode(os.fsencode(tmp_path) + b"/d\xff\xc3\xa9")
    shutil.copytree(sample_folder(), folder)
    done = subprocess.run(
        [*COMMAND, *arguments, *(["--data-dir", folder] if SAMPLE in arguments else []), "--json"],
        capture_output=True,
        check=False,
        env=os.environ | {"LC_ALL": locale, "IDXHUB_CACHE": f"{folder}/cache", "IDXHUB_MIRRORS": folder},
    )
    assert done.returncode == 0, done.stderr
    json.loads(done.stdout.decode("ascii"))
    if arguments != ["list"]:
        assert rb"d\udcff\u00e9" in done.stdout


def test_control_characters_in_a_file_name_do_not_reach_the_terminal(run, tmp_path, monkeypatch):
    folder = tmp_path / "\x1b]0;owned\x07\x1b[31m"
    shutil.copytree(sample_folder(), folder)
    (folder / "t10k-labels-idx1-ubyte.gz").write_bytes(b"")
    monkeypatch.setenv("IDXHUB_CACHE", str(folder / "cache"))
    monkeypatch.setenv("IDXHUB_MIRRORS", str(folder))
    for arguments in (
        *(["verify", SAMPLE, "--data-dir", folder], ["get", SAMPLE, "--data-dir", folder], ["info", SAMPLE]),
        *(["audit", folder, "--adopt"], ["doctor"], ["cache"], ["get", "mnist"], ["cache", "--remove", "--yes"]),
    ):
        result = run(*arguments)
        assert not set(result.output) & {"\x1b", "\x07"}, arguments
        assert "\ufffd]0;owned\ufffd\ufffd[31m" in result.output, arguments
    run("get", SAMPLE, "--data-dir", folder)
    cached = json.loads(run("info", SAMPLE, "--json").stdout)["cached"]
    assert cached["train-images-idx3-ubyte.gz"]["source"] == str(folder / "train-images-idx3-ubyte.gz")


@pytest.mark.parametrize(("said", "status"), [("y\n", 0), ("n\n", 1), ("\n", 1), ("", 1), (None, 1)])
def test_the_question_is_not_part_of_the_json(said, status, run, cache_dir):
    idxhub.load(SAMPLE)
    result = CliRunner().invoke(commands, ["cache", "--remove", "--json"], input=said)
    assert result.exit_code == status
    assert "Remove 1 dataset, " in result.stderr
    printed = json.loads(result.stdout)
    if status == 0:
        assert printed["freed"] > 0
    else:
        assert printed["error"]["type"] == "ClickException"
        assert printed["error"]["message"].startswith("nothing was removed, because the answer was not yes")
    assert any(cache_dir.iterdir()) == (status == 1)


def test_cache_shows_and_removes_only_what_idxhub_made(run, cache_dir):
    assert run("cache").stdout.splitlines()[1:] == ["no datasets"]
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


@pytest.mark.parametrize("bench", ["load", "train", "device"])
def test_bench_wants_a_folder_before_it_measures(bench, run, tmp_path):
    raw = tmp_path / "nowhere" / "raw.jsonl"
    result = run("bench", bench, str(raw), "--dataset", SAMPLE)
    assert result.exit_code == 2
    assert result.stderr.endswith(f"Error: there is no folder {raw.parent} for raw.jsonl: make it first\n")


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


@pytest.mark.parametrize(
    ("arguments", "usage"),
    [
        (["plot", "sprite", "fashon-mnist", "-o", "a.gif"], "plot sprite"),
        (["plot", "sprit"], "plot"),
        (["board", "check", "--dataset"], "board check"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_wrong_usage_of_a_subcommand_of_a_group_shows_its_usage(arguments, usage, run):
    result = run(*arguments)
    assert result.exit_code == 2
    assert result.stderr.startswith(f"Usage: commands {usage} [OPTIONS]")


def test_subcommands_of_other_packages_are_listed_without_being_imported(tmp_path):
    modules = {
        "othercommand": "import click\n@click.command()\ndef hello():\n    click.echo('hello from elsewhere')\n",
        "notacommand": "thing = 3\n",
        "raisingcommand": "raise RuntimeError('no')\n",
    }
    commands_of_others = {
        "raises": "raisingcommand:thing",
        "hello": "othercommand:hello",
        "broken": "notacommand:thing",
        "list": "othercommand:hello",
    }
    lines = "".join(f"{name} = {value}\n" for name, value in commands_of_others.items())
    install(tmp_path, "elsewhere", entry_points=f"[idxhub.commands]\n{lines}", modules=modules)
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
