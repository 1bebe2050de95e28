"""Where jobs run, through joblib: processes of this machine (loky), or workers of Ray or Dask."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from typing import Any

import joblib

from idxhub import errors


@contextlib.contextmanager
def backend(name: str, address: str | None, jobs: int) -> Iterator[None]:
    """A context in which `joblib.Parallel` uses this backend.

    Raises `UnknownNameError`, `ArgumentError` if the address is not for this backend, and `MissingFrameworkError`.
    """
    if name not in BACKENDS:
        raise errors.UnknownNameError("backend", name, BACKENDS)
    if address is not None and name == "loky":
        raise errors.ArgumentError("address", address, "left out for loky, which runs on this machine")
    with BACKENDS[name](address, jobs), joblib.parallel_config(name, n_jobs=jobs):
        yield


@contextlib.contextmanager
def _loky(_address: str | None, _jobs: int) -> Iterator[None]:
    try:
        yield
    finally:
        # without this, workers of an interrupted run would finish their jobs first
        joblib.externals.loky.get_reusable_executor().shutdown(wait=False, kill_workers=True)


@contextlib.contextmanager
def _dask(address: str | None, jobs: int) -> Iterator[None]:
    distributed = _import("distributed", "dask[distributed]")
    local = {"n_workers": jobs, "threads_per_worker": 1, "dashboard_address": None}
    with distributed.Client(address) if address else distributed.Client(**local):
        yield


@contextlib.contextmanager
def _ray(address: str | None, jobs: int) -> Iterator[None]:
    ray = _import("ray", "ray")
    options = {"address": address} if address else {"num_cpus": jobs, "include_dashboard": False}
    started = not ray.is_initialized()
    if started:
        ray.init(log_to_driver=False, **options)
    _import("ray.util.joblib", "ray").register_ray()
    try:
        yield
    finally:
        if started:
            ray.shutdown()


def _import(module: str, package: str) -> Any:
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        raise errors.MissingFrameworkError(
            f"this backend needs {error.name}, which is not installed: pip install '{package}'", name=error.name
        ) from error


BACKENDS: Mapping[str, Callable[[str | None, int], contextlib.AbstractContextManager[None]]] = {
    "loky": _loky,
    "ray": _ray,
    "dask": _dask,
}
