"""The hooks under their public name: see `idxhub.plugins.hookspecs`."""

from idxhub.plugins.hookspecs import (
    Conventions,
    ExportFormat,
    ExportSplit,
    hookimpl,
    hookspec,
    idxhub_batch,
    idxhub_check,
    idxhub_check_device,
    idxhub_check_export,
    idxhub_conventions,
    idxhub_dataset,
    idxhub_datasets,
    idxhub_export,
    idxhub_export_format,
    idxhub_resident,
)

__all__ = [
    "Conventions",
    "ExportFormat",
    "ExportSplit",
    "hookimpl",
    "hookspec",
    "idxhub_batch",
    "idxhub_check",
    "idxhub_check_device",
    "idxhub_check_export",
    "idxhub_conventions",
    "idxhub_dataset",
    "idxhub_datasets",
    "idxhub_export",
    "idxhub_export_format",
    "idxhub_resident",
]
