"""Where each reader finds the files: a folder that is filled before anything is measured."""

from __future__ import annotations

import gzip
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from idxhub_bench.load.judge import FILES


@dataclass(frozen=True)
class Place:
    """A dataset's .gz files are in `data_dir`; `root` is for the files that readers make or need.

    `small` is the place of a small dataset, with which costs that do not depend on the data are measured.
    """

    dataset: str
    data_dir: str
    root: str
    small: Place | None = None

    def folder(self, name: str) -> str:
        """A folder in `root`."""
        return str(Path(self.root, name))

    def as_json(self) -> dict[str, Any]:
        """The place as JSON."""
        return asdict(self)

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> Place:
        """The place of which `fields` are the JSON."""
        return cls(**fields | {"small": cls.from_json(fields["small"]) if fields["small"] else None})


def fill(place: Place) -> None:
    """Put the .gz files where Keras, torchvision and Gluon look for them, and decompressed ones for torchvision."""
    unpacked = Path(place.folder("torchvision/FashionMNIST/raw"))
    packed = [place.folder(name) for name in ("keras/datasets/fashion-mnist", "mxnet")]
    packed.append(place.folder("torchvision-gz/FashionMNIST/raw"))
    for folder in (unpacked, *map(Path, packed)):
        folder.mkdir(parents=True)
    for name in (name for pair in FILES.values() for name in pair):
        source = Path(place.data_dir, name)
        for target in packed:
            shutil.copyfile(source, Path(target, name))
        (unpacked / name.removesuffix(".gz")).write_bytes(gzip.decompress(source.read_bytes()))
