"""A process in which highway-env's arithmetic is exact, shared by the parity tests."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from drivemem_envs.compiled.exactness import exact_environment

Compare = Callable[..., dict[str, Any]]


class Worker:
    """A Python process with exact arithmetic that answers JSON lines."""

    def __init__(self, script: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name(script))],
            env={**os.environ, **exact_environment()},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def ask(self, request: dict[str, Any]) -> dict[str, Any]:
        """Send a request and wait for its answer."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        return answer

    def stop(self) -> None:
        """End the process."""
        with self._process:  # closes both pipes, and waits
            assert self._process.stdin is not None
            self._process.stdin.close()
            self._process.wait(timeout=30)


def _worker(script: str) -> Iterator[Worker]:
    if not exact_environment():
        pytest.skip("bit-exact parity is stated for x86 only")
    worker = Worker(script)
    yield worker
    worker.stop()


@pytest.fixture(scope="session")
def compare_exactly() -> Iterator[Compare]:
    """Compare the kernels' dynamics with highway-env's: keywords are the request."""
    defaults = {"seeds": 1, "first_seed": 0, "steps": 5, "mode": "random"}
    for worker in _worker("parity_worker.py"):
        yield partial(_ask, worker, "id", defaults)


@pytest.fixture(scope="session")
def compare_backends() -> Iterator[Compare]:
    """Compare the two vector environments: keywords are the request."""
    defaults = {
        "worlds": 2, "threads": 2, "first_seed": 0, "steps": 20, "mode": "random", "changes": {},
    }  # fmt: skip
    for worker in _worker("vector_worker.py"):
        yield partial(_ask, worker, "scenario", defaults)


@pytest.fixture(scope="session")
def compare_step_results() -> Iterator[Compare]:
    """Compare rewards, ends and metrics of both backends: keywords are the request."""
    defaults = {
        "worlds": 4, "threads": 2, "first_seed": 7, "steps": 20, "plan": "random", "changes": {},
    }  # fmt: skip
    for worker in _worker("step_result_worker.py"):
        yield partial(_ask, worker, "scenario", defaults)


@pytest.fixture(scope="session")
def compare_resets() -> Iterator[Compare]:
    """Compare a source of scenes with the reference environment: keywords are the request."""
    defaults = {"seeds": 4, "first_seed": 0, "steps": 30}
    for worker in _worker("reset_worker.py"):
        yield partial(_ask, worker, "id", defaults)


@pytest.fixture(scope="session")
def drive() -> Callable[[Any, Any], list[Any]]:
    """What is seen along given actions (T, N): observations, rewards, ends."""

    def along(env: Any, actions: Any) -> list[Any]:
        seen = [env.reset()[0]["vehicles"]]
        for chosen in actions:
            observation, rewards, terminated, truncated, _ = env.step(chosen)
            seen += [observation["vehicles"], rewards, terminated, truncated]
        return seen

    return along


def _ask(
    worker: Worker, key: str, defaults: dict[str, Any], name: str, **request: Any
) -> dict[str, Any]:
    return worker.ask({key: name, **defaults, **request})
