"""One exporter: calls its hooks, and checks what they return."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, TypeGuard

from idxhub.data.split import Split
from idxhub.errors import UnknownNameError
from idxhub.plugins.hook_calls import call_description_hook, calling, load_hooks
from idxhub.plugins.hookspecs import ExportFormat, ExportSplit

_REQUIRED_HOOKS = ("idxhub_export_format", "idxhub_export")


class Exporter:
    """One loaded exporter; `format` says what it writes."""

    def __init__(self, name: str, plugin: object) -> None:
        self.name = name
        self._title = f"exporter {name!r}"  # for messages
        self._hooks = load_hooks(name, plugin, _REQUIRED_HOOKS)
        self.format = call_description_hook(
            self._title,
            self._hooks.idxhub_export_format,
            None,
            _is_sound,
            "an ExportFormat with a line of text, True or False, a suffix, and a mapping of options by name",
        )

    def check_options(self, options: Iterable[str], common: Iterable[str] = ()) -> None:
        """Raise `UnknownNameError` for an option that the exporter does not have; `common` are everyone's."""
        for option in options:
            if option not in self.format.options:
                raise UnknownNameError(f"{self.name} option", option, [*self.format.options, *common])

    def check(self, options: Mapping[str, Any], splits: Mapping[str, ExportSplit]) -> None:
        """Let the exporter refuse options or splits, with an error of its own, before anything is loaded."""
        with calling(self._title, "idxhub_check_export"):
            self._hooks.idxhub_check_export(options=dict(options), splits=dict(splits))

    def export(
        self, splits: Mapping[str, Split], path: Path, options: Mapping[str, Any], progress: Callable[[int], None]
    ) -> None:
        """Write the splits to `path`."""
        with calling(self._title, "idxhub_export"):
            self._hooks.idxhub_export(splits=dict(splits), path=path, options=dict(options), progress=progress)


def _is_sound(format_: object) -> TypeGuard[ExportFormat]:
    if not isinstance(format_, ExportFormat) or not isinstance(format_.options, Mapping):
        return False
    texts = (format_.description, format_.suffix, *format_.options)
    return isinstance(format_.is_folder, bool) and all(isinstance(text, str) for text in texts)
