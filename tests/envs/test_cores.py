"""Cores: what a process was bound to, not what the machine has."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

SCRIPT = """
import os
os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
import drivemem_envs
from drivemem_envs.cores import usable_cores
worlds = drivemem_envs.make_vec("exit-recall", 4)
print(usable_cores(), worlds._worlds.threads)
"""


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="processes are not bound here")
def test_who_is_bound_to_one_core_starts_one_thread():
    found = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True
    )
    assert found.stdout.split() == ["1", "1"]
