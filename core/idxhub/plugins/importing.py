"""Importing plugins. A plugin that fails, prints or exits while it is imported must not harm anything else."""

from __future__ import annotations

import contextlib
import functools
import os
import re
import sys
import warnings
from _thread import allocate_lock
from collections.abc import Callable, Collection, Iterator, Sequence
from types import CodeType, FrameType, FunctionType, MethodType, TracebackType
from typing import TYPE_CHECKING, Any, TypeAlias

from idxhub.cache.atomic import Terminated
from idxhub.errors import AdapterError, IdxHubError, MissingFrameworkError, describe_value, printable
from idxhub.plugins import entry_points

if TYPE_CHECKING:
    from importlib import metadata

_LONGEST_TEXT = 400  # characters of a plugin's text in a message

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
    return distribution_of(entry_point) == "idxhub"


def import_plugin(entry_point: EntryPoint) -> object:
    """Import the object that an entry point names. Text that is printed meanwhile goes to standard error."""
    process, handlers = ThisProcess.id, signal_handlers()
    try:
        with stdout_to_stderr():
            return entry_point.load()
    except BaseException as error:
        is_ours = isinstance(error, IdxHubError) and _convert(error, str)  # a subclass may have a broken `__str__`
        if is_ours or is_interruption(error, process, handlers):
            raise
        raise _import_error(entry_point, error) from error


def _import_error(entry_point: EntryPoint, error: BaseException) -> IdxHubError:
    """The error to raise if the import of a plugin raised `error`."""
    if isinstance(error, ImportError):
        module = error.name if type(error.name) is str else ""  # a plugin may raise the error itself, with any object
        missing = printable(module.partition(".")[0]) if isinstance(error, ModuleNotFoundError) else ""
        explanation = (
            _explain_missing_module(entry_point, missing) if missing else _explain_failed_import(entry_point, error)
        )
        return MissingFrameworkError(explanation, name=error.name)
    if isinstance(error, AttributeError):
        return AdapterError(f"{origin_of(entry_point)}: {text_of(error)}")
    return AdapterError(f"{origin_of(entry_point)} does not import: {describe_error(error)}")


class ThisProcess:
    """The id of this process. To read it takes a tenth of the time of `os.getpid()`, for the sake of each batch."""

    id = os.getpid()

    @classmethod
    def read_id(cls) -> None:
        """Read the id again, because the process has been forked."""
        cls.id = os.getpid()


if hasattr(os, "register_at_fork"):  # Windows has no fork
    os.register_at_fork(after_in_child=ThisProcess.read_id)


def is_interruption(error: BaseException, process: int, handlers: Collection[object] | None = None) -> bool:
    """Whether an exception of a plugin should end this process.

    It should if it comes from Ctrl-C, or if the handler of a signal that arrived raised it, or if the plugin has forked
    and this is the child: `process` is `ThisProcess.id` before the plugin ran. If a plugin raises anything
    else, even `SystemExit`, this is a failure of the plugin. `handlers` are the signal handlers that count; by default,
    those that are installed now.
    """
    if ThisProcess.id != process:  # the program must not go on in two processes
        return True
    if isinstance(error, Exception):
        return False
    if isinstance(error, (KeyboardInterrupt, Terminated)):
        return True
    codes = set(map(_code_of, signal_handlers() if handlers is None else handlers)) - {None}
    return any(frame.f_code in codes and _was_called_for_a_signal(frame) for frame in _frames(error.__traceback__))


def signal_handlers() -> list[object]:
    """The signal handlers of this process. Before a plugin is imported, none of them belongs to this plugin."""
    import _signal  # type: ignore[import-not-found]  # noqa: PLC0415 -- built in; `signal` takes 0.5 ms to import

    return [handler for handler in map(_signal.getsignal, _signal.valid_signals()) if callable(handler)]


def _code_of(handler: object) -> CodeType | None:
    """The code that runs first if this handler is called; None if it is not written in Python.

    The types are compared without `isinstance`, which may run code of the handler.
    """
    kind = type(handler)
    if issubclass(kind, functools.partial):
        return _code_of(handler.func)  # type: ignore[attr-defined]  # mypy does not follow `issubclass`
    if kind is MethodType:
        return _code_of(handler.__func__)  # type: ignore[attr-defined]  # nor `kind is`
    function = handler if kind is FunctionType else kind.__call__
    return getattr(function, "__code__", None)


def _was_called_for_a_signal(frame: FrameType) -> bool:
    """Whether Python called the handler with this frame because a signal arrived, and not the plugin as a function.

    Python passes the frame that was interrupted. A handler may have deleted its arguments; then it counts too.
    """
    code, variables = frame.f_code, frame.f_locals
    arguments = code.co_argcount + bool(code.co_flags & 0x04)  # CO_VARARGS: the function has a parameter such as *args
    names = code.co_varnames[: code.co_argcount]
    if arguments > code.co_argcount:
        names += (code.co_varnames[code.co_argcount + code.co_kwonlyargcount],)
    for name in names:
        value = variables.get(name, frame)
        if FrameType in (type(value), *map(type, value if type(value) is tuple else ())):
            return True
    return False


def _frames(traceback: TracebackType | None) -> Iterator[FrameType]:
    while traceback is not None:
        yield traceback.tb_frame
        traceback = traceback.tb_next


class _Stderr:
    """Standard error under the name of `sys.stdout`. A plugin that closes it does not close standard error."""

    def __getattr__(self, name: str) -> Any:
        return getattr(sys.stderr, name)

    def __enter__(self) -> _Stderr:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Write what is in the buffer, and leave the stream open."""
        with contextlib.suppress(OSError, ValueError):
            sys.stderr.flush()


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
            _Redirection.stdout = sys.stdout
            sys.stdout = None if sys.stderr is None else _Stderr()
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
    if packages and _are_installed_without(packages, module):
        problem = f"{entry_point.name!r} needs the module {module!r}, which is not installed"
        return f"{problem}; it does not come with {' or '.join(packages)}: install the package that contains it"
    if packages:
        problem = f"{entry_point.name!r} needs the package {module!r}, which is not installed"
        return f"{problem}; install it with: {_install_command(packages)}"
    problem = f"{_describe_plugin(entry_point)} needs the module {module!r}, which is not installed"
    return f"{problem}; its documentation should say which package contains this module"


def _are_installed_without(packages: Sequence[str], module: str) -> bool:
    """Whether all packages are installed and none of them contains the module, which is then an optional part."""
    from importlib import metadata  # noqa: PLC0415 -- for an error alone

    names = [package.partition("[")[0] for package in packages]
    try:
        for name in names:
            metadata.version(name)
    except metadata.PackageNotFoundError:
        return False
    owners = metadata.packages_distributions().get(module, [])
    return not {_normalize(owner) for owner in owners} & {_normalize(name) for name in names}


def _normalize(package: str) -> str:
    """A package's name in the form in which such names are compared."""
    return re.sub(r"[-_.]+", "-", package).lower()


def _explain_failed_import(entry_point: EntryPoint, error: ImportError) -> str:
    packages = _packages_to_install(entry_point, entry_point.name)
    if packages:
        problem = f"{entry_point.name!r} is installed but does not import: {text_of(error)}"
        return f"{problem}; install it again with: {_install_command(packages, again=True)}"
    return f"{_describe_plugin(entry_point)} is installed but does not import: {text_of(error)}"


def _packages_to_install(entry_point: EntryPoint, guess: str) -> list[str]:
    """The packages that the extra with the entry point's name requires; empty if its distribution has no such extra.

    It is `guess` only if the distribution is not known, because a module and its package may have different names.
    """
    return requirements_of_extra(entry_point, entry_point.name) if entry_point.dist is not None else [guess]


def _describe_plugin(entry_point: EntryPoint) -> str:
    distribution = distribution_of(entry_point)
    return f"the plugin {entry_point.name!r}" + (f" of the distribution {distribution!r}" if distribution else "")


def _install_command(packages: Sequence[str], *, again: bool = False) -> str:
    """The command that installs these packages. In Windows' cmd.exe, single quotes would be a part of the name.

    It does not name an extra of the plugin's distribution. The distribution may not be in a package index, and then
    somebody else could register its name there.
    """
    quoted = (f'"{each}"' if "[" in each else each for each in packages)
    return " ".join(["pip install", *(["--force-reinstall"] if again else []), *quoted])


def requirements_of_extra(entry_point: EntryPoint, extra: str) -> list[str]:
    """The packages, without versions, that an extra of the entry point's distribution requires."""
    requirements = (entry_point.dist.requires if entry_point.dist is not None else None) or []
    found = []
    for requirement in requirements:
        package, _, marker = requirement.partition(";")
        if re.search(rf"extra\s*==\s*['\"]{re.escape(extra)}['\"]", marker):
            found += re.findall(r"^\w[\w.-]*(?:\[[\w., -]*\])?", package.strip())  # it becomes part of a command
    return found


def describe_error(error: BaseException) -> str:
    """An exception of a plugin in one line: its type, and its text if it has one. It is short and printable."""
    kind, text = printable(type(error).__name__), text_of(error)
    return kind if text == kind else f"{kind}: {text}"


def text_of(error: BaseException) -> str:
    """The text of a plugin's exception in one line, short and printable; its type if there is no text."""
    return _convert(error, lambda each: " ".join(str(each).split())) or printable(type(error).__name__)


def describe_object(value: object) -> str:
    """The repr of a plugin's object in one line, short and printable; its type if it has none."""
    return _convert(value, describe_value) or f"an object of type {printable(type(value).__qualname__)}"


def _convert(value: object, to_text: Callable[[Any], str]) -> str:
    """The text that a plugin's object converts itself to; empty if the conversion fails, even with `SystemExit`."""
    process, handlers = ThisProcess.id, signal_handlers()
    try:
        return printable(to_text(value), _LONGEST_TEXT)
    except BaseException as error:
        if is_interruption(error, process, handlers):
            raise
        return ""


def distribution_of(entry_point: EntryPoint) -> str:
    """The name of an entry point's distribution, printable; empty if it is not known or its metadata is broken."""
    try:
        return printable(entry_point.dist.name or "") if entry_point.dist is not None else ""
    except Exception:  # noqa: BLE001 -- the email package reads the metadata, and may raise anything
        return ""


def origin_of(entry_point: EntryPoint) -> str:
    """The object that an entry point names, and its distribution, for a message."""
    distribution = distribution_of(entry_point)
    return printable(entry_point.value) + (f" ({distribution})" if distribution else "")
