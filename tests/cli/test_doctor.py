"""`idxhub doctor`: the settings, the cache, the frameworks and the mirrors as they are here."""

from __future__ import annotations

import json
import os
from importlib.metadata import PackageNotFoundError, distribution
from textwrap import dedent

import pytest
from support.command import rows
from support.installed import ADAPTER, install
from support.processes import python, python_mounted

import idxhub
from idxhub.cli import doctor


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
        print(doctor._find_cache_problem(doctor.cache_root()), sorted(set(os.listdir("/mnt")) - {"full"}))
    """
    seen = python_mounted(mount, code, f"/mnt/{below}").stdout
    assert seen == f"{why}{' (/mnt)' if below else ''} []\n"


def test_doctor_finds_a_mirror_that_cannot_be_one(run, monkeypatch):
    monkeypatch.setenv("IDXHUB_MIRRORS", "/srv, ftp://me:secret@example.org/files")
    result = run("doctor")
    assert result.exit_code == 1
    assert result.stdout.count("PROBLEM: IDXHUB_MIRRORS is 'ftp://example.org/files'; it must be ") == 1
    assert "secret" not in result.stdout.partition("PROBLEM")[2]


def test_doctor_reports_mirrors_that_cannot_be_read(run, monkeypatch):
    monkeypatch.setenv("IDXHUB_MIRRORS", "http://user:a,b,SECRET@host/x")
    result = run("doctor")
    assert (result.exit_code, result.stderr) == (1, "")
    assert result.stdout.count("PROBLEM: IDXHUB_MIRRORS is '(not shown)'; it must be mirrors with commas") == 1
    report = json.loads(run("doctor", "--json").stdout)
    assert report["settings"]["IDXHUB_MIRRORS"] == "(not shown)"
    assert set(report["datasets"]) == set(idxhub.datasets())
    assert report["download"] is False
    assert "SECRET" not in result.stdout + json.dumps(report)


def test_doctor_shows_the_version_of_all_that_is_required(run):
    required = [each for each in distribution("idxhub").requires if "extra" not in each]
    shown = run("doctor").stdout.splitlines()[1]
    assert len(required) == len(shown.split(", "))
    assert f"xxhash {distribution('xxhash').version}" in shown.split(", ")


@pytest.mark.parametrize("missing", ["xxhash", "idxhub"])
def test_doctor_works_where_a_distribution_is_missing(missing, run, monkeypatch):
    def found(name):
        if name == missing:
            raise PackageNotFoundError(name)
        return distribution(name)

    monkeypatch.setattr(doctor, "distribution", found)
    packages = json.loads(run("doctor", "--json").stdout)["packages"]
    assert packages == {} if missing == "idxhub" else packages["xxhash"] is None
    assert ("xxhash (not installed)" in run("doctor").stdout) == (missing == "xxhash")


def test_doctor_shows_a_framework_that_is_there_under_another_name(tmp_path):
    modules = {"bigframe": "", "adapter": f"import bigframe\n{dedent(ADAPTER)}"}
    install(tmp_path, "bigframe_cpu", version="2.5", top_level="bigframe\n", modules=modules)
    needs = ("Provides-Extra: big", 'Requires-Dist: bigframe>=2; extra == "big"')
    install(tmp_path, "adapters_of_big", *needs, entry_points="[idxhub.adapters]\nbig = adapter\n")
    environment = os.environ | {"PYTHONPATH": str(tmp_path)}
    done = python("from idxhub.cli import commands; commands(['doctor'])", env=environment)
    assert ["big", "installed", "bigframe_cpu", "2.5"] in rows(done.stdout)


MIRRORS = "https://me:sec%2Cret@one.example/{dataset}, HTTP://two.example,/srv/files"


@pytest.mark.parametrize(("offline", "mark"), [("", ""), ("1", " (not tried: IDXHUB_OFFLINE is set)")])
def test_doctor_shows_ones_own_mirrors_first(offline, mark, run, monkeypatch):
    monkeypatch.setenv("IDXHUB_MIRRORS", MIRRORS)
    monkeypatch.setenv("IDXHUB_OFFLINE", offline)
    lines = run("doctor").stdout.partition("\nmnist: ")[2].partition("\n\n")[0].splitlines()
    shown = [line for line in lines if "://" in line]
    assert shown[:2] == [f"  https://one.example/mnist{mark}", f"  HTTP://two.example{mark}"]
    assert len(shown) > 2
    assert all(line.endswith("not tried: IDXHUB_OFFLINE is set)") == bool(offline) for line in shown)
    assert "  /srv/files (does not exist)" in lines
    report = json.loads(run("doctor", "--json").stdout)
    assert report["settings"]["IDXHUB_MIRRORS"] == "https://one.example/{dataset}, HTTP://two.example, /srv/files"
    assert report["download"] == (not offline)
    assert report["datasets"]["mnist"]["mirrors"][0] == "https://one.example/mnist"
