"""The meaning of a mirror setting: URLs and folders, where each mirror has a file, and which parts of a URL are secret.

Only this module parses the URLs of mirrors. A login (user name and password) and a query (which may contain a token)
are sent to the server, but they are never shown or recorded.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote, urlsplit

from idxhub.catalog.resource import Resource
from idxhub.catalog.spec import DatasetSpec
from idxhub.errors import ArgumentError
from idxhub.paths import absolute_path

_DRIVE = r"[a-z]:[/\\]"  # a drive of Windows: one letter before the colon
_URL = re.compile(r"[a-z][a-z0-9+.-]+:|//", re.IGNORECASE)  # the start of a URL, or of a mistyped one
_COMPLETE_URL = re.compile(r"[a-z][a-z0-9+.-]+://", re.IGNORECASE)
# After a colon, everything up to the last @ may be a password, even if it has a slash or an @ that is not escaped.
_LOGIN = re.compile(
    rf"\A(?!{_DRIVE})((?>[a-z][a-z0-9+.-]*:/+|https?//|//|))(?:[^/:]*:.*|(?<=/)[^/]*)@", re.IGNORECASE | re.DOTALL
)
_MALFORMED = re.compile(
    rf"(?!https?://|file:|{_DRIVE})("
    r"[a-z][a-z0-9+.-]+://"  # an unknown scheme
    r"|https?(:(?!//)|//)"  # without the slashes, or without the colon
    r"|(//)?[^/]+:.*@"  # a login without a scheme
    r"|(//)?[^/~.\\][^?]*\?[^=]*="  # a query without a scheme
    r")",
    re.IGNORECASE | re.DOTALL,
)
_REDACTED = "(not shown)"


class FileUrl(NamedTuple):
    """The URL of a file at a mirror: `url` is requested, and `shown` is the same URL without login and query."""

    url: str
    shown: str


def parse_mirrors(setting: str) -> tuple[str, ...]:
    """The mirrors in the value of IDXHUB_MIRRORS, where commas separate them.

    Raises `ArgumentError` if a comma may be part of a login or a query. The message does not show the value.
    """
    mirrors = tuple(mirror.strip() for mirror in setting.split(",") if mirror.strip())
    after_colon = after_query = False
    for mirror in mirrors:
        if _COMPLETE_URL.match(mirror):
            after_query = "?" in mirror
        elif after_query or (after_colon and "@" in mirror):
            must_be = (
                "mirrors with commas between them, and each comma inside a login or a query written as %2C (the value "
                "is not shown, because it may hold a password). A folder after such a URL is written as file:///PATH, "
                "with %40 for each @"
            )
            raise ArgumentError("IDXHUB_MIRRORS", _REDACTED, must_be)
        after_colon = after_colon or (":" in mirror and re.match(_DRIVE, mirror, re.IGNORECASE) is None)
    return mirrors


def check_mirrors(spec: DatasetSpec, mirrors: Iterable[str]) -> None:
    """Raise `ArgumentError` for a mirror that is neither a folder nor a URL with the scheme http, https or file."""
    for setting, listed in (("IDXHUB_MIRRORS", mirrors), (f"mirrors of {spec.name}", spec.mirrors)):
        for mirror in filter(_is_malformed, listed):
            must_be = "a URL that begins with https://, http:// or file:///, or a folder"
            raise ArgumentError(setting, redact_url(mirror), must_be)


def mirror_urls(spec: DatasetSpec, mirrors: Iterable[str]) -> list[str]:
    """The mirrors to download from, in the order in which they are tried: `mirrors`, then those of the spec."""
    return [mirror.replace("{dataset}", spec.name) for mirror in (*mirrors, *spec.mirrors) if _is_http_url(mirror)]


def mirror_folders(spec: DatasetSpec, mirrors: Iterable[str]) -> list[Path]:
    """The mirrors that are folders, in the order in which they are searched."""
    folders = [each for each in (*mirrors, *spec.mirrors) if not _is_http_url(each) and not _is_malformed(each)]
    return [_folder_path(each.replace("{dataset}", spec.name)) for each in folders]


def file_urls(spec: DatasetSpec, resource: Resource, mirrors: Iterable[str]) -> list[FileUrl]:
    """The URL of a resource's published file at each mirror. The file's name is added to the path, before a query."""
    name = quote(resource.published.filename, errors="surrogateescape")  # "#" would end the path
    return [FileUrl(_add_to_path(url, name), _add_to_path(redact_url(url), name)) for url in mirror_urls(spec, mirrors)]


def redact_url(mirror: str) -> str:
    """A mirror without secrets, to show or record it: a URL without its login, query and fragment.

    If the URL has both a ? and an @ so that the ? may be part of a password, only the scheme is left.
    """
    if not _URL.match(mirror) and not _is_malformed(mirror):
        return mirror
    login = _LOGIN.match(mirror)
    if login is not None and "?" in login[0]:
        return f"{login[1]}{_REDACTED}"
    return re.split(r"[?#]", _LOGIN.sub(r"\1", mirror))[0]


def _add_to_path(url: str, name: str) -> str:
    path, question_mark, query = url.partition("#")[0].partition("?")
    return f"{path.rstrip('/')}/{name}{question_mark}{query}"


def _is_http_url(mirror: str) -> bool:
    return re.match(r"https?://", mirror, re.IGNORECASE) is not None


def _is_file_url(mirror: str) -> bool:
    return re.match("file:", mirror, re.IGNORECASE) is not None


def _is_malformed(mirror: str) -> bool:
    """Whether a mirror is a URL with an unknown scheme, or one whose beginning is mistyped."""
    if _is_file_url(mirror):
        try:
            host = urlsplit(mirror).netloc
        except ValueError:  # such as file://[x
            return True
        return host not in {"", "localhost"}  # file://srv/data would be the folder /data
    return _MALFORMED.match(mirror) is not None


def _folder_path(mirror: str) -> Path:
    if _is_file_url(mirror):
        from urllib.request import url2pathname  # noqa: PLC0415 -- it imports an HTTP client

        mirror = url2pathname(urlsplit(mirror).path)
    return Path(absolute_path(mirror))
