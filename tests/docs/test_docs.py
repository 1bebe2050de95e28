"""What strangers read is true: examples run, public names are described, links lead somewhere, the pages build."""

from __future__ import annotations

import ast
import importlib
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from doctest import ELLIPSIS, NORMALIZE_WHITESPACE, OutputChecker
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

import pytest
from support.docstrings import assert_example_holds
from support.matrix import ROWS
from support.needs import need, need_elsewhere

import idxhub
from idxhub import conformance, errors
from idxhub.catalog import builtin
from idxhub.catalog.builtin.fashion_mnist import FASHION_MNIST
from idxhub.plugins import hookspecs
from idxhub.plugins import manager as plugins

need("sybil")
from sybil import Example, Sybil  # noqa: E402 -- after the skip where it is absent
from sybil.evaluators.python import PythonEvaluator  # noqa: E402
from sybil.parsers.myst import CodeBlockParser  # noqa: E402

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(DOCS.rglob("*.md"))]
PAGES = [page for page in PAGES if "_build" not in page.parts]
ON_FULL_DATA = {"README.md", "docs/how-to/come-from.md"}  # the other pages use the sample, and find nothing else
FRAMEWORKS = [each.name for each in distribution("idxhub").entry_points if each.group == "idxhub.adapters"]
# which pages import
LIBRARIES = [
    *("datasets", "duckdb", "h5py", "keras", "lance", "lightning", "pandas", "polars", "pyarrow", "safetensors"),
    *("sklearn", "tensorflow_datasets", "torchvision", "webdataset", "zarr"),
]
ARROW = ROOT / "tests" / "third_party" / "idxhub-arrow"  # which docs/how-to/write-an-adapter.md explains
DEBIAN = Path("/usr/share/datasets/fashion-mnist")
TIMEOUT = 300  # seconds


@dataclass
class Page:
    """A page whose examples run in order, in one namespace and one folder."""

    path: Path
    examples: list[Example] = field(default_factory=list)
    folder: Path = Path()
    done: int = 0
    skipped: bool = False

    @property
    def name(self) -> str:
        return self.path.relative_to(ROOT).as_posix()


def python(example: Example) -> None:
    """Run a block, or write it if it has a caption: that is a file's name, of this page's or of idxhub-arrow."""
    caption = example.region.lexemes.get("options", {}).get("caption")
    if caption is None:
        PythonEvaluator()(example)
    elif not (ARROW / caption).exists():
        Path(caption).write_text(example.parsed, encoding="utf-8")


def project(example: Example) -> None:
    """Note the entry points of a pyproject.toml in the page's folder, which is on sys.path, as pip would."""
    fields = tomllib.loads(example.parsed)["project"]
    name, version = fields["name"], fields["version"]
    if name == ARROW.name:
        shutil.copytree(ARROW / "src", ".", dirs_exist_ok=True)
    info = Path(f"{name.replace('-', '_')}-{version}.dist-info")
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    groups = fields["entry-points"].items()
    lines = [f"[{group}]\n" + "".join(f"{k} = {v}\n" for k, v in entries.items()) for group, entries in groups]
    (info / "entry_points.txt").write_text("\n".join(lines))
    importlib.invalidate_caches()
    plugins._INSTALLED = plugins.Plugins()


def diff(example: Example) -> None:
    """Run the imports after a change, in the namespace of the page; those before it must be Python."""
    lines = example.parsed.splitlines()
    ast.parse("\n".join(line[1:] for line in lines if line.startswith("-")))
    exec("\n".join(line[1:] for line in lines if line.startswith("+")), example.namespace)  # noqa: S102 -- as a reader


def console(example: Example) -> None:
    """Run the lines `$ idxhub ...`, with their exit status (0, or what `$ echo $?` shows next) and their output.

    What else a reader types is run only if it prepares a file; installing, for one, is not.
    """
    steps = re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n?)*)", example.parsed, re.MULTILINE)
    for i, (command, shown) in enumerate(steps):
        if not re.match(r"(\w+=\S* )*idxhub\b|mkdir |cp ", command):
            continue
        following = steps[i + 1] if i + 1 < len(steps) else ("", "")
        status = int(following[1]) if following[0] == "echo $?" else 0
        environment = os.environ | {"PYTHONPATH": os.getcwd(), "COLUMNS": "80"}
        environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"
        done = subprocess.run(  # noqa: S602 -- a command of our own documentation, as a reader's shell runs it
            command,
            shell=True,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=TIMEOUT,
        )
        assert done.returncode == status, f"{command}: exit status {done.returncode}\n{done.stdout}"
        if "--help" in command:
            assert done.stdout.strip() == shown.strip(), command
        elif shown.strip():
            compare(command, shown, done.stdout)


def compare(command: str, shown: str, seen: str) -> None:
    if "idxhub demo" not in command:
        assert OutputChecker().check_output(shown, seen, ELLIPSIS | NORMALIZE_WHITESPACE), f"{command}\n{seen}"
        return
    # the speed differs from run to run, and another machine has other frameworks: what is shown must be there
    wanted, lines = (
        [re.sub(r" [\d,]+$|^(Both|All \d+)(?= frameworks )", "", " ".join(line.split())) for line in t.splitlines()]
        for t in (shown, seen)
    )
    missing = [line for line in wanted if line not in (*lines, "", "...")]
    assert not missing, f"{command}: {missing}\n{seen}"


def frameworks(source: str) -> list[str]:
    """Those that an example names; the demo's output, as it is shown, has torch, idxhub-arrow's is pyarrow, and
    pictures need matplotlib.
    """
    source = re.sub("^-.*", "", source, flags=re.MULTILINE)  # what a diff takes away
    named = [name for name in FRAMEWORKS if re.search(rf'"{name}"|(import|from) {name}\b', source)]
    named += [name for name in LIBRARIES if re.search(rf"^(import|from) {name}\b", source, re.MULTILINE)]
    named += ["torch"] * ("idxhub demo" in source)
    named += ["sklearn"] * bool(re.search(r"idxhub board \w+ \w+\.", source))
    named += ["matplotlib"] * bool(re.search(r"idxhub_plot|idxhub plot \w+", source))
    named += ["torch", "PIL"] * ("idxhub_compat.torchvision_datasets" in source)
    named += ["tensorflow"] * ("from idxhub_compat import tfds" in source)
    named += ["mxnet"] * bool(re.search(r"idxhub_compat.mxnet_vision|(import|from) mxnet", source))
    named += ["pyarrow"] * bool(re.search(r'"arrow"|idxhub_arrow|conformance arrow', source))
    return list(dict.fromkeys(named))


def pages() -> list[Page]:
    evaluators = {"python": python, "diff": diff, "toml": project, "console": console}
    sybil = Sybil([CodeBlockParser(language=language, evaluator=run) for language, run in evaluators.items()])
    found = []
    for path in PAGES:
        document = sybil.parse(path)
        document.namespace["__name__"] = "__main__"
        found.append(Page(path, list(document.examples())))
    return found


# webdataset leaves it to Python to close its files
CLOSED_LATE = pytest.mark.filterwarnings("ignore:Exception ignored in:pytest.PytestUnraisableExceptionWarning")
# an earlier example of the page may have used JAX; Ray's forked processes start other programs at once
FORKED_AFTER_JAX = pytest.mark.filterwarnings(r"ignore:os\.fork\(\) was called.* JAX:RuntimeWarning")


def case(page: Page, number: int, example: Example) -> Any:
    named = frameworks(str(example.parsed))
    marks = [CLOSED_LATE] * ("webdataset" in named) + [FORKED_AFTER_JAX] * ("ray" in named)
    return pytest.param(page, number, id="-".join([f"{page.name}:{example.line}", *named]), marks=marks)


EXAMPLES = [case(page, i, example) for page in pages() for i, example in enumerate(page.examples)]


@pytest.mark.parametrize(("page", "number"), EXAMPLES)
def test_example(page: Page, number: int, request: Any, tmp_path_factory: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(plugins, "_INSTALLED", plugins.Plugins())  # another page's plugins are gone
    if not page.done:
        page.folder = tmp_path_factory.mktemp("page")
    monkeypatch.chdir(page.folder)
    monkeypatch.syspath_prepend(page.folder)
    monkeypatch.setenv("IDXHUB_CACHE", str(page.folder / "cache"))
    monkeypatch.setenv("IDXHUB_OFFLINE", "1")
    full = full_data(request) if page.name in ON_FULL_DATA else None
    if full is not None:
        monkeypatch.setenv("IDXHUB_MIRRORS", str(full))
    while page.done <= number:  # earlier ones too, where pytest was asked for this one alone
        page.done += 1
        try:
            run(page, page.examples[page.done - 1], full=full is not None)
        except pytest.skip.Exception:
            page.skipped = True
            if page.done > number:
                raise


def run(page: Page, example: Example, *, full: bool) -> None:
    lacks_data = page.name in ON_FULL_DATA and not full
    here = f"{page.name}:{example.line}"
    why = f"{here} needs the full Fashion-MNIST: name its folder in IDXHUB_TEST_DATA"
    source = str(example.parsed)
    for framework in frameworks(source):
        if framework == "torchvision":
            need_elsewhere(framework)
            # from now on it can be imported, even if its compiled part is missing
            importlib.import_module("idxhub_bench.vision").modules()
        else:
            need({"huggingface": "datasets"}.get(framework, framework))
    if "idxhub demo" in source:
        if lacks_data:
            pytest.skip(why)
        if page.name not in ON_FULL_DATA and DEBIAN.is_dir():
            pytest.skip(f"{here} shows the sample, and the full dataset is in {DEBIAN}")
    try:
        example.evaluate()
    except errors.DownloadError:
        if lacks_data:
            pytest.skip(why)
        raise
    except NameError as error:
        if page.skipped:
            pytest.skip(f"{here} needs an example that was skipped: {error}")
        raise


SHOWN = {"pyproject.toml", "src/idxhub_arrow/adapter.py", "src/idxhub_arrow/subject.py", "tests/test_conformance.py"}


@pytest.mark.parametrize("file", sorted(SHOWN))
def test_the_page_on_adapters_shows_the_files_that_are_tested(file: str) -> None:
    text = (DOCS / "how-to" / "write-an-adapter.md").read_text(encoding="utf-8")
    blocks = dict(re.findall(r"^```\{code-block\} \w+\n:caption: (\S+)\n\n(.*?)^```$", text, re.MULTILINE | re.DOTALL))
    assert set(blocks) == SHOWN
    assert blocks[file] == (ARROW / file).read_text(encoding="utf-8")


def full_data(request: Any) -> Path | None:
    try:
        return request.getfixturevalue("full_data_dir")
    except pytest.skip.Exception:
        return None


@pytest.mark.parametrize(
    "function",
    [
        *(idxhub.get_dataset, idxhub.get_loader, idxhub.load, idxhub.datasets, idxhub.adapters),
        *(idxhub.export, idxhub.exporters),
    ],
)
def test_the_example_of_a_docstring(function: Any, full_data_dir: Path, tmp_path: Path, monkeypatch: Any) -> None:
    need("torch")
    monkeypatch.chdir(tmp_path)  # `export` writes a file
    idxhub.get_dataset(split=("train", "test"), data_dir=full_data_dir)  # into the cache
    assert_example_holds(function)


def test_there_are_examples() -> None:
    counts: dict[str, int] = {}
    for example in EXAMPLES:
        page = example.values[0]
        counts[page.name] = counts.get(page.name, 0) + 1
    for page in ("README.md", "docs/tutorial.md", "docs/how-to/write-an-adapter.md", "docs/reference/command.md"):
        assert counts.get(page), f"{page} has none"


def reference() -> str:
    return "\n".join(page.read_text(encoding="utf-8") for page in sorted((DOCS / "reference").rglob("*.md")))


@pytest.mark.parametrize("name", idxhub.__all__)
def test_public_name_is_described(name: str) -> None:
    assert re.search(rf"^\.\. (auto\w+|py:\w+):: idxhub\.{name}(\(.*\))?$", reference(), re.MULTILINE)


@pytest.mark.parametrize("name", conformance.__all__)
def test_conformance_name_is_described(name: str) -> None:
    assert re.search(rf"^\.\. (auto\w+|py:\w+):: idxhub\.conformance\.{name}(\(.*\))?$", reference(), re.MULTILINE)


def subclasses(kind: type[BaseException]) -> Iterator[type[BaseException]]:
    for below in kind.__subclasses__():
        yield from (below, *subclasses(below))


@pytest.mark.parametrize("name", sorted({e.__name__ for e in subclasses(errors.IdxHubError) if e.__name__[0] != "_"}))
def test_error_is_described(name: str) -> None:
    assert re.search(rf"^\.\. autoexception:: idxhub\.errors\.{name}$", reference(), re.MULTILINE)


@pytest.mark.parametrize("name", [name for name in vars(hookspecs) if name.startswith("idxhub_")])
def test_hook_is_described(name: str) -> None:
    assert re.search(rf"^\.\. autofunction:: idxhub\.hookspecs\.{name}$", reference(), re.MULTILINE)


def test_modules_are_in_the_architecture() -> None:
    text = (DOCS / "explanation" / "architecture.md").read_text(encoding="utf-8")
    table = "".join(re.findall(r"^\| (.*?) \|", text, re.MULTILINE))
    package = Path(idxhub.__file__).parent
    names = {path.stem for path in package.glob("*.py")} | {path.parent.name for path in package.glob("*/__init__.py")}
    missing = sorted(name for name in names - {"__init__", "_version"} if f"`{name}`" not in table)
    assert not missing


def test_extras_are_described() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    text = (DOCS / "how-to" / "install.md").read_text(encoding="utf-8")
    shown = dict(re.findall(r"^\| `(\w+)` \| (.*?)(?:;.*)? \|$", text, re.MULTILINE))
    assert shown.pop("all") == "all of these"
    assert shown == {name: ", ".join(extras[name]) for name in FRAMEWORKS if extras[name]}


def test_the_lowest_releases_are_those_of_the_project() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = [name for name in FRAMEWORKS if name not in ("mxnet", "chainer")]  # whose last release is tested anyway
    asked = [*project["dependencies"], *(each for name in extras for each in project["optional-dependencies"][name])]
    floors = dict(re.findall(r"^([\w-]+)(?:\[\w+\])?>=([\d.]+)$", "\n".join(asked), re.MULTILINE))
    assert len(floors) == len(asked)
    tested = "\n".join((ROOT / name).read_text(encoding="utf-8") for name in ("constraints-lowest.txt", "tox.ini"))
    pins = dict(re.findall(r"^(?: +core: )?([\w-]+)==([\d.]+)", tested, re.MULTILINE))
    pins["tensorflow"] = pins["tensorflow-cpu"]
    assert [name for name, floor in floors.items() if not f"{pins[name]}.".startswith(f"{floor}.")] == []


def test_subcommands_are_described() -> None:
    from idxhub.cli import commands  # noqa: PLC0415 -- here only

    text = (DOCS / "reference" / "command.md").read_text(encoding="utf-8")
    missing = [name for name in commands.commands if f"$ idxhub {name} --help\n" not in text]
    assert not missing


@pytest.mark.parametrize("page", [*PAGES, ROOT / "CHANGELOG.md"], ids=lambda page: page.relative_to(ROOT).as_posix())
def test_relative_links_lead_somewhere(page: Path) -> None:
    text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    targets = [target for target in re.findall(r"\]\(([^)\s#]+)", text) if "://" not in target]
    missing = [target for target in targets if not (page.parent / target).exists()]
    assert not missing


def readme() -> str:
    return (ROOT / "README.md").read_text(encoding="utf-8")


def test_readme_has_the_digests_of_the_catalog() -> None:
    rows = re.findall(r"^\| (\S+) \| ([\d,]+) \| `(\w{32})` \| `(\w{64})` \|$", readme(), re.MULTILINE)
    expected = [
        (resource.filename.removesuffix("-ubyte.gz"), f"{resource.size:,}", resource.md5, resource.sha256)
        for resource in FASHION_MNIST.resources
    ]
    assert rows == expected


def test_readme_lists_the_catalog() -> None:
    rows = re.findall(r"^\| `([\w-]+)` \| ([^|]+) \| (\d+) \| [^|]+ \|$", readme(), re.MULTILINE)
    assert [name for name, _, _ in rows] == [spec.name for spec in builtin.datasets().values()]
    for (_, examples, classes), spec in zip(rows, builtin.datasets().values(), strict=True):
        assert int(classes) == len(spec.classes)
        for name in spec.everything:
            assert f"{spec.sizes[name]:,} {name}" in examples


def test_readme_has_the_labels_of_the_catalog() -> None:
    cells = re.findall(r"(?<=\| )(\d) \| (\w[\w/ -]*?)(?= \|)", readme())
    assert sorted(cells) == [(str(label), name) for label, name in enumerate(FASHION_MNIST.classes)]


def test_readme_has_the_citation_of_the_catalog() -> None:
    assert FASHION_MNIST.citation in readme()


def test_readme_counts_the_checks() -> None:
    assert f"[{len(conformance.CHECKS)} checks]" in readme()


def test_readme_counts_the_faults() -> None:
    peers = (DOCS / "reference" / "peers-under-faults.md").read_text(encoding="utf-8")
    last = max(int(row) for row in re.findall(r"^\| (\d+) \|", peers, re.MULTILINE))
    assert f"[{len(ROWS)} faults]" in readme()
    assert f"under the first {last};" in readme()


def test_readme_marks_its_two_commands() -> None:
    blocks = dict(re.findall(r"<!-- command: (\w+) -->\n```sh\n(.+)\n```", readme()))
    assert blocks == {
        "demo": "python3 -m venv .venv && .venv/bin/pip install . && .venv/bin/idxhub demo",
        "tests": "python3 -m venv .venv && .venv/bin/pip install tox && .venv/bin/tox run",
    }


def test_pages_build_without_a_warning(tmp_path: Path) -> None:
    need("sphinx")
    need("torch")  # whose adapter the reference describes
    need("matplotlib")  # as above, of the pictures
    done = subprocess.run(
        [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-n", "-q", "-b", "html", DOCS, tmp_path / "html"],
        capture_output=True,
        text=True,
        check=False,
        timeout=TIMEOUT,
    )
    assert done.returncode == 0, done.stderr
    board = (tmp_path / "html" / "_static" / "board" / "index.html").read_text(encoding="utf-8")
    assert "Fashion-MNIST: 0 rows have results" not in board
    assert '"classifier":"GaussianNB"' in board
