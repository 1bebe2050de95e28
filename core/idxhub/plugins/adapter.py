"""One adapter: calling its hooks, and checking what they return and raise."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeGuard

import numpy as np
import pluggy

from idxhub.data.arrays import LAYOUTS, Layout
from idxhub.data.loader import Batches
from idxhub.data.split import Split
from idxhub.errors import AdapterError, UnknownNameError
from idxhub.plugins.hook_calls import call_description_hook, calling, hook_error, load_hooks
from idxhub.plugins.hookspecs import Conventions
from idxhub.plugins.importing import ThisProcess, is_interruption

if TYPE_CHECKING:  # importing numpy.typing takes 0.7 ms
    from numpy.typing import NDArray

RESIDENT_HOOK = "idxhub_resident"
REQUIRED_HOOKS = ("idxhub_dataset", "idxhub_batch")


class Adapter:
    """A loaded adapter. Its methods call its hooks, and check what they return."""

    def __init__(self, name: str, plugin: object) -> None:
        self.name = name
        self._title = f"adapter {name!r}"  # for messages
        self._hooks = load_hooks(name, plugin, REQUIRED_HOOKS)
        self.has_resident = bool(self._hooks.idxhub_resident.get_hookimpls())
        self._batch = _direct_call(self._hooks.idxhub_batch, "images", "labels")
        self.conventions = call_description_hook(
            self._title,
            self._hooks.idxhub_conventions,
            Conventions(),
            _is_sound,
            f"a Conventions with a layout of {', '.join(LAYOUTS)}, a label_dtype of integers, and a mapping of options "
            "by name",
        )

    def check_options(
        self, options: Iterable[str], common: Iterable[str] = (), elsewhere: Mapping[str, str] = MappingProxyType({})
    ) -> None:
        """Raise `UnknownNameError` for an option that the adapter does not have.

        The error also lists the arguments `common`, which all adapters share. `elsewhere` maps an option of another
        function to an explanation.
        """
        for option in options:
            if option not in self.conventions.options:
                choices = [*self.conventions.options, *common]
                raise UnknownNameError(f"{self.name} option", option, choices, why=elsewhere.get(option, ""))

    def check(self, options: Mapping[str, Any], shape: tuple[int, ...], dtype: str, layout: Layout | None) -> None:
        """Let the adapter refuse values of options with its own error, before anything is loaded."""
        with calling(self._title, "idxhub_check"):
            self._hooks.idxhub_check(options=dict(options), shape=shape, dtype=dtype, layout=layout)

    def check_device(self, device: Any) -> None:
        """Let the adapter refuse a device before anything is loaded."""
        with calling(self._title, "idxhub_check_device"):
            self._hooks.idxhub_check_device(device=device)

    def dataset(self, split: Split, options: Mapping[str, Any]) -> Any:
        """The native dataset of a split."""
        with calling(self._title, "idxhub_dataset"):
            return self._checked("idxhub_dataset", self._hooks.idxhub_dataset(split=split, options=dict(options)))

    def batch(self, images: Any, labels: Any) -> Any:
        """The native batch of two arrays."""
        process = ThisProcess.id
        try:  # without `calling`, which takes a microsecond for each batch
            return self._checked("idxhub_batch", self._batch(images, labels))
        except Exception:
            raise
        except BaseException as error:
            if is_interruption(error, process):
                raise
            raise hook_error(self._title, "idxhub_batch", error) from error

    def resident(self, split: Split, device: Any) -> Batches[Any]:
        """Batches of a split that is kept on a device. Call it only if `has_resident` is true."""
        with calling(self._title, RESIDENT_HOOK):
            made: Batches[Any] = self._checked(RESIDENT_HOOK, self._hooks.idxhub_resident(split=split, device=device))
        return (_CheckedSendingBatches if hasattr(made, "send") else _CheckedBatches)(self._title, made)

    def _checked(self, hook: str, result: Any) -> Any:
        if result is None:
            raise AdapterError(f"{self._title}: {hook} returned nothing")
        return result


class _CheckedBatches:
    """The function that `idxhub_resident` returned. `SystemExit` and the like become an `AdapterError`."""

    def __init__(self, adapter: str, made: Batches[Any]) -> None:
        self._adapter, self._made = adapter, made

    def __call__(self, indices: NDArray[np.int64], size: int) -> Iterator[Any]:
        batches: Iterator[Any] | None = None
        while True:
            process = ThisProcess.id
            try:
                batches = iter(self._made(indices, size)) if batches is None else batches
                batch = next(batches)
            except StopIteration:
                return
            except Exception:
                raise
            except BaseException as error:
                if is_interruption(error, process):
                    raise
                raise hook_error(self._adapter, f"the function that {RESIDENT_HOOK} returned", error) from error
            yield batch


class _CheckedSendingBatches(_CheckedBatches):
    """The same for a function to which the orders of several passes can be sent."""

    def send(self, orders: Sequence[NDArray[Any]]) -> Sequence[Any]:
        with calling(self._adapter, f"send of the function that {RESIDENT_HOOK} returned"):
            sent: Sequence[Any] = self._made.send(orders)  # type: ignore[attr-defined]  # it is there: see resident
        return sent


def _direct_call(hook: pluggy.HookCaller, *parameters: str) -> Callable[..., Any]:
    """A function that calls the only implementation of a hook without pluggy, with the values of `parameters` in order.

    It is used for the hook that is called for each batch: a call through pluggy takes 7 µs, as long as everything else
    that Python does for a batch.
    """
    (implementation,) = hook.get_hookimpls()
    function, wanted = implementation.function, implementation.argnames
    if implementation.wrapper or implementation.hookwrapper:  # only pluggy can run these
        return lambda *values: hook(**dict(zip(parameters, values, strict=True)))
    if wanted == parameters:
        return function
    positions = [parameters.index(name) for name in wanted]
    return lambda *values: function(*(values[position] for position in positions))


def _is_sound(conventions: object) -> TypeGuard[Conventions]:
    if not isinstance(conventions, Conventions) or not isinstance(conventions.options, Mapping):
        return False
    try:
        integers = np.dtype(conventions.label_dtype).kind in "iu"
    except (TypeError, ValueError):
        return False
    named = all(isinstance(option, str) for option in conventions.options)
    return integers and named and conventions.layout in LAYOUTS
