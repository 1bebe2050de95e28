"""The page of an embedding in headless Chromium, driven by selenium. tox's environment `browser` has both.

WebGL is drawn in software, as on a machine without a graphics card.
"""

from __future__ import annotations

import io
import time

import numpy as np
import pytest
from support import made
from support.browser import assert_page_fits, open_page, requested_urls, running, window
from support.needs import need

need("PIL.Image")
need("matplotlib")
need("selenium")

from PIL import Image  # noqa: E402 -- after the skip where they are absent
from selenium.webdriver.common.action_chains import ActionChains  # noqa: E402 -- as above
from selenium.webdriver.common.by import By  # noqa: E402 -- as above
from selenium.webdriver.common.keys import Keys  # noqa: E402 -- as above

from idxhub import load  # noqa: E402 -- as above
from idxhub_plot import class_colours, embed_page, embedding  # noqa: E402 -- as above

SAMPLE = "fashion-mnist-sample"
SECONDS = 30  # for something that the page does by itself

PIXELS = """
    const canvas = arguments[0];
    const {data} = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
    return [canvas.dataset.image, canvas.height, canvas.width, Array.from(data).filter((_, i) => i % 4 === 0)];
"""
FRAMES = """
    const done = arguments[0];
    const canvas = document.querySelector('#stage canvas');
    const {left, top, width, height} = canvas.getBoundingClientRect();
    const times = [];
    let last = performance.now();
    const start = last;
    function frame(now) {
      times.push(now - last);
      last = now;
      const deltaY = (now - start) % 2000 < 1000 ? -30 : 30;
      const place = {clientX: left + width / 2, clientY: top + height / 2};
      canvas.dispatchEvent(new WheelEvent('wheel', {deltaY, ...place, bubbles: true, cancelable: true}));
      if (now - start < 4000) requestAnimationFrame(frame);
      else done(times.slice(1));
    }
    requestAnimationFrame(frame);
"""

SLOW_IMAGES = """
    const decode = window.createImageBitmap;
    const released = new Promise((resolve) => Object.assign(window, {release: resolve}));
    window.createImageBitmap = async (...all) => {
      window.isDecoding = true;
      await released;
      const bitmap = await decode(...all);
      setTimeout(() => Object.assign(window, {isDecoded: true}), 300);
      return bitmap;
    };
"""


@pytest.fixture(scope="module")
def browser():
    with running("use-angle=swiftshader", "enable-unsafe-swiftshader") as started:
        started.set_script_timeout(SECONDS)
        yield started


@pytest.fixture(scope="module")
def html(tmp_path_factory):
    path = tmp_path_factory.mktemp("site") / "page.html"
    path.write_text(embed_page(SAMPLE, cache_dir=path.parent / "cache"), encoding="utf-8")
    return path


@pytest.fixture
def page(browser, html):
    return opened(browser, html)


def opened(browser, html):
    open_page(browser, html)
    wait(lambda: drawn(browser) > 0)
    return browser


def wait(condition):
    end = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def by_id(page, name):
    return page.find_element(By.ID, name)


def drawn(page):
    """The number of points in the newest frame that WebGL has drawn."""
    return int(by_id(page, "stage").get_attribute("data-drawn") or 0)


def click(page, name):
    by_id(page, name).click()


def shown(page):
    """The number of points that the page says it shows."""
    return int(by_id(page, "drawn").text.split()[0].replace(",", ""))


def rest(page):
    """Wait until the view no longer moves and all points are drawn: a frame in motion may have fewer."""
    page.execute_async_script("setTimeout(arguments[0], 700)")
    wait(lambda: drawn(page) == shown(page))


def point_at(page, x, y):
    """Move the pointer to a place on the stage, in pixels from its middle."""
    ActionChains(page, duration=0).move_to_element_with_offset(by_id(page, "stage"), round(x), round(y)).perform()


def places(page):
    """Where each example is on the stage while everything is shown, in pixels from its middle, y down."""
    found = embedding(SAMPLE).coordinates
    low, high = found.min(axis=0), found.max(axis=0)
    stage = by_id(page, "stage").size
    scale = (min(stage["width"], stage["height"]) - 48) / (high - low).max()
    return (found - (low + high) / 2) * scale * (1, -1)


def alone(page):
    """An example that has no other near it."""
    found = places(page)
    distances = np.linalg.norm(found[:, None] - found, axis=2)
    np.fill_diagonal(distances, np.inf)
    return int(distances.min(axis=1).argmax())


def shown_image(canvas):
    """The name of the image in a canvas, and its pixels, once it is drawn."""
    page = canvas.parent
    wait(lambda: canvas.get_attribute("data-image"))
    name, height, width, values = page.execute_script(PIXELS, canvas)
    return name, np.array(values, np.uint8).reshape(height, width)


def name_of(index):
    return f"train[{index}]" if index < 2000 else f"test[{index - 2000}]"


def test_all_points_are_drawn_and_nothing_is_requested(page):
    assert by_id(page, "drawn").text == "2,500 images"
    wait(lambda: drawn(page) == 2500)  # the first frame may be one in motion, with fewer points
    assert page.get_log("browser") == []
    assert requested_urls(page) == {page.current_url}


def test_the_points_are_where_they_belong_in_the_colours_of_their_classes(page):
    click(page, "images")  # points alone
    rest(page)
    with Image.open(io.BytesIO(by_id(page, "stage").screenshot_as_png)) as picture:
        pixels = np.asarray(picture.convert("RGB")).astype(int)
    found, labels = places(page), load(SAMPLE, "all").labels
    distances = np.linalg.norm(found[:, None] - found, axis=2)
    np.fill_diagonal(distances, np.inf)
    colours = np.array([[int(each[i : i + 2], 16) for i in (1, 3, 5)] for each in class_colours(10)])
    for index in np.flatnonzero(distances.min(axis=1) > 8):
        column, row = (found[index] + np.array(pixels.shape[1::-1]) / 2).astype(int)
        near = pixels[row - 2 : row + 3, column - 2 : column + 3].reshape(-1, 3)
        inked = near[(255 * 3 - near.sum(axis=1)).argmax()]
        seen = np.abs(0.8 * colours + 0.2 * 251 - inked).sum(axis=1).argmin()
        assert seen == labels[index], (index, inked)


def test_the_image_under_the_pointer_is_that_of_the_array(page):
    images, split = load(SAMPLE, "all").images, load(SAMPLE, "all")
    index = alone(page)
    assert not by_id(page, "hover").is_displayed()
    point_at(page, *places(page)[index])
    wait(by_id(page, "hover").is_displayed)
    card = by_id(page, "hover")
    assert card.text.splitlines() == [split.classes[split.labels[index]], name_of(index)]
    name, pixels = shown_image(card.find_element(By.TAG_NAME, "canvas"))
    assert name == name_of(index)
    assert (pixels == images[index]).all()
    point_at(page, -430, -330)
    wait(lambda: not card.is_displayed())


def test_a_click_chooses_an_image_and_shows_those_near_it(page):
    index = alone(page)
    point_at(page, *places(page)[index])
    ActionChains(page).click().perform()
    chosen = by_id(page, "chosen")
    wait(chosen.is_displayed)
    assert name_of(index) in chosen.text
    near = [
        button.get_attribute("title").split(", ")[-1]
        for button in chosen.find_elements(By.CSS_SELECTOR, "#nearest button")
    ]
    order = np.linalg.norm(places(page) - places(page)[index], axis=1).argsort(kind="stable")
    assert near == [name_of(each) for each in order[1:13]]
    for button, other in zip(chosen.find_elements(By.CSS_SELECTOR, "#nearest canvas"), order[1:3], strict=False):
        assert (shown_image(button)[1] == load(SAMPLE, "all").images[other]).all()
    click(page, "release")
    assert not chosen.is_displayed()


def test_classes_are_hidden_and_shown(page):
    labels = load(SAMPLE, "all").labels
    rows = page.find_elements(By.CSS_SELECTOR, "#classes label")
    assert [row.text.splitlines() for row in rows] == [[name, "250"] for name in load(SAMPLE).classes]
    index = alone(page)
    rows[labels[index]].click()
    assert by_id(page, "drawn").text == "2,250 images"
    wait(lambda: drawn(page) == 2250)
    point_at(page, *places(page)[index])
    rest(page)
    assert not by_id(page, "hover").is_displayed()  # it is not to be found either
    click(page, "none")
    assert by_id(page, "drawn").text == "0 images"
    wait(lambda: drawn(page) == 0)
    ActionChains(page).double_click(rows[3]).perform()  # one class alone
    assert by_id(page, "drawn").text == "250 images"
    boxes = page.find_elements(By.CSS_SELECTOR, "#classes input")
    assert [box.is_selected() for box in boxes] == [i == 3 for i in range(10)]
    click(page, "all")
    wait(lambda: drawn(page) == 2500)


@pytest.mark.parametrize(
    ("text", "index"),
    [("0", 0), ("2499", 2499), ("2,003", 2003), ("test[17]", 2017), ("Test 17", 2017), ("train[1999]", 1999)],
)
def test_search_finds_an_image(text, index, page):
    by_id(page, "find").send_keys(text, Keys.ENTER)
    chosen = by_id(page, "chosen")
    assert name_of(index) in chosen.text
    assert by_id(page, "answer").text == ""
    name, pixels = shown_image(chosen.find_element(By.TAG_NAME, "canvas"))
    assert name == name_of(index)
    assert (pixels == load(SAMPLE, "all").images[index]).all()
    wait(lambda: int(by_id(page, "stage").get_attribute("data-images") or 0) > 0)  # near enough to see images


@pytest.mark.parametrize("text", ["2500", "test[500]", "valid[1]", "shoe", "-1", ""])
def test_search_says_what_there_is(text, page):
    by_id(page, "find").send_keys(text, Keys.ENTER)
    assert not by_id(page, "chosen").is_displayed()
    assert "there are 0 to 2499, or train[0] to train[1999], test[0] to test[499]" in by_id(page, "answer").text


def test_search_shows_a_hidden_class_again(page):
    click(page, "none")
    by_id(page, "find").send_keys("5", Keys.ENTER)
    name = load(SAMPLE).classes[load(SAMPLE).labels[5]]
    assert by_id(page, "answer").text == f"{name} is shown again."
    assert by_id(page, "drawn").text == "250 images"


def test_a_search_for_an_image_that_was_not_drawn_says_so(browser, tmp_path):
    toy = made.make(tmp_path / "toy", sizes={"train": 40})
    html = tmp_path / "toy.html"
    html.write_text(embed_page(toy.spec, size=10, data_dir=toy.folder), encoding="utf-8")
    drawn_ones = embedding(toy.spec, size=10, data_dir=toy.folder).indices.tolist()
    missing = next(i for i in range(40) if i not in drawn_ones)
    page = opened(browser, html)
    by_id(page, "find").send_keys(str(missing), Keys.ENTER)
    assert by_id(page, "answer").text == f"Image {missing} is not one of the 10 in this picture."


def test_images_take_the_place_of_points_when_the_view_is_near(page):
    stage = by_id(page, "stage")
    wait(lambda: stage.get_attribute("data-images") is not None)
    click(page, "images")
    wait(lambda: stage.get_attribute("data-images") == "0")
    click(page, "images")
    wait(lambda: int(stage.get_attribute("data-images")) > 50)
    assert page.get_log("browser") == []


def test_images_that_are_decoded_late_are_not_shown_if_they_are_no_longer_wanted(browser, html):
    slow = browser.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": SLOW_IMAGES})
    try:
        page = opened(browser, html)
    finally:
        browser.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", slow)
    stage = by_id(page, "stage")
    wait(lambda: page.execute_script("return window.isDecoding"))
    click(page, "images")
    wait(lambda: stage.get_attribute("data-images") == "0")
    page.execute_script("window.release()")
    wait(lambda: page.execute_script("return window.isDecoded"))
    assert stage.get_attribute("data-images") == "0"
    click(page, "images")
    wait(lambda: int(stage.get_attribute("data-images")) > 50)


def test_the_keyboard_does_what_the_mouse_does(page):
    stage = by_id(page, "stage")
    before = stage.screenshot_as_png

    def press(*keys):
        ActionChains(page).send_keys(*keys).perform()
        rest(page)

    page.execute_script("arguments[0].focus()", stage)
    press(Keys.ENTER)
    first = by_id(page, "chosen").find_element(By.TAG_NAME, "span").text
    press(Keys.ESCAPE)
    assert not by_id(page, "chosen").is_displayed()
    press("+", "+", Keys.ARROW_LEFT)
    assert stage.screenshot_as_png != before
    press("0")
    press(Keys.ENTER)
    assert by_id(page, "chosen").find_element(By.TAG_NAME, "span").text == first
    ActionChains(page).key_down(Keys.SHIFT).send_keys(Keys.ARROW_RIGHT).key_up(Keys.SHIFT).perform()
    rest(page)
    second = by_id(page, "chosen").find_element(By.TAG_NAME, "span").text
    names = [name_of(i) for i in range(2500)]
    (x1, y1), (x2, y2) = (places(page)[names.index(each)] for each in (first, second))
    assert x2 > x1
    assert abs(y2 - y1) <= x2 - x1 + 1e-3
    press("/")
    assert page.switch_to.active_element.get_attribute("id") == "find"
    press("i+")  # these are letters there
    assert by_id(page, "find").get_attribute("value") == "i+"
    press(Keys.ESCAPE)
    assert page.switch_to.active_element.get_attribute("id") == "stage"


def test_two_fingers_zoom_and_a_tap_chooses(browser, html):
    browser.execute_cdp_cmd("Emulation.setTouchEmulationEnabled", {"enabled": True, "maxTouchPoints": 2})
    try:
        page = opened(browser, html)
        stage = by_id(page, "stage").rect
        middle = stage["x"] + stage["width"] / 2, stage["y"] + stage["height"] / 2
        x, y = places(page)[alone(page)] + middle
        touch(page, "touchStart", [(x, y)])
        touch(page, "touchEnd", [])
        wait(by_id(page, "chosen").is_displayed)
        assert name_of(alone(page)) in by_id(page, "chosen").text
        rest(page)
        images = by_id(page, "stage").get_attribute("data-images")
        for step in range(10, 300, 20):
            fingers = [(middle[0] - step, middle[1]), (middle[0] + step, middle[1])]
            touch(page, "touchStart" if step == 10 else "touchMove", fingers)
        touch(page, "touchEnd", [])
        rest(page)
        assert int(by_id(page, "stage").get_attribute("data-images")) != int(images)
    finally:
        browser.execute_cdp_cmd("Emulation.setTouchEmulationEnabled", {"enabled": False})


def touch(page, kind, fingers):
    points = [{"x": x, "y": y, "id": i} for i, (x, y) in enumerate(fingers)]
    page.execute_cdp_cmd("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})


@pytest.mark.parametrize("width", [1200, 700, 390])
@pytest.mark.parametrize("dark", [False, True])
def test_it_fits_the_window_in_light_and_dark(width, dark, page):
    with window(page, width, dark=dark):
        rest(page)
        assert_page_fits(page, width, dark=dark)
        assert by_id(page, "stage").size["height"] > 400
        canvas = page.find_element(By.CSS_SELECTOR, "#stage canvas").size
        assert canvas == by_id(page, "stage").size


def test_a_long_name_without_spaces_is_broken(browser, tmp_path):
    names = ("x" * 300, "<b>bee</b>", "\u202ecat")
    toy = made.make(tmp_path / "data", classes=names, title="T" * 300)
    path = tmp_path / "page.html"
    path.write_text(embed_page(toy.spec, "train", data_dir=toy.folder), encoding="utf-8")
    page = opened(browser, path)
    assert page.execute_script("return document.getElementById('panel').scrollWidth <= panel.clientWidth")
    assert [each.text for each in page.find_elements(By.CSS_SELECTOR, "#classes span")] == list(names)


def test_frames_come_while_the_view_moves_and_all_points_are_there_at_rest(page):
    times = page.execute_async_script(FRAMES)
    print(f"{1000 * len(times) / sum(times):.0f} frames/s")  # noqa: T201 -- the figure; machines differ too much for a bound
    assert len(times) > 8
    rest(page)
    assert drawn(page) == 2500
