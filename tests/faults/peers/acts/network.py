"""What comes over the network, or does not."""

from __future__ import annotations

import contextlib
import gzip
import os
import shutil
from collections.abc import Callable, Iterator

import trustme
from faults.peers.acts.base import Found, NotApplicableError, others, warm_up
from faults.peers.stage import IMAGES, LABELS, PARQUET, Attempt, Stage
from support.proxy import Proxy
from support.server import Answer, closed_port, endless, ok, page, redirect, status
from support.tls import UNSOUND, secure


def answers(how: Callable[[bytes], Answer | list[Answer]], *, why_not: str = "") -> Callable[[Stage], Found]:
    """The server answers so for one file; `why_not` says why Parquet is left out."""

    def act(stage: Stage) -> Found:
        if why_not and stage.loader.is_parquet:
            raise NotApplicableError(why_not)
        given = how(stage.body())
        stage.serve(*(given if isinstance(given, list) else [given]))
        return Found(stage.call())

    return act


def elsewhere(url: Callable[[], str]) -> Callable[[Stage], Found]:
    """The only address is another one."""

    def act(stage: Stage) -> Found:
        stage.urls = [url()]
        return Found(stage.call())

    return act


def served(other: str, *, why_not: str = "") -> Callable[[Stage], Found]:
    """Other files come under the names of the right ones."""

    def act(stage: Stage) -> Found:
        given = others(stage, other, why_not)
        for name, body in given.items():
            stage.route(name, ok(body))
        return Found(stage.call())

    return act


def lying(other: str, *, why_not: str = "Parquet has no such part") -> Callable[[Stage], Found]:
    """Other files lie where the loader looks before it downloads; for Parquet that is a folder that it is given."""

    def act(stage: Stage) -> Found:
        given = others(stage, other, why_not)
        if stage.loader.is_parquet:
            mine = stage.home / "mine"
            mine.mkdir()
            (mine / PARQUET).write_bytes(given[PARQUET])
            stage.urls = [str(mine)]
            attempt = stage.call()
            (mine / PARQUET).write_bytes(stage.body())
            return Found(attempt, after=stage.call())
        folder = stage.home / stage.loader.place
        folder.mkdir(parents=True)
        for name in (IMAGES, LABELS, *(n for n in stage.truth.files if n.startswith("train"))):
            body = given.get(name, stage.truth.files[name])
            if stage.loader.placed_raw:
                (folder / name.removesuffix(".gz")).write_bytes(gzip.decompress(body))
            else:
                (folder / name).write_bytes(body)
        found = Found(stage.call())
        shutil.rmtree(folder)  # whoever put them there takes them away; what the loader made of them stays
        return found

    return act


def looping(stage: Stage) -> Found:
    """The file is always elsewhere, namely where it was asked for."""
    stage.serve(redirect(stage.target))
    return Found(stage.call())


def waiting(stage: Stage) -> Found:
    """429, and two seconds."""
    stage.serve(status(429, retry_after="2"), ok(stage.body()))
    attempt = stage.call()
    at = [request.at for request in stage.server.requests if request.path.endswith(stage.target)]
    early = len(at) > 1 and at[1] - at[0] < 1.9
    return Found(attempt, unmet=f"asked again after {at[1] - at[0]:.1f} s" if early else "")


def endlessly(stage: Stage) -> Found:
    """The body, then zeros for as long as they are taken, at some 3 MB/s."""
    stage.serve(endless(stage.body(), most=1 << 40, pause=0.02))
    began = stage.server.bytes_sent
    attempt = stage.call()
    taken = stage.server.bytes_sent - began
    expected = sum(map(len, stage.truth.files.values()))
    return Found(attempt, f"{taken / 1e6:,.0f} MB taken" if taken > expected + 50e6 else "")


def downgraded(stage: Stage) -> Found:
    """https redirects to http."""
    with _trusted(stage) as authority, secure(authority) as secured:
        for name in stage.truth.files:
            stage.route(name, redirect(f"{stage.server.url}/{name}"), server=secured)
        stage.urls = [secured.url]
        attempt = stage.call()
        followed = stage.server.count() > 0 and attempt.kind == "right"
        return Found(attempt, unmet="followed to http" if followed else "")


def certificate(fault: str) -> Callable[[Stage], Found]:
    def act(stage: Stage) -> Found:
        with _trusted(stage) as authority, UNSOUND[fault](authority) as server:
            stage.serve(server=server)
            stage.urls = [server.url]
            return Found(stage.call())

    return act


def proxied(stage: Stage) -> Found:
    with Proxy("user:hunter2") as proxy:
        stage.environment = _proxy(proxy.url_for("user:hunter2"))
        attempt = stage.call()
        around = "not asked" if not proxy.asked else ""
        return Found(attempt, unmet=around or _told(attempt))


def proxied_wrongly(stage: Stage) -> Found:
    with Proxy("user:hunter2") as proxy:
        stage.environment = _proxy(proxy.url_for("user:hunter3"))
        attempt = stage.call()
        return Found(attempt, unmet=_told(attempt))


def proxied_nowhere(stage: Stage) -> Found:
    stage.environment = _proxy(f"http://user:hunter2@127.0.0.1:{closed_port()}")
    attempt = stage.call()
    return Found(attempt, unmet=_told(attempt))


def not_proxied(stage: Stage) -> Found:
    dead = f"http://127.0.0.1:{closed_port()}"
    stage.environment = _proxy(dead) | {"no_proxy": "127.0.0.1", "NO_PROXY": "127.0.0.1"}
    return Found(stage.call())


def all_bad(stage: Stage) -> Found:
    if not stage.loader.mirrors:
        raise NotApplicableError("takes one address")
    refused = f"http://127.0.0.1:{closed_port()}"
    stage.serve(page())
    stage.urls = [stage.server.url, refused, f"{stage.server.url}/nowhere"]
    attempt = stage.call()
    unnamed = [url for url in stage.urls if url not in attempt.message]
    return Found(attempt, unmet=f"{len(unnamed)} of 3 not named" if unnamed else "")


def alone(*, warm: bool) -> Callable[[Stage], Found]:
    """No network at all."""

    def act(stage: Stage) -> Found:
        if warm:
            warm_up(stage)
        return Found(stage.call(prefix=("unshare", "-n") if os.geteuid() == 0 else ("unshare", "-rn")))

    return act


def bomb(stage: Stage) -> Found:
    """A gibibyte of zeros in a megabyte."""
    if stage.loader.is_parquet:
        raise NotApplicableError("Parquet is no .gz")
    stage.serve(ok(stage.truth.others["bomb"][IMAGES]))
    attempt = stage.call()
    large = attempt.memory > 500e6
    return Found(attempt, unmet=f"{attempt.memory / 1e9:.1f} GB of memory" if large else "")


@contextlib.contextmanager
def _trusted(stage: Stage) -> Iterator[trustme.CA]:
    """An authority that whatever the loader is built upon is told to trust."""
    authority, path = trustme.CA(), stage.home.parent / "authority.pem"
    authority.cert_pem.write_to_path(str(path))
    stage.environment = dict.fromkeys(("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", "CURL_CA_BUNDLE"), str(path))
    yield authority


def _proxy(url: str) -> dict[str, str]:
    return {name: url for scheme in ("http", "https") for name in (f"{scheme}_proxy", f"{scheme}_proxy".upper())}


def _told(attempt: Attempt) -> str:
    said = " ".join([attempt.message, *attempt.chain, attempt.printed])
    return "password printed" if "hunter" in said else ""
