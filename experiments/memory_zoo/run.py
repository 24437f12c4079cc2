"""Which memory learns what: a passive T-maze and velocity-free CartPole at equal parameter counts.

Every finished run is a row of `runs.csv`; the same command again goes on where it was stopped and
writes RESULTS.md (NOTES.md and tables) from all of them. One call at a time.

    python -m experiments.memory_zoo.run --tasks tmaze10 tmaze30 cartpole --seeds 3
"""

from __future__ import annotations

import argparse
import statistics
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.vec_env import VecEnv

from benchmarks.toys import CartPolesNoVel, TMazes
from drivemem_agents import MemoryPPO
from drivemem_agents.memory import memory_names
from experiments.matched import description, learn, matched_agent
from experiments.runs import Run, RunTable, grouped

HERE = Path(__file__).parent
WEIGHTS = 8000
"""Weights of every memory, within 10 %."""
GATED = ("gru", "lstm", "mingru")


@dataclass(frozen=True)
class Task:
    """What is trained on, for how long, and when it counts as solved."""

    title: str
    budget: int
    solved: float
    settings: dict[str, Any]
    corridor: int = 0

    def worlds(self, seed: int) -> VecEnv:
        """Environments to train or to evaluate in."""
        if self.corridor:
            return TMazes(64, self.corridor, seed)
        return CartPolesNoVel(8, seed)


def _falling(left: float) -> float:
    """Learning rate by the remaining share of training."""
    return 1e-3 * left


def tmaze(corridor: int, budget: int) -> Task:
    """A T-maze; rollouts of 1.5 episodes, as delayed rewards need."""
    steps = -(-3 * (corridor + 1) // 16) * 8
    settings = {
        "n_steps": steps, "batch_size": 16 * steps, "ent_coef": 0.01, "gamma": 0.99,
        "learning_rate": _falling,
    }  # fmt: skip
    return Task(f"passive T-maze, corridor {corridor}", budget, 0.97, settings, corridor)


TASKS = {
    "tmaze10": tmaze(10, 200_000),
    "tmaze30": tmaze(30, 500_000),
    "tmaze100": tmaze(100, 1_000_000),
    "cartpole": Task(
        "CartPole without velocities", 50_000, 475.0,
        {"n_steps": 128, "batch_size": 256, "n_epochs": 10, "ent_coef": 0.0, "gamma": 0.99,
         "gae_lambda": 0.98, "max_grad_norm": 1.0, "critic": "separate", "learning_rate": 7e-4,
         "normalize_observations": True, "normalize_rewards": True},
    ),
}  # fmt: skip


def table_at(path: Path) -> RunTable:
    """The table of finished runs."""
    return RunTable(path, tuple(TASKS))


def arms(task: Task) -> dict[str, tuple[str, dict[str, Any]]]:
    """Every registered memory with default settings, and gates started for the delay."""
    found: dict[str, tuple[str, dict[str, Any]]] = {name: (name, {}) for name in memory_names()}
    if task.corridor:
        for name in GATED:
            found[f"{name}, gate bias"] = (name, {"gate_bias": 2.0 * task.corridor})
    return found


class Watch(BaseCallback):
    """Stops when the score of three rollouts in a row is high enough; notes when it first was.

    Where policies come and go (CartPole) it also keeps the weights that did best in evaluations.
    """

    def __init__(self, task: Task) -> None:
        super().__init__()
        self.task = task
        self.solved_at: int | None = None
        self.high = 0
        self.scores: list[float] = []
        self.best: tuple[float, dict[str, torch.Tensor]] = (-np.inf, {})
        self.rollouts = 0

    def choose(self) -> None:
        """Keep the weights if none did better on ten episodes; the later ones of equals."""
        assert isinstance(self.model, MemoryPPO)
        score = evaluate(self.model, self.task, 10, seed=500)
        if score >= self.best[0]:
            weights = self.model.policy.state_dict()
            self.best = (score, {key: value.clone() for key, value in weights.items()})

    def _on_rollout_start(self) -> None:
        if self.scores:
            reached = float(np.mean(self.scores[-100:])) >= self.task.solved
            self.high = self.high + 1 if reached else 0
            self.solved_at = self.solved_at or self.num_timesteps if reached else None
        if self.task.corridor:
            self.scores = []
        elif self.rollouts and self.rollouts % 5 == 0:
            self.choose()
        self.rollouts += 1

    def _on_step(self) -> bool:
        for info in self.locals["infos"]:
            if "episode" in info:
                score = info["episode"]["r"]
                self.scores.append(float(score > 0) if self.task.corridor else score)
        return self.high < 3


def evaluate(model: MemoryPPO, task: Task, episodes: int, seed: int = 10_000) -> float:
    """Mean score of the most likely actions: share of right turns, or steps balanced."""
    env, scores = task.worlds(seed), []
    observation, state = env.reset(), None
    starts, whole = np.ones(env.num_envs, dtype=bool), np.zeros(env.num_envs, dtype=bool)
    if not task.corridor:
        whole[:] = True  # CartPole's first episodes are whole; the T-mazes start mid-corridor
    while len(scores) < episodes:
        actions, state = model.predict(observation, state, starts, deterministic=True)
        observation, _, starts, infos = env.step(actions)
        for i in np.flatnonzero(starts):
            if whole[i]:
                score = infos[i]["episode"]["r"]
                scores.append(float(score > 0) if task.corridor else float(score))
        whole |= starts
    return float(np.mean(scores))


def train(name: str, arm: str, seed: int) -> Run:
    """One run, and what it found."""
    task = TASKS[name]
    memory, kwargs = arms(task)[arm]
    model = matched_agent(memory, task.worlds(seed), seed, WEIGHTS, kwargs, **task.settings)
    watch = Watch(task)
    spent = learn(model, task.budget, watch)
    if not task.corridor:
        watch.choose()
        model.policy.load_state_dict(watch.best[1])
    return {
        **description(model),
        **spent,
        "solved_at": watch.solved_at,
        "score": evaluate(model, task, 1000 if task.corridor else 24),
        "diagnostics": model.policy.memory.diagnostics(),
    }


def results(finished: list[Run]) -> str:
    """RESULTS.md: the notes, then the tables."""
    notes = (HERE / "NOTES.md").read_text(encoding="utf-8")
    return f"# What each memory learns\n\n{notes}{tables(finished)}"


def tables(finished: list[Run]) -> str:
    """Markdown tables of all finished runs, best first."""
    text = []
    by_task = grouped(finished, "task")
    for key, task in TASKS.items():
        if (key,) not in by_task:
            continue
        runs = grouped(by_task[key,], "arm")
        score = "right turns" if task.corridor else "steps balanced"
        text += [
            f"## {task.title}: {task.budget:,} steps",
            "",
            f"| memory | solved | steps to solve, median | {score}: mean (each seed) "
            "| weights | state, B | CPU, us/step |",
            "|---|---|---|---|---|---|---|",
        ]
        rows = [_row(arm, found, task) for (arm,), found in runs.items()]
        text += [line for _, line in sorted(rows)] + [""]
    return "\n".join(text)


def _row(arm: str, runs: list[Run], task: Task) -> tuple[tuple[float, float], str]:
    scores = [run["score"] for run in runs]
    right = sum(score >= task.solved for score in scores)
    solved = [run["solved_at"] for run in runs if run["solved_at"]]
    steps = statistics.median(solved) if solved else float("inf")
    shown = [f"{s:.2f}" if task.corridor else f"{s:.0f}" for s in (np.mean(scores), *scores)]
    cost = 1e6 * statistics.median(run["cpu_s"] / run["steps"] for run in runs)
    when = f"{steps / 1000:.0f} k" if solved else "-"
    line = (
        f"| {arm} | {right} of {len(runs)} | {when} | {shown[0]} ({', '.join(shown[1:])}) "
        f"| {runs[0]['weights']:,} | {runs[0]['state_bytes']:,} | {cost:.0f} |"
    )
    return (-right, steps if task.corridor and solved else -float(np.mean(scores))), line


def main() -> None:
    """Run what is missing, then write the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tasks", nargs="+", choices=list(TASKS), default=["tmaze10", "tmaze30"])
    parser.add_argument("--seeds", type=int, default=3, help="runs of every arm")
    parser.add_argument("--arms", nargs="+", help="memories to run; default: all")
    parser.add_argument("--minutes", type=float, default=float("inf"), help="start no run later")
    parser.add_argument(
        "--out", type=Path, default=HERE / "runs.csv", help="table of finished runs"
    )
    options = parser.parse_args()
    torch.set_num_threads(1)
    warnings.filterwarnings("ignore", message=".*render_mode.*")
    table = table_at(options.out)
    trials = (
        (name, arm, seed)
        for name in options.tasks
        for seed in range(options.seeds)
        for arm in arms(TASKS[name])
        if not options.arms or arm in options.arms
    )
    table.fill(trials, train, options.minutes)
    options.out.with_name("RESULTS.md").write_text(results(table.read()), encoding="utf-8")


if __name__ == "__main__":
    main()
