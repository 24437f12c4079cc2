"""Do memories keep what they promise on tasks of others? Control without velocities, and POPGym.

Every finished run is a row of `runs.csv`; the same command again goes on where it was stopped and
writes RESULTS.md (NOTES.md and tables) from all of them. One call at a time.

    python -m experiments.external.run --tasks CartPoleNoVel-v1 PendulumNoVel-v1 --seeds 3
"""

from __future__ import annotations

import argparse
import importlib.util
import statistics
from pathlib import Path

import numpy as np
import torch
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.evaluation import evaluate_policy

from drivemem_agents.memory import memory_names
from experiments.external.tasks import CONTROL, POPGYM, TASKS
from experiments.matched import description, learn, matched_agent
from experiments.runs import Run, RunTable, grouped

HERE = Path(__file__).parent
MEMORIES = ("none", "gru", "lstm", "attention", "linear_attention", "gated_delta", "mamba2")
EPISODES = 100
"""Of the evaluation, in 10 worlds that training never saw."""
WINDOW = 100
"""Episodes in a row whose mean return is followed while training."""


def table_at(path: Path) -> RunTable:
    """The table of finished runs."""
    return RunTable(path, tuple(TASKS), keys=("task", "budget", "memory", "seed"))


class BestReturn(BaseCallback):
    """Notes the best mean return of a hundred training episodes in a row."""

    def __init__(self) -> None:
        super().__init__()
        self.best: float | None = None

    def _on_step(self) -> bool:
        return True

    def _on_rollout_end(self) -> None:
        recent = [episode["r"] for episode in self.model.ep_info_buffer or ()]
        if len(recent) == WINDOW:
            mean = float(np.mean(recent))
            self.best = mean if self.best is None else max(self.best, mean)


def train(name: str, budget: int, memory: str, seed: int) -> Run:
    """One run, and what it found."""
    task, watch = TASKS[name], BestReturn()
    model = matched_agent(
        memory, task.vector(seed), seed, task.weights, stats_window_size=WINDOW, **task.settings
    )
    spent = learn(model, budget, watch)
    returns, _ = evaluate_policy(
        model, task.vector(10_000 + seed, 10), EPISODES, return_episode_rewards=True
    )
    return {
        **description(model),
        **spent,
        "score": float(np.mean(returns)),
        "score_std": float(np.std(returns)),
        "best_in_training": watch.best,
    }


def results(runs: list[Run]) -> str:
    """RESULTS.md: the notes, then a table for every task and budget."""
    notes = (HERE / "NOTES.md").read_text(encoding="utf-8")
    parts = [section(*key, found) for key, found in grouped(runs, "task", "budget").items()]
    return "\n".join([f"# Memories on tasks of others\n\n{notes}", *parts])


def section(name: str, budget: int, runs: list[Run]) -> str:
    """The runs of a task as a Markdown table, best first."""
    task = TASKS[name]
    rows = sorted(
        (-statistics.fmean(run["score"] for run in found), row(memory, found, task.digits))
        for (memory,), found in grouped(runs, "memory").items()
    )
    return "\n".join(
        [
            f"## {name}: {budget:,} steps",
            *(["", f"Published: {task.published}."] if task.published else []),
            "",
            "| memory | return: mean (each seed) | best in training, median | weights | state, B "
            "| CPU, us/step |",
            "|---|---|---|---|---|---|",
            *(line for _, line in rows),
            "",
        ]
    )


def row(memory: str, runs: list[Run], digits: int) -> str:
    """One memory's line."""
    scores = [run["score"] for run in runs]
    mean, *each = (f"{score:.{digits}f}" for score in (statistics.fmean(scores), *scores))
    known = [run["best_in_training"] for run in runs if run["best_in_training"] is not None]
    best = f"{statistics.median(known):.{digits}f}" if known else "-"
    cost = 1e6 * statistics.median(run["cpu_s"] / run["steps"] for run in runs)
    return (
        f"| {memory} | {mean} ({', '.join(each)}) | {best} "
        f"| {runs[0]['weights']:,} | {runs[0]['state_bytes']:,} | {cost:.0f} |"
    )


def main(arguments: list[str] | None = None) -> None:
    """Run what is missing, then write the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tasks", nargs="+", choices=list(TASKS), default=list(CONTROL))
    parser.add_argument("--memories", nargs="+", choices=memory_names(), default=list(MEMORIES))
    parser.add_argument("--seeds", type=int, default=3, help="runs of every memory")
    parser.add_argument("--steps", type=int, help="of training; default: the task's")
    parser.add_argument("--minutes", type=float, default=float("inf"), help="start no run later")
    parser.add_argument("--out", type=Path, default=HERE / "runs.csv", help="table of runs")
    options = parser.parse_args(arguments)
    if set(options.tasks) & set(POPGYM) and importlib.util.find_spec("popgym") is None:
        parser.error("popgym-* tasks need the package popgym, which is not installed (README.md)")
    torch.set_num_threads(1)
    table = table_at(options.out)
    trials = (
        (name, options.steps or TASKS[name].budget, memory, seed)
        for name in options.tasks
        for seed in range(options.seeds)
        for memory in options.memories
    )
    table.fill(trials, train, options.minutes)
    options.out.with_name("RESULTS.md").write_text(results(table.read()), encoding="utf-8")


if __name__ == "__main__":
    main()
