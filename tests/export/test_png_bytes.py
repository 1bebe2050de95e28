"""The PNG encoder, read by Pillow."""

from __future__ import annotations

import io

import numpy as np
import pytest
from support.needs import need

from idxhub import errors
from idxhub_export.png_bytes import channels_of, encode

MODES = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}


def opened(file):
    image = need("PIL.Image").open(io.BytesIO(file))
    image.load()
    return image


def noise(*shape):
    return np.random.default_rng(3).integers(0, 256, shape).astype(np.uint8)


@pytest.mark.parametrize("small", [False, True])
@pytest.mark.parametrize(
    "shape", [(9, 5), (1, 1), (28, 28), (1, 300), (300, 1), (200, 100), (9, 5, 1), (9, 5, 2), (9, 5, 3), (9, 5, 4)]
)
def test_pillow_reads_the_same_pixels(shape, small):
    ramp = np.arange(np.prod(shape), dtype=np.uint8).reshape(shape)  # of which a filter leaves little
    images = np.stack([noise(*shape), np.zeros(shape, np.uint8), np.full(shape, 255, np.uint8), ramp])
    for image, file in zip(images, encode(images, small=small), strict=True):
        read = opened(file)
        assert (read.format, read.mode) == ("PNG", MODES[shape[2] if shape[2:] else 1])
        assert np.array_equal(np.asarray(read).reshape(shape), image)


def test_no_images():
    assert encode(np.zeros((0, 9, 5), np.uint8)) == encode(np.zeros((0, 9, 5), np.uint8), small=True) == []


def test_they_are_small(fashion_mnist):
    images = fashion_mnist.splits["test"][0][:2000]

    def by_pillow(image):
        stream = io.BytesIO()
        need("PIL.Image").fromarray(image).save(stream, "png")
        return len(stream.getvalue())

    pillow = sum(map(by_pillow, images))
    assert sum(map(len, encode(images))) < 1.03 * pillow
    assert sum(map(len, encode(images, small=True))) <= pillow


@pytest.mark.parametrize(
    ("shape", "dtype"),
    [((9,), "uint8"), ((9, 5, 5), "uint8"), ((2, 9, 5, 3), "uint8"), ((9, 5), "int16"), ((0, 5), "uint8")],
)
def test_what_png_does_not_have(shape, dtype):
    with pytest.raises(errors.ArgumentError, match=r"for PNG$"):
        channels_of(shape, dtype)
