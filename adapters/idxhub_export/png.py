"""PNG files in a folder for each class: SPLIT/CLASS/INDEX.png."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from idxhub import ExportFormat, ExportSplit, Split, arguments, hookimpl
from idxhub_export.arrays import blocks
from idxhub_export.examples import check_images
from idxhub_export.png_bytes import encode

_BLOCK = 1 << 20  # bytes of pixels
# names that Windows keeps for devices
_RESERVED = {"con", "prn", "aux", "nul", *(f"{port}{number}" for port in ("com", "lpt") for number in range(10))}


@hookimpl
def idxhub_export_format() -> ExportFormat:
    """A folder with folders."""
    options = {
        "numbered": "True to begin each class's folder with its label, so that readers, which number the folders in "
        "their order, give the dataset's labels"
    }
    return ExportFormat("a folder with SPLIT/CLASS/INDEX.png", is_folder=True, options=options)


@hookimpl
def idxhub_check_export(options: Mapping[str, Any], splits: Mapping[str, ExportSplit]) -> None:
    """Refuse images that no PNG can hold."""
    arguments.boolean("numbered", options.get("numbered", False))
    check_images(splits)


@hookimpl
def idxhub_export(
    splits: Mapping[str, Split], path: Path, options: Mapping[str, Any], progress: Callable[[int], None]
) -> None:
    """Write the files in the order of the examples. Their names have the same number of digits, to be in order too."""
    labels = sorted({int(label) for split in splits.values() for label in np.unique(split.labels)})
    (any_split, *_) = splits.values()
    folders = class_folders(any_split.classes, labels, numbered=options.get("numbered", False))
    for name, split in splits.items():
        paths = {}
        (path / name).mkdir()
        for label in np.unique(split.labels).tolist():
            paths[label] = path / name / folders[label]
            paths[label].mkdir()
        digits = len(str(max(0, len(split) - 1)))
        index = 0
        for block in blocks(split, _BLOCK):
            for file, label in zip(encode(block), split.labels[index : index + len(block)].tolist(), strict=True):
                with open(f"{paths[label]}/{index:0{digits}}.png", "xb", buffering=0) as stream:
                    stream.write(file)
                index += 1
            progress(len(block))


def class_folders(classes: tuple[str, ...], labels: list[int], *, numbered: bool) -> dict[int, str]:
    """The name of the folder of each class and of each label, by its label.

    A class's name becomes lower-case letters, digits and hyphens: "T-shirt/top" is t-shirt-top. If nothing is left of
    it, or if several classes would have one folder, as "A" and "a" of EMNIST, the label is added: a-10. A class without
    a name has its label as the name.
    """
    slugs = {label: _slug(name) for label, name in enumerate(classes)}
    counts = Counter(slugs.values())
    digits = len(str(max([0, len(classes) - 1, *labels])))
    folders = {}
    for label in sorted({*slugs, *labels}):
        slug, number = slugs.get(label, ""), f"{label:0{digits}}"
        if slug == "":
            folders[label] = number
        elif numbered:
            folders[label] = f"{number}-{slug}"
        else:
            folders[label] = f"{slug}-{number}" if counts[slug] > 1 or slug in _RESERVED else slug
    if len(set(folders.values())) < len(folders):  # "a-1" may be a class's own name
        return {label: f"{label:0{digits}}-{slugs.get(label, '')}".rstrip("-") for label in folders}
    return folders


def _slug(name: str) -> str:
    """A name in lower-case ASCII letters, digits and hyphens; letters lose their accents, others are left out."""
    letters = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", letters).strip("-")
