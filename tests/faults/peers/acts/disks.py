"""Disks and folders: full, broken, read-only, damaged, or in an odd place."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

from faults.peers.acts.base import Found, NotApplicableError, SetUpError, preloaded, warm_up
from faults.peers.stage import VICTIM, Stage, worst


def full(size: str) -> Callable[[Stage], Found]:
    """The home is on a disk with so much room."""

    def act(stage: Stage) -> Found:
        with mounted(f"mount -t tmpfs -o size={size} none {stage.home}", stage.home):
            attempt = stage.call()
            _shell(f"mount -o remount,size=2g {stage.home}")
            return Found(attempt, after=stage.call())

    return act


def broken(call: str, after: str) -> Callable[[Stage], Found]:
    """Every such call for a file of the home fails with EIO; a write does after so many bytes."""

    def act(stage: Stage) -> Found:
        with preloaded(stage, **{f"FAULTS_{call}": after}) as done:
            attempt = stage.call()
            if attempt.kind == "right" and not done():
                raise NotApplicableError(f"no call of its own to {call.lower()} a file")
            return Found(attempt)

    return act


def read_only(*, warm: bool) -> Callable[[Stage], Found]:
    def act(stage: Stage) -> Found:
        stage.root.mkdir(parents=True)
        if warm:
            warm_up(stage)
        before = stage.server.count()
        ro = f"mount --bind {stage.home} {stage.home} && mount -o remount,ro,bind {stage.home}"
        with mounted(ro, stage.home):
            attempt = stage.call()
        again = stage.server.count() - before
        return Found(attempt, unmet=f"asked the server again, {again} times" if warm and again else "")

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


def odd(name: bytes) -> Callable[[Stage], Found]:
    """The user's home, with the loader's folder in it, has such a path."""

    def act(stage: Stage) -> Found:
        home = stage.home
        stage.home = home / os.fsdecode(name)
        stage.home.mkdir(parents=True)
        try:
            return Found(stage.call())
        finally:
            stage.home = home

    return act


def homeless(stage: Stage) -> Found:
    """A user without HOME and without an entry, as in a container; the loader is to find a place by itself."""
    if not stage.loader.finds_a_place:
        raise NotApplicableError("is always told its folder")
    # entries from files alone, and of those none: other sources make one up for root
    sources = stage.home.parent / "nsswitch.conf"
    sources.write_text("passwd: files\nhosts: files\n", encoding="utf-8")
    mounts = f'mount --bind {sources} /etc/nsswitch.conf; mount --bind /dev/null /etc/passwd; exec "$@"'
    nobody = ("unshare", "-m", "sh", "-ec", mounts, "sh", "env", "-u", "HOME", "-u", "HF_HOME", "-u", "MXNET_HOME")
    ask = "import os; print(os.path.expanduser('~'))"
    told = subprocess.run([*nobody, stage.loader.python, "-c", ask], capture_output=True, text=True, check=False)
    if told.stdout != "~\n":
        raise SetUpError(f"the user has a home all the same: {told.stdout or told.stderr}")
    attempt = stage.call(prefix=nobody, root=None)
    strange = (stage.home.parent / "~").exists()
    return Found(attempt, unmet="a folder called ~ is made in the working directory" if strange else "")


def planted(stage: Stage) -> Found:
    """A link under each name that a clean run gives, one at a time in an empty folder: to a file, and to nothing."""
    warm_up(stage)
    attempts, hurt, victim = [], [], stage.home.parent / "victim"
    names = [path.relative_to(stage.root) for path in stage.files()]
    if not names:
        raise SetUpError("a clean run leaves no file")
    for name in names:
        for content in (VICTIM, None):
            shutil.rmtree(stage.root)
            (stage.root / name).parent.mkdir(parents=True)
            victim.unlink(missing_ok=True)
            if content is not None:
                victim.write_bytes(content)
            (stage.root / name).symlink_to(victim)
            attempts.append(stage.call())
            if (victim.read_bytes() if victim.exists() else None) != content:
                hurt.append("written over" if content else "made")
    shutil.rmtree(stage.root)  # whoever planted them takes them away
    told = [f"{hurt.count(what)} of {len(names)} targets {what}" for what in dict.fromkeys(hurt)]
    return Found(worst(attempts), unmet=", ".join(told))


def shared(stage: Stage) -> Found:
    """Umask 002: everything is to be readable for the group."""
    attempt = stage.call(umask=0o002)
    closed = [
        p for p in stage.root.rglob("*") if not p.is_symlink() and p.suffix != ".lock" and not p.stat().st_mode & 0o040
    ]
    return Found(attempt, unmet=f"{len(closed)} files closed to the group" if closed else "")


def damaged(how: Callable[[bytes], bytes], *, mode: int | None = None) -> Callable[[Stage], Found]:
    """After a first call, every large file of the loader's is damaged."""

    def act(stage: Stage) -> Found:
        warm_up(stage)
        large = [path for path in stage.files() if path.stat().st_size > 100_000]
        if not large:
            raise SetUpError("nothing is kept that could be damaged")
        for path in large:
            path.write_bytes(how(path.read_bytes()))
        if mode is not None:
            for path in (stage.root, *stage.root.rglob("*")):
                path.chmod(mode)
        return Found(stage.call())

    return act


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
