"""A memory from another package: found by entry point, listed, trained, saved, tested like ours."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
PACKAGE = HERE / "example_package"


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """A fresh interpreter in which the example package is installed."""
    paths = [str(PACKAGE), os.environ.get("PYTHONPATH", "")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))}
    return subprocess.run(
        [sys.executable, *arguments], env=environment, capture_output=True, text=True, check=False
    )


def test_it_is_found_trained_and_loaded(tmp_path):
    code = f"""
import gymnasium, numpy, torch
from drivemem_agents import MemoryPPO
from drivemem_agents.matching import match_parameters
from drivemem_agents.memory import memory_class, memory_names
from benchmarks.toys import TMazes
torch.set_num_threads(1)
assert "fading" in memory_names(), memory_names()
assert memory_class("fading").__module__ == "fading_memory"
settings = match_parameters("fading", 64, 3000) | {{"keep": 0.99}}
model = MemoryPPO("MemoryPolicy", TMazes(4, 3), memory="fading", memory_kwargs=settings,
                  n_steps=8, batch_size=16, seed=0, device="cpu").learn(64)
model.save({str(tmp_path / "agent")!r})
loaded = MemoryPPO.load({str(tmp_path / "agent")!r})
frame = numpy.eye(3, dtype=numpy.float32)
assert (model.predict(frame, deterministic=True)[0] ==
        loaded.predict(frame, deterministic=True)[0]).all()
print(loaded.policy.settings["memory_kwargs"]["keep"])
"""
    done = run("-c", code)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "0.99"


def test_our_tests_test_it():
    """`pytest -k fading` over our tests is how its author checks it."""
    done = run(
        "-m", "pytest", "-p", "no:cacheprovider", "-p", "no:xdist", "-k", "fading",
        "--import-mode=importlib", str(HERE / "test_learning_signals.py"), "-o", "addopts=",
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "passed" in done.stdout
