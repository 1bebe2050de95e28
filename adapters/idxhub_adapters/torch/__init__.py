"""PyTorch: a map-style Dataset that a plain DataLoader reads a batch at a time."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import Dataset, default_collate, get_worker_info
from torch.utils.data._utils.collate import default_collate_fn_map

from idxhub import Arrays, Conventions, DatasetInfo, Split, arguments, as_layout, errors, hookimpl, to_float32

Transform = Callable[[Any], Any]


class IdxDataset(Dataset[tuple[Any, Any]]):
    """Images and labels as a map-style dataset.

    An element is `(image, label)`: a uint8 tensor (1, 28, 28), or float32 of pixel/255, and an int; the tensor is the
    caller's own. `transform` is applied to the image tensor and `target_transform` to the label, one example at a time.
    A DataLoader gathers each batch in one step, and gives it as it is where there are no transforms:
    `[images, labels]`, uint8 or float32 (B, 1, 28, 28) and int64 (B,). `data`, (N, 28, 28) as stored, and `targets`,
    (N,), are tensors over the mapped file; what is written into them stays in this process, and travels with the
    dataset when it is pickled.
    """

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
        self._data = _readable("data", values)

    @property
    def targets(self) -> torch.Tensor:
        """The labels, (N,). What is assigned, a list too, becomes a contiguous tensor on the CPU.

        Raises `ArgumentError` unless there is one number for each image.
        """
        return self._targets

    @targets.setter
    def targets(self, values: Any) -> None:
        targets = _readable("targets", values)
        if targets.shape != (len(self),):
            must_be = f"of shape ({len(self)},): one number for each image; to change both, assign data first"
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
        """What this is, and where its bytes came from."""
        return self._split.info

    def __len__(self) -> int:
        return len(self.data)

    def __getitem__(self, index: int | slice) -> tuple[Any, Any]:
        """An image and its label; of a slice a batch of images, (B, 1, 28, 28), and of labels, (B,).

        Transforms are applied to each example; a batch of what they return is made by `default_collate`.
        """
        if isinstance(index, slice):
            elements = self.__getitems__(range(*index.indices(len(self))))
            if not elements:  # nothing to collate: an empty batch as stored
                elements = Gathered(*(array[:0] for array in self._arrays()))
            images, labels = elements.tensors() if isinstance(elements, Gathered) else default_collate(list(elements))
            return images, labels
        try:
            index = operator.index(index)
        except TypeError:
            raise TypeError(
                f"an index is an integer or a slice, not {index!r}; for others use torch.utils.data.Subset"
            ) from None
        if not -len(self) <= index < len(self):
            raise IndexError(f"index {index} is out of range for {len(self)} examples")
        images, labels = self._arrays()
        return self._transformed(torch.from_numpy(self._scaled(images[index, ...].copy())), labels[index])

    def __getitems__(self, indices: Sequence[int]) -> Sequence[tuple[Any, Any]]:
        """The elements at `indices`, gathered at once: what DataLoader calls for a batch.

        A subclass that has a `__getitem__` of its own is asked for one element after the other.
        """
        if type(self).__getitem__ is not IdxDataset.__getitem__:
            return [self[index] for index in indices]
        images, labels = self._arrays()
        where = np.asarray(indices, dtype=np.int64)
        try:
            images, labels = images.take(where, axis=0), labels.take(where, axis=0)
        except IndexError:
            raise IndexError(f"an index is out of range for {len(self)} examples") from None
        gathered = Gathered(self._scaled(images), labels)
        if self.transform is None and self.target_transform is None:
            return gathered
        return [self._transformed(image, label) for image, label in zip(*gathered.tensors(), strict=True)]

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

    def _arrays(self) -> tuple[NDArray[Any], NDArray[Any]]:
        """What the tensors hold now, as NumPy sees it, which takes a batch in fewer and shorter calls than torch."""
        if len(self._data) != len(self._targets):
            must_be = f"of shape ({len(self)},), since data was assigned: assign targets of that length too"
            raise errors.ArgumentError("targets", tuple(self._targets.shape), must_be)
        return as_layout(self._data.numpy(), self._split.layout), self._targets.numpy()

    def _scaled(self, images: NDArray[Any]) -> NDArray[Any]:
        if self._split.dtype != "float32" or images.dtype != np.uint8:
            return images
        # in two passes: a batch stays in the processor's cache, and NumPy converts by way of a small buffer
        scaled = images.astype(np.float32)
        return to_float32(scaled, out=scaled)

    def _transformed(self, image: Any, label: Any) -> tuple[Any, Any]:
        target: Any = label.item()
        if self.transform is not None:
            image = self.transform(image)
        if self.target_transform is not None:
            target = self.target_transform(target)
        return image, target


def _readable(name: str, values: Any) -> torch.Tensor:
    """A tensor that NumPy can take batches of without a copy of the whole."""
    tensor = torch.as_tensor(values).detach().cpu().contiguous()
    try:
        tensor.numpy()
    except TypeError as error:
        raise errors.ArgumentError(name, tensor.dtype, "of a dtype that NumPy has too") from error
    return tensor


class Sample(tuple[torch.Tensor, Any]):
    """An element of `Gathered`: a type of its own, so that default_collate knows a batch that is one already."""

    __slots__ = ()


class Gathered(Sequence[tuple[torch.Tensor, Any]]):
    """A gathered batch that reads as a list of elements, for a `collate_fn` of the user's own; its slices are lists."""

    def __init__(self, images: NDArray[Any], labels: NDArray[Any]) -> None:
        self.arrays = Arrays(images, labels)

    def __len__(self) -> int:
        return len(self.arrays.labels)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return list(self)[index]
        return Sample((torch.from_numpy(self.arrays.images[index, ...]), self.arrays.labels[index].item()))

    def __iter__(self) -> Iterator[tuple[torch.Tensor, Any]]:
        images, labels = self.tensors()
        return (Sample(pair) for pair in zip(images, labels.tolist(), strict=True))

    def tensors(self) -> list[torch.Tensor]:
        """Images and labels as default_collate would have stacked them."""
        return [torch.from_numpy(array) for array in self.arrays]

    def __add__(self, other: Iterable[Any]) -> list[Any]:
        return [*self, *other]

    def __radd__(self, other: Iterable[Any]) -> list[Any]:
        return [*other, *self]


def _collate(batch: Sequence[tuple[torch.Tensor, Any]], **_: Any) -> list[torch.Tensor]:
    """What `default_collate` calls for a batch of `Sample`."""
    if isinstance(batch, Gathered):
        return batch.tensors() if get_worker_info() is None else Posted(batch.tensors())
    return [torch.stack([image for image, _ in batch]), torch.tensor([label for _, label in batch])]


class Posted(list[torch.Tensor]):
    """A batch in a worker process: a list that arrives in the parent as a plain one, its small tensors by value.

    A tensor is otherwise sent as a file in shared memory and a handshake over a socket: cheap for megabytes, and
    for 128 images of 28x28 more than all the rest that is done for them.
    """

    def __reduce__(self) -> tuple[Any, ...]:
        return list, ([ByValue(item) if _is_small(item) else item for item in self],)


class ByValue:
    """A tensor that is pickled as its bytes."""

    def __init__(self, tensor: torch.Tensor) -> None:
        self.tensor = tensor

    def __reduce__(self) -> tuple[Any, ...]:
        return torch.from_numpy, (self.tensor.numpy(),)


def _is_small(item: Any) -> bool:
    # a collate_fn of the user's own may have put anything into the list, what NumPy does not know too
    if type(item) is not torch.Tensor or item.layout != torch.strided or item.requires_grad:
        return False
    return item.is_cpu and item.dtype in _DTYPES and item.nbytes <= _SMALL


_SMALL = 1 << 19  # bytes; measured: from about here on the handshake is cheaper than the pipe
_DTYPES = {torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64, torch.float32, torch.float64}

# the registry is how torch documents adding an element type to default_collate
default_collate_fn_map[Sample] = _collate


@hookimpl
def idxhub_conventions() -> Conventions:
    """CHW, int64 targets."""
    return Conventions(
        layout="CHW",
        label_dtype="int64",
        options={
            "transform": "a callable applied to each image tensor",
            "target_transform": "a callable applied to each label",
        },
    )


@hookimpl
def idxhub_check(options: Mapping[str, Any]) -> None:
    """Transforms are callables."""
    for option, value in options.items():
        arguments.function(option, value)


@hookimpl
def idxhub_dataset(split: Split, options: Mapping[str, Any]) -> IdxDataset:
    """A map-style Dataset."""
    return IdxDataset(split, **options)


@hookimpl
def idxhub_batch(images: NDArray[Any], labels: NDArray[Any]) -> list[torch.Tensor]:
    """`[images, labels]`, as DataLoader's default collation gives them, sharing the arrays' memory."""
    return [torch.from_numpy(images), torch.from_numpy(labels)]


@hookimpl
def idxhub_check_device(device: Any) -> None:
    """A device that this machine has."""
    _device(device)


@hookimpl
def idxhub_resident(split: Split, device: Any) -> Resident:
    """Batches gathered on `device`, a torch.device, or a name or number of one, which holds images and labels."""
    return Resident(split, device)


class Resident:
    """A split on a device, as stored; called with a pass's indices and a batch size it yields `[images, labels]`."""

    def __init__(self, split: Split, device: Any) -> None:
        self.device = _device(device)
        self._split = split
        self._images = torch.from_numpy(split.images).to(self.device)
        self._labels = torch.from_numpy(split.labels).to(self.device)
        # on the device: by a number in the host's memory CUDA does not divide, it multiplies by the reciprocal
        self._scale = torch.tensor(255, dtype=torch.float32, device=self.device)

    def __call__(self, indices: NDArray[np.int64], size: int) -> Iterator[list[torch.Tensor]]:
        """The batches of a pass. The indices travel once, and nothing waits for the device."""
        where = torch.from_numpy(indices)
        if self.device.type == "cuda":
            where = where.pin_memory()
        where = where.to(self.device, non_blocking=True)
        size = max(1, min(size, len(indices)))
        together = size * self._at_once(size)
        for start in range(0, len(indices), together):
            images, labels = self._gather(where[start : start + together])
            # as tensors of their own, and not as views of one: a change of one is no change of the others
            yield from map(list, zip(torch.unsafe_split(images, size), torch.unsafe_split(labels, size), strict=True))

    def _gather(self, where: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        images = torch.index_select(self._images, 0, where)
        if self._split.dtype != self._split.images.dtype.name:
            images = torch.div(images, self._scale)
        return images.view(len(where), *self._split.element_shape), torch.index_select(self._labels, 0, where)

    def _at_once(self, size: int) -> int:
        """How many batches one gather makes: on a processor one, which stays in its cache."""
        if self.device.type == "cpu":
            return 1
        return max(1, _TOGETHER // max(1, size * self._images[:1].nbytes))


_TOGETHER = 1 << 22  # bytes, as stored; to start a kernel takes a device as long as to gather about as much


def _device(device: Any) -> torch.device:
    try:
        place = torch.device(device)
        torch.empty(0, device=place)
    except (AssertionError, NotImplementedError, RuntimeError, TypeError) as error:
        must_be = f"a device of torch that this machine has: {', '.join(_devices())}"
        raise errors.ArgumentError("device", device, must_be) from error
    return place


def _devices() -> list[str]:
    """The devices that this machine has, by their names; of kinds that are rare, none."""
    others = [f"cuda:{number}" for number in range(torch.cuda.device_count())]
    return ["cpu", *others, *(["mps"] if torch.backends.mps.is_available() else [])]
