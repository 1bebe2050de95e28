"""MXNet: a `gluon.data.Dataset` whose images are an `NDArray` over the mapped file's memory."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from idxhub import Conventions, DatasetInfo, Split, errors, hookimpl, to_float32

try:
    import mxnet
    from mxnet.gluon.data import Dataset
except (AttributeError, ModuleNotFoundError) as error:  # the first one if NumPy is too new for it
    message = "mxnet needs NumPy before 1.24, so an environment of its own"
    raise errors.MissingFrameworkError(f'{message}; install it with: pip install "mxnet<2" "numpy<1.24"') from error

_DTYPES = ("uint8", "int32", "float32", "float64")  # of those of the IDX format, what from_numpy takes


@hookimpl
def idxhub_conventions() -> Conventions:
    """The conventions: layout HWC, and int32 labels, as in `mxnet.gluon.data.vision`."""
    return Conventions(layout="HWC", label_dtype="int32")


@hookimpl
def idxhub_check(dtype: str) -> None:
    """Refuse a dtype that MXNet does not take without a copy."""
    if dtype not in _DTYPES:
        raise errors.ArgumentError(
            "dtype of the images", dtype, f"one that MXNet takes without a copy: {', '.join(_DTYPES)}"
        )


@hookimpl
def idxhub_dataset(split: Split) -> IdxDataset:
    """A Dataset of Gluon."""
    return IdxDataset(split)


@hookimpl
def idxhub_batch(images: NDArray[Any], labels: NDArray[Any]) -> list[mxnet.nd.NDArray]:
    """`[images, labels]`, as a DataLoader gives them: (B, ...) and (B,), over the arrays' memory."""
    idxhub_check(images.dtype.name)
    return [_to_mxnet(images), _to_mxnet(labels)]


class IdxDataset(Dataset):  # type: ignore[misc]  # MXNet has no types
    """Images and labels as a dataset of Gluon. An element is `(image, label)`.

    The image is an NDArray, uint8 (28, 28, 1), or float32 of pixel/255; it is a view of the dataset's memory, as in
    MXNet's own datasets. The label is an int32. `transform`, `transform_first`, `filter`, `take` and `shard` are those
    of every dataset of Gluon.
    """

    def __init__(self, split: Split) -> None:
        super().__init__()
        if split.dtype != split.images.dtype:
            split = replace(split, images=to_float32(split.images))
        self._split, self._images = split, _to_mxnet(split.batch())

    @property
    def classes(self) -> list[str]:
        """`classes[i]` is the name of label i."""
        return list(self._split.classes)

    @property
    def info(self) -> DatasetInfo:
        """The dataset, split and description, and where each file came from."""
        return self._split.info

    def __len__(self) -> int:
        return len(self._split)

    def __getitem__(self, index: Any) -> tuple[mxnet.nd.NDArray, Any]:
        """An image and its label; of a slice, several images, (B, 28, 28, 1), and labels, (B,)."""
        return self._images[index], self._split.labels[index]

    def __reduce__(self) -> tuple[Any, ...]:
        # an NDArray itself would be sent through shared memory, which spawned processes cannot always map
        return type(self), (self._split,)


def _to_mxnet(array: NDArray[Any]) -> mxnet.nd.NDArray:
    """An NDArray, or an array of `mxnet.np` if the program has chosen these, over the memory of `array`."""
    kind = mxnet.np.ndarray if mxnet.util.is_np_array() else mxnet.nd.NDArray
    view = np.ascontiguousarray(array).view()  # from_numpy makes the array that it is given read-only
    return mxnet.nd.from_numpy(view, array_cls=kind)
