"""What a mirror setting means: URLs or folders, where each publishes a file, and what may be shown of a login."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable

from idxhub.catalog.spec import DatasetSpec, Resource
from idxhub.errors import ArgumentError

_WHOLE = re.compile(r"[a-z][a-z0-9+.-]*://|[/~.\\]|[a-z]:[/\\]", re.IGNORECASE)  # how a mirror with an @ begins
_LOGIN = re.compile(
    r"\A(?![a-z]:[/\\])"  # no drive
    r"((?>[a-z][a-z0-9+.-]*:/+|//|))"
    r"(?:[^/:]*:.*|(?<=/)[^/]*)@",
    re.IGNORECASE | re.DOTALL,
)


def parse_mirrors(setting: str) -> tuple[str, ...]:
    """The mirrors named in IDXHUB_MIRRORS, separated by commas. Raises `ArgumentError`, which shows nothing, for what
    may be a login that was cut in two.
    """
    mirrors = tuple(mirror.strip() for mirror in setting.split(",") if mirror.strip())
    for before, mirror in itertools.pairwise(mirrors):
        if ":" in before and "@" in mirror and not _WHOLE.match(mirror):
            must_be = (
                "mirrors separated by commas; a comma in a user name or password is written %2C, "
                "and a folder with an @ in its name ./NAME"
            )
            raise ArgumentError("IDXHUB_MIRRORS", "(not shown)", must_be)
    return mirrors


def check_mirrors(spec: DatasetSpec, mirrors: Iterable[str]) -> None:
    """Raise `ArgumentError` for a mirror that is neither a URL of a scheme that is understood nor a folder."""
    for setting, listed in (("IDXHUB_MIRRORS", mirrors), (f"mirrors of {spec.name}", spec.mirrors)):
        for mirror in filter(is_malformed, listed):
            must_be = "a URL that begins with https://, http:// or file://, or a folder"
            raise ArgumentError(setting, redact_url(mirror), must_be)


def file_urls(spec: DatasetSpec, resource: Resource, mirrors: Iterable[str]) -> list[str]:
    """Where the file is published, at each mirror that is a URL, in the order in which they are tried."""
    bases = [mirror.replace("{dataset}", spec.name) for mirror in (*mirrors, *spec.mirrors) if is_http_url(mirror)]
    return [f"{base.rstrip('/')}/{resource.published.filename}" for base in bases]


def redact_url(url: str) -> str:
    """A URL, or what was meant for one, as it may be shown and kept: user name and password left out.

    After a colon all up to the last @ goes: it may be a password with a slash that should have been escaped.
    """
    return _LOGIN.sub(r"\1", url)


def is_http_url(mirror: str) -> bool:
    """Whether a mirror is one to download from; others are folders."""
    return re.match(r"https?://", mirror, re.IGNORECASE) is not None


def is_malformed(mirror: str) -> bool:
    """Whether a mirror is the URL of a scheme that is not understood, or one with a slip before its host.

    One letter before the colon is a drive.
    """
    slips = r"https?:(?!//)|(//)?(?![a-z]:[/\\])[^/]+:.*@"
    return re.match(rf"(?!https?://|file:)([a-z][a-z0-9+.-]+://|{slips})", mirror, re.IGNORECASE) is not None
