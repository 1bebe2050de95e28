"""Measure each format of `idxhub export` beside the usual way to write it, and print a table.

    python tools/bench_export.py [--data-dir FOLDER] [--repeats 5] [--format NAME ...]

Both begin with the verified arrays of Fashion-MNIST in a warm cache, write all 70,000 images into a folder on the same
disk, and take turns. After a first round that does not count, the median of the others is printed. The usual way is
what the library's own documentation shows, for example a loop with Pillow. `idxhub export` flushes what it wrote before
it puts it in its place. The usual way does not, so that it is measured a second time with the same flush. The processor
time is that of all threads; other programs on the machine change it less than the seconds. A format whose packages are
not installed is left out.
"""

from __future__ import annotations

import argparse
import gzip
import io
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


def png(image: Any) -> bytes:
    """A PNG file by Pillow, with its defaults."""
    stream = io.BytesIO()
    import_module("PIL.Image").fromarray(image).save(stream, "png")
    return stream.getvalue()


def usual_parquet(splits: Splits, path: Path) -> None:
    """The to_parquet of `datasets`, with Pillow's images."""
    datasets, image_module = import_module("datasets"), import_module("PIL.Image")
    features = datasets.Features(
        {"image": datasets.Image(), "label": datasets.ClassLabel(names=[str(label) for label in range(10)])}
    )
    path.mkdir()
    for name, (images, labels) in splits.items():
        rows = {"image": [image_module.fromarray(image) for image in images], "label": labels}
        datasets.Dataset.from_dict(rows, features=features).to_parquet(path / f"{name}.parquet")


def usual_webdataset(splits: Splits, path: Path) -> None:
    """The ShardWriter of webdataset, which encodes with Pillow."""
    webdataset, image_module = import_module("webdataset"), import_module("PIL.Image")
    path.mkdir()
    for name, (images, labels) in splits.items():
        with webdataset.ShardWriter(str(path / f"{name}-%06d.tar"), maxcount=10_000, verbose=0) as writer:
            for index, (image, label) in enumerate(zip(images, labels, strict=True)):
                writer.write({"__key__": f"{index:06}", "png": image_module.fromarray(image), "cls": int(label)})


def example(image: Any, label: int) -> bytes:
    """A serialised tf.train.Example with a PNG file by Pillow."""
    train = import_module("tensorflow").train
    features = {
        "image": train.Feature(bytes_list=train.BytesList(value=[png(image)])),
        "label": train.Feature(int64_list=train.Int64List(value=[label])),
    }
    serialised: bytes = train.Example(features=train.Features(feature=features)).SerializeToString()
    return serialised


def usual_tfrecord(splits: Splits, path: Path) -> None:
    """The TFRecordWriter of TensorFlow."""
    tensorflow = import_module("tensorflow")
    path.mkdir()
    for name, (images, labels) in splits.items():
        with tensorflow.io.TFRecordWriter(str(path / f"{name}.tfrecord")) as writer:
            for image, label in zip(images, labels, strict=True):
                writer.write(example(image, int(label)))


def usual_arrayrecord(splits: Splits, path: Path) -> None:
    """The ArrayRecordWriter of array_record, with the examples of TensorFlow."""
    module = import_module("array_record.python.array_record_module")
    import_module("tensorflow")
    path.mkdir()
    for name, (images, labels) in splits.items():
        writer = module.ArrayRecordWriter(str(path / f"{name}.array_record"), "group_size:1")
        for image, label in zip(images, labels, strict=True):
            writer.write(example(image, int(label)))
        writer.close()


def usual_mds(splits: Splits, path: Path) -> None:
    """The MDSWriter of mosaicml-streaming, which encodes with Pillow."""
    streaming, image_module = import_module("streaming"), import_module("PIL.Image")
    for name, (images, labels) in splits.items():
        with streaming.MDSWriter(out=str(path / name), columns={"image": "png", "label": "int"}) as writer:
            for image, label in zip(images, labels, strict=True):
                writer.write({"image": image_module.fromarray(image), "label": int(label)})


def usual_lance(splits: Splits, path: Path) -> None:
    """The write_dataset of lance, with PNG files by Pillow in a table."""
    lance, arrow = import_module("lance"), import_module("pyarrow")
    path.mkdir()
    for name, (images, labels) in splits.items():
        lance.write_dataset(arrow.table({"image": list(map(png, images)), "label": labels}), path / f"{name}.lance")


def usual_tfjs(splits: Splits, path: Path) -> None:
    """Pillow's Image.save of one image with a row for each example, and NumPy's identity matrix."""
    path.mkdir()
    for name, (images, labels) in splits.items():
        (path / f"{name}_images.png").write_bytes(png(images.reshape(len(images), -1)))
        np.eye(10, dtype=np.uint8)[labels].tofile(path / f"{name}_labels_uint8")


USUAL = {
    "idx": usual_idx,
    "idx.gz": usual_idx_gz,
    "npz": usual_npz,
    "csv": usual_csv,
    "png": usual_png,
    "hdf5": usual_hdf5,
    "zarr": usual_zarr,
    "safetensors": usual_safetensors,
    "parquet": usual_parquet,
    "webdataset": usual_webdataset,
    "tfrecord": usual_tfrecord,
    "arrayrecord": usual_arrayrecord,
    "mds": usual_mds,
    "lance": usual_lance,
    "tfjs": usual_tfjs,
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


def seconds(action: Callable[[], object], path: Path) -> tuple[float, float]:
    """How long an action takes that writes `path`, which is removed afterwards; and its processor time."""
    os.sync()
    start, start_processor = time.perf_counter(), time.process_time()
    action()
    taken, processor = time.perf_counter() - start, time.process_time() - start_processor
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    return taken, processor


def load(options: dict[str, Any]) -> Splits:
    """The arrays, from the warm cache."""
    splits = {name: idxhub.load("fashion-mnist", name, **options) for name in ("train", "test")}
    return {name: (split.images, split.labels) for name, split in splits.items()}


def measure(name: str, folder: Path, options: dict[str, Any], repeats: int) -> str:
    """A row of the table."""
    path = folder / "result"

    def ours() -> None:
        idxhub.export("fashion-mnist", name, path, progress=False, **options)

    def usual() -> None:
        USUAL[name](load(options), path)

    def flushed() -> None:
        usual()
        flush(path)

    ways = {"ours": ours, "usual": usual, "flushed": flushed}
    times: dict[str, list[tuple[float, float]]] = {way: [] for way in ways}
    for number in range(1 + repeats):
        for way, action in ways.items():
            taken = seconds(action, path)
            if number:  # the first round imports, and makes the cache warm
                times[way].append(taken)
    (a, a_cpu), (b, b_cpu), (c, _) = (map(statistics.median, zip(*times[way], strict=True)) for way in ways)
    return (
        f"| `{name}` | {a:.2f} | {b:.2f} | {c:.2f} | {b / a:.1f} | {c / a:.1f} "
        f"| {a_cpu:.2f} | {b_cpu:.2f} | {b_cpu / a_cpu:.1f} |"
    )


def main() -> None:
    """Measure, and print a line for each format."""
    parser = argparse.ArgumentParser(description="Measure idxhub export beside the usual way to write each format.")
    parser.add_argument("--data-dir", default=os.environ.get("IDXHUB_TEST_DATA"))
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--format", action="append", choices=USUAL, dest="formats")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        options = {"data_dir": asked.data_dir, "cache_dir": f"{folder}/cache"}
        print(
            "| format | idxhub, s | usual way, s | usual, flushed, s | usual / idxhub | flushed / idxhub "
            "| idxhub, CPU s | usual, CPU s | usual / idxhub |"
        )
        print("| --- | --- | --- | --- | --- | --- | --- | --- | --- |")
        for name in asked.formats or USUAL:
            try:
                print(measure(name, Path(folder), options, asked.repeats), flush=True)
            except ImportError as error:
                print(f"{name}: not measured: {error}", file=sys.stderr)


if __name__ == "__main__":
    main()
