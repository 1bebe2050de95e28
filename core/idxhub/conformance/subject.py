"""How the kit, and `idxhub demo`, read a native dataset back: what only its framework knows."""

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
    """An adapter under examination.

    `batches(native, size)` yields the native batches `(images, labels)` of a native dataset, in its own order, the last
    one short, as users of the framework get them; `to_numpy` turns one of their arrays into NumPy's, and `pair` a batch
    of `get_loader`, if it is not one already, into the pair of its arrays. What is None here is a capability that the
    adapter does not have, and its checks are skipped and counted as such: `element(native, i)` is example i with
    `length(native)` examples in all; `class_names(native)` the names in label order; `records(native)` the records that
    its `info` leads to, each as a mapping of its fields; `workers(native, size, count, start_method)` the batches as
    read by worker processes. `package` is what must be installed for it, `options` are valid adapter options with a
    value, `wrong_options` some with a value that must be refused, `arguments` what every dataset is asked for with;
    `pickles`, `floats` and `layouts` say whether the native dataset can be pickled, can have dtype="float32", and can
    have every layout. `minimum` is how many checks must apply for the whole to have passed, so that one that is no
    longer run is noticed. `device` is one that this machine has, for `get_loader(device=)`. `start` is called before
    anything is asked for, for a framework that must be running.
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
        """What checks may ask for."""
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
    """The subject that an adapter's distribution offers (entry-point group `idxhub.conformance`)."""
    plugins = plugins or installed()
    found = plugins.subject(framework)
    if found is None:
        plugins.adapter(framework)  # its error is better than ours where there is no such framework
        raise UnknownNameError("conformance subject", framework, plugins.subjects())
    if not isinstance(found, Subject):
        raise AdapterError(f"the conformance subject of {framework!r} is {found!r}, not a Subject")
    return found
