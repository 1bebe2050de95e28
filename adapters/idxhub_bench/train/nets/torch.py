"""PyTorch: an `nn.Module` and `torch.optim.SGD`."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from idxhub_bench.train.convnet import SHAPES, Weights


class _Module(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 32, 5, padding="same")
        self.conv2 = nn.Conv2d(32, 64, 5, padding="same")
        self.dense = nn.Linear(64 * 7 * 7, 1024)
        self.logits = nn.Linear(1024, 10)

    def forward(self, images: torch.Tensor, mask: torch.Tensor | None = None) -> Any:
        x = nn.functional.max_pool2d(torch.relu(self.conv1(images)), 2)
        x = nn.functional.max_pool2d(torch.relu(self.conv2(x)), 2)
        x = torch.relu(self.dense(x.flatten(1)))
        return self.logits(x if mask is None else x * mask)


class ConvNet:
    """Images are (B, 1, 28, 28)."""

    layout = "CHW"

    def __init__(self, rate: float, device: str | None) -> None:
        self.device = torch.device(device or "cpu")
        if self.device.type == "cuda":
            _compute_in_float32()
        self._module = _Module().to(self.device)
        self._optimiser = torch.optim.SGD(self._module.parameters(), lr=rate)

    def load(self, weights: Weights) -> None:
        """Transposed: torch has output channels first, and flattens (64, 7, 7)."""
        dense = weights["dense"].reshape(7, 7, 64, -1).transpose(2, 0, 1, 3).reshape(SHAPES["dense"])
        kernels = {
            **{layer: weights[layer].transpose(3, 2, 0, 1) for layer in ("conv1", "conv2")},
            "dense": dense.T,
            "logits": weights["logits"].T,
        }
        biases = {f"{layer}.bias": weights[f"{layer}/bias"] for layer in SHAPES}
        state = {f"{layer}.weight": kernel for layer, kernel in kernels.items()} | biases
        self._module.load_state_dict(
            {name: torch.from_numpy(np.ascontiguousarray(each)) for name, each in state.items()}
        )

    def ready(self, batch: Any) -> tuple[torch.Tensor, torch.Tensor]:
        images, labels = (each.to(self.device, non_blocking=True) for each in batch)
        self._wait()
        return images, labels

    def step(self, images: torch.Tensor, labels: torch.Tensor, mask: NDArray[Any]) -> float:
        self._optimiser.zero_grad()
        loss = nn.functional.cross_entropy(self._module(images, torch.from_numpy(mask).to(self.device)), labels)
        loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it so
        self._optimiser.step()
        self._wait()
        return loss.item()

    def classes(self, images: torch.Tensor) -> NDArray[Any]:
        with torch.no_grad():
            found: NDArray[Any] = self._module(images.to(self.device)).argmax(1).cpu().numpy()
        return found

    def threads(self) -> dict[str, int]:
        return {"torch": torch.get_num_threads()}

    def _wait(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)


def _compute_in_float32() -> None:
    """By default cuDNN rounds the operands of a convolution to TF32, which has 10 bits. No algorithm is tried out."""
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    torch.backends.cudnn.benchmark, torch.backends.cudnn.deterministic = False, True
