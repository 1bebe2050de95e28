"""The `Subject` of an adapter: how to read its native dataset back, for the kit and for `idxhub demo`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from idxhub.errors import AdapterError, UnknownNameError
from idxhub.plugins.manager import Plugins, installed

Batches = Iterable[tuple[Any, Any]]


@dataclass(frozen=True)
class Subject:
    """An adapter that is checked, and how to read what it returns.

    `batches(native, size)` yields the native batches `(images, labels)` of a native dataset in its own order, as users
    of the framework get them; the last one is short. `to_numpy` converts one of their arrays to NumPy. `pair` converts
    a batch of `get_loader` to the pair of its arrays.

    The next fields are capabilities. If one is None, the adapter does not have it, and its checks count as skipped.
    `element(native, i)` returns example i, and `length(native)` the number of examples. `class_names(native)` returns
    the names in the order of the labels. `records(native)` returns the records that the dataset's `info` leads to, each
    as a mapping of its fields. `workers(native, size, count, start_method)` yields the batches as `count` worker
    processes read them. `package` is the package that must be installed. `device` is a device of this machine, for
    `get_loader(device=)`.

    `options` are the adapter's options, each with a valid value; `wrong_options` are options with a value that must be
    refused. `arguments` are passed whenever a dataset is asked for. `pickles`, `floats` and `layouts` say whether the
    native dataset can be pickled, can have dtype="float32", and can have every layout. `minimum` is the number of
    checks that must apply, so that a check that no longer runs is noticed. `start` is called before everything else,
    for a framework that must be running.
    """

    framework: str
    batches: Callable[[Any, int], Batches]
    to_numpy: Callable[[Any], NDArray[Any]] = np.asarray
    pair: Callable[[Any], tuple[Any, Any]] = tuple
    element: Callable[[Any, int], tuple[Any, Any]] | None = None
    length: Callable[[Any], int] | None = None
    class_names: Callable[[Any], Sequence[str]] | None = None
    records: Callable[[Any], Sequence[Mapping[str, Any]]] | None = None
    workers: Callable[[Any, int, int, str], Batches] | None = None
    package: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    wrong_options: Mapping[str, Any] = field(default_factory=dict)
    arguments: Mapping[str, Any] = field(default_factory=dict)
    pickles: bool = True
    floats: bool = True
    layouts: bool = True
    minimum: int = 0
    device: Any = None
    start: Callable[[], object] | None = None

    @property
    def capabilities(self) -> frozenset[str]:
        """The names of the capabilities that the adapter has."""
        present = {
            "index": self.element,
            "length": self.length,
            "classes": self.class_names,
            "records": self.records,
            "workers": self.workers,
            "package": self.package,
            "device": self.device,
            "wrong-options": self.wrong_options or None,
            "pickle": self.pickles or None,
            "float32": self.floats or None,
            "layouts": self.layouts or None,
        }
        return frozenset(name for name, value in present.items() if value is not None)


def subject(framework: str, plugins: Plugins | None = None) -> Subject:
    """The subject that an adapter's distribution provides (entry-point group `idxhub.conformance`)."""
    plugins = plugins or installed()
    found = plugins.subject(framework)
    if found is None:
        plugins.adapter(framework)  # raises a better error if there is no such framework
        raise UnknownNameError("conformance subject", framework, plugins.subjects())
    if not isinstance(found, Subject):
        raise AdapterError(f"the conformance subject of {framework!r} is {found!r}, not a Subject")
    return found
