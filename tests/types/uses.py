"""Uses whose types a checker must know; read by mypy --strict, which also reports an ignore that is not needed."""

from typing import Any, assert_type

import numpy as np
from numpy.typing import NDArray

from idxhub import Arrays, DatasetSpec, Split, get_dataset, load, order
from idxhub_adapters.torch import IdxDataset


def uses(spec: DatasetSpec, framework: str) -> None:
    assert_type(get_dataset(), Arrays[NDArray[Any]])
    assert_type(get_dataset(spec, framework="numpy", dtype="float32", layout="CHW"), Arrays[NDArray[Any]])
    assert_type(get_dataset(split=("train", "test")), tuple[Arrays[NDArray[Any]], ...])
    assert_type(get_dataset(framework="torch", transform=None), IdxDataset)
    assert_type(get_dataset(framework="torch", split=["train", "test"]), tuple[IdxDataset, ...])
    assert_type(get_dataset(framework="torch")[0], tuple[Any, Any])
    assert_type(get_dataset(framework=framework, anything=3), Any)
    assert_type(load("fashion-mnist", "train[:10]"), Split)
    assert_type(order(3, 0, 0), NDArray[np.int64])

    get_dataset(dtype=3)  # type: ignore[call-overload]
    get_dataset(framework=3)  # type: ignore[call-overload]
    get_dataset(layout="NCHW")  # type: ignore[call-overload]
