"""What holds for every format: the same bytes each time, nothing beside the result, few images at a time."""

from __future__ import annotations

import os
import sys
from dataclasses import replace

import numpy as np
import pytest
from support import made
from support.exports import digests, temporary_folder
from support.processes import python, without

import idxhub
from idxhub_export import mds


def test_the_same_data_gives_the_same_bytes(format_name, odd, tmp_path):
    if format_name == "lance":
        pytest.skip("Lance gives its files random names, and notes the time")
    (tmp_path / "one").mkdir()
    (tmp_path / "other").mkdir()
    first = odd.export(format_name, tmp_path / "one" / "result")
    second = odd.export(format_name, tmp_path / "other" / "result")
    assert digests(first) == digests(second)


def test_nothing_else_is_left(format_name, odd, tmp_path):
    folder = tmp_path / "here"
    folder.mkdir()
    path = odd.export(format_name, folder / "result")
    assert path == folder / "result"
    assert list(folder.iterdir()) == [path]
    assert path.is_dir() == idxhub.Plugins().exporter(format_name).format.is_folder


def test_progress_comes_to_the_number_of_examples(format_name, odd, tmp_path):
    counts = []
    odd.export(format_name, tmp_path / "result", progress=counts.append)
    assert sum(counts) == 30 + 7 + 12


def test_an_error_of_progress_is_raised_as_it_is(format_name, odd, tmp_path):
    """So a caller can end an export."""

    def end(count):
        raise EOFError(count)

    with pytest.raises(EOFError, match=r"^[0-9]+$"):
        odd.export(format_name, tmp_path / "result", progress=end)
    assert not (tmp_path / "result").exists()


def test_the_list_knows_it_without_an_import(format_name):
    summary = next(each for each in idxhub.Plugins().summarize_exporters() if each.name == format_name)
    assert summary.description.endswith(".")
    assert summary.missing == ()


def test_an_option_that_does_not_exist(format_name, odd, tmp_path):
    with pytest.raises(idxhub.errors.UnknownNameError, match=f"unknown {format_name} option 'colour'"):
        odd.export(format_name, tmp_path / "result", colour="red")


@pytest.mark.parametrize("split", ["train[:0]", "train[:1]"])
def test_splits_of_none_and_of_one(format_name, odd, tmp_path, split):
    """An empty split is exported or refused with an error of idxhub's."""
    try:
        odd.export(format_name, tmp_path / "result", splits=split)
    except idxhub.errors.IdxHubError:
        assert split == "train[:0]"
        assert not (tmp_path / "result").exists()


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such names")
@pytest.mark.parametrize("name", ["a\nb", os.fsdecode(b"a\xffb"), "%41 é"])
def test_a_path_with_unusual_characters(format_name, odd, tmp_path, name):
    """The result is there; or nothing is, if the format's library could not write there."""
    folder = tmp_path / "here"
    folder.mkdir()
    if format_name in ("arrayrecord", "lance", "parquet") and not name.isprintable():
        with pytest.raises(idxhub.errors.ArgumentError, match="it must be Unicode without control characters"):
            odd.export(format_name, folder / name)
        assert list(folder.iterdir()) == []
    else:
        odd.export(format_name, folder / name)
        assert digests(folder / name)
        assert [each.name for each in folder.iterdir()] == [name]


def test_mds_refuses_a_shard_whose_offsets_would_not_fit(odd, tmp_path, monkeypatch):
    """It may have 4 GiB; here some kB, for a shorter test. Its library is not needed, so this is not in `test_mds`."""
    monkeypatch.setattr(mds, "_LARGEST", 2_000)
    with pytest.raises(idxhub.errors.ArgumentError, match="examples_per_shard is 30; it must be smaller"):
        odd.export("mds", tmp_path / "out", splits="train")
    assert not (tmp_path / "out").exists()
    odd.export("mds", tmp_path / "out", splits="train", examples_per_shard=10)


def test_few_images_are_read_at_a_time(format_name, fashion_mnist, tmp_path):
    """No progress is reported of more than a few MiB of pixels."""
    counts = []
    fashion_mnist.export(format_name, tmp_path / "result", splits="test", progress=counts.append)
    assert sum(counts) == 10_000
    if format_name != "idx.gz":  # whose files are taken as they are
        assert np.max(counts) < 6_000


EXPORTING_TWO = """
    import gc
    import idxhub

    def anonymous():
        with open("/proc/self/status") as status:
            return next(int(line.split()[1]) for line in status if line.startswith("RssAnon")) / 1024

    datasets, format_name, folder, options = given
    peaks = []
    for number, (spec, data_dir) in enumerate([datasets[0], datasets[0], datasets[1]]):
        seen = [anonymous()]
        path = folder / f"result-{number}"
        idxhub.export(
            spec, format_name, path, data_dir=data_dir, progress=lambda _: seen.append(anonymous()), **options
        )
        peaks.append(max(seen))
    print(*peaks)
"""


@pytest.fixture(scope="session")
def a_small_and_a_large_one(tmp_path_factory, shared_cache):
    """Two datasets, of 4.7 and of 31 MiB of pixels that cannot be compressed; their arrays are in the cache."""
    found = []
    with temporary_folder(tmp_path_factory, "two") as folder:
        for count in (1_200, 8_000):
            dataset = made.make(folder / str(count), sizes={"train": count, "test": 10}, shape=(64, 64))
            spec = replace(dataset.spec, name=f"toy-{count}")
            idxhub.load(spec, "all", data_dir=dataset.folder, cache_dir=shared_cache, download=False)
            found.append((spec, dataset.folder))
        yield found


def test_the_memory_does_not_grow_with_the_dataset(format_name, a_small_and_a_large_one, shared_cache, tmp_path):
    """What the process allocates, without the pages of the arrays that it has mapped."""
    if not os.path.exists("/proc/self/status"):
        without("Linux's /proc")
    if format_name == "lance":
        pytest.skip("the buffers of Lance's library are larger than this dataset")
    options = {"cache_dir": shared_cache, "download": False}
    if format_name == "idx.gz":  # a published file is taken as it is, and so read whole
        options["recompress"] = True
    given = (a_small_and_a_large_one, format_name, tmp_path, options)
    _, small, large = map(float, python(EXPORTING_TWO, given=given).stdout.split())
    print(f"{format_name}: {small:.0f} MiB, {large:.0f} MiB of a dataset seven times as large")  # noqa: T201 -- with -rP
    assert large - small < 16
