"""The progress bar: seen on a terminal, and never the reason that a load fails or waits."""

import os
import pickle
import subprocess
import sys
import textwrap

import pytest
from support.processes import python, without
from support.server import trickle

DOWNLOAD = """
    import os, pickle, sys, threading

    def raises(error):
        def call(*_):
            raise error
        return call

    def stream(**methods):
        terminal = {{"encoding": "utf-8", "isatty": lambda _: True, "write": lambda *_: 0, "flush": lambda _: 0}}
        return type("Stream", (), terminal | methods)()

    {stderr}
    from idxhub import Plugins, load

    spec, cache = pickle.load(open(sys.argv[1], "rb"))
    split = load(spec, "train", cache_dir=cache, plugins=Plugins([]))
    print(len(split), *(record.source.split(":")[0] for record in split.info.records))
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
    "an encoding that there is not": "sys.stderr = stream(encoding='none such')",
    "tqdm's own lock is held": "import tqdm; sys.stderr = stream(); tqdm.tqdm.get_lock().acquire()",
    "a format for tqdm that makes no sense": "sys.stderr = stream(); os.environ['TQDM_BAR_FORMAT'] = '{{no such}}'",
}


@pytest.fixture
def told(toy, server, tmp_path, cache_dir):
    """A file that tells a child the spec and the cache; both files arrive slowly, at the same time."""
    for resource in toy.spec.resources:
        body = toy.bytes(resource)
        server.route(f"/{resource.filename}", trickle(body, 0.1, step=len(body) // 5))
    path = tmp_path / "told"
    path.write_bytes(pickle.dumps((toy.mirrored(server.url), cache_dir)))
    return path


@pytest.mark.parametrize("stream", STREAMS)
def test_whatever_stderr_is_two_downloads_at_once_succeed(told, stream):
    done = python(DOWNLOAD.format(stderr=STREAMS[stream]), told)
    assert done.stdout == "30 http http\n"


def test_silent_if_stderr_is_no_terminal(told):
    done = python(DOWNLOAD.format(stderr=""), told)
    assert (done.stdout, done.stderr) == ("30 http http\n", "")


def on_a_terminal(told, *, reads, prefilled=False):
    """What a child that downloads writes on its terminal, which is read or not."""
    try:
        import pty  # noqa: PLC0415 -- POSIX alone has these
        import termios  # noqa: PLC0415
    except ImportError:
        without("a pseudo-terminal (POSIX)")
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, 80))
    if prefilled:
        os.set_blocking(theirs, False)
        try:
            while os.write(theirs, bytes(100)):
                pass
        except BlockingIOError:
            os.set_blocking(theirs, True)
    code = textwrap.dedent(DOWNLOAD.format(stderr=""))
    with (
        os.fdopen(ours, "rb", buffering=0) as terminal,
        subprocess.Popen([sys.executable, "-c", code, str(told)], stderr=theirs, stdout=subprocess.PIPE) as child,
    ):
        os.close(theirs)
        seen = b""
        try:
            while reads and (block := terminal.read(1000)):
                seen += block
        except OSError:  # Linux's word for the end of a terminal
            pass
        try:
            assert child.communicate(timeout=60)[0] == b"30 http http\n"
        finally:
            child.kill()
    return seen.decode()


def test_a_bar_on_a_terminal(told, toy):
    seen = on_a_terminal(told, reads=True)
    assert toy.train_images.filename in seen
    assert "%" in seen


def test_a_terminal_that_nobody_reads_holds_nothing_up(told):
    assert on_a_terminal(told, reads=False, prefilled=True) == ""


def test_a_fork_in_the_middle_of_a_download_holds_nothing_up(told):
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
    assert python(DOWNLOAD.format(stderr=stderr.strip()), told).stdout == "30 http http\n"
