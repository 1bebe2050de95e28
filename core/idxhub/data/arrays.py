"""Operations on arrays of images: layouts, float32 values, and memory with the alignment that frameworks want."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from idxhub.errors import UnknownNameError

if TYPE_CHECKING:  # importing numpy.typing takes 0.7 ms
    from numpy.typing import NDArray

Layout = Literal["HW", "CHW", "HWC"]
LAYOUTS: tuple[Layout, ...] = ("HW", "CHW", "HWC")
ALIGNMENT = 64  # bytes


def to_float32(images: NDArray[Any], out: NDArray[np.float32] | None = None) -> NDArray[np.float32]:
    """pixel/255 in float32. Each quotient is correctly rounded, so its bits are the same on every machine.

    `images` is an array of any shape, of integers or float32. `out` is a float32 array of the same shape; if it is
    given, it is filled and returned.
    """
    scaled: NDArray[np.float32] = np.divide(images, np.float32(255), out=out, dtype=np.float32)
    return scaled


def as_layout(images: NDArray[Any], layout: Layout | None) -> NDArray[Any]:
    """A view of images (N, H, W) as (N, H, W), (N, 1, H, W) or (N, H, W, 1), for "HW", "CHW" or "HWC".

    With `layout=None` the images are returned unchanged. Raises `UnknownNameError` for any other layout.
    """
    if layout in (None, "HW"):
        return images
    if layout == "CHW":
        return images[:, None]
    check_choice("layout", layout, LAYOUTS)
    return images[..., None]


def empty_aligned(shape: tuple[int, ...], dtype: Any) -> NDArray[Any]:
    """An uninitialised array that starts on a 64-byte boundary: XLA and TensorFlow use such memory without a copy."""
    memory = np.empty(math.prod(shape) * np.dtype(dtype).itemsize + ALIGNMENT, np.uint8)
    array: NDArray[Any] = np.ndarray(shape, dtype, memory, -memory.ctypes.data % ALIGNMENT)
    return array


def have_same_bytes(one: NDArray[Any], other: NDArray[Any]) -> bool:
    """Whether two arrays have the same shape, dtype and bytes. To save memory, a few MiB are compared at a time."""
    if one.shape != other.shape or one.dtype != other.dtype:
        return False
    step = max(1, (1 << 22) // max(1, one[:1].nbytes))
    return all(one[i : i + step].tobytes() == other[i : i + step].tobytes() for i in range(0, len(one), step))


def summarize(array: object) -> str:
    """The dtype and shape of an array of any framework, for a repr; the name of its type if it lacks one of them."""
    dtype, shape = getattr(array, "dtype", None), getattr(array, "shape", None)
    return type(array).__name__ if dtype is None or shape is None else f"{dtype} {tuple(shape)}"


def check_choice(kind: str, value: object, choices: tuple[str, ...]) -> None:
    """Raise `UnknownNameError` unless `value` is one of `choices`."""
    if not isinstance(value, str) or value not in choices:  # the elements of an array would be compared one by one
        raise UnknownNameError(kind, value, choices)
