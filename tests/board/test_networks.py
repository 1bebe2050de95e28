"""The networks of PyTorch: how they are made and trained, and where their results and the reported ones stand."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest
from support.board_records import record, write
from support.needs import need, need_elsewhere

need("sklearn")
need("joblib")

from idxhub import load  # noqa: E402 -- after the skip where they are absent
from idxhub_board import today as libraries  # noqa: E402 -- as above
from idxhub_board.configurations import Configuration, configurations, deep, select, today  # noqa: E402
from idxhub_board.estimators import build  # noqa: E402
from idxhub_board.fitting import Job, fit, versions  # noqa: E402
from idxhub_board.matrices import DataReference, load_data  # noqa: E402
from idxhub_board.page.model import model  # noqa: E402
from idxhub_board.page.render import page  # noqa: E402
from idxhub_board.published import published, seconds_of, submissions  # noqa: E402
from idxhub_board.summary import summarise  # noqa: E402

SAMPLE = "fashion-mnist-sample"
NAMES = ["MLP", "ConvNet", "ResNet"]
names = pytest.mark.parametrize("name", NAMES)


def small(name: str, **changed: object) -> Configuration:
    """A network of the board, trained for less time."""
    (configuration,) = select(name)
    quick = {"epochs": 4, "batch_size": 32, "learning_rate": 0.001 if name == "MLP" else 0.1}
    return Configuration.of(name, configuration.parameters | quick | changed)


def job(configuration: Configuration, seed: int = 0, threads: int = 1) -> Job:
    data = load_data(SAMPLE, 300, download=False)
    return Job(configuration, seed, DataReference(SAMPLE, 300, data.digest, download=False), threads=threads)


def test_they_are_a_group_of_their_own():
    assert [each.classifier for each in deep()] == NAMES
    assert not set(deep()) & {*configurations(), *today(), *published()}
    assert all(each.is_seeded and seconds_of(each) > 0 for each in deep())


@pytest.mark.parametrize(
    ("arguments", "listed"),
    [
        (["--tier", "deep"], NAMES),
        (["--tier", "deep", "--only", "*net*"], ["ConvNet", "ResNet"]),
        (["--tier", "smoke", "--only", "resnet"], ["ResNet"]),
        (["--tier", "today", "--only", "ConvNet", "--only", "XGB*"], ["ConvNet", "XGBClassifier"]),
        (["--tier", "deep", "--only", "HNSWClassifier"], ["HNSWClassifier"]),
        (["--only", "MLP"], ["MLP"]),
        (["--only", "MLP*", "--tier", "full"], ["MLPClassifier"] * 8),
    ],
)
def test_they_are_listed(arguments, listed, board):
    said = board("run", "-", "--list", *arguments).output.splitlines()
    assert [each.partition("(")[0] for each in said] == listed


def test_the_other_tiers_do_not_have_them(board):
    for tier in ("smoke", "fast", "full", "today"):
        said = board("run", "-", "--list", "--tier", tier).output.splitlines()
        assert not {each.partition("(")[0] for each in said} & set(NAMES)


@pytest.mark.parametrize(
    ("only", "said"),
    [
        (["ResNet"], "ResNet needs a package that is not installed: pip install torch"),
        ([], "MLP, ConvNet, ResNet need a package that is not installed: pip install torch"),
    ],
)
def test_without_torch_nothing_runs(only, said, board, tmp_path, monkeypatch):
    monkeypatch.setattr(libraries, "find_spec", lambda name: None if name == "torch" else object())
    chosen = [word for each in only for word in ("--only", each)]
    done = board("run", tmp_path / "a", "--tier", "deep", "--dataset", SAMPLE, *chosen)
    assert done.exit_code == 1
    assert said in " ".join(done.stderr.split())
    assert list(tmp_path.iterdir()) == []


def test_torch_is_not_imported_before_a_network_is_made():
    program = (
        "import sys, idxhub_board.command, idxhub_board.run_command, idxhub_board.runner, idxhub_board.fitting;"
        "from idxhub_board.configurations import select; from idxhub_board.estimators import build;"
        "build(select('GaussianNB')[0], 0); print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


@names
def test_the_seed_decides_the_result(name):
    torch = need("torch")
    state = torch.random.get_rng_state()
    first, again = fit(job(small(name))), fit(job(small(name)))
    assert first["predictions"] == again["predictions"]
    assert first["accuracy"] > 0.4
    assert first["warnings"] == []
    assert (torch.random.get_rng_state() == state).all()  # the caller's own random numbers are left alone
    made = [build(small(name, epochs=1), seed) for seed in (0, 1)]
    train, test = load_data(SAMPLE, 300, download=False).inputs(name)
    labels = load(SAMPLE, "train[:300]", download=False).labels
    one, other = (each.fit(train, labels).predict(test) for each in made)
    assert (one != other).any()


def test_it_is_trained_as_its_parameters_say():
    need("torch")
    assert {each.classifier: each.parameters for each in deep()} == {
        "MLP": {"hidden_layer_sizes": [256, 128, 100], "batch_size": 128, "epochs": 20, "learning_rate": 0.001},
        "ConvNet": {"batch_size": 400, "epochs": 8, "learning_rate": 0.2},
        "ResNet": {
            "channels": [16, 32, 64],
            "batch_size": 128,
            "epochs": 10,
            "learning_rate": 0.1,
            "weight_decay": 0.0005,
        },
    }
    for name, kind, expected in (("MLP", "Adam", 0.001), ("ConvNet", "SGD", 0.2), ("ResNet", "SGD", 0.1)):
        estimator = build(select(name)[0], 7, 3)
        found = estimator.get_params()
        assert {key: found[key] for key in ("batch_size", "epochs")}.items() <= select(name)[0].parameters.items()
        assert (found["random_state"], found["threads"]) == (7, 3)
        optimiser = estimator.optimiser(estimator.network(28, 28, 10).parameters())
        assert (type(optimiser).__name__, optimiser.defaults["lr"]) == (kind, expected)
        if name == "ConvNet":  # as `idxhub bench train`
            assert optimiser.defaults["momentum"] == optimiser.defaults["weight_decay"] == 0
        if name == "ResNet":
            assert (optimiser.defaults["momentum"], optimiser.defaults["weight_decay"]) == (0.9, 0.0005)


@pytest.mark.parametrize(("name", "weights"), [("MLP", 247_766), ("ConvNet", 3_274_634), ("ResNet", 77_754)])
def test_the_size_of_each_network(name, weights):
    torch = need("torch")
    network = build(select(name)[0], 0).network(28, 28, 10)
    assert sum(each.numel() for each in network.parameters()) == weights
    assert network(torch.zeros(3, 1, 28, 28)).shape == (3, 10)


@names
def test_other_sizes_and_numbers_of_classes(name):
    torch = need("torch")
    labels = torch.arange(20) % 3
    images = torch.rand(20, 1, 20, 12) / 10 + labels.reshape(-1, 1, 1, 1) / 3
    estimator = build(small(name, epochs=1, batch_size=20), 0)
    examples = torch.utils.data.TensorDataset(images, labels)
    assert set(estimator.fit(examples, labels.numpy()).predict(examples)) <= {0, 1, 2}


def test_the_learning_rate_of_the_resnet_rises_and_falls():
    torch = need("torch")
    estimator = build(small("ResNet"), 0)
    optimiser = estimator.optimiser([torch.nn.Parameter(torch.zeros(1))])
    schedule = estimator.schedule(optimiser, total_steps=10)
    rates = []
    for _ in range(10):
        rates.append(optimiser.param_groups[0]["lr"])
        optimiser.step()
        if len(rates) < 10:
            schedule.step()
    highest = rates.index(max(rates))
    assert max(rates) == pytest.approx(0.1)
    assert rates[: highest + 1] == sorted(rates[: highest + 1])
    assert rates[highest:] == sorted(rates[highest:], reverse=True)


def test_the_convnet_is_that_of_bench_train():
    torch = need("torch")
    from idxhub_bench.train import convnet, nets  # noqa: PLC0415 -- a package of its own, with a network of its own

    theirs = nets.make("torch", 0.1, None)
    theirs.load(convnet.initial(0))
    estimator = build(small("ConvNet"), 0)
    ours = estimator.network(28, 28, 10)
    assert [name for name, each in ours.named_modules() if isinstance(each, torch.nn.Dropout)] == ["9"]
    assert ours[9].p == pytest.approx(1 - convnet.KEPT)
    for mine, other in zip(ours.parameters(), convnet.initial(0).values(), strict=True):
        limit, largest = float(abs(other).max()), float(abs(mine.detach()).max())
        assert largest == pytest.approx(limit, rel=0.05)  # uniform up to the same limit; biases are 0
    with torch.no_grad():
        for mine, other in zip(ours.parameters(), theirs._module.parameters(), strict=True):
            mine.copy_(other)
    ours[9].p = 0.0
    optimiser = estimator.optimiser(ours.parameters())
    split = load(SAMPLE, "train[:120]", download=False)
    images, labels = (torch.from_numpy(each) for each in (split.images / np.float32(255), split.labels))
    batches = zip(images.split(40), labels.split(40), strict=True)
    for pixels, wanted in batches:
        some = pixels.unsqueeze(1)
        assert (ours(some).argmax(1).numpy() == theirs.classes(some)).all()
        optimiser.zero_grad()
        loss = torch.nn.functional.cross_entropy(ours(some), wanted)
        loss.backward()
        optimiser.step()
        assert theirs.step(some, wanted, np.ones((40, 1024), np.float32)) == pytest.approx(loss.item(), rel=1e-5)


@names
def test_it_gets_what_the_adapter_for_torch_gives(name):
    torch = need("torch")
    train, test = load_data(SAMPLE, 300, download=False).inputs(name)
    assert type(train).__module__ == type(test).__module__ == "idxhub_adapters.torch"
    image, label = train[299]
    wanted = load(SAMPLE, "train[299:300]", download=False)
    assert (image.shape, image.dtype) == ((1, 28, 28), torch.float32)
    assert (image.numpy()[0] == wanted.images[0] / np.float32(255)).all()
    assert (len(train), len(test), label) == (300, 300, wanted.labels[0])


def test_the_threads_are_those_of_torch():
    torch = need("torch")
    before = torch.get_num_threads()
    try:
        fit(job(small("MLP"), threads=2))
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
    assert job(small("MLP"), threads=1).key == job(small("MLP"), threads=2).key


@names
def test_what_identifies_a_result(name):
    assert list(versions(name, accelerated=False)) == ["scikit-learn", "numpy", "scipy", "torch"]
    assert job(small(name)).identity["preprocessing"] == "pixel/255"


def network_record(classifier: str, **fields: object) -> dict:
    (configuration,) = select(classifier)
    return record(classifier, configuration.parameters, **({"preprocessing": "pixel/255"} | fields))


@pytest.mark.parametrize(("classifier", "reported"), [("MLP", 0.8833), ("ConvNet", 0.916), ("ResNet", None)])
def test_what_was_reported_stands_beside(classifier, reported, board, tmp_path):
    made = network_record(classifier, versions={"scikit-learn": "1.9.1", "torch": "2.13.0"})
    (row,) = summarise([made])
    assert (row.published, row.is_within, row.reported) == (None, None, reported)
    done = board("compare", write(tmp_path / "a", [made]))
    assert "fashion-mnist, networks (scikit-learn 1.9.1)" in done.output
    assert "torch 2.13.0" in done.output
    assert ("reported for such a model: " in done.output) == (reported is not None)
    assert "not compared: nothing was published for these classifiers" in done.output


def test_the_page_has_them_last():
    records = [network_record("ResNet"), network_record("MLP"), record("LGBMClassifier", select("LGBM*")[0].parameters)]
    shown = model(summarise(records))["rows"]
    assert [row["classifier"] for row in shown[129:]] == ["LGBMClassifier", "MLP", "ResNet"]


def test_the_page_says_which_submitted_results_were_run():
    need("jinja2")
    records = [
        network_record("MLP", accuracy=0.886),
        network_record("MLP", accuracy=0.984, dataset="mnist", digest="1" * 64),
        network_record("ConvNet", accuracy=0.9, examples=1000),
    ]
    rows = summarise(records)
    ours = {each["classifier"]: each["ours"] for each in model(rows)["submissions"] if each["run_as"]}
    nothing = {"fashion-mnist": None, "mnist": None}
    assert ours == {
        "2 Conv+pooling": nothing,
        "HOG+SVM": nothing,
        "MLP 256-128-100": {"fashion-mnist": 0.886, "mnist": 0.984},
        "XgBoost": nothing,
    }
    html = page(rows)
    assert "MLP: Fashion-MNIST 0.8860, MNIST 0.9840" in html
    assert html.count(">not verified<") == len(submissions()) - 1


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({}, None),
        ({"seed": 4}, None),
        ({"preprocessing": "StandardScaler"}, "has 'StandardScaler' as 'preprocessing', which must be 'pixel/255'"),
        ({"versions": {"scikit-learn": "1.9.1", "numpy": "2.4.6", "scipy": "1.17.1"}}, "has no version of torch"),
        ({"parameters": {"epochs": 1}}, "has an unknown configuration: ConvNet(epochs=1)"),
    ],
)
def test_results_that_are_handed_in(change, said, assert_checked):
    versions = {"scikit-learn": "1.9.1", "numpy": "2.4.6", "scipy": "1.17.1", "torch": "2.13.0+cpu"}
    assert_checked(network_record("ConvNet", versions=versions) | change, said)


def test_a_run_on_few_examples(board, tmp_path):
    need_elsewhere("torch")
    path = tmp_path / "a"
    arguments = [path, "--dataset", SAMPLE, "--tier", "smoke", "--only", "MLP", "--repeats", 2, "--jobs", 1]
    done = board("run", *arguments)
    assert (done.exit_code, done.output) == (0, f"{path}: 2 done; 0 already in the store\n")
    again = board("run", *arguments)
    assert again.output == f"{path}: nothing to do; 2 already in the store\n"
    assert board("check", path).exit_code == 0
    first, second = map(json.loads, path.read_bytes().splitlines())
    assert first["accuracy"] > 0.7
    assert first["predictions"]
    assert second["predictions"] is None
