"""Data loaded while Python ends: right for as long as anything can be imported, and then an error that says so."""

from __future__ import annotations

from textwrap import dedent

import pytest
from support.processes import python

LOAD = """
    import atexit, os, sys, threading, time
    import idxhub

    warm, cache_dir = sys.argv[1] == "warm", sys.argv[2]
    if warm:
        idxhub.load("fashion-mnist-sample", cache_dir=cache_dir)

    # bound as defaults: a module's globals go before its objects do
    def load(get_loader=idxhub.get_loader, error=idxhub.errors.IdxHubError, write=os.write, cache_dir=cache_dir):
        try:
            loader = get_loader("fashion-mnist-sample", batch_size=500, prefetch=2, cache_dir=cache_dir)
            write(1, b"%d" % sum(int(labels.sum()) for _, labels in loader))
        except error as problem:
            write(1, str(problem).encode())
"""
MOMENTS = {
    "in a function of atexit": "atexit.register(load)",
    "in a thread that outlives the main one": """
        def late():
            threading.main_thread().join()
            load()

        threading.Thread(target=late).start()
    """,
}


@pytest.mark.parametrize("cache", ["cold", "warm"])
@pytest.mark.parametrize("moment", MOMENTS)
def test_data_are_loaded(moment, cache, tmp_path):
    assert _run(MOMENTS[moment], cache, tmp_path) == "9000"


@pytest.mark.parametrize("cache", ["cold", "warm"])
def test_when_nothing_can_be_imported_an_error_says_so(cache, tmp_path):
    last = """
        class Last:
            def __del__(self, load=load):
                load()

        last = Last()  # a global of __main__, which is emptied before other modules are
    """
    assert _run(last, cache, tmp_path).startswith("Python is shutting down; load the data before that")


def _run(moment, cache, tmp_path):
    return python(dedent(LOAD) + dedent(moment), cache, tmp_path / "cache").stdout
