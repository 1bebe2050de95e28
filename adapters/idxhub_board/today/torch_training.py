"""PyTorch: how a network is trained, and how it predicts."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler
from torch.utils.data import DataLoader, Dataset

_PREDICT_BATCH = 500

# the height and the width of the images, and the number of classes
MakeNetwork = Callable[[int, int, int], nn.Module]
MakeOptimiser = Callable[[Iterable[nn.Parameter]], Optimizer]
MakeSchedule = Callable[..., LRScheduler]


class TorchClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """A network that is trained by cross-entropy, on the CPU.

    `network` makes it, `optimiser` makes what changes its weights, and `schedule` what changes the learning rate after
    each step, of `total_steps`; without one the rate is constant. The weights at the start, the order of the examples
    and the dropout depend on `random_state` only. With another number of threads, sums are rounded differently.
    """

    def __init__(
        self,
        network: MakeNetwork,
        optimiser: MakeOptimiser,
        *,
        epochs: int,
        batch_size: int,
        schedule: MakeSchedule | None = None,
        random_state: int = 0,
        threads: int = 1,
    ) -> None:
        self.network = network
        self.optimiser = optimiser
        self.epochs = epochs
        self.batch_size = batch_size
        self.schedule = schedule
        self.random_state = random_state
        self.threads = threads

    def fit(self, examples: Dataset[Any], labels: NDArray[np.int64]) -> TorchClassifier:
        """Train on a dataset of images, float32 (1, height, width), and their labels.

        `labels` are the same labels as an array, from which the number of classes is taken.
        """
        torch.set_num_threads(self.threads)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.random_state)
            self._train(examples, int(labels.max()) + 1)
        return self

    def predict(self, examples: Dataset[Any]) -> NDArray[np.int64]:
        """The class of each image."""
        # a generator of its own: a DataLoader draws a number even if it does not shuffle
        batches = DataLoader(examples, _PREDICT_BATCH, generator=torch.Generator())
        self.network_.eval()
        with torch.inference_mode():
            parts = [self.network_(images).argmax(1) for images, _ in batches]
        found: NDArray[np.int64] = torch.cat(parts).numpy()
        return found

    def _train(self, examples: Dataset[Any], classes: int) -> None:
        _, height, width = examples[0][0].shape
        self.network_ = self.network(height, width, classes).train()
        batches = DataLoader(examples, self.batch_size, shuffle=True)
        optimiser = self.optimiser(self.network_.parameters())
        schedule = self.schedule and self.schedule(optimiser, total_steps=self.epochs * len(batches))
        for _ in range(self.epochs):
            for images, labels in batches:
                optimiser.zero_grad()
                loss = nn.functional.cross_entropy(self.network_(images), labels)
                loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it so
                optimiser.step()
                if schedule is not None:
                    schedule.step()
