"""`idxhub plot`: pictures of a dataset, as objects of matplotlib and Pillow with which a notebook can go on.

It knows public names of `idxhub`, matplotlib and Pillow. It does not know where files are or how they are verified.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from idxhub import errors
from idxhub_plot.colours import TEN_COLOURS, class_colours

if TYPE_CHECKING:
    from idxhub_plot.embeddings.coordinates import Embedding, embedding
    from idxhub_plot.embeddings.figure import embed
    from idxhub_plot.embeddings.page import embed_page
    from idxhub_plot.pictures.classes import classes
    from idxhub_plot.pictures.diff import diff
    from idxhub_plot.pictures.mean import mean
    from idxhub_plot.pictures.mistakes import mistakes
    from idxhub_plot.pictures.projector import PROJECTOR_FILES, projector
    from idxhub_plot.pictures.samples import samples
    from idxhub_plot.pictures.sprite import sprite
    from idxhub_plot.releases import Compared, Difference, compare

# Imported when asked for, because they need the packages of the extra. A module must not lie beside this one under the
# name of its function: the import of the module would hide the function.
_MODULES = {
    "classes": "pictures.classes",
    "compare": "releases",
    "Compared": "releases",
    "diff": "pictures.diff",
    "Difference": "releases",
    "embed": "embeddings.figure",
    "embed_page": "embeddings.page",
    "embedding": "embeddings.coordinates",
    "Embedding": "embeddings.coordinates",
    "mean": "pictures.mean",
    "mistakes": "pictures.mistakes",
    "projector": "pictures.projector",
    "PROJECTOR_FILES": "pictures.projector",
    "samples": "pictures.samples",
    "sprite": "pictures.sprite",
}

__all__ = [
    "PROJECTOR_FILES",
    "TEN_COLOURS",
    "Compared",
    "Difference",
    "Embedding",
    "class_colours",
    "classes",
    "compare",
    "diff",
    "embed",
    "embed_page",
    "embedding",
    "mean",
    "mistakes",
    "projector",
    "samples",
    "sprite",
]


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        module = import_module(f"{__name__}.{_MODULES[name]}")
    except ModuleNotFoundError as error:
        raise errors.MissingFrameworkError(
            f"idxhub_plot needs the package {error.name!r}, which is not installed; "
            "install it with: pip install matplotlib pillow",
            name=error.name,
        ) from error
    return getattr(module, name)


def __dir__() -> list[str]:
    return list(__all__)
