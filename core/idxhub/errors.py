"""Everything idxhub raises on purpose, under one root.

IdxHubError
├── UnknownNameError     (+ LookupError)  a dataset, split, framework, option or value that does not exist
│   └── ArgumentError    (+ ValueError)   an argument out of range or of the wrong type
├── MissingFrameworkError (+ ImportError) the framework asked for cannot be imported
├── AdapterError                          a plugin broke its contract
├── SpecError            (+ ValueError)   a description of a dataset that makes no sense
├── DownloadError        (+ OSError)      the file was found nowhere; every place and its reason
├── ChecksumError                         a file was found, here or at a mirror, and is not the published one
├── CacheError           (+ OSError)      the cache cannot be read or written
├── StateError           (+ ValueError)   a loader's state that belongs to another loader
└── IdxFormatError       (+ ValueError)   bytes that are not a sound IDX file, or arrays that cannot be one
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple


def printable(text: str, limit: int = 200) -> str:
    """Text from a server or a file as an error may show it: printable characters, at most `limit` of them."""
    text = text.strip()
    if len(text) > limit:
        text = f"{text[: limit - 3]}..."
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


class IdxHubError(Exception):
    """The root: `except idxhub.errors.IdxHubError` catches all of them."""


class UnknownNameError(IdxHubError, LookupError):
    """A name that does not exist; `kind`, `name` and `choices` say which and what there is instead, `problem` and
    `why`, which may be empty, what is wrong with it.
    """

    def __init__(
        self, kind: str, name: object, choices: Iterable[str], *, why: str = "", problem: str = "unknown"
    ) -> None:
        # a set's order changes from run to run
        self.kind, self.name = kind, name
        self.choices: tuple[str, ...] = tuple(sorted(choices) if isinstance(choices, (set, frozenset)) else choices)
        self.why, self.problem = why, problem
        super().__init__(kind, name, self.choices)

    def __str__(self) -> str:
        message = f"{self.problem} {self.kind} {self.name!r}"
        if self.why:
            message += f": {self.why}"
        nearest = self.nearest()
        message += "." if nearest is None else f"; did you mean {nearest!r}?"
        return f"{message} Choices: {', '.join(self.choices) or 'none'}."

    def nearest(self) -> str | None:
        """The choice most like the name, or like the word it starts with; None if nothing is near."""
        import difflib  # noqa: PLC0415 -- on the way out only: it would slow every `import idxhub`

        text = str(self.name)
        words = text, re.split(r"[^\w.-]", text)[0]
        if set(words) & set(self.choices):  # the name itself is no advice
            return None
        folded: dict[str, str] = {choice.casefold(): choice for choice in self.choices}
        for wanted in words:
            near = difflib.get_close_matches(wanted.casefold(), folded, n=1)
            if near:
                return folded[near[0]]
        return None

    def __reduce__(self) -> tuple[object, ...]:
        return _unknown_name, (self.kind, self.name, self.choices, self.why, self.problem)


def _unknown_name(kind: str, name: object, choices: tuple[str, ...], why: str, problem: str) -> UnknownNameError:
    return UnknownNameError(kind, name, choices, why=why, problem=problem)


class ArgumentError(UnknownNameError, ValueError):
    """An argument that is out of range or of the wrong type: `kind` and `name` are the argument and its value."""

    def __init__(self, argument: str, value: object, must_be: str) -> None:
        self.must_be = must_be
        super().__init__(argument, value, ())

    def __str__(self) -> str:
        return f"{self.kind} is {self.name!r}; it must be {self.must_be}"

    def __reduce__(self) -> tuple[object, ...]:
        return ArgumentError, (self.kind, self.name, self.must_be)


class MissingFrameworkError(IdxHubError, ImportError):
    """The framework is not installed, or does not import; the message ends with the command that mends it."""


class AdapterError(IdxHubError):
    """A plugin that does not do what the hooks ask of it."""


class SpecError(IdxHubError, ValueError):
    """A `DatasetSpec`, or a part of one, that describes nothing there can be; the message names the field."""


class Failure(NamedTuple):
    """One place that was tried: `where` (a path or URL), and `why` it did not serve."""

    where: str
    why: str


class _Tried(IdxHubError):  # noqa: N818 -- a base, never raised itself
    def __init__(self, message: str, failures: Iterable[Failure] = ()) -> None:
        self.message, self.failures = message, tuple(failures)
        super().__init__(message)  # alone: OSError takes a second argument for what an errno means

    def __str__(self) -> str:
        return "\n".join([self.message, *(f"  {f.where}: {f.why}" for f in self.failures)])


class DownloadError(_Tried, OSError):
    """No file was found anywhere; `failures` lists each place with its reason, `message` is the text before them. Also
    raised for a `data_dir` that is no folder; then `failures` is empty.
    """


class ChecksumError(_Tried):
    """A file was found, here or at a mirror, and is not the one asked for; `failures` lists each wrong file and every
    other place tried, and `message` is the text before them.
    """


class CacheError(IdxHubError, OSError):
    """The cache folder cannot be used as it is; the message names the setting that moves it."""


class StateError(IdxHubError, ValueError):
    """A saved state that is not one of this loader's; the message names the first difference."""


class IdxFormatError(IdxHubError, ValueError):
    """Not a sound IDX file (or .gz, .xz of one): what is wrong, and at which byte where that is known."""
