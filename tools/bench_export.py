"""Measure each format of `idxhub export` beside the usual way to write it, and print a table.

    python tools/bench_export.py [--data-dir FOLDER] [--repeats 5] [--format NAME ...]

Both begin with the verified arrays of Fashion-MNIST in a warm cache, write all 70,000 images into a folder on the same
disk, and take turns. After a first round that does not count, the median of the others is printed. The usual way is
what the library's own documentation shows. `idxhub export` flushes what it wrote before it puts it in its place.
The usual way does not, so that it is measured a second time with the same flush.
"""

from __future__ import annotations

import argparse
import gzip
import os
import shutil
import statistics
import struct
import sys
import tempfile
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

import idxhub

Splits = dict[str, tuple[Any, Any]]


def usual_idx(splits: Splits, path: Path, opened: Callable[..., Any] = open, suffix: str = "") -> None:
    """A header by struct, and the bytes of the array."""
    path.mkdir()
    for name, arrays in splits.items():
        for what, array in zip(("images", "labels"), arrays, strict=True):
            with opened(path / f"{name}-{what}-idx{array.ndim}-ubyte{suffix}", "wb") as file:
                file.write(struct.pack(f">4B{array.ndim}I", 0, 0, 8, array.ndim, *array.shape))
                file.write(array.astype(np.uint8).tobytes())


def usual_idx_gz(splits: Splits, path: Path) -> None:
    """The same through gzip.open."""
    usual_idx(splits, path, gzip.open, ".gz")


def named(splits: Splits) -> dict[str, Any]:
    """The arrays by the names of Keras' datasets."""
    arrays = {}
    for name, (images, labels) in splits.items():
        arrays |= {f"x_{name}": images, f"y_{name}": labels.astype(np.uint8)}
    return arrays


def usual_npz(splits: Splits, path: Path) -> None:
    """numpy.savez."""
    with path.open("wb") as file:
        np.savez(file, **named(splits))


def usual_csv(splits: Splits, path: Path) -> None:
    """pandas.DataFrame.to_csv."""
    pandas = import_module("pandas")
    path.mkdir()
    for name, (images, labels) in splits.items():
        pixels = images.reshape(len(images), -1)
        table = pandas.DataFrame(pixels, columns=[f"pixel{i}" for i in range(1, pixels.shape[1] + 1)])
        table.insert(0, "label", labels)
        table.to_csv(path / f"{name}.csv", index=False)


def usual_png(splits: Splits, path: Path) -> None:
    """A loop with Pillow's Image.save."""
    image_module = import_module("PIL.Image")
    for name, (images, labels) in splits.items():
        for label in np.unique(labels):
            (path / name / str(label)).mkdir(parents=True)
        for index, (image, label) in enumerate(zip(images, labels, strict=True)):
            image_module.fromarray(image).save(path / name / str(label) / f"{index:05}.png")


def usual_hdf5(splits: Splits, path: Path) -> None:
    """h5py's create_dataset with the arrays."""
    h5py = import_module("h5py")
    with h5py.File(path, "w") as file:
        for name, array in named(splits).items():
            file.create_dataset(name, data=array)


def usual_zarr(splits: Splits, path: Path) -> None:
    """Zarr's create_array with the arrays."""
    zarr = import_module("zarr")
    group = zarr.open_group(str(path), mode="w")
    for name, array in named(splits).items():
        group.create_array(name, data=np.asarray(array))


def usual_safetensors(splits: Splits, path: Path) -> None:
    """safetensors.numpy.save_file."""
    import_module("safetensors.numpy").save_file(
        {name: np.ascontiguousarray(array) for name, array in named(splits).items()}, path
    )


USUAL = {
    "idx": usual_idx,
    "idx.gz": usual_idx_gz,
    "npz": usual_npz,
    "csv": usual_csv,
    "png": usual_png,
    "hdf5": usual_hdf5,
    "zarr": usual_zarr,
    "safetensors": usual_safetensors,
}


def flush(path: Path) -> None:
    """Flush what was written, as `idxhub export` does."""
    written = [path.parent, path, *(path.rglob("*") if path.is_dir() else ())]
    if len(written) > 1000:
        os.sync()
        return
    for each in written:
        descriptor = os.open(each, os.O_RDONLY)
        os.fsync(descriptor)
        os.close(descriptor)


def seconds(action: Callable[[], object], path: Path) -> float:
    """How long an action takes that writes `path`, which is removed afterwards."""
    os.sync()
    start = time.perf_counter()
    action()
    taken = time.perf_counter() - start
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    return taken


def load(options: dict[str, Any]) -> Splits:
    """The arrays, from the warm cache."""
    splits = {name: idxhub.load("fashion-mnist", name, **options) for name in ("train", "test")}
    return {name: (split.images, split.labels) for name, split in splits.items()}


def measure(name: str, folder: Path, options: dict[str, Any], repeats: int) -> dict[str, float]:
    """The median times of idxhub, of the usual way, and of the usual way with a flush."""
    path = folder / "result"

    def ours() -> None:
        idxhub.export("fashion-mnist", name, path, progress=False, **options)

    def usual() -> None:
        USUAL[name](load(options), path)

    def flushed() -> None:
        usual()
        flush(path)

    ways = {"idxhub": ours, "usual": usual, "flushed": flushed}
    times: dict[str, list[float]] = {way: [] for way in ways}
    for number in range(1 + repeats):
        for way, action in ways.items():
            taken = seconds(action, path)
            if number:  # the first round imports, and makes the cache warm
                times[way].append(taken)
    return {way: statistics.median(each) for way, each in times.items()}


def main() -> None:
    """Measure, and print a line for each format."""
    parser = argparse.ArgumentParser(description="Measure idxhub export beside the usual way to write each format.")
    parser.add_argument("--data-dir", default=os.environ.get("IDXHUB_TEST_DATA"))
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--format", action="append", choices=USUAL, dest="formats")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        options = {"data_dir": asked.data_dir, "cache_dir": f"{folder}/cache"}
        print("| format | idxhub, s | usual way, s | usual, flushed, s | usual / idxhub | flushed / idxhub |")
        print("| --- | --- | --- | --- | --- | --- |")
        for name in asked.formats or USUAL:
            try:
                times = measure(name, Path(folder), options, asked.repeats)
            except ImportError as error:
                print(f"{name}: not measured: {error}", file=sys.stderr)
                continue
            ours, usual, flushed = times["idxhub"], times["usual"], times["flushed"]
            ratios = f"{usual / ours:.1f} | {flushed / ours:.1f}"
            print(f"| `{name}` | {ours:.2f} | {usual:.2f} | {flushed:.2f} | {ratios} |", flush=True)


if __name__ == "__main__":
    main()
