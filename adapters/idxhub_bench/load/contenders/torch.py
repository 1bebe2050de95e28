"""PyTorch: idxhub's dataset in a plain DataLoader, its loader, and torch's own TensorDataset."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch.utils.data import BatchSampler, DataLoader, RandomSampler, TensorDataset

from idxhub_bench.load.contenders import hub
from idxhub_bench.load.contenders.base import Contender
from idxhub_bench.load.judge import read_split

# one thread, as in a worker: with more, the result depends on whether another program uses the other core
torch.set_num_threads(1)


class Torch(Contender):
    """What the rows of torch share: a plain DataLoader."""

    def batches(self, dataset: Any, size: int, dtype: str, workers: int = 0) -> Iterator[Any]:
        """`DataLoader(dataset, batch_size=..., shuffle=True, num_workers=...)`, which starts its workers anew."""
        return iter(DataLoader(dataset, batch_size=size, shuffle=True, num_workers=workers))

    def threads(self) -> dict[str, int]:
        return {"torch": torch.get_num_threads()}

    def pair(self, split: Any) -> tuple[Any, Any]:
        return split.data, split.targets


class Plain(Torch, hub.Dataset):
    """`get_dataset(framework="torch")` in a plain DataLoader."""

    framework = "torch"


class Loader(hub.Loader):
    """`get_loader(framework="torch")`."""

    framework = "torch"
    threads = Torch.threads


class Tensors(Torch):
    """`TensorDataset(images, labels)`: tensors that were converted to the dtype beforehand."""

    def cold(self, folder: str) -> tuple[Any, Any]:
        return self._dataset("train", "uint8"), self._dataset("test", "uint8")

    def open(self, dtype: str) -> Any:
        return self._dataset("train", dtype)

    def pair(self, split: Any) -> Any:
        return split.tensors

    def _dataset(self, split: str, dtype: str) -> TensorDataset:
        images, labels = read_split(self.place.data_dir, split)
        tensor = torch.tensor(images).unsqueeze(1)
        return TensorDataset(tensor if dtype == "uint8" else tensor.to(torch.float32).div_(255), torch.tensor(labels))


class BatchedTensors(Tensors):
    """The same with a BatchSampler that asks for whole batches, as in torch's documentation of data loading."""

    def batches(self, dataset: Any, size: int, dtype: str, workers: int = 0) -> Iterator[Any]:
        return whole_batches(dataset, size, workers)


def whole_batches(dataset: Any, size: int, workers: int) -> Iterator[Any]:
    """A shuffled epoch by a DataLoader that asks the dataset for whole batches."""
    sampler = BatchSampler(RandomSampler(dataset), size, drop_last=False)
    return iter(DataLoader(dataset, batch_size=None, sampler=sampler, num_workers=workers))
