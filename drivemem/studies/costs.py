"""What the missing part of a study would cost on this machine, from measured rates."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from stable_baselines3.common.callbacks import BaseCallback

from drivemem.config import DistillConfig
from drivemem.progress import duration
from drivemem.runs import NUMBER, check_kinds, read_json, write_json_file
from drivemem.studies.plan import Cell, Plan
from drivemem.studies.state import State, read_done, state_of
from drivemem.tables import Table

RATES = "rates.json"
_UPDATES = 5
"""Trained to measure a rate; the first, which warms up, does not count."""


@dataclass(frozen=True)
class Cost:
    """What a cell still costs."""

    cell: Cell
    state: State
    rate: float | None
    """Decisions trained per second; None for reference drivers."""
    seconds: float
    """Of one core, training and evaluation."""


def costs(plan: Plan) -> list[Cost]:
    """What every cell still costs, measuring agents that never ran here.

    A rate is that of finished runs of the same agent, those on the same scenario first; else it
    is measured by training a few updates, once.
    """
    states = {cell.name: state_of(plan.run(cell), cell) for cell in plan.cells}
    rates, evaluation = _measured(plan)
    missing = [c for c in plan.cells if states[c.name].stage != "done" and not c.is_driver]
    _measure(plan, {cell.agent: cell for cell in reversed(missing)}.values(), rates)
    found = []
    for cell in plan.cells:
        state = states[cell.name]
        rate = rates.get(f"{cell.scenario}/{cell.agent}", rates.get(cell.agent))
        left = 0.0 if rate is None else max(0, cell.steps - state.step) / rate
        evaluated = (len(cell.evaluations) - state.evaluated) * evaluation
        seconds = 0.0 if state.stage == "done" else left + evaluated
        found.append(Cost(cell, state, rate, seconds))
    return found


def _measured(plan: Plan) -> tuple[dict[str, float], float]:
    """Decisions per second by `scenario/agent` and by agent, and seconds of an evaluation."""
    seen: dict[str, list[float]] = {}
    evaluations = []
    for cell in plan.cells:
        run = plan.run(cell)
        done = {} if cell.is_driver else read_done(run)
        if done.get("evaluation_s"):
            evaluations.append(done["evaluation_s"])
        if done.get("steps_per_s"):
            for key in (f"{cell.scenario}/{cell.agent}", cell.agent):
                seen.setdefault(key, []).append(done["steps_per_s"])
    path = plan.folder / RATES
    rates: dict[str, float] = read_json(path) if path.exists() else {}
    check_kinds(rates, str(path), **dict.fromkeys(rates, NUMBER))
    rates |= {key: median(values) for key, values in seen.items()}
    return rates, median(evaluations) if evaluations else 5.0


def _measure(plan: Plan, cells: Iterable[Cell], rates: dict[str, float]) -> None:
    """Fill in the rates of agents that have none."""
    from drivemem.distillation.distill import distill
    from drivemem.training.train import train

    unknown = [cell for cell in cells if cell.agent not in rates]
    for cell in unknown:
        config = cell.train_config()
        steps = min(config.steps, _UPDATES * config.n_steps * config.num_envs)
        short = config.model_copy(update={"steps": steps, "num_workers": 1})
        clock = _Clock()
        with tempfile.TemporaryDirectory() as folder:
            out = Path(folder) / "run"
            if isinstance(short, DistillConfig):  # its teacher may not be trained yet
                anyone = {
                    "teacher": "random", "check_episodes": 0, "finetune_steps": 0,
                    "checkpoint_every": steps,
                }  # fmt: skip
                distill(short.model_copy(update=anyone), out, quiet=True, callback=clock)
            else:
                train(short, out, quiet=True, callback=clock)
        rates[cell.agent] = round(clock.rate(), 1)
    if unknown:
        write_json_file(plan.folder / RATES, {k: v for k, v in rates.items() if "/" not in k})


class _Clock(BaseCallback):
    """Times from the start of the second rollout to the end of training."""

    def __init__(self) -> None:
        super().__init__()
        self._marks: list[tuple[float, int]] = []

    def rate(self) -> float:
        """Decisions per second."""
        (began, before), (ended, after) = self._marks[min(1, len(self._marks) - 2)], self._marks[-1]
        return (after - before) / max(ended - began, 1e-9)

    def _mark(self) -> None:
        self._marks.append((time.monotonic(), self.num_timesteps))

    def _on_rollout_start(self) -> None:
        self._mark()

    def _on_step(self) -> bool:
        return True

    def _on_training_end(self) -> None:
        self._mark()


def table(plan: Plan, found: list[Cost], jobs: int) -> Table:
    """The runs, what is there, and what is missing."""
    seconds = sum(cost.seconds for cost in found)
    missing = sum(cost.state.stage != "done" for cost in found)
    rows, records = [], []
    for cost in found:
        cell, state = cost.cell, cost.state
        preset = plan.resolved.get(f"{cell.scenario}/{cell.agent}", {}).get("preset")
        stands = f"at step {state.step:,}" if state.stage == "training" else state.stage
        rows.append((
            cell.name, preset or "", f"{cell.steps:,}", str(len(cell.evaluations)),
            "" if cost.rate is None else f"{cost.rate:,.0f}", duration(cost.seconds),
            stands + (f": {state.why}" if state.why else ""),
        ))  # fmt: skip
        records.append({
            "run": cell.name, "preset": preset, "steps": cell.steps,
            "evaluations": len(cell.evaluations), "steps_per_s": cost.rate,
            "still_costs_s": cost.seconds, "is": state.stage, "step": state.step, "why": state.why,
        })  # fmt: skip
    return Table(
        ("run", "preset", "steps", "evaluations", "steps/s", "still costs", "is"), rows,
        title=f"study {plan.study.name}, resolved as {plan.hash()[:12]}",
        caption=f"{missing} of {len(found)} runs are missing: {duration(seconds)} of one core, "
        f"{duration(seconds / jobs)} with {jobs} at once; rates measured on this machine",
        records=records,
    )  # fmt: skip
