"""A right adapter, for a framework of our own. The tests of the kit make wrong ones of it, one change each."""

import multiprocessing
import os
import warnings
from pathlib import Path

import numpy as np
import rowlib

from idxhub import Conventions, arguments, as_layout, errors, hookimpl, load
from idxhub.conformance import Subject

KEPT = {}


class Rows(rowlib.Table):
    def __init__(self, split, reverse=False):
        self.images = split.batch()
        self.labels = split.labels
        self.classes = split.classes
        self.info = split.info

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, i):
        if not -len(self.labels) <= i < len(self.labels):
            raise IndexError(i)
        return self.images[i].copy(), int(self.labels[i])

    def batches(self, size):
        for start in range(0, len(self.labels), size):
            yield self.at(start, size)

    def at(self, start, size):
        return self.images[start : start + size].copy(), self.labels[start : start + size].copy()


def workers(native, size, count, start_method):
    starts = range(0, len(native), size)
    with multiprocessing.get_context(start_method).Pool(count) as pool:
        yield from pool.starmap(native.at, [(start, size) for start in starts], chunksize=1)


@hookimpl
def idxhub_conventions():
    return Conventions(layout="HW", label_dtype="int64", options={"reverse": "does nothing"})


@hookimpl
def idxhub_check(options):
    arguments.boolean("reverse", options.get("reverse", False))


@hookimpl
def idxhub_dataset(split, options):
    return Rows(split, **options)


@hookimpl
def idxhub_batch(images, labels):
    return images, labels


@hookimpl
def idxhub_resident(split, device):
    if device != "here":
        raise errors.ArgumentError("device", device, "'here'")
    images, labels = split.batch(), split.labels

    def batches(indices, size):
        for start in range(0, len(indices), size):
            where = indices[start : start + size]
            yield idxhub_batch(images[where], labels[where])

    return batches


SUBJECT = Subject(
    framework="rows",
    batches=lambda native, size: native.batches(size),
    element=lambda native, i: native[i],
    length=len,
    class_names=lambda native: native.classes,
    records=lambda native: [record._asdict() for record in native.info.records],
    workers=workers,
    package="rowlib",
    options={"reverse": True},
    wrong_options={"reverse": "x"},
    device="here",
)
