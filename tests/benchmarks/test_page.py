"""The HTML page in a browser: headless Chromium, driven by selenium. tox's environment `browser` has both."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from support import bench_records
from support.browser import assert_page_fits, open_page, requested_urls, running, window
from support.needs import need

from idxhub_bench.command import bench

need("selenium")
from selenium.webdriver.common.by import By  # noqa: E402 -- after the skip where it is absent

CSS = By.CSS_SELECTOR


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with running("disable-gpu") as started:
        yield started


@pytest.fixture
def page(browser: Any, tmp_path: Path) -> Any:
    """The page of the made-up records of all three benchmarks, opened from its file."""
    html = tmp_path / "site" / "index.html"
    html.parent.mkdir()
    made = {"raw": bench_records.records(), "train": bench_records.training(), "device": bench_records.device()}
    raw = [str(bench_records.write(tmp_path / f"{name}.jsonl", records)) for name, records in made.items()]
    done = CliRunner().invoke(bench, ["report", *raw, "--html", str(html)])
    assert done.exit_code == 0, done.output
    return open_page(browser, html)


@pytest.fixture
def published(browser: Any) -> Any:
    """The page of the documentation, opened from its file."""
    return open_page(browser, Path(__file__).parents[2] / "docs" / "_static" / "benchmarks" / "index.html")


def shown(page: Any, section: str) -> list[list[str]]:
    """The rows of the one table in a section that is to be seen."""
    (table,) = (table for table in page.find_elements(CSS, f"#{section} table") if table.is_displayed())
    return [[cell.text for cell in row.find_elements(CSS, "th, td")] for row in table.find_elements(CSS, "tbody tr")]


def click(page: Any, section: str, text: str) -> Any:
    (button,) = (b for b in page.find_elements(CSS, f"#{section} button") if b.text == text and b.is_displayed())
    page.execute_script("arguments[0].scrollIntoView({block: 'center'})", button)
    button.click()
    return button


@pytest.mark.parametrize("which", ["page", "published"])
def test_it_loads_without_an_error_and_asks_for_no_other_file(which, request):
    page = request.getfixturevalue(which)
    assert page.find_element(CSS, "h1").text == "Benchmarks"
    assert page.get_log("browser") == []
    assert requested_urls(page) == {page.current_url}


def test_it_sorts(page):
    click(page, "images-per-second", "float32")
    click(page, "images-per-second", "batch 128")
    names = [row[0] for row in shown(page, "images-per-second")]
    assert names == ["NumPy X[permutation]", "idxhub torch DataLoader", "torchvision"]
    heading = click(page, "images-per-second", "thousand/s").find_element(By.XPATH, "..")
    assert heading.get_attribute("aria-sort") == "descending"
    assert [row[0] for row in shown(page, "images-per-second")] == names
    click(page, "images-per-second", "thousand/s")
    assert [row[0] for row in shown(page, "images-per-second")] == names[::-1]
    click(page, "images-per-second", "/ peer")  # only one has a peer: it comes first either way
    assert shown(page, "images-per-second")[0][0] == "idxhub torch DataLoader"
    click(page, "images-per-second", "/ peer")
    assert shown(page, "images-per-second")[0][0] == "idxhub torch DataLoader"
    click(page, "images-per-second", "row")
    by_name = ["idxhub torch DataLoader", "NumPy X[permutation]", "torchvision"]
    assert [row[0] for row in shown(page, "images-per-second")] == by_name
    assert page.get_log("browser") == []


def test_the_published_page_sorts(published):
    def rates() -> list[float]:
        return [float(row[2].replace(",", "")) for row in shown(published, "images-per-second")]

    found = rates()
    assert len(found) > 15
    assert found == sorted(found, reverse=True)
    click(published, "images-per-second", "row")
    assert rates() != found
    click(published, "images-per-second", "thousand/s")
    assert rates() == found
    click(published, "images-per-second", "thousand/s")
    assert rates() == found[::-1]
    assert published.get_log("browser") == []


def test_training_is_sorted_by_the_numbers_that_its_cells_begin_with(page):
    def names() -> list[str]:
        table = page.find_element(CSS, "#training table")
        return [cell.text for cell in table.find_elements(CSS, "tbody th")]

    torch, jax, torchvision = names()
    click(page, "training", "waits for data")  # 1.00%, 3.00%, 10.00%
    assert names() == [torch, jax, torchvision]
    click(page, "training", "waits for data")
    assert names() == [torchvision, jax, torch]
    click(page, "training", "seconds, each epoch")  # "20, 10", "150, 150", "20, 20"
    assert names()[-1] == jax
    assert page.get_log("browser") == []


def test_one_setting_is_shown_at_a_time(page):
    click(page, "images-per-second", "uint8")
    rows = {row[0]: row for row in shown(page, "images-per-second")}
    assert set(rows) == {"idxhub torch DataLoader", "NumPy X[permutation]", "grain"}
    assert rows["grain"][2] == "31"
    click(page, "images-per-second", "batch 32")
    assert {row[0]: row for row in shown(page, "images-per-second")}["grain"][2] == "7.75"


def test_bars_are_as_long_as_their_values(page):
    click(page, "images-per-second", "float32")

    def widths() -> dict[str, float]:
        (table,) = (t for t in page.find_elements(CSS, "#images-per-second table") if t.is_displayed())
        return {
            row.find_element(CSS, "th").text: row.find_element(CSS, "td.bar i").size["width"]
            for row in table.find_elements(CSS, "tbody tr")
        }

    linear = widths()
    assert linear["idxhub torch DataLoader"] / linear["NumPy X[permutation]"] == pytest.approx(1000 / 2100, abs=0.02)
    page.find_element(By.ID, "logarithmic").click()
    assert widths()["torchvision"] > 2 * linear["torchvision"]


@pytest.mark.parametrize("width", [1200, 700, 400])
@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("which", ["page", "published"])
def test_nothing_is_wider_than_the_window_and_text_can_be_read(which, width, dark, request):
    page = request.getfixturevalue(which)
    with window(page, width, dark=dark):
        assert_page_fits(page, width, dark=dark)
