"""The program that drives the peers works, and its judge tells right data from wrong, an error and a hang."""

from __future__ import annotations

import gzip
import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from faults.peers import cases, page
from faults.peers.acts import disks, processes
from faults.peers.acts.base import Found, NotApplicableError
from faults.peers.acts.network import answers, lying
from faults.peers.cases import CASES, LEFT_OUT, OF_EXPORTS, Case
from faults.peers.drivers import LOADERS as DRIVERS
from faults.peers.drivers import seen
from faults.peers.run import judged, worst_of
from faults.peers.stage import IMAGES, LABELS, LOADERS, Attempt, Truth, staged, worst
from support import made
from support.matrix import ROWS
from support.processes import without
from support.server import Answer, ok, silent, status

PLAIN = LOADERS["plain"]  # without a digest and without a deadline: it does everything wrong


@pytest.fixture
def truth(tmp_path):
    """Four files under the names of the real ones, and the same with other pixels."""
    toy = made.make(tmp_path / "published", sizes={"train": 3, "t10k": 500}, shape=(28, 28))
    files = {resource.filename: toy.bytes(resource) for resource in toy.spec.resources}
    images = gzip.decompress(files[IMAGES])
    other = gzip.compress(images[:16] + images[16:][::-1])
    pixels = np.frombuffer(images, np.uint8, offset=16).reshape(-1, 28, 28)
    labels = np.frombuffer(gzip.decompress(files[LABELS]), np.uint8, offset=8)
    return Truth(files, seen(pixels, labels), {"other": {IMAGES: other}})


FOUND: dict[str, tuple[Callable[..., object], str, str]] = {
    "right": (answers(ok), "right", "right"),
    "error": (answers(lambda _: status(404)), "error", "right"),
    "vague": (answers(lambda _: status(418)), "vague", "right"),
    "wrong data": (lying("other"), "wrong", "right"),
    "wrong data for good": (answers(lambda _: ok(b"")), "vague", "raised"),
    "hang": (answers(lambda _: silent()), "hang", "right"),
    "stuck": (processes.killed, "error", "raised"),
    "a write that fails": (disks.broken("WRITE", "10000"), "error", "raised"),
    "an odd path": (disks.odd(b"caf\xe9 \xff"), "right", "right"),
    "a fork": (processes.forked, "right", "right"),
    "a holder that is stopped": (processes.holder(signal.SIGSTOP), "error", "right"),
    "Ctrl-C": (processes.signalled(signal.SIGINT), "partly", "raised"),
    "SIGTERM": (processes.signalled(signal.SIGTERM), "partly", "raised"),
}


WITH_C = {"stuck", "a write that fails", "Ctrl-C", "SIGTERM"}  # by a library that is compiled and preloaded


@pytest.mark.parametrize("name", FOUND)
def test_the_judge_distinguishes_what_loaders_do(name, truth, tmp_path):
    act, mark, after = FOUND[name]
    if name in WITH_C and not shutil.which("cc"):
        without("a C compiler")
    case = Case(
        0,
        name,
        act,
        "404|truncated|ended before|input/output|KeyboardInterrupt|SIGTERM",
        limit=20.0 if mark != "hang" else 3.0,
    )
    with staged(PLAIN, truth, tmp_path / "work", case.limit) as stage:
        assert judged(case, act(stage))["mark"] == mark
        stage.serve()
        assert stage.call().kind == after


def test_other_exceptions_than_those_of_the_row_are_vague(truth, tmp_path):
    answer: Callable[[bytes], Answer] = lambda _: status(500)  # noqa: E731 -- a table's entry
    with staged(PLAIN, truth, tmp_path / "work", 20.0) as stage:
        found = answers(answer)(stage)
    assert found.attempt.type == "urllib.error.HTTPError"
    assert judged(Case(0, "", answers(answer), "nothing of the sort"), found)["mark"] == "vague"


@pytest.mark.parametrize(
    ("words", "said", "mark"),
    [
        ("404|not found", ("FileNotFoundError", "Unable to find 'http://127.0.0.1:40425/test.parquet'"), "vague"),
        ("404|not found", ("HTTPError", "HTTP Error 404: Not Found"), "error"),
        ("mnist", ("idxhub.errors.DownloadError", "t10k-labels of fashion-mnist was not found"), "vague"),
        ("mnist", ("idxhub.errors.ChecksumError", "fashion-mnist: this is MNIST test images"), "error"),
        ("label", ("ValueError", "/home/me/t10k-labels-idx1-ubyte.gz: nothing"), "vague"),
        ("path", ("ValueError", "cannot use ~/a/path/of/mine"), "vague"),
        (cases.BROKEN, ("OSError", "[Errno 5] Input/output error: '/home/me'"), "error"),
        (cases.CORRUPT, ("TypeError", "unsupported operand"), "vague"),
        (cases.CORRUPT, ("ValueError", "unknown type 7"), "error"),
        (cases.TIME, ("RuntimeError", "it failed"), "vague"),
        (cases.TIME, ("fsspec.exceptions.FSTimeoutError", ""), "error"),
        ("zlib", ("IOError", "broken", "zlib.error: Error -3"), "error"),
    ],
    ids=str,
)
def test_what_an_error_quotes_is_not_its_cause(words, said, mark):
    assert Case(0, "", processes.killed, words).mark_of(*said) == mark


@pytest.mark.parametrize(
    "said",
    [
        ("RuntimeError", "shape '[10000, 28, 28]' is invalid for input of size 3919608"),
        ("ValueError", "cannot reshape array of size 7840000 into shape (9999,28,28)"),
        ("OSError", "Expected to be able to read 54624 bytes for message body, got 54080"),
        ("ArrowInvalid", "Tried reading schema message, was null or length 0"),
        ("BadGzipFile", "Not a gzipped file (b'<!')"),
        ("EOFError", "Compressed file ended before the end-of-stream marker was reached"),
    ],
    ids=str,
)
def test_a_word_for_a_wrong_file_counts_the_same_in_each_row(said):
    rows = [case for case in CASES if case.row in (6, 7, 8, 9, 11, 12, 14, 41, 42, 43, 44)]
    assert {case.mark_of(*said) for case in rows} == {"error"}


def test_where_the_data_are_asked_for_an_error_is_a_failure():
    asked = {case.row for case in CASES if case.asks == cases.DATA}
    assert asked > {5, 10, 23, 24, 25, 26, 31, 36, 40}
    assert not asked & {1, 2, 3, 6, 8, 9, 12, 15, 16, 17, 18, 19, 20, 22, 27, 29, 30, 32, 33, 41, 42, 43, 44}
    (case,) = (case for case in CASES if case.row == 26)
    assert case.mark_of("EOFError", "Compressed file ended before the end-of-stream marker") == "failed"


@pytest.mark.parametrize(
    ("kinds", "mark", "note"),
    [
        (["right"] * 3, "right", "3 of 3 runs as asked"),
        (["right", "raised", "right"], "failed", "2 of 3 runs as asked"),
        (["raised", "wrong", "hang"], "hang", "0 of 3 runs as asked"),
    ],
    ids=str,
)
def test_the_worst_run_of_a_race_is_shown_with_the_number_of_good_ones(kinds, mark, note):
    case = Case(0, "", processes.sixteen, asks=cases.DATA, times=3)
    found = worst_of(case, [(Found(Attempt(kind)), Attempt("right")) for kind in kinds])
    assert (found["mark"], found["note"]) == (mark, note)


@pytest.mark.parametrize(
    ("row", "mark", "kind", "again"),
    [
        (31, "partly", "", "partly"),
        (34, "partly", "BadGzipFile", "partly"),
        (34, "partly", "OSError", "partly"),
        (26, "partly", "EOFError", "failed"),
        (26, "wrong", "", "wrong"),
    ],
    ids=str,
)
def test_what_is_partly_as_asked_is_judged_again_by_its_exception(row, mark, kind, again):
    (case,) = (case for case in CASES if case.row == row)
    outcome = {"row": row, "case": case.name, "mark": mark, "type": kind, "message": "", "chain": []}
    (found,) = page.Results("", {}, {}, [outcome]).judged_again(CASES).outcomes
    assert found["mark"] == again


def test_half_a_file_under_its_final_name_is_no_temporary_file(truth, tmp_path):
    if not shutil.which("cc"):
        without("a C compiler")
    with (
        staged(PLAIN, truth, tmp_path / "work", 20.0) as stage,
        pytest.raises(NotApplicableError, match="has the file's own name"),
    ):
        processes.orphaned(stage)


def test_a_link_that_is_written_through_is_noticed(truth, tmp_path):
    """A link to a file is taken for the file by this loader; through one to nothing it writes."""
    with staged(PLAIN, truth, tmp_path / "work", 20.0) as stage:
        found = disks.planted(stage)
    assert found.unmet == "2 of 2 targets made"
    assert found.attempt.kind == "raised"


def test_faults_of_calls_that_a_loader_never_makes_do_not_apply(truth, tmp_path):
    with staged(PLAIN, truth, tmp_path / "work", 20.0) as stage:
        with pytest.raises(NotApplicableError, match="no call of its own to sync"):
            disks.broken("SYNC", "1")(stage)
        with pytest.raises(NotApplicableError, match="told its folder"):
            disks.homeless(stage)
        assert "takes no lock" in processes.without_locks(stage).note


@pytest.mark.parametrize(
    ("kinds", "judged_by"),
    [(["right"] * 16, "right"), (["right", "raised"], "raised"), ([*["raised"] * 15, "wrong", "right"], "wrong")],
    ids=str,
)
def test_the_worst_of_several_attempts_is_judged(kinds, judged_by):
    assert worst(map(Attempt, kinds)).kind == judged_by


def test_every_loader_has_a_driver_and_every_pattern_is_one():
    assert set(LOADERS) == set(DRIVERS)
    assert len({(case.row, case.name) for case in CASES}) == len(CASES)


def test_every_row_has_a_case_or_a_reason_to_have_none():
    assert {case.row for case in CASES} | set(LEFT_OUT) | set(OF_EXPORTS) == set(ROWS)
    assert not {case.row for case in CASES} & set(LEFT_OUT)


def test_the_page_is_what_the_program_makes_of_the_outcomes():
    folder = Path(__file__).parents[2] / "docs" / "reference"
    results = page.Results.read((folder / "peers-under-faults.json").read_text(encoding="utf-8"))
    assert (folder / "peers-under-faults.md").read_text(encoding="utf-8") == results.markdown()
    assert results.judged_again(CASES) == results
    text = results.markdown()
    for row, why in LEFT_OUT.items():
        assert f"| {row} | {ROWS[row].fault} | data | n/a | n/a |" in text
        assert f"- {row}, {ROWS[row].fault}: {why}" in text
    assert "--peer-python mxnet=PYTHON" in text.partition("```sh")[2].partition("```")[0]
    (seconds,) = (each["seconds"] for each in results.outcomes if (each["loader"], each["row"]) == ("idxhub", 17))
    assert f"- 17, a byte a second: after {seconds:.0f} s\n" in text


def test_a_run(full_data_dir, mnist_dir, tmp_path):
    run = Path(page.__file__).with_name("run.py")
    options = ["--loaders", "idxhub,plain", "--only", "^(3 404|7 MNIST, downloaded)$", "--data-dir", full_data_dir]
    files = ["--mnist-dir", mnist_dir, "--json", tmp_path / "json", "--markdown", tmp_path / "page.md"]
    done = subprocess.run([sys.executable, run, *options, *files], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    head, *outcomes = map(json.loads, (tmp_path / "json").read_text(encoding="utf-8").splitlines())
    assert head["versions"]["idxhub"]["versions"]["idxhub"]
    assert [(each["loader"], each["mark"], each["next"]) for each in outcomes] == [
        ("idxhub", "error", "right"),
        ("plain", "error", "right"),
        ("idxhub", "error", "right"),
        ("plain", "wrong", "wrong"),
    ]
    text = (tmp_path / "page.md").read_text(encoding="utf-8")
    assert "| 7 | MNIST, downloaded | data or error | error | **wrong**\u00a0† |" in text
    assert str(tmp_path) not in text
    assert str(run.parents[3]) not in text
