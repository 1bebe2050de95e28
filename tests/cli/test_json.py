"""The keys of each subcommand's JSON are those that docs/reference/json.md lists, no more and no fewer."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest
from support.command import SAMPLE

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "reference" / "json.md"


def documented(section):
    """The key paths in the tables of one section; in angle brackets what varies."""
    text = PAGE.read_text(encoding="utf-8").partition(f"\n## {section}\n")[2].partition("\n## ")[0]
    cells = [line.split(" | ")[0] for line in text.splitlines() if line.startswith("| `")]
    return {key for cell in cells for key in re.findall(r"`([^`]+)`", cell)}


def paths(data, prefix=""):
    """Each key path of a document: `a.b[].c`."""
    if isinstance(data, dict) and data:
        return {found for key, value in data.items() for found in paths(value, f"{prefix}.{key}" if prefix else key)}
    if isinstance(data, list) and data:
        return {found for each in data for found in paths(each, f"{prefix}[]")}
    return {prefix}


def matches(pattern, path):
    parts = re.split(r"<\w+>", pattern)
    return re.fullmatch(".+".join(map(re.escape, parts)), path) is not None


@pytest.fixture
def folder(tmp_path):
    """A folder with the sample's files, of which one has other content."""
    copied = tmp_path / "fashion-mnist"
    shutil.copytree(ROOT / "core" / "idxhub" / "catalog" / "sample", copied)
    (copied / "t10k-labels-idx1-ubyte.gz").write_bytes(b"no")
    return copied


DOCUMENTS = {
    "list": [["list"]],
    "info": [["get", SAMPLE], ["info", SAMPLE], ["info", "emnist-letters"]],
    "get": [["get", SAMPLE], ["get", SAMPLE, "--to", "{folder}/to"]],
    "verify": [["verify", SAMPLE], ["verify", SAMPLE, "--data-dir", "{folder}"]],
    "audit": [["audit", "{folder}"], ["audit", "{folder}", "--adopt"]],
    "cache": [["get", SAMPLE], ["cache"], ["cache", "--remove", "--yes"]],
    "doctor": [["doctor"]],
    "demo": [["demo", "--offline"]],
    "conformance": [["conformance", "numpy"]],
    "Errors": [["info", "nope"], ["get", "mnist"], ["get", "--nope"], ["verify", SAMPLE, "--data-dir", "/nope"]],
}
# they depend on the frameworks of the environment, or have no value in these documents
NOT_SEEN_HERE = {"frameworks[].missing", "frameworks[].broken", "problems[]", "mixed[]", "adopted[].failure"}


@pytest.mark.parametrize("section", DOCUMENTS)
def test_the_keys_are_the_documented_ones(section, run, folder):
    wanted = documented(section)
    if section == "info":  # what `list` has of each
        wanted |= {key.removeprefix("[].") for key in documented("list")}
    seen = set()
    for arguments in DOCUMENTS[section]:
        result = run(*(each.format(folder=folder) for each in arguments), "--json")
        assert result.stdout.isascii()
        if section in (arguments[0], "Errors"):
            seen |= paths(json.loads(result.stdout))
    # an empty list, and null for an object
    empty = {
        path for path in seen if any(matches(each, path + suffix) for each in wanted for suffix in ("[]", ".x", ".x.x"))
    }
    assert {path for path in seen - empty if not any(matches(pattern, path) for pattern in wanted)} == set()
    assert {each for each in wanted if not any(matches(each, path) for path in seen)} <= NOT_SEEN_HERE


@pytest.mark.parametrize(
    ("arguments", "status", "kind"),
    [
        (["info", "nope"], 2, "UnknownNameError"),
        (["get", "mnist"], 1, "DownloadError"),
        (["list", "--nope"], 2, "NoSuchOption"),
        (["list", "more"], 2, "UsageError"),
        (["conformance", "nope"], 2, "UnknownNameError"),
        (["--nope", "list"], 2, "NoSuchOption"),
        (["--nope"], 2, "NoSuchOption"),
    ],
)
def test_an_error_is_json_too_and_its_status_the_same(arguments, status, kind, run):
    plain, asked = run(*arguments), run(*arguments, "--json")
    assert plain.exit_code == asked.exit_code == status
    assert json.loads(asked.stdout)["error"]["type"] == kind
    assert asked.stderr == plain.stdout == ""


def test_after_two_dashes_json_is_an_argument(run):
    result = run("info", "--", "--json")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "unknown dataset '--json'" in result.stderr
