"""`idxhub bench train` in three frameworks: their losses are the same, and with another order in one they are not."""

from __future__ import annotations

import json
import sys

import numpy as np
import pytest
from click.testing import CliRunner
from support.needs import need

import idxhub

for framework in ("torch", "tensorflow", "jax"):
    need(framework)

from idxhub_bench.train import convnet, judge, nets  # noqa: E402 -- after the skip where one is absent
from idxhub_bench.train.command import train  # noqa: E402

# an interpreter in which order() is another, and all else the same
OTHER_ORDER = """\
#!{python}
import sys
import idxhub.data.loader as loader
from idxhub_bench.train import child
order = loader.order
loader.order = lambda n, seed, epoch: order(n, seed, epoch)[::-1].copy()
sys.argv = sys.argv[2:]
child.main()
"""


def run(raw, *arguments):
    asked = (raw, "--dataset", "fashion-mnist-sample", "--examples", 160, "--batch-size", 32, "--epochs", 1, *arguments)
    done = CliRunner().invoke(train, [str(each) for each in asked])
    found = [json.loads(line) for line in raw.read_text(encoding="utf-8").splitlines()]
    (agreement,) = (each for each in found if each["kind"] == "agreement")
    return done, agreement


def names(*rows):
    return [argument for row in rows for argument in ("--row", row)]


def test_losses_agree(tmp_path):
    done, agreement = run(tmp_path / "raw", *names("torch", "tensorflow", "jax"))
    assert done.exit_code == 0, done.output
    assert agreement["holds"]
    assert (agreement["steps"], agreement["tolerance"]) == (5, judge.TOLERANCE)
    assert agreement["worst"] < 1e-6


def test_another_order_is_noticed(tmp_path):
    other = tmp_path / "other"
    other.write_text(OTHER_ORDER.format(python=sys.executable))
    other.chmod(0o755)
    done, agreement = run(tmp_path / "raw", *names("tensorflow", "jax"), "--env", f"jax={other}")
    assert done.exit_code == 1, done.output
    assert "PROBLEM the losses of the first 5 steps differ by" in done.stderr
    assert agreement["worst"] > 100 * judge.TOLERANCE


def by_definition(images, labels, mask, weights):
    """The loss of the network in `convnet`, in float64."""

    def convolved(x, layer):
        padded = np.pad(x, ((0, 0), (2, 2), (2, 2), (0, 0)))
        windows = np.lib.stride_tricks.sliding_window_view(padded, (5, 5), (1, 2))
        x = np.einsum("nhwcij,ijco->nhwo", windows, weights[layer].astype(float)) + weights[f"{layer}/bias"]
        n, h, w, c = x.shape
        return np.maximum(x, 0).reshape(n, h // 2, 2, w // 2, 2, c).max((2, 4))

    x = convolved(convolved(images.astype(float), "conv1"), "conv2").reshape(len(images), -1)
    x = np.maximum(x @ weights["dense"] + weights["dense/bias"], 0) * mask
    x = x @ weights["logits"] + weights["logits/bias"]
    return (np.log(np.exp(x).sum(1)) - x[np.arange(len(x)), labels]).mean()


@pytest.mark.parametrize("framework", ["torch", "tensorflow", "jax"])
def test_the_network_is_the_one_described(framework):
    weights = convnet.initial(1)
    random = np.random.RandomState(0)
    weights |= {name: random.rand(*each.shape).astype("f4") for name, each in weights.items() if "bias" in name}
    net = nets.make(framework, convnet.RATE, None)
    net.load(weights)
    arguments = {"batch_size": 4, "shuffle": False, "dtype": "float32"}
    loader = idxhub.get_loader("fashion-mnist-sample", framework=framework, layout=net.layout, **arguments)
    images, labels = next(iter(idxhub.get_loader("fashion-mnist-sample", layout="HWC", **arguments)))
    mask = convnet.mask(0, 0, 4)
    loss = net.step(*net.ready(next(iter(loader))), mask)
    assert loss == pytest.approx(by_definition(images, labels, mask, weights), rel=1e-5)
