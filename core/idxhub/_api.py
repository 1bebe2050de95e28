"""The public functions. They combine the other modules and do nothing else."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from idxhub._request import (
    check_path,
    check_split_and_form,
    delivered_form,
    list_split_strings,
    load_each,
    make_source,
    name_dtype,
    plugins_or_installed,
    with_conventions,
)
from idxhub.arguments import boolean
from idxhub.catalog.spec import DatasetSpec
from idxhub.data.arrays import Layout
from idxhub.data.loader import Batching, HostBatches, Loader
from idxhub.data.order import Equal
from idxhub.data.split import Split
from idxhub.errors import ArgumentError, UnknownNameError
from idxhub.plugins.manager import FrameworkName, Plugins, installed

if TYPE_CHECKING:  # importing numpy.typing takes 0.7 ms
    from numpy.typing import DTypeLike


def get_dataset(
    name: str | DatasetSpec = "fashion-mnist",
    *,
    framework: str = "numpy",
    split: str | Sequence[str] = "train",
    dtype: DTypeLike | None = None,
    layout: Layout | None = None,
    data_dir: str | os.PathLike[str] | None = None,
    cache_dir: str | os.PathLike[str] | None = None,
    download: bool = True,
    verify: bool = True,
    plugins: Plugins | None = None,
    **adapter_options: Any,
) -> Any:
    """A dataset in a framework's own type.

    Example:
        >>> from idxhub import get_dataset
        >>> images, labels = get_dataset()
        >>> images.shape, images.dtype, labels.dtype
        ((60000, 28, 28), dtype('uint8'), dtype('int64'))
        >>> train, test = get_dataset(framework="torch", split=("train", "test"), dtype="float32")

    Args:
        name (str or DatasetSpec): one of `datasets()`, or the description of a dataset of your own. Default:
            "fashion-mnist". You may write capital letters, and _ instead of -.
        framework (str): one of `adapters()`: "numpy", "torch", "tensorflow", "jax", "huggingface", "ray",
            "keras", "mlx", "tinygrad", "paddle", "mxnet", "chainer", or the name of an installed plugin. Default:
            "numpy".
        split (str or sequence of str): which examples, in the form of TensorFlow Datasets: "train", "test",
            "train[:80%]", "train+test", "all". A sequence gives a tuple of datasets. Default: "train".
        dtype (str, dtype or None): None for the images as they are stored, which is uint8 in every built-in dataset;
            "float32" for pixel/255. A dtype object of NumPy or of the framework is accepted too. Default: None.
        layout (str or None): "HW", "CHW" or "HWC"; None for the framework's convention. Default: None.
        data_dir (path or None): a folder to search for the files first. Default: None.
        cache_dir (path or None): the folder of the cache; None for IDXHUB_CACHE, or the user's cache folder.
            Default: None.
        download (bool): whether to download files that are not on this machine. Default: True.
        verify (bool): whether to check the cached arrays against their checksums each time. Default: True.
        plugins (Plugins or None): the plugins to use; None for the installed ones. Default: None.
        **adapter_options: further options of the adapter, such as `transform` for "torch": see its page in the
            documentation.

    Returns:
        A dataset of the framework's usual type; for NumPy, `Arrays(images, labels)`. For Fashion-MNIST, images are
        (N, 28, 28) and labels are integers from 0 to 9, (N,). The page of each framework in the documentation has its
        type, and the shapes and dtypes of an element.

    Raises:
        UnknownNameError: a dataset, framework, split, option or dtype does not exist.
        ArgumentError: an argument is out of range or of the wrong type.
        MissingFrameworkError: the framework is not installed.
        AdapterError: the adapter is broken.
        DownloadError: a file was not found on this machine or at a mirror.
        ChecksumError: only wrong files were found.
        CacheError: the cache cannot be read or written.
        IdxFormatError: a file is not a sound IDX file.

    All arguments are checked before any file is searched for.
    """
    plugins = plugins_or_installed(plugins)
    spec = plugins.dataset(name)
    adapter = plugins.adapter(framework)
    if not adapter.conventions.options.keys() >= adapter_options.keys():
        elsewhere = _INSTEAD | {each: f"{each} is an argument of get_loader" for each in _parameters(get_loader)}
        adapter.check_options(adapter_options, _parameters(get_dataset), elsewhere)
    split_strings = list_split_strings(split)
    dtype_name = name_dtype(dtype)
    for text in split_strings:
        for stored in check_split_and_form(spec, text, dtype_name, layout):
            adapter.check(adapter_options, *delivered_form(stored, dtype_name, layout, adapter))
    source = make_source(spec, data_dir, cache_dir, download, verify)
    native = tuple(
        adapter.dataset(with_conventions(each, dtype_name, layout, adapter), adapter_options)
        for each in load_each(source, split_strings, plugins)
    )
    return native[0] if isinstance(split, str) else native


def get_loader(
    name: str | DatasetSpec = "fashion-mnist",
    *,
    batch_size: int,
    framework: str = "numpy",
    split: str = "train",
    shuffle: bool = True,
    seed: int = 0,
    drop_last: bool = False,
    shard: tuple[int, int] = (0, 1),
    equal: Equal = None,
    prefetch: int = 0,
    device: Any = None,
    dtype: DTypeLike | None = None,
    layout: Layout | None = None,
    data_dir: str | os.PathLike[str] | None = None,
    cache_dir: str | os.PathLike[str] | None = None,
    download: bool = True,
    verify: bool = True,
    plugins: Plugins | None = None,
    **others: Any,
) -> Loader[Any]:
    """Native batches of images and labels: the same examples in the same batches in every framework.

    Example:
        >>> from idxhub import get_loader
        >>> loader = get_loader(framework="torch", batch_size=128, dtype="float32", seed=1)
        >>> for epoch in range(3):
        ...     for images, labels in loader:
        ...         pass  # float32 (128, 1, 28, 28) in 0..1, int64 (128,)

    Args:
        name (str or DatasetSpec): as for `get_dataset`. Default: "fashion-mnist".
        batch_size (int): the number of examples in a batch, from 1.
        framework (str): as for `get_dataset`. Default: "numpy".
        split (str): as for `get_dataset`, but only one split. Default: "train".
        shuffle (bool): whether each epoch has an order of its own, which depends on `seed` and the number of the epoch
            alone: see `order`. Default: True.
        seed (int): an integer from 0. Default: 0.
        drop_last (bool): whether to leave out the last batch if it is short. Default: False.
        shard (tuple of int): (i, n) for part i of n, counted from 0, for data-parallel training. The parts are
            disjoint, and together they are complete. Default: (0, 1).
        equal (str or None): "drop" or "pad" to make the parts equally long. Default: None.
        prefetch (int): how many batches a thread gathers ahead. It changes nothing with `device`. Default: 0.
        device (str, int, the framework's device or None): keeps images and labels on this device as stored, and gathers
            the same batches there. Not every adapter can: the error of one that cannot names those that can. Default:
            None.
        dtype (str, dtype or None): as for `get_dataset`. Default: None.
        layout (str or None): as for `get_dataset`. Default: None.
        data_dir (path or None): as for `get_dataset`. Default: None.
        cache_dir (path or None): as for `get_dataset`. Default: None.
        download (bool): as for `get_dataset`. Default: True.
        verify (bool): as for `get_dataset`. Default: True.
        plugins (Plugins or None): as for `get_dataset`. Default: None.
        **others: none exist; an unknown argument raises an error that lists the valid ones.

    Returns:
        A `Loader`: iterate over it once for each epoch. A batch is `Arrays(images, labels)` for NumPy, JAX, MLX and
        tinygrad, `[images, labels]` for PyTorch, PaddlePaddle and MXNet, `(images, labels)` for TensorFlow, Keras and
        Chainer, and `{"image": images, "label": labels}` of NumPy arrays for Hugging Face and Ray. For Fashion-MNIST,
        images are (B, 28, 28) in the layout and dtype asked for, and labels are (B,).

    Raises:
        ArgumentError: also for a size, seed, shard or device that is impossible.
        IdxHubError: the other errors of `get_dataset`.
    """
    plugins = plugins_or_installed(plugins)
    spec = plugins.dataset(name)
    adapter = plugins.adapter(framework)
    for other in others:
        of_dataset = f"{other} is an argument of get_dataset" if other in adapter.conventions.options else ""
        why = _INSTEAD_IN_GET_LOADER.get(other, of_dataset)
        raise UnknownNameError("get_loader argument", other, _parameters(get_loader), why=why)
    batching = Batching(
        batch_size, shuffle=shuffle, seed=seed, drop_last=drop_last, shard=shard, equal=equal, prefetch=prefetch
    )
    if device is not None and not adapter.has_resident:
        able = ", ".join(plugins.resident()) or "no framework"
        must_be = f"None for {framework}: only loaders of {able} can keep the data on a device"
        raise ArgumentError("device", device, must_be)
    if device is not None:
        adapter.check_device(device)
    dtype_name = name_dtype(dtype)
    check_split_and_form(spec, split, dtype_name, layout)
    source = make_source(spec, data_dir, cache_dir, download, verify)
    (loaded,) = load_each(source, (split,), plugins)
    shaped = with_conventions(loaded, dtype_name, layout, adapter)
    batches = HostBatches(shaped, adapter.batch) if device is None else adapter.resident(shaped, device)
    return Loader(shaped, batches, batching)


def load(
    name: str | DatasetSpec = "fashion-mnist",
    split: str = "train",
    *,
    data_dir: str | os.PathLike[str] | None = None,
    cache_dir: str | os.PathLike[str] | None = None,
    download: bool = True,
    verify: bool = True,
    plugins: Plugins | None = None,
) -> Split:
    """The arrays behind every framework's dataset, as NumPy.

    Example:
        >>> from idxhub import load
        >>> split = load("fashion-mnist", "test[:100]")
        >>> split.images.shape, split.classes[split.labels[0]]
        ((100, 28, 28), 'Ankle boot')

    Args:
        name (str or DatasetSpec): as for `get_dataset`. Default: "fashion-mnist".
        split (str): as for `get_dataset`, but only one split. Default: "train".
        data_dir (path or None): as for `get_dataset`. Default: None.
        cache_dir (path or None): as for `get_dataset`. Default: None.
        download (bool): as for `get_dataset`. Default: True.
        verify (bool): as for `get_dataset`. Default: True.
        plugins (Plugins or None): as for `get_dataset`. Default: None.

    Returns:
        A `Split`. For Fashion-MNIST, its images are uint8 (N, 28, 28) as stored, and its labels are int64 (N,).

    Raises:
        IdxHubError: the errors of `get_dataset`, except those of adapters.
    """
    plugins = plugins_or_installed(plugins)
    spec = plugins.dataset(name)
    check_split_and_form(spec, split, None, None)
    return load_each(make_source(spec, data_dir, cache_dir, download, verify), (split,), plugins)[0]


def export(
    name: str | DatasetSpec,
    format: str,  # noqa: A002 -- the word that users look for
    path: str | os.PathLike[str],
    *,
    splits: str | Sequence[str] | Mapping[str, str] | None = None,
    force: bool = False,
    progress: bool | Callable[[int], None] = True,
    data_dir: str | os.PathLike[str] | None = None,
    cache_dir: str | os.PathLike[str] | None = None,
    download: bool = True,
    verify: bool = True,
    plugins: Plugins | None = None,
    **options: Any,
) -> Path:
    """Write a dataset to a file or a folder, in a format that other programs read.

    Example:
        >>> from idxhub import export
        >>> path = export("fashion-mnist", "npz", "fashion-mnist.npz")
        >>> import numpy as np
        >>> np.load(path)["x_train"].shape
        (60000, 28, 28)

    Args:
        name (str or DatasetSpec): as for `get_dataset`.
        format (str): one of `exporters()`.
        path (path): where to write. Its folder must exist. If the export fails, nothing is there; with `force`,
            what was there before.
        splits (str, sequence of str, mapping or None): which splits, as for `get_dataset`. A split is exported under
            its name, "train[:80%]" as "train". A mapping gives other names: `{"valid": "train[80%:]"}`. None for the
            splits that "all" means, each by itself. Default: None.
        force (bool): whether to replace what is at `path`. A folder is replaced as a whole. Default: False.
        progress (bool or callable): whether to draw a progress bar, if the standard error is a terminal; or a function
            that is called after each n examples, with n. Default: True.
        data_dir (path or None): as for `get_dataset`. Default: None.
        cache_dir (path or None): as for `get_dataset`. Default: None.
        download (bool): as for `get_dataset`. Default: True.
        verify (bool): as for `get_dataset`. Default: True.
        plugins (Plugins or None): as for `get_dataset`. Default: None.
        **options: the options of the format: see its section in the documentation.

    Returns:
        The absolute path of the file or folder.

    Raises:
        UnknownNameError: a dataset, format, split or option does not exist.
        ArgumentError: an argument is out of range or of the wrong type.
        MissingFrameworkError: a package that the format needs is not installed.
        ExportError: there is something at `path`, or it cannot be written.
        IdxHubError: the errors of `load`.
    """
    from idxhub import exporting  # noqa: PLC0415 -- who loads data does without it
    from idxhub.cache.layout import cache_root  # noqa: PLC0415 -- as above

    plugins = plugins_or_installed(plugins)
    spec = plugins.dataset(name)
    exporter = plugins.exporter(format)
    exporter.check_options(options, _parameters(export))
    exporting.check_progress(progress)
    force = boolean("force", force)
    if path is None:
        raise ArgumentError("path", path, "a path (str or os.PathLike)")
    target = Path(check_path("path", path) or "")
    kept = {"the cache": cache_root(check_path("cache_dir", cache_dir))}
    if (folder := check_path("data_dir", data_dir)) is not None:
        kept["the folder that the data is read from"] = Path(folder)
    exporting.check_target(target, is_folder=exporter.format.is_folder, force=force, kept=kept)
    named = exporting.name_splits(spec, splits)
    exporter.check(options, {each: exporting.describe_split(spec, text) for each, text in named.items()})
    source = make_source(spec, data_dir, cache_dir, download, verify)
    loaded = dict(zip(named, load_each(source, [*named.values()], plugins), strict=True))
    with (
        exporting.write_target(target, is_folder=exporter.format.is_folder, force=force, kept=kept) as temporary,
        exporting.show_progress(progress, f"{spec.name} as {format}", sum(map(len, loaded.values()))) as report,
    ):
        exporter.export(loaded, temporary, options, report)
    return target


def exporters() -> tuple[str, ...]:
    """The formats that `export` accepts, sorted, whether or not what they need is installed. None is imported.

    Example:
        >>> from idxhub import exporters
        >>> "npz" in exporters()
        True
    """
    return installed().exporters()


def datasets() -> tuple[str, ...]:
    """The names that `get_dataset` accepts: the built-in datasets and those that plugins add.

    Example:
        >>> from idxhub import datasets
        >>> "fashion-mnist" in datasets()
        True
    """
    return tuple(installed().datasets())


def adapters() -> tuple[FrameworkName, ...]:
    """The frameworks that `get_dataset` accepts, sorted, whether or not they are installed. None is imported.

    Example:
        >>> from idxhub import adapters
        >>> "torch" in adapters()
        True
    """
    return installed().adapters()


# arguments of other libraries' loaders, and what takes their place
_INSTEAD = {
    "root": "write data_dir= for a folder that is searched first; without it the files are found or downloaded",
    "train": "write split='train' or split='test'",
    "as_supervised": "leave it out; an example is an image and its label",
    "with_info": "leave it out; load(name, split).info describes the dataset",
}
_INSTEAD_IN_GET_LOADER = _INSTEAD | {
    "num_workers": "get_loader uses no worker processes; prefetch= gathers batches in advance"
}


def _parameters(function: Callable[..., Any]) -> tuple[str, ...]:
    """The names of the parameters of a function of this module, without importing inspect."""
    code = function.__code__
    return code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
