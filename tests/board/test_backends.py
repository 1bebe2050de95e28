"""loky, Ray and Dask: the same results, and a worker that is killed loses nothing."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import click
import pytest
from support.needs import need, need_elsewhere
from support.server import closed_port

need("sklearn")
need("joblib")
psutil = need("psutil")

from idxhub_board import backends, records  # noqa: E402 -- after the skip where it is absent

SAMPLE = "fashion-mnist-sample"
FEW = ["--dataset", SAMPLE, "--only", "ExtraTreeClassifier(*max_depth=10,*)", "--only", "GaussianNB", "--jobs", "2"]
MANY = ["--dataset", SAMPLE, "--only", "ExtraTreeClassifier", "--jobs", "2", "--repeats", "2"]
PACKAGES = {"loky": "joblib", "ray": "ray", "dask": "distributed"}


@pytest.fixture(params=list(backends.BACKENDS))
def backend(request: Any) -> str:
    need_elsewhere(PACKAGES[request.param])
    return request.param


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts `idxhub board run`; what is left of it at the end is killed."""
    started: list[subprocess.Popen[str]] = []

    def start(*arguments: object) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "idxhub", "board", "run", *map(str, arguments)]
        environment = os.environ | {"IDXHUB_OFFLINE": "1", "RAY_AUTH_MODE": "disabled", "RAY_TMPDIR": "/tmp"}  # noqa: S108 -- Ray's sockets need a short path
        pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        started.append(subprocess.Popen(command, env=environment, **pipes))
        return started[-1]

    yield start
    for each in started:
        if each.poll() is None:
            for child in psutil.Process(each.pid).children(recursive=True):
                child.kill()
            each.kill()
        each.communicate()


def results(path: Path) -> list[dict[str, Any]]:
    return [json.loads(each) for each in path.read_bytes().splitlines()] if path.exists() else []


def wait_for(path: Path, process: subprocess.Popen[str]) -> None:
    """Wait until there are some results."""
    end = time.monotonic() + 100
    while len(results(path)) < 3:
        assert time.monotonic() < end, "no results"
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)


def of(found: list[dict[str, Any]]) -> dict[tuple[Any, ...], Any]:
    return {
        (each["classifier"], records.canonical(each["parameters"]), each["seed"]): (
            each["accuracy"],
            each["predictions"],
        )
        for each in found
        if each["status"] == records.DONE
    }


def test_the_results_are_those_of_loky(start, tmp_path):
    found = {}
    for backend in [name for name, package in PACKAGES.items() if name == "loky" or _has(package)]:
        path = tmp_path / backend
        process = start(path, *FEW, "--repeats", "2", "--backend", backend)
        said = process.communicate(timeout=120)
        assert process.returncode == 0, said
        assert {each["backend"] for each in results(path)} == {backend}
        found[backend] = of(results(path))
    assert len(found["loky"]) == 9
    assert all(each == found["loky"] for each in found.values())


def _has(package: str) -> bool:
    try:
        need_elsewhere(package)
    except pytest.skip.Exception:
        return False
    return True


def test_a_worker_that_is_killed_loses_nothing(backend, start, tmp_path):
    path = tmp_path / "a"
    process = start(path, *MANY, "--backend", backend, "--json")
    wait_for(path, process)
    family = psutil.Process(process.pid).children(recursive=True)
    child = next(each for each in family if "idxhub_board.child" in each.cmdline())
    worker = child.parent()
    assert worker.pid != process.pid
    worker.kill()
    said, complaints = process.communicate(timeout=120)
    found = results(path)
    done = [each for each in found if each["status"] == records.DONE]
    assert len({records.key(each) for each in done}) == len(done) == 24, complaints
    assert json.loads(said)["added"]["done"] == 24
    assert {each["status"] for each in found} <= {"done", "lost"}


DASK = """
    import sys
    from distributed import LocalCluster

    if __name__ == "__main__":
        cluster = LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None)
        print(cluster.scheduler_address, flush=True)
        sys.stdin.read()
"""
# also takes drivers from other machines; it stays in the foreground, so that it can be killed whole
RAY = """
    import sys
    from ray.scripts.scripts import main

    port, client_port = sys.argv[1:]
    options = "--head --block --num-cpus=2 --include-dashboard=false --disable-usage-stats"
    sys.argv[1:] = ["start", *options.split(), f"--port={port}", f"--ray-client-server-port={client_port}"]
    main()
"""


@pytest.fixture(params=["ray", "ray's client", "dask"])
def cluster(request: Any, tmp_path: Path) -> Iterator[tuple[str, str, int]]:
    """A cluster of two workers that is running: its backend, its address, and its process."""
    backend = request.param.partition("'")[0]
    need_elsewhere(PACKAGES[backend])
    if request.param == "ray's client":
        need_elsewhere("grpc")
    program = tmp_path / "cluster.py"
    program.write_text(textwrap.dedent({"ray": RAY, "dask": DASK}[backend]))
    # without fork support; else one connection of a client in ten fails: ray-project/ray#63202
    environment = os.environ | {"RAY_AUTH_MODE": "disabled", "GRPC_ENABLE_FORK_SUPPORT": "0"}
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    ports = closed_port(), closed_port()
    # in /tmp, because Ray's sockets need a short path
    with tempfile.TemporaryDirectory(dir="/tmp", ignore_cleanup_errors=True) as folder:
        environment["RAY_TMPDIR"] = folder
        command = [sys.executable, program, *map(str, ports)]
        with subprocess.Popen(command, env=environment, **pipes) as process:
            try:
                lines = iter(process.stdout.readline, "")
                if backend == "dask":
                    address = next(lines).strip()
                else:
                    assert any("Ray runtime started" in line for line in lines)
                    address = f"127.0.0.1:{ports[0]}" if request.param == "ray" else f"ray://127.0.0.1:{ports[1]}"
                yield backend, address, process.pid
            finally:
                _end(process.pid)


def _end(pid: int) -> None:
    if not psutil.pid_exists(pid):
        return
    process = psutil.Process(pid)
    for each in [*process.children(recursive=True), process]:
        with contextlib.suppress(psutil.NoSuchProcess):
            each.kill()


def test_a_cluster_that_is_running_gives_the_results_of_loky(cluster, start, tmp_path):
    backend, address, _ = cluster
    for path, where in ((tmp_path / "a", ("--backend", backend, "--address", address)), (tmp_path / "b", ())):
        process = start(path, *FEW, "--repeats", "2", *where)
        said, complaints = process.communicate(timeout=120)
        assert (process.returncode, complaints) == (0, ""), said
    found, expected = (of(results(tmp_path / name)) for name in "ab")
    assert len(found) == 9
    assert found == expected


def test_a_cluster_that_goes_away_is_said_and_the_next_run_does_the_rest(cluster, start, tmp_path, monkeypatch):
    backend, address, pid = cluster
    monkeypatch.setenv("DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT", "3s")
    monkeypatch.setenv("RAY_CLIENT_RECONNECT_GRACE_PERIOD", "3")
    path = tmp_path / "a"
    arguments = [path, *MANY[:4], "--repeats", "2", "--backend", backend]
    process = start(*arguments, "--address", address)
    wait_for(path, process)
    _end(pid)
    said, complaints = process.communicate(timeout=90)
    assert process.returncode == 1
    assert "lost" in said
    last = complaints.splitlines()[-1]
    assert last.startswith("jobs were lost: ")
    assert last.endswith("; run the same command again for these")
    assert f"; then: cannot use the cluster at {address}: " in last
    assert "Traceback" not in complaints, complaints
    lost = [each for each in results(path) if each["status"] == "lost"]
    assert lost
    assert len(of(results(path))) < 24
    again = start(*arguments, "--jobs", "2")
    assert again.communicate(timeout=120) is not None
    assert len(of(results(path))) == 24


@pytest.mark.parametrize("form", ["tcp://127.0.0.1:{}", "127.0.0.1:{}", "ray://127.0.0.1:{}"])
def test_a_cluster_that_is_not_there(form, start, tmp_path, monkeypatch):
    backend, address = "dask" if "tcp" in form else "ray", form.format(closed_port())
    need_elsewhere(PACKAGES[backend])
    monkeypatch.setenv("DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT", "1s")
    process = start(tmp_path / "a", *FEW, "--backend", backend, "--address", address, "--json")
    said, complaints = process.communicate(timeout=60)
    assert (process.returncode, complaints) == (1, "")
    error = json.loads(said)["error"]
    assert error["type"] == "ClusterError"
    assert error["message"].startswith(f"cannot use the cluster at {address}: ")
    assert results(tmp_path / "a") == []


def test_a_task_that_ray_cannot_start_has_failed(monkeypatch):
    need("ray")
    from idxhub_board import ray_tasks  # noqa: PLC0415 -- needs Ray

    monkeypatch.setattr(ray_tasks, "_address", lambda: None)
    tasks, failed = ray_tasks.RayTasks(), queue.Queue()
    tasks.start_call()
    monkeypatch.setattr(tasks._task, "remote", Mock(side_effect=ConnectionError("gone")))
    tasks.submit(len, failed.put)
    with pytest.raises(ConnectionError, match="gone"):
        tasks.retrieve_result_callback(failed.get(timeout=10))
    tasks.stop_call()


@pytest.mark.parametrize(("backend", "address"), [("dask", "nowhere"), ("ray", "nowhere://127.0.0.1:9")])
def test_an_address_that_is_none(backend, address, start, tmp_path):
    need_elsewhere(PACKAGES[backend])
    process = start(tmp_path / "a", *FEW, "--backend", backend, "--address", address)
    _, complaints = process.communicate(timeout=60)
    assert process.returncode == 2, complaints
    assert f"--address {address}: " in complaints
    assert "Traceback" not in complaints, complaints


SERVER = """\
\x1b[31mThe server says:\x1b[0m
Traceback (most recent call last):
  File "proxier.py", line 772, in Datapath
    raise RuntimeError(
RuntimeError: Starting it failed: see a.err
\x1b[0m
"""


@pytest.mark.parametrize(
    ("error", "kind", "message"),
    [
        (
            ConnectionAbortedError(SERVER),
            backends.ClusterError,
            "cannot use the cluster at x: The server says: RuntimeError: Starting it failed: see a.err",
        ),
        (TimeoutError("no answer\nfrom it"), backends.ClusterError, "cannot use the cluster at x: no answer from it"),
        (ValueError("no port\nin it"), click.UsageError, "--address x: no port in it"),
    ],
)
def test_what_ray_and_dask_say_of_an_address_is_one_line(error, kind, message):
    with pytest.raises(kind) as caught, backends._address_is_checked("x"):
        raise error
    assert caught.value.format_message() == message
