"""What a mirror setting means: URLs or folders, where each mirror has a file, and which parts of a URL are secret.

No other module takes a mirror's URL apart. A login (user name and password) and a query (which may hold a token) are
sent to the server, and neither shown nor recorded.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from idxhub.catalog.spec import DatasetSpec, Resource
from idxhub.errors import ArgumentError
from idxhub.paths import absolute_path

_DRIVE = r"[a-z]:[/\\]"  # of Windows: one letter before the colon
_URL = re.compile(r"[a-z][a-z0-9+.-]+:|//", re.IGNORECASE)  # a URL, or what was meant for one
_COMPLETE_URL = re.compile(r"[a-z][a-z0-9+.-]+://", re.IGNORECASE)
# After a colon everything up to the last @ may be a password, with a slash or an @ that should have been escaped.
_LOGIN = re.compile(
    rf"\A(?!{_DRIVE})((?>[a-z][a-z0-9+.-]*:/+|//|))(?:[^/:]*:.*|(?<=/)[^/]*)@", re.IGNORECASE | re.DOTALL
)
_MALFORMED = re.compile(
    rf"(?!https?://|file:|{_DRIVE})("
    r"[a-z][a-z0-9+.-]+://"  # a scheme that is not understood
    r"|https?:(?!//)"  # slashes forgotten
    r"|(//)?[^/]+:.*@"  # a login without a scheme
    r"|(//)?[^/~.\\][^?]*\?[^=]*="  # a query without a scheme
    r")",
    re.IGNORECASE,
)
_NOT_SHOWN = "(not shown)"


class FileUrl(NamedTuple):
    """Where a mirror has a file: `url` is what is requested, `shown` is the same without login and query."""

    url: str
    shown: str


def parse_mirrors(setting: str) -> tuple[str, ...]:
    """The mirrors named in IDXHUB_MIRRORS, which are separated by commas.

    Raises `ArgumentError`, without the setting's value, where a comma may be part of a login or of a query.
    """
    mirrors = tuple(mirror.strip() for mirror in setting.split(",") if mirror.strip())
    after_colon = after_query = False
    for mirror in mirrors:
        if _COMPLETE_URL.match(mirror):
            after_query = "?" in mirror
        elif after_query or (after_colon and "@" in mirror):
            must_be = (
                "mirrors separated by commas; a comma in a login or in a query is written %2C, and after a URL "
                "a folder with an @ in its name, or any folder after a query, is written file:///PATH, the @ as %40"
            )
            raise ArgumentError("IDXHUB_MIRRORS", _NOT_SHOWN, must_be)
        after_colon = after_colon or (":" in mirror and re.match(_DRIVE, mirror, re.IGNORECASE) is None)
    return mirrors


def check_mirrors(spec: DatasetSpec, mirrors: Iterable[str]) -> None:
    """Raise `ArgumentError` for a mirror that is neither a folder nor a URL that begins with http, https or file."""
    for setting, listed in (("IDXHUB_MIRRORS", mirrors), (f"mirrors of {spec.name}", spec.mirrors)):
        for mirror in filter(_is_malformed, listed):
            must_be = "a URL that begins with https://, http:// or file://, or a folder"
            raise ArgumentError(setting, redact_url(mirror), must_be)


def mirror_urls(spec: DatasetSpec, mirrors: Iterable[str]) -> list[str]:
    """The mirrors to download from, in the order in which they are tried: `mirrors`, then those of the spec."""
    return [mirror.replace("{dataset}", spec.name) for mirror in (*mirrors, *spec.mirrors) if _is_http_url(mirror)]


def mirror_folders(spec: DatasetSpec, mirrors: Iterable[str]) -> list[Path]:
    """The mirrors that are folders, in the order in which they are searched."""
    folders = [each for each in (*mirrors, *spec.mirrors) if not _is_http_url(each) and not _is_malformed(each)]
    return [_folder_path(each.replace("{dataset}", spec.name)) for each in folders]


def file_urls(spec: DatasetSpec, resource: Resource, mirrors: Iterable[str]) -> list[FileUrl]:
    """Where each mirror has the published file of a resource. Its name is added to the path, in front of a query."""
    name = resource.published.filename
    return [FileUrl(_add_to_path(url, name), _add_to_path(redact_url(url), name)) for url in mirror_urls(spec, mirrors)]


def redact_url(mirror: str) -> str:
    """A mirror as it may be shown and recorded: a URL loses its login, its query and its fragment.

    Where a password with a ? cannot be told from a query with an @, only the scheme is left.
    """
    if not _URL.match(mirror) and not _is_malformed(mirror):
        return mirror
    login = _LOGIN.match(mirror)
    if login is not None and "?" in login[0]:
        return f"{login[1]}{_NOT_SHOWN}"
    return re.split(r"[?#]", _LOGIN.sub(r"\1", mirror))[0]


def _add_to_path(url: str, name: str) -> str:
    path, question_mark, query = url.partition("#")[0].partition("?")
    return f"{path.rstrip('/')}/{name}{question_mark}{query}"


def _is_http_url(mirror: str) -> bool:
    return re.match(r"https?://", mirror, re.IGNORECASE) is not None


def _is_malformed(mirror: str) -> bool:
    """Whether a mirror is a URL of a scheme that is not understood, or one whose beginning is mistyped."""
    return _MALFORMED.match(mirror) is not None


def _folder_path(mirror: str) -> Path:
    if mirror.startswith("file:"):
        from urllib.request import url2pathname  # noqa: PLC0415 -- it imports an HTTP client

        mirror = url2pathname(urlsplit(mirror).path)
    return Path(absolute_path(mirror))
