"""Checks of options and names: valid ones are accepted, and wrong ones are refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from idxhub.conformance.checks.common import check
from idxhub.conformance.kit import Case, Violation, require
from idxhub.errors import DownloadError, IdxHubError, UnknownNameError


@check()
def unknown_option(case: Case) -> None:
    """For an unknown option, the error names the options that exist."""
    _refusal_message(case, "optoin", lambda: case.dataset(optoin=1))


@check()
def known_options(case: Case) -> None:
    """The options that the adapter declares are accepted."""
    declared = case.plugins.adapter(case.subject.framework).conventions.options
    unused = set(declared) - set(case.subject.options)
    require(not unused, f"the subject gives no value for {', '.join(sorted(unused))}")
    for option, value in case.subject.options.items():
        case.dataset(**{option: value})


@check("wrong-options")
def wrong_options(case: Case) -> None:
    """A wrong value of an option is refused before anything is loaded."""
    for option, value in case.subject.wrong_options.items():
        try:
            case.dataset(cache_dir=case.cache_dir / "never", **{option: value})
        except DownloadError as error:
            raise Violation(f"with {option}={value!r} the data was searched for: {error}") from error
        except IdxHubError:
            require(not (case.cache_dir / "never").exists(), f"with {option}={value!r} the data was loaded first")
            continue
        raise Violation(f"{option}={value!r} was accepted")


@check()
def unknown_split(case: Case) -> None:
    """For an unknown split, the error names the splits that exist."""
    seen = _refusal_message(case, "tran", lambda: case.dataset("tran"))
    require("train" in seen and "test" in seen, f"the message does not name the splits: {seen}")


def _refusal_message(case: Case, name: str, call: Callable[[], Any]) -> str:
    """The message of the `UnknownNameError` that a call must raise for `name`."""
    try:
        call()
    except UnknownNameError as error:
        require(name in str(error), f"the message does not name {name!r}: {error}")
        return str(error)
    except Exception as error:
        raise Violation(f"{name!r} raised {type(error).__name__}: {error}") from error
    raise Violation(f"{name!r} was accepted by {case.subject.framework}")
