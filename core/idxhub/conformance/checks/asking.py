"""What `get_dataset` answers to options and names, good and bad."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from idxhub.conformance.checks.common import check
from idxhub.conformance.kit import Case, require
from idxhub.errors import DownloadError, IdxHubError, UnknownNameError


@check()
def unknown_option(case: Case) -> None:
    """An unknown option names the ones there are."""
    _refused(case, "optoin", lambda: case.dataset(optoin=1))


@check()
def known_options(case: Case) -> None:
    """Declared options are accepted."""
    declared = case.plugins.adapter(case.subject.framework).conventions.options
    unused = set(declared) - set(case.subject.options)
    require(not unused, f"the subject gives no value for {', '.join(sorted(unused))}")
    for option, value in case.subject.options.items():
        case.dataset(**{option: value})


@check("wrong-options")
def wrong_options(case: Case) -> None:
    """A value that an option cannot have is refused before anything is loaded."""
    for option, value in case.subject.wrong_options.items():
        try:
            case.dataset(cache_dir=case.cache_dir / "never", **{option: value})
        except DownloadError as error:
            require(condition=False, seen=f"with {option}={value!r} the data was looked for: {error}")
        except IdxHubError:
            require(not (case.cache_dir / "never").exists(), f"with {option}={value!r} the data was loaded first")
            continue
        require(condition=False, seen=f"{option}={value!r} was accepted")


@check()
def unknown_split(case: Case) -> None:
    """An unknown split names the ones there are."""
    seen = _refused(case, "tran", lambda: case.dataset("tran"))
    require("train" in seen and "test" in seen, f"the message does not name the splits: {seen}")


def _refused(case: Case, name: str, call: Callable[[], Any]) -> str:
    try:
        call()
    except UnknownNameError as error:
        require(name in str(error), f"the message does not name {name!r}: {error}")
        return str(error)
    except Exception as error:  # noqa: BLE001 -- whatever else it is, it is not what was promised
        require(condition=False, seen=f"{name!r} raised {type(error).__name__}: {error}")
    require(condition=False, seen=f"{name!r} was accepted by {case.subject.framework}")
    return ""
