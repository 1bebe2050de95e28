"""Who may import whom, read from the source: the core in one direction and without frameworks, adapters by the front
door.
"""

from __future__ import annotations

import ast
import pickle
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.processes import python

import idxhub

ROOT = Path(__file__).parents[1]
CORE, ADAPTERS = ROOT / "core" / "idxhub", ROOT / "adapters"

ARCHITECTURE = ROOT / "docs" / "explanation" / "architecture.md"


def rooms() -> list[set[str]]:
    """The rooms of the core from the table of the architecture page, the lowest first: those of a row are level."""
    table = ARCHITECTURE.read_text(encoding="utf-8").partition("| room |")[2].partition("\n\n")[0]
    return [set(re.findall(r"`([^`]+)`", row.split("|")[1])) for row in table.splitlines()[2:]]


# a module imports from its own room and from rooms in earlier rows only
ROOMS = rooms()
LEVEL = {room: level for level, row in enumerate(ROOMS) for room in row}
FRAMEWORKS = {
    *("torch", "torchvision", "torchdata", "pytorch", "lightning", "tensorflow", "keras", "jax", "jaxlib", "flax"),
    *("huggingface", "transformers", "mxnet", "paddle", "chainer", "ray", "mlx", "tinygrad", "cupy", "sklearn"),
}
# words that are names of packages where they are imported, and ordinary words elsewhere
IMPORTED_FRAMEWORKS = FRAMEWORKS | {"datasets", "tensorflow_datasets", "huggingface_hub", "PIL"}
HEAVY = {"requests", "urllib3", "filelock", "tqdm", "platformdirs", "click", "deflate"}


def imports(tree: ast.AST) -> Iterator[tuple[str, str]]:
    """(module, name) of each import wherever it stands, inside functions too; name is empty for `import module`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, "") for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (("." * node.level + (node.module or ""), alias.name) for alias in node.names)


def wrong_direction(module: str, tree: ast.AST) -> list[str]:
    """What a core module imports from a room that is not below its own; `module` is its path under core/idxhub."""
    mine = module.partition(".")[0]
    wrong = []
    for source, name in imports(tree):
        if source.startswith("."):
            wrong.append(f"{source} is relative")
            continue
        package, _, rest = source.partition(".")
        if package != "idxhub":
            continue
        room = rest.partition(".")[0] or (name if name in LEVEL else "__init__")
        same_room = room == mine and (CORE / mine).is_dir()
        if room == "_overloads":
            if mine != "__init__":
                wrong.append("_overloads")
        elif not same_room and LEVEL[room] >= LEVEL[mine]:
            wrong.append(room)
    return wrong


def framework_names(tree: ast.AST, *, paths_may: bool = False) -> list[str]:
    """Frameworks imported, or named in strings that are not docstrings; with `paths_may`, paths and URLs are data."""
    found = [
        source for source, _ in imports(tree) if source.partition(".")[0] in IMPORTED_FRAMEWORKS | {"idxhub_adapters"}
    ]
    docstrings = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef))
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
            if paths_may and "/" in node.value:
                continue
            found += [word for word in re.findall("[a-z]+", node.value.lower()) if word in FRAMEWORKS]
    return found


def by_the_back_door(package: str, tree: ast.AST) -> list[str]:
    """What a module under adapters/ imports from idxhub that is not public, or from another package there.

    The functions that print what a subcommand says, and those that write its files, are for subcommands of other
    distributions too.
    """
    others = {path.name for path in ADAPTERS.iterdir() if path.is_dir()} - {package}
    wrong = []
    for source, name in imports(tree):
        top = source.partition(".")[0]
        public = (source == "idxhub" and name in idxhub.__all__) or (
            source in ("idxhub.conformance", "idxhub.cli.output", "idxhub.cli.files") and name
        )
        if (top == "idxhub" and not public) or top in others or source.startswith("."):
            wrong.append(f"{source} {name}".strip())
    return wrong


def modules(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*.py") if "__pycache__" not in path.parts)


def name_of(path: Path, folder: Path) -> str:
    return ".".join(path.relative_to(folder).with_suffix("").parts)


def parsed(path: Path) -> ast.AST:
    return ast.parse(path.read_text(encoding="utf-8"))


CORE_MODULES = modules(CORE)


def test_the_table_of_rooms_names_every_room_once():
    assert sorted(room for row in ROOMS for room in row) == sorted(LEVEL)
    assert {name_of(path, CORE).partition(".")[0] for path in CORE_MODULES} == set(LEVEL)


def test_the_audit_is_used_by_the_command_alone():
    users = {
        name_of(path, CORE).partition(".")[0]
        for path in CORE_MODULES
        if any(source.startswith("idxhub.audit") for source, _ in imports(parsed(path)))
    }
    assert users == {"audit", "cli"}


@pytest.mark.parametrize("room", sorted(room for room in LEVEL if (CORE / room).is_dir()))
def test_a_room_says_what_it_knows(room):
    assert len((ast.get_docstring(parsed(CORE / room / "__init__.py")) or "").split()) > 5


@pytest.mark.parametrize("path", CORE_MODULES, ids=lambda path: name_of(path, CORE))
def test_the_core_imports_in_one_direction(path):
    assert wrong_direction(name_of(path, CORE), parsed(path)) == []


@pytest.mark.parametrize("path", CORE_MODULES, ids=lambda path: name_of(path, CORE))
def test_the_core_names_no_framework(path):
    paths_may = path.parent.name in ("builtin", "audit")
    draws = {"PIL"} if name_of(path, CORE) == "data.sprite" else set()  # the picture of a dataset in a notebook
    assert set(framework_names(parsed(path), paths_may=paths_may)) <= draws


@pytest.mark.parametrize("path", CORE_MODULES, ids=lambda path: name_of(path, CORE))
def test_only_plugins_touches_entry_points(path):
    touches = any(
        isinstance(node, ast.Attribute) and node.attr == "entry_points" for node in ast.walk(parsed(path))
    ) or any(name in ("entry_points", "EntryPoint") for _, name in imports(parsed(path)))
    assert not touches or path.parent.name == "plugins" or "conformance" in path.parts


@pytest.mark.parametrize("path", modules(ADAPTERS), ids=lambda path: name_of(path, ADAPTERS))
def test_adapters_import_public_names_only(path):
    package = path.relative_to(ADAPTERS).parts[0]
    assert by_the_back_door(package, parsed(path)) == []


@pytest.mark.parametrize(
    ("module", "code", "wrong"),
    [
        ("formats.idx", "from idxhub.errors import IdxFormatError", []),
        ("formats.zip_member", "from idxhub.formats.idx import decode", []),
        ("formats.idx", "from idxhub.cache.store import Cache", ["cache"]),
        ("formats.idx", "import idxhub.cache.store", ["cache"]),
        ("formats.idx", "from idxhub import cache", ["cache"]),
        ("formats.idx", "from idxhub import load", ["__init__"]),
        ("formats.idx", "import idxhub", ["__init__"]),
        ("formats.idx", "from . import errors", [". is relative"]),
        ("errors", "def f():\n from idxhub.formats.idx import decode", ["formats"]),
        ("errors", "from idxhub.errors import x", ["errors"]),
        ("arguments", "from idxhub.paths import x", ["paths"]),
        ("data.split", "from idxhub._overloads import get_dataset", ["_overloads"]),
        ("data.split", "from idxhub.audit.scan import x", ["audit"]),
        ("plugins.manager", "from idxhub.cli import main", ["cli"]),
        ("cli.cache", "from idxhub.cli.output import size\nfrom idxhub.cache.store import Cache", []),
        ("conformance.kit", "from idxhub.cli import main", ["cli"]),
    ],
)
def test_a_wrong_direction_is_seen(module, code, wrong):
    assert wrong_direction(module, ast.parse(code)) == wrong


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ("import torch.utils", ["torch.utils"]),
        ("def f():\n from datasets import Dataset", ["datasets"]),
        ("import idxhub_adapters.numpy", ["idxhub_adapters.numpy"]),
        ("if name == 'torch': pass", ["torch"]),
        ("x = f'{a} needs TensorFlow'", ["tensorflow"]),
        ("x = '~/.keras/datasets'", ["keras"]),
        ("'''About torch.'''\ndef f():\n '''As jax does.'''", []),
        ("x = 'array of datasets, in ray-like order'", ["ray"]),
        ("x = 'array of datasets'  # torch", []),
    ],
)
def test_a_framework_in_the_core_is_seen(code, found):
    assert framework_names(ast.parse(code)) == found


@pytest.mark.parametrize(
    ("code", "wrong"),
    [
        ("from idxhub import Split, hookimpl\nfrom idxhub.conformance import Subject\nimport torch", []),
        ("from idxhub.cli.output import print_json", []),
        ("from idxhub.cli.files import write_files", []),
        ("from idxhub.cli import main", ["idxhub.cli main"]),
        ("from idxhub import data", ["idxhub data"]),
        ("from idxhub.data.split import Split", ["idxhub.data.split Split"]),
        ("import idxhub.data.split", ["idxhub.data.split"]),
        ("import idxhub", ["idxhub"]),
        ("from idxhub.conformance.kit import run", ["idxhub.conformance.kit run"]),
        ("from .numpy import x", [".numpy x"]),
        ("import idxhub_adapters.torch", ["idxhub_adapters.torch"]),
    ],
)
def test_an_import_of_a_private_name_is_seen(code, wrong):
    assert by_the_back_door("idxhub_export", ast.parse(code)) == wrong


def test_importing_idxhub_loads_neither_frameworks_nor_what_a_warm_call_does_without():
    # what NumPy imports does not count: NumPy 1 has more than NumPy 2
    code = "import sys, numpy; before = {*sys.modules}; import idxhub; print(*{*sys.modules} - before)"
    loaded = {name.partition(".")[0] for name in python(code).stdout.split()}
    assert "idxhub" in loaded
    assert not loaded & (IMPORTED_FRAMEWORKS | HEAVY | {"idxhub_adapters", "hypothesis", "pytest", "threading"})


def test_importing_idxhub_does_not_import_numpy_typing():
    assert python("import sys, idxhub; print('numpy.typing' in sys.modules)").stdout == "False\n"


def test_a_warm_call_loads_no_http_client(toy, tmp_path):
    code = """
        import pickle, sys
        from idxhub import Plugins, load

        spec, folder = pickle.load(open(sys.argv[1], "rb"))
        load(spec, data_dir=folder, plugins=Plugins([]))
        print(*{name.partition('.')[0] for name in sys.modules})
    """
    told = tmp_path / "told"
    told.write_bytes(pickle.dumps((toy.spec, toy.folder)))
    cold, warm = (set(python(code, told).stdout.split()) for _ in range(2))
    assert "requests" not in cold  # the files were here
    assert not warm & (IMPORTED_FRAMEWORKS | HEAVY)
