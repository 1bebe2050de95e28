"""The map-style dataset."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Generic, SupportsIndex, overload

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import Dataset, default_collate
from typing_extensions import TypeVar  # torch requires it; `default` is in Python's own from 3.13 on

from idxhub import DatasetInfo, Split, arguments, as_layout, errors, to_float32
from idxhub_adapters.torch.batches import GatheredBatch
from idxhub_adapters.torch.transforms import pil_image, takes_pil_image

Transform = Callable[[Any], Any]
ImageT_co = TypeVar("ImageT_co", covariant=True, default=torch.Tensor)
TargetT_co = TypeVar("TargetT_co", covariant=True, default=int)


class IdxDataset(Dataset[tuple[ImageT_co, TargetT_co]], Generic[ImageT_co, TargetT_co]):
    """Images and labels as a map-style dataset.

    An element is `(image, label)`: a uint8 tensor (1, 28, 28), or float32 of pixel/255, and an int. The tensor is a
    copy. `transform` is applied to the image tensor and `target_transform` to the label, one example at a time. A
    transform of torchvision that begins with a PIL image, such as `ToTensor()`, is applied to the PIL image instead.

    A DataLoader gathers each batch in one step. Without transforms a batch is `[images, labels]`: uint8 or float32
    (B, 1, 28, 28) and int64 (B,).

    `data`, (N, 28, 28) as stored, and `targets`, (N,), are tensors over the mapped file. What is written into them
    stays in this process, and is pickled with the dataset.

    For type checkers, `IdxDataset[ImageT, TargetT]` has elements `tuple[ImageT, TargetT]`; `IdxDataset` alone has
    `tuple[Tensor, int]`.
    """

    __module__ = "idxhub_adapters.torch"  # the public name, for repr and for pickles

    def __init__(
        self, split: Split, transform: Transform | None = None, target_transform: Transform | None = None
    ) -> None:
        self._split = split
        self.data, self.targets = torch.from_numpy(split.images), torch.from_numpy(split.labels)
        self.transform, self.target_transform = transform, target_transform

    @property
    def data(self) -> torch.Tensor:
        """The images as stored, (N, 28, 28). What is assigned becomes a contiguous tensor on the CPU.

        The number of images may change: assign `targets` of the new length next.
        """
        return self._data

    @data.setter
    def data(self, values: Any) -> None:
        self._data = _as_contiguous_cpu_tensor("data", values)

    @property
    def targets(self) -> torch.Tensor:
        """The labels, (N,). What is assigned, a list too, becomes a contiguous tensor on the CPU.

        Raises `ArgumentError` unless there is one number for each image.
        """
        return self._targets

    @targets.setter
    def targets(self, values: Any) -> None:
        targets = _as_contiguous_cpu_tensor("targets", values)
        if targets.shape != (len(self),):
            must_be = f"of shape ({len(self)},), one number for each image; to change both, assign data first"
            raise errors.ArgumentError("targets", tuple(targets.shape), must_be)
        self._targets = targets

    @property
    def classes(self) -> list[str]:
        """`classes[i]` is the name of label i."""
        return list(self._split.classes)

    @property
    def class_to_idx(self) -> dict[str, int]:
        """The label of each class name."""
        return {name: label for label, name in enumerate(self.classes)}

    @property
    def info(self) -> DatasetInfo:
        """The dataset, split and description, and where each file came from."""
        return self._split.info

    def __len__(self) -> int:
        return len(self.data)

    @overload
    def __getitem__(self, index: SupportsIndex) -> tuple[ImageT_co, TargetT_co]: ...
    @overload
    def __getitem__(self: IdxDataset[torch.Tensor, int], index: slice) -> tuple[torch.Tensor, torch.Tensor]: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Any, Any]: ...
    def __getitem__(self, index: SupportsIndex | slice) -> tuple[Any, Any]:
        """An image and its label; of a slice a batch of images, (B, 1, 28, 28), and of labels, (B,).

        Transforms are applied to each example; a batch of what they return is made by `default_collate`.
        """
        if isinstance(index, slice):
            elements: Sequence[Any] = self.__getitems__(range(*index.indices(len(self))))
            if not elements:  # default_collate refuses an empty list: an empty batch as stored
                elements = GatheredBatch(*(array[:0] for array in self._numpy_arrays()))
            batch = elements.tensors() if isinstance(elements, GatheredBatch) else default_collate(list(elements))
            images, labels = batch
            return images, labels
        try:
            number = operator.index(index)
        except TypeError:
            raise TypeError(
                f"an index is an integer or a slice, not {index!r}; for several indices, use torch.utils.data.Subset"
            ) from None
        if not -len(self) <= number < len(self):
            raise IndexError(f"index {number} is out of range for {len(self)} examples")
        stored, targets = self._numpy_arrays()
        if self.transform is not None and takes_pil_image(self.transform):
            return self._apply_transforms(pil_image(self._data.numpy()[number, ...].copy()), targets[number])
        return self._apply_transforms(torch.from_numpy(self._to_dtype(stored[number, ...].copy())), targets[number])

    def __getitems__(self, indices: Sequence[int]) -> Sequence[tuple[ImageT_co, TargetT_co]]:
        """The elements at `indices`, gathered in one step: what DataLoader calls for a batch.

        A subclass that has a `__getitem__` of its own is asked for one element after the other.
        """
        if type(self).__getitem__ is not IdxDataset.__getitem__:
            return [self[index] for index in indices]
        images, labels = self._numpy_arrays()
        rows = arguments.indices(indices)
        try:
            images, labels = images.take(rows, axis=0), labels.take(rows, axis=0)
        except IndexError:
            raise IndexError(f"an index is out of range for {len(self)} examples") from None
        if self.transform is not None and takes_pil_image(self.transform):
            stored = images.reshape(len(rows), *self._data.shape[1:])
            return [self._apply_transforms(pil_image(each), label) for each, label in zip(stored, labels, strict=True)]
        gathered = GatheredBatch(self._to_dtype(images), labels)
        if self.transform is None and self.target_transform is None:
            return gathered
        return [self._apply_transforms(image, label) for image, label in zip(*gathered.tensors(), strict=True)]

    def __getstate__(self) -> dict[str, Any]:
        state = self.__dict__ | {"_split": replace(self._split, images=self.data.numpy(), labels=self.targets.numpy())}
        del state["_data"], state["_targets"]
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self.data, self.targets = torch.from_numpy(self._split.images), torch.from_numpy(self._split.labels)

    def __repr__(self) -> str:
        info = self.info
        return f"{type(self).__name__}({info.dataset!r}, split={info.split!r}, {len(self):,} examples)"

    def _repr_html_(self) -> str:
        """What a notebook shows: `data` and `targets` as they are now."""
        current = replace(self._split, images=self.data.numpy(), labels=self.targets.numpy())
        return current.to_html(type(self).__name__)

    def _numpy_arrays(self) -> tuple[NDArray[Any], NDArray[Any]]:
        """`data` in the layout asked for, and `targets`, as arrays: NumPy takes a batch in less time than torch.

        They are made anew each time, since torch may have moved a tensor to other memory (`share_memory_`).
        """
        data, targets = self._data.numpy(), self._targets.numpy()
        if len(data) != len(targets):
            must_be = f"of shape ({len(self)},) after the assignment of data: assign targets of that length too"
            raise errors.ArgumentError("targets", tuple(self._targets.shape), must_be)
        return as_layout(data, self._split.layout), targets

    def _to_dtype(self, images: NDArray[Any]) -> NDArray[Any]:
        """The images, (B, ...) or one, in the dtype asked for."""
        if self._split.dtype != "float32" or images.dtype != np.uint8:
            return images
        # converted first, then divided: both passes stay in the CPU's cache, and NumPy's buffered cast is slower
        scaled = images.astype(np.float32)
        return to_float32(scaled, out=scaled)

    def _apply_transforms(self, image: Any, label: Any) -> tuple[Any, Any]:
        target: Any = label.item()
        if self.transform is not None:
            image = self.transform(image)
        if self.target_transform is not None:
            target = self.target_transform(target)
        return image, target


def _as_contiguous_cpu_tensor(argument: str, values: Any) -> torch.Tensor:
    """`values` as a tensor that NumPy can take batches of without a copy of the whole."""
    try:
        tensor = torch.as_tensor(values, device="cpu").detach().contiguous()  # whatever the default device is
    except (TypeError, ValueError, RuntimeError) as error:  # torch raises all three for what is no dense tensor
        raise errors.ArgumentError(argument, type(values).__name__, f"a dense tensor, or an array: {error}") from error
    if not tensor.ndim:
        raise errors.ArgumentError(argument, tensor.item(), "a tensor with a first axis of examples")
    try:
        tensor.numpy()
    except TypeError as error:
        raise errors.ArgumentError(argument, tensor.dtype, "of a dtype that NumPy has as well") from error
    return tensor
