"""A study on a real Ray cluster of two nodes, one of which is killed in the middle."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from drivemem.errors import DrivememError
from drivemem.studies import load_study, make_plan

from .conftest import command
from .test_running import results

pytest.importorskip("ray", reason="the extra `ray` is not installed")

ENVIRONMENT = {
    **os.environ, "OMP_NUM_THREADS": "1", "RAY_USAGE_STATS_ENABLED": "0",
    # A lost node is noticed in seconds, not in half a minute.
    "RAY_health_check_initial_delay_ms": "1000", "RAY_health_check_period_ms": "500",
    "RAY_health_check_timeout_ms": "5000", "RAY_health_check_failure_threshold": "3",
}  # fmt: skip


def start_node(*words: str) -> subprocess.Popen[bytes]:
    """A node of one core, in a process group of its own."""
    command = [
        sys.executable, "-m", "ray.scripts.scripts", "start", "--block", "--num-cpus=1",
        "--num-gpus=0", "--object-store-memory=100000000", "--node-ip-address=127.0.0.1", *words,
    ]  # fmt: skip
    return subprocess.Popen(
        command, env=ENVIRONMENT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        start_new_session=True,
    )  # fmt: skip


def kill(node: subprocess.Popen[bytes]) -> set[int]:
    """Kill everything that belongs to a node; returns its processes."""
    processes = subprocess.run(
        ["ps", "-eo", "pid=,sid=,ppid="], capture_output=True, text=True, check=True
    ).stdout.split("\n")
    rows = [tuple(map(int, line.split())) for line in processes if line.strip()]
    family = {node.pid}
    while True:
        more = {pid for pid, sid, parent in rows if sid in family or parent in family} - family
        if not more:
            break
        family |= more
    for pid in family:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
    node.wait()
    return family


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """The address of a cluster of two nodes, and the one that may be killed."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    folder = f"/tmp/ray-{os.getpid()}"  # sockets' paths must be short
    head = start_node(
        "--head", f"--port={port}", "--include-dashboard=false", f"--temp-dir={folder}"
    )
    wait_for_port(port)
    second = start_node(f"--address=127.0.0.1:{port}")
    wait = (
        f"import ray, time; ray.init(address='127.0.0.1:{port}', log_to_driver=False)\n"
        "while sum(node['Alive'] for node in ray.nodes()) < 2: time.sleep(0.2)"
    )
    subprocess.run([sys.executable, "-c", wait], env=ENVIRONMENT, check=True, capture_output=True)
    yield f"127.0.0.1:{port}", second
    for node in (second, head):
        kill(node)
    shutil.rmtree(folder, ignore_errors=True)


def wait_for_port(port: int) -> None:
    for _ in range(600):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise TimeoutError("the head node does not answer")


def test_a_study_survives_the_loss_of_a_node(
    ran: tuple[Path, Path, str, int],
    cluster: tuple[str, subprocess.Popen[bytes]],
    tmp_path: Path,
) -> None:
    file, whole, _, _ = ran
    address, second = cluster
    out = tmp_path / "out"
    words = ("--ray", address, "--agents", "none", "gru", "--results", "none")
    study = command(file, out, *words)
    runs = [out / "exit-recall-none-s0", out / "exit-recall-gru-s0"]
    while study.poll() is None and not all(list(r.glob("checkpoints/[0-9]*")) for r in runs):
        time.sleep(0.02)
    workers = {int((run / ".lock").read_text()) for run in runs}
    assert len(kill(second) & workers) == 1  # the node was at work
    output, _ = study.communicate()
    assert study.returncode == 0, output
    assert "2 of 2 runs are done" in output
    assert results(out) == results(whole)


def test_no_cluster_and_too_large_wishes_are_said(
    ran: tuple[Path, Path, str, int], tmp_path: Path
) -> None:
    from drivemem.studies.cluster import _check_resources, run_on_ray
    from drivemem.studies.spec import Resources

    file, _, _, _ = ran
    plan = make_plan(load_study(file), tmp_path / "out")
    with pytest.raises(DrivememError, match=r"no Ray cluster at '127\.0\.0\.1:1'"):
        run_on_ray(plan, "127.0.0.1:1", quiet=True)

    class Ray:
        @staticmethod
        def nodes() -> list[dict[str, object]]:
            return [{"Alive": True, "Resources": {"CPU": 2.0}}]

    with pytest.raises(DrivememError, match="wants 1 GPU for each run"):
        _check_resources(Ray, Resources(gpus=1))
