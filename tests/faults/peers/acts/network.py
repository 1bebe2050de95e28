"""The faults as they are done to any loader.

Each function is given a `Stage` and does its worst; it returns the attempt that is judged and, where the row asks
for more than right data or an error, what was found besides. Afterwards the fault is gone and the next call is judged.
"""

from __future__ import annotations

import contextlib
import gzip
import os
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import trustme
from faults.peers.stage import IMAGES, LABELS, PARQUET, VICTIM, Attempt, Stage, kill
from support.proxy import Proxy
from support.server import (
    Answer,
    Handler,
    closed_port,
    ok,
    page,
    redirect,
    status,
)
from support.tls import UNSOUND, secure


class Found(NamedTuple):
    """The attempt, what to note of it, and what the row asked for and did not get."""

    attempt: Attempt
    note: str = ""
    unsafe: str = ""
    after: Attempt | None = None  # the next call, where the case had to make it itself


class NotApplicableError(Exception):
    """The row says nothing about this loader; the message says why."""


class SetUpError(Exception):
    """The row could not be done; the message says why."""


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
        given = _others(stage, other, why_not)
        for name, body in given.items():
            stage.route(name, ok(body))
        return Found(stage.call())

    return act


def lying(other: str, *, why_not: str = "Parquet has no such part") -> Callable[[Stage], Found]:
    """Other files lie where the loader looks before it downloads; for Parquet that is the place that is given."""

    def act(stage: Stage) -> Found:
        given = _others(stage, other, why_not)
        if stage.loader.is_parquet:
            stage.serve(ok(given[PARQUET]))
            return Found(stage.call())
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
    return Found(attempt, unsafe=f"asked again after {at[1] - at[0]:.1f} s" if early else "")


def endlessly(stage: Stage) -> Found:
    """The body, then zeros for as long as they are taken, at some 13 MB/s."""
    stage.serve(_endless(stage.body()))
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
        return Found(attempt, unsafe="followed to http" if followed else "")


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
        return Found(attempt, unsafe=around or _told(attempt))


def proxied_wrongly(stage: Stage) -> Found:
    with Proxy("user:hunter2") as proxy:
        stage.environment = _proxy(proxy.url_for("user:hunter3"))
        attempt = stage.call()
        return Found(attempt, unsafe=_told(attempt))


def proxied_nowhere(stage: Stage) -> Found:
    stage.environment = _proxy(f"http://user:hunter2@127.0.0.1:{closed_port()}")
    attempt = stage.call()
    return Found(attempt, unsafe=_told(attempt))


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
    return Found(attempt, unsafe=f"{len(unnamed)} of 3 not named" if unnamed else "")


def sixteen(stage: Stage) -> Found:
    """Sixteen processes at one moment; the worst of them is judged."""
    gate = stage.home.parent / "go"
    children = [stage.start(wait=str(gate)) for _ in range(16)]
    deadline = time.monotonic() + stage.limit
    while not all(Path(f"{out}.ready").exists() or child.poll() is not None for child, out in children):
        if time.monotonic() > deadline:
            break
        time.sleep(0.05)
    gate.touch()
    attempts = [stage.finish(child, out) for child, out in children]
    worst = ("wrong", "crash", "hang", "raised", "right")
    attempts.sort(key=lambda attempt: worst.index(attempt.kind))
    bad = sum(attempt.kind != "right" for attempt in attempts)
    gets = stage.server.count()
    return Found(attempts[0], f"{gets} requests" + (f"; {bad} of 16 failed" if bad else ""))


def killed(stage: Stage) -> Found:
    """SIGKILL when half of the file is there; the next call is judged."""
    _kill_half_way(stage)
    stage.serve()
    return Found(stage.call())


def orphaned(stage: Stage) -> Found:
    """The same; what the dead process left is two days old when the next call comes."""
    _warm(stage)
    whole = {path.relative_to(stage.root) for path in stage.files()}
    shutil.rmtree(stage.root)
    _kill_half_way(stage)
    before = time.time() - 2 * 86_400
    left = [path for path in stage.files() if path.relative_to(stage.root) not in whole and path.stat().st_size > 1000]
    for path in left:
        os.utime(path, (before, before))
    stage.serve()
    attempt = stage.call()
    still = [path for path in left if path.exists() and path.stat().st_mtime < before + 60]
    return Found(attempt, unsafe=f"{sum(p.stat().st_size for p in still) / 1e6:.1f} MB left" if still else "")


def full(size: str) -> Callable[[Stage], Found]:
    """The home is on a disk with so much room."""

    def act(stage: Stage) -> Found:
        with mounted(f"mount -t tmpfs -o size={size} none {stage.home}", stage.home):
            attempt = stage.call()
            _shell(f"mount -o remount,size=2g {stage.home}")
            return Found(attempt, after=stage.call())

    return act


def read_only(*, warm: bool) -> Callable[[Stage], Found]:
    def act(stage: Stage) -> Found:
        stage.root.mkdir(parents=True)
        if warm:
            _warm(stage)
        ro = f"mount --bind {stage.home} {stage.home} && mount -o remount,ro,bind {stage.home}"
        with mounted(ro, stage.home):
            return Found(stage.call())

    return act


def in_the_way(plant: Callable[[Path], None]) -> Callable[[Stage], Found]:
    """Something else is in the place of the loader's folder."""

    def act(stage: Stage) -> Found:
        stage.root.parent.mkdir(parents=True, exist_ok=True)
        plant(stage.root)
        attempt = stage.call()
        if stage.root.is_symlink() or stage.root.is_file():
            stage.root.unlink()
        return Found(attempt)

    return act


def planted(stage: Stage) -> Found:
    """Links to somebody's file are planted under every name that a clean run gives."""
    _warm(stage)
    victims = []
    for path in [path for path in stage.files() if path.stat().st_size > 1000]:
        victims.append(stage.home.parent / f"victim-{len(victims)}")
        victims[-1].write_bytes(VICTIM)
        path.unlink()
        path.symlink_to(victims[-1])
    attempt = stage.call()
    hurt = sum(victim.read_bytes() != VICTIM for victim in victims)
    shutil.rmtree(stage.root)  # whoever planted them takes them away
    return Found(attempt, unsafe=f"{hurt} targets overwritten" if hurt else "")


def shared(stage: Stage) -> Found:
    """Umask 002: everything is to be readable for the group."""
    attempt = stage.call(umask=0o002)
    closed = [
        p for p in stage.root.rglob("*") if not p.is_symlink() and p.suffix != ".lock" and not p.stat().st_mode & 0o040
    ]
    return Found(attempt, unsafe=f"{len(closed)} files closed to the group" if closed else "")


def damaged(how: Callable[[bytes], bytes], *, mode: int | None = None) -> Callable[[Stage], Found]:
    """After a first call, every large file of the loader's is damaged."""

    def act(stage: Stage) -> Found:
        _warm(stage)
        for path in [path for path in stage.files() if path.stat().st_size > 100_000]:
            path.write_bytes(how(path.read_bytes()))
        if mode is not None:
            for path in (stage.root, *stage.root.rglob("*")):
                path.chmod(mode)
        return Found(stage.call())

    return act


def alone(*, warm: bool) -> Callable[[Stage], Found]:
    """No network at all."""

    def act(stage: Stage) -> Found:
        if warm:
            _warm(stage)
        return Found(stage.call(prefix=("unshare", "-n") if os.geteuid() == 0 else ("unshare", "-rn")))

    return act


def bomb(stage: Stage) -> Found:
    """A gibibyte of zeros in a megabyte."""
    if stage.loader.is_parquet:
        raise NotApplicableError("Parquet is no .gz")
    stage.serve(ok(stage.truth.others["bomb"][IMAGES]))
    attempt = stage.call()
    large = attempt.memory > 500e6
    return Found(attempt, unsafe=f"{attempt.memory / 1e9:.1f} GB of memory" if large else "")


def flipped(data: bytes) -> bytes:
    middle = len(data) // 2
    return data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]


def half(data: bytes) -> int:
    return len(data) // 2


def _others(stage: Stage, other: str, why_not: str) -> dict[str, bytes]:
    given = dict(stage.truth.others[other])
    if stage.loader.is_parquet and PARQUET not in given:
        raise NotApplicableError(why_not)
    return given


def _warm(stage: Stage) -> None:
    """A call that goes well, and fills the loader's folder."""
    attempt = stage.call()
    if attempt.kind != "right":
        raise SetUpError(f"the call before the fault: {attempt.kind} {attempt.type} {attempt.message}")


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
    return "password printed" if "hunter" in attempt.message + attempt.printed else ""


def _kill_half_way(stage: Stage) -> None:
    reached = threading.Event()
    body = stage.body()

    def answer(handler: Handler) -> None:
        handler.head(200, {"Content-Length": str(len(body))})
        handler.body(body[: half(body)])
        if handler.command == "GET":
            reached.set()
            handler.closing.wait(stage.limit)
            handler.hang_up()

    stage.serve(answer)
    process, _ = stage.start()
    arrived = reached.wait(stage.limit)
    time.sleep(1.0)  # what was sent is written by now
    kill(process)
    process.communicate()
    if not arrived:
        raise SetUpError("the file was not asked for")


def _endless(body: bytes) -> Answer:
    def answer(handler: Handler) -> None:
        handler.head(200, {"Connection": "close"})
        handler.body(body)
        while handler.command == "GET" and not handler.closing.wait(0.005):
            handler.body(bytes(1 << 16))
        handler.hang_up()

    return answer


@contextlib.contextmanager
def mounted(command: str, folder: Path) -> Iterator[None]:
    """With something mounted at a folder, in this program's own mount namespace."""
    _shell(command)
    try:
        yield
    finally:
        _shell(f"umount -l {folder}")


def _shell(command: str) -> None:
    subprocess.run(["/bin/sh", "-ec", command], check=True, capture_output=True)
