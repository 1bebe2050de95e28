"""Coordinates: what PCA gives, what is kept in the cache, and what is computed again."""

from __future__ import annotations

import importlib
import os
import sys

import numpy as np
import pytest
from support import made
from support.needs import need

need("PIL.Image")
need("matplotlib")

from idxhub import DatasetSpec, SplitSpec, errors, load, order  # noqa: E402 -- after the skip where they are absent
from idxhub_plot import embedding  # noqa: E402 -- as above
from idxhub_plot.embeddings import coordinates, methods, pca  # noqa: E402 -- as above

SAMPLE = "fashion-mnist-sample"


@pytest.fixture
def toy(tmp_path):
    return made.make(tmp_path / "toy", shape=(6, 5), sizes={"train": 40, "test": 24})


@pytest.fixture
def computed(monkeypatch):
    """The parameters of each computation, in place of which the points themselves are taken."""
    calls = []

    def compute(points, progress, **parameters):
        calls.append(parameters)
        progress(0.5)
        return points[:, :2]

    monkeypatch.setattr(methods.Method, "load", lambda *_: compute)
    monkeypatch.setattr(methods.Method, "versions", lambda _: {"package": "1"})
    return calls


def test_pca_agrees_with_a_decomposition_of_the_pixels():
    images = load(SAMPLE, "test").images.reshape(500, -1) / 255
    centred = images - images.mean(axis=0)
    left, values, axes = np.linalg.svd(centred, full_matrices=False)
    signs = np.sign(axes[[0, 1], np.abs(axes[:2]).argmax(axis=1)])
    found = embedding(SAMPLE, "test")
    assert found.coordinates.dtype == np.float32
    np.testing.assert_allclose(found.coordinates, (left * values)[:, :2] * signs, atol=1e-4)
    assert found.method == "pca"
    assert dict(found.parameters) == {}
    assert found.description == "PCA, 500 images"


def test_the_sign_of_an_axis_does_not_depend_on_the_order_of_the_points():
    points = np.random.default_rng(0).normal(size=(50, 4)).astype(np.float32)
    np.testing.assert_allclose(pca.principal_components(points[::-1], 2), pca.principal_components(points, 2)[::-1])


def test_one_pixel_has_one_component():
    found = pca.principal_components(np.array([[1.0], [3.0]]), 2)
    assert found.tolist() == [[-1, 0], [1, 0]]


def test_images_of_one_value_are_at_one_place(tmp_path):
    same = made.make(tmp_path / "same", sizes={"train": 5})
    found = embedding(same.spec, "train[:1]+train[:1]", data_dir=same.folder)
    assert found.coordinates.tolist() == [[0, 0], [0, 0]]


def test_pixels_that_are_not_finite_have_a_place(tmp_path):
    images = np.random.default_rng(0).random((20, 3, 3))
    images[0, 0] = np.nan, np.inf, -np.inf
    split = SplitSpec(made.write(tmp_path, "i", images), made.write(tmp_path, "l", np.zeros(20, np.uint8)))
    spec = DatasetSpec(name="not-finite", splits={"train": split}, classes=("ant",))
    assert np.isfinite(embedding(spec, data_dir=tmp_path).coordinates).all()


def test_points_that_are_far_away_do_not_make_the_others_small(tmp_path, computed, monkeypatch):
    toy = made.make(tmp_path / "far", sizes={"train": 4000})
    near = np.random.default_rng(0).random((4000, 2))
    far = near.copy()
    far[7] = 0.5, -9
    for places, bounds, end in ((near, [near.min(axis=0), near.max(axis=0)], "seed 0"), (far, None, "; 1 far away")):
        monkeypatch.setattr(methods.Method, "load", lambda *_, places=places: lambda *_, **__: places)
        found = embedding(toy.spec, method="umap", data_dir=toy.folder, seed=int(bounds is None))
        assert found.description.endswith(end)
        np.testing.assert_allclose(found.bounds, bounds or [[0, 0], [1, 1]], atol=1e-6 if bounds else 0.05)


def test_what_was_computed_is_not_computed_again(toy, computed):
    first, again = (embedding(toy.spec, method="umap", data_dir=toy.folder) for _ in range(2))
    assert len(computed) == 1
    assert (first.coordinates == again.coordinates).all()
    np.testing.assert_allclose(first.coordinates, load(toy.spec, "all").images.reshape(64, -1)[:, :2] / 255, rtol=1e-6)
    assert (first.labels == load(toy.spec, "all").labels).all()


@pytest.mark.parametrize(
    "changed",
    [
        {"split": "test"},
        {"split": "test+train"},
        {"method": "tsne"},
        {"seed": 1},
        {"size": 30},
        {"parameters": {"neighbors": 7}},
    ],
)
def test_it_is_computed_again_for_other_arguments(changed, toy, computed):
    embedding(toy.spec, method="umap", data_dir=toy.folder)
    embedding(toy.spec, **{"method": "umap", "data_dir": toy.folder, **changed})
    assert len(computed) == 2


def test_it_is_computed_again_for_other_data_and_other_versions(toy, tmp_path, computed, monkeypatch):
    embedding(toy.spec, method="umap", data_dir=toy.folder)
    other = made.make(tmp_path / "other", shape=(6, 5), sizes={"train": 40, "test": 24}, seed=1)
    embedding(other.spec, method="umap", data_dir=other.folder)
    assert len(computed) == 2
    monkeypatch.setattr(methods.Method, "versions", lambda _: {"package": "2"})
    embedding(toy.spec, method="umap", data_dir=toy.folder)
    assert len(computed) == 3


def test_parameters_that_are_the_defaults_are_no_other_parameters(toy, computed):
    embedding(toy.spec, method="umap", data_dir=toy.folder)
    embedding(toy.spec, method="umap", data_dir=toy.folder, parameters={"neighbors": 15, "min_distance": 0.1})
    assert computed == [{"seed": 0, "neighbors": 15, "min_distance": 0.1, "epochs": 200}]


def test_a_subset_is_drawn_by_the_seed(toy, computed):
    found = embedding(toy.spec, method="umap", size=30, seed=3, data_dir=toy.folder)
    assert found.indices.tolist() == sorted(order(64, 3, 0)[:30].tolist())
    assert (found.labels == load(toy.spec, "all").labels[found.indices]).all()
    assert found.description == "UMAP by package 1, 30 of 64 images, neighbors 15, seed 3"
    assert repr(found) == "Embedding('toy', split='all', method='umap', 30 examples)"


def test_an_interrupted_computation_leaves_nothing(toy, computed, monkeypatch, cache_dir):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(methods.Method, "load", lambda *_: interrupted)
        with pytest.raises(KeyboardInterrupt):
            embedding(toy.spec, method="umap", data_dir=toy.folder)
    assert not [name for _, _, names in os.walk(cache_dir) for name in names if name.startswith("embedding")]
    assert len(embedding(toy.spec, method="umap", data_dir=toy.folder)) == 64


def test_a_bar_is_shown_on_a_terminal(toy, computed, monkeypatch, capsys):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    embedding(toy.spec, method="umap", data_dir=toy.folder)
    assert capsys.readouterr().err == ""
    embedding(toy.spec, method="umap", data_dir=toy.folder, seed=1, progress=True)
    assert "UMAP of 64 images" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "error", "said"),
    [
        ({"method": "t-sne"}, errors.UnknownNameError, "unknown method 't-sne'; did you mean 'tsne'?"),
        ({"method": "umpa"}, errors.UnknownNameError, "Choices: pca, tsne, umap, pymde."),
        (
            {"method": "umap", "parameters": {"neighbours": 3}},
            errors.UnknownNameError,
            "unknown umap parameter 'neighbours'; did you mean 'neighbors'?",
        ),
        ({"method": "umap", "parameters": {"neighbors": 2.5}}, errors.ArgumentError, "an integer of 1 or more"),
        ({"method": "umap", "parameters": {"min_distance": -1}}, errors.ArgumentError, "a positive number"),
        ({"method": "umap", "parameters": {"min_distance": "x"}}, errors.ArgumentError, "a positive number"),
        ({"method": "umap", "parameters": {"epochs": True}}, errors.ArgumentError, "epochs of umap is True"),
        ({"seed": -1}, errors.ArgumentError, "seed is -1"),
        ({"size": 0}, errors.ArgumentError, "size is 0; it must be an integer of 2 or more"),
        ({"method": "umap", "size": 3}, errors.ArgumentError, "size is 3; it must be an integer of 16 or more"),
        ({"method": "umap", "split": "test[:9]"}, errors.ArgumentError, "number of examples for umap is 9"),
        ({"progress": "yes"}, errors.ArgumentError, "progress"),
    ],
)
def test_what_is_wrong_is_named(arguments, error, said, toy, computed):
    with pytest.raises(error) as raised:
        embedding(toy.spec, **{"data_dir": toy.folder, **arguments})
    assert said in str(raised.value)
    assert computed == []


def test_what_is_no_image_is_refused(tmp_path):
    rows = made.make(tmp_path / "rows", shape=(7,))
    with pytest.raises(errors.ArgumentError, match=r"\(7,\); it must be \(height, width\)"):
        embedding(rows.spec, data_dir=rows.folder)


@pytest.mark.parametrize(
    ("method", "module", "package"),
    [("tsne", "openTSNE", "openTSNE"), ("umap", "umap", "umap-learn"), ("pymde", "pymde", "pymde")],
)
def test_a_package_that_is_not_there_is_named_before_anything_is_loaded(method, module, package, monkeypatch):
    monkeypatch.delitem(sys.modules, f"idxhub_plot.embeddings.{methods.METHODS[method].module}", raising=False)
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(errors.MissingFrameworkError, match=f"{method!r} needs .* pip install {package}$"):
        embedding("no-such-dataset", method=method)


def test_a_package_that_cannot_be_imported_is_named_too(monkeypatch):
    def broken(_):
        raise RuntimeError("operator nms does not exist")

    monkeypatch.setattr(methods, "import_module", broken)
    with pytest.raises(errors.MissingFrameworkError, match=r"operator nms does not exist.*pip install pymde"):
        embedding(method="pymde")


@pytest.mark.parametrize(
    ("method", "package", "parameters"),
    [
        ("tsne", "openTSNE", {"early_iterations": 20, "iterations": 30}),
        ("umap", "umap", {"epochs": 30}),
        ("pymde", "pymde", {"iterations": 20}),
    ],
)
def test_each_method_places_images_of_a_class_near_one_another(method, package, parameters):
    need(package)
    state = np.random.get_state()[1].copy()  # noqa: NPY002 -- a method must leave it alone
    parts = []
    compute = importlib.import_module(f"idxhub_plot.embeddings.{methods.METHODS[method].module}").compute
    split = load(SAMPLE, "test")
    own = methods.METHODS[method].check(method, parameters)
    points = split.images.reshape(500, -1).astype(np.float32) / 255
    found, again = (compute(points, parts.append, seed=1, **own) for _ in range(2))
    assert found.shape == (500, 2)
    assert np.isfinite(found).all()
    np.testing.assert_allclose(found, again, rtol=1e-3, atol=1e-3)
    assert (np.random.get_state()[1] == state).all()  # noqa: NPY002 -- as above
    assert max(parts) > 0.9
    distances = ((found[:, None] - found) ** 2).sum(axis=2)
    np.fill_diagonal(distances, np.inf)
    nearest = split.labels[distances.argmin(axis=1)]
    assert (nearest == split.labels).mean() > 0.55  # by chance it would be 0.1


def test_few_examples_are_enough(toy):
    need("openTSNE")
    found = embedding(
        toy.spec, "test[:16]", method="tsne", data_dir=toy.folder, parameters={"early_iterations": 10, "iterations": 10}
    )
    assert found.coordinates.shape == (16, 2)


def test_the_list_of_methods_imports_none_of_them():
    assert coordinates.find_method("umap").title == "UMAP"
    assert set(methods.METHODS) == {"pca", "tsne", "umap", "pymde"}
