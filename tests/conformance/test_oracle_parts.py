"""The oracle under test, in detail: of the several things that a check requires, each is noticed by itself.

These adapters run in the tests' own process.
"""

from __future__ import annotations

import importlib
import os
import sys
from dataclasses import replace
from typing import Any

import pytest
from support import installed as distributions
from support.wrong_adapters import BATCH, BATCHES, INIT, RESIDENT, install

from idxhub import Plugins, errors, order
from idxhub.conformance import CHECKS, Result, run
from idxhub.data.loader import Loader

ADAPTER, LOADER = "idxhub.plugins.adapter.Adapter", "idxhub.data.loader.Loader"
GET_DATASET = "idxhub.conformance.kit.get_dataset"
RESIDENT_BATCH = "idxhub_batch(images[where], labels[where])"
WORKERS = "pool.starmap(native.at, [(start, size) for start in starts], chunksize=1)"
CHECK_OPTION = 'arguments.boolean("reverse", options.get("reverse", False))'
ORDER_THAT_FORGETS = (
    "    class Order(np.ndarray):\n"
    "        def __getitem__(self, at):\n"
    "            return self if at.stop is None else np.asarray(self)[at]\n\n"
    "    batches.send = lambda orders: [each.view(Order) for each in orders]\n"
)
UNCOPIED = ("self.images[start : start + size].copy()", "self.images[start : start + size]")
IN_FLOAT32 = "self.images = {} if split.dtype == 'float32' else split.batch()\n"


def unpickled(state: str) -> tuple[str, str]:
    """The change that makes an adapter wrong after pickling: `state` are changes of its attributes."""
    return (
        "    def __len__",
        f"    def __setstate__(self, state):\n        self.__dict__ |= state | {state}\n\n    def __len__",
    )


def positions(images: str, labels: str) -> tuple[str, str]:
    """The change that makes a pass begin each batch of images and of labels at these positions."""
    return BATCHES, (
        "        self.start = 0\n"
        "        for start in range(0, len(self.labels), size):\n"
        f"            yield self.at({images}, size)[0], self.at({labels}, size)[1]\n"
        "            self.start += size\n"
    )


# for each thing that a check requires: an adapter that breaks this one alone, and what the check says
PARTS: list[tuple[Any, ...]] = [
    ("image-bytes", "test images: 61 of 61 differ, ", (INIT, INIT + "        self.images ^= len(self.images) == 61\n")),
    (
        "label-values",
        "train labels: 1 of 257 differ, the first at [7]",
        ("split.labels\n", "split.labels ^ (np.arange(len(split.labels)) == 7)\n"),
    ),
    ("label-values", "train labels: shape (257, 1), expected (257,)", ("split.labels\n", "split.labels[:, None]\n")),
    ("float32-bits", "dtype int32", (INIT, "        " + IN_FLOAT32.format("split.batch().view('int32')"))),
    ("known-options", "the subject gives no value for more", ('"does nothing"}', '"does nothing", "more": ""}')),
    ("split-slices", "train[:80%] images: ", ("split.batch()", "split.batch() ^ np.uint8('[' in split.info.split)")),
    ("split-slices", "train[:80%] labels: ", ("split.labels\n", "split.labels ^ ('[' in split.info.split)\n")),
    ("split-sum", "train+test images: ", ("split.batch()", "split.batch() ^ np.uint8('+' in split.info.split)")),
    ("split-sum", "train+test labels: ", ("split.labels\n", "split.labels ^ ('+' in split.info.split)\n")),
    (
        "empty-slice",
        "1 images and 1 labels",
        ("split.batch()", "np.resize(split.batch(), (max(len(split), 1), 5, 7))"),
        ("split.labels\n", "np.resize(split.labels, max(len(split), 1))\n"),
    ),
    ("wrong-options", "with reverse='x' the data was searched for: ", (CHECK_OPTION, 'load("kmnist", download=False)')),
    ("wrong-options", "ValueError: no", (CHECK_OPTION, "raise ValueError('no')")),
    ("wrong-options", "layout='HW' was accepted", ('{"reverse": "x"}', '{"reverse": "x", "layout": "HW"}')),
    ("interleaved", "the first iterator's images: ", positions("self.start", "start")),
    ("interleaved", "the first iterator's labels: ", positions("start", "self.start")),
    (
        "interleaved",
        "the second iterator's labels: ",
        (
            BATCHES,
            "        first = KEPT['first'] = KEPT.get('first', -size) + size\n" + BATCHES.replace("(0,", "(first,"),
        ),
    ),
    ("index", "image -1: ", ("self.images[i].copy()", "self.images[i - (i == -1)].copy()")),
    ("index", "label -1 is ", ("int(self.labels[i])", "int(self.labels[i]) + (i == -1)")),
    ("index-out-of-range", "[257] of 257 examples gave an example", ("raise IndexError(i)", "i = 0")),
    (
        "index-out-of-range",
        "[-258] of 257 examples gave an example",
        ("if not -len(self.labels) <= i <", "i = max(i, -len(self.labels))\n        if not i <"),
    ),
    ("index-out-of-range", "KeyError: 257", ("raise IndexError(i)", "raise KeyError(i)")),
    (
        "mutation-isolated",
        "labels opened afterwards: ",
        ("split.labels\n", "KEPT.setdefault('labels', split.labels)\n"),
        ("self.labels[start : start + size].copy()", "self.labels[start : start + size]"),
    ),
    (
        "pickling",
        "images are int16 after pickling, were uint8",
        unpickled("{'images': state['images'].astype('int16')}"),
    ),
    ("pickling", "images after pickling: ", unpickled("{'images': state['images'] * (state['images'].dtype != 'f4')}")),
    ("pickling", "images after pickling: ", unpickled("{'images': state['images'].reshape(-1, 5, 7)}")),
    ("workers-fork", "images from workers: ", (WORKERS, f"((images ^ 1, labels) for images, labels in {WORKERS})")),
    ("workers-fork", "labels from workers: ", (WORKERS, f"((images, labels ^ 1) for images, labels in {WORKERS})")),
    (
        "random-state-untouched",
        "the state of random or numpy.random has changed",
        (INIT, "        np.random.rand()\n" + INIT),
    ),
    (
        "missing-framework",
        "the error says: AdapterError ",
        (
            "import rowlib\n",
            "try:\n    import rowlib\nexcept ImportError:\n    raise RuntimeError('rowlib') from None\n",
        ),
    ),
    (
        "missing-framework",
        "the error says: MissingFrameworkError ",
        ("import rowlib\n", "try:\n    import rowlib\nexcept ImportError:\n    import lost\n"),
    ),
    ("loader-pixels-and-labels", "labels: ", (BATCH, "    return images, labels ^ 1\n")),
    (
        "loader-types",
        "layout HW: shape (257, 1, 5, 7), expected (257, 5, 7)",
        (BATCH, "    return images[:, None], labels\n"),
    ),
    ("loader-types", "images are int16", (BATCH, "    return images.astype('int16'), labels\n")),
    ("loader-float32-bits", "dtype int32", (BATCH, "    return images.view('int32'), labels\n")),
    (
        "loader-permutation",
        "9 different examples among 257",
        (BATCH, "    return images[:1].repeat(len(images), 0), labels[:1].repeat(len(labels))\n"),
    ),
    ("loader-permutation", "257 of 257 images are not in the file", (BATCH, "    return ~images, labels\n")),
    ("loader-permutation", "labels: ", (BATCH, "    return images, labels ^ 1\n")),
    (
        "device-batches",
        "{}: 8 batches, and without device 9",
        ("range(0, len(indices), size)", "range(0, len(indices) - size, size)"),
    ),
    ("device-batches", "a batch is a list, not tuple", (f"yield {RESIDENT_BATCH}", f"yield list({RESIDENT_BATCH})")),
    (
        "device-batches",
        "labels of batch 0 with {} are int32, without device int64",
        (RESIDENT_BATCH, "idxhub_batch(images[where], labels[where].astype('int32'))"),
    ),
    (
        "device-batches",
        "labels of batch 0 with {}: ",
        (RESIDENT_BATCH, "idxhub_batch(images[where], labels[where] ^ 1)"),
    ),
    (  # a zero that is negative is equal to zero, and has other bits
        "device-batches",
        "images of batch 0 with {'dtype': 'float32'}: ",
        (
            RESIDENT,
            RESIDENT.replace("split.batch()", "split.batch() if split.dtype == 'uint8' else -(0 - split.batch())"),
        ),
    ),
    (
        "device-order",
        "{}: with device= the examples or their order differ",
        ("    return batches\n", ORDER_THAT_FORGETS + "    return batches\n"),
    ),
    ("device-unknown", "device='no-such-device' was accepted", ('if device != "here"', "if device is None")),
    ("device-unknown", "the message does not name the device: ", ('"device", device, ', '"device", None, ')),
    (
        "device-unknown",
        "ValueError: nowhere",
        ('errors.ArgumentError("device", device, "\'here\'")', "ValueError('nowhere')"),
    ),
]


def names_no_choices(kind: str, name: str, _choices: object) -> errors.UnknownNameError:
    return errors.UnknownNameError(kind, name, ["train"])


def fails(error: Exception) -> object:
    def failing(*_: object, **__: object) -> None:
        raise error

    return failing


def identity_without(*names: str) -> object:
    real = Loader._identity
    return lambda self: {name: value for name, value in real(self).items() if name not in names}


# the same, for what the core does for all adapters: what the check says, and what is wrong in the core
CORE_PARTS: list[tuple[str, str, str, object]] = [
    ("split-tuple", "got list", GET_DATASET, lambda *_, **options: list(options["split"])),
    ("split-tuple", "got tuple", GET_DATASET, lambda *_, **options: (*options["split"], 3)),
    (
        "unknown-split",
        "the message does not name the splits: ",
        "idxhub.catalog.split_string.UnknownNameError",
        names_no_choices,
    ),
    (
        "unknown-option",
        "the message does not name 'optoin': ",
        f"{ADAPTER}.check_options",
        fails(errors.UnknownNameError("option", "x", [])),
    ),
    ("unknown-option", "'optoin' raised TypeError: optoin", f"{ADAPTER}.check_options", fails(TypeError("optoin"))),
    ("unknown-option", "'optoin' was accepted by rows", GET_DATASET, lambda *_, **__: None),
    ("loader-batch-sizes", "drop_last=False: len 9", f"{LOADER}.__len__", lambda _: 9),
    (
        "loader-same-seed",
        "seeds 1 and 2 give the same order",
        "idxhub.data.loader.order",
        lambda n, seed, epoch: order(n, 0, epoch),
    ),
    (
        "loader-next-epoch",
        "epoch 0 has another order the second time",
        f"{LOADER}.set_epoch",
        lambda *_: None,
    ),
    (
        "loader-foreign-state",
        "the state of another dataset's loader was accepted",
        f"{LOADER}._identity",
        identity_without("dataset", "fingerprint"),
    ),
    ("loader-foreign-state", "a state with {'seed': 1} was accepted", f"{LOADER}._identity", identity_without("seed")),
    (
        "loader-foreign-state",
        "a state with {'split': 'test'} was accepted",
        f"{LOADER}._identity",
        identity_without("split"),
    ),
    ("loader-foreign-state", "KeyError: 'seed'", f"{LOADER}.load_state_dict", fails(KeyError("seed"))),
]


@pytest.fixture
def result(tmp_path, monkeypatch):
    """The result of one check on an adapter with these changes; keywords change its subject."""

    def examined(check: str, changes: list[tuple[str, str]], **subject: object) -> Result:
        install(tmp_path, changes, check)
        monkeypatch.syspath_prepend(tmp_path)
        monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)
        rows = importlib.import_module("idxhub_rows")
        plugins = Plugins([distributions.entry("rows", "idxhub_rows")])
        wanted = [each for each in CHECKS if each.id == check]
        (only,) = run(replace(rows.SUBJECT, **subject), wanted, plugins=plugins).results
        return only

    yield examined
    for module in ("idxhub_rows", "rowlib"):
        sys.modules.pop(module, None)


@pytest.mark.parametrize(("check", "seen", "changes"), [(check, seen, changes) for check, seen, *changes in PARTS])
def test_each_part_of_a_check_notices(check, seen, changes, result):
    found = result(check, changes)
    assert (found.outcome, found.seen[: len(seen)]) == ("failed", seen), found


@pytest.mark.parametrize(("check", "seen", "what", "wrong"), CORE_PARTS)
def test_each_part_of_a_check_notices_what_is_wrong_in_the_core(check, seen, what, wrong, result, monkeypatch):
    monkeypatch.setattr(what, wrong)
    found = result(check, [])
    assert (found.outcome, found.seen[: len(seen)]) == ("failed", seen), found


@pytest.mark.parametrize(
    ("check", "changes", "subject"),
    [
        ("mutation-isolated", [(INIT, INIT + "        self.images.flags.writeable = False\n"), UNCOPIED], {}),
        ("pickling", [(INIT, INIT + "        assert split.dtype == 'uint8'\n")], {"floats": False}),
        ("pickling", [(INIT, INIT + "        assert split.layout == 'HW'\n")], {"layouts": False}),
        ("class-names", [("split.classes", "list(split.classes)")], {}),
    ],
)
def test_an_adapter_that_can_do_less_passes(check, changes, subject, result):
    assert result(check, changes, **subject).outcome == "passed"
