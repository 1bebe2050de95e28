"""Headless Chromium, driven by selenium. tox's environment `browser` has both."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from support.processes import without


@contextlib.contextmanager
def running(*arguments: str) -> Iterator[Any]:
    """A context with a browser that was started with these arguments too, without their two hyphens."""
    from selenium import webdriver  # noqa: PLC0415 -- who imports this module may have to be skipped without it

    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    driver = shutil.which("chromedriver")
    if chromium is None or driver is None:
        without("a browser and its driver: Debian's packages chromium and chromium-driver")
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
