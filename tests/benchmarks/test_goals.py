"""Goals, the ratios and spreads that decide them, and what the report says of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support.bench_records import LOAD

from idxhub_bench.load.goals import GOALS, Goal, Key
from idxhub_bench.load.jobs import FIGURES
from idxhub_bench.load.rows import BY_NAME, FLOOR
from idxhub_bench.report import markdown
from idxhub_bench.report.loading import figures
from idxhub_bench.report.model import Report
from idxhub_bench.report.page import page
from idxhub_bench.report.records import read, runs
from idxhub_bench.report.summary import summarise

DOCS = Path(__file__).parents[2] / "docs"
_OURS, _THEIRS = (Key(row, "rate", "float32", 128, 0) for row in ("idxhub torch DataLoader", "torchvision"))


@pytest.mark.parametrize(
    ("goal", "ratio", "spread", "verdict"),
    [
        ({"at_least": 40}, 40, None, "met"),
        ({"at_least": 40}, 40, (40, 50), "met"),
        ({"at_least": 40}, 41, (39, 50), "met, within the spread"),
        ({"at_least": 40}, 30, (20, 39), "missed by 25%"),
        ({"at_least": 40}, 30, (20, 41), "missed by 25%, within the spread"),
        ({"at_most": 0.2}, 0.2, (0.1, 0.2), "met"),
        ({"at_most": 0.2}, 0.19, (0.1, 0.21), "met, within the spread"),
        ({"at_most": 0.2}, 0.21, (0.2, 0.3), "missed by 5%"),
        ({"at_most": 0.2}, 0.45, (0.19, 0.5), "missed by 125%, within the spread"),
        ({"at_least": 40}, None, None, "not measured"),
    ],
)
def test_verdicts(goal: dict[str, Any], ratio: float | None, spread: tuple[float, float] | None, verdict: str):
    assert Goal("", Key("a", "rate"), Key("b", "rate"), **goal).verdict(ratio, spread) == verdict


@pytest.mark.parametrize(
    ("goal", "said"),
    [
        ({"at_least": 100, "why": "A gather is."}, ["**a goal**: missed by 50%. A gather is."]),
        ({"at_most": 25, "why": "A gather is."}, ["**a goal**: missed by 100%. A gather is."]),
        ({"at_most": 40, "why": "So."}, ["**a goal**: missed by 25%, within the spread. So."]),
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


@pytest.mark.parametrize("goal", GOALS, ids=lambda goal: goal.title)
def test_each_goal_is_about_what_is_measured(goal):
    assert (goal.at_least is None) != (goal.at_most is None)
    for key in filter(None, (goal.ours, goal.theirs)):
        assert key.row in BY_NAME
        assert key.figure in FIGURES
        assert key.dtype in (None, *BY_NAME[key.row].dtypes)
    assert BY_NAME[goal.ours.row].ours
    # a row of ours is compared with itself in the other dtype, or with another's row
    assert goal.theirs is None or goal.theirs.row == goal.ours.row or not BY_NAME[goal.theirs.row].ours
    assert FLOOR in BY_NAME
    assert [each.title for each in GOALS].count(goal.title) == 1  # why it is missed is said far from its neighbours


def test_processor_time_is_that_of_an_epoch():
    found = summarise(runs(LOAD))
    assert found.value(Key("idxhub torch DataLoader", "cpu", "float32", 128, 0)) == pytest.approx(60_000 * 2e-6)


def test_quartiles():
    cell = summarise(runs(LOAD)).cells[Key("torchvision", "rate", "float32", 128, 0)]
    assert cell.median == 20_000
    assert cell.quartiles == (19_000, 25_000)


def test_the_spread_is_that_of_quartiles_against_quartiles():
    found = summarise(runs(LOAD))
    assert found.spread(_OURS, _THEIRS) == (950e3 / 25e3, 1100e3 / 19e3)
    payload = 47_100_000
    assert found.spread(_OURS, None) == (950e3 / payload, 1100e3 / payload)
    assert found.spread(_OURS, Key("TFDS", "rate")) is None


@pytest.mark.parametrize("values", [(-3e6, -2e6, -1e6), (0, 0, 0)], ids=["less than before", "as much as before"])
def test_a_difference_that_is_not_positive(values):
    """Memory is measured as a difference. Without one, a row is not compared with others, and has added no memory."""
    more = [
        {"kind": "sample", "row": row, "figure": "opened", "round": number, "value": value}
        for row, of_it in (("idxhub torch DataLoader", values), ("torchvision", (1e6, 2e6, 3e6)))
        for number, value in enumerate(of_it, 1)
    ]
    found = summarise(runs([*LOAD, *more]))
    ours, theirs = Key("idxhub torch DataLoader", "opened"), Key("torchvision", "opened")
    assert found.ratio(ours, theirs) is found.ratio(theirs, ours) is None
    assert found.spread(ours, theirs) is None
    assert found.ratio(ours, None) == 0
    assert Goal("", ours, None, at_most=0.25).verdict(0.0, found.spread(ours, None)) == "met"


def test_the_page_in_the_documentation_is_made_of_the_records_beside_it():
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
