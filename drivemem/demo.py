"""`make demo`: the question answered once, small: train, evaluate, cut the memory, compare, replay.

Two agents learn the same scenario under identical conditions; one of them has a memory.
"""

from __future__ import annotations

import sys
import time
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

FOLDER = Path("demo")
SCENARIO = "exit-recall"
STEPS = 130_000
EPISODES = 200
RECORDED = 12

# Identical for both agents: the auxiliary loss too, which a memoryless agent cannot profit from.
SHARED = {
    "scenario": SCENARIO,
    "steps": STEPS,
    "num_envs": 32,
    "n_steps": 64,
    "batch_size": 512,
    "learning_rate": 3e-3,
    "aux_coef": 1.0,
}
AGENTS = {
    "none": {"memory": "none", "memory_kwargs": ("hidden_size=64",)},
    "gru": {"memory": "gru", "memory_kwargs": ("hidden_size=64", "gate_bias=30")},
}
DRIVERS = ("idm", "constant:IDLE", "random")


def main() -> int:
    """Run the demo; what is there already is kept, so an interrupted demo goes on."""
    warnings.filterwarnings("ignore", message=".*out of date.*")
    from drivemem.errors import DrivememError
    from drivemem.output import console

    out = console()
    began = time.monotonic()
    try:
        _drive(out)
        _show(out)
    except DrivememError as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\ndemo: interrupted; `make demo` goes on", file=sys.stderr)
        return 1
    minutes = (time.monotonic() - began) / 60
    out.print(
        f"Done in {minutes:.1f} minutes. Open demo/report/report.html, demo/replay.html, "
        "demo/replay.gif."
    )
    return 0


def _drive(out: Console) -> None:
    """Train the agents, and let everybody meet the same episodes."""
    from drivemem.config import build_config
    from drivemem.evaluation.evaluate import evaluate
    from drivemem.training.train import train

    out.print(f"1. Training two agents on {SCENARIO}, {STEPS:,} decisions each.")
    for name, agent in AGENTS.items():
        train(build_config({**SHARED, **agent}), FOLDER / name, resume=True)
    out.print(f"2. The same {EPISODES} unseen episodes for every driver.")
    evaluate(FOLDER / "none", episodes=EPISODES, record=RECORDED)
    evaluate(FOLDER / "gru", episodes=EPISODES, record=RECORDED)
    evaluate(FOLDER / "gru", episodes=EPISODES, lesion="reset_every:1")
    for driver in DRIVERS:
        folder = FOLDER / driver.replace(":", "-")
        evaluate(driver=driver, scenario=SCENARIO, episodes=EPISODES, out=folder)


def _show(out: Console) -> None:
    """Write the report and the replay, and print the comparison."""
    from drivemem.comparison import compare_runs
    from drivemem.output import show
    from drivemem.replays import replay

    out.print("3. The comparison.")
    report = FOLDER / "report"
    result = compare_runs([FOLDER], report=report)
    show(*result.as_tables())
    for suite in result.tables:
        out.print(suite.headline())
    recording = FOLDER / "gru" / "recordings" / "test-intact"
    against = FOLDER / "none" / "recordings" / "test-intact"
    replay(recording, against=against, page=FOLDER / "replay.html")
    replay(recording, episode=0, against=against, video=FOLDER / "replay.gif")


if __name__ == "__main__":
    sys.exit(main())
