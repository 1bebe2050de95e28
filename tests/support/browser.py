"""Headless Chromium, driven by selenium. tox's environment `browser` has both."""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

NO_BROWSER = "not run in a browser: this machine lacks"


@contextlib.contextmanager
def running(*arguments: str) -> Iterator[Any]:
    """A context with a browser that was started with these arguments too, without their two hyphens.

    Without a browser the test is skipped, also in continuous integration, and `pytest_terminal_summary` names it.
    """
    from selenium import webdriver  # noqa: PLC0415 -- who imports this module may have to be skipped without it

    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    driver = shutil.which("chromedriver")
    if chromium is None or driver is None:
        pytest.skip(f"{NO_BROWSER} Chromium or its driver; Debian's packages chromium and chromium-driver have them")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for argument in ("headless=new", "no-sandbox", "window-size=1200,900", *arguments):
        options.add_argument(f"--{argument}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    browser = webdriver.Chrome(options=options, service=webdriver.ChromeService(executable_path=driver))
    try:
        yield browser
    finally:
        browser.quit()


def open_page(browser: Any, html: Path) -> Any:
    """The browser with this file as its page."""
    browser.set_window_size(1200, 900)
    for kind in ("browser", "performance"):
        browser.get_log(kind)  # an earlier page's
    browser.get(html.as_uri())
    return browser


def requested_urls(browser: Any) -> set[str]:
    """What the page has asked for, except what is inside it."""
    events = [json.loads(each["message"])["message"] for each in browser.get_log("performance")]
    asked = {each["params"]["request"]["url"] for each in events if each["method"] == "Network.requestWillBeSent"}
    return {url for url in asked if not url.startswith(("data:", "blob:"))}


@contextlib.contextmanager
def window(browser: Any, width: int, *, dark: bool) -> Iterator[None]:
    """A context in which the window has another width, and colours are light or dark."""
    scheme = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": scheme})
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    try:
        yield
    finally:
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


def assert_page_fits(browser: Any, width: int, *, dark: bool) -> None:
    """That nothing is wider than the window, and that text is far from its background in brightness."""
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width
    paper, ink = (
        sum(map(int, browser.execute_script(f"return getComputedStyle(document.body).{what}")[4:-1].split(",")[:3]))
        for what in ("backgroundColor", "color")
    )
    assert (paper < 150 and ink > 500) if dark else (paper > 600 and ink < 200)
