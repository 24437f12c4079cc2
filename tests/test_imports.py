"""Every module can be the first that is imported."""

from __future__ import annotations

import json
import pkgutil
import subprocess
import sys
from importlib import import_module

import pytest

# One process for each module would load PyTorch a hundred times: each child is forked from a
# process in which the libraries, but nothing of ours, are loaded.
_FORKED = """
import json, os, sys, traceback
import gymnasium, highway_env, numba, pydantic, stable_baselines3, torch
failed = []
for name in json.load(sys.stdin):
    child = os.fork()
    if child == 0:
        code = 0
        try:
            __import__(name)
        except BaseException:
            traceback.print_exc()
            code = 1
        sys.stderr.flush()
        os._exit(code)
    if os.waitpid(child, 0)[1] != 0:
        failed.append(name)
print(json.dumps(failed))
"""


def modules(package: str) -> list[str]:
    """Names of all modules of a package, itself included."""
    found = import_module(package)
    inside = pkgutil.walk_packages(found.__path__, f"{package}.")
    return [package, *(module.name for module in inside if not module.name.endswith("__main__"))]


@pytest.mark.skipif(not hasattr(sys, "getdlopenflags"), reason="needs fork")
@pytest.mark.parametrize(
    "package",
    [
        "drivemem_agents",
        *(pytest.param(name, marks=pytest.mark.slow) for name in ("drivemem", "drivemem_envs")),
    ],
)
def test_every_module_can_be_imported_first(package: str) -> None:
    names = modules(package)
    assert len(names) > 10
    done = subprocess.run(
        [sys.executable, "-c", _FORKED],
        input=json.dumps(names), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == [], done.stderr
