"""Uses whose types a checker must know; read by mypy --strict, which also reports an ignore that is not needed."""

from collections.abc import Sequence
from typing import Any, assert_type

import numpy as np
import torch
from numpy.typing import NDArray

from idxhub import Arrays, DatasetSpec, FrameworkName, Loader, Split, adapters, get_dataset, get_loader, load, order
from idxhub_adapters.keras import IdxPyDataset
from idxhub_adapters.mlx import LazyArrays
from idxhub_adapters.mxnet import IdxDataset as MxnetDataset
from idxhub_adapters.paddle import IdxBatches as PaddleBatches
from idxhub_adapters.paddle import IdxDataset as PaddleDataset
from idxhub_adapters.torch import IdxDataset


def flip(image: torch.Tensor) -> torch.Tensor:
    return image.flip(-1)


def untyped(image: Any) -> Any:
    return image


def elements(plain: IdxDataset, transformed: IdxDataset[Any, Any], named: IdxDataset[torch.Tensor, str]) -> None:
    """An element of the torch dataset, and several."""
    assert_type(plain, IdxDataset[torch.Tensor, int])
    assert_type(plain[0], tuple[torch.Tensor, int])
    assert_type(plain[np.int64(0)], tuple[torch.Tensor, int])
    assert_type(plain[torch.tensor(0)], tuple[torch.Tensor, int])
    assert_type(plain[0:3], tuple[torch.Tensor, torch.Tensor])
    assert_type(plain.__getitems__([0, 1]), Sequence[tuple[torch.Tensor, int]])
    assert_type(transformed[0], tuple[Any, Any])
    assert_type(transformed[0:3], tuple[torch.Tensor, torch.Tensor])  # Any passes for what it is without transforms
    assert_type(named[0], tuple[torch.Tensor, str])
    assert_type(named[0:3], tuple[Any, Any])
    assert_type(named.__getitems__([0, 1]), Sequence[tuple[torch.Tensor, str]])
    plain[[0, 1]]  # type: ignore[call-overload]
    plain["0"]  # type: ignore[call-overload]


def uses_of_paddle() -> None:
    assert_type(get_dataset(framework="paddle"), PaddleDataset)
    assert_type(get_dataset(framework="paddle", dtype="float32")[0], tuple[NDArray[Any], Any])
    assert_type(get_dataset(framework="paddle", split=("train", "test")), tuple[PaddleDataset, ...])
    assert_type(get_dataset(framework="paddle", batch_size=128, shuffle=True), PaddleBatches)
    assert_type(get_dataset(framework="paddle", batch_size=8, split=["train", "test"]), tuple[PaddleBatches, ...])
    assert_type(get_loader(batch_size=8, framework="paddle"), Loader[list[Any]])
    get_dataset(framework="paddle", shuffle=True)  # type: ignore[call-overload]


def uses_of_mxnet_and_chainer() -> None:
    assert_type(get_dataset(framework="mxnet", dtype="float32"), MxnetDataset)
    assert_type(get_dataset(framework="mxnet", split=("train", "test")), tuple[MxnetDataset, ...])
    assert_type(get_loader(batch_size=8, framework="mxnet"), Loader[list[Any]])
    assert_type(get_loader(batch_size=8, framework="chainer"), Loader[tuple[NDArray[Any], NDArray[Any]]])
    get_dataset(framework="mxnet", transform=3)  # type: ignore[call-overload]


def uses(spec: DatasetSpec, framework: FrameworkName, several: Sequence[str], module: torch.nn.Module) -> None:
    assert_type(get_dataset(), Arrays[NDArray[Any]])
    assert_type(get_dataset(spec, framework="numpy", dtype="float32", layout="CHW"), Arrays[NDArray[Any]])
    assert_type(get_dataset(split=("train", "test")), tuple[Arrays[NDArray[Any]], ...])
    assert_type(get_dataset(framework="torch", transform=None), IdxDataset)
    assert_type(get_dataset(framework="torch", transform=lambda image: image / 2), IdxDataset[Any, Any])
    assert_type(get_dataset(framework="torch", transform=flip, target_transform=lambda y: y + 1), IdxDataset[Any, Any])
    assert_type(get_dataset(framework="torch", transform=untyped), IdxDataset[Any, Any])
    assert_type(get_dataset(framework="torch", transform=module), IdxDataset[Any, Any])
    assert_type(get_dataset(framework="torch", split=several, transform=lambda x: x), tuple[IdxDataset[Any, Any], ...])
    assert_type(get_dataset(split=several, dtype=np.float32), tuple[Arrays[NDArray[Any]], ...])
    assert_type(get_dataset(framework="torch", split=["train", "test"]), tuple[IdxDataset, ...])
    assert_type(get_dataset(framework="torch")[0], tuple[torch.Tensor, int])
    assert_type(get_dataset(framework="torch", transform=flip)[0], tuple[Any, Any])
    assert_type(get_dataset(framework="keras", batch_size=8, dtype="float32"), IdxPyDataset)
    assert_type(get_dataset(framework="keras", split=["train", "test"]), tuple[IdxPyDataset, ...])
    assert_type(get_dataset(framework="mlx", dtype="float32"), LazyArrays)
    assert_type(get_dataset(framework="mlx", split=["train", "test"]), tuple[LazyArrays, ...])
    assert_type(get_dataset(framework="tinygrad", device="NPY"), Arrays[Any])
    assert_type(get_dataset(framework=framework, anything=3), Any)
    assert_type(load("fashion-mnist", "train[:10]"), Split)
    assert_type(order(3, 0, 0), NDArray[np.int64])

    assert_type(get_loader(batch_size=8), Loader[Arrays[NDArray[Any]]])
    assert_type(get_loader(spec, batch_size=8, framework="numpy", prefetch=2), Loader[Arrays[NDArray[Any]]])
    assert_type(get_loader(batch_size=8, framework="torch", device="cuda", dtype="float32"), Loader[list[torch.Tensor]])
    assert_type(get_loader(batch_size=8, framework=framework, shard=(0, 2), equal="drop"), Loader[Any])
    assert_type(get_loader(batch_size=8, framework="jax", device=0), Loader[Arrays[Any]])
    assert_type(get_loader(batch_size=8, framework="huggingface"), Loader[dict[str, NDArray[Any]]])
    assert_type(get_loader(batch_size=8, framework="ray"), Loader[dict[str, NDArray[Any]]])
    assert_type(get_loader(batch_size=8, framework="keras"), Loader[tuple[NDArray[Any], NDArray[Any]]])

    get_loader()  # type: ignore[call-overload]
    get_loader(batch_size="8")  # type: ignore[call-overload]
    get_loader(batch_size=8, split=("train", "test"))  # type: ignore[call-overload]
    get_loader(batch_size=8, num_workers=2)  # type: ignore[call-overload]
    get_loader(batch_size=8, framework="torch", transform=flip)  # type: ignore[call-overload]
    get_dataset(dtype=torch.float32)
    get_dataset(dtype=np.dtype("float32"), framework=FrameworkName("arrow"), names=True)
    get_dataset(dtype=3)  # type: ignore[call-overload]
    get_dataset(dtype="float64")  # type: ignore[call-overload]
    get_dataset(dtype=np.float64)  # type: ignore[arg-type]
    get_dataset(framework="pytorch")  # type: ignore[call-overload]
    get_dataset(framework="torch", dtype="float16")  # type: ignore[call-overload]
    get_loader(batch_size=8, framework="tf")  # type: ignore[call-overload]
    get_loader(batch_size=8, dtype="int8")  # type: ignore[call-overload]
    for each in adapters():
        assert_type(get_dataset(framework=each), Any)
    get_dataset(framework=3)  # type: ignore[call-overload]
    get_dataset(framework="torch", transform=3)  # type: ignore[call-overload]
    get_dataset(framework="torch", data_dir=3)  # type: ignore[call-overload]
    get_dataset(data_dri="x")  # type: ignore[call-overload]
    get_dataset(layout="NCHW")  # type: ignore[call-overload]
