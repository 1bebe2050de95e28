"""`idxhub bench report`: the same figures in the page, in Markdown and in the README's table."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Sequence
from html import escape
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from support import bench_records

from idxhub import errors
from idxhub_bench.command import bench
from idxhub_bench.load.goals import GOALS, Goal, Key
from idxhub_bench.load.jobs import FIGURES
from idxhub_bench.load.rows import BY_NAME, FLOOR
from idxhub_bench.report import markdown
from idxhub_bench.report.loading import figures
from idxhub_bench.report.markdown import between
from idxhub_bench.report.model import Grid, Report, Section
from idxhub_bench.report.page import page
from idxhub_bench.report.records import read, runs
from idxhub_bench.report.summary import summarise

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    return bench_records.write(tmp_path / "raw.jsonl", bench_records.records())


@pytest.fixture
def three(tmp_path: Path) -> list[Path]:
    """A file of each benchmark."""
    made = {"run": bench_records.records(), "train": bench_records.training(), "device": bench_records.device()}
    return [bench_records.write(tmp_path / f"{name}.jsonl", records) for name, records in made.items()]


def run(*arguments: object) -> Result:
    return CliRunner().invoke(bench, ["report", *map(str, arguments)])


def test_all_three_have_the_same_medians(raw, tmp_path):
    page, text, readme = tmp_path / "page.html", tmp_path / "page.md", tmp_path / "README.md"
    readme.write_text("before\n<!-- benchmarks -->\nold\n<!-- /benchmarks -->\nafter\n", encoding="utf-8")
    done = run(raw, "--html", page, "--markdown", text, "--readme", readme)
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
    assert run(raw, "--readme", readme).exit_code == 0
    assert readme.read_text(encoding="utf-8") == said


def test_what_failed_or_was_missing_is_said(raw, tmp_path):
    text = tmp_path / "page.md"
    assert run(raw, "--markdown", text).exit_code == 0
    said = text.read_text(encoding="utf-8")
    assert "- MXNet Gluon: mxnet not installed" in said
    assert "- TensorDataset (rate, cpu): ERROR: not the same data or order: made up" in said
    assert re.search(r"plain DataLoader vs TensorDataset, uint8 .* ERROR: not the same data \|$", said, re.MULTILINE)


def test_the_page_asks_for_nothing(raw, tmp_path):
    page = tmp_path / "elsewhere" / "page.html"
    page.parent.mkdir()
    assert run(raw, "--html", page).exit_code == 0
    said = page.read_text(encoding="utf-8")
    assert re.findall(r'(?:src|href)="([^"#][^"]*)"', said) == ["data:,", "raw.jsonl"]
    assert not re.search(r"https?://|@import|url\(", said)
    assert (page.parent / "raw.jsonl").read_bytes() == raw.read_bytes()


def test_what_is_in_the_records_cannot_become_markup(raw, tmp_path):
    with raw.open("a", encoding="utf-8") as file:
        file.write(json.dumps({"kind": "missing", "row": "TFDS", "why": "<script>alert(1)</script> | x"}) + "\n")
    page, text = tmp_path / "page.html", tmp_path / "page.md"
    assert run(raw, "--html", page, "--markdown", text).exit_code == 0
    assert "<script>alert" not in page.read_text(encoding="utf-8") + text.read_text(encoding="utf-8")


def test_a_run_that_was_cut_short_is_reported(raw):
    whole = raw.read_text(encoding="utf-8")
    raw.write_text(whole[:-20], encoding="utf-8")
    done = run(raw)
    assert done.exit_code == 0
    assert f"Warning: raw.jsonl:{whole.count(chr(10))}: the last line is cut off and is left out" in done.stderr
    raw.write_text(whole, encoding="utf-8")
    assert not run(raw).stderr


def test_a_file_of_something_else_is_refused(tmp_path):
    other = tmp_path / "other.jsonl"
    other.write_text('{"kind": "sample", "row": "x", "figure": "import", "value": 1}\n', encoding="utf-8")
    done = run(other)
    assert done.exit_code == 2
    assert "other.jsonl:1: the first record" in done.stderr


LOAD, TRAIN, DEVICE = (tuple(make()) for make in (bench_records.records, bench_records.training, bench_records.device))


def changed(record: dict[str, Any], **fields: Any) -> bytes:
    return json.dumps(record | fields).encode()


def of_kind(records: Sequence[dict[str, Any]], kind: str) -> dict[str, Any]:
    return next(record for record in records if record["kind"] == kind)


def lacking(record: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in record.items() if name not in names}


SAMPLE, ROUND, FAILED = (of_kind(LOAD, kind) for kind in ("sample", "round", "failure"))
EPOCH, AGREED = (of_kind(TRAIN, kind) for kind in ("epoch", "agreement"))
ON_DEVICE, PASS = (of_kind(DEVICE, kind) for kind in ("row", "sample"))
DEEP = b'{"kind": "missing", "row": "TFDS", "why": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"
# a line that is put after the first one of a file, and what is said of it
WRONG_LINES = {
    "not UTF-8": (LOAD, b'{"kind": "missing", "row": "\xff"}', "the line is not UTF-8, at byte 29"),
    "not JSON": (LOAD, b"sleep", "the line is not JSON"),
    "empty": (LOAD, b"", "the line is not JSON"),
    "cut": (LOAD, b'{"kind": "sam', "the line is not JSON: Unterminated string"),
    "nested deeply": (LOAD, DEEP, "the JSON is nested too deeply"),
    "an integer of many digits": (LOAD, b"1" * 5000, "an integer has too many digits"),
    "no object": (LOAD, b"[1, 2]", "a record is an object, not [1, 2]"),
    "no kind": (LOAD, b"{}", "kind is None; it must be 'run' or 'round' or"),
    "a kind that no dict can have": (LOAD, b'{"kind": []}', "kind is []; it must be"),
    "an unknown kind": (LOAD, b'{"kind": "epoch"}', "kind is 'epoch'; it must be"),
    "another benchmark": (LOAD, changed(LOAD[0], bench="sleep"), "bench is 'sleep'; it must be 'load' or"),
    "a benchmark that is a list": (LOAD, changed(LOAD[0], bench=[]), "bench is []; it must be 'load' or"),
    "no machine": (LOAD, changed(lacking(LOAD[0], "machine")), "machine is missing"),
    "a machine in a word": (LOAD, changed(LOAD[0], machine="mine"), "machine is 'mine'; it must be an object"),
    "text for cores": (
        LOAD,
        changed(LOAD[0], machine=LOAD[0]["machine"] | {"cores": "two"}),
        "machine.cores is 'two'; it must be an integer",
    ),
    "no file system": (
        LOAD,
        changed(LOAD[0], machine=lacking(LOAD[0]["machine"], "file system")),
        "machine.file system is missing",
    ),
    "no value": (LOAD, changed(lacking(SAMPLE, "value")), "value is missing"),
    "text for a value": (LOAD, changed(SAMPLE, value="fast"), "value is 'fast'; it must be 0, or a number"),
    "a truth for a value": (LOAD, changed(SAMPLE, value=True), "value is True; it must be 0, or a number"),
    "NaN": (LOAD, changed(SAMPLE, value=float("nan")), "value is nan; it must be 0, or a number"),
    "infinity": (LOAD, changed(SAMPLE, value=float("-inf")), "value is -inf; it must be 0, or a number"),
    "a number beyond float64": (LOAD, changed(SAMPLE, value=10**400), "value is 1000"),
    "a number whose half is 0": (LOAD, changed(SAMPLE, value=5e-324), "value is 5e-324; it must be 0, or a number"),
    "a list for a row": (LOAD, changed(SAMPLE, row=["torchvision"]), "row is ['torchvision']; it must be text"),
    "an object for a dtype": (LOAD, changed(SAMPLE, dtype={}), "dtype is {}; it must be text, or null"),
    "a size of text": (LOAD, changed(SAMPLE, size="128"), "size is '128'; it must be an integer from 0"),
    "a number for why": (LOAD, changed(LOAD[1], why=3), "why is 3; it must be text"),
    "a number for figures": (LOAD, changed(FAILED, figures=3), "figures is 3; it must be a list of text"),
    "text for cheat": (LOAD, changed(FAILED, cheat="no"), "cheat is 'no'; it must be true or false"),
    "text for a round": (LOAD, changed(ROUND, round="first"), "round is 'first'; it must be an integer"),
    "text for a load": (LOAD, changed(ROUND, load="high"), "load is 'high'; it must be 0, or a number"),
    "a list of versions": (
        LOAD,
        changed(of_kind(LOAD, "row"), versions=["3.11"]),
        "versions is ['3.11']; it must be an object of text",
    ),
    "text for epochs": (TRAIN, changed(TRAIN[0], epochs="two"), "epochs is 'two'; it must be an integer"),
    "an epoch before its row": (
        TRAIN,
        changed(EPOCH),
        "no record of the kind 'row' comes before this epoch of 'torch'",
    ),
    "an epoch of no time": (TRAIN, changed(TRAIN[1]) + b"\n" + changed(EPOCH, seconds=0), "seconds is 0; it must be"),
    "one that agrees alone": (
        TRAIN,
        changed(AGREED, between=["torch"]),
        "between is ['torch']; it must be a list of two",
    ),
    "no tolerance": (TRAIN, changed(AGREED, tolerance=0), "tolerance is 0; it must be a number from"),
    "a sample before its row": (
        DEVICE,
        changed(PASS),
        "no record of the kind 'row' comes before this sample of 'torch'",
    ),
    "an unknown way": (DEVICE, changed(ON_DEVICE) + b"\n" + changed(PASS, way="by air"), "way is 'by air'; it must be"),
    "a copy without bandwidth": (
        DEVICE,
        changed(ON_DEVICE, copy=lacking(ON_DEVICE["copy"], "bandwidth")),
        "copy.bandwidth is missing",
    ),
}


@pytest.mark.parametrize(("records", "line", "says"), WRONG_LINES.values(), ids=WRONG_LINES)
def test_a_wrong_line_is_one_clear_error(records, line, says, tmp_path):
    raw = tmp_path / "wrong.jsonl"
    first, *others = (changed(record) for record in records)
    raw.write_bytes(b"\n".join([first, line, *others, b""]))
    done = run(raw, "--html", tmp_path / "page.html", "--markdown", tmp_path / "page.md")
    assert done.exit_code == 2, done.output
    assert isinstance(done.exception, SystemExit)
    assert f"Error: wrong.jsonl:{2 + line.count(10)}: {says}" in done.stderr
    assert list(tmp_path.iterdir()) == [raw]


@pytest.mark.parametrize("loss", [float("nan"), float("inf"), 1e300, 0])
def test_a_training_that_diverged_is_reported(loss, tmp_path):
    records = [{**each, "loss": loss} if each["kind"] == "epoch" else each for each in TRAIN[:-1]]
    raw = bench_records.write(tmp_path / "train.jsonl", [*records, {**AGREED, "worst": loss, "holds": not loss}])
    done = run(raw, "--html", tmp_path / "page.html")
    assert done.exit_code == 0, done.output


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
    raw = bench_records.write(tmp_path / "raw.jsonl", [hostile(record) for record in records])
    html, text = tmp_path / "page.html", tmp_path / "page.md"
    done = run(raw, "--html", html, "--markdown", text)
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
    raw = bench_records.write(tmp_path / "a (b) %c.jsonl", LOAD)
    html, text = tmp_path / "page.html", tmp_path / "page.md"
    assert run(raw, "--html", html, "--markdown", text).exit_code == 0
    assert 'href="a%20%28b%29%20%25c.jsonl">a (b) %c.jsonl</a>' in html.read_text(encoding="utf-8")
    assert "](a%20%28b%29%20%25c.jsonl)" in text.read_text(encoding="utf-8")


def test_without_jinja2_html_alone_is_refused(raw, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "jinja2", None)
    monkeypatch.delitem(sys.modules, "idxhub_bench.report.page")
    monkeypatch.delattr("idxhub_bench.report.page")
    assert run(raw, "--markdown", tmp_path / "page.md").exit_code == 0
    done = run(raw, "--html", tmp_path / "page.html")
    assert done.exit_code == 1
    assert "--html needs jinja2, which is not installed: pip install jinja2" in done.stderr


UNMARKED = ({name: value for name, value in LOAD[0].items() if name != "bench"}, *LOAD[1:])


@pytest.mark.parametrize(
    ("records", "benches"),
    [
        (LOAD, ["load"]),
        (UNMARKED, ["load"]),  # as it was written before it said so
        (TRAIN, ["train"]),
        (DEVICE, ["device"]),
        ((*UNMARKED, *TRAIN, *TRAIN), ["load", "train", "train"]),
    ],
)
def test_a_file_says_itself_what_it_is(records, benches):
    found = runs(records)
    assert [run.bench for run in found] == benches
    assert sum(len(run.records) for run in found) == len(records)


@pytest.mark.parametrize(
    "records",
    [(), LOAD[1:], (LOAD[1], *LOAD), ({"kind": "run", "bench": "sleep"},)],
    ids=["nothing", "no run", "something before it", "another benchmark"],
)
def test_records_of_something_else_are_refused(records):
    with pytest.raises(errors.ArgumentError, match=r"'some\.jsonl'.*`idxhub bench load` or `idxhub bench train` or"):
        runs(records, "some.jsonl")


def test_without_its_mark_a_run_is_reported_as_with_it(raw, tmp_path):
    before = bench_records.write(tmp_path / "before.jsonl", UNMARKED)
    assert run(before).output == run(raw).output
    assert "| 50 |" in run(before).output


def test_several_files_make_one_page(three, tmp_path):
    html, text = tmp_path / "site" / "index.html", tmp_path / "page.md"
    html.parent.mkdir()
    done = run(*three, "--html", html, "--markdown", text)
    assert done.exit_code == 0, done.output
    said, lead = html.read_text(encoding="utf-8"), text.read_text(encoding="utf-8")
    assert re.findall(r'(?:src|href)="([^"#][^"]*)"', said) == ["data:,", *(path.name for path in three)]
    assert not re.search(r"https?://|@import|url\(", said)
    for path in three:
        assert (html.parent / path.name).read_bytes() == path.read_bytes()
    assert (
        "from [the records of `idxhub bench load`](run.jsonl), [the records of `idxhub bench train`](train.jsonl) and "
        "[the records of `idxhub bench device`](device.jsonl): to change it"
    ) in lead
    titles = re.findall(r"^## (.*)$", lead, re.MULTILINE)
    assert titles == re.findall(r"<h2>(.*)</h2>", said)
    assert titles[0] == "Goals"
    assert titles[-5:] == ["Training", "On a device", "Method", "Machine and versions", "Not measured"]


def test_a_file_may_have_more_than_one_in_it(tmp_path):
    both, text = bench_records.write(tmp_path / "both.jsonl", (*LOAD, *TRAIN)), tmp_path / "page.md"
    assert run(both, "--markdown", text).exit_code == 0
    said = text.read_text(encoding="utf-8")
    assert "[the records of `idxhub bench load` and `idxhub bench train`](both.jsonl)" in said
    assert "1,000 thousand images/s" in said
    assert "| torch | 20, 10 |" in said


@pytest.mark.parametrize(
    ("place", "says"),
    [(0, "| PyTorch `DataLoader`, float32, vs torchvision | 1,000"), (1, "| torch | 20, 10 |"), (2, "| torch uint8 |")],
    ids=["load", "train", "device"],
)
def test_one_file_alone_is_enough(place, says, three, tmp_path):
    done = run(three[place])
    assert done.exit_code == 0, done.output
    assert says in done.output
    html = tmp_path / "index.html"
    assert run(three[place], "--html", html).exit_code == 0
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
        ((), "Missing argument 'RAW...'"),
    ],
    ids=["twice", "one name", "the page's name", "no load", "nothing"],
)
def test_wrong_usage(arguments, says, three, tmp_path):
    (tmp_path / "other").mkdir()
    other = bench_records.write(tmp_path / "other" / "run.jsonl", TRAIN)
    before = other.read_bytes()
    names = {"folder": tmp_path, "run": three[0], "train": three[1]}
    done = run(*(each.format(**names) for each in arguments))
    assert done.exit_code == 2, done.output
    assert says in done.output
    assert not (tmp_path / "page.html").exists()
    assert other.read_bytes() == before


def test_files_of_one_name_make_markdown(three, tmp_path):
    (tmp_path / "other").mkdir()
    other = bench_records.write(tmp_path / "other" / "run.jsonl", TRAIN)
    assert run(three[0], other, "--markdown", tmp_path / "page.md").exit_code == 0


_OURS, _THEIRS = (Key(row, "rate", "float32", 128, 0) for row in ("idxhub torch DataLoader", "torchvision"))


@pytest.mark.parametrize(
    ("goal", "said"),
    [
        ({"at_least": 100, "why": "A gather is."}, ["**a goal**: missed by 50 %. A gather is."]),
        ({"at_most": 25, "why": "A gather is."}, ["**a goal**: missed by 100 %. A gather is."]),
        ({"at_most": 40, "why": "So."}, ["**a goal**: missed by 25 %, within the spread. So."]),
        ({"at_least": 100}, []),
        ({"at_least": 10, "why": "A gather is."}, []),
        ({"at_least": 100, "why": "It is absent.", "theirs": Key("TFDS", "rate")}, []),
        ({"at_least": 1e9, "why": "It lies.", "theirs": Key("TensorDataset", "rate", "uint8", 128, 0)}, []),
    ],
    ids=["too little", "too much", "by too little to tell", "no reason", "met", "not measured", "not the same data"],
)
def test_why_a_goal_is_missed_is_said_below_the_goals(goal, said):
    made = Goal(**({"title": "a goal", "ours": _OURS, "theirs": _THEIRS} | goal))
    goals = next(figures(summarise(runs(LOAD)), [made]))
    assert list(goals.bullets)[:-1] == said
    text = markdown.sections(Report("", (goals,)))
    assert ("\n- **a goal**" in text) == bool(said)
    assert ("<strong>a goal</strong>: missed by" in page(Report("", (goals,)), [])) == bool(said)


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


def test_a_page_without_bars_has_no_switch_for_them(three, tmp_path):
    for raw, hidden in ((three[0], False), (three[1], True)):
        assert run(raw, "--html", tmp_path / "page.html").exit_code == 0
        assert ('<label class="switch" hidden>' in (tmp_path / "page.html").read_text(encoding="utf-8")) == hidden


def test_processor_time_is_that_of_an_epoch():
    found = summarise(runs(bench_records.records()))
    assert found.value(Key("idxhub torch DataLoader", "cpu", "float32", 128, 0)) == pytest.approx(60_000 * 2e-6)


def test_quartiles():
    cell = summarise(runs(bench_records.records())).cells[Key("torchvision", "rate", "float32", 128, 0)]
    assert cell.median == 20_000
    assert cell.quartiles == (19_000, 25_000)


@pytest.mark.parametrize(
    ("goal", "ratio", "spread", "verdict"),
    [
        ({"at_least": 40}, 40, None, "met"),
        ({"at_least": 40}, 40, (40, 50), "met"),
        ({"at_least": 40}, 41, (39, 50), "met, within the spread"),
        ({"at_least": 40}, 30, (20, 39), "missed by 25 %"),
        ({"at_least": 40}, 30, (20, 41), "missed by 25 %, within the spread"),
        ({"at_most": 0.2}, 0.2, (0.1, 0.2), "met"),
        ({"at_most": 0.2}, 0.19, (0.1, 0.21), "met, within the spread"),
        ({"at_most": 0.2}, 0.21, (0.2, 0.3), "missed by 5 %"),
        ({"at_most": 0.2}, 0.45, (0.19, 0.5), "missed by 125 %, within the spread"),
        ({"at_least": 40}, None, None, "not measured"),
    ],
)
def test_verdicts(goal: dict[str, Any], ratio: float | None, spread: tuple[float, float] | None, verdict: str):
    assert Goal("", Key("a", "rate"), Key("b", "rate"), **goal).verdict(ratio, spread) == verdict


def test_the_spread_is_that_of_quartiles_against_quartiles():
    found = summarise(runs(bench_records.records()))
    assert found.spread(_OURS, _THEIRS) == (950e3 / 25e3, 1100e3 / 19e3)
    payload = 47_100_000
    assert found.spread(_OURS, None) == (950e3 / payload, 1100e3 / payload)
    assert found.spread(_OURS, Key("TFDS", "rate")) is None


@pytest.mark.parametrize("values", [(-3e6, -2e6, -1e6), (0, 0, 0)], ids=["less than before", "as much as before"])
def test_a_difference_below_nothing_has_no_ratio(values):
    """Memory is measured as a difference: where it is lost in what else the process does, nothing is compared."""
    more = [
        {"kind": "sample", "row": row, "figure": "opened", "round": number, "value": value}
        for row, of_it in (("idxhub torch DataLoader", values), ("torchvision", (1e6, 2e6, 3e6)))
        for number, value in enumerate(of_it, 1)
    ]
    found = summarise(runs([*bench_records.records(), *more]))
    ours, theirs = Key("idxhub torch DataLoader", "opened"), Key("torchvision", "opened")
    assert found.ratio(ours, theirs) is found.ratio(theirs, ours) is None
    assert found.spread(ours, theirs) is None


@pytest.mark.parametrize("goal", GOALS, ids=lambda goal: goal.title)
def test_each_goal_is_about_what_is_measured(goal):
    assert (goal.at_least is None) != (goal.at_most is None)
    for key in filter(None, (goal.ours, goal.theirs)):
        assert key.row in BY_NAME
        assert key.figure in FIGURES
        assert key.dtype in (None, *BY_NAME[key.row].dtypes)
    assert BY_NAME[goal.ours.row].ours
    assert goal.theirs is None or not BY_NAME[goal.theirs.row].ours
    assert FLOOR in BY_NAME
    assert [each.title for each in GOALS].count(goal.title) == 1  # why it is missed is said far from its neighbours


@pytest.mark.parametrize("text", ["", "<!-- b -->\n", "<!-- /b -->\n<!-- b -->\n", "<!-- b -->\n" * 2 + "<!-- /b -->"])
def test_a_page_without_its_markers_is_refused(text):
    with pytest.raises(errors.ArgumentError, match="a page with the lines"):
        between(text, "b", "new")


def test_the_page_in_the_documentation_is_made_of_the_records_beside_it(tmp_path):
    """Whoever changes the report or the goals writes the pages again."""
    recorded = DOCS / "_static" / "benchmarks" / "run.jsonl"
    if not recorded.exists():
        pytest.fail(f"{recorded} is missing: idxhub bench load writes it")
    found = summarise(runs(read(recorded)))
    assert found.cells
    text = (DOCS / "benchmarks.md").read_text(encoding="utf-8")
    for goal in GOALS:
        ratio = found.ratio(goal.ours, goal.theirs)
        if ratio is not None:
            verdict = goal.verdict(ratio, found.spread(goal.ours, goal.theirs))
            assert f"| {goal.text} | {verdict} |" in text, goal.title
