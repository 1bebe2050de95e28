"""Adapters: found by metadata, imported when asked for, checked on the way in; a bad one leaves nothing behind."""

import sys

import numpy as np
import pluggy
import pytest
from support.installed import ADAPTER, ByHand, entry, install
from support.processes import python

import idxhub
from idxhub import Conventions, Plugins, hookimpl
from idxhub.errors import AdapterError, IdxHubError, MissingFrameworkError, UnknownNameError


def test_listing_imports_nothing_and_asking_imports_one(write):
    for name in ("adapter_a", "adapter_b", "datasets_a"):
        write(name, "raise SystemExit" if name == "datasets_a" else ADAPTER)
    plugins = Plugins([entry("b", "adapter_b"), entry("a", "adapter_a"), entry("d", "datasets_a", "idxhub.datasets")])
    assert plugins.adapters() == ("a", "b")
    assert not {"adapter_a", "adapter_b", "datasets_a"} & sys.modules.keys()
    adapter = plugins.adapter("a")
    assert sys.modules.keys() & {"adapter_a", "adapter_b", "datasets_a"} == {"adapter_a"}
    assert plugins.adapter("a") is adapter


def test_an_adapter_is_used(adapters, get, toy):
    images, labels = get(adapters(a=ADAPTER))
    np.testing.assert_array_equal(images, toy.array(toy.train_images))
    assert labels.dtype == np.int64


def test_entry_points_of_another_group_are_ignored(write):
    write("adapter_a", ADAPTER)
    plugins = Plugins([entry("a", "adapter_a", "console_scripts")])
    assert plugins.adapters() == ()
    with pytest.raises(UnknownNameError):
        plugins.adapter("a")


def test_an_unknown_framework_names_the_nearest():
    plugins = Plugins([entry("torch", "nothing"), entry("numpy", "nothing")])
    with pytest.raises(UnknownNameError, match=r"unknown framework 'troch'; did you mean 'torch'\? Choices: .*numpy"):
        plugins.adapter("troch")


@pytest.mark.parametrize("name", ["spark", "Spark"])
def test_the_name_of_another_library_is_answered_with_the_adapter_for_its_users(name):
    plugins = Plugins([entry("torch", "nothing"), entry("spark", "torch", "idxhub.aliases")])
    assert plugins.adapters() == ("torch",)
    with pytest.raises(UnknownNameError, match=rf"^unknown framework '{name}': write 'torch'\. Choices: torch\.$"):
        plugins.adapter(name)


def test_an_adapter_may_have_the_name_of_an_alias(write):
    write("adapter_a", ADAPTER)
    assert Plugins([entry("a", "torch", "idxhub.aliases"), entry("a", "adapter_a")]).adapter("a").name == "a"


@pytest.mark.parametrize(("name", "instead"), [("tf", "tensorflow"), ("TF", "tensorflow"), ("lightning", "torch")])
def test_the_names_that_users_of_a_framework_try(name, instead):
    with pytest.raises(UnknownNameError, match=rf"^unknown framework '{name}': write '{instead}'\. Choices: "):
        idxhub.get_dataset(framework=name)


@pytest.mark.parametrize("name", ["", "torch.", "../torch", "os", None, 7])
def test_strange_frameworks_are_unknown(name):
    with pytest.raises(UnknownNameError):
        Plugins([entry("torch", "nothing")]).adapter(name)


def with_conventions(body):
    return f"{ADAPTER}\n    from idxhub import Conventions\n\n    @hookimpl\n    def idxhub_conventions(): {body}\n"


# its code, and what the error says
BAD = {
    "misspelt": (ADAPTER + "\n    @hookimpl\n    def idxhub_datasett(split): pass\n", "idxhub_datasett"),
    "no batch": (ADAPTER.partition("    @hookimpl\n    def idxhub_batch")[0], "no idxhub_batch"),
    "nothing": ("", "no idxhub_dataset and no idxhub_batch"),
    "not marked": (ADAPTER.replace("@hookimpl", ""), "no idxhub_dataset and no idxhub_batch marked with hookimpl"),
    "an argument that is not given": (ADAPTER.replace("split, options", "split, device"), "device"),
    "conventions of another type": (with_conventions("return 'CHW'"), "CHW"),
    "an unknown layout": (with_conventions("return Conventions(layout='WHC')"), "WHC"),
    "an unknown label type": (with_conventions("return Conventions(label_dtype='nonsense')"), "label_dtype='nonsense'"),
    "labels of floats": (with_conventions("return Conventions(label_dtype='float32')"), "label_dtype='float32'"),
    "a label type that is malformed": (
        with_conventions("return Conventions(label_dtype={'names': ['a'], 'formats': []})"),
        "label_dtype={'names'",
    ),
    "options without names": (with_conventions("return Conventions(options={1: 'one'})"), "options={1: 'one'}"),
    "options that are no mapping": (with_conventions("return Conventions(options=None)"), "options=None"),
    "conventions that raise": (with_conventions("{}['x']"), "raised KeyError: 'x'"),
    "an import that raises": (
        "raise RuntimeError('no device')",
        "adapter_bad does not import: RuntimeError: no device",
    ),
    "an import that finds no library": ("raise OSError('libcudart.so.12: cannot open')", "OSError: libcudart.so.12"),
    "an import with a syntax error": ("def", "SyntaxError"),
}


@pytest.mark.parametrize("fault", BAD)
def test_a_bad_adapter_says_why_and_can_be_asked_for_again(adapters, get, fault):
    code, says = BAD[fault]
    plugins = adapters(bad=code, a=ADAPTER)
    answers = set()
    for _ in range(3):
        with pytest.raises(AdapterError, match="bad") as caught:
            plugins.adapter("bad")
        answers.add(str(caught.value))
    (answer,) = answers
    assert says in answer
    assert len(get(plugins)[0]) == 30


def test_a_mended_adapter_serves(adapters, write):
    plugins = adapters(a=BAD["no batch"][0])
    with pytest.raises(AdapterError):
        plugins.adapter("a")
    sys.modules.pop("adapter_a")
    write("adapter_a", ADAPTER + "\n    # mended\n")
    assert plugins.adapter("a").name == "a"


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ("(split.images, split.labels)", pytest.raises(AdapterError, match="idxhub_dataset returned nothing")),
        ("raise ZeroDivisionError", pytest.raises(ZeroDivisionError)),
    ],
    ids=["returns nothing", "an error of its own"],
)
def test_an_adapter_that_fails_on_data(adapters, get, body, error):
    with error:
        get(adapters(a=ADAPTER.replace("return (split.images, split.labels)", body)))


def test_an_adapter_may_leave_out_arguments(adapters, get):
    assert len(get(adapters(a=ADAPTER.replace("split, options", "split")))[0]) == 30


def test_two_providers_of_one_name_are_named():
    plugins = Plugins([entry("a", "one_module"), entry("a", "other_module")])
    with pytest.raises(AdapterError, match="provided by one_module and other_module; uninstall one"):
        plugins.adapter("a")


def test_one_distribution_seen_twice_is_one(write):
    write("adapter_a", ADAPTER)
    assert Plugins([entry("a", "adapter_a"), entry("a", "adapter_a")]).adapter("a").name == "a"


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("import framework_that_is_not_there.nn", "needs the package 'framework_that_is_not_there'"),
        ("from json import framework_thing", "does not import: cannot import name 'framework_thing'"),
        ("raise ImportError('libframework.so: cannot open shared object file')", "libframework.so"),
    ],
)
def test_a_missing_framework_says_what_installs_it(adapters, code, says):
    plugins = adapters(a=code)
    for _ in range(2):
        with pytest.raises(MissingFrameworkError, match="pip install ") as caught:
            plugins.adapter("a")
        assert says in str(caught.value)


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("import thinglib_that_is_not_there", "not installed; install it with: pip install "),
        (
            "raise ImportError('no libthing.so')",
            "no libthing.so; install it again with: pip install --force-reinstall ",
        ),
    ],
    ids=["missing", "broken"],
)
def test_the_install_command_names_the_extras_packages_and_not_the_extra(code, says, write, tmp_path):
    metadata = (
        "Provides-Extra: thing",
        "Requires-Dist: thinglib>=2; extra == 'thing'",
        "Requires-Dist: otherlib[data]; extra == 'thing'",
    )
    entry_points = "[idxhub.adapters]\nthing = adapter_thing\n"
    install(tmp_path / "modules", "idxhub_thing", *metadata, entry_points=entry_points)
    write("adapter_thing", code)
    with pytest.raises(MissingFrameworkError) as caught:
        Plugins().adapter("thing")
    assert str(caught.value).endswith(f'{says}thinglib "otherlib[data]"')


def test_the_versions_of_a_framework_are_those_of_its_packages(write, tmp_path):
    """A package may be installed under another name, as tensorflow-cpu may be."""
    required = ("Thing.Lib>=2", "numpy", "otherlib[data]", "absent")
    metadata = ("Provides-Extra: thing", *(f"Requires-Dist: {each}; extra == 'thing'" for each in required))
    install(tmp_path / "modules", "idxhub_thing", *metadata, entry_points="[idxhub.adapters]\nthing = adapter_thing\n")
    install(tmp_path / "modules", "thing_lib", version="2.5")
    install(tmp_path / "modules", "otherlib_cpu", version="3.1", top_level="otherlib")
    versions = Plugins().framework_version("thing")
    assert versions == f"Thing.Lib 2.5, numpy {np.__version__}, otherlib_cpu 3.1"
    assert Plugins().framework_version("unknown") == ""


def test_an_optional_part_of_an_installed_package_is_not_promised_by_it(write, tmp_path):
    metadata = ("Provides-Extra: thing", "Requires-Dist: Thing.Lib>=2; extra == 'thing'")
    install(tmp_path / "modules", "idxhub_thing", *metadata, entry_points="[idxhub.adapters]\nthing = adapter_thing\n")
    install(tmp_path / "modules", "thing_lib", top_level="thinglib")
    write("adapter_thing", "import no_backend")
    with pytest.raises(MissingFrameworkError, match=r"^'thing' needs the module 'no_backend'.*not come with Thing.Lib"):
        Plugins().adapter("thing")
    write("adapter_thing", "import sys; sys.modules['thinglib'] = None; import thinglib")
    with pytest.raises(MissingFrameworkError, match=r"needs the package 'thinglib'.* pip install Thing.Lib$"):
        Plugins().adapter("thing")


@pytest.mark.parametrize(
    ("code", "says"),
    [
        (
            "import no_thinglib.nn",
            "the plugin 'bare' of the distribution 'idxhub_thing' needs the module 'no_thinglib'",
        ),
        (
            "raise ImportError('no libthing.so')",
            "the plugin 'bare' of the distribution 'idxhub_thing' is installed but does not import: no libthing.so",
        ),
    ],
    ids=["missing", "broken"],
)
def test_without_an_extra_no_package_is_guessed(code, says, write, tmp_path):
    metadata = ("Provides-Extra: thing", "Requires-Dist: thinglib>=2; extra == 'thing'")
    entry_points = "[idxhub.adapters]\nbare = adapter_thing\n"
    install(tmp_path / "modules", "idxhub_thing", *metadata, entry_points=entry_points)
    write("adapter_thing", code)
    with pytest.raises(MissingFrameworkError) as caught:
        Plugins().adapter("bare")
    assert str(caught.value).startswith(says)
    assert "pip install" not in str(caught.value)


@pytest.mark.parametrize("value", ["no_such_module", "json:no_such_object"])
def test_an_entry_point_to_nothing(value):
    with pytest.raises(IdxHubError, match="no_such"):
        Plugins([entry("a", value)]).adapter("a")


def test_an_adapter_may_be_an_object_in_a_module(write, get):
    write(
        "adapter_a",
        """
        from idxhub import hookimpl

        class Adapter:
            @hookimpl
            def idxhub_dataset(self, split): return split
            @hookimpl
            def idxhub_batch(self, images, labels): return images

        adapter = Adapter()
        """,
    )
    assert len(get(Plugins([entry("a", "adapter_a:adapter")]))) == 30


class Own(ByHand):
    """An adapter that is registered, with conventions and an option."""

    @hookimpl
    def idxhub_conventions(self):
        return Conventions(layout="CHW", label_dtype="int32", options={"device": "where it goes"})

    @hookimpl
    def idxhub_dataset(self, split, options):
        return split, options


def test_a_registered_adapter_serves_and_its_conventions_hold(plugins, get):
    plugins.register("own", Own())
    split, options = get(plugins, "own", device="here")
    assert options == {"device": "here"}
    assert (split.layout, split.labels.dtype) == ("CHW", np.int32)
    assert split.element_shape == (1, 6, 5)
    with pytest.raises(UnknownNameError, match=r"unknown own option 'devise'; did you mean 'device'"):
        get(plugins, "own", devise="here")


def test_a_failed_registration_changes_nothing(plugins):
    plugins.register("own", Own())
    for name in ("own", "other"):
        with pytest.raises(AdapterError):
            plugins.register(name, object())
    assert plugins.adapter("own").conventions.layout == "CHW"
    with pytest.raises(UnknownNameError):
        plugins.adapter("other")


def test_registering_again_replaces(plugins, get):
    first, second = Own(), Own()
    for adapter in (first, first, second):
        plugins.register("own", adapter)
    assert len(get(plugins, "own")[0]) == 30


def test_adapters_do_not_answer_for_each_other(plugins, get):
    class Plain(ByHand):
        @hookimpl
        def idxhub_dataset(self, split):
            return "plain"

    plugins.register("own", Own())
    plugins.register("plain", Plain())
    assert plugins.adapter("plain").conventions == Conventions()
    assert get(plugins, "plain") == "plain"
    assert get(plugins, "own") != "plain"


class Ways:
    """The ways to write `idxhub_batch` that pluggy takes."""

    @hookimpl
    def in_order(self, images, labels):
        return images, labels

    @hookimpl
    def turned(self, labels, images):
        return images, labels

    @hookimpl
    def with_a_default(self, images, labels, more=()):
        return images, labels, *more

    @hookimpl
    def one(self, labels):
        return labels

    @hookimpl
    def none(self):
        return "ready"

    @hookimpl
    @staticmethod
    def static(labels, images):
        return images, labels

    @hookimpl(wrapper=True)
    def wrapper(self, labels):
        yield
        return labels

    @hookimpl
    def nothing(self, images, labels):
        return None


def adapter_with(plugins, way):
    members = {"idxhub_dataset": Own.__dict__["idxhub_dataset"], "idxhub_batch": Ways.__dict__[way]}
    plugins.register("ways", type("Written", (), members)())
    return plugins.adapter("ways")


@pytest.mark.parametrize(
    ("way", "batch"),
    [
        *[(way, ("images", "labels")) for way in ("in_order", "turned", "with_a_default", "static")],
        *[("one", "labels"), ("none", "ready"), ("wrapper", "labels")],
    ],
)
def test_a_batch_is_made_as_pluggy_would(plugins, way, batch):
    if pluggy.PluginManager("idxhub").parse_hookimpl_opts(Ways(), way) is None:
        assert way == "static"  # pluggy sees a static method from 1.7 on; with an older one the adapter is refused
        with pytest.raises(AdapterError, match=r"^plugin 'ways' has no idxhub_batch marked with hookimpl$"):
            adapter_with(plugins, way)
        return
    adapter = adapter_with(plugins, way)
    assert adapter.batch("images", "labels") == batch
    assert adapter._hooks.idxhub_batch(images="images", labels="labels") == batch


def test_a_batch_of_nothing(plugins):
    with pytest.raises(AdapterError, match=r"^adapter 'ways': idxhub_batch returned nothing$"):
        adapter_with(plugins, "nothing").batch("images", "labels")


def test_asking_for_one_framework_imports_no_other():
    code = """
        import sys, idxhub
        idxhub.adapters()
        idxhub.datasets()
        idxhub.get_dataset("fashion-mnist-sample", framework="numpy")
        print(*sorted({name.partition(".")[0] for name in sys.modules}))
    """
    loaded = set(python(code).stdout.split())
    assert "idxhub_adapters" in loaded
    assert not loaded & {"torch", "tensorflow", "jax", "datasets", "keras", "requests", "urllib3", "tqdm"}


def test_threads_that_ask_at_once_have_the_same_adapter():
    """In a process of its own, where nothing has been asked for; a loader of a second one could not be pickled."""
    code = """
        import pickle, sys, threading
        import idxhub

        sys.setswitchinterval(1e-6)
        start, loaders = threading.Barrier(8), []

        def ask():
            start.wait()
            loaders.append(idxhub.get_loader("fashion-mnist-sample", batch_size=8))

        threads = [threading.Thread(target=ask) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        print(len([pickle.dumps(loader) for loader in loaders]))
    """
    assert python(code).stdout.split() == ["8"]
