"""With `--json`, standard output has the JSON alone, whatever plugins print and whichever streams are closed."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from support.command import COMMAND, SAMPLE
from support.installed import install

LOUD = """
    import os, subprocess, sys
    import click
    from idxhub import ExportFormat, hookimpl
    from idxhub.conformance import Subject

    children = iter(["print('CHILD')"])

    def shout():
        print("PRINTED")
        sys.stdout.flush()
        sys.stdout.write("WRITTEN")
        click.echo("ECHOED")
        for descriptor in (1, 2):
            try:
                os.write(descriptor, b"DESCRIPTOR")
            except OSError:
                pass
        for code in children:  # once
            subprocess.run([sys.executable, "-c", code], check=True)

    @hookimpl
    def idxhub_dataset(split, options):
        shout()
        return (split.images, split.labels)

    @hookimpl
    def idxhub_batch(images, labels):
        shout()
        return (images, labels)

    class Exporter:
        @hookimpl
        def idxhub_export_format(self):
            shout()
            return ExportFormat("Nothing.", is_folder=False, suffix=".x", options={})

        @hookimpl
        def idxhub_export(self, splits, path, options, progress):
            shout()
            path.write_bytes(b"nothing")
            sys.stdout.close()

    exporter = Exporter()

    def batches(native, size):
        shout()
        images, labels = native
        return [(images[i : i + size], labels[i : i + size]) for i in range(0, len(images), size)]

    subject = Subject(framework="loud", batches=batches)
"""
ENTRY_POINTS = """
[idxhub.adapters]
loud = loud_plugin
[idxhub.exporters]
loud = loud_plugin:exporter
[idxhub.conformance]
loud = loud_plugin:subject
"""


@pytest.fixture
def environment(tmp_path):
    install(tmp_path / "installed", "loud", entry_points=ENTRY_POINTS, modules={"loud_plugin": LOUD})
    return os.environ | {"PYTHONPATH": str(tmp_path / "installed"), "IDXHUB_OFFLINE": "1"}


@pytest.mark.skipif(sys.platform == "win32", reason="needs a POSIX shell")
@pytest.mark.parametrize(
    ("arguments", "closed"),
    [
        ("demo --json", ""),
        ("conformance loud --json", ""),
        *((f"export loud {SAMPLE} out --json", closed) for closed in ("", "2>&-", "<&-", "<&- 2>&-")),
        (f"export loud {SAMPLE} / --json", "2>&-"),
    ],
)
def test_what_a_plugin_prints_is_not_in_the_json(arguments, closed, environment, tmp_path):
    line = f'exec "{sys.executable}" -m idxhub {arguments} {closed}'
    done = subprocess.run(
        ["/bin/sh", "-c", line], env=environment, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120
    )
    assert isinstance(json.loads(done.stdout), dict), done.stderr
    assert "Traceback" not in done.stderr
    if "2>&-" not in closed:
        assert {"PRINTED", "WRITTENECHOED", "CHILD"} <= set(done.stderr.replace("DESCRIPTOR", "").split())


def test_the_help_is_on_standard_output_even_with_json():
    for arguments in (["list", "--json", "--help"], ["export", "-h", "--json"]):
        done = subprocess.run([*COMMAND, *arguments], capture_output=True, text=True, check=True)
        assert done.stdout.startswith("Usage: ")
