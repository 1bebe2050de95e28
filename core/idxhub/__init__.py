"""Fashion-MNIST, and every dataset in the IDX format, in each machine-learning framework's own type."""

from typing import TYPE_CHECKING

from idxhub import arguments, errors, idx
from idxhub._api import adapters, datasets, export, exporters, load
from idxhub._version import __version__
from idxhub.catalog.resource import Archive, Resource
from idxhub.catalog.spec import DatasetSpec, SplitSpec
from idxhub.data.arrays import as_layout, to_float32
from idxhub.data.load import DatasetInfo
from idxhub.data.loader import Loader
from idxhub.data.order import order
from idxhub.data.split import Arrays, Split
from idxhub.plugins.hookspecs import Conventions, ExportFormat, ExportSplit, hookimpl
from idxhub.plugins.manager import ExporterSummary, FrameworkName, Plugins

if TYPE_CHECKING:
    # the same function, with the type that each framework's name gives
    from idxhub._overloads import get_dataset, get_loader
else:
    from idxhub._api import get_dataset, get_loader

__all__ = [
    "Archive",
    "Arrays",
    "Conventions",
    "DatasetInfo",
    "DatasetSpec",
    "ExportFormat",
    "ExportSplit",
    "ExporterSummary",
    "FrameworkName",
    "Loader",
    "Plugins",
    "Resource",
    "Split",
    "SplitSpec",
    "__version__",
    "adapters",
    "arguments",
    "as_layout",
    "datasets",
    "errors",
    "export",
    "exporters",
    "get_dataset",
    "get_loader",
    "hookimpl",
    "idx",
    "load",
    "order",
    "to_float32",
]


def __dir__() -> list[str]:
    return list(__all__)
