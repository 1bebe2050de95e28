"""Importing plugins. A plugin that fails, prints or exits while it is imported must not harm anything else."""

from __future__ import annotations

import contextlib
import re
import sys
import warnings
from _thread import allocate_lock
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from idxhub.cache.atomic import Terminated
from idxhub.errors import AdapterError, IdxHubError, MissingFrameworkError
from idxhub.plugins import entry_points

if TYPE_CHECKING:
    from importlib import metadata

EntryPoint: TypeAlias = "entry_points.EntryPoint | metadata.EntryPoint"


def choose_entry_point(name: str, found: Sequence[EntryPoint]) -> EntryPoint:
    """The entry point to use if several have the same name: the built-in one, or the only one."""
    if len({entry_point.value for entry_point in found}) == 1:
        return found[0]
    built_in = [entry_point for entry_point in found if _is_built_in(entry_point)]
    if not built_in:
        origins = " and ".join(sorted(map(origin_of, found)))
        raise AdapterError(f"{name!r} is provided by {origins}; uninstall one")
    others = " and ".join(sorted(origin_of(entry_point) for entry_point in found if entry_point not in built_in))
    warnings.warn(f"idxhub: {name!r} is built in; {others} of the same name is not used", stacklevel=2)
    return built_in[0]


def _is_built_in(entry_point: EntryPoint) -> bool:
    return entry_point.dist is not None and entry_point.dist.name == "idxhub"


def import_plugin(entry_point: EntryPoint) -> object:
    """Import the object that an entry point names. Text that is printed meanwhile goes to standard error."""
    try:
        with stdout_to_stderr():
            return entry_point.load()
    except IdxHubError:
        raise
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        raise MissingFrameworkError(_explain_missing_module(entry_point, missing), name=error.name) from error
    except ImportError as error:
        raise MissingFrameworkError(_explain_failed_import(entry_point, error), name=error.name) from error
    except AttributeError as error:
        raise AdapterError(f"{origin_of(entry_point)}: {error}") from error
    except BaseException as error:
        if is_interruption(error):
            raise
        raise AdapterError(f"{origin_of(entry_point)} does not import: {describe_error(error)}") from error


def is_interruption(error: BaseException) -> bool:
    """Whether an exception should end the program: it comes from Ctrl-C, or a handler of a signal raised it.

    If a plugin raises anything else, even `SystemExit`, this is a failure of the plugin.
    """
    if isinstance(error, Exception):
        return False
    if isinstance(error, (KeyboardInterrupt, Terminated)):
        return True
    import signal  # noqa: PLC0415 -- needed for a rare error alone, as is the next
    import traceback  # noqa: PLC0415

    handlers = [handler for handler in map(signal.getsignal, signal.valid_signals()) if callable(handler)]
    codes = {getattr(each, "__code__", getattr(type(each).__call__, "__code__", None)) for each in handlers}
    return any(frame.f_code in codes for frame, _ in traceback.walk_tb(error.__traceback__))


class _Redirection:
    """How many threads are importing a plugin, and what `sys.stdout` was before the first of them began."""

    lock = allocate_lock()  # the same as threading.Lock; importing threading takes 0.6 ms
    count = 0
    stdout: Any = None


@contextlib.contextmanager
def stdout_to_stderr() -> Iterator[None]:
    """A context in which printed text goes to standard error. Several threads may be in it at the same time.

    `contextlib.redirect_stdout` works for one thread only: if two threads overlap, the second one restores the stream
    that the first one has set.
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


def _explain_missing_module(entry_point: EntryPoint, module: str) -> str:
    packages = _packages_to_install(entry_point, module)
    if packages:
        problem = f"{entry_point.name!r} needs the package {module!r}, which is not installed"
        return f"{problem}; install it with: {_install_command(packages)}"
    problem = f"{_describe_plugin(entry_point)} needs the module {module!r}, which is not installed"
    return f"{problem}; its documentation should say which package contains this module"


def _explain_failed_import(entry_point: EntryPoint, error: ImportError) -> str:
    packages = _packages_to_install(entry_point, entry_point.name)
    if packages:
        problem = f"{entry_point.name!r} is installed but does not import: {error}"
        return f"{problem}; install it again with: {_install_command(packages, again=True)}"
    return f"{_describe_plugin(entry_point)} is installed but does not import: {error}"


def _packages_to_install(entry_point: EntryPoint, guess: str) -> list[str]:
    """The packages that the extra with the entry point's name requires; empty if its distribution has no such extra.

    It is `guess` only if the distribution is not known, because a module and its package may have different names.
    """
    return requirements_of_extra(entry_point, entry_point.name) if entry_point.dist is not None else [guess]


def _describe_plugin(entry_point: EntryPoint) -> str:
    distribution = f" of the distribution {entry_point.dist.name!r}" if entry_point.dist is not None else ""
    return f"the plugin {entry_point.name!r}{distribution}"


def _install_command(packages: Sequence[str], *, again: bool = False) -> str:
    """The command that installs these packages.

    It does not name an extra of the plugin's distribution. The distribution may not be in a package index, and then
    somebody else could register its name there.
    """
    quoted = (f"'{each}'" if "[" in each else each for each in packages)
    return " ".join(["pip install", *(["--force-reinstall"] if again else []), *quoted])


def requirements_of_extra(entry_point: EntryPoint, extra: str) -> list[str]:
    """The packages, without versions, that an extra of the entry point's distribution requires."""
    requirements = (entry_point.dist.requires if entry_point.dist is not None else None) or []
    found = []
    for requirement in requirements:
        package, _, marker = requirement.partition(";")
        if re.search(rf"extra\s*==\s*['\"]{re.escape(extra)}['\"]", marker):
            found += re.findall(r"^[\w.-]+(?:\[[^\]]*\])?", package.strip())
    return found


def describe_error(error: BaseException) -> str:
    """An exception in one line: its type, and its text if it has one."""
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


def origin_of(entry_point: EntryPoint) -> str:
    """The object that an entry point names, and its distribution, for a message."""
    distribution = f" ({entry_point.dist.name})" if entry_point.dist is not None else ""
    return f"{entry_point.value}{distribution}"
