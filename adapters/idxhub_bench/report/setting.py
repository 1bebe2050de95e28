"""What figures were measured on, in words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from idxhub_bench.report.model import Grid


def hardware(machine: Mapping[str, Any]) -> str:
    """Processor, cores, memory, system."""
    memory = f", {machine['memory'] / 2**30:.0f} GiB" if machine["memory"] else ""
    return f"{machine['cpu']}, {machine['cores']} cores{memory}, {machine['system']}"


def thread_variables(machine: Mapping[str, Any]) -> str:
    """Those by which libraries are told how many threads to start."""
    return f"OMP_NUM_THREADS and the like {named(machine['thread variables'], '=') or 'not set'}"


def versions(rows: Iterable[tuple[str, Mapping[str, Any]]]) -> Grid:
    """A line for each row, from its name and its record."""
    lines = ((name, named(record["versions"], " "), named(record["threads"], " ")) for name, record in rows)
    return Grid(("row", "versions", "threads"), tuple(lines))


def named(found: Mapping[str, Any], between: str) -> str:
    """Names and their values."""
    return ", ".join(f"{name}{between}{value}" for name, value in found.items())
