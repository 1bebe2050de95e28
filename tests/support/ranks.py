"""Several Python processes at once, as data-parallel training has them, and what they must have seen."""

from __future__ import annotations

import json
import os
import pickle
import socket
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Iterable
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from idxhub import DatasetSpec, SplitSpec
from support import made

LIMIT = 120  # seconds for all of them together
# what each rank's program begins with; afterwards it prints one line of JSON
_PREAMBLE = """
    import json, pickle, sys
    import numpy as np
    import idxhub

    rank, world, spec, addresses = pickle.load(open(sys.argv[1], "rb"))

    def numbers(images):
        "Which examples of `numbered` these are."
        return np.ascontiguousarray(images).reshape(len(images), 4).view("<i4")[:, 0].tolist()

    def seen(framework, to_numpy):
        "What each way to make shards equal shows this rank in two epochs."
        found = {}
        for equal in (None, "drop", "pad"):
            loader = idxhub.get_loader(
                spec, framework=framework, batch_size=16, seed=7, shard=(rank, world), equal=equal
            )
            epochs = [[numbers(to_numpy(images)) for images, _ in loader] for _ in range(2)]
            assert all(len(epoch) == len(loader) for epoch in epochs)
            found[str(equal)] = [sum(epoch, []) for epoch in epochs]
        return found

    def training_loader(framework, batch_size, shard):
        "Batches to train on."
        return idxhub.get_loader(
            "fashion-mnist-sample", framework=framework, dtype="float32", split="train[:1000]", seed=1,
            batch_size=batch_size, shard=shard, equal="drop",
        )

    def print_differences(steps, mine, everyones, alone, apart):
        "What `assert_trained_as_one` reads, from weights: this rank's, all ranks', one process's, unaveraged ones."
        print(json.dumps({
            "steps": steps,
            "between ranks": float(np.max([float(abs(other - mine).max()) for other in everyones])),
            "from one process": float(abs(mine - alone).max()),
            "without averaging": float(abs(apart - alone).max()),
        }))
"""


def numbered(folder: Path, n: int) -> DatasetSpec:
    """A dataset of n images, 2x2, whose pixels are their number."""
    images = np.arange(n, dtype="<i4").view(np.uint8).reshape(n, 2, 2)
    labels = (np.arange(n) % 10).astype(np.uint8)
    files = SplitSpec(made.write(folder, "images.gz", images), made.write(folder, "labels.gz", labels))
    return DatasetSpec("numbered", {"train": files}, folders=(str(folder),))


def run(count: int, spec: DatasetSpec | None, *code: str, **environment: str) -> list[Any]:
    """Run pieces of code in `count` processes and return what each has printed as JSON.

    They find `rank`, `world`, `spec` and `addresses`, one on the loopback interface for each rank. The first that fails
    ends all of them, and the test; so does the time limit.
    """
    addresses = [f"127.0.0.1:{port}" for port in _free_ports(count)]
    program = "".join(map(textwrap.dedent, (_PREAMBLE, *code)))
    with tempfile.TemporaryDirectory() as folder:
        children = []
        for rank in range(count):
            told = Path(folder, f"{rank}.told")
            told.write_bytes(pickle.dumps((rank, count, spec, addresses)))
            with open(f"{folder}/{rank}.out", "wb") as out, open(f"{folder}/{rank}.err", "wb") as err:
                children.append(
                    subprocess.Popen(
                        [sys.executable, "-c", program, told], stdout=out, stderr=err, env=os.environ | environment
                    )
                )
        try:
            _wait(children)
        finally:
            for child in children:
                child.kill()
                child.wait()
        said = [(Path(folder, f"{i}.out").read_text(), Path(folder, f"{i}.err").read_text()) for i in range(count)]
    told_all = "\n".join(f"rank {i}: {child.returncode}\n{said[i][1][-3000:]}" for i, child in enumerate(children))
    assert all(child.returncode == 0 for child in children), told_all
    return [json.loads(out.splitlines()[-1]) for out, _ in said]


def assert_each_epoch_is_whole(n: int, seen: Iterable[dict[str, list[list[int]]]]) -> None:
    """That ranks saw of n examples in each of two epochs what the ways to make shards equal promise."""
    ranks = list(seen)
    count = len(ranks)
    for epoch in range(2):
        plain, dropped, padded = ([rank[equal][epoch] for rank in ranks] for equal in ("None", "drop", "pad"))
        assert sorted(chain(*plain)) == list(range(n))
        assert [len(part) for part in dropped] == [n // count] * count
        assert len(set(chain(*dropped))) == n // count * count
        assert [len(part) for part in padded] == [-(-n // count)] * count
        assert set(chain(*padded)) == set(range(n))
    assert ranks[0]["None"][0] != ranks[0]["None"][1]


def assert_trained_as_one(told: dict[str, float], steps: int) -> None:
    """That a rank has the weights that one process gets from the same examples, and that averaging is why."""
    assert told["steps"] == steps
    assert told["between ranks"] == 0
    assert told["from one process"] < 1e-5  # sums of float32 in another order
    assert told["without averaging"] > 1e-3


def _wait(children: list[subprocess.Popen[bytes]]) -> None:
    deadline = time.monotonic() + LIMIT
    while any(child.poll() is None for child in children) and time.monotonic() < deadline:
        if any(child.returncode for child in children):
            return
        time.sleep(0.05)


def _free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports
