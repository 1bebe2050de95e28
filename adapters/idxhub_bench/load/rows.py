"""The readers that are compared, as data."""

from __future__ import annotations

from dataclasses import dataclass

BOTH = ("uint8", "float32")


@dataclass(frozen=True)
class Row:
    """A reader: what it is called, which class reads, what it needs, and how much of it is measured.

    `environments` are the names under which `--env` may name its interpreter, the first that is named counts.
    `needs` are distributions, `imports` is what a user writes above the first call, `otherwise` what must be written
    where that fails. `peers` are the rows that its users would have without idxhub. `limit` bounds the images of a pass
    where an epoch takes too long. `opens` is whether opening it is measured, `reads` whether epochs are. `small` is
    False where a fixed cost cannot be told from that of the data: what the processes use together is not compared
    there. `full_only` is whether it knows the full dataset alone. `once` are the measures that take so long that one
    round must do. `brief` is whether epochs are read in batches of one size alone: where the whole is shuffled before
    the first batch comes, `limit` saves nothing.
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
    small: bool = True
    reads: bool = True
    full_only: bool = False
    otherwise: str = ""
    once: tuple[str, ...] = ()
    brief: bool = False


FLOOR = "NumPy X[permutation]"

_TORCH, _TORCHVISION = ("idxhub", "torch"), ("torch", "torchvision", "pillow")
# without its compiled part, which describes two operators; as in idxhub_bench/vision.py
_TORCHVISION_ALONE = """\
import torch.utils.data
library = torch.library.Library("torchvision", "DEF")
for operator in ("nms", "qnms"):
    library.define(f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
import torchvision.datasets, torchvision.transforms"""
_TENSORFLOW, _JAX, _HUGGINGFACE = ("idxhub", "tensorflow"), ("idxhub", "jax"), ("idxhub", "datasets", "pillow")
_TORCH_IMPORTS = "import torch, torch.utils.data, idxhub"
_OF_TORCH = ("torchvision", "TensorDataset", "TensorDataset, BatchSampler")
_OF_TENSORFLOW = ("keras, batch then map", "TFDS")
_OF_HUGGINGFACE = ("load_dataset Parquet",)

ROWS = (
    Row(FLOOR, "numpy:Floor", ("numpy",), ("numpy",), "import numpy", ours=False, small=False),
    Row("idxhub numpy", "hub:Arrays", ("numpy",), ("idxhub",), "import idxhub", peers=(FLOOR,), reads=False),
    Row("idxhub numpy get_loader", "hub:Loader", ("numpy",), ("idxhub",), "import idxhub", peers=(FLOOR,), opens=False),
    Row(
        "idxhub torch DataLoader",
        "torch:Plain",
        ("torch",),
        _TORCH,
        _TORCH_IMPORTS,
        peers=_OF_TORCH,
        workers=(0, 2),
        memory_workers=(0, 2, 8),
    ),
    Row("idxhub torch get_loader", "torch:Loader", ("torch",), _TORCH, _TORCH_IMPORTS, peers=_OF_TORCH, opens=False),
    Row(
        "torchvision",
        "torchvision:Torchvision",
        ("torchvision", "torch"),
        _TORCHVISION,
        "import torch.utils.data, torchvision.datasets, torchvision.transforms",
        ours=False,
        dtypes=("float32",),
        workers=(0, 2),
        memory_workers=(0, 2, 8),
        limit=6_400,
        otherwise=_TORCHVISION_ALONE,
    ),
    Row(
        "TensorDataset",
        "torch:Tensors",
        ("torch",),
        ("torch",),
        "import torch, torch.utils.data",
        ours=False,
        workers=(0, 2),
        memory_workers=(0, 2, 8),
    ),
    Row(
        "TensorDataset, BatchSampler",
        "torch:BatchedTensors",
        ("torch",),
        ("torch",),
        "import torch, torch.utils.data",
        ours=False,
        opens=False,
    ),
    Row(
        "idxhub tensorflow tf.data",
        "tensorflow:Pipeline",
        ("tensorflow",),
        _TENSORFLOW,
        "import tensorflow, idxhub",
        peers=_OF_TENSORFLOW,
        small=False,
    ),
    Row(
        "idxhub tensorflow get_loader",
        "tensorflow:Loader",
        ("tensorflow",),
        _TENSORFLOW,
        "import tensorflow, idxhub",
        peers=_OF_TENSORFLOW,
        opens=False,
        small=False,
    ),
    Row(
        "keras, batch then map",
        "tensorflow:Keras",
        ("keras", "tensorflow"),
        ("tensorflow", "keras"),
        "import keras, tensorflow",
        ours=False,
        small=False,
    ),
    Row(
        "keras, map then batch",
        "tensorflow:KerasMapFirst",
        ("keras", "tensorflow"),
        ("tensorflow", "keras"),
        "import keras, tensorflow",
        ours=False,
        dtypes=("float32",),
        opens=False,
        small=False,
        brief=True,
    ),
    Row(
        "TFDS",
        "tfds:Tfds",
        ("tfds", "tensorflow"),
        ("tensorflow", "tensorflow-datasets"),
        "import tensorflow, tensorflow_datasets",
        ours=False,
        small=False,
        once=("cold",),
        full_only=True,
    ),
    Row("idxhub jax get_loader", "jax:Loader", ("jax",), _JAX, "import jax, idxhub", peers=("grain",), opens=False),
    Row("idxhub jax resident", "jax:Resident", ("jax",), _JAX, "import jax, idxhub", peers=("grain",)),
    Row(
        "grain",
        "grain:Grain",
        ("grain", "jax"),
        ("grain",),
        "import grain",
        ours=False,
        workers=(0, 2),
        memory_workers=(0, 2),
        limit=6_400,
    ),
    Row(
        "idxhub huggingface png",
        "huggingface:Png",
        ("huggingface",),
        _HUGGINGFACE,
        "import datasets, idxhub",
        peers=_OF_HUGGINGFACE,
        dtypes=("uint8",),
        limit=3_200,
        small=False,
    ),
    Row(
        "idxhub huggingface array",
        "huggingface:Array",
        ("huggingface",),
        _HUGGINGFACE,
        "import datasets, idxhub",
        peers=_OF_HUGGINGFACE,
        small=False,
    ),
    Row(
        "idxhub huggingface get_loader",
        "huggingface:Loader",
        ("huggingface",),
        _HUGGINGFACE,
        "import datasets, idxhub",
        peers=_OF_HUGGINGFACE,
        opens=False,
    ),
    Row(
        "idxhub huggingface with_format",
        "huggingface:WithFormat",
        ("huggingface",),
        (*_HUGGINGFACE, "torch"),
        "import datasets, torch, idxhub",
        peers=_OF_HUGGINGFACE,
        small=False,
    ),
    Row(
        "load_dataset Parquet",
        "huggingface:Parquet",
        ("huggingface",),
        ("datasets", "pillow"),
        "import datasets",
        ours=False,
        dtypes=("uint8",),
        limit=3_200,
        small=False,
    ),
    Row("idxhub ray", "ray:Ray", ("ray",), ("idxhub", "ray"), "import ray.data, idxhub", small=False, brief=True),
    Row(
        "MXNet Gluon",
        "mxnet:Gluon",
        ("mxnet",),
        ("mxnet",),
        "import mxnet.gluon",
        ours=False,
        limit=6_400,
        small=False,
        full_only=True,
    ),
)
BY_NAME = {row.name: row for row in ROWS}
