"""tinygrad: `Arrays(images, labels)` of `Tensor`, which are copied to the device when they are first used."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from numpy.typing import NDArray
from tinygrad import Device, Tensor

from idxhub import Arrays, Conventions, Split, errors, hookimpl


@hookimpl
def idxhub_conventions() -> Conventions:
    """The conventions: layout CHW, as in tinygrad's own datasets, and int32 labels, its default integer type."""
    return Conventions(
        layout="CHW",
        label_dtype="int32",
        options={"device": "the name of the device of both tensors; tinygrad's default device if not given"},
    )


@hookimpl
def idxhub_check(options: Mapping[str, Any]) -> None:
    """Refuse a device that this machine does not have."""
    _resolve_device(options.get("device"))


@hookimpl
def idxhub_dataset(split: Split, options: Mapping[str, Any]) -> Arrays[Tensor]:
    """Return two tensors: images, uint8 (N, 1, 28, 28), and labels, int32 (N,)."""
    arrays = _to_tinygrad(split.batch(), split.labels, **options)
    arrays.info = split.info
    return arrays


@hookimpl
def idxhub_batch(images: NDArray[Any], labels: NDArray[Any]) -> Arrays[Tensor]:
    """Two tensors, (B, ...) and (B,), on the default device."""
    return _to_tinygrad(images, labels)


def _to_tinygrad(images: NDArray[Any], labels: NDArray[Any], device: str | None = None) -> Arrays[Tensor]:
    # a tensor refers to the array's own memory until it is used
    device = _resolve_device(device)
    return Arrays(Tensor(images, device=device), Tensor(labels, device=device))


def _resolve_device(device: Any) -> str:
    """The full name of a device.

    Raises `ArgumentError` if tinygrad cannot use the device, and `MissingFrameworkError` if it can use none at all.
    """
    must_be = "the name of a device that works here, such as 'PYTHON' or 'NPY'; 'CPU' needs the program clang"
    if device is not None and not isinstance(device, str):
        raise errors.ArgumentError("device", device, must_be)
    try:
        name: str = Device.canonicalize(device)
        Device[name]  # it opens the device: for the CPU, this needs clang
    except Exception as error:  # drivers raise errors of any type
        if device is not None:
            raise errors.ArgumentError("device", device, must_be) from error
        raise errors.MissingFrameworkError(
            "tinygrad has no device that works here, because its device for the CPU needs the program clang; "
            "install it, or set the environment variable DEV=PYTHON for a slow device that needs nothing"
        ) from error
    return name
