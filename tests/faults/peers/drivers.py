"""Loaders as their users call them: `python drivers.py LOADER '{"urls": [...], "root": ..., "out": ...}'`.

Each is pointed at an address and a folder, asked for Fashion-MNIST's test split, and what came back, or was raised, is
written to the file `out` as JSON. This file needs Python and NumPy alone: an interpreter that has a peer need not have
idxhub.
"""

from __future__ import annotations

import gzip
import hashlib
import importlib.metadata
import json
import os
import resource
import signal
import sys
import threading
import time
import urllib.request
from typing import Any, Callable

import numpy as np

IMAGES, LABELS = "t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz"
TRAIN = ("train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz")


def idxhub(urls, root, digests):
    """With this server as the only mirror, and one known folder besides the cache."""
    from dataclasses import replace

    from idxhub import get_dataset
    from idxhub.catalog.builtin.fashion_mnist import FASHION_MNIST

    folders = ("~/.keras/datasets/fashion-mnist",)
    spec = replace(FASHION_MNIST, mirrors=tuple(urls), folders=folders)
    return lambda: get_dataset(spec, split="test", cache_dir=root)


def torchvision(urls, root, digests):
    """`FashionMNIST(root, train=False, download=True)`, its `mirrors` set to this server."""
    datasets = _import_torchvision()
    datasets.FashionMNIST.mirrors = [f"{url}/" for url in urls]

    def call():
        test = datasets.FashionMNIST(root, train=False, download=True)
        return test.data.numpy(), test.targets.numpy()

    return call


def keras(urls, root, digests):
    """`fashion_mnist.load_data()`; its address is a constant within, so `get_file` is given another `origin`."""
    from keras.src.datasets import fashion_mnist

    get_file = fashion_mnist.get_file

    def redirected(fname, origin, **options):
        return get_file(fname, origin=f"{urls[0]}/{fname}", **options)

    fashion_mnist.get_file = redirected
    return lambda: fashion_mnist.load_data()[1]


def datasets(urls, root, digests):
    """`load_dataset("parquet", data_files=URL)`, and each image decoded."""
    import datasets

    def call():
        files = {"test": f"{urls[0]}/test.parquet"}
        test = datasets.load_dataset("parquet", data_files=files, split="test", cache_dir=root)
        return np.stack([np.asarray(image) for image in test["image"]]), np.asarray(test["label"])

    return call


def pooch(urls, root, digests):
    """`create` with the published MD5s and retries, `fetch`, then the few lines that its users write to decode."""
    import pooch

    registry = {name: f"md5:{digests[name]['md5']}" for name in (IMAGES, LABELS)}

    def call():
        path = pooch.os_cache("fashion") if root is None else root
        files = pooch.create(path=path, base_url=f"{urls[0]}/", registry=registry, retry_if_failed=3)
        return _decoded(*(files.fetch(name) for name in (IMAGES, LABELS)))

    return call


def mxnet(urls, root, digests):
    """Gluon's `FashionMNIST(root, train=False)`: its digests are of the first release, so today's are put in place."""
    os.environ["MXNET_GLUON_REPO"] = f"{urls[0]}/"
    from mxnet.gluon.data.vision import FashionMNIST

    class Current(FashionMNIST):
        def _get_data(self):
            self._test_data = IMAGES, digests[IMAGES]["sha1"]
            self._test_label = LABELS, digests[LABELS]["sha1"]
            super()._get_data()

    def call():
        test = Current(train=False) if root is None else Current(root, train=False)
        return test._data.asnumpy()[..., 0], test._label

    return call


def plain(urls, root, digests):
    """No library: urllib, gzip and NumPy, without a digest and without a deadline."""

    def call():
        os.makedirs(root, exist_ok=True)
        paths = []
        for name in (IMAGES, LABELS):
            paths.append(os.path.join(root, name))
            if not os.path.exists(paths[-1]):
                urllib.request.urlretrieve(f"{urls[0]}/{name}", paths[-1])  # noqa: S310 -- as its writers do
        return _decoded(*paths)

    return call


# what is imported, and the packages whose versions are told
LOADERS: dict[str, tuple[Callable[..., Any], tuple[str, ...]]] = {
    "idxhub": (idxhub, ("idxhub", "numpy")),
    "torchvision": (torchvision, ("torchvision", "torch")),
    "keras": (keras, ("keras",)),
    "datasets": (datasets, ("datasets", "pyarrow", "aiohttp")),
    "pooch": (pooch, ("pooch", "requests")),
    "mxnet": (mxnet, ("mxnet", "numpy")),
    "plain": (plain, ("numpy",)),
}


def main(loader, urls, root, out, digests, umask=None, wait=None, threads=1, fork=False):
    signal.signal(signal.SIGINT, signal.default_int_handler)  # as in a terminal, whatever this was started by
    if umask is not None:
        os.umask(umask)
    call = LOADERS[loader][0](urls, root, digests)
    before = _peak()
    if wait:
        _tell(f"{out}.ready", {})
        while not os.path.exists(wait):
            time.sleep(0.005)
    if fork:
        answers = _forked(call)
    elif threads > 1:
        answers = _in_threads(call, threads)
    else:
        answers = [_answer(call)]
    _tell(out, {"answers": answers, "memory": _peak() - before})


def _answer(call):
    try:
        images, labels = call()
    except BaseException as error:  # noqa: BLE001 -- whatever it is, it is what the row is about
        kind = f"{type(error).__module__}.{type(error).__qualname__}"
        return {"raised": kind, "message": str(error), "chain": _chain(error)}
    return {"seen": seen(images, labels)}


def _in_threads(call, count):
    """The answers of so many threads that begin at one moment."""
    answers, barrier = [], threading.Barrier(count)

    def work():
        barrier.wait()
        answers.append(_answer(call))

    running = [threading.Thread(target=work) for _ in range(count)]
    for each in running:
        each.start()
    for each in running:
        each.join()
    return answers


def _forked(call):
    """A child's answers: of what its parent had loaded, and of a call of its own. The parent only waits for it."""
    loaded = []

    def load():
        loaded.append(call())
        return loaded[0]

    first = _answer(load)
    if not loaded:
        return [first]
    child = os.fork()
    if child:
        os._exit(os.waitpid(child, 0)[1] and 1)
    return [_answer(lambda: loaded[0]), _answer(call)]


def versions(loader, out):
    found = {}
    for package in LOADERS[loader][1]:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            found[package] = ""
    _tell(out, {"versions": found, "python": ".".join(map(str, sys.version_info[:3]))})


def seen(images, labels):
    """What tells two splits apart: the digests of the values, whatever their types, and the shapes."""
    images, labels = np.asarray(images), np.asarray(labels)
    return {
        "images": _digest(images.astype(np.uint8)),
        "labels": _digest(labels.astype(np.int64)),
        "shapes": [list(images.shape), list(labels.shape)],
    }


def _digest(array):
    return hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()


def _decoded(images, labels):
    with gzip.open(images) as file:
        pixels = np.frombuffer(file.read(), np.uint8, offset=16).reshape(-1, 28, 28)
    with gzip.open(labels) as file:
        return pixels, np.frombuffer(file.read(), np.uint8, offset=8)


def _chain(error):
    """What a traceback shows above the exception: those that led to it."""
    said = []
    while len(said) < 10:
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
        if error is None:
            break
        said.append(f"{type(error).__name__}: {error}")
    return said


def _peak():
    """Of this process alone: what getrusage says begins with the highest of the one that has started it."""
    try:
        with open("/proc/self/status", encoding="utf-8") as status:
            return next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) * 1024
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def _tell(path, answer):
    with open(f"{path}.part", "w", encoding="utf-8") as file:
        json.dump(answer, file)
    os.rename(f"{path}.part", path)


_KEPT = []  # the operators go when their Library does


def _import_torchvision():
    """With or without its compiled part, which wants to describe two of its operators."""
    import torch

    try:
        from torchvision import datasets
    except RuntimeError:
        for module in [name for name in sys.modules if name.partition(".")[0] == "torchvision"]:
            del sys.modules[module]
        library = torch.library.Library("torchvision", "DEF")
        _KEPT.append(library)
        for operator in ("nms", "qnms"):
            library.define(f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        from torchvision import datasets
    return datasets


if __name__ == "__main__":
    options = json.loads(sys.argv[2])
    if options.pop("versions", False):
        versions(sys.argv[1], **options)
    else:
        main(sys.argv[1], **options)
