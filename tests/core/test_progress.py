"""The progress bar: seen on a terminal, and never the reason that a load fails or waits."""

import os
import subprocess
import sys

import pytest
from support.processes import program_with, python, without
from support.server import trickle
from support.terminal import shown_on_a_terminal

DOWNLOAD = """
    import os, sys, threading

    def raises(error):
        def call(*_):
            raise error
        return call

    def stream(**methods):
        terminal = {{"encoding": "utf-8", "isatty": lambda _: True, "write": lambda *_: 0, "flush": lambda _: 0}}
        return type("Stream", (), terminal | methods)()

    {stderr}
    from idxhub import Plugins, load

    split = load(given, "train", plugins=Plugins([]))
    assert len(split) == 30
    assert all(record.source.startswith("http:") for record in split.info.records)
    sys.stderr = sys.__stderr__  # flushed by Python at its end
"""
STREAMS = {
    "None, as under pythonw": "sys.stderr = None",
    "closed": "sys.stderr.close()",
    "a descriptor that is closed": "os.close(2)",
    "without isatty": "sys.stderr = type('Stream', (), {'write': lambda *_: 0})()",
    "any object": "sys.stderr = object()",
    "isatty raises": "sys.stderr = stream(isatty=raises(OSError(5, 'gone')))",
    "a pipe that nobody reads": "sys.stderr = stream(write=raises(BrokenPipeError(32, 'Broken pipe')))",
    "flush raises": "sys.stderr = stream(flush=raises(BrokenPipeError(32, 'Broken pipe')))",
    "write raises anything": "sys.stderr = stream(write=raises(RuntimeError('no')))",
    "an unknown encoding": "sys.stderr = stream(encoding='none such')",
    "tqdm's own lock is held": "import tqdm; sys.stderr = stream(); tqdm.tqdm.get_lock().acquire()",
    "a format for tqdm that makes no sense": "sys.stderr = stream(); os.environ['TQDM_BAR_FORMAT'] = '{{no such}}'",
    "a setting with which tqdm cannot be imported": "sys.stderr = stream(); os.environ['TQDM_MININTERVAL'] = 'often'",
}


@pytest.fixture
def spec(toy, server):
    """A dataset whose two files arrive slowly, at the same time."""
    for resource in toy.spec.resources:
        body = toy.bytes(resource)
        server.route(f"/{resource.filename}", trickle(body, 0.1, step=len(body) // 5))
    return toy.mirrored(server.url)


@pytest.mark.parametrize("stream", STREAMS)
def test_whatever_stderr_is_two_downloads_at_once_succeed(spec, stream):
    python(DOWNLOAD.format(stderr=STREAMS[stream]), given=spec)


def test_silent_if_stderr_is_no_terminal(spec):
    assert python(DOWNLOAD.format(stderr=""), given=spec).stderr == ""


@pytest.fixture
def command(spec):
    """A child that downloads."""
    with program_with(DOWNLOAD.format(stderr=""), spec) as program:
        yield [sys.executable, "-c", program]


def test_a_bar_on_a_terminal(command, toy):
    seen = shown_on_a_terminal(command, stdout=subprocess.DEVNULL)
    assert toy.train_images.filename in seen
    assert "%" in seen


def test_a_terminal_that_nobody_reads_holds_nothing_up(command):
    assert shown_on_a_terminal(command, stdout=subprocess.DEVNULL, read=False, full=True) == ""


def test_a_fork_in_the_middle_of_a_download_holds_nothing_up(spec):
    if not hasattr(os, "fork"):
        without("fork (POSIX)")
    stderr = """
    sys.stderr = stream()
    from idxhub.acquire import progress

    def fork():
        if not os.fork():
            bar = progress.ProgressBar("x", 10)
            bar.update(1)
            bar.close()
            os._exit(7)

    with progress._lock:  # as this thread has it while it draws
        other = threading.Thread(target=fork)
        other.start()
        other.join()
        assert os.waitstatus_to_exitcode(os.wait()[1]) == 7
    """
    python(DOWNLOAD.format(stderr=stderr.strip()), given=spec)
