"""The machine and the packages that figures depend on; no names of hosts, folders or people."""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any


def machine(folder: Path) -> dict[str, Any]:
    """The processor, cores, memory, system, and file system of `folder`."""
    return {
        "cpu": _cpu(),
        "cores": cores(),
        "memory": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") if hasattr(os, "sysconf") else None,
        "system": f"{platform.system()} {platform.release().partition('-')[0]}",
        "file system": _file_system(folder),
        "thread variables": {name: value for name, value in os.environ.items() if name.endswith("_NUM_THREADS")},
    }


def versions(packages: Iterable[str]) -> dict[str, str]:
    """The versions of Python and of those packages that are installed."""
    found = {"python": platform.python_version()}
    for package in packages:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def cores() -> int:
    """The number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def load_average() -> float | None:
    """The load average of the last minute."""
    return round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None


def in_page_cache(files: Iterable[Path]) -> float | None:
    """Which part of these files is in memory, from 0 to 1; None without the program fincore of util-linux."""
    program, names = shutil.which("fincore"), [str(file) for file in files]
    if program is None or not names:
        return None
    done = subprocess.run(  # noqa: S603 -- a program of the system, on files of our own
        [program, "--bytes", "--json", *names], capture_output=True, text=True, check=False
    )
    if done.returncode:
        return None
    found = json.loads(done.stdout)["fincore"]
    return round(
        min(1.0, sum(int(each["res"]) for each in found) / max(1, sum(int(each["size"]) for each in found))), 3
    )


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def _file_system(folder: Path) -> str:
    """The type, on which the cost of fsync depends, from util-linux's findmnt: stat does not tell ext4 from ext2."""
    findmnt = shutil.which("findmnt")
    if findmnt is None:
        return "unknown"
    command = [findmnt, "--noheadings", "--output", "FSTYPE", "--target", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 -- as above
    return done.stdout.strip() or "unknown"
