"""Verifying on highway-env's own objects in exact arithmetic, in a process of its own.

The compiled backend equals highway-env to the last bit where NumPy's vector code and BLAS's fused
multiply-add are off; both are chosen when NumPy is imported, so a new process is needed.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, replace

from drivemem.replays.load import EpisodeRow, Recording, find_recording
from drivemem.replays.verify import Verification, verify
from drivemem_envs.compiled.exactness import exact_environment

REFERENCE = "reference"


def verify_exactly(recording: Recording, rows: Sequence[EpisodeRow]) -> list[Verification]:
    """Drive episodes that kernels recorded again on highway-env's objects.

    Args:
        recording: of the compiled backend.
        rows: its episodes.

    Returns:
        One for each row. They are not `exact` where no process computes so: not on x86, or where
        a new process does not know the scenario.
    """
    exact = {name: value for name, value in exact_environment().items() if value}
    numbers = [str(row.episode) for row in rows]
    if exact:
        done = subprocess.run(
            [sys.executable, "-m", __name__, str(recording.folder.resolve()), *numbers],
            env={**os.environ, **exact, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode == 0:
            found = [Verification(**one) for one in json.loads(done.stdout.splitlines()[-1])]
            return [replace(one, exact=True) for one in found]
    return [verify(recording.trace(row), REFERENCE) for row in rows]


def main(words: list[str]) -> None:
    """Verify the episodes of a recording and print what was found as JSON.

    Args:
        words: the recording's folder, and numbers of episodes.
    """
    recording = find_recording(words[0])
    traces = [recording.trace(recording.episode(int(number))) for number in words[1:]]
    print(json.dumps([asdict(verify(trace, REFERENCE)) for trace in traces]))


if __name__ == "__main__":
    main(sys.argv[1:])
