"""A dataset many times Fashion-MNIST's train split: how long it takes to open, how fast an epoch is, what memory holds.

    python tests/benchmarks/large.py --times 117

Makes two datasets of one structure, of 60,000 images of 28x28 and of that many times as many, nearly all zeros so that
the .gz is small; measures both by turns, each time in a process of its own; and removes what it made. Takes a little
more disk than the larger one has bytes, 47 MB times `--times`, and as much memory for NumPy's gather from memory.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import pickle
import statistics
import subprocess
import sys
import tempfile
import time
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from idxhub import DatasetSpec, Resource, SplitSpec, get_loader, idx, load, order

IMAGES = 60_000  # in the smaller one, as in Fashion-MNIST's train split
SIDE = 28
BLOCK = 50_000  # images made at once
BATCH = 128
EPOCHS = 5  # of a process, after its first


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--times", type=int, default=117, help="how many times Fashion-MNIST's train split")
    parser.add_argument("--rounds", type=int, default=15, help="processes that open each dataset; the median counts")
    parser.add_argument("--reads", type=int, default=3, help="processes that read each dataset; the median counts")
    parser.add_argument("--folder", type=Path, help="where to make it; a temporary folder by default")
    parser.add_argument("--json", type=Path, help="where to keep the figures, too")
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.child:
        sys.stdout.write(json.dumps(MEASURES[asked.child[0]](asked.child[1])))
        return
    with tempfile.TemporaryDirectory(dir=asked.folder, prefix="idxhub-large-") as folder:
        figures = measured(Path(folder), asked.times, asked.rounds, asked.reads)
    written = json.dumps(figures, indent=1) + "\n"
    sys.stdout.write(written)
    if asked.json:
        asked.json.write_text(written, encoding="utf-8")


def measured(folder: Path, times: int, rounds: int, reads: int) -> dict[str, Any]:
    """All figures, of the `small` and the `large` dataset."""
    sizes = {"small": IMAGES, "large": IMAGES * times}
    told = {name: _made(folder / name, name, count) for name, count in sizes.items()}
    figures: dict[str, Any] = {
        name: {"images": count, "payload_bytes": 16 + count * SIDE**2} for name, count in sizes.items()
    }
    for name, spec in told.items():
        figures[name] |= {f"first_{key}": value for key, value in _child("first", spec).items()}
        for gz in (folder / name).glob("*.gz"):  # the cache serves from here on
            gz.unlink()
    for kinds, processes in ((["unread"], rounds), (["verified"], reads), (["epoch", "floor", "mapped"], reads)):
        for name, found in _by_turns(kinds, told, processes).items():
            figures[name] |= found
    small, large = figures["small"], figures["large"]
    for each in (small, large):
        for kind in ("floor", "mapped"):
            each[f"epoch / {kind}"] = each["epoch_images_per_second"] / each[f"{kind}_images_per_second"]
    figures["large / small"] = {
        key: large[key] / small[key]
        for key in small
        if key.endswith(("unread_seconds", "images_per_second", "seconds_per_image"))
    }
    return figures


def _by_turns(kinds: list[str], told: dict[str, Path], rounds: int) -> dict[str, dict[str, float]]:
    """The medians for each dataset."""
    found: dict[str, list[dict[str, float]]] = {name: [] for name in told}
    for _ in range(rounds):
        for name, spec in told.items():
            figures = {kind: _child(kind, spec) for kind in kinds}
            found[name].append({f"{kind}_{key}": value for kind in kinds for key, value in figures[kind].items()})
    return {name: {key: statistics.median(one[key] for one in each) for key in each[0]} for name, each in found.items()}


def _made(folder: Path, name: str, count: int) -> Path:
    """Files whose image i begins with i in four bytes; returns the pickled spec and cache folder."""
    folder.mkdir()
    images = _Gz(folder / "images-idx3-ubyte.gz", (count, SIDE, SIDE))
    labels = _Gz(folder / "labels-idx1-ubyte.gz", (count,))
    for start in range(0, count, BLOCK):
        numbers = np.arange(start, min(start + BLOCK, count))
        block = np.zeros((len(numbers), SIDE * SIDE), np.uint8)
        block[:, :4] = numbers.astype(">u4").view(np.uint8).reshape(-1, 4)
        images.add(block)
        labels.add((numbers % 10).astype(np.uint8))
    split = SplitSpec(images.done(), labels.done())
    spec = DatasetSpec(name, {"train": split}, classes=tuple("0123456789"), folders=(str(folder),))
    path = folder / "spec.pickle"
    path.write_bytes(pickle.dumps((spec, str(folder / "cache"))))
    return path


class _Gz:
    """A .gz written and described block by block: none of it is in memory whole."""

    def __init__(self, path: Path, shape: tuple[int, ...]) -> None:
        self._path, self._shape = path, shape
        self._file = path.open("wb")
        self._deflate = zlib.compressobj(1, wbits=31)
        self._md5, self._payload = hashlib.md5(usedforsecurity=False), hashlib.sha256()
        self.add(np.frombuffer(idx.encode_header(shape, "uint8"), np.uint8))

    def add(self, block: np.ndarray[Any, Any]) -> None:
        self._payload.update(block.data)
        self._write(self._deflate.compress(block.data))

    def done(self) -> Resource:
        self._write(self._deflate.flush())
        self._file.close()
        size = self._path.stat().st_size
        payload = self._payload.hexdigest()
        return Resource(self._path.name, self._md5.hexdigest(), self._shape, size=size, payload_sha256=payload)

    def _write(self, data: bytes) -> None:
        self._md5.update(data)
        self._file.write(data)


def _child(kind: str, spec: Path) -> dict[str, float]:
    done = subprocess.run(
        [sys.executable, __file__, "--child", kind, str(spec)], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(done.stderr)
    figures: dict[str, float] = json.loads(done.stdout)
    return figures


def _opened(path: str, *, verify: bool) -> dict[str, float]:
    """Seconds to open, a first image read, and what the process holds more than before, in bytes."""
    spec, cache = pickle.loads(Path(path).read_bytes())  # noqa: S301 -- this program wrote it
    before = _memory()
    start = time.perf_counter()
    split = load(spec, cache_dir=cache, verify=verify, download=False)
    first = int(split.images[0].sum()) + int(split.labels[0])
    seconds = time.perf_counter() - start
    if first:
        raise SystemExit("image 0 is not all zeros")
    return {"seconds": seconds} | _grown(before)


def _epoch(path: str) -> dict[str, float]:
    """Shuffled epochs by `get_loader`: the first, which maps the pages that it is the first to touch, and the next."""
    spec, cache = pickle.loads(Path(path).read_bytes())  # noqa: S301 -- this program wrote it
    loader = get_loader(spec, batch_size=BATCH, cache_dir=cache, verify=False, download=False)
    n, before = len(loader.split), _memory()
    first = _read(loader, n)
    grown = _grown(before)
    start = time.perf_counter()
    order(n, 0, 1)
    figures = {"first_images_per_second": first, "order_seconds_per_image": (time.perf_counter() - start) / n}
    return figures | {"images_per_second": _repeated(loader, n)} | grown


def _floor(path: str, *, mapped: bool = False) -> dict[str, float]:
    """The same epochs by nothing but `X[permutation[i:i+b]]`, over arrays in memory or over the mapped ones."""
    spec, cache = pickle.loads(Path(path).read_bytes())  # noqa: S301 -- this program wrote it
    split = load(spec, cache_dir=cache, verify=False, download=False)
    images, labels = split.images, split.labels
    if not mapped:
        images, labels = np.array(images), np.array(labels)

    class Batches:
        def __iter__(self) -> Iterator[tuple[Any, Any]]:
            permutation = np.random.default_rng().permutation(len(images))
            for start in range(0, len(images), BATCH):
                where = permutation[start : start + BATCH]
                yield images[where], labels[where]

    if mapped:  # map the pages, as the first epoch of a loader does
        _read(Batches(), len(images))
    return {"images_per_second": _repeated(Batches(), len(images))}


def _repeated(batches: Iterable[Any], n: int) -> float:
    """Images a second, the median of a few epochs."""
    return statistics.median(_read(batches, n) for _ in range(EPOCHS))


def _read(batches: Iterable[Any], n: int) -> float:
    """Images a second in an epoch, of which each image is told by the number in it."""
    start, seen = time.perf_counter(), 0
    for images, _ in batches:
        numbers = np.ascontiguousarray(images.reshape(len(images), -1)[:, :4]).view(">u4")
        seen += int(numbers.sum(dtype=np.int64))
    if seen != n * (n - 1) // 2:
        raise SystemExit("an epoch without every image once")
    return n / (time.perf_counter() - start)


def _memory() -> dict[str, int]:
    """Bytes resident, by kind; the file's pages are the system's to take back, anonymous ones are the process's own."""
    names = {"VmHWM": "peak", "RssAnon": "own", "RssFile": "file"}
    fields = dict(line.split(":") for line in Path("/proc/self/status").read_text().splitlines())
    return {name: int(fields[field].split()[0]) << 10 for field, name in names.items()}


def _grown(before: dict[str, int]) -> dict[str, float]:
    return {f"{name}_bytes": value - before[name] for name, value in _memory().items()}


MEASURES = {
    "first": lambda path: _opened(path, verify=True) | {"process_peak_bytes": _memory()["peak"]},
    "unread": lambda path: _opened(path, verify=False),
    "verified": lambda path: _opened(path, verify=True),
    "epoch": _epoch,
    "floor": _floor,
    "mapped": lambda path: _floor(path, mapped=True),
}

if __name__ == "__main__":
    main()
