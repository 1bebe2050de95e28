"""PyTorch: idxhub's dataset in a plain DataLoader, its loader, and torch's own TensorDataset."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch.utils.data import BatchSampler, DataLoader, RandomSampler, TensorDataset

from idxhub_bench.load.contenders import hub
from idxhub_bench.load.contenders.base import Contender, added_up, unpacked

# one thread, as in a worker: with more, whether another program has the other core decides everything
torch.set_num_threads(1)


class Torch(Contender):
    """What the rows of torch share: a plain DataLoader."""

    def batches(self, dataset: Any, size: int, dtype: str, workers: int = 0) -> Iterator[Any]:
        """`DataLoader(dataset, batch_size=..., shuffle=True, num_workers=...)`, its workers started anew."""
        del dtype
        return iter(DataLoader(dataset, batch_size=size, shuffle=True, num_workers=workers))

    def threads(self) -> dict[str, int]:
        return {"torch": torch.get_num_threads()}


class Plain(Torch, hub.Dataset):
    """`get_dataset(framework="torch")` in a plain DataLoader."""

    framework = "torch"

    def sums(self, dataset: Any) -> dict[str, int]:
        several = dataset if isinstance(dataset, tuple) else (dataset,)
        return added_up(*((each.data, each.targets) for each in several))


class Loader(hub.Loader):
    """`get_loader(framework="torch")`."""

    framework = "torch"
    threads = Torch.threads


class Tensors(Torch):
    """`TensorDataset(images, labels)`: tensors of the dtype wanted, converted beforehand."""

    def cold(self, folder: str) -> Any:
        del folder
        return tuple(self._dataset(split, "uint8") for split in ("train", "test"))

    def open(self, dtype: str) -> Any:
        return self._dataset("train", dtype)

    def sums(self, dataset: Any) -> dict[str, int]:
        several = dataset if isinstance(dataset, tuple) else (dataset,)
        return added_up(*(each.tensors for each in several))

    def _dataset(self, split: str, dtype: str) -> TensorDataset:
        images, labels = unpacked(self.place.data_dir, split)
        tensor = torch.tensor(images).unsqueeze(1)
        return TensorDataset(tensor if dtype == "uint8" else tensor.to(torch.float32).div_(255), torch.tensor(labels))


class BatchedTensors(Tensors):
    """The same with whole batches asked for, by a BatchSampler, as torch's page on data loading has it."""

    def batches(self, dataset: Any, size: int, dtype: str, workers: int = 0) -> Iterator[Any]:
        del dtype
        sampler = BatchSampler(RandomSampler(dataset), size, drop_last=False)
        return iter(DataLoader(dataset, batch_size=None, sampler=sampler, num_workers=workers))
