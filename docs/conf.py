"""The documentation's build: `sphinx-build -W -n docs docs/_build/html`. It needs no network."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

import idxhub
from idxhub.catalog import builtin
from idxhub.catalog.spec import ArraySpec
from idxhub.conformance import CHECKS

DATASETS = tuple(builtin.datasets().values())
_LINE_OF_A_PHONE = 40  # characters of code, in a window of 390 pixels

project = "idxhub"
author = "The idxhub authors"
copyright = "2026, the idxhub authors"
release = version = idxhub.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build"]
nitpicky = True

html_theme = "furo"
pygments_dark_style = "github-dark"  # the usual one underlines the names of modules
html_title = f"idxhub {release}"
html_static_path = ["_static"]
html_css_files = ["idxhub.css"]
html_copy_source = False
html_show_sphinx = False

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

# docstrings are written in plain text with `names`, as they are read in an editor
default_role = "code"
napoleon_use_param = False  # types are in plain words: they are no cross-references
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 88

# no inventories are fetched, so that the build needs no network: what others document is not linked
nitpick_ignore_regex = [
    (
        "py:.*",
        r"(numpy|np|torch|matplotlib|PIL|pluggy|pytest|collections|typing|os|pathlib|importlib)(\..*)?",
    ),
    (
        "py:.*",
        r"(NDArray|DTypeLike|Tensor|Path|PathLike|EntryPoint|Mapping|Sequence|Callable|Iterable|Iterator)",
    ),
    # what is documented is found under `idxhub.NAME`; other names in signatures are aliases or not public
    ("py:.*", r"idxhub(_adapters|_compat|_plot)?(\.[a-z_]+)+\.\w+"),
    ("py:.*", r"T|Layout|Batches|Equal|Exporter|Side|Part|Pair|DataSet|SplitInfo"),
    # a named tuple's fields are shown as they are annotated in its module
    ("py:.*", r"(splits|split_string)\.Range|Record"),
]


class Checks(SphinxDirective):
    """`idxhub-checks`: the table of the conformance kit's checks, from the checks themselves."""

    def run(self) -> list[nodes.Node]:
        """Made as Markdown, so that what is in backticks becomes code."""
        rows = [
            f"| `{check.id}` | {check.promise} | {_needs(check.needs)} |"
            for check in CHECKS
        ]
        return self.parse_text_to_nodes(
            "\n".join(["| check | promise | needs |", "| --- | --- | --- |", *rows])
        )


class Catalog(SphinxDirective):
    """`idxhub-catalog`: the built-in datasets and their files' digests, from the catalog itself."""

    def run(self) -> list[nodes.Node]:
        """A section of text and a table for each dataset."""
        text = "\n\n".join(_dataset(spec) for spec in DATASETS)
        return self.parse_text_to_nodes(text, allow_section_headings=True)


class Mirrors(SphinxDirective):
    """`idxhub-mirrors`: where the datasets are downloaded from, from the catalog itself."""

    def run(self) -> list[nodes.Node]:
        """A table."""
        named: dict[tuple[str, ...], list[str]] = {}
        for spec in DATASETS:
            if spec.mirrors:
                named.setdefault(spec.mirrors, []).append(f"`{spec.name}`")
        rows = [
            f"| {', '.join(names)} | {'<br>'.join(f'<{mirror}>' for mirror in mirrors)} |"
            for mirrors, names in named.items()
        ]
        return self.parse_text_to_nodes(
            "\n".join(["| dataset | in this order |", "| --- | --- |", *rows])
        )


def _needs(capabilities: frozenset[str]) -> str:
    return ", ".join(f"`{name}`" for name in sorted(capabilities))


def _dataset(spec: idxhub.DatasetSpec) -> str:
    rows = [f"| {_file(array)} | {_digests(array.resource)} |" for array in spec.arrays]
    facts = [
        *([f"release {spec.release}"] if spec.release else []),
        ", ".join(f"{name} {count:,}" for name, count in spec.sizes.items()),
        f"licence {spec.license or 'not stated'}",
        f"fingerprint `{spec.fingerprint}`",
    ]
    head = [f"## {spec.name}", f"{spec.description}.", "; ".join(facts) + "."]
    archive = spec.resources[0].archive
    if archive is not None:
        head.append(
            f"In the archive `{archive.filename}`, {archive.size:,} bytes, MD5 `{archive.md5}`, "
            f"SHA-256 {_broken(archive.sha256)}."
        )
    return "\n\n".join(
        [*head, "\n".join(["| file | digests |", "| --- | --- |", *rows])]
    )


def _file(array: ArraySpec) -> str:
    resource = array.resource
    published = "" if resource.size is None else f"{resource.size:,} bytes, "
    shape = " x ".join(map(str, resource.shape))
    return (
        f"`{resource.filename}`<br>{published}decompressed {resource.payload_size:,}<br>"
        + ", ".join([f"{shape} {resource.dtype}", *array.steps])
    )


def _digests(resource: idxhub.Resource) -> str:
    known = [
        ("MD5", resource.md5),
        ("SHA-256", resource.sha256),
        ("payload MD5", resource.payload_md5),
        ("payload", resource.payload_sha256),
    ]
    return "<br>".join(
        f"{what} {_broken(value)}" for what, value in known if value is not None
    )


def _broken(digest: str | None) -> str:
    """A digest in two halves, which a table can set on two lines."""
    if digest is None:
        return "unknown"
    return "<wbr>".join(f"`{half}`" for half in (digest[:32], digest[32:]) if half)


def keep_words_whole(_app: Sphinx, doctree: nodes.document, _name: str) -> None:
    """Give code the class `whole`, unless one of its words is too long for the line of a phone."""
    for code in doctree.findall(nodes.literal):
        if all(len(word) <= _LINE_OF_A_PHONE for word in code.astext().split()):
            code["classes"].append("whole")


def write_board(app: Sphinx, exception: Exception | None) -> None:
    """The page of the classifiers, from the results beside it, so that it is never older than they are."""
    if exception is not None or app.builder.format != "html":
        return
    folder = Path("_static", "board")
    stores = sorted(Path(app.srcdir, folder).glob("*.jsonl"))
    output = Path(app.outdir, folder, "index.html")
    command = [sys.executable, "-m", "idxhub", "board", "page", "--force"]
    subprocess.run([*command, "--output", output, *stores], check=True)  # noqa: S603 -- our own command


def shorten(*event: object) -> tuple[str | None, str | None]:
    """Signatures as they are written in the source."""
    arguments, returned = event[-2:]
    return _short(arguments), _short(returned)


def _short(signature: object) -> str | None:
    if not isinstance(signature, str):
        return None
    for spelt_out, written in AS_WRITTEN.items():
        signature = re.sub(spelt_out, written, signature)
    return signature


AS_WRITTEN = {
    r"~?(numpy\.)?ndarray\[tuple\[~?[\w.]*Any, \.\.\.\], ~?(numpy\.)?dtype\[([^]]+)\]\]": r"~numpy.typing.NDArray[\3]",
    "<built-in function asarray>": "numpy.asarray",
    "<factory>": "{}",
}


def setup(app: Sphinx) -> None:
    """Make the directives known."""
    app.connect("autodoc-process-signature", shorten)
    app.connect("doctree-resolved", keep_words_whole)
    app.connect("build-finished", write_board)
    app.add_directive("idxhub-checks", Checks)
    app.add_directive("idxhub-catalog", Catalog)
    app.add_directive("idxhub-mirrors", Mirrors)
