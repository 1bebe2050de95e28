"""The readers that are compared, as data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

BOTH = ("uint8", "float32")


@dataclass(frozen=True)
class Row:
    """A reader: its name, the class that reads, what it needs, and how much of it is measured.

    - `environments`: the names with which `--env` names its interpreter; the first one that is given counts
    - `needs`: distributions
    - `imports`: what a user writes before the first call; `otherwise`: what to write if that fails
    - `peers`: the rows that its users would use without idxhub
    - `limit`: at most so many images in a pass, because an epoch takes too long
    - `opens`, `reads`: whether its opening and its epochs are measured
    - `only_rates`: whether warm openings and memory are left out; without `opens`, nothing but its epochs is measured
    - `small`: false if fixed costs cannot be separated from those of the data; then memory of processes is not compared
    - `full_only`: whether it knows only the full dataset
    - `once`: the measures that are so slow that they run in one round only
    - `in_order`: whether epochs in the order of the files are measured too
    - `one_size`: epochs are read in one batch size only: it shuffles everything before the first batch, so that `limit`
      would not make them shorter
    """

    name: str
    reader: str
    environments: tuple[str, ...]
    needs: tuple[str, ...]
    imports: str
    ours: bool = True
    peers: tuple[str, ...] = ()
    dtypes: tuple[str, ...] = BOTH
    workers: tuple[int, ...] = (0,)
    memory_workers: tuple[int, ...] = (0,)
    limit: int | None = None
    opens: bool = True
    only_rates: bool = False
    small: bool = True
    reads: bool = True
    full_only: bool = False
    otherwise: str = ""
    once: tuple[str, ...] = ()
    one_size: bool = False
    in_order: bool = False


FLOOR = "NumPy X[permutation]"
RAY = "ray from_numpy"

# torchvision without its compiled part, which describes two operators; as in idxhub_bench/vision.py
_TORCHVISION_ALONE = """\
import torch.utils.data
library = torch.library.Library("torchvision", "DEF")
for operator in ("nms", "qnms"):
    library.define(f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
import torchvision.datasets, torchvision.transforms"""
_TORCH = "import torch, torch.utils.data"
# of idxhub's rows for a framework: distributions beside idxhub, imports before idxhub's, peers
_FRAMEWORKS: dict[str, tuple[tuple[str, ...], str, tuple[str, ...]]] = {
    "numpy": ((), "import idxhub", (FLOOR,)),
    "torch": (("torch",), f"{_TORCH}, idxhub", ("torchvision", "TensorDataset", "TensorDataset, BatchSampler")),
    "tensorflow": (("tensorflow",), "import tensorflow, idxhub", ("keras, batch then map", "TFDS")),
    "jax": (("jax",), "import jax, idxhub", ("grain",)),
    "huggingface": (("datasets", "pillow"), "import datasets, idxhub", ("load_dataset Parquet",)),
    "ray": (("ray",), "import ray.data, idxhub", (RAY, "ray from_numpy, local shuffle", "ray read_parquet")),
}
_KERAS = ("keras tensorflow", "tensorflow keras", "import keras, tensorflow")  # environments, needs, imports
_TFDS = "tfds tensorflow", "tensorflow tensorflow-datasets", "import tensorflow, tensorflow_datasets"
IN_GRAPH = ", in a tf.function"
_LOOPS: dict[str, Any] = {"opens": False, "only_rates": True}
_FLOAT32_ONCE: dict[str, Any] = {"dtypes": ("float32",), "one_size": True}
_RAY_RATES: dict[str, Any] = {"opens": False, "only_rates": True, "one_size": True}
_RAY_PEER: dict[str, Any] = {"dtypes": ("uint8",), **_RAY_RATES}
_WORKERS: dict[str, Any] = {"workers": (0, 2), "memory_workers": (0, 2, 8)}


def _ours(framework: str, what: str, reader: str, **more: Any) -> Row:
    needs, imports, peers = _FRAMEWORKS[framework]
    row: dict[str, Any] = {"needs": ("idxhub", *needs), "imports": imports, "peers": peers}
    return Row(f"idxhub {framework} {what}".rstrip(), reader, (framework,), **row | more)


def _peer(name: str, reader: str, environments: str, needs: str, imports: str, **more: Any) -> Row:
    return Row(name, reader, tuple(environments.split()), tuple(needs.split()), imports, ours=False, **more)


ROWS = (
    _peer(FLOOR, "numpy:Floor", "numpy", "numpy", "import numpy", small=False),
    _ours("numpy", "", "hub:Arrays", reads=False),
    _ours("numpy", "get_loader", "hub:Loader", opens=False),
    _ours("torch", "DataLoader", "torch:Plain", **_WORKERS),
    _ours("torch", "get_loader", "torch:Loader", opens=False),
    _peer(
        "torchvision",
        "torchvision:Torchvision",
        "torchvision torch",
        "torch torchvision pillow",
        "import torch.utils.data, torchvision.datasets, torchvision.transforms",
        dtypes=("float32",),
        limit=6_400,
        otherwise=_TORCHVISION_ALONE,
        **_WORKERS,
    ),
    _peer("TensorDataset", "torch:Tensors", "torch", "torch", _TORCH, **_WORKERS),
    _peer("TensorDataset, BatchSampler", "torch:BatchedTensors", "torch", "torch", _TORCH, opens=False),
    _ours("tensorflow", "tf.data", "tensorflow:Pipeline", small=False),
    _ours(
        "tensorflow",
        f"tf.data{IN_GRAPH}",
        "tensorflow:PipelineInGraph",
        peers=tuple(peer + IN_GRAPH for peer in _FRAMEWORKS["tensorflow"][2]),
        **_LOOPS,
    ),
    _ours("tensorflow", "get_loader", "tensorflow:Loader", opens=False, small=False),
    _peer("keras, batch then map", "tensorflow:Keras", *_KERAS, small=False),
    _peer(f"keras, batch then map{IN_GRAPH}", "tensorflow:KerasInGraph", *_KERAS, **_LOOPS),
    _peer("keras, map then batch", "tensorflow:KerasMapFirst", *_KERAS, **_FLOAT32_ONCE, opens=False, small=False),
    _peer("TFDS", "tfds:Tfds", *_TFDS, small=False, once=("cold",), full_only=True),
    _peer(f"TFDS{IN_GRAPH}", "tfds:TfdsInGraph", *_TFDS, **_LOOPS, full_only=True),
    _ours("jax", "get_loader", "jax:Loader", opens=False),
    _ours("jax", "resident", "jax:Resident"),
    _peer(
        "grain", "grain:Grain", "grain jax", "grain", "import grain", workers=(0, 2), memory_workers=(0, 2), limit=6_400
    ),
    _ours("huggingface", "png", "huggingface:Png", dtypes=("uint8",), small=False),
    _ours("huggingface", "array", "huggingface:Array", small=False),
    _ours("huggingface", "get_loader", "huggingface:Loader", opens=False),
    _ours(
        "huggingface",
        "with_format",
        "huggingface:WithFormat",
        needs=("idxhub", "datasets", "pillow", "torch"),
        imports="import datasets, torch, idxhub",
        small=False,
    ),
    _peer(
        "load_dataset Parquet",
        "huggingface:Parquet",
        "huggingface",
        "datasets pillow",
        "import datasets",
        dtypes=("uint8",),
        limit=3_200,
        small=False,
    ),
    _ours("ray", "", "ray:Ray", small=False, one_size=True),
    _ours("ray", "batch_size", "ray:Batches", in_order=True, **_RAY_RATES),
    _ours("ray", "get_loader", "ray:Loader", **_RAY_RATES),
    _peer(RAY, "ray:FromNumpy", "ray", "ray", "import ray.data", in_order=True, **_RAY_PEER | {"opens": True}),
    _peer("ray from_numpy, local shuffle", "ray:LocalShuffle", "ray", "ray", "import ray.data", **_RAY_PEER),
    _peer(
        "ray read_parquet", "ray:Parquet", "ray", "ray", "import ray.data", in_order=True, once=("epochs",), **_RAY_PEER
    ),
    _peer(
        "MXNet Gluon", "mxnet:Gluon", "mxnet", "mxnet", "import mxnet.gluon", limit=6_400, small=False, full_only=True
    ),
)
BY_NAME = {row.name: row for row in ROWS}
