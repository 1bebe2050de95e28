"""What is served: the real files, the same as Parquet, and files that are something else."""

from __future__ import annotations

import gzip
import io
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from faults.peers.drivers import seen
from faults.peers.stage import IMAGES, LABELS, PARQUET, Truth

FILES = ("train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz", IMAGES, LABELS)


def truth(data_dir: Path, mnist_dir: Path, *, parquet: bool) -> Truth:
    """Read the files of both folders; `parquet` needs `datasets`."""
    files = {name: (data_dir / name).read_bytes() for name in FILES}
    mnist = {name: (mnist_dir / name).read_bytes() for name in (IMAGES, LABELS)}
    images, labels = arrays(files)
    others = {"mnist": mnist, **_damaged(files)}
    if parquet:
        strange = labels.copy()
        strange[0] = 200
        files[PARQUET] = _parquet(images, labels)
        mnist[PARQUET] = _parquet(*arrays(mnist))
        others["a label outside the classes"] = {
            **others["a label outside the classes"],
            PARQUET: _parquet(images, strange),
        }
    return Truth(files, seen(images, labels), others)


def arrays(files: Any) -> tuple[Any, Any]:
    """The test split, read with gzip and NumPy alone."""
    images = np.frombuffer(gzip.decompress(files[IMAGES]), np.uint8, offset=16).reshape(-1, 28, 28)
    return images, np.frombuffer(gzip.decompress(files[LABELS]), np.uint8, offset=8)


def _damaged(files: dict[str, bytes]) -> dict[str, dict[str, bytes]]:
    """The faults of rows 41 to 43, each in one file."""
    published = files[IMAGES]
    images, labels = gzip.decompress(published), gzip.decompress(files[LABELS])
    half = len(images) // 2
    crc, size = struct.unpack("<II", published[-8:])
    gz = {
        "trailing junk": published + b"junk",
        "wrong CRC": published[:-8] + struct.pack("<II", crc ^ 1, size),
        "wrong length": published[:-8] + struct.pack("<II", crc, size ^ 1),
        "two members": _gz(images[:half]) + _gz(images[half:]),
        "bomb": _bomb(1 << 30),
        "bad magic": _gz(b"\1" + images[1:]),
        "unknown type": _gz(images[:2] + b"\7" + images[3:]),
        "65 dimensions": _gz(images[:3] + b"\x41" + images[4:]),
        "2^128 bytes claimed": _gz(images[:3] + b"\4" + b"\xff" * 16 + images[20:]),
        "too short": _gz(images[:-1000]),
        "too long": _gz(images + bytes(784)),
    }
    fewer = labels[:4] + struct.pack(">I", len(labels) - 9) + labels[8:-1]
    strange = labels[:8] + b"\xc8" + labels[9:]
    return {name: {IMAGES: body} for name, body in gz.items()} | {
        "a label too few": {LABELS: _gz(fewer)},
        "a label outside the classes": {LABELS: _gz(strange)},
    }


def _gz(data: bytes) -> bytes:
    return gzip.compress(data, 1, mtime=0)


def _bomb(size: int) -> bytes:
    packer, block = zlib.compressobj(9, zlib.DEFLATED, 31), bytes(1 << 20)
    return b"".join([*(packer.compress(block) for _ in range(size // len(block))), packer.flush()])


def _parquet(images: Any, labels: Any) -> bytes:
    """As on the Hub: PNGs in an Image feature, and a ClassLabel; written by pyarrow, for it refuses no label."""
    import datasets  # noqa: PLC0415 -- a large part of the start, and only where its loader is run
    import pyarrow as pa  # noqa: PLC0415
    import pyarrow.parquet  # noqa: PLC0415
    from PIL import Image  # noqa: PLC0415

    from idxhub.catalog.builtin.fashion_mnist import FASHION_MNIST  # noqa: PLC0415

    pngs = []
    for image in images:
        png = io.BytesIO()
        Image.fromarray(image).save(png, "png", compress_level=1)
        pngs.append({"bytes": png.getvalue(), "path": None})
    features = datasets.Features(image=datasets.Image(), label=datasets.ClassLabel(names=list(FASHION_MNIST.classes)))
    columns = {"image": pngs, "label": labels.astype(np.int64)}
    out = io.BytesIO()
    pyarrow.parquet.write_table(pa.table(columns, schema=features.arrow_schema), out)
    return out.getvalue()
