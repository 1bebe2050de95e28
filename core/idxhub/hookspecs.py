"""The hooks under their public name: see `idxhub.plugins.hookspecs`."""

from idxhub.plugins.hookspecs import (
    Conventions,
    hookimpl,
    hookspec,
    idxhub_batch,
    idxhub_check,
    idxhub_check_device,
    idxhub_conventions,
    idxhub_dataset,
    idxhub_datasets,
    idxhub_resident,
)

__all__ = [
    "Conventions",
    "hookimpl",
    "hookspec",
    "idxhub_batch",
    "idxhub_check",
    "idxhub_check_device",
    "idxhub_conventions",
    "idxhub_dataset",
    "idxhub_datasets",
    "idxhub_resident",
]
