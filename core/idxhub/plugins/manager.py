"""The pluggy managers: adapters and datasets, found by entry-point metadata, imported when asked for.

The only module that touches entry points; how they are read is `manifest`'s affair.
"""

from __future__ import annotations

import contextlib
import re
import sys
import threading
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from types import CodeType, MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
import pluggy

from idxhub.catalog import builtin
from idxhub.catalog.spec import DatasetSpec
from idxhub.data.loader import Batches
from idxhub.data.split import LAYOUTS, Layout, Split
from idxhub.errors import AdapterError, IdxHubError, MissingFrameworkError, UnknownNameError
from idxhub.plugins import entry_points as manifest
from idxhub.plugins import hookspecs
from idxhub.plugins.hookspecs import Conventions

if TYPE_CHECKING:
    from importlib import metadata

    EntryPoint = manifest.EntryPoint | metadata.EntryPoint

ADAPTERS, DATASETS = "idxhub.adapters", "idxhub.datasets"
SUBJECTS, COMMANDS = "idxhub.conformance", "idxhub.commands"
_RESIDENT = "idxhub_resident"
_REQUIRED = {ADAPTERS: ("idxhub_dataset", "idxhub_batch"), DATASETS: ("idxhub_datasets",)}


class Adapter:
    """One loaded adapter: its hooks, checked on the way in and on the way out."""

    def __init__(self, name: str, plugin: object) -> None:
        self.name = name
        self._hooks = _hooks(ADAPTERS, name, plugin)
        self.resides = bool(self._hooks.idxhub_resident.get_hookimpls())
        self._batch = _straight(self._hooks.idxhub_batch, "images", "labels")
        try:
            conventions = self._hooks.idxhub_conventions()
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            raise AdapterError(f"adapter {name!r}: idxhub_conventions raised {_describe(error)}") from error
        self.conventions: Conventions = Conventions() if conventions is None else conventions
        if not _is_sound(self.conventions):
            raise AdapterError(
                f"adapter {name!r}: idxhub_conventions gave {conventions!r}, not a Conventions with a layout "
                f"of {', '.join(LAYOUTS)}, a label_dtype of integers, and a mapping of options"
            )

    def check_options(
        self, options: Iterable[str], common: Iterable[str] = (), elsewhere: Mapping[str, str] = MappingProxyType({})
    ) -> None:
        """Raise `UnknownNameError` for an option that the adapter does not have.

        `common` are everyone's, to choose; `elsewhere` says where others belong.
        """
        for option in options:
            if option not in self.conventions.options:
                choices = [*self.conventions.options, *common]
                raise UnknownNameError(f"option of {self.name}", option, choices, why=elsewhere.get(option, ""))

    def check(self, options: Mapping[str, Any], shape: tuple[int, ...], dtype: str, layout: Layout | None) -> None:
        """Let the adapter refuse values of options, with an error of its own, before anything is loaded."""
        with self._calling("idxhub_check"):
            self._hooks.idxhub_check(options=dict(options), shape=shape, dtype=dtype, layout=layout)

    def check_device(self, device: Any) -> None:
        """Let the adapter refuse a device before anything is loaded."""
        with self._calling("idxhub_check_device"):
            self._hooks.idxhub_check_device(device=device)

    def dataset(self, split: Split, options: Mapping[str, Any]) -> Any:
        """The native dataset of a split."""
        with self._calling("idxhub_dataset"):
            return self._checked("idxhub_dataset", self._hooks.idxhub_dataset(split=split, options=dict(options)))

    def batch(self, images: Any, labels: Any) -> Any:
        """The native batch of two arrays."""
        try:  # not by _calling, which takes a microsecond: this is called for each batch
            return self._checked("idxhub_batch", self._batch(images, labels))
        except (KeyboardInterrupt, Exception):
            raise
        except BaseException as error:
            raise AdapterError(f"adapter {self.name!r}: idxhub_batch raised {_describe(error)}") from error

    def resident(self, split: Split, device: Any) -> Batches[Any]:
        """Batches of a split that is kept on a device; where `resides` says that the adapter has them."""
        with self._calling(_RESIDENT):
            made: Batches[Any] = self._checked(_RESIDENT, self._hooks.idxhub_resident(split=split, device=device))
        return made

    def __reduce__(self) -> tuple[Any, ...]:
        if installed().loaded(self.name) is not self:
            # TypeError is what Python itself raises for what cannot be pickled
            raise TypeError(f"the adapter {self.name!r} is not an installed one, and so cannot be pickled")
        return _installed_adapter, (self.name,)

    @contextlib.contextmanager
    def _calling(self, hook: str) -> Iterator[None]:
        """Let the errors of a hook through, but not what would end the program, such as `SystemExit`."""
        try:
            yield
        except (KeyboardInterrupt, Exception):
            raise
        except BaseException as error:
            raise AdapterError(f"adapter {self.name!r}: {hook} raised {_describe(error)}") from error

    def _checked(self, hook: str, result: Any) -> Any:
        if result is None:
            raise AdapterError(f"adapter {self.name!r}: {hook} returned nothing")
        return result


class Plugins:
    """The plugins of an environment, or of the entry points given: nothing is imported until asked for."""

    def __init__(self, entry_points: Iterable[EntryPoint] | None = None) -> None:
        self._given = None if entry_points is None else tuple(entry_points)
        self._found: dict[str, Sequence[EntryPoint]] = {}
        self._adapters: dict[str, Adapter] = {}
        self._datasets: dict[str, DatasetSpec] | None = None

    def adapters(self) -> tuple[str, ...]:
        """The names of the adapters, sorted; none is imported."""
        return tuple(sorted({*self._names(ADAPTERS), *self._adapters}))

    def register(self, name: str, plugin: object) -> None:
        """Add an adapter that has no entry point: for tests, and for one's own code in a notebook."""
        self._adapters[name] = Adapter(name, plugin)

    def adapter(self, name: str) -> Adapter:
        """The adapter called `name`, imported on the first call.

        Raises `UnknownNameError`, `MissingFrameworkError`, or `AdapterError` if the plugin is not sound.
        """
        if not isinstance(name, str):
            raise UnknownNameError("framework", name, self.adapters())
        if name not in self._adapters:
            found = self._named(ADAPTERS, name)
            if not found:
                raise UnknownNameError("framework", name, self.adapters())
            entry_point = _only(name, found)
            # of several threads that come at once, the first one's is everybody's
            self._adapters.setdefault(name, Adapter(name, _import(entry_point)))
        return self._adapters[name]

    def loaded(self, name: str) -> Adapter | None:
        """The adapter called `name`, if it has been imported."""
        return self._adapters.get(name)

    def resident(self) -> tuple[str, ...]:
        """The adapters whose loaders keep data on a device, sorted, by what their code defines; none is imported."""
        found = {entry_point.name for entry_point in self._entry_points(ADAPTERS) if _defines(entry_point, _RESIDENT)}
        return tuple(sorted(found.union(name for name, adapter in self._adapters.items() if adapter.resides)))

    def framework_version(self, name: str) -> str:
        """The installed versions of what an adapter's extra asks for; empty if it asks for nothing."""
        from importlib import metadata  # noqa: PLC0415 -- a warm get_dataset does without

        found = self._named(ADAPTERS, name)
        versions = []
        for requirement in _requirements_of_extra(found[0], name) if found else ():
            package = requirement.partition("[")[0]
            try:
                versions.append(f"{package} {metadata.version(package)}")
            except metadata.PackageNotFoundError:  # installed under another name, as tensorflow-cpu may be
                others = sorted(set(metadata.packages_distributions().get(package, ())))
                versions += [f"{other} {metadata.version(other)}" for other in others]
        return ", ".join(versions)

    def datasets(self) -> Mapping[str, DatasetSpec]:
        """The catalog: the built-in datasets and every plugin's. A plugin that fails is left out with a warning."""
        if self._datasets is None:
            catalog = builtin.datasets()
            for entry_point in self._entry_points(DATASETS):
                try:
                    with _stdout_to_stderr():  # what it prints must not get into --json
                        catalog |= self._contributed(entry_point, catalog)
                except KeyboardInterrupt:
                    raise
                except BaseException as error:  # noqa: BLE001 -- SystemExit too: a plugin's failure ends no program
                    warnings.warn(
                        f"idxhub: no datasets from {_origin(entry_point)}: {_describe(error)}",
                        stacklevel=2,
                    )
            self._datasets = catalog
        return self._datasets

    def specs(self) -> Iterable[DatasetSpec]:
        """The specs of the catalog."""
        return self.datasets().values()

    def subjects(self) -> tuple[str, ...]:
        """The frameworks whose adapters the conformance kit can examine, sorted; none is imported."""
        return tuple(sorted(self._names(SUBJECTS)))

    def subject(self, framework: str) -> object | None:
        """What the kit needs to examine an adapter, as its distribution gives it; None if it gives none."""
        found = self._named(SUBJECTS, framework)
        return _import(_only(framework, found)) if found else None

    def commands(self) -> dict[str, str]:
        """The subcommands that distributions add to `idxhub`, with the distribution of each; none is imported."""
        return {
            entry_point.name: entry_point.dist.name if entry_point.dist is not None else entry_point.value
            for entry_point in self._entry_points(COMMANDS)
        }

    def command(self, name: str) -> object | None:
        """The subcommand called `name`, imported; None if there is none."""
        found = self._named(COMMANDS, name)
        return _import(_only(name, found)) if found else None

    def dataset(self, name: str | DatasetSpec) -> DatasetSpec:
        """The spec called `name`; a spec is its own answer."""
        if isinstance(name, DatasetSpec):
            return name
        if not isinstance(name, str):  # it may be what no mapping can be asked for
            raise UnknownNameError("dataset", name, self.datasets())
        if name in builtin.NAMES:  # for these no plugin need be looked for
            return builtin.dataset(name)
        if name in self.datasets():
            return self.datasets()[name]
        raise UnknownNameError("dataset", name, self.datasets())

    def _contributed(self, entry_point: EntryPoint, catalog: Mapping[str, DatasetSpec]) -> dict[str, DatasetSpec]:
        hooks = _hooks(DATASETS, entry_point.name, entry_point.load())
        added: dict[str, DatasetSpec] = {}
        contributed = hooks.idxhub_datasets()
        if not contributed:  # pluggy leaves None out
            raise AdapterError(f"{entry_point.value}: idxhub_datasets returned nothing")
        for spec in contributed[0]:
            if not isinstance(spec, DatasetSpec):
                raise AdapterError(f"{entry_point.value} gave {spec!r}, not a DatasetSpec")
            if spec.name in catalog or spec.name in added:
                raise AdapterError(f"{entry_point.value} adds {spec.name!r}, which exists already")
            added[spec.name] = spec
        return added

    def _names(self, group: str) -> set[str]:
        return {entry_point.name for entry_point in self._entry_points(group)}

    def _named(self, group: str, name: str) -> list[EntryPoint]:
        return [entry_point for entry_point in self._entry_points(group) if entry_point.name == name]

    def _entry_points(self, group: str) -> Sequence[EntryPoint]:
        if self._given is not None:
            return [entry_point for entry_point in self._given if entry_point.group == group]
        if group not in self._found:  # once: each look goes through the metadata of all that is installed
            self._found[group] = manifest.entry_points(group)
        return self._found[group]


_INSTALLED = Plugins()  # nothing is looked for before it is asked for


def installed() -> Plugins:
    """The plugins of this environment."""
    return _INSTALLED


def _installed_adapter(name: str) -> Adapter:
    return installed().adapter(name)


def _hooks(group: str, name: str, plugin: object) -> pluggy.HookRelay:
    """The hooks of one plugin, in a manager of its own: none answers for another, and a bad one leaves nothing."""
    manager = pluggy.PluginManager("idxhub")
    manager.add_hookspecs(hookspecs)
    try:
        manager.register(plugin, name)
        manager.check_pending()
    except (ValueError, pluggy.PluginValidationError) as error:
        raise AdapterError(f"plugin {name!r}: {error}") from error
    implemented = {caller.name for caller in manager.get_hookcallers(plugin) or []}
    missing = [hook for hook in _REQUIRED[group] if hook not in implemented]
    if missing:
        raise AdapterError(f"plugin {name!r} has no {' and no '.join(missing)} marked with hookimpl")
    return manager.hook


def _straight(hook: pluggy.HookCaller, *parameters: str) -> Callable[..., Any]:
    """The hook's one implementation, called with the values of `parameters` in their order, past pluggy.

    For what is called for each batch: pluggy's own call takes 7 µs there, as long as all else that is done in Python.
    """
    (implementation,) = hook.get_hookimpls()
    function, wanted = implementation.function, implementation.argnames
    if implementation.wrapper or implementation.hookwrapper:  # for pluggy to run
        return lambda *values: hook(**dict(zip(parameters, values, strict=True)))
    if wanted == parameters:
        return function
    places = [parameters.index(name) for name in wanted]
    return lambda *values: function(*(values[place] for place in places))


def _defines(entry_point: EntryPoint, name: str) -> bool:
    """Whether the module of an entry point defines a function called so; its code is read, and not run."""
    from importlib.abc import InspectLoader  # noqa: PLC0415 -- on the way out only, as is the next
    from importlib.util import find_spec  # noqa: PLC0415

    module = entry_point.value.partition("[")[0].partition(":")[0].strip()
    try:
        spec = find_spec(module)
        code = spec.loader.get_code(module) if spec is not None and isinstance(spec.loader, InspectLoader) else None
    except KeyboardInterrupt:
        raise
    except BaseException:  # noqa: BLE001 -- a package of others may raise anything; it is then not among those named
        return False
    return code is not None and name in _names(code)


def _names(code: CodeType) -> set[str]:
    """The names that code and the classes and functions in it use."""
    return set(code.co_names).union(*(_names(each) for each in code.co_consts if isinstance(each, CodeType)))


def _is_sound(conventions: object) -> bool:
    if not isinstance(conventions, Conventions) or not isinstance(conventions.options, Mapping):
        return False
    try:
        integers = np.dtype(conventions.label_dtype).kind in "iu"
    except (TypeError, ValueError):
        return False
    return integers and conventions.layout in LAYOUTS


def _only(name: str, found: Sequence[EntryPoint]) -> EntryPoint:
    """The entry point to use of those with one name: the built-in one, or the only one."""
    if len({entry_point.value for entry_point in found}) == 1:
        return found[0]
    built_in = [entry_point for entry_point in found if _is_built_in(entry_point)]
    if not built_in:
        origins = " and ".join(sorted(map(_origin, found)))
        raise AdapterError(f"{name!r} is provided by {origins}; uninstall one")
    others = " and ".join(sorted(_origin(entry_point) for entry_point in found if entry_point not in built_in))
    warnings.warn(f"idxhub: {name!r} is built in; {others} of the same name is not used", stacklevel=2)
    return built_in[0]


def _is_built_in(entry_point: EntryPoint) -> bool:
    return entry_point.dist is not None and entry_point.dist.name == "idxhub"


def _import(entry_point: EntryPoint) -> object:
    """What an entry point names. While it is imported, what it prints goes to standard error."""
    try:
        with _stdout_to_stderr():
            return entry_point.load()
    except (IdxHubError, KeyboardInterrupt):
        raise
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        raise MissingFrameworkError(
            f"{entry_point.name!r} needs the package {missing!r}, which is not installed; "
            f"install it with: {_install_command(entry_point, missing)}",
            name=error.name,
        ) from error
    except ImportError as error:
        raise MissingFrameworkError(
            f"{entry_point.name!r} is installed but does not import: {error}; "
            f"install it again with: {_install_command(entry_point, entry_point.name, again=True)}",
            name=error.name,
        ) from error
    except AttributeError as error:
        raise AdapterError(f"{_origin(entry_point)}: {error}") from error
    except BaseException as error:  # SystemExit too: a plugin's failure ends no program
        raise AdapterError(f"{_origin(entry_point)} does not import: {_describe(error)}") from error


class _Redirection:
    """How many threads import a plugin now, and what `sys.stdout` was before the first of them."""

    lock = threading.Lock()
    count = 0
    stdout: Any = None


@contextlib.contextmanager
def _stdout_to_stderr() -> Iterator[None]:
    """Let what is printed go to standard error, in any number of threads at once.

    `contextlib.redirect_stdout` is for one thread: of two that overlap, the second would put back the first one's.
    """
    with _Redirection.lock:
        if _Redirection.count == 0:
            _Redirection.stdout, sys.stdout = sys.stdout, sys.stderr
        _Redirection.count += 1
    try:
        yield
    finally:
        with _Redirection.lock:
            _Redirection.count -= 1
            if _Redirection.count == 0:
                sys.stdout, _Redirection.stdout = _Redirection.stdout, None


def _install_command(entry_point: EntryPoint, package: str, *, again: bool = False) -> str:
    """The command that installs what an adapter needs: the packages of its distribution's extra, or `package`.

    The extra itself is not named: the distribution need not be in a package index, and another one could have its name.
    """
    packages = _requirements_of_extra(entry_point, entry_point.name) or [package]
    quoted = (f"'{each}'" if "[" in each else each for each in packages)
    return " ".join(["pip install", *(["--force-reinstall"] if again else []), *quoted])


def _requirements_of_extra(entry_point: EntryPoint, extra: str) -> list[str]:
    """The packages, without versions, that the extra of an entry point's distribution asks for."""
    requirements = (entry_point.dist.requires if entry_point.dist is not None else None) or []
    found = []
    for requirement in requirements:
        package, _, marker = requirement.partition(";")
        if re.search(rf"extra\s*==\s*['\"]{re.escape(extra)}['\"]", marker):
            found += re.findall(r"^[\w.-]+(?:\[[^\]]*\])?", package.strip())
    return found


def _describe(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


def _origin(entry_point: EntryPoint) -> str:
    distribution = f" ({entry_point.dist.name})" if entry_point.dist is not None else ""
    return f"{entry_point.value}{distribution}"
