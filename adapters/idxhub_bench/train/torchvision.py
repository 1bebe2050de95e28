"""torchvision's usual idiom, as in PyTorch's tutorials: `FashionMNIST(transform=ToTensor())` in a DataLoader."""

from __future__ import annotations

from typing import Any

from torch.utils.data import DataLoader, Subset

from idxhub_bench import vision


def batches(root: str, examples: int, size: int, workers: int, *, pin: bool) -> Any:
    """A DataLoader over the first examples, in a new order in each pass, without the short last batch."""
    datasets, transforms = vision.modules()
    dataset = datasets.FashionMNIST(root, train=True, transform=transforms.ToTensor())
    first = Subset(dataset, range(examples))
    return DataLoader(first, size, shuffle=True, num_workers=workers, drop_last=True, pin_memory=pin)
