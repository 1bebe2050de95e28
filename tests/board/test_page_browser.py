"""The page in headless Chromium, driven by selenium. tox's environment `browser` has both."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.board_records import record
from support.browser import assert_page_fits, open_page, requested_urls, running, window
from support.needs import need

need("selenium")
need("joblib")
from selenium.webdriver.common.by import By  # noqa: E402 -- after the skip where it is absent
from selenium.webdriver.common.keys import Keys  # noqa: E402

from idxhub_board.configurations import select  # noqa: E402
from idxhub_board.page.render import page as render  # noqa: E402
from idxhub_board.published import published  # noqa: E402
from idxhub_board.store import read_stores  # noqa: E402
from idxhub_board.summary import summarise  # noqa: E402

CSS = By.CSS_SELECTOR
COMMITTED = Path(__file__).parents[2] / "docs" / "_static" / "board"
ACCURACIES = {
    "fashion-mnist": {"SVC(C=10,kernel=rbf)": 0.899, "Perceptron(penalty=l1)": 0.6},
    "mnist": {"SVC(C=10,kernel=rbf)": 0.97},
}


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with running("disable-gpu") as started:
        yield started


@pytest.fixture
def page(browser: Any, tmp_path: Path) -> Any:
    results = []
    for dataset, by_name in ACCURACIES.items():
        for name, accuracy in by_name.items():
            (each,) = select(name)
            same = {"dataset": dataset, "digest": ("0" if dataset == "mnist" else "1") * 64}
            results += [
                record(each.classifier, each.parameters, seed=i, accuracy=accuracy + i / 500, **same) for i in (0, 1)
            ]
    html = tmp_path / "board.html"
    html.write_text(render(summarise(results)), encoding="utf-8")
    yield open_page(browser, html)
    assert browser.get_log("browser") == []


def rows(page: Any) -> list[list[str]]:
    script = (
        "return [...document.querySelectorAll('#rows tbody tr')].map(r => [...r.cells].map(c => c.innerText.trim()))"
    )
    return page.execute_script(script)


def headings(page: Any) -> list[str]:
    return [each.text for each in page.find_elements(CSS, "#rows thead th")]


def click(page: Any, text: str) -> Any:
    (button,) = (each for each in page.find_elements(CSS, "button") if each.text.startswith(text))
    page.execute_script("arguments[0].scrollIntoView({block: 'center'})", button)
    button.click()


def test_it_asks_for_no_other_file(page):
    assert page.find_element(CSS, "h1").text == "Classifiers"
    assert requested_urls(page) == {page.current_url}


def test_it_shows_published_and_reproduced_results(page):
    assert headings(page)[:4] == ["configuration", "published", "reproduced", "difference"]
    found = {row[0].replace("\n", " "): row[1:] for row in rows(page)}
    assert len(found) == 129
    wanted = ["0.897", "0.9000 ± 0.0014", "+0.0030", "2", "3,379", "12", "within ±0.005"]
    assert found["SVC C=10,kernel=rbf"] == wanted
    assert found["Perceptron penalty=l1"][-1] == "beyond ±0.06"
    assert found["SVC C=100,kernel=linear"] == ["0.827", "", "", "", "", "", ""]


def test_it_sorts_and_what_has_no_value_stays_last(page):
    click(page, "reproduced")
    assert [row[2] for row in rows(page)][:3] == ["0.9000 ± 0.0014", "0.6010 ± 0.0014", ""]
    click(page, "reproduced")
    assert [row[2] for row in rows(page)][:3] == ["0.6010 ± 0.0014", "0.9000 ± 0.0014", ""]
    click(page, "configuration")
    assert rows(page)[0][0].startswith("DecisionTreeClassifier")
    (heading,) = page.find_elements(CSS, "#rows th[aria-sort]")
    assert heading.get_attribute("aria-sort") == "ascending"


@pytest.mark.parametrize(
    ("classifier", "parameters", "with_results", "count"),
    [
        ("", "", False, 129),
        ("SVC", "", False, 12),
        ("SVC", "kernel=rbf", False, 3),
        ("", "C=10, kernel=", False, 4),
        ("", "CRITERION=GINI best", False, 6),
        ("", "", True, 2),
        ("GaussianNB", "", True, 0),
    ],
)
def test_it_filters(page, classifier, parameters, with_results, count):
    page.find_element(By.ID, "classifier").send_keys(classifier or "all")
    page.find_element(By.ID, "parameters").send_keys(parameters)
    if with_results:
        page.find_element(By.ID, "with-results").click()
    assert len(rows(page)) == count
    assert page.find_element(By.ID, "count").text == f"{count} of 129 rows"


def test_the_tabs(page):
    click(page, "MNIST")
    (best,) = (row for row in rows(page) if row[0].startswith("SVC\nC=10,kernel=rbf"))
    assert best[1:4] == ["0.973", "0.9710 ± 0.0014", "\N{MINUS SIGN}0.0020"]
    click(page, "side by side")
    assert [each.split(" ")[0] for each in headings(page)] == ["configuration", *["Fashion-MNIST"] * 3, *["MNIST"] * 3]
    assert len(page.find_elements(CSS, "#charts svg")) == 2


def test_the_plot_has_a_dot_for_each_accuracy_with_a_time(page):
    counts = {kind: len(page.find_elements(CSS, f"circle.{kind}")) for kind in ("published", "ours")}
    timed = [each for each in published().values() if each.seconds is not None and "fashion-mnist" in each.accuracy]
    assert counts == {"published": len(timed), "ours": 2}
    assert len(page.find_elements(CSS, "line.bar.ours")) == 2


def test_a_keyboard_is_enough(page):
    tab = page.find_element(CSS, '[role="tab"][aria-selected="true"]')
    tab.send_keys(Keys.ARROW_RIGHT)
    assert page.switch_to.active_element.text == "MNIST"
    page.switch_to.active_element.send_keys(Keys.ARROW_LEFT)
    plot = page.find_element(CSS, "#charts svg")
    plot.send_keys(Keys.ARROW_RIGHT)
    assert "ExtraTreeClassifier" in page.find_element(By.ID, "point").text
    plot.send_keys(Keys.END, Keys.ARROW_RIGHT)
    assert len(page.find_elements(CSS, "circle.chosen")) == 1
    heading = page.find_element(CSS, '[data-key="mean"]')
    heading.send_keys(Keys.ENTER)
    assert page.switch_to.active_element.get_attribute("data-key") == "mean"


def test_a_reported_figure_stands_where_a_verdict_would(browser, tmp_path):
    (hog,) = select("HOG+LinearSVC")
    html = tmp_path / "board.html"
    results = [record(hog.classifier, hog.parameters, preprocessing="none", accuracy=0.888)]
    html.write_text(render(summarise(results)), encoding="utf-8")
    page = open_page(browser, html)
    (row,) = (row for row in rows(page) if row[0].startswith("HOG"))
    assert row[0].endswith("preprocessing none")
    assert row[1:] == ["", "0.8880", "", "1", "", "12", "reported 0.926"]
    assert_page_fits(page, 1200, dark=False)
    assert browser.get_log("browser") == []


def test_a_dataset_without_published_times_has_no_column_for_them(page):
    assert "published seconds" in headings(page)
    assert page.find_element(By.ID, "untimed").text == ""
    click(page, "MNIST")
    assert "published seconds" not in headings(page)
    assert page.find_element(By.ID, "untimed").text.startswith("For MNIST no times were published")


def test_the_page_of_the_committed_results(browser, tmp_path):
    html = tmp_path / "board.html"
    html.write_text(render(summarise(read_stores(sorted(COMMITTED.glob("*.jsonl"))))), encoding="utf-8")
    page = open_page(browser, html)
    page.find_element(By.ID, "with-results").click()
    assert len(rows(page)) >= 72
    assert len(page.find_elements(CSS, "circle.ours")) == len(rows(page))
    for view, width in itertools.product(("fashion-mnist", "mnist", "both"), (1200, 380)):
        page.find_element(CSS, f'[data-view="{view}"]').click()
        assert len(rows(page)) >= 25
        with window(page, width, dark=False):
            assert_page_fits(page, width, dark=False)
    assert requested_urls(page) == {page.current_url}
    assert browser.get_log("browser") == []


@pytest.mark.parametrize("width", [1200, 700, 380])
@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("view", ["Fashion-MNIST", "side by side"])
def test_nothing_is_wider_than_the_window_and_text_can_be_read(page, width, dark, view):
    click(page, view)
    with window(page, width, dark=dark):
        assert_page_fits(page, width, dark=dark)
