"""The checks. Each has an id, a promise in one line, and the capability it needs; each is public as data."""

from __future__ import annotations

import gc
import os
import pickle
import random
import warnings
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from idxhub._api import get_loader
from idxhub.conformance.kit import Case, Check, NotHere, require
from idxhub.errors import DownloadError, IdxHubError, UnknownNameError

T = TypeVar("T")
CHECKS: list[Check] = []
SLICES = {
    "train[:80%]": slice(0, 206),  # 205.6 rounds to 206
    "train[80%:]": slice(206, None),
    "train[100:200]": slice(100, 200),
    "train[-10:]": slice(-10, None),
}


def check(needs: str = "") -> Callable[[Callable[[Case], None]], Callable[[Case], None]]:
    """Add a function to `CHECKS` under its own name, its docstring the promise."""

    def add(function: Callable[[Case], None]) -> Callable[[Case], None]:
        promise = (function.__doc__ or "").strip()
        CHECKS.append(Check(function.__name__.replace("_", "-"), promise, frozenset(needs.split()), function))
        return function

    return add


def _given(capability: T | None) -> T:
    """What a subject gives, for a check that is run only where it does."""
    if capability is None:
        raise TypeError("the check needs a capability that it did not ask for")
    return capability


def same(seen: NDArray[Any], expected: NDArray[Any], what: str) -> None:
    """Raise `Violation` unless two arrays are equal; say how many examples differ, and which is the first."""
    require(seen.shape == expected.shape, f"{what}: shape {seen.shape}, expected {expected.shape}")
    different = np.flatnonzero((seen != expected).reshape(len(seen), -1).any(axis=1))
    require(
        different.size == 0, f"{what}: {different.size} of {len(seen)} differ, the first at {different[:1].tolist()}"
    )


@check()
def image_bytes(case: Case) -> None:
    """Every image has the bytes of the decoded file, in the file's order."""
    for split in ("train", "test"):
        images, _ = case.read(case.dataset(split))
        same(case.flat(images), case.truth.images[split], f"{split} images")


@check()
def label_values(case: Case) -> None:
    """Every label is the file's, in the file's order."""
    for split in ("train", "test"):
        _, labels = case.read(case.dataset(split))
        same(labels, case.truth.labels[split], f"{split} labels")


@check()
def counts(case: Case) -> None:
    """There are as many images and labels as in the file."""
    for split, expected in (("train", 257), ("test", 61)):
        images, labels = case.read(case.dataset(split))
        require(
            len(images) == len(labels) == expected,
            f"{split}: {len(images)} images and {len(labels)} labels, expected {expected}",
        )


@check("length")
def length(case: Case) -> None:
    """The dataset knows its length."""
    for split, expected in (("train", 257), ("test", 61), ("train[:10]", 10)):
        seen = _given(case.subject.length)(case.dataset(split))
        require(seen == expected, f"{split}: length {seen}, expected {expected}")


@check()
def image_dtype(case: Case) -> None:
    """Images are uint8 unless asked otherwise."""
    for arguments in ({}, {"dtype": "uint8"}):
        images, _ = case.read(case.dataset(**arguments))
        require(images.dtype == np.uint8, f"{arguments}: {images.dtype}")


@check("float32")
def float32_bits(case: Case) -> None:
    """With dtype='float32' an image is pixel/255, correctly rounded, bit for bit."""
    images, _ = case.read(case.dataset(dtype="float32"))
    require(images.dtype == np.float32, f"dtype {images.dtype}")
    # in float64 the quotient is rounded twice; for the 256 values of a byte that gives the same float32
    expected = (case.truth.images["train"].astype(np.float64) / 255).astype(np.float32)
    same(case.flat(images).view(np.uint32), expected.view(np.uint32), "bits of float32 images")


@check()
def label_dtype(case: Case) -> None:
    """Labels are of the integer type that the adapter declares."""
    declared = case.plugins.adapter(case.subject.framework).conventions.label_dtype
    _, labels = case.read(case.dataset())
    require(labels.dtype == np.dtype(declared), f"labels are {labels.dtype}, declared {declared}")


@check()
def native_byte_order(case: Case) -> None:
    """Arrays are in the machine's byte order."""
    for batch in case.subject.batches(case.dataset(), 300):
        for array in map(case.array, batch):  # joined, they would be: NumPy's concatenate swaps
            require(array.dtype.isnative, f"{array.dtype!r}")


@check()
def default_layout(case: Case) -> None:
    """Without layout= it is the layout that the adapter declares."""
    declared = case.plugins.adapter(case.subject.framework).conventions.layout
    images, _ = case.read(case.dataset())
    same(images, laid_out(case.truth.images["train"], declared), f"layout {declared}")


@check("layouts")
def layouts(case: Case) -> None:
    """The layouts HW, CHW and HWC are what they say."""
    for layout in ("HW", "CHW", "HWC"):
        images, _ = case.read(case.dataset(layout=layout))
        same(images, laid_out(case.truth.images["train"], layout), f"layout {layout}")


def laid_out(images: NDArray[Any], layout: str) -> NDArray[Any]:
    """(N, H, W) in a layout."""
    return {"HW": images, "CHW": images[:, np.newaxis], "HWC": images[..., np.newaxis]}[layout]


@check("classes")
def class_names(case: Case) -> None:
    """Class names are the spec's, in label order, the class without examples included."""
    seen = tuple(_given(case.subject.class_names)(case.dataset()))
    require(seen == case.truth.spec.classes, f"{seen}, expected {case.truth.spec.classes}")


@check("records")
def provenance(case: Case) -> None:
    """A dataset leads to the records of the files that it was made of: their digests, and where they came from."""
    for split, made_of in case.truth.spec.splits.items():
        records = _given(case.subject.records)(case.dataset(split))
        seen = {record["md5"]: record["source"] for record in records}
        expected = {each.md5: str(case.truth.folder / each.filename) for each in (made_of.images, made_of.labels)}
        require(seen == expected, f"{split}: {seen}, expected {expected}")


@check()
def split_slices(case: Case) -> None:
    """Slices of a split are the examples that TFDS would give."""
    for text, where in SLICES.items():
        images, labels = case.read(case.dataset(text))
        same(case.flat(images), case.truth.images["train"][where], f"{text} images")
        same(labels, case.truth.labels["train"][where], f"{text} labels")


@check()
def split_sum(case: Case) -> None:
    """'train+test' is one after the other."""
    images, labels = case.read(case.dataset("train+test"))
    same(case.flat(images), np.concatenate([*case.truth.images.values()]), "train+test images")
    same(labels, np.concatenate([*case.truth.labels.values()]), "train+test labels")


@check()
def split_tuple(case: Case) -> None:
    """A sequence of splits gives a tuple of datasets."""
    both = case.dataset(("train", "test"))
    require(type(both) is tuple and len(both) == 2, f"got {type(both).__name__}")
    for native, split in zip(both, ("train", "test"), strict=True):
        same(case.flat(case.read(native)[0]), case.truth.images[split], split)


@check()
def empty_slice(case: Case) -> None:
    """An empty slice is an empty dataset."""
    images, labels = case.read(case.dataset("train[5:5]"))
    require(len(images) == len(labels) == 0, f"{len(images)} images and {len(labels)} labels")


@check()
def two_passes(case: Case) -> None:
    """Two passes give the same."""
    native = case.dataset()
    first, second = case.read(native), case.read(native)
    for what, one, other in zip(("images", "labels"), first, second, strict=True):
        same(other, one, f"{what} of the second pass")


@check()
def interleaved(case: Case) -> None:
    """Two iterators over one dataset do not disturb each other."""
    native = case.dataset()
    one, other = iter(case.subject.batches(native, 32)), iter(case.subject.batches(native, 32))
    first = [next(one)]
    rest = list(other)
    images, labels = case.joined([*first, *one])
    same(case.flat(images), case.truth.images["train"], "the first iterator's images")
    same(labels, case.truth.labels["train"], "the first iterator's labels")
    same(case.joined(rest)[1], case.truth.labels["train"], "the second iterator's labels")


@check()
def early_break(case: Case) -> None:
    """A pass that was broken off leaves the next one whole."""
    native = case.dataset()
    next(iter(case.subject.batches(native, 32)))
    images, _ = case.read(native)
    same(case.flat(images), case.truth.images["train"], "images after a broken pass")


@check()
def last_short_batch(case: Case) -> None:
    """Batches are full but for the last one."""
    sizes = [len(case.array(labels)) for _, labels in case.subject.batches(case.dataset(), 64)]
    require(sizes == [64, 64, 64, 64, 1], f"batch sizes {sizes}")


@check("index length")
def index(case: Case) -> None:
    """Example i is example i, from the end too."""
    native = case.dataset()
    for i in (0, 1, 100, 256, -1, -257):
        image, label = _given(case.subject.element)(native, i)
        same(case.flat(case.array(image)[np.newaxis])[0], case.truth.images["train"][i], f"image {i}")
        require(int(label) == case.truth.labels["train"][i], f"label {i} is {label!r}")


@check("index length")
def index_out_of_range(case: Case) -> None:
    """An index out of range is an IndexError."""
    native = case.dataset()
    for i in (257, -258):
        try:
            _given(case.subject.element)(native, i)
        except IndexError:
            continue
        require(condition=False, seen=f"[{i}] of 257 examples gave an example")


@check()
def mutation_isolated(case: Case) -> None:
    """What is written into one dataset is in no other, nor in the cache."""

    def scribble(array: Any) -> None:
        try:
            array[...] = 0
        except (TypeError, ValueError, RuntimeError):  # read-only, or of a framework that cannot: safe as well
            return

    native = case.dataset()
    for images, labels in case.subject.batches(native, 300):
        scribble(images)
        scribble(labels)
    images, labels = case.read(case.dataset())
    same(case.flat(images), case.truth.images["train"], "images opened afterwards")
    same(labels, case.truth.labels["train"], "labels opened afterwards")


@check("pickle")
def pickling(case: Case) -> None:
    """A pickled dataset comes back the same."""
    asked = {"float32": {"dtype": "float32"}, "layouts": {"layout": "HWC"}}
    able = {
        name: value for what, each in asked.items() if what in case.subject.capabilities for name, value in each.items()
    }
    for arguments in ({}, able):
        native = case.dataset("train[:100]", **arguments)
        before = case.read(native)
        after = case.read(pickle.loads(pickle.dumps(native)))  # noqa: S301 -- pickled in the same line
        for what, one, other in zip(("images", "labels"), before, after, strict=True):
            require(one.dtype == other.dtype, f"{what} come back as {other.dtype}, were {one.dtype}")
            same(other, one, f"{what} after pickling")


@check("workers")
def workers_fork(case: Case) -> None:
    """Worker processes made by fork deliver every example once, in order."""
    _workers(case, "fork")


@check("workers")
def workers_spawn(case: Case) -> None:
    """Worker processes made by spawn deliver every example once, in order."""
    _workers(case, "spawn")


def _workers(case: Case, start_method: str) -> None:
    images, labels = case.joined(_given(case.subject.workers)(case.dataset(), 32, 2, start_method))
    same(case.flat(images), case.truth.images["train"], "images from workers")
    same(labels, case.truth.labels["train"], "labels from workers")


@check()
def no_warnings(case: Case) -> None:
    """Opening and reading give no warning."""
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        case.read(case.dataset())
    require(not seen, "; ".join(f"{w.category.__name__}: {w.message}" for w in seen))


@check()
def random_state_untouched(case: Case) -> None:
    """The caller's random state is left alone."""

    def state() -> tuple[object, str]:
        return random.getstate(), pickle.dumps(np.random.get_state()).hex()  # noqa: NPY002 -- the global state is what is watched

    before = state()
    case.read(case.dataset())
    require(state() == before, "random or numpy.random moved on")
    arguments: dict[str, Any] = {"cache_dir": case.cache_dir, "download": False, "plugins": case.plugins}
    loader = get_loader(case.truth.spec, framework=case.subject.framework, batch_size=32, **arguments)
    case.joined(case.subject.pair(batch) for batch in loader)
    require(state() == before, "random or numpy.random moved on in a shuffled pass of get_loader")


@check()
def unknown_option(case: Case) -> None:
    """An unknown option names the ones there are."""
    _refused(case, "optoin", lambda: case.dataset(optoin=1))


@check()
def known_options(case: Case) -> None:
    """Declared options are accepted."""
    declared = case.plugins.adapter(case.subject.framework).conventions.options
    unused = set(declared) - set(case.subject.options)
    require(not unused, f"the subject gives no value for {', '.join(sorted(unused))}")
    for option, value in case.subject.options.items():
        case.dataset(**{option: value})


@check("wrong-options")
def wrong_options(case: Case) -> None:
    """A value that an option cannot have is refused before anything is loaded."""
    for option, value in case.subject.wrong_options.items():
        try:
            case.dataset(cache_dir=case.cache_dir / "never", **{option: value})
        except DownloadError as error:
            require(condition=False, seen=f"with {option}={value!r} the data was looked for: {error}")
        except IdxHubError:
            require(not (case.cache_dir / "never").exists(), f"with {option}={value!r} the data was loaded first")
            continue
        require(condition=False, seen=f"{option}={value!r} was accepted")


@check()
def unknown_split(case: Case) -> None:
    """An unknown split names the ones there are."""
    seen = _refused(case, "tran", lambda: case.dataset("tran"))
    require("train" in seen and "test" in seen, f"the message does not name the splits: {seen}")


def _refused(case: Case, name: str, call: Callable[[], Any]) -> str:
    try:
        call()
    except UnknownNameError as error:
        require(name in str(error), f"the message does not name {name!r}: {error}")
        return str(error)
    except Exception as error:  # noqa: BLE001 -- whatever else it is, it is not what was promised
        require(condition=False, seen=f"{name!r} raised {type(error).__name__}: {error}")
    require(condition=False, seen=f"{name!r} was accepted by {case.subject.framework}")
    return ""


@check("package")
def missing_framework(case: Case) -> None:
    """Without the framework's package, the error says what to install."""
    seen = case.child(
        "import sys; sys.modules[sys.argv[2]] = None\n"
        "import idxhub\n"
        "try: idxhub.get_dataset('fashion-mnist-sample', framework=sys.argv[1], download=False)\n"
        "except idxhub.errors.MissingFrameworkError as error: print(error)\n"
        "except Exception as error: print(type(error).__name__, error)",
        case.subject.framework,
        str(case.subject.package),
    )
    require("pip install" in seen and str(case.subject.package) in seen, f"it says: {seen.strip() or 'nothing'}")


@check()
def lazy_import(case: Case) -> None:
    """`import idxhub` and the list of adapters import neither the adapter nor its package."""
    seen = case.child(
        "import sys, idxhub; idxhub.adapters()\n"
        "from importlib.metadata import entry_points\n"
        "modules = {e.module for e in entry_points(group='idxhub.adapters')} | set(sys.argv[1:])\n"
        "print(*sorted(modules & set(sys.modules)))",
        *([case.subject.package] if case.subject.package else []),
    )
    require(not seen.strip(), f"imported: {seen.strip()}")


@check()
def imports_alone(case: Case) -> None:
    """The adapter imports no other adapter."""
    seen = case.child(
        "import sys, idxhub\n"
        "from importlib.metadata import entry_points\n"
        "idxhub.Plugins().adapter(sys.argv[1])\n"
        "print(*sorted({e.module for e in entry_points(group='idxhub.adapters') if e.name != sys.argv[1]}\n"
        "              & set(sys.modules)))",
        case.subject.framework,
    )
    require(not seen.strip(), f"imported as well: {seen.strip()}")


@check()
def warm_is_quiet(case: Case) -> None:
    """With a warm cache nothing is written and no socket is opened."""
    seen = case.child(
        "import os, sys, pathlib, idxhub\n"
        "from idxhub import conformance\n"
        "spec = conformance.make(pathlib.Path(sys.argv[2])).spec\n"
        "try: subject = conformance.subject(sys.argv[1])\n"
        "except idxhub.errors.UnknownNameError: subject = None\n"  # of an adapter whose subject is not installed
        "if subject is not None and subject.start is not None: subject.start()\n"
        "def call():\n"
        "    native = idxhub.get_dataset(spec, framework=sys.argv[1], cache_dir=sys.argv[3])\n"
        "    for batch in subject.batches(native, 64) if subject is not None else ():\n"
        "        for array in batch: subject.to_numpy(array).sum()\n"
        "call()\n"  # imports, and makes the cache warm
        "events = []\n"
        "def hook(name, arguments):\n"
        "    if name in {'socket.__new__', 'socket.bind', 'socket.connect', 'socket.getaddrinfo', 'os.rename',\n"
        "                'os.mkdir', 'os.remove', 'os.symlink', 'os.link', 'os.truncate'}\\\n"
        "       or name == 'open' and arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)\\\n"
        "       and not str(arguments[0]).startswith(('/dev/', '/proc/')):\n"
        "        events.append(f'{name} {arguments[:1]}')\n"
        "sys.addaudithook(hook)\n"
        "call()\n"
        "print(*dict.fromkeys(events), sep='; ')",
        case.subject.framework,
        str(case.truth.folder),
        str(case.cache_dir),
    )
    require(not seen.strip(), seen.strip())


@check()
def memory_bound(case: Case) -> None:
    """Opening a large dataset leaves its images in the mapped file: memory does not grow by their size."""
    if not os.path.isfile("/proc/self/status"):
        raise NotHere("there is no /proc to tell a process's own memory by")
    code = (
        "import pathlib, sys, numpy, idxhub\n"
        "from idxhub import conformance, idx\n"
        "def anonymous():\n"
        "    (line,) = [line for line in open('/proc/self/status') if line.startswith('RssAnon')]\n"
        "    return int(line.split()[1]) // 1024\n"
        "def opened(spec): return idxhub.get_dataset(spec, framework=sys.argv[1], cache_dir=sys.argv[3])\n"
        "small = conformance.make(pathlib.Path(sys.argv[2])).spec\n"
        "folder = pathlib.Path(sys.argv[3]); folder.mkdir(parents=True, exist_ok=True)\n"
        "for name, shape in (('images', (32768, 32, 32)), ('labels', (32768,))):\n"
        "    if not (folder / name).exists():\n"
        "        (folder / name).write_bytes(idx.encode(numpy.zeros(shape, numpy.uint8)))\n"
        "files = [idxhub.Resource.from_file(folder / name) for name in ('images', 'labels')]\n"
        "large = idxhub.DatasetSpec('zeros', {'train': idxhub.SplitSpec(*files)}, folders=(str(folder),))\n"
        "kept = [opened(small)]\n"  # what the framework sets up once is there by now
        "before = anonymous(); kept.append(opened(large)); print(anonymous() - before)\n"
    )
    arguments = case.subject.framework, str(case.truth.folder), str(case.cache_dir / "large")
    case.child(code, *arguments)  # makes the cache warm
    grown = int(case.child(code, *arguments))
    require(grown < 16, f"opening 32 MiB of images took {grown} MiB of memory")


@check()
def no_descriptor_leaked(case: Case) -> None:
    """Datasets that are dropped leave no file open."""
    if not os.path.isdir("/proc/self/fd"):
        raise NotHere("there is no /proc to count open files by")

    def opened() -> int:
        case.read(case.dataset())
        gc.collect()
        return len(os.listdir("/proc/self/fd"))

    before = opened()  # what the framework opens once and keeps is open by now
    after = [opened() for _ in range(5)][-1]
    require(after <= before, f"{after - before} more after five rounds")
