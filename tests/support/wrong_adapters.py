"""Adapters that are wrong, for each check of the conformance suite.

A wrong adapter is `rows/idxhub_rows.py` with a few changes. It is installed for real: a folder with metadata and entry
points.
"""

from __future__ import annotations

from pathlib import Path

from support import installed as distributions

ROWS = Path(__file__).parent / "rows"
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


def install(folder: Path, changes: list[tuple[str, str]], check: str) -> None:
    """Install the right adapter with these changes into a folder; `check` is the one that is to notice them."""
    source = (ROWS / "idxhub_rows.py").read_text()
    for old, new in changes:
        assert old in source, f"nothing to change for {check}: {old!r}"
        source = source.replace(old, new)
    modules = {"idxhub_rows": source, "rowlib": (ROWS / "rowlib.py").read_text()}
    if check == "lazy-import":
        modules["sitecustomize"] = "import rowlib\n"
    entry_points = "[idxhub.adapters]\nrows = idxhub_rows\n[idxhub.conformance]\nrows = idxhub_rows:SUBJECT\n"
    distributions.install(folder, "idxhub_rows", entry_points=entry_points, modules=modules)
