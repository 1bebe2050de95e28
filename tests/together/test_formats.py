"""Hugging Face's arrays in the formats of other frameworks: what a plain Dataset gives, in a DataLoader too."""

from __future__ import annotations

import numpy as np
import pytest
from support.needs import need

import idxhub

datasets = need("datasets")
for framework in ("torch", "jax", "tensorflow"):
    need(framework)
DataLoader = need("torch.utils.data").DataLoader


@pytest.fixture(scope="module")
def ours():
    return idxhub.get_dataset("fashion-mnist-sample", framework="huggingface", image="array", split="train[:160]")


@pytest.fixture(scope="module")
def plain(ours):
    return datasets.Dataset(ours.data, info=ours.info, split=ours.split, fingerprint=ours._fingerprint)


@pytest.mark.parametrize("kind", ["torch", "jax", "tensorflow"])
@pytest.mark.parametrize("shuffled", [False, True])
def test_the_formats_of_other_frameworks(kind, shuffled, ours, plain):
    one, other = (each.shuffle(seed=0) if shuffled else each for each in (ours, plain))
    one, other = one.with_format(kind), other.with_format(kind)
    assert same([one[3], one[[2, 3]], one[:5]], [other[3], other[[2, 3]], other[:5]])
    assert same(list(one.iter(100)), list(other.iter(100)))
    assert same(list(one), list(other))


def test_a_loader_of_torch(ours, plain):
    one, other = (list(DataLoader(each.with_format("torch"), batch_size=64)) for each in (ours, plain))
    assert same(one, other)


def same(one, other):
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict):
        return list(one) == list(other) and all(same(one[name], other[name]) for name in one)
    return (
        isinstance(one, type(other)) and one.dtype == other.dtype and np.array_equal(np.asarray(one), np.asarray(other))
    )
