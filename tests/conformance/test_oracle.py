"""The oracle under test: a right adapter passes every check, and for every check a wrong adapter fails it.

A wrong adapter is `support/rows/idxhub_rows.py` with one change. Each is installed for real (a folder with metadata
and entry points) and examined in an interpreter of its own, so that it can be as wrong as it likes.
"""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support import installed as distributions

from idxhub import Plugins, errors, order
from idxhub.conformance import CHECKS, Result, run
from idxhub.data.loader import Loader

ROWS = Path(__file__).parents[1] / "support" / "rows"
BATCHES = """\
        for start in range(0, len(self.labels), size):
            yield self.at(start, size)
"""
INIT = "        self.images = split.batch()\n"
WHOLE = (
    "        text = split.info.split{cut}\n"
    "        split = load(split.info.spec, text, cache_dir=split.source.cache_dir)\n" + INIT
)
MEMO = "        self.images = KEPT.setdefault('images', split.batch())\n"
PRODUCT = (
    "        self.images = split.batch()\n"
    "        if split.dtype == 'float32':\n"
    "            self.images = np.rint(self.images * 255) * np.float32(1 / 255)\n"
)
ONE_PLACE = (
    "        self.start = 0\n"
    "        while self.start < len(self.labels):\n"
    "            start, self.start = self.start, self.start + size\n"
    "            yield self.at(start, size)\n"
)
NEVER_REWOUND = ONE_PLACE.replace("self.start = 0", "self.start = getattr(self, 'start', 0)", 1) + (
    "        self.start = 0\n"
)
BLACK_WHEN_UNPICKLED = (
    "    def __setstate__(self, state):\n        self.__dict__ |= state | {'images': state['images'] * 0}\n\n"
)
BATCH = "    return images, labels\n"
RESIDENT = "    images, labels = split.batch(), split.labels\n"


def meddling(statement: str, module: str = "data.loader") -> tuple[str, str]:
    """The change that makes an adapter change a module of the core, `_l`, when it is imported."""
    return "KEPT = {}", f"KEPT = {{}}\nimport idxhub.{module} as _l\n{statement}"


EVERY_WORKER_ALL = "[(start, size) for start in (*starts, *starts)]"

# check -> the change (old, new) that makes an adapter wrong in that way
WRONG: dict[str, list[tuple[str, str]]] = {
    "image-bytes": [("split.batch()", "split.batch() ^ np.uint8(1)")],
    "label-values": [("split.labels", "split.labels[::-1]")],
    "counts": [("range(0, len(self.labels), size)", "range(0, len(self.labels) - size, size)")],
    "length": [("return len(self.labels)", "return len(self.labels) - 1")],
    "image-dtype": [("split.batch()", "split.batch().astype('int32')")],
    "float32-bits": [(INIT, PRODUCT)],
    "label-dtype": [("split.labels", "split.labels.astype('int16')")],
    "native-byte-order": [("split.labels", "split.labels.astype('>i8')")],
    "default-layout": [("split.batch()", "split.batch()[:, None]")],
    "layouts": [("split.batch()", "split.images")],
    "class-names": [("split.classes", "split.classes[:-1]")],
    "provenance": [("self.info = split.info", "self.info = split.info._replace(records=split.info.records[:1])")],
    "split-slices": [(INIT, WHOLE.format(cut=".partition('[')[0]"))],
    "split-sum": [(INIT, WHOLE.format(cut=".partition('+')[0]"))],
    "split-tuple": [("return Rows(split, **options)", "return KEPT.setdefault('rows', Rows(split))")],
    "empty-slice": [(INIT, "        split.images[0]\n" + INIT)],
    "two-passes": [(BATCHES, BATCHES + "        self.labels = self.labels[::-1]\n")],
    "interleaved": [(BATCHES, ONE_PLACE)],
    "early-break": [(BATCHES, NEVER_REWOUND)],
    "last-short-batch": [(BATCHES, BATCHES.replace("size", "size + 1"))],
    "index": [("self.images[i].copy()", "self.images[abs(i)].copy()")],
    "index-out-of-range": [("            raise IndexError(i)", "            i = 0")],
    "mutation-isolated": [
        (INIT, MEMO),
        ("self.images[start : start + size].copy()", "self.images[start : start + size]"),
    ],
    "pickling": [("    def __len__", BLACK_WHEN_UNPICKLED + "    def __len__")],
    "workers-fork": [("[(start, size) for start in starts]", EVERY_WORKER_ALL)],
    "workers-spawn": [
        # what the parent noted in a global is there after fork and not after spawn
        (INIT, "        KEPT['images'] = split.batch()\n" + INIT),
        ("self.images[start : start + size]", "KEPT['images'][start : start + size]"),
    ],
    "no-warnings": [(INIT, "        warnings.warn('the array is not writable')\n" + INIT)],
    "random-state-untouched": [(INIT, "        np.random.rand()\n" + INIT)],
    "unknown-option": [
        meddling("_l.Adapter.check_options = lambda *_: None", "plugins.adapter"),
        ("Rows(split, **options)", "Rows(split)"),
    ],
    "known-options": [("Rows(split, **options)", "Rows(split, *options, *options)")],
    "wrong-options": [('arguments.boolean("reverse"', '("reverse"')],
    "unknown-split": [
        meddling(
            "_parse = _l.parse\n_l.parse = lambda text, *names: _parse('train' if text == 'tran' else text, *names)",
            "catalog.split_string",
        ),
    ],
    "missing-framework": [
        (
            "import rowlib\n",
            "try:\n    import rowlib\nexcept ImportError:\n    import types as rowlib\n    rowlib.Table = object\n",
        )
    ],
    "lazy-import": [],  # made wrong by a start-up file: see `install`
    "imports-alone": [("import rowlib\n", "import rowlib\nimport idxhub_adapters.numpy\n")],
    "warm-is-quiet": [(INIT, "        Path(split.source.cache_dir, 'opened').write_text('')\n" + INIT)],
    "memory-bound": [("split.batch()", "split.batch().copy()")],
    "no-descriptor-leaked": [(INIT, "        KEPT[len(KEPT)] = open(os.devnull)\n" + INIT)],
    "loader-pixels-and-labels": [(BATCH, "    return images ^ np.uint8(1), labels\n")],
    "loader-types": [(BATCH, "    return images, labels.astype('int16')\n")],
    "loader-float32-bits": [
        (BATCH, "    return np.rint(images * 255) * np.float32(1 / 255) if images.dtype == 'f4' else images, labels\n")
    ],
    "loader-batch-sizes": [(BATCH, "    return np.resize(images, (64, 5, 7)), np.resize(labels, 64)\n")],
    "loader-permutation": [(BATCH, "    return images[:1].repeat(len(images), 0), labels\n")],
    # the rest is the core's, and an adapter that breaks it has meddled with the core
    "loader-golden-order": [meddling("_l.order = lambda n, seed, epoch: np.roll(_l.np.arange(n), seed + epoch)")],
    "loader-same-seed": [meddling("_l.order = lambda n, seed, epoch: np.random.permutation(n)")],
    "loader-next-epoch": [meddling("_l.order = lambda n, seed, epoch, order=_l.order: order(n, seed, 0)")],
    "loader-shards": [meddling("_l.sharded = lambda indices, shard, equal: indices")],
    "loader-shard-of-shuffled": [
        meddling("_l.sharded = lambda indices, shard, equal: np.array_split(indices, shard[1])[shard[0]]")
    ],
    "loader-resume": [meddling("_l.Loader.load_state_dict = lambda self, state: self.set_epoch(state['epoch'])")],
    "loader-foreign-state": [meddling("_l.Loader._identity = lambda self: {}")],
    "loader-batches-last": [
        (
            BATCH,
            "    kept = KEPT.setdefault(len(images), images)\n    kept[...] = images\n    return kept, labels\n",
        )
    ],
    "device-batches": [(RESIDENT, RESIDENT.replace("split.batch()", "as_layout(split.images, split.layout)"))],
    "device-order": [("where = indices[start : start + size]", "where = np.sort(indices)[start : start + size]")],
    "device-batches-last": [
        (
            "yield idxhub_batch(images[where], labels[where])",
            (
                "KEPT.setdefault(len(where), images[where])[...] = images[where]\n"
                "            yield KEPT[len(where)], labels[where]"
            ),
        )
    ],
    "device-unknown": [('if device != "here"', "if device is None")],
}


# check -> further adapters that are wrong in another way
ALSO_WRONG: dict[str, dict[str, list[tuple[str, str]]]] = {
    "random-state-untouched": {"in a pass of get_loader": [(BATCH, "    np.random.rand()\n" + BATCH)]},
    "no-warnings": {
        "that Python does not show": [(INIT, "        warnings.warn('old', DeprecationWarning)\n" + INIT)],
    },
    "wrong-options": {
        "refused late": [
            ("@hookimpl\ndef idxhub_check(options):", "def idxhub_check(options):"),
            (INIT, "        arguments.boolean('reverse', reverse)\n" + INIT),
        ],
    },
    "warm-is-quiet": {
        "a socket": [(INIT, "        import socket\n        socket.socket().close()\n" + INIT)],
        "a link": [
            (
                INIT,
                (
                    "        link = Path(split.source.cache_dir, f'link{len(KEPT)}-{os.getpid()}')\n"
                    "        KEPT[link] = os.symlink('x', link)\n"
                )
                + INIT,
            )
        ],
        "while it is read": [
            (BATCHES, "        Path(self.place, 'read').write_text('')\n" + BATCHES),
            (INIT, "        self.place = split.source.cache_dir\n" + INIT),
        ],
    },
    "loader-foreign-state": {
        "of another dataset": [
            meddling(
                "_i = _l.Loader._identity\n"
                "_l.Loader._identity = lambda self: {k: _i(self)[k] for k in ('split', 'seed', 'batch_size')}"
            )
        ],
    },
}

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


# Most checks require several things. For each of them: an adapter that breaks this one alone, and what the check says.
# These adapters run in the tests' own process.
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
ADAPTERS = [
    *[pytest.param(check, changes, id=check) for check, changes in WRONG.items()],
    *[
        pytest.param(check, changes, id=f"{check}: {what}")
        for check, several in ALSO_WRONG.items()
        for what, changes in several.items()
    ],
]


def install(folder: Path, changes: list[tuple[str, str]], check: str) -> None:
    source = (ROWS / "idxhub_rows.py").read_text()
    for old, new in changes:
        assert old in source, f"nothing to change for {check}: {old!r}"
        source = source.replace(old, new)
    modules = {"idxhub_rows": source, "rowlib": (ROWS / "rowlib.py").read_text()}
    if check == "lazy-import":
        modules["sitecustomize"] = "import rowlib\n"
    entry_points = "[idxhub.adapters]\nrows = idxhub_rows\n[idxhub.conformance]\nrows = idxhub_rows:SUBJECT\n"
    distributions.install(folder, "idxhub_rows", entry_points=entry_points, modules=modules)


def examine(folder: Path, check: str = "") -> dict:
    code = (
        "import json, sys, warnings\n"
        "from idxhub import conformance as kit\n"
        "if __name__ == '__main__':\n"
        "    wanted = [c for c in kit.CHECKS if sys.argv[1] in ('', c.id)]\n"
        "    print(json.dumps(kit.run(kit.subject('rows'), wanted).to_json()))\n"
    )
    script = folder / "examine.py"
    script.write_text(code)
    done = subprocess.run(
        [sys.executable, str(script), check],
        env=os.environ | {"PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_a_right_adapter_passes_every_check(tmp_path):
    install(tmp_path, [], "")
    report = examine(tmp_path)
    assert [r for r in report["results"] if r["outcome"] != "passed"] == []
    assert report["passed"] == len(CHECKS)


def test_every_check_has_a_wrong_adapter():
    assert set(WRONG) == {check.id for check in CHECKS}


@pytest.mark.parametrize(("check", "changes"), ADAPTERS)
def test_a_wrong_adapter_fails(check, changes, tmp_path):
    install(tmp_path, changes, check)
    (result,) = examine(tmp_path, check)["results"]
    assert result["outcome"] == "failed", result
    assert result["seen"]


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


def test_ids_and_promises_are_unique():
    assert len({check.id for check in CHECKS}) == len({check.promise for check in CHECKS}) == len(CHECKS)
    assert all(check.promise.endswith(".") and "\n" not in check.promise for check in CHECKS)
