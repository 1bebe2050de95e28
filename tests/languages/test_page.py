"""The page shows the programs as they are; the script installs what they need, and says what it could not install."""

from __future__ import annotations

import os
import re
import shutil
import subprocess

import pytest
from support import languages
from support.languages import LANGUAGES, PACKAGES, PAGE, PROGRAMS, ROOT, Language, digests, page

BROKEN = Language("c", "C", "read_idx.c", "GCC", "exit 1", "c")


def test_the_page_shows_the_programs():
    assert PAGE.read_text(encoding="utf-8") == page(), "out of date: pytest tests/languages --write-page"


def shown(dataset):
    """The line of the digests in the page's table."""
    text = PAGE.read_text(encoding="utf-8")
    images, labels = (
        re.search(rf"^\| `{dataset}` \| the {what} \| `(\w{{64}})` \|$", text, re.MULTILINE)[1]
        for what in ("images", "labels")
    )
    return f"images {images} labels {labels}\n"


def test_the_page_has_the_digests_of_the_sample():
    assert shown("fashion-mnist-sample") == digests("fashion-mnist-sample")
    assert shown("fashion-mnist-sample") in PAGE.read_text(encoding="utf-8")  # as a program prints it


def test_the_page_has_the_digests_of_fashion_mnist(full_data_dir):
    assert shown("fashion-mnist") == digests("fashion-mnist", data_dir=full_data_dir)


def test_every_folder_is_in_the_table():
    folders = sorted(path.name for path in PROGRAMS.iterdir() if path.is_dir())
    assert folders == sorted(PACKAGES) == sorted(each.folder for each in LANGUAGES)


def test_a_language_that_is_not_installed_is_skipped(monkeypatch, tmp_path):
    monkeypatch.setattr(languages, "INSTALLED", tmp_path / "languages.txt")
    with pytest.raises(pytest.skip.Exception, match=r"C is not run: install Debian's gcc, libc6-dev"):
        BROKEN.need()


def test_a_language_that_the_script_has_installed_is_not_skipped(monkeypatch, tmp_path):
    (tmp_path / "languages.txt").write_text("c\n")
    monkeypatch.setattr(languages, "INSTALLED", tmp_path / "languages.txt")
    with pytest.raises(pytest.fail.Exception, match="says that they are installed"):
        BROKEN.need()


@pytest.fixture
def install(tmp_path):
    """Runs the script in a folder of its own, with an apt-get that cannot install Go."""
    (tmp_path / "tools").mkdir()
    (tmp_path / "bin").mkdir()
    script = shutil.copy(ROOT / "tools" / "install_languages.sh", tmp_path / "tools")
    apt = tmp_path / "bin" / "apt-get"
    apt.write_text('#!/bin/sh\ncase "$*" in *golang-go*) exit 100 ;; esac\n')
    apt.chmod(0o755)
    environment = os.environ | {"PATH": f"{apt.parent}{os.pathsep}{os.environ['PATH']}"}

    def run(*names):
        command = ["bash", script, *names]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        return done, (tmp_path / "build" / "languages.txt").read_text().split()

    return run


def test_one_language_that_cannot_be_installed_does_not_stop_the_others(install):
    done, installed = install()
    assert installed == [name for name in PACKAGES if name != "go"]
    assert done.returncode == 1
    assert "not installed: go: apt-get install golang-go\n" in done.stdout


def test_some_languages(install):
    done, installed = install("ruby", "lua")
    assert (done.returncode, installed) == (0, ["ruby", "lua"])
    assert install("r")[1] == ["ruby", "lua", "r"]
    done, installed = install("cobol")
    assert (done.returncode, installed) == (1, ["ruby", "lua", "r"])
    assert "cobol" in done.stdout
