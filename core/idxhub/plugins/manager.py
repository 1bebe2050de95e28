"""The plugins of an environment: they are found by their entry points, and imported when they are needed."""

from __future__ import annotations

import contextlib
import copyreg
import os
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import CodeType
from typing import TYPE_CHECKING, Any, NamedTuple, NewType

from idxhub.catalog import builtin
from idxhub.catalog.spec import DatasetSpec
from idxhub.errors import AdapterError, UnknownNameError, printable
from idxhub.plugins.adapter import RESIDENT_HOOK, Adapter
from idxhub.plugins.entry_points import entry_points as find_entry_points
from idxhub.plugins.hook_calls import load_hooks
from idxhub.plugins.importing import (
    EntryPoint,
    ThisProcess,
    choose_entry_point,
    describe_error,
    describe_object,
    distribution_of,
    import_plugin,
    is_interruption,
    origin_of,
    requirements_of_extra,
    signal_handlers,
    stdout_to_stderr,
)

if TYPE_CHECKING:
    from idxhub.plugins.exporter import Exporter

FrameworkName = NewType("FrameworkName", str)
"""For type checkers, the name of a framework that they cannot know: that of another distribution's adapter."""

ADAPTERS, DATASETS, EXPORTERS = "idxhub.adapters", "idxhub.datasets", "idxhub.exporters"
SUBJECTS, COMMANDS, ALIASES = "idxhub.conformance", "idxhub.commands", "idxhub.aliases"

_LONGEST_NAME = 200  # characters


class ExporterSummary(NamedTuple):
    """A description of an exporter that has not been imported.

    `description` is the first line of its module's documentation. `packages` are those that the extra with the
    exporter's name requires, without versions; `missing` are those of them that are not installed.
    """

    name: str
    description: str
    packages: tuple[str, ...]
    missing: tuple[str, ...]


class Plugins:
    """The plugins of this environment, or those of `entry_points`. A plugin is imported when it is needed."""

    def __init__(self, entry_points: Iterable[EntryPoint] | None = None) -> None:
        self._entry_points_given = None if entry_points is None else tuple(_with_sound_names(entry_points))
        self._found: dict[str, Sequence[EntryPoint]] = {}
        self._adapters: dict[str, Adapter] = {}
        self._exporters: dict[str, Exporter] = {}
        self._datasets: dict[str, DatasetSpec] | None = None

    def __repr__(self) -> str:
        return f"Plugins(adapters={self.adapters()!r})"

    def adapters(self) -> tuple[FrameworkName, ...]:
        """The names of the adapters, sorted. No adapter is imported."""
        return tuple(map(FrameworkName, sorted({*self._names(ADAPTERS), *self._adapters})))

    def register(self, name: str, plugin: object) -> None:
        """Add an adapter that has no entry point, for example one that is defined in a notebook or a test."""
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
                raise UnknownNameError("framework", name, self.adapters(), why=self._adapter_instead(name))
            entry_point = choose_entry_point(name, found)
            # if several threads import it at the same time, all of them get the adapter of the first
            self._adapters.setdefault(name, Adapter(name, import_plugin(entry_point)))
        return self._adapters[name]

    def loaded(self, name: str) -> Adapter | None:
        """The adapter called `name`, if it has been imported."""
        return self._adapters.get(name)

    def resident(self) -> tuple[str, ...]:
        """The adapters whose loaders can keep data on a device, sorted. Their code is read, but not imported."""
        found = {
            entry_point.name for entry_point in self._entry_points(ADAPTERS) if _defines(entry_point, RESIDENT_HOOK)
        }
        return tuple(sorted(found.union(name for name, adapter in self._adapters.items() if adapter.has_resident)))

    def framework_version(self, name: str) -> str:
        """The installed versions of the packages that an adapter's extra requires; empty if it requires none."""
        from importlib import metadata  # noqa: PLC0415 -- a warm get_dataset does not need it

        found = self._named(ADAPTERS, name)
        versions = []
        for requirement in requirements_of_extra(found[0], name) if found else ():
            package = requirement.partition("[")[0]
            try:
                versions.append(f"{package} {metadata.version(package)}")
            except metadata.PackageNotFoundError:  # installed under another name, as tensorflow-cpu may be
                others = sorted(set(metadata.packages_distributions().get(package, ())))
                versions += [f"{other} {metadata.version(other)}" for other in others]
        return ", ".join(versions)

    def exporters(self) -> tuple[str, ...]:
        """The names of the export formats, sorted. No exporter is imported."""
        return tuple(sorted(self._names(EXPORTERS)))

    def exporter(self, name: str) -> Exporter:
        """The exporter called `name`, imported on the first call.

        Raises `UnknownNameError`, `MissingFrameworkError`, or `AdapterError` if the plugin is not sound.
        """
        found = self._named(EXPORTERS, name) if isinstance(name, str) else []
        if not found:
            raise UnknownNameError("export format", name, self.exporters())
        if name not in self._exporters:
            from idxhub.plugins.exporter import Exporter  # noqa: PLC0415 -- who loads data does without it

            self._exporters.setdefault(name, Exporter(name, import_plugin(choose_entry_point(name, found))))
        return self._exporters[name]

    def summarize_exporters(self) -> tuple[ExporterSummary, ...]:
        """A description of each exporter and of the packages that it needs. No exporter is imported."""
        from importlib import metadata  # noqa: PLC0415 -- as in `framework_version`

        def is_missing(package: str) -> bool:
            try:
                metadata.version(package.partition("[")[0])
            except metadata.PackageNotFoundError:
                return True
            return False

        summaries = []
        for name in self.exporters():
            entry_point = self._named(EXPORTERS, name)[0]
            packages = tuple(requirements_of_extra(entry_point, name))
            missing = tuple(filter(is_missing, packages))
            summaries.append(ExporterSummary(name, _first_line(entry_point), packages, missing))
        return tuple(summaries)

    def datasets(self) -> Mapping[str, DatasetSpec]:
        """The catalog: the built-in datasets and those of plugins. A plugin that fails is left out with a warning."""
        if self._datasets is None:
            catalog = builtin.datasets()
            for entry_point in self._entry_points(DATASETS):
                process, handlers = ThisProcess.id, signal_handlers()
                try:
                    with stdout_to_stderr():  # its output must not get into that of --json
                        catalog |= self._contributed(entry_point, catalog)
                except BaseException as error:
                    if is_interruption(error, process, handlers):
                        raise
                    message = f"idxhub: no datasets from {origin_of(entry_point)}: {describe_error(error)}"
                    with contextlib.suppress(ValueError):  # the plugin has closed standard error
                        warnings.warn(message, stacklevel=2)
            self._datasets = catalog
        return self._datasets

    def specs(self) -> Iterable[DatasetSpec]:
        """The specs of the catalog."""
        return self.datasets().values()

    def subjects(self) -> tuple[str, ...]:
        """The frameworks whose adapters the conformance kit can check, sorted. No adapter is imported."""
        return tuple(sorted(self._names(SUBJECTS)))

    def subject(self, framework: str) -> object | None:
        """The subject that an adapter's distribution provides for the conformance kit; None if it provides none."""
        found = self._named(SUBJECTS, framework)
        return import_plugin(choose_entry_point(framework, found)) if found else None

    def commands(self) -> dict[str, str]:
        """The subcommands that distributions add to `idxhub`, and the distribution of each. None is imported."""
        return {
            entry_point.name: distribution_of(entry_point) or printable(entry_point.value)
            for entry_point in self._entry_points(COMMANDS)
        }

    def command(self, name: str) -> object | None:
        """Import the subcommand called `name`; None if it does not exist."""
        found = self._named(COMMANDS, name)
        return import_plugin(choose_entry_point(name, found)) if found else None

    def dataset(self, name: str | DatasetSpec) -> DatasetSpec:
        """The spec called `name`. A spec instead of a name is returned as it is.

        If no dataset has exactly this name, one whose name differs in case, or in - and _, is the one.
        """
        if isinstance(name, DatasetSpec):
            return name
        if not isinstance(name, str):  # it may not be hashable
            raise UnknownNameError("dataset", name, self.datasets(), why=self._what_else(name))
        if name in builtin.NAMES:  # no plugin needs to be searched for
            return builtin.dataset(name)
        folded = _fold(name)
        if folded in builtin.NAMES:
            return builtin.dataset(folded)
        catalog = self.datasets()
        if name in catalog:
            return catalog[name]
        similar = [each for each in catalog if _fold(each) == folded]
        if len(similar) == 1:
            return catalog[similar[0]]
        raise UnknownNameError("dataset", name, similar or catalog, why=self._what_else(name))

    def _what_else(self, name: object) -> str:
        """What somebody has named instead of a dataset: a path or a framework; empty if neither."""
        if isinstance(name, os.PathLike) or (isinstance(name, str) and (os.sep in name or (os.altsep or "/") in name)):
            return "that is a path; for files in a folder, name the dataset and the folder (data_dir=)"
        if isinstance(name, str) and (name in self.adapters() or self._named(ALIASES, name.casefold())):
            return "that is a framework, and not a dataset"
        return ""

    def _adapter_instead(self, name: str) -> str:
        """Which adapter the users of another library need, according to the entry points; empty if none says so."""
        instead = sorted({entry_point.value for entry_point in self._named(ALIASES, name.casefold())})
        return f"write {' or '.join(map(repr, instead))}" if instead else ""

    def _contributed(self, entry_point: EntryPoint, catalog: Mapping[str, DatasetSpec]) -> dict[str, DatasetSpec]:
        hooks = load_hooks(entry_point.name, entry_point.load(), ["idxhub_datasets"])
        added: dict[str, DatasetSpec] = {}
        contributed = hooks.idxhub_datasets()
        if not contributed:  # pluggy leaves None out
            raise AdapterError(f"{printable(entry_point.value)}: idxhub_datasets returned nothing")
        for spec in contributed[0]:
            if not isinstance(spec, DatasetSpec):
                raise AdapterError(f"{printable(entry_point.value)} gave {describe_object(spec)}, not a DatasetSpec")
            if spec.name in catalog or spec.name in added or _fold(spec.name) in builtin.NAMES:
                raise AdapterError(f"{printable(entry_point.value)} adds {spec.name!r}, which exists already")
            added[spec.name] = spec
        return added

    def _names(self, group: str) -> set[str]:
        return {entry_point.name for entry_point in self._entry_points(group)}

    def _named(self, group: str, name: str) -> list[EntryPoint]:
        return [entry_point for entry_point in self._entry_points(group) if entry_point.name == name]

    def _entry_points(self, group: str) -> Sequence[EntryPoint]:
        if self._entry_points_given is not None:
            return [entry_point for entry_point in self._entry_points_given if entry_point.group == group]
        if group not in self._found:  # only once: it reads the metadata of all installed distributions
            self._found[group] = list(_with_sound_names(find_entry_points(group)))
        return self._found[group]


def _with_sound_names(entry_points: Iterable[EntryPoint]) -> Iterator[EntryPoint]:
    """The entry points without those whose name cannot be shown, or would be taken for an option of the command."""
    for entry_point in entry_points:
        name = entry_point.name
        if name and name.isprintable() and not name.startswith("-") and len(name) <= _LONGEST_NAME:
            yield entry_point
        else:
            why = f"{printable(repr(name))} cannot be the name of an entry point"
            warnings.warn(f"idxhub: {origin_of(entry_point)} is ignored: {why}", stacklevel=2)


def _fold(name: str) -> str:
    """A dataset's name in the form in which names are compared: other libraries write fashion_mnist."""
    return name.casefold().replace("_", "-")


_INSTALLED = Plugins()  # it searches for plugins when they are needed


def installed() -> Plugins:
    """The plugins of this environment."""
    return _INSTALLED


def _reduce_adapter(adapter: Adapter) -> tuple[Any, ...]:
    if installed().loaded(adapter.name) is not adapter:
        # Python itself raises TypeError for objects that cannot be pickled
        raise TypeError(f"the adapter {adapter.name!r} is not installed, so it cannot be pickled")
    return _installed_adapter, (adapter.name,)


def _installed_adapter(name: str) -> Adapter:
    return installed().adapter(name)


copyreg.pickle(Adapter, _reduce_adapter)


def _defines(entry_point: EntryPoint, name: str) -> bool:
    """Whether the module of an entry point uses a name. Its code is read and not run."""
    code = _read_module(entry_point, "get_code")
    return code is not None and name in _names_in(code)


def _first_line(entry_point: EntryPoint) -> str:
    """The first line of the docstring of an entry point's module; empty if it has none."""
    import ast  # noqa: PLC0415 -- for the list of exporters alone

    source = _read_module(entry_point, "get_source")
    try:
        return "" if source is None else printable((ast.get_docstring(ast.parse(source)) or "").partition("\n")[0])
    except (SyntaxError, ValueError, RecursionError):  # the module is another distribution's, and may be broken
        return ""


def _read_module(entry_point: EntryPoint, method: str) -> Any:
    """The result of `get_code` or `get_source`, methods of a loader, for an entry point's module, which is not run.

    It is None if the module cannot be read: the module of another distribution may raise any error.
    """
    from importlib.abc import InspectLoader  # noqa: PLC0415 -- needed for an error or a list alone, as is the next
    from importlib.util import find_spec  # noqa: PLC0415

    module = entry_point.value.partition("[")[0].partition(":")[0].strip()
    process, handlers = ThisProcess.id, signal_handlers()
    try:
        with stdout_to_stderr():  # the package that contains the module is imported
            spec = find_spec(module)
        if spec is None or not isinstance(spec.loader, InspectLoader):
            return None
        return getattr(spec.loader, method)(module)
    except BaseException as error:
        if is_interruption(error, process, handlers):
            raise
        return None


def _names_in(code: CodeType) -> set[str]:
    """The names that are used in a piece of code, and in the classes and functions in it."""
    return set(code.co_names).union(*(_names_in(each) for each in code.co_consts if isinstance(each, CodeType)))
