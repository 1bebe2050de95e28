"""The HTML file, by Jinja2: style, script and data are inside it."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable
from importlib.resources import files

import jinja2
from markupsafe import Markup

from idxhub_board.page.model import counts, model
from idxhub_board.summary import Row

_HERE = files("idxhub_board.page")


def page(rows: Iterable[Row]) -> str:
    """The whole file."""
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, keep_trailing_newline=True)
    shown = model(rows)
    style, script = _text("page.css"), _text("page.js")
    # in a script element, only `<` could end the element; JSON allows to write it as an escape
    data = json.dumps(shown, separators=(",", ":")).replace("<", "\\u003c")
    return environment.from_string(_text("page.html")).render(
        **{name: shown[name] for name in ("datasets", "classifiers", "submissions", "versions")},
        counts=counts(shown["rows"]),
        total=len(shown["rows"]),
        policy=f"default-src 'none'; img-src data:; script-src {_hash(script)}; style-src {_hash(style)}",
        data=Markup(data),  # noqa: S704 -- escaped above
        style=Markup(style),  # noqa: S704 -- a file of this package
        script=Markup(script),  # noqa: S704 -- a file of this package
    )


def _hash(code: str) -> str:
    """How a policy names a script or a style: by the digest of what stands between the tags."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(code.encode()).digest()).decode()}'"


def _text(name: str) -> str:
    return (_HERE / name).read_text(encoding="utf-8")
