"""Loading the agent of a run, to use it as any SB3 model."""

from __future__ import annotations

from pathlib import Path

from drivemem.backends import check_device
from drivemem.errors import one_line
from drivemem.runs import open_run
from drivemem_agents import CheckpointError, MemoryPPO


def load(run: str | Path, device: str = "auto") -> MemoryPPO:
    """The trained agent of a run.

    Args:
        run: the run's folder.
        device: auto, cpu or cuda.

    Raises:
        DrivememError: no run, no trained agent, broken files, or no such device here.
    """
    with one_line(CheckpointError):
        return MemoryPPO.load(open_run(run).model, device=check_device(device))
