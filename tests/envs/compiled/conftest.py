"""A process in which highway-env's arithmetic is exact, shared by the parity tests."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from drivemem_envs.compiled.exactness import exact_environment

Compare = Callable[..., dict[str, Any]]


@pytest.fixture(scope="session")
def compare_exactly() -> Iterator[Compare]:
    """Ask the parity worker to compare: keywords are the request, the result its answer."""
    if not exact_environment():
        pytest.skip("bit-exact parity is stated for x86 only")
    worker = subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name("parity_worker.py"))],
        env={**os.environ, **exact_environment()},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert worker.stdin is not None and worker.stdout is not None
    pipes = worker.stdin, worker.stdout

    def compare(identifier: str, **request: Any) -> dict[str, Any]:
        defaults = {"id": identifier, "seeds": 1, "first_seed": 0, "steps": 5, "mode": "random"}
        pipes[0].write(json.dumps({**defaults, **request}) + "\n")
        pipes[0].flush()
        answer: dict[str, Any] = json.loads(pipes[1].readline())
        return answer

    yield compare
    worker.stdin.close()
    worker.wait(timeout=30)
