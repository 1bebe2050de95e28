"""Entry points as read here are those that importlib.metadata gives."""

import sys
import zipfile
from importlib import metadata

import pytest
from support.installed import install
from support.processes import python

from idxhub.plugins import entry_points as manifest


def facts(found):
    return sorted((each.name, each.value, each.group, each.dist.name) for each in found)


def both(group):
    return facts(manifest.entry_points(group)), facts(metadata.entry_points(group=group))


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The only folder on `sys.path`, and before it one that is not there."""
    monkeypatch.setattr(sys, "path", [str(tmp_path / "absent"), str(tmp_path)])
    return tmp_path


@pytest.mark.parametrize("group", ["idxhub.adapters", "idxhub.conformance", "console_scripts", "pytest11", "nothing"])
def test_of_this_environment(group):
    ours, theirs = both(group)
    assert ours == theirs


@pytest.mark.parametrize(
    "text",
    [
        "[g]\na = module\nb=module:object.attribute\n",
        "# first\n[other]\na = no\n\n[g]\n\n# a = no\n  b  =  module : object [extra]  \n[g2]\nc = no\n",
        "[g]\nä = module\na.b-c = package.module\n[other]\nd = no\n[g]\ne = again\n",
        "",
    ],
)
def test_of_a_made_distribution(folder, text):
    install(folder, "made", entry_points=text)
    ours, theirs = both("g")
    assert ours == theirs
    assert bool(ours) == bool(text)


def test_the_first_of_one_name_counts(folder):
    install(folder, "my_thing", entry_points="[g]\nold = module\n")
    install(folder / "front", "My.Thing", version="2.0", entry_points="[g]\nnew = module\n")
    (folder / "flat-1.0.egg-info").write_text("Name: flat\n")
    sys.path.insert(0, str(folder / "front"))
    ours, theirs = both("g")
    assert ours == theirs
    assert [name for name, *_ in ours] == ["new"]


def test_what_lies_in_a_zip_file_is_found_too(folder):
    archive = folder / "packed.zip"
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("packed-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: packed\nVersion: 1.0\n")
        file.writestr("packed-1.0.dist-info/entry_points.txt", "[g]\na = module\n")
    sys.path.insert(0, str(archive))
    assert both("g")[0] == both("g")[1] == [("a", "module", "g", "packed")]


def test_what_another_importer_knows_is_found_too(folder, monkeypatch):
    info = install(folder / "elsewhere", "other", entry_points="[g]\na = module\n")

    class Finder(metadata.DistributionFinder):
        @classmethod
        def find_spec(cls, *_):
            return None

        @classmethod
        def find_distributions(cls, context):
            return [metadata.Distribution.at(info)]

    monkeypatch.setattr(sys, "meta_path", [*sys.meta_path, Finder])
    assert both("g")[0] == both("g")[1] == [("a", "module", "g", "other")]


@pytest.mark.parametrize("value", ["json", "json:dumps", "json : JSONEncoder.encode [extra]"])
def test_loading(value):
    ours = manifest.EntryPoint("a", value, "g", "").load()
    assert ours is metadata.EntryPoint("a", value, "g").load()


def test_a_warm_call_does_without_the_metadata_reader(tmp_path):
    code = """
        import sys, idxhub
        idxhub.get_dataset("fashion-mnist-sample", cache_dir=sys.argv[1])
        print("importlib.metadata" in sys.modules)
    """
    python(code, tmp_path)
    assert python(code, tmp_path).stdout == "False\n"
