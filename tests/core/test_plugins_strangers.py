"""Plugins of strangers that end programs, print, take a built-in name, or whose metadata is broken."""

import functools
import json
import os
import re
import signal
import subprocess
import sys
import textwrap

import pytest
from support.installed import ADAPTER, entry, install
from support.processes import in_threads, python

from idxhub import Plugins, get_loader
from idxhub.catalog import builtin
from idxhub.errors import AdapterError, MissingFrameworkError

ENDINGS = ["SystemExit", "SystemExit(3)", "GeneratorExit", "__import__('asyncio').CancelledError('stop')"]
HOOKS = {
    "conventions": ("", "None"),
    "check": ("options", "None"),
    "check_device": ("device", "None"),
    "dataset": ("split", "1"),
    "batch": ("images, labels", "images, labels"),
    "resident": ("split, device", "1"),
}
ODD = """
from collections import UserDict
from idxhub import hookimpl
from idxhub.hookspecs import Conventions

class Odd(UserDict):
    def __init__(self, *_): super().__init__(x="y")
    def __iter__(self): raise {ending}
"""
# what returns something that ends the program when it is used
RETURNS = {"options": ("conventions", "Conventions(options=Odd())"), "pass": ("resident", "Odd")}
IN_A_LOADER = ("batch", "resident", "pass", "check_device")


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize(
    ("where", "prefetch"),
    [
        *[(where, None) for where in ("import", "conventions", "options", "check", "dataset")],
        *[(where, prefetch) for where in IN_A_LOADER for prefetch in (0, 2)],
    ],
)
def test_an_adapter_that_ends_programs_is_an_adapter_error(ending, where, prefetch, adapters, get, toy):
    code = ODD.format(ending=ending)
    for name, (parameters, result) in HOOKS.items():
        hook, odd = RETURNS.get(where, ("", ""))
        body = f"raise {ending}" if name == where else f"return {odd if name == hook else result}"
        code += f"@hookimpl\ndef idxhub_{name}({parameters}): {body}\n"
    plugins = adapters(a=f"raise {ending}" if where == "import" else code)

    def first_batch():
        options = {"data_dir": toy.folder, "device": None if where == "batch" else "x", "prefetch": prefetch}
        return next(iter(get_loader(toy.spec, framework="a", plugins=plugins, batch_size=2, **options)))

    with pytest.raises(AdapterError, match=r"SystemExit|GeneratorExit|CancelledError"):
        first_batch() if where in IN_A_LOADER else get(plugins)


class Handler:
    def __call__(self, number, frame):
        sys.exit(7)


SIGNAL = f"""
    import os, signal
    {{at_import}}
    {ADAPTER.replace("        return (images, labels)", "        {at_batch}")}
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signal")
@pytest.mark.parametrize("where", ["at_import", "at_batch"])
@pytest.mark.parametrize(
    "handler", ["a function", "of any arguments", "without arguments", "a partial", "an object", "a method"]
)
def test_a_signal_whose_handler_ends_the_program_ends_it_in_a_plugin_too(handler, where, adapters, toy):
    def end(number, frame):
        sys.exit(7)

    def end_without_arguments(number, frame):
        del number, frame
        sys.exit(7)

    handlers = {
        "a function": end,
        "of any arguments": lambda *_: sys.exit(7),
        "without arguments": end_without_arguments,
        "a partial": functools.partial(lambda status, *_: sys.exit(status), 7),
        "an object": Handler(),
        "a method": Handler().__call__,
    }
    sent = {"at_import": "pass", "at_batch": "pass"} | {where: "os.kill(os.getpid(), signal.SIGUSR1)"}
    plugins = adapters(a=SIGNAL.format(**sent))
    before = signal.signal(signal.SIGUSR1, handlers[handler])
    try:
        with pytest.raises(SystemExit, match="7"):
            next(iter(get_loader(toy.spec, batch_size=2, framework="a", data_dir=toy.folder, plugins=plugins)))
    finally:
        signal.signal(signal.SIGUSR1, before)


CALLED = """
def end(*_): raise SystemExit(0)
import os, signal
signal.signal(signal.SIGUSR1, end)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signal")
@pytest.mark.parametrize(
    ("at_import", "at_batch"),
    [
        (f"{CALLED}end()", "pass"),
        (f"{CALLED}end(signal.SIGUSR1, None)", "pass"),
        (f"{CALLED}os.kill(os.getpid(), signal.SIGUSR1)", "pass"),
        (CALLED, "end()"),
        ("import signal", "signal.getsignal(signal.SIGUSR2)()"),
    ],
)
def test_a_plugin_that_calls_a_handler_is_no_signal(at_import, at_batch, adapters, toy):
    before = signal.getsignal(signal.SIGUSR1), signal.signal(signal.SIGUSR2, lambda *_: sys.exit(7))
    plugins = adapters(a=at_import + textwrap.dedent(ADAPTER.replace("return (images", f"{at_batch}; return (images")))
    try:
        with pytest.raises(AdapterError, match="SystemExit"):
            next(iter(get_loader(toy.spec, batch_size=2, framework="a", data_dir=toy.folder, plugins=plugins)))
    finally:
        for number, handler in zip((signal.SIGUSR1, signal.SIGUSR2), before, strict=True):
            signal.signal(number, handler)


FORK = """
import os
child = os.fork()
if child == 0: raise {ending}
os.waitpid(child, 0)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.parametrize("ending", ["SystemExit(0)", "RuntimeError", "ImportError"])
@pytest.mark.parametrize("in_hook", [False, True])
def test_a_child_that_a_plugin_forks_does_not_go_on_with_the_program(in_hook, ending, beside):
    hook = (
        f"from idxhub import hookimpl\n@hookimpl\ndef idxhub_datasets():{textwrap.indent(FORK, '    ')}    return []\n"
    )
    environment = beside("[idxhub.datasets]\nd = datasets_a\n", (hook if in_hook else FORK).format(ending=ending))
    assert json.loads(python(COMMAND, "list", "--json", env=environment).stdout)  # one document


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.parametrize("hook", ["conventions", "check", "dataset", "batch", "resident", "pass"])
def test_a_child_that_a_hook_forks_ends(hook, beside):
    code = "from idxhub import hookimpl\nfrom idxhub.hookspecs import Conventions\n"
    results = {"conventions": "Conventions()", "resident": "made", "pass": "iter([1])"}
    for name, (parameters, result) in {**HOOKS, "pass": ("indices, size", "")}.items():
        body = f"{FORK if name == hook else ''}\nreturn {results.get(name, result)}".format(ending="SystemExit(5)")
        define = "def made" if name == "pass" else f"@hookimpl\ndef idxhub_{name}"
        code += f"{define}({parameters}):\n{textwrap.indent(body, '    ')}\n"
    use = """
        import sys, idxhub
        device = sys.argv[1] if sys.argv[1:] else None
        try:
            idxhub.get_dataset("fashion-mnist-sample", framework="a")
            next(iter(idxhub.get_loader("fashion-mnist-sample", framework="a", batch_size=2, device=device)))
        except idxhub.errors.AdapterError:
            pass
        print("went on")
    """
    device = ["x"] if hook in ("resident", "pass") else []
    assert python(use, *device, env=beside("[idxhub.adapters]\na = datasets_a\n", code)).stdout == "went on\n"


@pytest.fixture
def beside(tmp_path):
    """Install a distribution beside idxhub, with one module and these entry points; returns a child's environment."""

    def install_it(entry_points, code=""):
        install(tmp_path, "stranger", entry_points=entry_points, modules={"datasets_a": code})
        return os.environ | {"PYTHONPATH": str(tmp_path), "IDXHUB_OFFLINE": "1"}

    return install_it


COMMAND = """
    import sys
    from idxhub.cli import main
    sys.argv = ["idxhub", *sys.argv[1:]]
    main()
"""


OUTPUTS = {
    "print": "print('PRINTED')",
    "__stdout__": "import sys; sys.__stdout__.write('PRINTED')",
    "write": "import os; os.write(1, b'PRINTED')",
    "a child": "import subprocess, sys; subprocess.run([sys.executable, '-c', 'print(\"PRINTED\")'], check=True)",
    "C's buffer": "import ctypes; ctypes.CDLL(None).printf(b'PRINTED')",
}


TEXTLESS = """
class Odd({base}):
    def __str__(self): raise {ending}
    __repr__ = __str__
"""
LONG = "'\\x1b[31m' + 'x' * 100_000"


@pytest.mark.parametrize("ending", ["SystemExit(3)", "ValueError", "GeneratorExit"])
@pytest.mark.parametrize(
    "base", ["Exception", "BaseException", "ImportError", "ModuleNotFoundError", "AttributeError", "AdapterError"]
)
@pytest.mark.parametrize("where", ["import", "hook"])
def test_an_error_without_a_text_is_described_by_its_type(where, base, ending, adapters, get):
    code = f"from idxhub.errors import AdapterError\n{TEXTLESS.format(base=base, ending=ending)}"
    if where == "hook":
        code += f"{textwrap.dedent(ADAPTER)}\n@hookimpl\ndef idxhub_conventions(): raise Odd"
    else:
        code += "raise Odd"
    missing = where == "import" and base in ("ImportError", "ModuleNotFoundError")
    with pytest.raises(MissingFrameworkError if missing else AdapterError, match="Odd"):
        get(adapters(a=code))


@pytest.mark.parametrize(
    "code",
    [
        f"raise RuntimeError({LONG})",
        f"raise ImportError({LONG})",
        f"raise AttributeError({LONG})",
        f"raise ModuleNotFoundError(name={LONG})",
        "raise ModuleNotFoundError(name=object())",
        f"raise type({LONG}, (BaseException,), {{}})",
        f"{textwrap.dedent(ADAPTER)}@hookimpl\ndef idxhub_conventions(): return {LONG}",
        TEXTLESS.format(base="Exception", ending="SystemExit")
        + textwrap.dedent(ADAPTER)
        + "@hookimpl\ndef idxhub_conventions(): return Odd()",
    ],
)
def test_what_a_plugin_says_is_printable_and_short_in_an_error(code, adapters, get):
    with pytest.raises((AdapterError, MissingFrameworkError)) as caught:
        get(adapters(a=code))
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 1000


CLOSED = "import sys\nsys.stdout.close()\n{}raise RuntimeError"


@pytest.mark.parametrize(
    "code",
    [
        "raise SystemExit",
        OUTPUTS["print"],
        CLOSED.format(""),
        CLOSED.format("sys.stderr.close()\n"),
        f"{TEXTLESS.format(base='BaseException', ending='SystemExit(3)')}raise Odd",
        "from idxhub import hookimpl\n@hookimpl\ndef idxhub_datasets():"
        + textwrap.indent(TEXTLESS.format(base="BaseException", ending="SystemExit(3)"), "    ")
        + "    return [Odd()]",
    ],
)
def test_the_command_survives_a_dataset_plugin_that_exits_or_prints(code, beside):
    environment = beside("[idxhub.datasets]\nd = datasets_a\n", code)
    listed = python(COMMAND, "list", "--json", env=environment).stdout
    assert {spec["name"] for spec in json.loads(listed)} >= set(builtin.NAMES)
    loaded = python("import idxhub; print(len(idxhub.get_dataset('fashion-mnist-sample')[0]))", env=environment)
    assert loaded.stdout == "2000\n"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows' C library has another name")
@pytest.mark.parametrize("output", OUTPUTS)
@pytest.mark.parametrize("arguments", ["list", "info fashion-mnist-sample", "info nope", "doctor"])
def test_what_plugins_write_at_import_is_not_in_the_json(arguments, output, beside):
    groups = ("adapters", "datasets", "commands")
    environment = beside("".join(f"[idxhub.{group}]\nd = datasets_a\n" for group in groups), OUTPUTS[output])
    arguments = ["-c", textwrap.dedent(COMMAND), *arguments.split(), "--json"]
    done = subprocess.run([sys.executable, *arguments], capture_output=True, text=True, check=False, env=environment)
    assert json.loads(done.stdout)
    assert ("PRINTED" in done.stderr) == (arguments[2:4] != ["info", "fashion-mnist-sample"])  # it needs no plugin


@pytest.mark.skipif(sys.platform == "win32", reason="a POSIX shell")
@pytest.mark.parametrize(("closed", "printed"), [("1>&-", False), ("2>&-", True), ("1>&- 2>&-", False), ("0<&-", True)])
def test_a_plugin_may_write_where_a_standard_stream_is_closed(closed, printed, beside):
    environment = beside("[idxhub.datasets]\nd = datasets_a\n", OUTPUTS["write"])
    start = ["sh", "-c", f'exec "$@" {closed}', "sh"]
    arguments = [sys.executable, "-c", textwrap.dedent(COMMAND), "list", "--json"]
    done = subprocess.run([*start, *arguments], capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0
    assert bool(json.loads(done.stdout or "null")) == printed


@pytest.mark.parametrize(
    ("line", "offered", "printed"),
    [
        ("idxhub info kmn", "plain,kmnist", "PRINTED" * 2),
        ("idxhub stranger x", "", "PRINTED" * 2),
        ("idxhub stran", "plain,stranger", ""),
    ],
)
def test_completion_offers_names_although_plugins_print_and_fail_at_import(line, offered, printed, beside):
    groups = "[idxhub.datasets]\nd = datasets_a\n[idxhub.commands]\nstranger = datasets_a\n"
    code = f"{OUTPUTS['print']}\n{OUTPUTS['write']}\nimport no_such_module"
    asked = {"_IDXHUB_COMPLETE": "bash_complete", "COMP_WORDS": line, "COMP_CWORD": str(len(line.split()) - 1)}
    done = python(COMMAND, env=beside(groups, code) | asked)
    assert done.stdout.strip() == offered
    assert done.stderr.replace("\n", "") == printed  # no warning and no traceback


def test_a_name_of_the_built_in_adapters_stays_theirs(beside):
    adapters = "[idxhub.adapters]\nnumpy = datasets_a\n[idxhub.commands]\nbench = datasets_a\n"
    code = """
        import warnings, idxhub
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            print(type(idxhub.get_dataset("fashion-mnist-sample")).__name__)
        print(*{str(each.message) for each in caught})
    """
    kind, warning = python(code, env=beside(adapters, "raise SystemExit")).stdout.splitlines()
    assert kind == "Arrays"
    assert warning == "idxhub: 'numpy' is built in; datasets_a (stranger) of the same name is not used"


def test_names_that_a_terminal_or_the_command_would_interpret_are_not_taken(beside):
    names = "--json = datasets_a\n\x1b[31mred = datasets_a\nfine = datasets_a\n"
    helped = python(COMMAND, "--help", env=beside(f"[idxhub.commands]\n{names}"))
    assert re.search(r"^  fine +from stranger$", helped.stdout, re.MULTILINE)
    assert "--json" not in helped.stdout
    assert (helped.stdout + helped.stderr).replace("\n", "").isprintable()
    assert helped.stderr.count("cannot be the name of an entry point") == 2


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_entry_points_in_a_pipe_are_not_read(beside, tmp_path):
    environment = beside("")
    path = tmp_path / "stranger-1.0.dist-info" / "entry_points.txt"
    path.unlink()
    os.mkfifo(path)
    assert "numpy" in python("import idxhub; print(*idxhub.adapters())", env=environment).stdout.split()


def test_entry_points_may_begin_with_a_byte_order_mark(beside):
    environment = beside(b"\xef\xbb\xbf[idxhub.adapters]\nmarked = datasets_a\n")
    assert "marked" in python("import idxhub; print(*idxhub.adapters())", env=environment).stdout.split()


@pytest.mark.parametrize("content", [b"[idxhub.adapters]\nx = \xff\xfe\n", None], ids=["not UTF-8", "a folder"])
def test_broken_entry_points_of_another_distribution_hide_nobody(content, beside, tmp_path):
    environment = beside(content or "")
    if content is None:
        path = tmp_path / "stranger-1.0.dist-info" / "entry_points.txt"
        path.unlink()
        path.mkdir()
    code = "import warnings; warnings.simplefilter('ignore'); import idxhub; print(*idxhub.adapters())"
    assert "numpy" in python(code, env=environment).stdout.split()


def test_threads_that_import_plugins_at_once_leave_standard_output_as_it_was(write, capsys):
    stdout, names = sys.stdout, [str(number) for number in range(12)]
    for name in names:
        late = f"import time\ntime.sleep(0.002 * {int(name) % 4})\nprint('printed')\n"
        write(f"adapter_{name}", late + textwrap.dedent(ADAPTER))
    plugins = Plugins([entry(name, f"adapter_{name}") for name in names])
    in_threads(lambda name=name: plugins.adapter(name) for name in names)
    assert sys.stdout is stdout
    printed = capsys.readouterr()
    assert (printed.out, printed.err.count("printed")) == ("", len(names))
