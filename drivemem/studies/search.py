"""Searching settings of training with Optuna, the same budget for every memory.

One trial is one run of a fixed number of decisions. Everything is kept in a journal file and run
folders, so that an interrupted search goes on where it was and proposes the same trials.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from stable_baselines3.common.callbacks import BaseCallback

from drivemem.config import TrainConfig, build_config
from drivemem.errors import DrivememError, one_line
from drivemem.runs import SEARCH, Run, read_json, read_metrics, write_json_file
from drivemem.training.presets import find_preset, merged
from drivemem_envs import registry

JOURNAL = "journal.log"
REPORTS = 10
"""How often in a trial its learning curve is looked at."""
_STARTUP, _WARMUP = 5, 3
"""Trials drawn at random before the sampler learns; reports before a trial may be ended."""

SPACE: dict[str, tuple[Any, ...]] = {
    "learning_rate": ("log", 3e-4, 1e-2),
    "ent_coef": ("log", 1e-4, 3e-2),
    "n_steps": ("choice", 32, 64, 128),
    "n_epochs": ("choice", 2, 4, 8),
    "gae_lambda": ("choice", 0.9, 0.95, 0.98),
}
"""What is searched for every memory."""
MEMORY_SPACE: dict[str, tuple[Any, ...]] = {
    "gate_bias": ("choice", 10, 30, 100, 300),
    "window": ("choice", 16, 32, 64),
    "frames": ("choice", 2, 4, 8),
}
"""What is searched for the memories that have such a setting."""


@dataclass(frozen=True)
class Budget:
    """What every memory gets."""

    trials: int
    steps: int
    """Decisions of each trial."""
    episodes: int = 200
    """Of the eval stream, that a trial is judged on."""
    seed: int = 0
    """Of the proposals and of training."""


@dataclass(frozen=True)
class Found:
    """The best trial of one memory."""

    memory: str
    score: float
    """Success on unseen episodes of the eval stream."""
    settings: dict[str, Any]
    trials: int
    pruned: int


def search(
    scenario: str,
    memories: Sequence[str],
    budget: Budget,
    out: Path,
    say: Callable[[str], None],
    fixed: dict[str, Any] | None = None,
) -> list[Found]:
    """Search settings for each memory on a scenario.

    Args:
        scenario: its name.
        memories: names of memories.
        budget: the same for all.
        out: folder of journal and runs.
        say: gets a line for each trial.
        fixed: settings that stay as they are, over the scenario's preset.

    Raises:
        DrivememError: Optuna is not installed, no such scenario, or the folder holds another
            search.
        KeyboardInterrupt: after Ctrl-C; the same call goes on.
    """
    try:
        import optuna
    except ImportError as error:
        raise DrivememError("Optuna is not installed: pip install 'drivemem[tune]'") from error
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    bases = _bases(scenario, memories, budget, fixed or {})  # before anything is written
    _claim(out, {"scenario": scenario, "budget": budget.__dict__, "fixed": fixed or {}})
    backend = optuna.storages.journal.JournalFileBackend(str(out / JOURNAL))
    storage = optuna.storages.JournalStorage(backend)
    found = []
    for memory, base in bases.items():
        study = optuna.create_study(
            study_name=memory, storage=storage, direction="maximize", load_if_exists=True,
            pruner=optuna.pruners.MedianPruner(_STARTUP, _WARMUP),
        )  # fmt: skip
        while (number := len(_ended(study))) < budget.trials:
            _trial(study, number, base, budget, out / memory, say)
        found.append(_best(study, memory, base))
    return found


def _bases(
    scenario: str, memories: Sequence[str], budget: Budget, fixed: dict[str, Any]
) -> dict[str, dict[str, Any]]:
    """What stays as it is in every trial of a memory: its preset and the fixed settings."""
    with one_line(ValueError):
        registry.scenario(scenario)
    preset = find_preset(scenario)
    bases = {}
    for memory in memories:
        base = merged({} if preset is None else preset.of(memory), fixed)
        base |= {"scenario": scenario, "memory": memory, "steps": budget.steps}
        build_config({**base, "seed": budget.seed})
        bases[memory] = base
    return bases


def _claim(out: Path, what: dict[str, Any]) -> None:
    """Refuse a folder that holds another search; the number of trials may grow."""
    path = out / SEARCH
    plain = json.loads(json.dumps(what))
    if path.exists():
        before = read_json(path, budget=dict)
        same = {
            **before,
            "budget": {**before.get("budget", {}), "trials": plain["budget"]["trials"]},
        }
        if same != plain:
            raise DrivememError(
                f"{out} holds another search ({before}): repeat its command, or choose another "
                "--out"
            )
    write_json_file(path, plain)


def _ended(study: Any) -> list[Any]:
    """Trials that ended, whole or pruned; interrupted ones do not count."""
    from optuna.trial import TrialState

    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        study.tell(trial.number, state=TrialState.FAIL)
    kept: list[Any] = study.get_trials(states=(TrialState.COMPLETE, TrialState.PRUNED))
    return kept


def _trial(
    study: Any, number: int, base: dict[str, Any], budget: Budget, folder: Path,
    say: Callable[[str], None],
) -> None:  # fmt: skip
    import optuna

    from drivemem.evaluation.evaluate import evaluate
    from drivemem.training.train import train

    # A sampler for each trial: an interrupted search proposes what it would have proposed.
    seed = int(np.random.SeedSequence([budget.seed, number]).generate_state(1)[0])
    study.sampler = optuna.samplers.TPESampler(
        seed=seed, n_startup_trials=_STARTUP, multivariate=True, constant_liar=False
    )
    trial = study.ask()
    settings = propose(trial, base)
    config = build_config({**settings, "seed": budget.seed})
    run = Run(folder / f"trial-{number}")
    curve = _Curve(trial, run, budget.steps)
    name = f"{config.memory}, trial {number + 1} of {budget.trials}"
    try:
        train(config, run.folder, resume=True, quiet=True, callback=curve)
    except optuna.TrialPruned:
        study.tell(trial, state=optuna.trial.TrialState.PRUNED)
        say(f"{name}: ended early, {curve.last:.2f} of training episodes succeeded")
        return
    (result,) = evaluate(run.folder, episodes=budget.episodes, suite="eval", quiet=True)
    score = result.rate("success")
    trial.set_user_attr("area", curve.area())
    trial.set_user_attr("settings", {k: v for k, v in settings.items() if base.get(k) != v})
    study.tell(trial, score)
    say(f"{name}: success {score:.3f} with {trial.params}")


def propose(trial: Any, base: dict[str, Any]) -> dict[str, Any]:
    """Settings of a trial: the base with what the search chose."""
    from drivemem_agents.memory import memory_class

    def choose(name: str, kind: tuple[Any, ...]) -> Any:
        if kind[0] == "log":
            return float(f"{trial.suggest_float(name, kind[1], kind[2], log=True):.3g}")
        return trial.suggest_categorical(name, kind[1:])

    settings = {**base, **{name: choose(name, kind) for name, kind in SPACE.items()}}
    known = memory_class(base["memory"]).Settings.model_fields
    own = {name: choose(name, kind) for name, kind in MEMORY_SPACE.items() if name in known}
    words = tuple(f"{name}={value}" for name, value in own.items())
    settings = merged(settings, {"memory_kwargs": words}) if words else settings
    config = TrainConfig(**settings)
    rollout = config.n_steps * config.num_envs
    whole = [size for size in range(config.n_steps, config.batch_size + 1, config.n_steps)]
    fitting = [size for size in whole if rollout % size == 0]  # whole sequences, equal minibatches
    return {**settings, "batch_size": max(fitting, default=config.n_steps)}


class _Curve(BaseCallback):
    """Reports the learning curve to the pruner: all of it, whatever was interrupted."""

    def __init__(self, trial: Any, run: Run, steps: int) -> None:
        super().__init__()
        self._trial, self._run, self._steps = trial, run, steps
        self._reported = 0
        self.last = 0.0

    def area(self) -> float:
        """Mean success over training: how early it was learned."""
        return float(np.mean([value for _, value in self._points()] or [0.0]))

    def _points(self) -> list[tuple[int, float]]:
        return [
            (int(line["step"]), float(line["rollout/success_rate"]))
            for line in read_metrics(self._run.metrics_file)
            if line.get("rollout/success_rate") is not None
        ]

    def _on_rollout_start(self) -> None:
        import optuna

        while (self._reported + 1) * self._steps // REPORTS <= self.num_timesteps:
            self._reported += 1
            until = self._reported * self._steps // REPORTS
            values = [value for step, value in self._points() if step <= until]
            self.last = values[-1] if values else 0.0
            self._trial.report(self.last, self._reported)
            if self._trial.should_prune():
                raise optuna.TrialPruned

    def _on_step(self) -> bool:
        return True


def _best(study: Any, memory: str, base: dict[str, Any]) -> Found:
    ended = _ended(study)
    whole = [trial for trial in ended if trial.value is not None and "area" in trial.user_attrs]
    if not whole:
        raise DrivememError(f"no trial of memory '{memory}' was completed: give more --trials")
    best = max(whole, key=lambda trial: (trial.value, trial.user_attrs["area"]))
    return Found(
        memory, float(best.value), best.user_attrs["settings"], len(ended),
        len(ended) - len(whole),
    )  # fmt: skip


def preset_text(
    scenario: str, found: Sequence[Found], budget: Budget, command: str, facts: dict[str, Any]
) -> str:
    """A preset as TOML, with its provenance."""
    versions = ", ".join(f"{name} {number}" for name, number in facts["versions"].items() if number)
    lines = [
        f"# {scenario}",
        f"# Provenance: `{command}`, {facts['written'][:10]}.",
        f"# Optuna, TPE sampler (multivariate), seed {budget.seed}, median pruner on learning "
        "curves; every memory had",
        f"# {budget.trials} trials of {budget.steps:,} decisions, one training seed each; score: "
        f"success on {budget.episodes} episodes of the eval stream.",
        "# The best of several trials looks better than it is: test it on seeds of its own.",
        f"# {versions}; git {facts['git']}.",
        f"steps = {budget.steps}",
    ]
    base = find_preset(scenario)
    for key, value in ({} if base is None else base.settings).items():
        if key != "steps":
            lines.append(f"{key} = {_toml(value)}")
    for one in found:
        lines += ["", f"# success {one.score:.3f}; {one.pruned} of {one.trials} trials ended early"]
        lines.append(f"[memories.{one.memory}]")
        lines += [f"{key} = {_toml(value)}" for key, value in sorted(one.settings.items())]
    return "\n".join(lines) + "\n"


def _toml(value: Any) -> str:
    """A value as TOML writes it."""
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {_toml(item)}" for key, item in value.items()) + " }"
    return json.dumps(list(value) if isinstance(value, tuple) else value)
