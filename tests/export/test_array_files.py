"""`hdf5`, `zarr` and `safetensors`, read by h5py, zarr and safetensors."""

from __future__ import annotations

import functools
from dataclasses import replace

import numpy as np
import pytest
from support import made
from support.needs import need

import idxhub
from idxhub import errors


def by_h5py(path):
    with need("h5py").File(path) as file:
        return {name: file[name][:] for name in file}


def by_zarr(path):
    group = need("zarr").open_group(str(path), mode="r")
    return {name: array[:] for name, array in group.arrays()}


def by_safetensors(path):
    return need("safetensors.numpy").load_file(path)


READERS = {"hdf5": by_h5py, "zarr": by_zarr, "safetensors": by_safetensors}
WAYS = [
    *(pytest.param(name, {}, id=name) for name in READERS),
    pytest.param("hdf5", {"compress": True}, id="hdf5, compressed"),
    pytest.param("zarr", {"zarr_format": 2}, id="zarr, version 2"),
]


@pytest.mark.parametrize(("format_name", "options"), WAYS)
def test_readers(data, same, format_name, options):
    need({"hdf5": "h5py"}.get(format_name, format_name))
    arrays = READERS[format_name](data.exported(format_name, **options))
    assert sorted(arrays) == sorted(f"{letter}_{name}" for name in data.splits for letter in "xy")
    for name, split in data.splits.items():
        assert (arrays[f"x_{name}"].dtype, arrays[f"y_{name}"].dtype) == (np.uint8, np.uint8)
        same((arrays[f"x_{name}"], arrays[f"y_{name}"]), split)


@pytest.mark.parametrize("dtype", ["int8", "int16", "int32", "float32", "float64"])
@pytest.mark.parametrize(("format_name", "options"), WAYS)
def test_other_types_and_shapes(tmp_path, format_name, options, dtype):
    need({"hdf5": "h5py"}.get(format_name, format_name))
    toy = made.make(tmp_path / "published", dtype=dtype, shape=(3, 2, 2))
    path = idxhub.export(toy.spec, format_name, tmp_path / "out", data_dir=toy.folder, progress=False, **options)
    arrays = READERS[format_name](path)
    for name, split in toy.spec.splits.items():
        assert arrays[f"x_{name}"].dtype == dtype
        assert np.array_equal(arrays[f"x_{name}"], toy.array(split.images))
        assert np.array_equal(arrays[f"y_{name}"], toy.array(split.labels))


def test_torch_reads_safetensors(odd, tmp_path):
    need("torch")
    arrays = need("safetensors.torch").load_file(odd.export("safetensors", tmp_path / "out.safetensors"))
    assert np.array_equal(arrays["x_valid"].numpy(), odd.splits["valid"][0])


def test_each_array_of_safetensors_is_aligned(tmp_path):
    """Labels of uint8 between arrays of float64 would put those at odd places."""
    toy = made.make(tmp_path / "published", dtype="float64", sizes={"train": 3, "test": 5})
    path = idxhub.export(toy.spec, "safetensors", tmp_path / "out", data_dir=toy.folder, progress=False)
    content = path.read_bytes()
    size = int.from_bytes(content[:8], "little")
    start = content.index(toy.array(toy.spec.splits["train"].images).tobytes())
    assert (8 + size) % 8 == start % 8 == 0


def test_a_version_of_zarr_that_does_not_exist(odd, tmp_path):
    need("zarr")
    for wrong in (1, 3.0, True):
        with pytest.raises(errors.ArgumentError, match=f"zarr_format is {wrong}; it must be 2 or 3"):
            odd.export("zarr", tmp_path / "out", zarr_format=wrong)
    odd.export("zarr", tmp_path / "out", zarr_format=np.int64(2))


@pytest.mark.parametrize("compress", [False, True])
def test_hdf5_has_32_dimensions(tmp_path, compress):
    need("h5py")
    toy = made.make(tmp_path / "published", sizes={"train": 3, "test": 2}, shape=(1,) * 31)
    export = functools.partial(idxhub.export, format="hdf5", data_dir=toy.folder, compress=compress, progress=False)
    assert export(toy.spec, path=tmp_path / "out").is_file()
    spec = replace(toy.spec, splits={name: _with_shape(split, (1,) * 32) for name, split in toy.spec.splits.items()})
    with pytest.raises(errors.ArgumentError, match="images is 'of 32 dimensions'; it must be of 31 at most"):
        export(spec, path=tmp_path / "more")


def _with_shape(split, shape):
    return replace(split, images=replace(split.images, shape=(split.num_examples, *shape)))
