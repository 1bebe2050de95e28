"""The paths that options take: `~` is the home folder, also where a shell leaves it, as in `--data-dir=~/data`."""

import shutil

import click
import pytest

from idxhub.catalog import builtin
from idxhub.cli import commands
from idxhub.cli.files import OptionPath

SAMPLE = "fashion-mnist-sample"


@pytest.fixture
def home(tmp_path, monkeypatch):
    """The home folder, with the sample's files in `data`; the working folder is another one."""
    home, here = tmp_path / "home", tmp_path / "here"
    here.mkdir()
    (sample,) = builtin.dataset(SAMPLE).folders
    shutil.copytree(sample, home / "data")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("USERPROFILE", str(home))
    monkeypatch.chdir(here)
    return home


@pytest.mark.parametrize(
    ("arguments", "shows"),
    [
        (["get", SAMPLE, "--data-dir=~/data"], "{home}/data/train-images-idx3-ubyte.gz"),
        (["get", SAMPLE, "--to=~/new"], "{home}/new/train-images-idx3-ubyte.gz"),
        (["verify", SAMPLE, "--data-dir=~/data"], "{home}/data/train-images-idx3-ubyte.gz"),
        (["export", "npz", SAMPLE, "sample.npz", "--data-dir=~/data"], "sample.npz"),
        (["board", "export", "{home}/none.jsonl", "--output=~/data"], "'{home}/data' is a directory"),
        (["bench", "report", "{home}/none.jsonl", "--html=~/data"], "'{home}/data' is a directory"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_tilde_is_the_home_folder(arguments, shows, run, home):
    (home / "none.jsonl").write_text("")
    result = run(*(argument.format(home=home) for argument in arguments))
    assert shows.format(home=home) in result.output.replace("\\", "/")
    assert "~" not in result.output


def test_every_path_of_an_option_is_taken_in_this_way(run):
    found = []

    def look_at(command, *words):
        for option in command.params:
            if isinstance(option, click.Option) and isinstance(option.type, click.Path):
                found.append((*words, option.name))
                assert isinstance(option.type, OptionPath), (*words, option.name)
        if isinstance(command, click.Group):
            context = click.Context(command)
            for name in command.list_commands(context):
                look_at(command.get_command(context, name), *words, name)

    look_at(commands)
    assert {("get", "to"), ("plot", "mistakes", "predictions"), ("bench", "report", "readme")} <= {*found}
