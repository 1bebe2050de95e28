"""Plugins that add datasets to the catalog: a bad one is left out with a warning, and the others stay."""

from pathlib import Path

import pytest
from support import made
from support.installed import entry

from idxhub import Plugins
from idxhub.catalog import builtin
from idxhub.errors import UnknownNameError

CODE = """
    from idxhub import DatasetSpec, Resource, SplitSpec, hookimpl

    @hookimpl
    def idxhub_datasets():
        images = Resource("images", md5="0" * 32, shape=(5, 2, 2))
        labels = Resource("labels", md5="1" * 32, shape=(5,))
        yield DatasetSpec("{name}", {{"train": SplitSpec(images, labels)}})
"""
HOOK = "from idxhub import hookimpl\n@hookimpl\ndef idxhub_datasets():"


@pytest.fixture
def plugins_of(write):
    """Plugins whose modules `datasets_...` have this code."""

    def make(**codes):
        for name, code in codes.items():
            write(f"datasets_{name}", code)
        return Plugins([entry(name, f"datasets_{name}", "idxhub.datasets") for name in codes])

    return make


def test_datasets_are_added(plugins_of):
    plugins = plugins_of(a=CODE.format(name="alpha"), b=CODE.format(name="beta"))
    assert set(plugins.datasets()) == {*builtin.NAMES, "alpha", "beta"}
    assert plugins.dataset("alpha").sizes == {"train": 5}


BAD = {
    "import": "import no_such_package",
    "syntax": "def",
    "raises": CODE.format(name="x").replace("images = ", "1 / 0; images = "),
    "no hook": "",
    "misspelt": CODE.format(name="x").replace("def idxhub_datasets", "def idxhub_dataset_s"),
    "not specs": f"{HOOK} return ['toy']",
    "nothing": f"{HOOK} return 5",
    "None": f"{HOOK} pass",
    "a built-in name": CODE.format(name="fashion-mnist"),
    "nearly a built-in name": CODE.format(name="Fashion_MNIST"),
    "a name twice": CODE.format(name="x") + '        yield DatasetSpec("x", {"train": SplitSpec(images, labels)})\n',
    "a bad spec": CODE.format(name="not a name"),
}


SAYS = {
    "no hook": "has no idxhub_datasets marked with hookimpl",
    "not specs": "gave 'toy', not a DatasetSpec",
    "None": "idxhub_datasets returned nothing",
    "a built-in name": "adds 'fashion-mnist', which exists already",
    "a name twice": "adds 'x', which exists already",
}


@pytest.mark.parametrize("fault", BAD)
def test_a_bad_dataset_plugin_warns_and_leaves_the_others(plugins_of, fault):
    plugins = plugins_of(bad=BAD[fault], a=CODE.format(name="alpha"))
    with pytest.warns(UserWarning, match="no datasets from datasets_bad") as caught:
        assert set(plugins.datasets()) == {*builtin.NAMES, "alpha"}
    assert len(caught) == 1
    assert str(caught[0].message).endswith(SAYS.get(fault, ""))
    assert plugins.dataset("fashion-mnist") == builtin.datasets()["fashion-mnist"]
    plugins.datasets()  # said once


def test_of_two_plugins_with_the_same_dataset_the_first_one_counts(plugins_of):
    plugins = plugins_of(a=CODE.format(name="alpha"), b=CODE.format(name="alpha").replace("(5", "(6"))
    with pytest.warns(UserWarning, match="no datasets from datasets_b: .* adds 'alpha', which exists already$"):
        assert plugins.dataset("alpha").sizes == {"train": 5}


ENDINGS = ["SystemExit", "SystemExit(3)", "GeneratorExit", "__import__('asyncio').CancelledError('stop')"]


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize(
    "code", ["{}", HOOK + " {}", HOOK + "\n    yield from ()\n    {}"], ids=["import", "hook", "pass"]
)
def test_a_dataset_plugin_that_ends_programs_is_left_out(ending, code, plugins_of):
    plugins = plugins_of(a=code.format(f"raise {ending}"))
    with pytest.warns(UserWarning, match="no datasets from datasets_a: (SystemExit|GeneratorExit|CancelledError)"):
        assert tuple(plugins.datasets()) == builtin.NAMES


def test_ctrl_c_in_a_dataset_plugin_is_not_its_failure(plugins_of):
    with pytest.raises(KeyboardInterrupt):
        plugins_of(a="raise KeyboardInterrupt").datasets()


def test_an_unknown_dataset_names_the_nearest(plugins):
    with pytest.raises(UnknownNameError, match=r"unknown dataset 'fashion_mnits'; did you mean 'fashion-mnist'"):
        plugins.dataset("fashion_mnits")


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("./fashion-mnist", ": that is a path; for files in a folder, name the dataset and the folder (data_dir=)"),
        (Path("fashion-mnist"), ": that is a path; for files in a folder, name the dataset and the folder (data_dir=)"),
        ("torch", ": that is a framework, and not a dataset"),
        ("PyTorch", ": that is a framework, and not a dataset"),
        ("cifar10", ""),
        (3, ""),
    ],
    ids=str,
)
def test_a_path_or_a_framework_instead_of_a_dataset(name, why):
    with pytest.raises(UnknownNameError) as caught:
        Plugins().dataset(name)
    said = str(caught.value).partition(" Choices: ")[0]
    assert said.removesuffix("; did you mean 'fashion-mnist'?").removesuffix(".") == f"unknown dataset {name!r}{why}"


@pytest.mark.parametrize("name", ["fashion_mnist", "Fashion-MNIST", "FASHION_MNIST", "Emnist_Letters", "MNIST"])
def test_case_and_underscores_do_not_matter(plugins, name):
    assert plugins.dataset(name).name == name.lower().replace("_", "-")


def test_built_in_names_are_folded_without_importing_plugins(plugins_of):
    assert plugins_of(bad="raise SystemExit").dataset("Fashion_MNIST").name == "fashion-mnist"


def test_names_of_plugins_are_folded_if_only_one_is_meant(plugins_of):
    plugins = plugins_of(a=CODE.format(name="Al_pha"), b=CODE.format(name="my-set"), c=CODE.format(name="My_Set"))
    assert plugins.dataset("al-PHA").name == "Al_pha"
    assert plugins.dataset("my-set").name == "my-set"
    assert plugins.dataset("My_Set").name == "My_Set"
    with pytest.raises(UnknownNameError, match=r"unknown dataset 'my_set'.* Choices: my-set, My_Set\.$"):
        plugins.dataset("my_set")


def test_a_spec_is_its_own_answer(plugins, tmp_path):
    spec = made.make(tmp_path / "published", name="fashion-mnist").spec
    assert plugins.dataset(spec) is spec
