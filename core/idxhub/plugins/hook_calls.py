"""Calls the hooks of one plugin. What stops a program, such as `SystemExit`, becomes an `AdapterError`."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import TypeGuard, TypeVar

import pluggy

from idxhub.errors import AdapterError
from idxhub.plugins import hookspecs
from idxhub.plugins.hookspecs import Conventions, ExportFormat
from idxhub.plugins.importing import ThisProcess, describe_error, describe_object, is_interruption, text_of

Described = TypeVar("Described", Conventions, ExportFormat)


def load_hooks(name: str, plugin: object, required: Sequence[str]) -> pluggy.HookRelay:
    """The hooks of one plugin, in its own manager, so that plugins are independent and a bad one leaves no trace."""
    manager = pluggy.PluginManager("idxhub")
    manager.add_hookspecs(hookspecs)
    process = ThisProcess.id
    try:
        manager.register(plugin, name)
        manager.check_pending()
    except (ValueError, pluggy.PluginValidationError) as error:
        raise AdapterError(f"plugin {name!r}: {text_of(error)}") from error
    except BaseException as error:  # pluggy reads each attribute of the plugin, which may run any code
        if is_interruption(error, process):
            raise
        raise AdapterError(f"plugin {name!r}: {describe_error(error)}") from error
    implemented = {caller.name for caller in manager.get_hookcallers(plugin) or []}
    missing = [hook for hook in required if hook not in implemented]
    if missing:
        raise AdapterError(f"plugin {name!r} has no {' and no '.join(missing)} marked with hookimpl")
    return manager.hook


@contextlib.contextmanager
def calling(plugin: str, hook: str) -> Iterator[None]:
    """A context that lets the errors of a hook pass, but turns `SystemExit` and the like into `AdapterError`."""
    process = ThisProcess.id
    try:
        yield
    except Exception:
        raise
    except BaseException as error:
        if is_interruption(error, process):
            raise
        raise hook_error(plugin, hook, error) from error


def hook_error(plugin: str, hook: str, error: BaseException) -> AdapterError:
    """The error to raise if a hook raised `error`, and `error` should not end the program."""
    return AdapterError(f"{plugin}: {hook} raised {describe_error(error)}")


def call_description_hook(
    plugin: str,
    hook: pluggy.HookCaller,
    default: object,
    is_sound: Callable[[object], TypeGuard[Described]],
    must_be: str,
) -> Described:
    """What a plugin says of itself: the value of `hook`, with a copy of its mapping of options.

    The options are copied because a mapping from a plugin may run any code. Raises `AdapterError` if the hook fails, or
    if its value is not sound.
    """
    process = ThisProcess.id
    try:
        answer = hook()
        described = default if answer is None else answer
        if is_sound(described):
            return described._replace(options=dict(described.options))
    except BaseException as error:
        if is_interruption(error, process):
            raise
        raise hook_error(plugin, hook.name, error) from error
    raise AdapterError(f"{plugin}: {hook.name} gave {describe_object(answer)}, not {must_be}")
