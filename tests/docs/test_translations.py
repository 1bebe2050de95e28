"""The README's translations say what the English one says: the same code, tables, figures, digests and links."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

from idxhub.catalog.builtin.fashion_mnist import FASHION_MNIST

ROOT = Path(__file__).parents[2]
READMES = {"English": "README.md", "简体中文": "README.zh-CN.md", "日本語": "README.ja.md"}
TRANSLATIONS = [name for name in READMES.values() if name != "README.md"]
_BLOCK = re.compile(r"^```.*?^```$", re.DOTALL | re.MULTILINE)


def read(name):
    return (ROOT / name).read_text(encoding="utf-8")


def prose(name):
    """The text without its blocks of code, and without the line that names the languages."""
    return _BLOCK.sub("", read(name)).partition("\n")[2]


def facts(text):
    """Code, numbers of two digits or more, and the targets of links, each with how often it occurs."""
    code = re.findall(r"`[^`]+`", text)
    text = re.sub(r"`[^`]+`", "", text)
    links = re.findall(r"\]\(([^)]+)\)", text)
    numbers = re.findall(r"\d[\d,.:-]*\d", re.sub(r"\]\([^)]+\)", "]", text))
    return Counter([*code, *links, *numbers])


def rows(name):
    return [
        [cell.strip() for cell in line.strip("|").split("|")] for line in prose(name).splitlines() if line[:1] == "|"
    ]


@pytest.mark.parametrize("name", READMES.values())
def test_each_names_the_others(name):
    expected = [label if file == name else f"[{label}]({file})" for label, file in READMES.items()]
    assert read(name).partition("\n")[0] == " | ".join(expected)


@pytest.mark.parametrize("name", TRANSLATIONS)
def test_the_code_is_the_same(name):
    assert _BLOCK.findall(read(name)) == _BLOCK.findall(read("README.md"))


@pytest.mark.parametrize("name", TRANSLATIONS)
def test_the_headings_lists_and_comments_are_the_same(name):
    parts = re.compile(r"^(#+|-|\d\.|<!-- .* -->)(?= |$)", re.MULTILINE)
    assert parts.findall(prose(name)) == parts.findall(prose("README.md"))


@pytest.mark.parametrize("name", TRANSLATIONS)
def test_the_tables_have_the_same_facts_in_each_cell(name):
    translated, english = rows(name), rows("README.md")
    assert [len(row) for row in translated] == [len(row) for row in english]
    for cells, in_english in zip(translated, english, strict=True):
        for cell, original in zip(cells, in_english, strict=True):
            assert facts(cell) == facts(original)
            if original in FASHION_MNIST.classes:  # followed by what it is called, in brackets
                assert cell.startswith(f"{original}\N{FULLWIDTH LEFT PARENTHESIS}")
            elif not re.search(r"[A-Za-z]{2}", original):  # a number with its unit
                assert cell == original or not original


@pytest.mark.parametrize("name", TRANSLATIONS)
def test_the_whole_text_has_the_same_facts(name):
    assert facts(prose(name)) == facts(prose("README.md"))
