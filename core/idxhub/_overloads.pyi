"""`get_dataset` as type checkers see it: the native type that each framework's name gives.

A stub without a module: nothing here exists at run time, and the core's code names no framework.
"""

import os
from collections.abc import Sequence
from typing import Any, Literal, Protocol, TypedDict, overload

import mxnet
import numpy as np
import paddle
import tensorflow as tf
import torch
from chainer.datasets import TupleDataset
from datasets import Dataset
from jax import Array, Device
from jax.sharding import Sharding
from mlx.core import array as MlxArray  # noqa: N812 -- elsewhere a class of that name begins with a capital letter
from numpy.typing import NDArray
from ray.data import Dataset as RayDataset
from tinygrad import Tensor as TinygradTensor
from torch import Tensor
from typing_extensions import Unpack

from idxhub.catalog.spec import DatasetSpec
from idxhub.data.arrays import Layout
from idxhub.data.loader import Loader
from idxhub.data.order import Equal
from idxhub.data.split import Arrays
from idxhub.plugins.manager import FrameworkName, Plugins
from idxhub_adapters.keras import IdxPyDataset
from idxhub_adapters.mlx import LazyArrays
from idxhub_adapters.mxnet import IdxDataset as MxnetDataset
from idxhub_adapters.paddle import IdxBatches as PaddleBatches
from idxhub_adapters.paddle import IdxDataset as PaddleDataset
from idxhub_adapters.torch import IdxDataset, Transform

class TorchDType(Protocol):
    """`torch.float32`. Not named by its class: if torch is not installed, a union with it would accept everything."""

    @property
    def is_floating_point(self) -> bool: ...

class TensorFlowDType(Protocol):
    """`tf.float32`, likewise."""

    @property
    def as_numpy_dtype(self) -> Any: ...

# what a dataset of uint8 can be given as; arrays of another type are given as they are stored, by None
DType = (
    Literal["uint8", "float32"]
    | type[np.uint8 | np.float32]
    | np.dtype[np.uint8]
    | np.dtype[np.float32]
    | TorchDType
    | TensorFlowDType
)

class Common(TypedDict, total=False):
    dtype: DType | None
    layout: Layout | None
    data_dir: str | os.PathLike[str] | None
    cache_dir: str | os.PathLike[str] | None
    download: bool
    verify: bool
    plugins: Plugins | None

class TorchOptions(Common, total=False):
    transform: None
    target_transform: None

class TransformOptions(Common, total=False):
    transform: Transform | None
    target_transform: Transform | None

class TensorFlowOptions(Common, total=False):
    batch_size: int | None
    shuffle: bool
    seed: int
    drop_last: bool

class JaxOptions(Common, total=False):
    device: Device | str | None
    sharding: Sharding | None

class HuggingFaceOptions(Common, total=False):
    image: Literal["png", "array"]
    compress: bool

class RayOptions(Common, total=False):
    shuffle: bool
    seed: int
    override_num_blocks: int | None

class KerasOptions(Common, total=False):
    batch_size: int
    shuffle: bool
    seed: int
    drop_last: bool

class TinygradOptions(Common, total=False):
    device: str | None

class PaddleOptions(Common, total=False):
    batch_size: None

class PaddleBatchOptions(Common, total=False):
    shuffle: bool
    seed: int
    drop_last: bool

class Batching(Common, total=False):
    split: str
    shuffle: bool
    seed: int
    drop_last: bool
    shard: tuple[int, int]
    equal: Equal
    prefetch: int
    device: torch.device | Device | str | int | None

Name = str | DatasetSpec
Several = Sequence[str]
Listed = tuple[str, ...] | list[str]  # for types that mypy may not know: of those it sees no overlap to be excused

@overload
def get_dataset(  # type: ignore[overload-overlap]  # a str is a Sequence[str] too; one split is what it means
    name: Name = ..., *, framework: Literal["numpy"] = ..., split: str = ..., **options: Unpack[Common]
) -> Arrays[NDArray[Any]]: ...
@overload
def get_dataset(
    name: Name = ..., *, framework: Literal["numpy"] = ..., split: Several, **options: Unpack[Common]
) -> tuple[Arrays[NDArray[Any]], ...]: ...
@overload
def get_dataset(  # type: ignore[overload-overlap]  # as above
    name: Name = ..., *, framework: Literal["torch"], split: str = ..., **options: Unpack[TorchOptions]
) -> IdxDataset: ...
@overload
def get_dataset(
    name: Name = ..., *, framework: Literal["torch"], split: Several, **options: Unpack[TorchOptions]
) -> tuple[IdxDataset, ...]: ...
@overload
def get_dataset(  # type: ignore[overload-overlap]  # as above
    name: Name = ..., *, framework: Literal["torch"], split: str = ..., **options: Unpack[TransformOptions]
) -> IdxDataset[Any, Any]: ...
@overload
def get_dataset(
    name: Name = ..., *, framework: Literal["torch"], split: Several, **options: Unpack[TransformOptions]
) -> tuple[IdxDataset[Any, Any], ...]: ...
@overload
def get_dataset(
    name: Name = ..., *, framework: Literal["tensorflow"], split: str = ..., **options: Unpack[TensorFlowOptions]
) -> tf.data.Dataset[tuple[tf.Tensor, tf.Tensor]]: ...
@overload
def get_dataset(
    name: Name = ..., *, framework: Literal["tensorflow"], split: Listed, **options: Unpack[TensorFlowOptions]
) -> tuple[tf.data.Dataset[tuple[tf.Tensor, tf.Tensor]], ...]: ...
@overload
def get_dataset(
    name: Name = ..., *, framework: Literal["jax"], split: str = ..., **options: Unpack[JaxOptions]
) -> Arrays[Array]: ...
@overload
def get_dataset(
    name: Name = ..., *, framework: Literal["jax"], split: Listed, **options: Unpack[JaxOptions]
) -> tuple[Arrays[Array], ...]: ...
@overload
def get_dataset(
    name: Name = ..., *, framework: Literal["huggingface"], split: str = ..., **options: Unpack[HuggingFaceOptions]
) -> Dataset: ...
@overload
def get_dataset(
    name: Name = ..., *, framework: Literal["huggingface"], split: Listed, **options: Unpack[HuggingFaceOptions]
) -> tuple[Dataset, ...]: ...
@overload
def get_dataset(
    name: Name = ..., *, framework: Literal["ray"], split: str = ..., **options: Unpack[RayOptions]
) -> RayDataset: ...
@overload
def get_dataset(
    name: Name = ..., *, framework: Literal["ray"], split: Listed, **options: Unpack[RayOptions]
) -> tuple[RayDataset, ...]: ...
@overload
def get_dataset(
    name: Name = ..., *, framework: Literal["tinygrad"], split: str = ..., **options: Unpack[TinygradOptions]
) -> Arrays[TinygradTensor]: ...
@overload
def get_dataset(
    name: Name = ..., *, framework: Literal["tinygrad"], split: Listed, **options: Unpack[TinygradOptions]
) -> tuple[Arrays[TinygradTensor], ...]: ...
@overload
def get_dataset(
    name: Name = ..., *, framework: Literal["mlx"], split: str = ..., **options: Unpack[Common]
) -> LazyArrays: ...
@overload
def get_dataset(
    name: Name = ..., *, framework: Literal["mlx"], split: Listed, **options: Unpack[Common]
) -> tuple[LazyArrays, ...]: ...
@overload
def get_dataset(
    name: Name = ..., *, framework: Literal["keras"], split: str = ..., **options: Unpack[KerasOptions]
) -> IdxPyDataset: ...
@overload
def get_dataset(
    name: Name = ..., *, framework: Literal["keras"], split: Listed, **options: Unpack[KerasOptions]
) -> tuple[IdxPyDataset, ...]: ...
@overload
def get_dataset(
    name: Name = ..., *, framework: Literal["paddle"], split: str = ..., **options: Unpack[PaddleOptions]
) -> PaddleDataset: ...
@overload
def get_dataset(
    name: Name = ..., *, framework: Literal["paddle"], split: Listed, **options: Unpack[PaddleOptions]
) -> tuple[PaddleDataset, ...]: ...
@overload
def get_dataset(
    name: Name = ...,
    *,
    framework: Literal["paddle"],
    split: str = ...,
    batch_size: int,
    **options: Unpack[PaddleBatchOptions],
) -> PaddleBatches: ...
@overload
def get_dataset(
    name: Name = ...,
    *,
    framework: Literal["paddle"],
    split: Listed,
    batch_size: int,
    **options: Unpack[PaddleBatchOptions],
) -> tuple[PaddleBatches, ...]: ...
@overload
def get_dataset(
    name: Name = ..., *, framework: Literal["mxnet"], split: str = ..., **options: Unpack[Common]
) -> MxnetDataset: ...
@overload
def get_dataset(
    name: Name = ..., *, framework: Literal["mxnet"], split: Listed, **options: Unpack[Common]
) -> tuple[MxnetDataset, ...]: ...
@overload
def get_dataset(
    name: Name = ..., *, framework: Literal["chainer"], split: str = ..., **options: Unpack[Common]
) -> TupleDataset: ...
@overload
def get_dataset(
    name: Name = ..., *, framework: Literal["chainer"], split: Listed, **options: Unpack[Common]
) -> tuple[TupleDataset, ...]: ...
@overload
def get_dataset(
    name: Name = ...,
    *,
    framework: FrameworkName,
    split: str | Sequence[str] = ...,
    # names and types as above: where an argument holds an Any, as a lambda does, mypy decides on an overload only if
    # all that fit say the same of that argument
    dtype: DType | None = ...,
    layout: Layout | None = ...,
    data_dir: str | os.PathLike[str] | None = ...,
    cache_dir: str | os.PathLike[str] | None = ...,
    download: bool = ...,
    verify: bool = ...,
    plugins: Plugins | None = ...,
    transform: Transform | None = ...,
    target_transform: Transform | None = ...,
    **options: Any,
) -> Any: ...
@overload
def get_loader(
    name: Name = ..., *, batch_size: int, framework: Literal["numpy"] = ..., **options: Unpack[Batching]
) -> Loader[Arrays[NDArray[Any]]]: ...
@overload
def get_loader(
    name: Name = ..., *, batch_size: int, framework: Literal["torch"], **options: Unpack[Batching]
) -> Loader[list[Tensor]]: ...
@overload
def get_loader(
    name: Name = ..., *, batch_size: int, framework: Literal["tensorflow"], **options: Unpack[Batching]
) -> Loader[tuple[tf.Tensor, tf.Tensor]]: ...
@overload
def get_loader(
    name: Name = ..., *, batch_size: int, framework: Literal["jax"], **options: Unpack[Batching]
) -> Loader[Arrays[Array]]: ...
@overload
def get_loader(
    name: Name = ..., *, batch_size: int, framework: Literal["huggingface", "ray"], **options: Unpack[Batching]
) -> Loader[dict[str, NDArray[Any]]]: ...
@overload
def get_loader(
    name: Name = ..., *, batch_size: int, framework: Literal["tinygrad"], **options: Unpack[Batching]
) -> Loader[Arrays[TinygradTensor]]: ...
@overload
def get_loader(
    name: Name = ..., *, batch_size: int, framework: Literal["mlx"], **options: Unpack[Batching]
) -> Loader[Arrays[MlxArray]]: ...
@overload
def get_loader(
    name: Name = ..., *, batch_size: int, framework: Literal["keras"], **options: Unpack[Batching]
) -> Loader[tuple[NDArray[Any], NDArray[Any]]]: ...
@overload
def get_loader(
    name: Name = ..., *, batch_size: int, framework: Literal["paddle"], **options: Unpack[Batching]
) -> Loader[list[paddle.Tensor]]: ...
@overload
def get_loader(
    name: Name = ..., *, batch_size: int, framework: Literal["mxnet"], **options: Unpack[Batching]
) -> Loader[list[mxnet.nd.NDArray]]: ...
@overload
def get_loader(
    name: Name = ..., *, batch_size: int, framework: Literal["chainer"], **options: Unpack[Batching]
) -> Loader[tuple[NDArray[Any], NDArray[Any]]]: ...
@overload
def get_loader(
    name: Name = ..., *, batch_size: int, framework: FrameworkName, **options: Unpack[Batching]
) -> Loader[Any]: ...
