"""Where each reader finds the files: one folder, filled before anything is measured."""

from __future__ import annotations

import gzip
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from idxhub_bench.load.judge import FILES


@dataclass(frozen=True)
class Place:
    """A dataset's .gz files in `data_dir`, and below `root` what readers make of them or want beside them.

    `small` is the place of a small dataset, for what a reader does once however much data there is.
    """

    dataset: str
    data_dir: str
    root: str
    small: Place | None = None

    def folder(self, name: str) -> str:
        """A folder below `root`."""
        return str(Path(self.root, name))

    def told(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)

    @classmethod
    def of(cls, told: dict[str, Any]) -> Place:
        """What `told` gave."""
        return cls(**told | {"small": cls.of(told["small"]) if told["small"] else None})


def fill(place: Place) -> None:
    """The .gz files where Keras, torchvision and Gluon look for them, and decompressed for torchvision."""
    keras, raw = Path(place.folder("keras/datasets/fashion-mnist")), Path(place.folder("torchvision/FashionMNIST/raw"))
    gluon, packed = Path(place.folder("mxnet")), Path(place.folder("torchvision-gz/FashionMNIST/raw"))
    for folder in (keras, raw, gluon, packed):
        folder.mkdir(parents=True)
    for name in (name for pair in FILES.values() for name in pair):
        source = Path(place.data_dir, name)
        for folder in (keras, gluon, packed):
            shutil.copyfile(source, folder / name)
        (raw / name.removesuffix(".gz")).write_bytes(gzip.decompress(source.read_bytes()))
