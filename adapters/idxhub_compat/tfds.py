"""In place of `tensorflow_datasets`: `load`, also called `tfds_load`. It needs TensorFlow."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from idxhub import DatasetSpec, FrameworkName, Plugins, errors, get_dataset, get_loader
from idxhub_compat.folders import find_folder

NAMES = {"fashion_mnist": "fashion-mnist", "mnist": "mnist", "kmnist": "kmnist"}


@dataclass(frozen=True)
class ImageFeature:
    """The form of an image."""

    shape: tuple[int, ...] = (28, 28, 1)
    dtype: type = np.uint8


@dataclass(frozen=True)
class ClassLabel:
    """The form of a label, and the names of the classes."""

    names: list[str]
    shape: tuple[int, ...] = ()
    dtype: type = np.int64

    @property
    def num_classes(self) -> int:
        """The number of classes."""
        return len(self.names)

    def int2str(self, label: int) -> str:
        """The name of a label."""
        return self.names[label]

    def str2int(self, name: str) -> int:
        """The label of a name. Raises `UnknownNameError`, which is a `LookupError`."""
        if name not in self.names:
            raise errors.UnknownNameError("class", name, self.names)
        return self.names.index(name)


@dataclass(frozen=True)
class SplitInfo:
    """A split."""

    name: str
    num_examples: int


@dataclass(frozen=True)
class DatasetInfo:
    """What `with_info=True` gives: the most used attributes of the original's."""

    name: str
    description: str
    citation: str
    homepage: str
    features: Mapping[str, Any]
    splits: Mapping[str, SplitInfo]
    supervised_keys: tuple[str, str] = ("image", "label")


def load(
    name: str,
    *,
    split: Any = None,
    data_dir: str | os.PathLike[str] | None = None,
    batch_size: int | None = None,
    shuffle_files: bool = False,
    download: bool = True,
    as_supervised: bool = False,
    with_info: bool = False,
    **others: Any,
) -> Any:
    """A `tf.data.Dataset`, or several.

    Args:
        name (str): "fashion_mnist", "mnist" or "kmnist"; a version after a colon is ignored.
        split (str, list, tuple, dict or None): as for `idxhub.get_dataset`. Several splits give datasets in the same
            structure, and None gives a dictionary of all of them. Default: None.
        data_dir (path or None): a folder that is searched first. Default: None.
        batch_size (int or None): batches of so many examples; the last one may be shorter. -1 gives the tensors of a
            whole split instead of a dataset. None for single examples. Default: None.
        shuffle_files (bool): has no effect, as for every dataset whose splits are one file each. Default: False.
        download (bool): whether to download files that are not on this machine. Default: True.
        as_supervised (bool): elements `(image, label)`; else `{"image": image, "label": label}`. Default: False.
        with_info (bool): returns `(result, info)`, with a `DatasetInfo`. Default: False.
        **others: the original's other arguments, if they are None or False.

    An image is uint8 (28, 28, 1), and a label int64.

    Raises:
        ArgumentError: there is no such dataset, split or slice, or one of the other arguments has a value. It is a
            `ValueError`, as in the original.
        UnknownNameError: the original has no such argument.
        IdxHubError: the other errors of `idxhub.get_dataset`.
    """
    del shuffle_files
    for argument, value in others.items():
        if argument not in _OTHERS:
            raise errors.UnknownNameError("load argument", argument, _ARGUMENTS)
        if value:
            raise errors.ArgumentError(argument, value, "None or left out; idxhub has nothing like it")
    wanted = name.partition(":")[0]
    if wanted not in NAMES:
        raise errors.ArgumentError("name", name, f"one of {', '.join(NAMES)}")
    spec = Plugins([]).dataset(NAMES[wanted])
    options: dict[str, Any] = {
        "framework": FrameworkName("tensorflow"),
        "data_dir": find_folder(data_dir),
        "download": download,
    }

    def one(part: Any) -> Any:
        text = str(part)
        try:
            if batch_size == -1:
                batch = next(iter(get_loader(spec, split=text, batch_size=_LARGEST, shuffle=False, **options)), None)
                if batch is None:
                    raise errors.ArgumentError("split", text, "one with examples, for batch_size=-1")
                return batch if as_supervised else _as_dictionary(*batch)
            dataset: Any = get_dataset(spec, split=text, batch_size=batch_size, **options)
        except errors.UnknownNameError as error:
            if isinstance(error, errors.ArgumentError):
                raise
            why = f": {error.why}" if error.why else ""
            raise errors.ArgumentError("split", text, f"made of {', '.join(error.choices)}{why}") from error
        return dataset if as_supervised else dataset.map(_as_dictionary)

    result = _map_structure(one, {each: each for each in spec.splits} if split is None else split)
    return (result, _info(wanted, spec)) if with_info else result


tfds_load = load

_LARGEST = 1 << 30  # more examples than any split has
_OTHERS = (
    *("decoders", "read_config", "builder_kwargs", "download_and_prepare_kwargs", "as_dataset_kwargs"),
    *("try_gcs", "file_format"),
)
_ARGUMENTS = (
    *("name", "split", "data_dir", "batch_size", "shuffle_files", "download", "as_supervised", "with_info"),
    *_OTHERS,
)


def _as_dictionary(image: Any, label: Any) -> dict[str, Any]:
    return {"image": image, "label": label}


def _map_structure(function: Any, splits: Any) -> Any:
    if isinstance(splits, dict):
        return {key: _map_structure(function, each) for key, each in splits.items()}
    if isinstance(splits, (list, tuple)):
        return type(splits)(_map_structure(function, each) for each in splits)
    return function(splits)


def _info(name: str, spec: DatasetSpec) -> DatasetInfo:
    return DatasetInfo(
        name=name,
        description=spec.description,
        citation=spec.citation,
        homepage=spec.homepage,
        features={"image": ImageFeature(), "label": ClassLabel(list(spec.classes))},
        splits={each: SplitInfo(each, size) for each, size in spec.sizes.items()},
    )
