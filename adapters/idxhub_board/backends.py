"""Where jobs run, through joblib: processes of this machine (loky), or workers of Ray or Dask."""

from __future__ import annotations

import contextlib
import logging
import re
import socket
import sys
from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from typing import Any

import click
import joblib

from idxhub import errors

_ESCAPE = re.compile(r"\x1b\[[0-9;]*m")  # colours of a terminal
_RAY_ADDRESS = re.compile(r"(?:ray://)?([\w.:\[\]-]+):(\d+)")  # other words, such as "auto", are for Ray to explain
_WAIT = 10.0  # seconds for a cluster to answer
_found: dict[str, str] = {}  # where Ray found the cluster of an address such as "auto"


class ClusterError(click.ClickException):
    """No cluster answers at an address, or it refuses to work."""


@contextlib.contextmanager
def backend(name: str, address: str | None, jobs: int | None) -> Iterator[None]:
    """A context in which `joblib.Parallel` uses this backend, for `jobs` jobs at a time; None for as many as it can.

    Raises `UnknownNameError`, `ArgumentError` if the address is not for this backend,
    `click.UsageError` if the backend cannot use it, `ClusterError` if it does not answer, and `MissingFrameworkError`.
    """
    if name not in BACKENDS:
        raise errors.UnknownNameError("backend", name, BACKENDS)
    if address is not None and name == "loky":
        raise errors.ArgumentError("address", address, "left out for loky, which runs on this machine")
    with BACKENDS[name](address, jobs) as count, joblib.parallel_config(name, n_jobs=count):
        yield


@contextlib.contextmanager
def _loky(_address: str | None, jobs: int | None) -> Iterator[int]:
    try:
        yield jobs or joblib.cpu_count()
    finally:
        # without this, workers of an interrupted run would finish their jobs first
        loky = sys.modules.get("joblib.externals.loky")  # joblib does without it where there are no semaphores
        if loky is not None:
            loky.get_reusable_executor().shutdown(wait=False, kill_workers=True)


@contextlib.contextmanager
def _dask(address: str | None, jobs: int | None) -> Iterator[int]:
    distributed = _import("distributed", "dask[distributed]")
    local = {"n_workers": jobs or joblib.cpu_count(), "threads_per_worker": 1, "dashboard_address": None}
    # these log the traceback of each lost connection; a level of "distributed" alone is not that of its client
    for name in ("distributed", "distributed.client", "tornado.application", "asyncio"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    with _address_is_checked(address):
        client = distributed.Client(address) if address else distributed.Client(**local)
    with client:
        yield jobs or -1


@contextlib.contextmanager
def _ray(address: str | None, jobs: int | None) -> Iterator[int]:
    ray = _import("ray", "ray")
    local = {"num_cpus": jobs or joblib.cpu_count(), "include_dashboard": False}
    for name in ("ray.client_builder", "ray.util.client"):  # Ray's client logs the traceback of a lost connection
        logging.getLogger(name).setLevel(logging.CRITICAL)
    logging.getLogger("ray.util.client.logsclient").disabled = True  # it sets its level itself
    joblib.register_parallel_backend("ray", import_module("idxhub_board.ray_tasks").RayTasks)
    with contextlib.redirect_stdout(sys.stderr):  # Ray prints warnings, which would be in the way of --json
        with _address_is_checked(address):
            where = _RAY_ADDRESS.fullmatch(_found.get(address or "", address or ""))
            if where and not answers(where[1], int(where[2]), _WAIT):  # Ray would try for minutes
                raise ConnectionError("nobody answers there")
            ray.init(log_to_driver=False, logging_level=logging.ERROR, **({"address": address} if address else local))
        try:
            if address and not ray.util.client.ray.is_connected():
                _found[address] = ray.get_runtime_context().gcs_address
            with _address_is_checked(address):
                count = jobs or int(ray.cluster_resources().get("CPU", 1))
            yield count
        finally:
            ray.shutdown()


def answers(host: str, port: int, timeout: float) -> bool:
    """Whether somebody listens at an address."""
    with contextlib.suppress(OSError), socket.create_connection((host.strip("[]"), port), timeout):
        return True
    return False


@contextlib.contextmanager
def _address_is_checked(address: str | None) -> Iterator[None]:
    """A context in which what Ray or Dask say of an address is one of the command's own errors."""
    try:
        yield
    except (ValueError, RuntimeError, OSError) as error:
        if address is None:
            raise
        if isinstance(error, OSError):
            raise ClusterError(f"cannot use the cluster at {address}: {_sentence(error)}") from error
        raise click.UsageError(f"--address {address}: {_sentence(error)}") from error


def _sentence(error: Exception) -> str:
    """What an error says, in one line. Of the traceback of a server, the last line is kept."""
    said, traceback, rest = _ESCAPE.sub("", str(error)).partition("Traceback (most recent call last):")
    lines = [said, *(rest.strip().splitlines()[-1:] if traceback else [])]
    return " ".join(" ".join(lines).split()) or type(error).__name__


def _import(module: str, package: str) -> Any:
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        raise errors.MissingFrameworkError(
            f'this backend needs {error.name}, which is not installed: pip install "{package}"', name=error.name
        ) from error


BACKENDS: Mapping[str, Callable[[str | None, int | None], contextlib.AbstractContextManager[int]]] = {
    "loky": _loky,
    "ray": _ray,
    "dask": _dask,
}
