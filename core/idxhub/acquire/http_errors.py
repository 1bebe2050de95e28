"""Messages for failed requests. They contain no URL, and at most one line of what the server sent."""

from __future__ import annotations

from urllib.parse import urlsplit

import requests

from idxhub.acquire import connection


def is_sound_url(url: str) -> bool:
    """Whether requests accepts a URL."""
    try:
        requests.Request("GET", url).prepare()
    except ValueError:  # the exceptions that requests raises here are ValueErrors
        return False
    return True


def describe_refused_url(url: str, error: Exception) -> str:
    """Why requests refuses a sound URL: usually because of the proxy that the environment names for it."""
    if isinstance(error, requests.exceptions.InvalidSchema) and "SOCKS" in str(error):
        return 'the proxy speaks SOCKS, which needs PySocks: python -m pip install "requests[socks]"'
    if requests.utils.select_proxy(url, requests.utils.get_environ_proxies(url)):
        return f"the proxy's address cannot be used; see {urlsplit(url).scheme}_proxy"
    return "the address cannot be used"


def is_lost_connection(error: Exception) -> bool:
    """Whether the server closed a connection before it answered."""
    return isinstance(_causes(error)[-1], ConnectionResetError | ConnectionAbortedError | BrokenPipeError)


def describe_error(error: Exception) -> str:
    """A message for the innermost cause of an error of requests or urllib3, which wrap it several times."""
    if isinstance(error, requests.exceptions.ConnectTimeout):
        return f"no connection within {connection.CONNECT_TIMEOUT:.0f} s"
    if isinstance(error, requests.exceptions.ReadTimeout):
        return f"no answer within {connection.READ_TIMEOUT:.0f} s"
    causes = _causes(error)
    cause = causes[-1]
    reason = getattr(cause, "strerror", None) or (
        str(cause) if type(cause) is OSError else f"{type(cause).__name__}: {cause}"
    )
    # say that it is the proxy: otherwise the reader would think that the mirror refused the connection
    proxy = any(isinstance(each, requests.exceptions.ProxyError) or type(each).__module__ == "socks" for each in causes)
    return f"the proxy: {reason}" if proxy else reason


def error_number(error: Exception) -> int | None:
    """The errno of the innermost cause of an error; None if it has none."""
    number: int | None = getattr(_causes(error)[-1], "errno", None)
    return number


def _causes(error: BaseException) -> list[BaseException]:
    """The error and its causes, the innermost cause last."""
    causes = [error]
    while (inner := causes[-1].__cause__ or causes[-1].__context__) is not None:
        causes.append(inner)
    return causes
