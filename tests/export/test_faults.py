"""An export that is ended in the middle, by a signal or by a full disk, in every format.

Afterwards nothing is at its path, or what was there before, and the next export into the same folder leaves nothing
else beside its result.
"""

from __future__ import annotations

import errno
import signal

import pytest
from support import calls, made
from support.exports import check_full_disk, digests, end_by, export_that_waits

import idxhub


@pytest.fixture
def here(tmp_path):
    folder = tmp_path / "here"
    folder.mkdir()
    return folder


@pytest.mark.parametrize("force", [False, True])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL], ids=str)
def test_a_signal_in_the_middle(format_name, odd, here, number, force):
    path = here / "result"
    if force:
        odd.export(format_name, path, splits="test")
        before = digests(path)
    with export_that_waits(odd.spec, format_name, path, data_dir=odd.data_dir, force=force) as child:
        (temporary,) = set(here.iterdir()) - {path}
        assert temporary.name.startswith(".result.")
        end_by(number, child)
    assert path.exists() == force
    assert temporary.exists() == (number == signal.SIGKILL)
    if force:
        assert digests(path) == before
    odd.export(format_name, path, force=force)
    assert list(here.iterdir()) == [path]
    assert not force or digests(path) != before


@pytest.mark.parametrize("force", [False, True])
def test_the_disk_is_full(format_name, here, tmp_path, force):
    dataset = made.make(tmp_path / "published", sizes={"train": 700, "test": 700}, shape=(28, 28))
    sizes = ("200k", "300k", "400k") if force else ("64k", "200k", "400k")
    check_full_disk(dataset.spec, dataset.folder, format_name, here / "result", sizes, force=force)


@pytest.fixture
def warm(odd, tmp_path):
    """The dataset, whose arrays are in the cache: nothing but the export writes."""
    odd.export("idx", tmp_path / "warm")
    return odd


@pytest.mark.parametrize(("error", "says"), [("EACCES", "Permission denied"), ("EROFS", "Read-only file system")])
def test_a_folder_that_cannot_be_written(warm, here, error, says):
    with (
        calls.wrapped(calls.fail(getattr(errno, error), "mkdir")),
        pytest.raises(idxhub.errors.ExportError, match=f"{says}; name a path that can be written"),
    ):
        warm.export("npz", here / "result")
    assert list(here.iterdir()) == []


@pytest.mark.parametrize("chosen", ["npz", "idx"])
@pytest.mark.parametrize("call", ["mkdir", "fsync", "link"])
def test_a_disk_that_fails_after_some_calls(warm, here, tmp_path, call, chosen):
    """From the first such call on, from the second one, and so on to the last."""
    passed = calls.boundaries(lambda: warm.export(chosen, tmp_path / "counted"))
    count = sum((each.call, each.moment) == (call, "before") for each in passed)
    assert count or (call, chosen) == ("link", "idx")  # a folder is put in place by `os.rename`
    for number in range(1, count + 1):
        with (
            calls.wrapped(calls.fail(errno.EIO, call, number)),
            pytest.raises(idxhub.errors.ExportError, match="Input/output error"),
        ):
            warm.export(chosen, here / "result")
        if (call, number) == ("fsync", count):  # of the folder of a result that is in its place already
            assert [each.name for each in here.iterdir()] == ["result"]
            warm.export(chosen, here / "result", force=True)
        else:
            assert list(here.iterdir()) == []
