"""A small study, run once for all tests that look at what it left."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

TINY = """
claims = "A memory recalls the sign."
seeds = [0]
[train]
steps = 1024
num_envs = 4
n_steps = 32
batch_size = 64
checkpoint_every = 2
[scenarios.exit-recall]
preset = false
[agents.none]
memory = "none"
[agents.gru]
memory = "gru"
match_parameters = 3000
[evaluation]
episodes = 4
lesions = ["reset_every:1"]
"""

BROKEN = """
[agents.broken]
memory = "gru"
batch_size = 63
"""


def command(file: Path, out: Path, *more: str) -> subprocess.Popen[str]:
    """`drivemem study`, begun."""
    words = [sys.executable, "-m", "drivemem", "study", str(file), "--out", str(out), *more]
    return subprocess.Popen(
        words, env={**os.environ, "OMP_NUM_THREADS": "1"}, text=True, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )  # fmt: skip


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    """A study file with two agents."""
    file = tmp_path / "tiny.toml"
    file.write_text(TINY)
    return file


@pytest.fixture(scope="session")
def ran(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, str, int]:
    """A study with an agent that cannot be trained: its file, folder, output and exit code."""
    folder = tmp_path_factory.mktemp("study")
    file = folder / "tiny.toml"
    file.write_text(TINY + BROKEN)
    process = command(file, folder / "out", "--jobs", "2")
    output, _ = process.communicate()
    return file, folder / "out", output, process.returncode
