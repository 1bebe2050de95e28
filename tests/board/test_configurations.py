"""The 129 configurations: which they are, how they are found, and what scikit-learn makes of them."""

from __future__ import annotations

import itertools

import pytest
from support.needs import need

need("sklearn")

from sklearn.base import is_classifier  # noqa: E402 -- after the skip where it is absent

from idxhub import errors  # noqa: E402 -- as above
from idxhub_board.configurations import GRID, Configuration, configurations, select  # noqa: E402
from idxhub_board.estimators import build  # noqa: E402
from idxhub_board.published import expected_seconds, published  # noqa: E402


def of(name: str) -> Configuration:
    (found,) = select(name)
    return found


def test_129_of_the_143_of_the_grid_are_those_that_were_published():
    products = sum(len(list(itertools.product(*axes.values()))) for axes in GRID.values())
    assert (products, len(configurations())) == (143, 129)
    assert len(set(configurations())) == len({each.name for each in configurations()}) == 129
    assert set(published()) == set(configurations()) == set(expected_seconds())


@pytest.mark.parametrize(
    ("name", "accuracy", "seconds", "two_std", "repeats"),
    [
        ("SVC(C=10,kernel=rbf)", {"fashion-mnist": 0.897, "mnist": 0.973}, 3379, 0.0, 2),
        ("GaussianNB(priors=uniform)", {"fashion-mnist": 0.511, "mnist": 0.524}, 6, 0.0, 2),
        ("LogisticRegression(C=100,multi_class=ovr,penalty=l1)", {"fashion-mnist": 0.837}, 25305, 0.0, 2),
        (
            "MLPClassifier(activation=relu,hidden_layer_sizes=(100))",
            {"fashion-mnist": 0.871, "mnist": 0.972},
            1568,
            0.006,
            5,
        ),
        ("GradientBoostingClassifier(loss=deviance,max_depth=50,n_estimators=50)", {"mnist": 0.932}, None, None, None),
    ],
)
def test_a_published_row(name, accuracy, seconds, two_std, repeats):
    assert published()[of(name)] == (accuracy, seconds, two_std, repeats)


@pytest.mark.parametrize(
    ("pattern", "count"),
    [
        ("SVC", 12),
        ("svc", 12),
        ("*", 129),
        ("*SVC*", 30),
        ("SVC(*kernel=rbf)", 3),
        ("GaussianNB(priors=uniform)", 1),
        ("mlpclassifier(*=(10,10))", 2),
    ],
)
def test_a_pattern_selects(pattern, count):
    assert len(select(pattern)) == count


@pytest.mark.parametrize(
    ("pattern", "kind", "said"),
    [
        ("SCV", "classifier", "did you mean 'SVC'?"),
        ("KNeighbours*", "classifier", "did you mean 'KNeighborsClassifier'?"),
        ("SVC(C=10,kernel=rfb)", "configuration", "did you mean 'SVC(C=10,kernel=rbf)'?"),
        ("SVC(C=7,*)", "configuration", "Choices: SVC(C=1,kernel=linear)"),
        ("", "classifier", "Choices: PassiveAggressiveClassifier, "),
    ],
)
def test_an_unknown_one_is_answered_with_the_choices(pattern, kind, said):
    with pytest.raises(errors.UnknownNameError) as raised:
        select(pattern)
    assert raised.value.kind == kind
    assert said in str(raised.value)


@pytest.mark.parametrize("configuration", configurations(), ids=lambda each: each.name)
def test_each_is_built_with_its_parameters_and_the_seed(configuration):
    estimator = build(configuration, 7)
    assert is_classifier(estimator)
    found = estimator.get_params()
    inner = {key.removeprefix("estimator__"): value for key, value in found.items()}
    assert inner.get("random_state") == (7 if configuration.is_seeded else None)
    renamed = {"log": "log_loss", "deviance": "log_loss"}
    if configuration.classifier not in ("LogisticRegression", "PassiveAggressiveClassifier"):
        for key, value in configuration.parameters.items():
            assert inner[key] == (renamed.get(value, value) if key == "loss" else value)


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("SGDClassifier(loss=log,penalty=l1)", {"loss": "log_loss", "max_iter": 5, "tol": None}),
        ("Perceptron(penalty=l2)", {"max_iter": 5, "tol": None}),
        ("SVC(C=1,kernel=rbf)", {"gamma": "auto"}),
        ("LinearSVC(C=1,loss=hinge,multi_class=ovr,penalty=l2)", {"dual": True}),
        ("MLPClassifier(activation=tanh,hidden_layer_sizes=(10))", {"n_iter_no_change": 2, "hidden_layer_sizes": [10]}),
        (
            "LogisticRegression(C=10,multi_class=ovr,penalty=l1)",
            {"estimator__solver": "liblinear", "estimator__C": 10.0},
        ),
    ],
)
def test_what_0_19_did_by_default(name, parameters):
    found = build(of(name), 0).get_params()
    assert {key: found[key] for key in parameters} == parameters


def test_passive_aggressive_is_what_it_was():
    estimator = build(of("PassiveAggressiveClassifier(C=10)"), 0)
    found = estimator.get_params()
    if type(estimator).__name__ == "SGDClassifier":
        wanted = {"loss": "hinge", "penalty": None, "learning_rate": "pa1", "eta0": 10.0}
    else:
        wanted = {"loss": "hinge", "C": 10.0}
    assert {key: found[key] for key in wanted} == wanted
    assert (found["max_iter"], found["tol"]) == (5, None)


def test_an_l1_penalty_makes_weights_zero():
    rng_images = [[float(i == j) for j in range(12)] for i in range(12)] * 5
    labels = [i % 3 for i in range(60)]
    names = (f"LogisticRegression(C=1,multi_class=ovr,penalty={penalty})" for penalty in ("l1", "l2"))
    l1, l2 = (build(of(name), 0).fit(rng_images, labels) for name in names)
    zeros = [sum((each.coef_ == 0).sum() for each in model.estimators_) for model in (l1, l2)]
    assert zeros[0] > zeros[1]
