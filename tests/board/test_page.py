"""The page: what is in it without a browser. tests/board/test_page_browser.py opens it."""

from __future__ import annotations

import json
import os
import re

import pytest
from support.board_records import record, write
from support.needs import need

need("joblib")
need("jinja2")

from idxhub_board.page.render import page  # noqa: E402 -- after the skip where they are absent
from idxhub_board.published import submissions  # noqa: E402 -- as above
from idxhub_board.summary import summarise  # noqa: E402 -- as above


def data(html: str) -> dict:
    return json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', html, re.DOTALL)[1])


@pytest.mark.parametrize(
    ("results", "rows", "said"),
    [
        ([], 129, "Fashion-MNIST: 0 rows have results"),
        ([record()], 129, "Fashion-MNIST: 1 row has results; the accuracy is within"),
        ([record()], 129, "one in\n1 of 1."),
        ([record(), record(seed=1, accuracy=0.88)], 129, "one in\n0 of 1."),
        ([record(), record(accelerated=True)], 130, "Fashion-MNIST: 2 rows have results"),
        ([record(examples=1000)], 129, "Fashion-MNIST: 0 rows have results"),
        ([record(dataset="kmnist")], 129, "Fashion-MNIST: 0 rows have results"),
        ([record("Today", {"a": 1})], 130, "one in\n0 of 0."),
    ],
)
def test_the_rows(results, rows, said):
    html = page(summarise(results))
    assert len(data(html)["rows"]) == rows
    assert said in html


def test_a_result():
    (found,) = (row for row in data(page(summarise([record()])))["rows"] if row["results"]["fashion-mnist"]["seeds"])
    assert found["classifier"] == "SVC"
    assert found["parameters"] == "C=10,kernel=rbf"
    assert found["results"]["fashion-mnist"] == {
        "published": 0.897,
        "publishedSeconds": 3379,
        "publishedDeviation": 0,
        "mean": 0.9,
        "deviation": None,
        "seeds": 1,
        "seconds": 12,
        "difference": pytest.approx(0.003),
        "within": True,
        "reported": None,
    }
    assert found["results"]["mnist"]["mean"] is None


def test_versions_are_said_once_and_a_row_says_what_differs():
    usual = {"scikit-learn": "1.9.1", "numpy": "2.4.6"}
    results = [
        *(record(parameters={"C": c, "kernel": "rbf"}, versions=usual) for c in (1.0, 10.0)),
        record(versions=usual | {"scikit-learn": "1.8.0"}),
        record(versions=usual, accelerated=True),
        record("LGBMClassifier", {"a": 1}, versions=usual | {"lightgbm": "4.7.0"}),
    ]
    html = page(summarise(results))
    assert "fitted again with scikit-learn 1.9.1, numpy 2.4.6." in html.replace("\n", " ")
    variants = [row["variant"] for row in data(html)["rows"] if row["results"]["fashion-mnist"]["seeds"]]
    assert sorted(variants) == ["", "", "accelerated", "lightgbm 4.7.0", "scikit-learn 1.8.0"]


def test_a_result_cannot_add_a_script():
    evil = "</script><script>alert(1)</script><b>"
    html = page(summarise([record(evil, {evil: evil}, versions={evil: evil})]))
    assert "<script>alert" not in html
    assert "<b>" not in html
    assert any(row["classifier"] == evil for row in data(html)["rows"])


def test_submitted_results_are_shown_as_not_verified():
    html = page([])
    assert html.count(">not verified<") == len(submissions())
    assert "WRN40-4 8.9M params" in html
    assert "@Cenk Bircanoğlu" in html


def test_the_command(board, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    store = write(tmp_path / "a", [record()])
    done = board("page", store)
    assert (done.exit_code, done.output) == (0, "wrote board.html\n")
    assert (tmp_path / "board.html").read_text(encoding="utf-8") == page(summarise([record()]))
    refused = board("page", store)
    assert refused.exit_code == 2
    assert "board.html exists: name another file, or replace it with --force" in refused.stderr
    assert board("page", store, "--force").exit_code == 0
    assert sorted(os.listdir()) == [".a.lock", "a", "board.html"] or sorted(os.listdir()) == ["a", "board.html"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["absent"], "'absent' does not exist"),
        (["-o", "no/a.html"], "there is no folder no for a.html: make it first"),
        (["-o", "."], "is a directory"),
    ],
)
def test_what_is_wrong(arguments, said, board, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = board("page", *arguments)
    assert done.exit_code == 2
    assert said in done.stderr
    assert os.listdir() == []
