"""What holds for every format: the same bytes each time, nothing beside the result, few images at a time."""

from __future__ import annotations

import numpy as np
import pytest
from support.exports import digests

import idxhub


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


def test_the_list_knows_it_without_an_import(format_name):
    summary = next(each for each in idxhub.Plugins().summarize_exporters() if each.name == format_name)
    assert summary.description.endswith(".")
    assert summary.missing == ()


def test_an_option_that_does_not_exist(format_name, odd, tmp_path):
    with pytest.raises(idxhub.errors.UnknownNameError, match=f"unknown option of {format_name} 'colour'"):
        odd.export(format_name, tmp_path / "result", colour="red")


@pytest.mark.parametrize("split", ["train[:0]", "train[:1]"])
def test_splits_of_none_and_of_one(format_name, odd, tmp_path, split):
    """An empty split is exported or refused with an error of idxhub's."""
    try:
        odd.export(format_name, tmp_path / "result", splits=split)
    except idxhub.errors.IdxHubError:
        assert split == "train[:0]"
        assert not (tmp_path / "result").exists()


def test_few_images_are_read_at_a_time(format_name, fashion_mnist, tmp_path):
    """No progress is reported of more than a few MiB of pixels, and there are many reports of a large dataset."""
    counts = []
    fashion_mnist.export(format_name, tmp_path / "result", progress=counts.append)
    assert sum(counts) == 70_000
    if format_name != "idx.gz":  # whose files are taken as they are
        assert np.max(counts) <= 10_000
