"""The text of records is shown as it is, in HTML and in Markdown, and never obeyed."""

from __future__ import annotations

import re
from html import escape
from html.parser import HTMLParser
from typing import Any

import pytest
from support.bench_records import DEVICE, LOAD, TRAIN, report, write

from idxhub_bench.report import markdown
from idxhub_bench.report.model import Grid, Report, Section
from idxhub_bench.report.page import page

HOSTILE = "<script>alert(1)</script> & [x](javascript:alert(1)) ![y](http://z) `a` **b** _c_ | $d$ \\[e] \n# f\n\ud800"
# what is left of it on one line, as a reader is to see it
SHOWN = HOSTILE.replace("\n", " ").replace("  ", " ").replace("\ud800", "\N{REPLACEMENT CHARACTER}")


def hostile(value: Any) -> Any:
    """The same record with hostile text in the place of every text that a report shows."""
    kept = ("kind", "bench", "figure", "figures", "way", "dtype")
    if isinstance(value, dict):
        return {name: each if name in kept else hostile(each) for name, each in value.items()}
    if isinstance(value, list):
        return [hostile(each) for each in value]
    return HOSTILE if isinstance(value, str) else value


@pytest.mark.parametrize("records", [LOAD, TRAIN, DEVICE], ids=["load", "train", "device"])
def test_text_of_a_record_is_shown_and_never_obeyed(records, tmp_path):
    raw = write(tmp_path / "raw.jsonl", [hostile(record) for record in records])
    html, text = tmp_path / "page.html", tmp_path / "page.md"
    done = report(raw, "--html", html, "--markdown", text)
    assert done.exit_code == 0, done.output
    page_text, markdown_text = html.read_text(encoding="utf-8"), text.read_text(encoding="utf-8")
    for said in (page_text, markdown_text):
        assert "<script>alert" not in said
    parsed = HTMLParser()
    seen: list[str] = []
    parsed.handle_data = seen.append
    parsed.handle_starttag = lambda tag, attributes: seen.append(" ")
    parsed.feed(page_text)
    assert SHOWN in "".join(seen)
    unescaped = re.sub(r"\\.", "", markdown_text)
    for mark in ("x](", "y](", "**b", "`a", "_c", "$d", "[e", "\n# f", "& "):
        assert mark not in unescaped
    assert "\\[x\\](javascript:alert(1)) !\\[y\\](http://z) \\`a\\` \\*\\*b\\*\\* \\_c\\_ \\| \\$d\\$ " in markdown_text


@pytest.mark.parametrize(
    ("text", "markdown_line"),
    [
        ("# heading", "\\# heading"),
        ("- item", "\\- item"),
        ("12. item", "12\\. item"),
        ("% comment", "\\% comment"),
        ("(target)=", "\\(target)="),
        ("```", "\\`\\`\\`"),
        ("OMP_NUM_THREADS=2", "OMP_NUM_THREADS=2"),
        ("a row: it failed", "a row: it failed"),
    ],
)
def test_text_at_the_start_of_a_line_begins_nothing(text, markdown_line):
    made = Report("", (Section("", "", (), (text,)),))
    assert markdown.sections(made).splitlines()[-1] == f"- {markdown_line}"
    assert f"<li>{escape(text)}</li>" in page(made, [])


def test_names_of_files_are_quoted_in_links(tmp_path):
    raw = write(tmp_path / "a (b) %c.jsonl", LOAD)
    html, text = tmp_path / "page.html", tmp_path / "page.md"
    assert report(raw, "--html", html, "--markdown", text).exit_code == 0
    assert 'href="a%20%28b%29%20%25c.jsonl">a (b) %c.jsonl</a>' in html.read_text(encoding="utf-8")
    assert "](a%20%28b%29%20%25c.jsonl)" in text.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        ("10.85%", "10.85"),
        ("2.5, 2.33", "2.5"),
        ("1234, 5", "1234.0"),
        ("1,611 thousand images/s", "1611.0"),
        ("4.2e-07", "4.2e-07"),
        ("≥ 40", None),
        ("nan", None),
        ("", None),
    ],
)
def test_a_column_of_numbers_is_sorted_by_them(cell, value):
    html = page(Report("", (Section("", "", (Grid(("a", "b"), (("x", cell),), numbers=(1,)),)),)), [])
    assert re.findall(r'data-value="(.*?)"', html) == ([] if value is None else [value])
