"""Modules and distributions written on the spot: adapters, and what is installed beside idxhub."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from importlib.metadata import EntryPoint
from pathlib import Path
from types import MappingProxyType

from idxhub import Split, hookimpl

ADAPTER = """
    from idxhub import hookimpl

    @hookimpl
    def idxhub_dataset(split, options):
        return (split.images, split.labels)

    @hookimpl
    def idxhub_batch(images, labels):
        return (images, labels)
"""


class ByHand:
    """An adapter to register: the split is the dataset, and a batch is a pair."""

    @hookimpl
    def idxhub_dataset(self, split: Split) -> Split:
        return split

    @hookimpl
    def idxhub_batch(self, images: object, labels: object) -> tuple[object, object]:
        return images, labels


def entry(name: str, value: str, group: str = "idxhub.adapters") -> EntryPoint:
    return EntryPoint(name, value, group)


def install(
    folder: Path,
    name: str,
    *metadata: str,
    version: str = "1.0",
    entry_points: str | bytes = "",
    top_level: str = "",
    modules: Mapping[str, str] = MappingProxyType({}),
) -> Path:
    """Install a distribution with these modules, by their names, in `folder`; returns the folder of its metadata."""
    info = folder / f"{name}-{version}.dist-info"
    info.mkdir(parents=True)
    head = ("Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}", *metadata)
    (info / "METADATA").write_text("".join(f"{line}\n" for line in head))
    text = entry_points if isinstance(entry_points, bytes) else entry_points.encode()
    (info / "entry_points.txt").write_bytes(text)
    if top_level:
        (info / "top_level.txt").write_text(top_level)
    for module, code in modules.items():
        (folder / f"{module}.py").write_text(textwrap.dedent(code))
    return info
