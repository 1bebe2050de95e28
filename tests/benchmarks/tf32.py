"""How far TF32 takes the losses of `idxhub bench train` from those of float64, emulated on a CPU.

    python tests/benchmarks/tf32.py --data-dir FOLDER

Trains the ConvNet in PyTorch for ten steps at a rate of 0.05: in float32, with the operands of convolutions rounded to
TF32, with those of all products rounded, and in float64. Prints the largest relative difference of each two, and of
each to the losses that the published records of an H200 have. Takes a minute or two.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

import click
import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import grad

from idxhub import get_loader
from idxhub_bench.train import convnet, judge
from idxhub_bench.train.nets.torch import ConvNet

RECORDS = Path(__file__).parents[2] / "docs" / "_static" / "benchmarks" / "train25-h200.jsonl"
RATE = 0.05


def to_tf32(values: torch.Tensor) -> torch.Tensor:
    """Round float32 to the 10 bits of TF32's mantissa, to the nearest, and half-way cases to the even one."""
    bits = values.detach().contiguous().view(torch.int32)
    return ((bits + 0xFFF + ((bits >> 13) & 1)) & ~0x1FFF).view(torch.float32)


class Convolution(torch.autograd.Function):
    """A 5x5 convolution of the same size, whose operands are rounded, forwards and backwards."""

    @staticmethod
    def forward(ctx: Any, images: Any, kernel: Any) -> Any:
        ctx.save_for_backward(images, kernel)
        return nn.functional.conv2d(to_tf32(images), to_tf32(kernel), padding="same")

    @staticmethod
    def backward(ctx: Any, gradient: Any) -> Any:
        images, kernel = ctx.saved_tensors
        gradient = to_tf32(gradient)
        of_images = grad.conv2d_input(images.shape, to_tf32(kernel), gradient, padding=2)
        return of_images, grad.conv2d_weight(to_tf32(images), kernel.shape, gradient, padding=2)


class Product(torch.autograd.Function):
    """A matrix product, whose operands are rounded, forwards and backwards."""

    @staticmethod
    def forward(ctx: Any, values: Any, matrix: Any) -> Any:
        ctx.save_for_backward(values, matrix)
        return to_tf32(values) @ to_tf32(matrix).T

    @staticmethod
    def backward(ctx: Any, gradient: Any) -> Any:
        values, matrix = ctx.saved_tensors
        gradient = to_tf32(gradient)
        return gradient @ to_tf32(matrix), gradient.T @ to_tf32(values)


class Rounded(nn.Module):
    """A layer of the network, whose operands are rounded."""

    def __init__(self, layer: Any) -> None:
        super().__init__()
        self.weight, self.bias = layer.weight, layer.bias

    def forward(self, values: Any) -> Any:
        if self.weight.dim() == 4:
            return Convolution.apply(values, self.weight) + self.bias[:, None, None]
        return Product.apply(values, self.weight) + self.bias


def losses(batches: list[Any], rounded: tuple[str, ...] = (), dtype: torch.dtype = torch.float32) -> NDArray[Any]:
    """The loss of each step; the operands of the layers `rounded` are in TF32."""
    net = ConvNet(RATE, None)
    net.load(convnet.initial(0))
    module = net._module.to(dtype)
    for name in rounded:
        setattr(module, name, Rounded(getattr(module, name)))
    found = []
    for number, (images, labels) in enumerate(batches):
        mask = torch.from_numpy(convnet.mask(0, number, convnet.BATCH)).to(dtype)
        net._optimiser.zero_grad()
        loss = nn.functional.cross_entropy(module(images.to(dtype), mask), labels)
        loss.backward()
        net._optimiser.step()
        found.append(loss.item())
    return np.array(found)


def main() -> None:
    """Print the differences."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", type=Path)
    parser.add_argument("--dataset", default="fashion-mnist")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as cache:
        options: Any = {"data_dir": given.data_dir, "cache_dir": cache, "framework": "torch", "dtype": "float32"}
        loader = get_loader(given.dataset, batch_size=convnet.BATCH, drop_last=True, seed=0, **options)
        batches = [batch for _, batch in zip(range(judge.STEPS), loader, strict=False)]
    convolutions = ("conv1", "conv2")
    found = {
        "float64": losses(batches, dtype=torch.float64),
        "float32": losses(batches),
        "TF32 in convolutions": losses(batches, convolutions),
        "TF32 in all products": losses(batches, (*convolutions, "dense", "logits")),
    }
    records = map(json.loads, RECORDS.read_text(encoding="utf-8").splitlines())
    if given.dataset == "fashion-mnist":
        found |= {f"H200, {each['row']}": np.array(each["losses"]) for each in records if each["kind"] == "losses"}
    for one, values in found.items():
        differences = (abs(values / other[: len(values)] - 1).max() for other in found.values())
        click.echo(f"{one:21} {' '.join(f'{each:.1e}' for each in differences)}")


if __name__ == "__main__":
    main()
