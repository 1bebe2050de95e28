"""Processor time of a process and those below it, whatever becomes of them."""

from __future__ import annotations

import subprocess
import sys

import pytest

from idxhub_bench.load import memory

pytestmark = pytest.mark.skipif(not memory.available(), reason="processor time below is counted by Linux's /proc")

# a parent whose child has worked for 0.3 s and ends, with nothing to do, when the clock runs; and asks for it, or not
PARENT = """
import os, signal, sys, time
if sys.argv[1] == "unasked":
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
reading, writing = os.pipe()
child = os.fork()
if not child:
    os.close(writing)
    while time.process_time() < 0.3:
        pass
    print("worked", flush=True)
    os.read(reading, 1)
    while time.process_time() < 0.3 + float(sys.argv[2]):
        pass
    os._exit(0)
sys.stdin.readline()
os.close(writing)
try:
    os.waitpid(child, 0)
except ChildProcessError:  # the kernel has seen to it
    pass
print("gone", flush=True)
sys.stdin.readline()
"""


@pytest.mark.parametrize("more", [0.0, 0.2])
@pytest.mark.parametrize("manner", ["asked", "unasked"])
def test_a_process_that_ends_is_counted_from_the_start_of_the_clock(manner, more):
    command = [sys.executable, "-c", PARENT, manner, str(more)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdin
        assert parent.stdout
        assert parent.stdout.readline() == "worked\n"
        clock = memory.Clock()
        print(file=parent.stdin, flush=True)
        assert parent.stdout.readline() == "gone\n"
        spent = clock.seconds()
        parent.stdin.close()
    assert 0 <= spent < 0.3 + more  # what it had worked before is not counted
    if manner == "asked":
        assert spent >= more - 0.02  # counted in hundredths, twice


def test_a_process_that_begins_and_ends_meanwhile_is_counted():
    clock = memory.Clock()
    subprocess.run([sys.executable, "-c", "import time\nwhile time.process_time() < 0.2: pass"], check=True)
    assert 0.18 <= clock.seconds() < 1.0
