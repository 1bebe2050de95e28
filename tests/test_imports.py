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

# a module imports from those above it only
ORDER = (
    *("_version", "errors"),
    *("inflate", "idx", "splits", "arguments", "threads"),
    "order",
    "catalog",
    *("known", "builtin", "storage", "records"),
    *("folders", "cache", "archives"),
    *("download", "local", "fetch", "contents", "audit"),
    "making",
    "arrays",
    *("loader", "hookspecs", "manifest"),
    "plugins",
    "_api",
    "__init__",
    "conformance",
    "cli",
    "__main__",
)
FRAMEWORKS = {
    *("torch", "torchvision", "torchdata", "pytorch", "lightning", "tensorflow", "keras", "jax", "jaxlib", "flax"),
    *("huggingface", "transformers", "mxnet", "paddle", "chainer", "ray", "mlx", "tinygrad", "cupy", "sklearn"),
}
# words that are names of packages where they are imported, and ordinary words elsewhere
IMPORTED_FRAMEWORKS = FRAMEWORKS | {"datasets", "tensorflow_datasets", "huggingface_hub", "PIL"}
HEAVY = {"requests", "urllib3", "filelock", "tqdm", "platformdirs", "click"}


def imports(tree: ast.AST) -> Iterator[tuple[str, str]]:
    """(module, name) of each import wherever it stands, inside functions too; name is empty for `import module`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, "") for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (("." * node.level + (node.module or ""), alias.name) for alias in node.names)


def wrong_direction(module: str, tree: ast.AST) -> list[str]:
    """What a core module imports from below itself; `module` is its file's place under core/idxhub."""
    mine = module.partition(".")[0]
    wrong = []
    for source, name in imports(tree):
        if source.startswith("."):
            wrong.append(f"{source} is relative")
            continue
        package, _, rest = source.partition(".")
        if package != "idxhub":
            continue
        below = rest.partition(".")[0] or (name if name in ORDER else "__init__")
        same_package = below == mine and (CORE / mine).is_dir()
        if below == "_overloads":
            if mine != "__init__":
                wrong.append("_overloads")
        elif not same_package and ORDER.index(below) >= ORDER.index(mine):
            wrong.append(below)
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
    """What a module under adapters/ imports from idxhub that is not public, or from another package there."""
    others = {path.name for path in ADAPTERS.iterdir() if path.is_dir()} - {package}
    wrong = []
    for source, name in imports(tree):
        top = source.partition(".")[0]
        public = (source == "idxhub" and name in idxhub.__all__) or (source == "idxhub.conformance" and name)
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


def test_every_core_module_has_its_place():
    assert {name_of(path, CORE).partition(".")[0] for path in CORE_MODULES} == set(ORDER)


@pytest.mark.parametrize("path", CORE_MODULES, ids=lambda path: name_of(path, CORE))
def test_the_core_imports_in_one_direction(path):
    assert wrong_direction(name_of(path, CORE), parsed(path)) == []


@pytest.mark.parametrize("path", CORE_MODULES, ids=lambda path: name_of(path, CORE))
def test_the_core_names_no_framework(path):
    paths_may = path.parent.name == "builtin" or path.name == "audit.py"
    assert framework_names(parsed(path), paths_may=paths_may) == []


@pytest.mark.parametrize("path", CORE_MODULES, ids=lambda path: name_of(path, CORE))
def test_only_plugins_touches_entry_points(path):
    touches = any(
        isinstance(node, ast.Attribute) and node.attr == "entry_points" for node in ast.walk(parsed(path))
    ) or any(name in ("entry_points", "EntryPoint") for _, name in imports(parsed(path)))
    assert not touches or path.name in ("plugins.py", "manifest.py") or "conformance" in path.parts


@pytest.mark.parametrize("path", modules(ADAPTERS), ids=lambda path: name_of(path, ADAPTERS))
def test_adapters_come_in_by_the_front_door(path):
    package = path.relative_to(ADAPTERS).parts[0]
    assert by_the_back_door(package, parsed(path)) == []


@pytest.mark.parametrize(
    ("module", "code", "wrong"),
    [
        ("idx", "from idxhub.errors import IdxFormatError", []),
        ("idx", "from idxhub.cache import Cache", ["cache"]),
        ("idx", "import idxhub.cache", ["cache"]),
        ("idx", "from idxhub import cache", ["cache"]),
        ("idx", "from idxhub import load", ["__init__"]),
        ("idx", "import idxhub", ["__init__"]),
        ("idx", "from . import errors", [". is relative"]),
        ("errors", "def f():\n from idxhub.idx import decode", ["idx"]),
        ("errors", "from idxhub.errors import x", ["errors"]),
        ("arrays", "from idxhub._overloads import get_dataset", ["_overloads"]),
        ("plugins", "from idxhub.cli import main", ["cli"]),
        ("cli.cache", "from idxhub.cli.output import size\nfrom idxhub.cache import Cache", []),
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
        ("from idxhub import arrays", ["idxhub arrays"]),
        ("from idxhub.arrays import Split", ["idxhub.arrays Split"]),
        ("import idxhub.arrays", ["idxhub.arrays"]),
        ("import idxhub", ["idxhub"]),
        ("from idxhub.conformance.kit import run", ["idxhub.conformance.kit run"]),
        ("from .numpy import x", [".numpy x"]),
        ("import idxhub_adapters.torch", ["idxhub_adapters.torch"]),
    ],
)
def test_a_back_door_is_seen(code, wrong):
    assert by_the_back_door("idxhub_export", ast.parse(code)) == wrong


def test_importing_idxhub_loads_neither_frameworks_nor_what_a_warm_call_does_without():
    loaded = set(python("import sys, idxhub; print(*{name.partition('.')[0] for name in sys.modules})").stdout.split())
    assert "idxhub" in loaded
    assert not loaded & (IMPORTED_FRAMEWORKS | HEAVY | {"idxhub_adapters", "hypothesis", "pytest"})


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
