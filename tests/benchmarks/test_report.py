"""`idxhub bench report`: the same figures in the page, in Markdown and in the README's table."""

from __future__ import annotations

import os
import re
import sys

import pytest
from support.bench_records import LOAD, TRAIN, report, write

from idxhub import errors
from idxhub_bench.load.goals import GOALS
from idxhub_bench.report.markdown import between


def test_all_three_have_the_same_medians(raw, tmp_path):
    page, text, readme = tmp_path / "page.html", tmp_path / "page.md", tmp_path / "README.md"
    readme.write_text("before\n<!-- benchmarks -->\nold\n<!-- /benchmarks -->\nafter\n", encoding="utf-8")
    done = report(raw, "--html", page, "--markdown", text, "--readme", readme)
    assert done.exit_code == 0, done.output
    # 1,000 thousand images/s against 20: of values 900, 1,000, 1,200 and 18, 20, 30
    for path in (page, text, readme):
        said = path.read_text(encoding="utf-8")
        assert "1,000 thousand images/s" in said, path
        assert "50" in said, path
    said = readme.read_text(encoding="utf-8")
    assert said.startswith("before\n<!-- benchmarks -->\n|")
    assert said.endswith("\n<!-- /benchmarks -->\nafter\n")
    assert "old" not in said
    assert report(raw, "--readme", readme).exit_code == 0
    assert readme.read_text(encoding="utf-8") == said


def test_the_page_opens_with_the_usual_loaders(raw, tmp_path):
    html, text, picture = tmp_path / "page.html", tmp_path / "page.md", tmp_path / "pictures" / "rates.png"
    done = report(raw, "--html", html, "--markdown", text, "--picture", picture)
    assert done.exit_code == 0, done.output
    said = text.read_text(encoding="utf-8")
    assert said.startswith(
        "# Benchmarks\n\n![Images per second of idxhub and of each framework's usual loader](pictures/rates"
    )
    first = said.partition("\n## ")[2].partition("\n## ")[0]
    # frameworks of which one of both is not among the records are left out
    assert re.findall(r"^\| (idxhub .*?|torchvision.*?|grain.*?) \| ([0-9,.]+) ", first, re.MULTILINE) == [
        ("idxhub torch DataLoader, float32", "1,000"),
        ("torchvision, float32", "20"),
    ]
    assert "50 (torchvision)" in first
    assert re.search(r"<main>\s*<section id=.beside-the-usual-loaders.>", html.read_text(encoding="utf-8"))


@pytest.mark.parametrize(("rounds", "says"), [(1, "(1 round; seed 0)"), (2, "(2 rounds; seed 0)")])
def test_the_method_says_how_many_rounds_there_were(rounds, says, tmp_path):
    raw = write(tmp_path / "raw.jsonl", [record for record in LOAD if record.get("round", 0) <= rounds])
    assert report(raw, "--markdown", tmp_path / "page.md").exit_code == 0
    assert says in (tmp_path / "page.md").read_text(encoding="utf-8")


def test_goals_of_rows_that_were_not_measured_are_left_out(raw, tmp_path):
    text = tmp_path / "page.md"
    assert report(raw, "--markdown", text).exit_code == 0
    goals = text.read_text(encoding="utf-8").partition("\n## Goals\n")[2].partition("\n## ")[0]
    listed = re.findall(r"^\| (?!what|---)(.*?) \|", goals, re.MULTILINE)
    assert [re.sub(" vs .*", "", title) for title in listed] == [*["plain DataLoader"] * 3, "warm open"]
    left_out = len(GOALS) - len(listed)
    assert f"- {left_out} of {len(GOALS)} goals are left out: they are about rows that were not measured.\n" in goals


def test_a_page_links_to_the_guide_that_is_beside_it(raw, tmp_path):
    text = tmp_path / "page.md"
    for link in ("", ", as [Measure](how-to/measure.md) shows"):
        assert report(raw, "--markdown", text).exit_code == 0
        assert f" To change it, run these again{link}.\n" in text.read_text(encoding="utf-8")
        (tmp_path / "how-to").mkdir(exist_ok=True)
        (tmp_path / "how-to" / "measure.md").touch()


def test_what_failed_or_was_missing_is_said(raw, tmp_path):
    text = tmp_path / "page.md"
    assert report(raw, "--markdown", text).exit_code == 0
    said = text.read_text(encoding="utf-8")
    assert "- MXNet Gluon: mxnet not installed" in said
    assert "- TensorDataset (rate, cpu): ERROR: not the same data or order: made up" in said
    assert re.search(r"plain DataLoader vs TensorDataset, uint8 .* ERROR: not the same data \|$", said, re.MULTILINE)


def test_the_page_asks_for_nothing(raw, tmp_path):
    page = tmp_path / "elsewhere" / "page.html"
    page.parent.mkdir()
    assert report(raw, "--html", page).exit_code == 0
    said = page.read_text(encoding="utf-8")
    assert re.findall(r'(?:src|href)="([^"#][^"]*)"', said) == ["data:,", "raw.jsonl"]
    assert not re.search(r"https?://|@import|url\(", said)
    assert (page.parent / "raw.jsonl").read_bytes() == raw.read_bytes()


def test_without_jinja2_html_alone_is_refused(raw, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "jinja2", None)
    monkeypatch.delitem(sys.modules, "idxhub_bench.report.page")
    monkeypatch.delattr("idxhub_bench.report.page")
    assert report(raw, "--markdown", tmp_path / "page.md").exit_code == 0
    done = report(raw, "--html", tmp_path / "page.html")
    assert done.exit_code == 1
    assert "--html needs jinja2, which is not installed: pip install jinja2" in done.stderr


def test_several_files_make_one_page(three, tmp_path):
    html, text = tmp_path / "site" / "index.html", tmp_path / "page.md"
    html.parent.mkdir()
    done = report(*three, "--html", html, "--markdown", text)
    assert done.exit_code == 0, done.output
    said, lead = html.read_text(encoding="utf-8"), text.read_text(encoding="utf-8")
    assert re.findall(r'(?:src|href)="([^"#][^"]*)"', said) == ["data:,", *(path.name for path in three)]
    assert not re.search(r"https?://|@import|url\(", said)
    for path in three:
        assert (html.parent / path.name).read_bytes() == path.read_bytes()
    assert (
        "from the records [`run.jsonl`](run.jsonl) of `idxhub bench load`, [`train.jsonl`](train.jsonl) of "
        "`idxhub bench train` and [`device.jsonl`](device.jsonl) of `idxhub bench device`. To change it"
    ) in lead
    titles = re.findall(r"^## (.*)$", lead, re.MULTILINE)
    assert titles == re.findall(r"<h2>(.*)</h2>", said)
    assert titles[:2] == ["Beside the usual loaders", "Goals"]
    assert titles[-5:] == ["Training", "On a device", "Method", "Machine and versions", "Not measured"]


def test_a_file_may_have_more_than_one_in_it(tmp_path):
    both, text = write(tmp_path / "both.jsonl", (*LOAD, *TRAIN)), tmp_path / "page.md"
    assert report(both, "--markdown", text).exit_code == 0
    said = text.read_text(encoding="utf-8")
    assert "[`both.jsonl`](both.jsonl) of `idxhub bench load` and `idxhub bench train`" in said
    assert "1,000 thousand images/s" in said
    assert "| torch | 20, 10 |" in said


@pytest.mark.parametrize(
    ("place", "says"),
    [(0, "| PyTorch `DataLoader`, float32, vs torchvision | 1,000"), (1, "| torch | 20, 10 |"), (2, "| torch uint8 |")],
    ids=["load", "train", "device"],
)
def test_one_file_alone_is_enough(place, says, three, tmp_path):
    done = report(three[place])
    assert done.exit_code == 0, done.output
    assert says in done.output
    html = tmp_path / "index.html"
    assert report(three[place], "--html", html).exit_code == 0
    assert "<h2>On a device</h2>" in html.read_text(encoding="utf-8")
    assert ("<h2>Training</h2>" in html.read_text(encoding="utf-8")) == (place == 1)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("{run}", "{folder}/other/../run.jsonl"), "a RAW is named twice"),
        (("{run}", "{folder}/other/run.jsonl", "--html", "{folder}/page.html"), "different names"),
        (("{run}", "--html", "{folder}/other/run.jsonl"), "different names"),
        (
            ("{train}", "--readme", "{folder}/README.md", "--html", "{folder}/page.html"),
            "figures of `idxhub bench load`",
        ),
        (("{run}", "--readme", "{folder}/absent.md"), "absent.md' does not exist"),
        (("{run}", "--readme", "{folder}/latin1.md"), "latin1.md is not UTF-8"),
        (("{run}", "--html", "{folder}/page.html", "--markdown", "{folder}/absent/page.md"), "make it first"),
        (("{run}", "--html", ""), "is a folder: name a file"),
        ((), "Missing argument 'RAW...'"),
    ],
    ids=["twice", "one name", "page's name", "no load", "no readme", "not UTF-8", "no folder", "no name", "nothing"],
)
def test_wrong_usage(arguments, says, three, tmp_path):
    (tmp_path / "other").mkdir()
    (tmp_path / "README.md").touch()
    (tmp_path / "latin1.md").write_bytes(b"\xe4")
    other = write(tmp_path / "other" / "run.jsonl", TRAIN)
    before = other.read_bytes()
    names = {"folder": tmp_path, "run": three[0], "train": three[1]}
    done = report(*(each.format(**names) for each in arguments))
    assert done.exit_code == 2, done.output
    assert says in done.output
    assert not (tmp_path / "page.html").exists()
    assert other.read_bytes() == before


@pytest.mark.skipif(sys.platform == "win32", reason="needs pipes with a name")
@pytest.mark.parametrize("option", ["--html", "--markdown"])
def test_a_pipe_is_not_replaced_by_a_page(option, three, tmp_path):
    os.mkfifo(tmp_path / "page.html")
    done = report(three[0], option, tmp_path / "page.html")
    assert done.exit_code == 2
    assert "page.html is a device, a pipe or a socket: name a file" in done.output
    assert (tmp_path / "page.html").is_fifo()


@pytest.mark.parametrize("option", ["--html", "--markdown"])
def test_a_page_that_cannot_be_written_leaves_the_others_as_they_were(option, three, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    other = tmp_path / "page.md"
    other.write_text("old", encoding="utf-8")
    more = () if option == "--markdown" else ("--markdown", other)
    monkeypatch.setattr(os, "fsync", full)
    done = report(three[0], *more, option, tmp_path / "page.html")
    assert done.exit_code == 1
    assert "Error: cannot write " in done.output
    assert "No space left on device" in done.output
    assert not (tmp_path / "page.html").exists()
    assert other.read_text(encoding="utf-8") == "old"


def test_the_section_on_training_may_have_a_picture(three, tmp_path):
    text, html, picture = tmp_path / "page.md", tmp_path / "page.html", tmp_path / "pictures" / "curves.png"
    done = report(three[1], "--markdown", text, "--html", html, "--training-picture", picture)
    assert done.exit_code == 0, done.output
    _, training = text.read_text(encoding="utf-8").split("## Training\n")
    shown = "![Test accuracy after each epoch: the curves of the frameworks over each other](pictures/curves.png)"
    assert f"\n\n{shown}\n\n| row |" in training
    assert "curves.png" not in html.read_text(encoding="utf-8")


def test_files_of_one_name_make_markdown(three, tmp_path):
    (tmp_path / "other").mkdir()
    other = write(tmp_path / "other" / "run.jsonl", TRAIN)
    assert report(three[0], other, "--markdown", tmp_path / "page.md").exit_code == 0


def test_a_page_without_bars_has_no_switch_for_them(three, tmp_path):
    for raw, hidden in ((three[0], False), (three[1], True)):
        assert report(raw, "--html", tmp_path / "page.html").exit_code == 0
        assert ('<label class="switch" hidden>' in (tmp_path / "page.html").read_text(encoding="utf-8")) == hidden


@pytest.mark.parametrize("text", ["", "<!-- b -->\n", "<!-- /b -->\n<!-- b -->\n", "<!-- b -->\n" * 2 + "<!-- /b -->"])
def test_a_page_without_its_markers_is_refused(text):
    with pytest.raises(errors.ArgumentError, match="a page with the lines"):
        between(text, "b", "new")
