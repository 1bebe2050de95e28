"""`tfjs`, read by Pillow; and by a page with TensorFlow.js in headless Chromium, which trains on it.

tox's environment `browser` has what the page needs. IDXHUB_TEST_TFJS names the file that `npm pack @tensorflow/tfjs`
makes.
"""

from __future__ import annotations

import functools
import hashlib
import http.server
import os
import tarfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.browser import NO_BROWSER, running
from support.needs import need

from idxhub import errors

# the steps of the tutorial's data.js: draw the rows on a canvas some thousand at a time, take one of four channels
PAGE = """<!doctype html>
<meta charset="utf-8">
<script src="tf.min.js"></script>
<script>
async function read(name, classes) {
  const image = new Image();
  image.src = `out/${name}_images.png`;
  await image.decode();
  const [size, count] = [image.naturalWidth, image.naturalHeight];
  const pixels = new Float32Array(count * size);
  const rows = Math.min(count, 5000);
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [size, rows];
  const context = canvas.getContext("2d", { willReadFrequently: true });
  for (let start = 0; start < count; start += rows) {
    const n = Math.min(rows, count - start);
    context.drawImage(image, 0, start, size, n, 0, 0, size, n);
    const { data } = context.getImageData(0, 0, size, n);
    for (let i = 0; i < n * size; i++) pixels[start * size + i] = data[4 * i] / 255;
  }
  const response = await fetch(`out/${name}_labels_uint8`);
  const labels = new Uint8Array(await response.arrayBuffer());
  return { pixels, labels, size, count, classes };
}

async function digest(values) {
  const bytes = new Uint8Array(await crypto.subtle.digest("SHA-256", values));
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

// the digests of the pixels and labels as bytes
async function digests(name, classes) {
  const { pixels, labels } = await read(name, classes);
  return [await digest(Uint8Array.from(pixels, (value) => Math.round(value * 255))), await digest(labels)];
}

// trains a linear classifier; the loss before and after, and the accuracy
async function train(name, classes) {
  const { pixels, labels, size, count } = await read(name, classes);
  await tf.setBackend("cpu");
  const [xs, ys] = [tf.tensor2d(pixels, [count, size]), tf.tensor2d(labels, [count, classes])];
  const model = tf.sequential();
  const kernelInitializer = tf.initializers.zeros();
  model.add(tf.layers.dense({ inputShape: [size], units: classes, activation: "softmax", kernelInitializer }));
  model.compile({ optimizer: tf.train.adam(0.01), loss: "categoricalCrossentropy", metrics: ["accuracy"] });
  const [before] = model.evaluate(xs, ys).map((value) => value.dataSync()[0]);
  await model.fit(xs, ys, { epochs: 3, batchSize: 200 });
  const [after, accuracy] = model.evaluate(xs, ys).map((value) => value.dataSync()[0]);
  return [before, after, accuracy];
}
</script>
"""
RUN = """
const done = arguments[arguments.length - 1];
Promise.resolve().then(() => CALL).then((value) => done({ value }), (error) => done({ error: String(error) }));
"""


def pillow(path: Path, name: str, shape: tuple[int, ...]) -> tuple[Any, Any]:
    """Images and labels by name, read in Python."""
    pixels = np.asarray(need("PIL.Image").open(path / f"{name}_images.png"))
    assert pixels.shape == (shape[0], shape[1] * shape[2])
    one_hot = np.fromfile(path / f"{name}_labels_uint8", np.uint8).reshape(shape[0], -1)
    assert np.array_equal(one_hot.sum(axis=1), np.ones(shape[0]))
    return pixels.reshape(shape), one_hot.argmax(axis=1)


def test_pillow(data, tmp_path, same):
    path = data.export("tfjs", tmp_path / "out")
    for name, split in data.splits.items():
        same(pillow(path, name, split[0].shape), split)


def test_the_two_files_of_the_tutorial(fashion_mnist, tmp_path, same):
    """All examples under one name: its 55,000 for training, then 10,000 others."""
    path = fashion_mnist.export("tfjs", tmp_path / "out", splits={"mnist": "train[:55000]+test"})
    assert sorted(each.name for each in path.iterdir()) == ["mnist_images.png", "mnist_labels_uint8"]
    (train, train_labels), (test, test_labels) = (fashion_mnist.splits[name] for name in ("train", "test"))
    images, labels = np.concatenate([train[:55_000], test]), np.concatenate([train_labels[:55_000], test_labels])
    same(pillow(path, "mnist", images.shape), (images, labels))


def test_more_rows_than_a_browser_draws(fashion_mnist, tmp_path):
    with pytest.raises(errors.ArgumentError, match="1 to 65,535 examples"):
        fashion_mnist.export("tfjs", tmp_path / "out", splits="all")


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *arguments: object) -> None:
        """Nothing: pytest shows what is printed."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    need("selenium")
    if not os.path.isfile(os.environ.get("IDXHUB_TEST_TFJS", "")):
        pytest.skip(f"{NO_BROWSER} TensorFlow.js; `npm pack @tensorflow/tfjs` makes the file for IDXHUB_TEST_TFJS")
    with running("disable-gpu") as started:
        started.set_script_timeout(300)
        yield started


@pytest.fixture
def call(browser: Any, tmp_path: Path) -> Iterator[Any]:
    """Calls a function of the page, which a server at localhost gives: from a file, it could not read pixels."""
    with tarfile.open(os.environ["IDXHUB_TEST_TFJS"]) as package:
        library = package.extractfile("package/dist/tf.min.js")
        assert library is not None
        (tmp_path / "tf.min.js").write_bytes(library.read())
    (tmp_path / "index.html").write_text(PAGE, "utf-8")
    with http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(_Quiet, directory=str(tmp_path))
    ) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        browser.get(f"http://127.0.0.1:{server.server_port}/")

        def run(expression: str) -> Any:
            answer = browser.execute_async_script(RUN.replace("CALL", expression))
            assert "error" not in answer, answer
            return answer["value"]

        try:
            yield run
        finally:
            server.shutdown()


def test_a_page_reads_the_same(data, tmp_path, call):
    data.export("tfjs", tmp_path / "out")
    classes = len(data.spec.classes)
    for name, (images, labels) in data.splits.items():
        expected = [images.tobytes(), np.eye(classes, dtype=np.uint8)[labels].tobytes()]
        assert call(f"digests('{name}', {classes})") == [hashlib.sha256(each).hexdigest() for each in expected]


def test_a_page_trains(fashion_mnist, tmp_path, call):
    fashion_mnist.export("tfjs", tmp_path / "out", splits={"train": "train[:2000]"})
    before, after, accuracy = call("train('train', 10)")
    assert before == pytest.approx(np.log(10), abs=0.01)
    assert after < 1
    assert accuracy > 0.7
