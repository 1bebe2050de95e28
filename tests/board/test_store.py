"""The store: what it keeps, what it refuses, and what several processes and interruptions do to it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
import time

import click
import numpy as np
import pytest
from support.board_records import line, record, write
from support.needs import need
from support.processes import importable, in_threads

need("joblib")

from idxhub_board import records  # noqa: E402 -- after the skip where it is absent
from idxhub_board.store import Store  # noqa: E402 -- as above

A, B = record(seed=1), record(seed=2)
OLD = record(seed=3, format=0)


@pytest.mark.parametrize(
    ("content", "read", "problems"),
    [
        (b"", 0, []),
        (line(A) + line(B), 2, []),
        (line(A) + line(A | {"accuracy": 0.5}), 1, []),
        (line(A) + line(B)[:-9], 1, ["line 2 is cut off"]),
        (line(B)[:40], 0, ["line 1 is cut off"]),
        (line(B)[:4], 0, ["line 1 is cut off"]),
        (line(B)[:40] + b"\n" + line(A), 1, ["line 1 cannot be read"]),
        (line(A) + b"\x00" * 40 + b"\n" + line(B), 2, ["line 2 cannot be read"]),
        (line(OLD) + line(A), 1, ["line 1 was written by another version: its format is 0, not 1"]),
        (line(OLD), 0, ["line 1 was written by another version: its format is 0, not 1"]),
        (line(A) + b"[1]\n\n" + line(B), 2, ["line 2 is not a result of idxhub board"]),
        (line(A) + b"[" * 99999 + b"\n" + line(B), 2, ["line 2 cannot be read"]),
        *[
            (line(A | {name: value}) + line(B), 1, [f"line 1 has {value!r} as {name!r}, which must be {must_be}"])
            for name, value, must_be in [
                ("dataset", "\ud800", "text"),
                ("seed", 1 << 63, "a count"),
                ("parameters", {"C": [[1]]}, "an object of numbers, text, true, false, null, and lists of these"),
                ("parameters", {"C": {}}, "an object of numbers, text, true, false, null, and lists of these"),
                ("fit_seconds", float("inf"), "a number from 0"),
                ("threads", "two", "a count or null"),
                ("error", ["no"], "text or null"),
            ]
        ],
        (line(A | {"accuracy": 90}) + line(B), 1, ["line 1 has 90 as 'accuracy', which must be a number from 0 to 1"]),
        (
            line(A | {"accuracy": float("nan")}) + line(B),
            1,
            ["line 1 has nan as 'accuracy', which must be a number from 0 to 1"],
        ),
        (line({k: v for k, v in A.items() if k != "seed"}) + line(B), 1, ["line 1 has no field 'seed'"]),
    ],
)
def test_it_is_read_as_far_as_it_is_sound_and_nothing_in_it_is_lost(content, read, problems, tmp_path):
    path = tmp_path / "results.jsonl"
    path.write_bytes(content)
    store = Store(path)
    assert (len(store), store.problems) == (read, problems)
    new = record(seed=9)
    assert store.add(new)
    assert path.read_bytes().startswith(content)
    assert json.loads(path.read_bytes().splitlines()[-1]) == new
    assert len(Store(path)) == read + 1


@pytest.mark.parametrize("content", [b"classifier,accuracy\nSVC,0.9\n", b"\x89PNG\r\n\x1a\n", b'{"kind":"run"}\n'])
def test_another_file_is_refused_and_left_as_it_is(content, tmp_path):
    path = tmp_path / "other"
    path.write_bytes(content)
    with pytest.raises(click.UsageError, match="is not a file of results: line 1 "):
        Store(path)
    assert path.read_bytes() == content


@pytest.mark.parametrize(("name", "said"), [("no/a.jsonl", "make it first"), ("", "is a folder: name a file")])
def test_a_path_that_cannot_be_a_store(name, said, tmp_path):
    with pytest.raises(click.UsageError, match=said):
        Store(tmp_path / name)


@pytest.mark.parametrize(
    ("before", "again", "added"),
    [
        (None, False, True),
        ("lost", False, True),
        ("failed", False, False),
        ("failed", True, True),
        ("timeout", False, False),
        ("done", False, False),
        ("done", True, False),
    ],
)
def test_a_result_takes_the_place_of_one_that_is_not_final(before, again, added, tmp_path):
    path = write(tmp_path / "a", [] if before is None else [record(status=before)])
    store = Store(path)
    assert store.add(record(accuracy=0.8), again=again) is added
    assert len(store) == 1
    assert (next(iter(store)).get("accuracy") == 0.8) is added


@pytest.mark.parametrize(
    "change",
    [
        {"classifier": "LinearSVC"},
        {"parameters": {"C": 1.0, "kernel": "rbf"}},
        {"digest": "1" * 64},
        {"preprocessing": "none"},
        {"seed": 1},
        {"versions": {"scikit-learn": "1.9.2"}},
        {"backend": "ray"},
        {"accelerated": True},
    ],
)
def test_what_makes_another_result(change, tmp_path):
    store = Store(tmp_path / "a")
    assert store.add(record())
    assert store.add(record(**change))
    assert len(Store(tmp_path / "a")) == 2


def test_the_order_of_parameters_makes_none(tmp_path):
    store = Store(tmp_path / "a")
    assert store.add(record(parameters={"C": 1.0, "kernel": "rbf"}))
    assert not store.add(record(parameters={"kernel": "rbf", "C": 1.0}))


def test_threads_and_processes_append_to_one_file_and_no_result_is_there_twice(tmp_path):
    path = tmp_path / "a"
    code = """
        import sys
        from support.board_records import record
        from idxhub_board.store import Store
        from pathlib import Path
        store = Store(Path(sys.argv[1]))
        print(sum(store.add(record(seed=seed)) for seed in range(100)))
    """

    def run() -> None:
        done = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(code), str(path)],
            env=os.environ | {"PYTHONPATH": importable()},
            capture_output=True,
            text=True,
            check=True,
        )
        added.append(int(done.stdout))

    added: list[int] = []
    in_threads([run, run, run])
    assert sum(added) == 100
    assert len(path.read_bytes().splitlines()) == len(Store(path)) == 100


def test_a_result_is_appended_in_less_than_a_hundredth_of_a_second(tmp_path):
    store, seconds = Store(tmp_path / "a"), []
    for seed in range(100):
        made = record(seed=seed, predictions="x" * 6000)
        start = time.perf_counter()
        store.add(made)
        seconds.append(time.perf_counter() - start)
    assert sorted(seconds)[50] < 0.01  # measured: 0.0002


def test_it_sees_what_another_process_has_appended(tmp_path):
    one, other = Store(tmp_path / "a"), Store(tmp_path / "a")
    one.add(A)
    other.refresh()
    assert other.get(records.key(A)) == A
    (tmp_path / "a").write_bytes(b"")
    other.refresh()
    assert list(other) == []


def test_predictions_return():
    predicted = np.arange(1000) % 10
    text = records.encode_predictions(predicted)
    assert (records.decode_predictions(text, 1000) == predicted).all()


@pytest.mark.parametrize(
    "text", ["", "?", "AAAA", records.encode_predictions(np.zeros(9)), records.encode_predictions(np.zeros(11))]
)
def test_predictions_that_are_not_of_this_many_examples(text):
    with pytest.raises(ValueError, match="predictions"):
        records.decode_predictions(text, 10)
