"""Today's classifiers: a group beside the 129, with packages of their own, and results that are never mixed."""

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
from idxhub_board.configurations import Configuration, configurations, select, today  # noqa: E402
from idxhub_board.estimators import build  # noqa: E402
from idxhub_board.fitting import Job, fit, versions  # noqa: E402
from idxhub_board.matrices import DataReference, load_data  # noqa: E402
from idxhub_board.page.model import model  # noqa: E402
from idxhub_board.published import expected_seconds, published, seconds_of  # noqa: E402
from idxhub_board.summary import summarise  # noqa: E402

SAMPLE = "fashion-mnist-sample"
MODULES = {
    "HOG+LinearSVC": "skimage",
    "HistGradientBoostingClassifier": "sklearn",
    "XGBClassifier": "xgboost",
    "LGBMClassifier": "lightgbm",
    "HNSWClassifier": "faiss",
}
# as in TODAY, with few trees
SMALL = [
    Configuration.of("HOG+LinearSVC", select("HOG+LinearSVC")[0].parameters),
    Configuration.of("HistGradientBoostingClassifier", {"max_iter": 1}),
    Configuration.of("XGBClassifier", {"n_estimators": 2}),
    Configuration.of("LGBMClassifier", {"n_estimators": 2}),
    Configuration.of("HNSWClassifier", select("HNSWClassifier")[0].parameters),
]
names = pytest.mark.parametrize("name", MODULES)
small = pytest.mark.parametrize("configuration", SMALL, ids=lambda each: each.classifier)


def job(configuration: Configuration, seed: int = 0, threads: int = 1) -> Job:
    data = load_data(SAMPLE, 300, download=False)
    return Job(configuration, seed, DataReference(SAMPLE, 300, data.digest, download=False), threads=threads)


def test_they_are_not_among_the_129():
    assert [each.classifier for each in today()] == list(MODULES)
    assert not set(today()) & (set(configurations()) | set(published()) | set(expected_seconds()))
    assert all(seconds_of(each) > 0 for each in today())


@pytest.mark.parametrize(
    ("pattern", "groups", "found"),
    [
        ("xgbclassifier", (configurations, today), ["XGBClassifier"]),
        ("XGB*", (configurations, today), ["XGBClassifier"]),
        ("HOG+LinearSVC", (configurations, today), ["HOG+LinearSVC"]),
        ("*", (today,), list(MODULES)),
        ("*GradientBoosting*", (configurations, today), ["GradientBoostingClassifier"]),
        ("*GradientBoosting*", (today,), ["HistGradientBoostingClassifier"]),
    ],
)
def test_a_pattern_means_them_if_no_published_one_matches(pattern, groups, found):
    assert list(dict.fromkeys(each.classifier for each in select(pattern, groups))) == found


@pytest.mark.parametrize(
    ("arguments", "listed"),
    [
        (["--tier", "today"], list(MODULES)),
        (["--tier", "today", "--only", "h*"], ["HOG+LinearSVC", "HistGradientBoostingClassifier", "HNSWClassifier"]),
        (["--tier", "smoke", "--only", "LGBMClassifier"], ["LGBMClassifier"]),
        (["--tier", "full", "--only", "HOG*", "--only", "GaussianNB"], ["HOG+LinearSVC", "GaussianNB"]),
    ],
)
def test_they_are_listed(arguments, listed, board):
    said = board("run", "-", "--list", *arguments).output.splitlines()
    assert [each.partition("(")[0] for each in said] == listed


def test_the_other_tiers_do_not_have_them(board):
    said = [set(board("run", "-", "--list", "--tier", tier).output.splitlines()) for tier in ("smoke", "fast", "full")]
    assert len(said[0]) == len(said[2]) == 129
    assert not set.union(*said) & {each.name for each in today()}


def test_a_published_classifier_is_not_in_the_tier(board):
    done = board("run", "-", "--tier", "today", "--only", "SVC")
    assert done.exit_code == 2
    assert "unknown classifier 'SVC'" in done.stderr
    assert "XGBClassifier" in done.stderr


@pytest.mark.parametrize(
    ("absent", "only", "said"),
    [
        (["xgboost"], ["XGBClassifier"], "XGBClassifier needs a package that is not installed: pip install xgboost"),
        (
            ["faiss", "skimage"],
            [],
            "HOG+LinearSVC, HNSWClassifier need packages that are not installed: pip install scikit-image faiss-cpu",
        ),
    ],
)
def test_without_a_package_nothing_runs(absent, only, said, board, tmp_path, monkeypatch):
    monkeypatch.setattr(libraries, "find_spec", lambda name: None if name in absent else object())
    chosen = [word for each in only for word in ("--only", each)]
    done = board("run", tmp_path / "a", "--tier", "today", "--dataset", SAMPLE, *chosen)
    assert done.exit_code == 1
    assert said in " ".join(done.stderr.split())
    assert list(tmp_path.iterdir()) == []


def test_a_package_that_is_not_needed_may_be_absent(board, tmp_path, monkeypatch):
    monkeypatch.setattr(libraries, "find_spec", lambda name: None)
    only = ["--only", "ExtraTreeClassifier(*max_depth=10,splitter=best)", "--repeats", 1]
    assert board("run", tmp_path / "a", "--dataset", SAMPLE, *only, "--jobs", 1).exit_code == 0


def test_no_library_is_imported_before_it_is_used():
    program = (
        "import sys, idxhub_board.command, idxhub_board.estimators, idxhub_board.runner;"
        f"print([each for each in {sorted({*MODULES.values()} - {'sklearn'})} if each in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@small
def test_each_is_fitted_and_is_the_same_again(configuration):
    need_elsewhere(MODULES[configuration.classifier])
    first, again = fit(job(configuration)), fit(job(configuration))
    assert first["accuracy"] > 0.5
    assert first["predictions"] == again["predictions"]


@small
def test_the_seed_is_given_where_the_result_depends_on_one(configuration):
    need(MODULES[configuration.classifier])
    estimator = build(configuration, 7)
    seed = estimator.get_params().get("random_state")
    assert seed == (7 if configuration.is_seeded else None)


@pytest.mark.parametrize("configuration", SMALL[2:4], ids=lambda each: each.classifier)
def test_xgboost_and_lightgbm_draw_nothing_at_random(configuration):
    need(MODULES[configuration.classifier])
    train, test = load_data(SAMPLE, 300, download=False).inputs(configuration.classifier)
    labels = load(SAMPLE, "train[:300]", download=False).labels
    models = [build(configuration, 0).set_params(random_state=seed).fit(train, labels) for seed in (1, 2)]
    first, second = (each.predict_proba(test) for each in models)
    assert (first == second).all()


@pytest.mark.parametrize(
    ("classifier", "parameter"),
    [("XGBClassifier", "n_jobs"), ("LGBMClassifier", "n_jobs"), ("HNSWClassifier", "threads")],
)
def test_the_threads_are_the_librarys_own_parameter(classifier, parameter):
    need(MODULES[classifier])
    (configuration,) = select(classifier)
    assert build(configuration, 0, 3).get_params()[parameter] == 3


def test_the_threads_do_not_belong_to_the_key():
    assert job(SMALL[0], threads=1).key == job(SMALL[0], threads=2).key


@names
def test_each_has_the_parameters_that_are_stated(name):
    need(MODULES[name])
    (configuration,) = select(name)
    found = build(configuration, 0).get_params()
    if name == "HOG+LinearSVC":
        stated = found["functiontransformer__kw_args"]
        assert stated == {"orientations": 9, "pixels_per_cell": (4, 4), "cells_per_block": (2, 2)}
        assert (found["linearsvc__C"], found["linearsvc__dual"]) == (1.0, False)
    else:
        assert {key: found[key] for key in configuration.parameters} == configuration.parameters


def test_hog_takes_the_images_and_the_others_the_scaled_pixels():
    data = load_data(SAMPLE, 300, download=False)
    train, test = data.inputs("HOG+LinearSVC")
    assert (train == load(SAMPLE, "train[:300]", download=False).images).all()
    assert (test.shape, test.dtype) == ((300, 28, 28), np.uint8)
    need_elsewhere("skimage")
    assert {each.classifier: job(each).identity["preprocessing"] for each in SMALL} == {
        **dict.fromkeys(MODULES, "StandardScaler"),
        "HOG+LinearSVC": "none",
    }
    assert data.inputs("XGBClassifier")[0].dtype == np.float32
    assert data.inputs("HistGradientBoostingClassifier")[0].dtype == np.float64


def test_the_histograms_are_scikit_images():
    feature = need("skimage.feature")
    images = load(SAMPLE, "train[:20]", download=False).images
    found = build(select("HOG+LinearSVC")[0], 0)[0].transform(images)
    wanted = [feature.hog(each, orientations=9, pixels_per_cell=(4, 4), cells_per_block=(2, 2)) for each in images]
    assert found.shape == (20, 1296)
    assert (found == wanted).all()


def test_the_approximate_neighbours_are_nearly_the_exact_ones():
    need("faiss")
    train, test = load_data(SAMPLE, 1000, download=False).inputs("HNSWClassifier")
    labels = load(SAMPLE, "train[:1000]", download=False).labels
    exact, near = (build(select(each)[0], 0) for each in ("KNeighborsClassifier(*=5,p=2,weights=uniform)", "HNSW*"))
    same = exact.fit(train, labels).predict(test) == near.fit(train, labels).predict(test)
    assert same.mean() > 0.97
    shares = near.predict_proba(test)
    assert shares.sum(1) == pytest.approx(1)
    assert (near.classes_[shares.argmax(1)] == near.predict(test)).all()


@names
def test_the_versions_name_the_library(name, monkeypatch):
    package = {"faiss": "faiss-cpu", "skimage": "scikit-image", "sklearn": "scikit-learn"}
    found = versions(name, accelerated=False)
    assert list(found)[:3] == ["scikit-learn", "numpy", "scipy"]
    assert package.get(MODULES[name], MODULES[name]) in found


@pytest.mark.parametrize(("installed", "found"), [({"xgboost-cpu": "3.1"}, "3.1"), ({"xgboost": "3"}, "3"), ({}, None)])
def test_xgboost_without_cuda_counts_as_xgboost(installed, found, monkeypatch):
    def version(name: str) -> str:
        if name not in installed:
            raise libraries.PackageNotFoundError(name)
        return installed[name]

    monkeypatch.setattr(libraries, "version", version)
    assert libraries.find_version("xgboost") == found


def today_record(classifier: str, **fields: object) -> dict:
    (configuration,) = select(classifier)
    raw = {"preprocessing": "none"} if classifier == "HOG+LinearSVC" else {}
    return record(classifier, configuration.parameters, **(raw | fields))


@pytest.mark.parametrize(
    ("classifier", "fields", "reported"),
    [
        ("HOG+LinearSVC", {}, 0.926),
        ("HOG+LinearSVC", {"dataset": "mnist"}, None),
        ("HOG+LinearSVC", {"examples": 1000}, None),
        ("XGBClassifier", {}, 0.898),
        ("XGBClassifier", {"dataset": "mnist"}, 0.958),
        ("LGBMClassifier", {}, None),
    ],
)
def test_what_was_reported_stands_beside_without_a_verdict(classifier, fields, reported, board, tmp_path):
    made = today_record(classifier, **fields)
    (row,) = summarise([made])
    assert (row.published, row.is_within, row.reported) == (None, None, reported)
    path = write(tmp_path / "a", [made])
    done = board("compare", path)
    assert "today's classifiers" in done.output
    assert ("reported" in done.output) == (reported is not None)
    assert "not compared: nothing was published for these classifiers" in done.output
    (said,) = json.loads(board("compare", path, "--json", "--only", classifier).stdout)
    assert (said["reported"], said["preprocessing"], said["within"]) == (reported, made["preprocessing"], None)


def test_the_counts_of_the_129_do_not_include_them(board, tmp_path):
    done = board(
        "compare", write(tmp_path / "a", [record(), today_record("HOG+LinearSVC"), today_record("XGBClassifier")])
    )
    assert "1 of 1 within the tolerance; 128 of 129 were not run" in done.output


def test_results_of_other_preprocessing_are_never_mixed():
    rows = summarise(
        [today_record("HOG+LinearSVC"), today_record("HOG+LinearSVC", seed=1, preprocessing="StandardScaler")]
    )
    assert [row.preprocessing for row in rows] == ["none", "StandardScaler"]


def test_the_page_has_them_after_the_129():
    versions = {"scikit-learn": "1.9.1", "scikit-image": "0.26.0"}
    shown = model(summarise([today_record("XGBClassifier"), today_record("HOG+LinearSVC", versions=versions)]))["rows"]
    assert [row["classifier"] for row in shown[129:]] == ["HOG+LinearSVC", "XGBClassifier"]
    hog = shown[129]
    assert hog["variant"] == "scikit-image 0.26.0, preprocessing none"
    assert hog["results"]["fashion-mnist"]["reported"] == 0.926
    assert len(model([])["rows"]) == 129


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({}, None),
        ({"preprocessing": "StandardScaler"}, "has 'StandardScaler' as 'preprocessing', which must be 'none'"),
        (
            {"versions": {"scikit-learn": "1.9.1", "numpy": "2.4.6", "scipy": "1.17.1"}},
            "has no version of scikit-image",
        ),
        ({"seed": 1}, "has seed 1, but the result of HOG+LinearSVC depends on none"),
        ({"parameters": {"C": 2.0}}, "has an unknown configuration: HOG+LinearSVC(C=2)"),
    ],
)
def test_results_that_are_handed_in(change, said, assert_checked):
    versions = {"scikit-learn": "1.9.1", "numpy": "2.4.6", "scipy": "1.17.1", "scikit-image": "0.26.0"}
    assert_checked(today_record("HOG+LinearSVC", versions=versions) | change, said)


def test_they_leave_by_export(board, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    board("export", write(tmp_path / "a", [today_record("HOG+LinearSVC")]))
    lines = (tmp_path / "results.csv").read_text(encoding="utf-8").splitlines()
    assert "none" in lines[1].split(",")


def test_a_run_on_few_examples(board, tmp_path):
    need_elsewhere("faiss")
    need_elsewhere("skimage")
    path = tmp_path / "a"
    arguments = [
        "--dataset",
        SAMPLE,
        "--tier",
        "smoke",
        "--only",
        "HOG*",
        "--only",
        "HNSW*",
        "--jobs",
        1,
        "--threads",
        2,
    ]
    done = board("run", path, *arguments)
    assert (done.exit_code, done.output) == (0, f"{path}: 2 done; 0 already in the store\n")
    assert board("check", path).exit_code == 0
    pair = board("compare", path, "--pair", "HOG*", "HNSW*")
    assert pair.exit_code == 0, pair.output
    assert {each["threads"] for each in map(json.loads, path.read_bytes().splitlines())} == {2}
