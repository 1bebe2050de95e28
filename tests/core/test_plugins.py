"""Plugins: found by metadata, imported when asked for, checked on the way in; a bad one leaves nothing behind."""

import json
import os
import signal
import subprocess
import sys
import textwrap
import threading
from importlib.metadata import EntryPoint

import numpy as np
import pytest
from support import made
from support.processes import python

from idxhub import Conventions, Plugins, get_dataset, get_loader, hookimpl
from idxhub.catalog import builtin
from idxhub.errors import AdapterError, IdxHubError, MissingFrameworkError, UnknownNameError

DATASETS = tuple(builtin.datasets().values())

ADAPTER = """
    from idxhub import hookimpl

    @hookimpl
    def idxhub_dataset(split, options):
        return (split.images, split.labels)

    @hookimpl
    def idxhub_batch(images, labels):
        return (images, labels)
"""


@pytest.fixture
def write(tmp_path, monkeypatch):
    """Write modules that can be imported; forgotten afterwards."""
    folder = tmp_path / "modules"
    folder.mkdir()
    monkeypatch.syspath_prepend(folder)
    written = []

    def write_module(name, code=ADAPTER):
        (folder / f"{name}.py").write_text(textwrap.dedent(code))
        written.append(name)

    yield write_module
    for name in written:
        sys.modules.pop(name, None)


def entry(name, value, group="idxhub.adapters"):
    return EntryPoint(name, value, group)


def test_listing_imports_nothing_and_asking_imports_one(write):
    for name in ("adapter_a", "adapter_b", "datasets_a"):
        write(name, "raise SystemExit" if name == "datasets_a" else ADAPTER)
    plugins = Plugins(
        [entry("b", "adapter_b"), entry("a", "adapter_a"), entry("d", "datasets_a", "idxhub.datasets")],
    )
    assert plugins.adapters() == ("a", "b")
    assert not {"adapter_a", "adapter_b", "datasets_a"} & sys.modules.keys()
    adapter = plugins.adapter("a")
    assert sys.modules.keys() & {"adapter_a", "adapter_b", "datasets_a"} == {"adapter_a"}
    assert plugins.adapter("a") is adapter


def test_an_adapter_is_used(write, toy):
    write("adapter_a")
    images, labels = get_dataset(
        toy.spec, framework="a", data_dir=toy.folder, plugins=Plugins([entry("a", "adapter_a")])
    )
    np.testing.assert_array_equal(images, toy.array(toy.train_images))
    assert labels.dtype == np.int64


def test_another_groups_entry_points_are_not_ours(write):
    write("adapter_a")
    plugins = Plugins([entry("a", "adapter_a", "console_scripts")])
    assert plugins.adapters() == ()
    with pytest.raises(UnknownNameError):
        plugins.adapter("a")


def test_an_unknown_framework_names_the_nearest(write):
    plugins = Plugins([entry("torch", "nothing"), entry("numpy", "nothing")])
    with pytest.raises(UnknownNameError, match=r"unknown framework 'troch'; did you mean 'torch'\? Choices: .*numpy"):
        plugins.adapter("troch")


@pytest.mark.parametrize("name", ["", "torch.", "../torch", "os", None, 7])
def test_strange_frameworks_are_unknown(name):
    with pytest.raises(UnknownNameError):
        Plugins([entry("torch", "nothing")]).adapter(name)


BAD = {
    "misspelt": (ADAPTER + "\n    @hookimpl\n    def idxhub_datasett(split): pass\n", "idxhub_datasett"),
    "no batch": (ADAPTER.partition("    @hookimpl\n    def idxhub_batch")[0], "no idxhub_batch"),
    "nothing": ("", "no idxhub_dataset and no idxhub_batch"),
    "not marked": (ADAPTER.replace("@hookimpl", ""), "no idxhub_dataset and no idxhub_batch marked with hookimpl"),
    "an argument that is not given": (ADAPTER.replace("split, options", "split, device"), "device"),
    "conventions of another type": (ADAPTER + "\n    @hookimpl\n    def idxhub_conventions(): return 'CHW'\n", "CHW"),
    "an unknown layout": (
        ADAPTER
        + "\n    @hookimpl\n    def idxhub_conventions():\n"
        + "        from idxhub import Conventions\n        return Conventions(layout='WHC')\n",
        "WHC",
    ),
    "conventions that raise": (
        ADAPTER + "\n    @hookimpl\n    def idxhub_conventions(): {}['x']\n",
        "raised KeyError: 'x'",
    ),
    **{
        fault: (
            ADAPTER
            + "\n    @hookimpl\n    def idxhub_conventions():\n"
            + f"        from idxhub import Conventions\n        return Conventions({argument})\n",
            argument,
        )
        for fault, argument in {
            "an unknown label type": "label_dtype='nonsense'",
            "labels of floats": "label_dtype='float32'",
            "options that are no mapping": "options=None",
        }.items()
    },
    "an import that raises": (
        "raise RuntimeError('no device')",
        "adapter_bad does not import: RuntimeError: no device",
    ),
    "an import that finds no library": ("raise OSError('libcudart.so.12: cannot open')", "OSError: libcudart.so.12"),
    "an import with a syntax error": ("def", "SyntaxError"),
}


@pytest.mark.parametrize("fault", BAD)
def test_a_bad_adapter_says_why_and_can_be_asked_for_again(write, toy, fault):
    code, says = BAD[fault]
    write("adapter_bad", code)
    write("adapter_a")
    plugins = Plugins([entry("bad", "adapter_bad"), entry("a", "adapter_a")])
    answers = set()
    for _ in range(3):
        with pytest.raises(AdapterError) as caught:
            plugins.adapter("bad")
        answers.add(str(caught.value))
    assert len(answers) == 1
    assert says in answers.pop()
    assert "bad" in str(caught.value)
    images, _ = get_dataset(toy.spec, framework="a", data_dir=toy.folder, plugins=plugins)
    assert len(images) == 30


def test_a_mended_adapter_serves(write):
    write("adapter_a", BAD["no batch"][0])
    plugins = Plugins([entry("a", "adapter_a")])
    with pytest.raises(AdapterError):
        plugins.adapter("a")
    sys.modules.pop("adapter_a")
    write("adapter_a", ADAPTER + "\n    # mended\n")
    assert plugins.adapter("a").name == "a"


def test_an_adapter_that_returns_nothing(write, toy):
    write("adapter_a", ADAPTER.replace("return (split", "(split"))
    plugins = Plugins([entry("a", "adapter_a")])
    with pytest.raises(AdapterError, match="idxhub_dataset returned nothing"):
        get_dataset(toy.spec, framework="a", data_dir=toy.folder, plugins=plugins)


def test_what_an_adapter_raises_is_its_own_affair(write, toy):
    write("adapter_a", ADAPTER.replace("return (split.images, split.labels)", "raise ZeroDivisionError"))
    with pytest.raises(ZeroDivisionError):
        get_dataset(toy.spec, framework="a", data_dir=toy.folder, plugins=Plugins([entry("a", "adapter_a")]))


def test_an_implementation_may_leave_out_arguments(write, toy):
    write("adapter_a", ADAPTER.replace("split, options", "split"))
    plugins = Plugins([entry("a", "adapter_a")])
    assert len(get_dataset(toy.spec, framework="a", data_dir=toy.folder, plugins=plugins)[0]) == 30


def test_two_providers_of_one_name_are_named(write):
    plugins = Plugins([entry("a", "one_module"), entry("a", "other_module")])
    with pytest.raises(AdapterError, match="provided by one_module and other_module; uninstall one"):
        plugins.adapter("a")


def test_one_distribution_seen_twice_is_one(write):
    write("adapter_a")
    assert Plugins([entry("a", "adapter_a"), entry("a", "adapter_a")]).adapter("a").name == "a"


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("import framework_that_is_not_there.nn", "needs the package 'framework_that_is_not_there'"),
        ("from json import framework_thing", "does not import: cannot import name 'framework_thing'"),
        ("raise ImportError('libframework.so: cannot open shared object file')", "libframework.so"),
    ],
)
def test_a_missing_framework_says_what_installs_it(write, code, says):
    write("adapter_a", code)
    plugins = Plugins([entry("a", "adapter_a")])
    for _ in range(2):
        with pytest.raises(MissingFrameworkError) as caught:
            plugins.adapter("a")
        assert says in str(caught.value)
        assert "pip install " in str(caught.value)
    with pytest.raises(ImportError):
        plugins.adapter("a")


def test_the_packages_of_the_extra_are_named_and_not_the_extra(write, tmp_path):
    folder = tmp_path / "modules" / "idxhub_thing-1.0.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: idxhub-thing\nVersion: 1.0\nProvides-Extra: thing\n"
        "Requires-Dist: thinglib>=2; extra == 'thing'\nRequires-Dist: otherlib[data]; extra == 'thing'\n"
    )
    (folder / "entry_points.txt").write_text("[idxhub.adapters]\nthing = adapter_thing\nbare = adapter_thing\n")
    write("adapter_thing", "import thinglib_that_is_not_there")
    with pytest.raises(MissingFrameworkError, match=r"pip install thinglib 'otherlib\[data\]'$"):
        Plugins().adapter("thing")
    with pytest.raises(MissingFrameworkError, match=r"pip install thinglib_that_is_not_there$"):
        Plugins().adapter("bare")


@pytest.mark.parametrize("value", ["no_such_module", "json:no_such_object"])
def test_an_entry_point_to_nothing(value):
    with pytest.raises(IdxHubError, match="no_such"):
        Plugins([entry("a", value)]).adapter("a")


def test_a_plugin_may_be_an_object_in_a_module(write, toy):
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
    plugins = Plugins([entry("a", "adapter_a:adapter")])
    assert len(get_dataset(toy.spec, framework="a", data_dir=toy.folder, plugins=plugins)) == 30


class Own:
    @hookimpl
    def idxhub_conventions(self):
        return Conventions(layout="CHW", label_dtype="int32", options={"device": "where it goes"})

    @hookimpl
    def idxhub_dataset(self, split, options):
        return split, options

    @hookimpl
    def idxhub_batch(self, images, labels):
        return images, labels


def test_a_registered_plugin_serves_and_its_conventions_hold(toy):
    plugins = Plugins([])
    plugins.register("own", Own())
    split, options = get_dataset(toy.spec, framework="own", data_dir=toy.folder, plugins=plugins, device="here")
    assert options == {"device": "here"}
    assert (split.layout, split.labels.dtype) == ("CHW", np.int32)
    assert split.element_shape == (1, 6, 5)
    with pytest.raises(UnknownNameError, match=r"unknown option of own 'devise'; did you mean 'device'"):
        get_dataset(toy.spec, framework="own", data_dir=toy.folder, plugins=plugins, devise="here")


def test_registering_what_is_not_sound_changes_nothing(toy):
    plugins = Plugins([])
    plugins.register("own", Own())
    with pytest.raises(AdapterError):
        plugins.register("own", object())
    with pytest.raises(AdapterError):
        plugins.register("other", object())
    assert plugins.adapter("own").conventions.layout == "CHW"
    with pytest.raises(UnknownNameError):
        plugins.adapter("other")


def test_registering_again_replaces(toy):
    plugins = Plugins([])
    first, second = Own(), Own()
    plugins.register("own", first)
    plugins.register("own", first)
    plugins.register("own", second)
    split, _ = get_dataset(toy.spec, framework="own", data_dir=toy.folder, plugins=plugins)
    assert len(split) == 30


def test_adapters_do_not_answer_for_each_other(toy):
    class Plain:
        @hookimpl
        def idxhub_dataset(self, split):
            return "plain"

        @hookimpl
        def idxhub_batch(self, images, labels):
            return "plain"

    plugins = Plugins([])
    plugins.register("own", Own())
    plugins.register("plain", Plain())
    assert plugins.adapter("plain").conventions == Conventions()
    assert get_dataset(toy.spec, framework="plain", data_dir=toy.folder, plugins=plugins) == "plain"
    assert get_dataset(toy.spec, framework="own", data_dir=toy.folder, plugins=plugins) != "plain"


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
    def of_no_object(labels, images):
        return images, labels

    @hookimpl(wrapper=True)
    def wrapper(self, labels):
        yield
        return labels

    @hookimpl
    def nothing(self, images, labels):
        return None


@pytest.mark.parametrize(
    ("way", "batch"),
    [
        ("in_order", ("images", "labels")),
        ("turned", ("images", "labels")),
        ("with_a_default", ("images", "labels")),
        ("one", "labels"),
        ("none", "ready"),
        ("of_no_object", ("images", "labels")),
        ("wrapper", "labels"),
    ],
)
def test_a_batch_is_made_as_pluggy_would(way, batch):
    adapter = written(way)
    assert adapter.batch("images", "labels") == batch
    assert adapter._hooks.idxhub_batch(images="images", labels="labels") == batch


def test_a_batch_of_nothing():
    with pytest.raises(AdapterError, match=r"^adapter 'ways': idxhub_batch returned nothing$"):
        written("nothing").batch("images", "labels")


def written(way):
    plugins = Plugins([])
    members = {"idxhub_dataset": Own.__dict__["idxhub_dataset"], "idxhub_batch": Ways.__dict__[way]}
    plugins.register("ways", type("Written", (), members)())
    return plugins.adapter("ways")


# Datasets

DATASETS_CODE = """
    from idxhub import DatasetSpec, Resource, SplitSpec, hookimpl

    @hookimpl
    def idxhub_datasets():
        images = Resource("images", md5="0" * 32, shape=(5, 2, 2))
        labels = Resource("labels", md5="1" * 32, shape=(5,))
        yield DatasetSpec("{name}", {{"train": SplitSpec(images, labels)}})
"""


def datasets_entry(value):
    return entry(value, value, "idxhub.datasets")


def builtin_names():
    return {spec.name for spec in DATASETS}


def test_datasets_are_added(write):
    write("datasets_a", DATASETS_CODE.format(name="alpha"))
    write("datasets_b", DATASETS_CODE.format(name="beta"))
    plugins = Plugins([datasets_entry("datasets_a"), datasets_entry("datasets_b")])
    assert set(plugins.datasets()) == builtin_names() | {"alpha", "beta"}
    assert plugins.dataset("alpha").sizes == {"train": 5}


BAD_DATASETS = {
    "import": "import no_such_package",
    "syntax": "def",
    "raises": DATASETS_CODE.format(name="x").replace("images = ", "1 / 0; images = "),
    "no hook": "",
    "misspelt": DATASETS_CODE.format(name="x").replace("def idxhub_datasets", "def idxhub_dataset_s"),
    "not specs": DATASETS_CODE.format(name="x").replace("yield DatasetSpec", "yield str"),
    "nothing": "from idxhub import hookimpl\n@hookimpl\ndef idxhub_datasets(): return 5",
    "None": "from idxhub import hookimpl\n@hookimpl\ndef idxhub_datasets(): pass",
    "a built-in name": DATASETS_CODE.format(name="fashion-mnist"),
    "a name twice": DATASETS_CODE.format(name="x")
    + '        yield DatasetSpec("x", {"train": SplitSpec(images, labels)})\n',
    "a bad spec": DATASETS_CODE.format(name="not a name"),
}


@pytest.mark.parametrize("fault", BAD_DATASETS)
def test_a_bad_dataset_plugin_warns_and_leaves_the_others(write, fault):
    write("datasets_bad", BAD_DATASETS[fault])
    write("datasets_a", DATASETS_CODE.format(name="alpha"))
    plugins = Plugins([datasets_entry("datasets_bad"), datasets_entry("datasets_a")])
    with pytest.warns(UserWarning, match="no datasets from datasets_bad") as caught:
        assert set(plugins.datasets()) == builtin_names() | {"alpha"}
    assert len(caught) == 1
    assert plugins.dataset("fashion-mnist") == DATASETS[0]
    plugins.datasets()  # said once


def test_an_unknown_dataset_names_the_nearest():
    with pytest.raises(UnknownNameError, match=r"unknown dataset 'fashion_mnist'; did you mean 'fashion-mnist'"):
        Plugins([]).dataset("fashion_mnist")


def test_a_spec_is_its_own_answer(tmp_path):
    spec = made.make(tmp_path / "published", name="fashion-mnist").spec
    assert Plugins([]).dataset(spec) is spec


def test_built_in_adapters_are_found_like_any_other():
    assert {"numpy", "torch"} <= set(Plugins().adapters())


def test_asking_for_one_framework_imports_no_other():
    code = """
        import sys, idxhub
        idxhub.adapters()
        idxhub.datasets()
        idxhub.get_dataset("fashion-mnist-sample", framework="numpy")
        print(*sorted({name.partition(".")[0] for name in sys.modules}))
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=True, timeout=60
    )
    loaded = set(done.stdout.split())
    assert "idxhub_adapters" in loaded
    assert not loaded & {"torch", "tensorflow", "jax", "datasets", "keras", "requests", "urllib3", "tqdm"}


def test_threads_that_ask_at_once_have_the_same_adapter():
    """In a process of its own, where nothing has been asked for; a loader of a second one could not be pickled."""
    done = python(
        """
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
    )
    assert done.stdout.split() == ["8"]


ENDINGS = ["SystemExit", "SystemExit(3)", "GeneratorExit", "__import__('asyncio').CancelledError('stop')"]


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("where", ["import", "hook", "iterating"])
def test_a_dataset_plugin_that_ends_programs_is_left_out(ending, where, write):
    hook = "from idxhub import hookimpl\n@hookimpl\ndef idxhub_datasets():\n"
    code = {
        "import": f"raise {ending}",
        "hook": f"{hook}    raise {ending}",
        "iterating": f"{hook}    yield from ()\n    raise {ending}",
    }
    write("datasets_a", code[where])
    plugins = Plugins([entry("d", "datasets_a", "idxhub.datasets")])
    with pytest.warns(
        UserWarning, match=rf"no datasets from datasets_a: {ending.split('(')[0].split('.')[0]}|Cancelled"
    ):
        assert tuple(plugins.datasets()) == builtin.NAMES


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize(
    "hook", ["import", "conventions", "options", "check", "dataset", "batch", "resident", "pass", "check_device"]
)
@pytest.mark.parametrize("prefetch", [0, 2])
def test_an_adapter_that_ends_programs_is_an_adapter_error(ending, hook, prefetch, write, toy):
    hooks = {
        "dataset": "split",
        "batch": "images, labels",
        "conventions": "",
        "check": "options",
        "resident": "split, device",
        "check_device": "device",
    }
    code = f"""
from collections import UserDict
from idxhub import hookimpl
from idxhub.hookspecs import Conventions

class Odd(UserDict):
    def __init__(self, *_): super().__init__(x="y")
    def __iter__(self): raise {ending}
"""
    for name, parameters in hooks.items():
        body = f"raise {ending}" if name == hook else "return None" if "c" in name[:1] else "return (images, labels)"
        body = "return 1" if name in ("dataset", "resident") and name != hook else body
        body = "return Odd" if (name, hook) == ("resident", "pass") else body
        body = "return Conventions(options=Odd())" if (name, hook) == ("conventions", "options") else body
        code += f"@hookimpl\ndef idxhub_{name}({parameters}): {body}\n"
    write("adapter_a", f"raise {ending}" if hook == "import" else code)
    plugins = Plugins([entry("a", "adapter_a")])
    asked = {"framework": "a", "data_dir": toy.folder, "plugins": plugins}
    device = {"device": "x"} if hook in ("resident", "pass", "check_device") else {}

    def ask():
        if hook in ("batch", "resident", "pass", "check_device"):
            next(iter(get_loader(toy.spec, batch_size=2, prefetch=prefetch, **asked, **device)))
        else:
            get_dataset(toy.spec, **asked)

    with pytest.raises(AdapterError, match=r"SystemExit|GeneratorExit|CancelledError"):
        ask()


def test_ctrl_c_in_a_plugin_is_not_its_failure(write):
    write("datasets_a", "raise KeyboardInterrupt")
    with pytest.raises(KeyboardInterrupt):
        Plugins([entry("d", "datasets_a", "idxhub.datasets")]).datasets()


SIGNAL = """
    import os, signal
    from idxhub import hookimpl
    {at_import}

    @hookimpl
    def idxhub_dataset(split, options):
        return split

    @hookimpl
    def idxhub_batch(images, labels):
        {at_batch}
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signal")
@pytest.mark.parametrize("where", ["at_import", "at_batch"])
def test_a_signal_whose_handler_ends_the_program_ends_it_in_a_plugin_too(where, write, toy):
    def end(number, frame):
        sys.exit(7)

    sent = {"at_import": "pass", "at_batch": "pass"} | {where: "os.kill(os.getpid(), signal.SIGUSR1)"}
    write("adapter_a", SIGNAL.format(**sent))
    plugins = Plugins([entry("a", "adapter_a")])
    before = signal.signal(signal.SIGUSR1, end)
    try:
        with pytest.raises(SystemExit, match="7"):
            next(iter(get_loader(toy.spec, batch_size=2, framework="a", data_dir=toy.folder, plugins=plugins)))
    finally:
        signal.signal(signal.SIGUSR1, before)


@pytest.fixture
def beside(write, tmp_path):
    """Install a distribution beside idxhub: its entry points, in the form of entry_points.txt; its environment."""

    def install(entry_points, name="stranger"):
        folder = tmp_path / "modules" / f"{name}-1.0.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        if isinstance(entry_points, bytes):
            (folder / "entry_points.txt").write_bytes(entry_points)
        else:
            (folder / "entry_points.txt").write_text(entry_points)
        return os.environ | {"PYTHONPATH": str(tmp_path / "modules"), "IDXHUB_OFFLINE": "1"}

    return install


COMMAND = """
    import sys
    from idxhub.cli import main
    sys.argv = ["idxhub", *sys.argv[1:]]
    main()
"""


@pytest.mark.parametrize("code", ["raise SystemExit", "print('hello from a plugin')"])
def test_the_command_survives_a_dataset_plugin_that_exits_or_prints(code, write, beside):
    write("datasets_a", code)
    environment = beside("[idxhub.datasets]\nd = datasets_a\n")
    listed = python(COMMAND, "list", "--json", env=environment).stdout
    assert {spec["name"] for spec in json.loads(listed)} >= set(builtin.NAMES)
    loaded = python("import idxhub; print(len(idxhub.get_dataset('fashion-mnist-sample')[0]))", env=environment)
    assert loaded.stdout == "2000\n"


def test_a_name_of_the_built_in_adapters_stays_theirs(write, beside):
    write("datasets_a", "raise SystemExit")
    environment = beside("[idxhub.adapters]\nnumpy = datasets_a\n[idxhub.commands]\nbench = datasets_a\n")
    code = """
        import warnings, idxhub
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            print(type(idxhub.get_dataset("fashion-mnist-sample")).__name__)
        print(*{str(each.message) for each in caught})
    """
    kind, warning = python(code, env=environment).stdout.splitlines()
    assert kind == "Arrays"
    assert warning == "idxhub: 'numpy' is built in; datasets_a (stranger) of the same name is not used"


@pytest.mark.parametrize("content", [b"[idxhub.adapters]\nx = \xff\xfe\n", None], ids=["not UTF-8", "a folder"])
def test_broken_entry_points_of_another_distribution_hide_nobody(content, write, beside, tmp_path):
    environment = beside(content or "")
    if content is None:
        path = tmp_path / "modules" / "stranger-1.0.dist-info" / "entry_points.txt"
        path.unlink()
        path.mkdir()
    code = "import warnings; warnings.simplefilter('ignore'); import idxhub; print(*idxhub.adapters())"
    assert "numpy" in python(code, env=environment).stdout.split()


def test_threads_that_import_plugins_at_once_leave_standard_output_as_it_was(write, capsys):
    stdout, count = sys.stdout, 12
    for number in range(count):
        write(
            f"adapter_{number}",
            f"import time\ntime.sleep(0.002 * {number % 4})\nprint('printed')" + textwrap.dedent(ADAPTER),
        )
    plugins = Plugins([entry(str(number), f"adapter_{number}") for number in range(count)])
    threads = [threading.Thread(target=plugins.adapter, args=[str(number)]) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sys.stdout is stdout
    printed = capsys.readouterr()
    assert (printed.out, printed.err.count("printed")) == ("", count)
