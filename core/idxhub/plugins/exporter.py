"""One exporter: its hooks, called so that what they raise or return is checked."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from idxhub.data.split import Split
from idxhub.errors import AdapterError, UnknownNameError
from idxhub.plugins.adapter import load_hooks
from idxhub.plugins.hookspecs import ExportFormat, ExportSplit
from idxhub.plugins.importing import describe_error, is_interruption

_REQUIRED_HOOKS = ("idxhub_export_format", "idxhub_export")


class Exporter:
    """One loaded exporter; `format` says what it writes."""

    def __init__(self, name: str, plugin: object) -> None:
        self.name = name
        self._hooks = load_hooks(name, plugin, _REQUIRED_HOOKS)
        try:
            self.format: ExportFormat = self._hooks.idxhub_export_format()
            sound = _is_sound(self.format)
            if sound:  # a copy: reading a mapping of the plugin's own could do anything
                self.format = self.format._replace(options=dict(self.format.options))
        except BaseException as error:
            if is_interruption(error):
                raise
            raise AdapterError(f"exporter {name!r}: idxhub_export_format raised {describe_error(error)}") from error
        if not sound:
            raise AdapterError(
                f"exporter {name!r}: idxhub_export_format gave {self.format!r}, not an ExportFormat with a line of "
                "text, True or False, a suffix, and a mapping of options by name"
            )

    def check_options(self, options: Iterable[str], common: Iterable[str] = ()) -> None:
        """Raise `UnknownNameError` for an option that the exporter does not have; `common` are everyone's."""
        for option in options:
            if option not in self.format.options:
                raise UnknownNameError(f"option of {self.name}", option, [*self.format.options, *common])

    def check(self, options: Mapping[str, Any], splits: Mapping[str, ExportSplit]) -> None:
        """Let the exporter refuse options or splits, with an error of its own, before anything is loaded."""
        with self._calling("idxhub_check_export"):
            self._hooks.idxhub_check_export(options=dict(options), splits=dict(splits))

    def export(
        self, splits: Mapping[str, Split], path: Path, options: Mapping[str, Any], progress: Callable[[int], None]
    ) -> None:
        """Write the splits to `path`."""
        with self._calling("idxhub_export"):
            self._hooks.idxhub_export(splits=dict(splits), path=path, options=dict(options), progress=progress)

    @contextlib.contextmanager
    def _calling(self, hook: str) -> Iterator[None]:
        """Let the errors of a hook through, but not what would end the program, such as `SystemExit`."""
        try:
            yield
        except Exception:
            raise
        except BaseException as error:
            if is_interruption(error):
                raise
            raise AdapterError(f"exporter {self.name!r}: {hook} raised {describe_error(error)}") from error


def _is_sound(format_: object) -> bool:
    if not isinstance(format_, ExportFormat) or not isinstance(format_.options, Mapping):
        return False
    texts = (format_.description, format_.suffix, *format_.options)
    return isinstance(format_.is_folder, bool) and all(isinstance(text, str) for text in texts)
