"""Searching settings of training with Optuna, the same budget for every memory.

One trial is a run of a fixed number of decisions on each scenario, with the same settings over the
scenario's own preset. Everything is kept in a journal file and run folders, so that an interrupted
search goes on where it was and proposes the same trials.
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
"""How often in a run its learning curve is looked at."""
_STARTUP, _WARMUP = 5, 3
"""Trials drawn at random before the sampler learns; reports before a trial may be ended."""

SPACE: dict[str, tuple[Any, ...]] = {
    "learning_rate": ("log", 3e-4, 1e-2),
    "ent_coef": ("log", 1e-4, 1e-1),
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
    """Decisions of each run."""
    episodes: int = 200
    """Of the eval stream, that a run is judged on."""
    seed: int = 0
    """Of the proposals and of training."""


@dataclass(frozen=True)
class Found:
    """The best trial of one memory."""

    memory: str
    score: float
    """What scenarios judge by, success or being on time, on unseen episodes of the eval stream:
    mean over scenarios."""
    settings: dict[str, Any]
    """What was chosen."""
    trials: int
    pruned: int
    by_scenario: dict[str, float]
    """The score on each scenario."""


def search(
    scenarios: Sequence[str],
    memories: Sequence[str],
    budget: Budget,
    out: Path,
    say: Callable[[str], None],
    fixed: dict[str, Any] | None = None,
) -> list[Found]:
    """Search settings for each memory that are best on scenarios taken together.

    Args:
        scenarios: their names.
        memories: names of memories.
        budget: the same for all.
        out: folder of journal and runs.
        say: gets a line for each trial.
        fixed: settings that stay as they are, over each scenario's preset.

    Raises:
        DrivememError: Optuna is not installed, no such scenario, one that is named twice, or the
            folder holds another search.
        KeyboardInterrupt: after Ctrl-C; the same call goes on.
    """
    try:
        import optuna
    except ImportError as error:
        raise DrivememError(
            "Optuna is not installed: pip install optuna (the extra `tune`)"
        ) from error
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    bases = _bases(scenarios, memories, budget, fixed or {})  # before anything is written
    what = {"scenarios": list(scenarios), "budget": budget.__dict__, "fixed": fixed or {}}
    _claim(out, what)
    backend = optuna.storages.journal.JournalFileBackend(str(out / JOURNAL))
    storage = optuna.storages.JournalStorage(backend)
    found = []
    for memory, of_scenarios in bases.items():
        study = optuna.create_study(
            study_name=memory, storage=storage, direction="maximize", load_if_exists=True,
            pruner=optuna.pruners.MedianPruner(_STARTUP, _WARMUP),
        )  # fmt: skip
        while (number := len(_ended(study))) < budget.trials:
            _trial(study, number, of_scenarios, budget, out / memory, say)
        found.append(_best(study, memory))
    return found


def _bases(
    scenarios: Sequence[str], memories: Sequence[str], budget: Budget, fixed: dict[str, Any]
) -> dict[str, dict[str, dict[str, Any]]]:
    """What stays as it is in every trial: by memory and scenario, its preset and what is fixed."""
    if not scenarios or len(set(scenarios)) < len(scenarios):
        raise DrivememError(f"scenarios are {', '.join(scenarios) or 'none'}; name each once")
    bases: dict[str, dict[str, dict[str, Any]]] = {memory: {} for memory in memories}
    for scenario in scenarios:
        with one_line(ValueError):
            registry.scenario(scenario)
        preset = find_preset(scenario)
        for memory in memories:
            base = merged({} if preset is None else preset.of(memory), fixed)
            base |= {"scenario": scenario, "memory": memory, "steps": budget.steps}
            build_config({**base, "seed": budget.seed})
            bases[memory][scenario] = base
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
    study: Any, number: int, bases: dict[str, dict[str, Any]], budget: Budget, folder: Path,
    say: Callable[[str], None],
) -> None:  # fmt: skip
    import optuna

    # A sampler for each trial: an interrupted search proposes what it would have proposed.
    seed = int(np.random.SeedSequence([budget.seed, number]).generate_state(1)[0])
    study.sampler = optuna.samplers.TPESampler(
        seed=seed, n_startup_trials=_STARTUP, multivariate=True, constant_liar=False
    )
    trial = study.ask()
    name = f"{folder.name}, trial {number + 1} of {budget.trials}"
    scores: dict[str, float] = {}
    areas: list[float] = []
    for place, (scenario, base) in enumerate(bases.items()):
        settings = propose(trial, base)
        config = build_config({**settings, "seed": budget.seed})
        run = Run(folder / f"trial-{number}" / (scenario if len(bases) > 1 else ""))
        curve = _Curve(trial, run, budget.steps, place * REPORTS)
        try:
            scores[scenario] = _score(config, run, curve, budget.episodes)
        except optuna.TrialPruned:
            study.tell(trial, state=optuna.trial.TrialState.PRUNED)
            say(f"{name}: ended early, {curve.last:.2f} of training episodes succeeded")
            return
        areas.append(curve.area())
    if len(bases) > 1:
        chosen = _chosen(trial.params)
    else:  # what differs from the preset, the size of minibatches too
        chosen = {key: value for key, value in settings.items() if base.get(key) != value}
    trial.set_user_attr("area", float(np.mean(areas)))
    trial.set_user_attr("settings", chosen)
    trial.set_user_attr("scores", scores)
    score = float(np.mean(list(scores.values())))
    study.tell(trial, score)
    say(f"{name}: {score:.3f}{_each(scores)} with {trial.params}")


def _score(config: Any, run: Run, curve: _Curve, episodes: int) -> float:
    """Train, and judge on the eval stream by what the scenario is judged by.

    Raises:
        TrialPruned: the learning curve is below those of other trials.
    """
    from drivemem.evaluation.evaluate import evaluate
    from drivemem.training.train import train

    train(config, run.folder, resume=True, quiet=True, callback=curve)
    (result,) = evaluate(run.folder, episodes=episodes, suite="eval", quiet=True)
    if result.suite.scenario.on_time_mps is not None:
        return float(result.mean("on_time"))
    return result.rate("success")


def _each(scores: dict[str, float]) -> str:
    """Scores by scenario, where there are several."""
    if len(scores) < 2:
        return ""
    return f" ({', '.join(f'{name} {score:.3f}' for name, score in scores.items())})"


def _chosen(params: dict[str, Any]) -> dict[str, Any]:
    """What was chosen for all scenarios, as settings."""
    settings = {name: params[name] for name in SPACE}
    for name, kind in SPACE.items():
        if kind[0] == "log":
            settings[name] = _rounded(params[name])
    words = tuple(f"{name}={params[name]}" for name in MEMORY_SPACE if name in params)
    return {**settings, **({"memory_kwargs": words} if words else {})}


def _rounded(value: float) -> float:
    return float(f"{value:.3g}")


def propose(trial: Any, base: dict[str, Any]) -> dict[str, Any]:
    """Settings of a trial on one scenario: the base with what the search chose.

    The search chooses once for all scenarios; only the size of minibatches is each one's own, as
    near to its base's as whole sequences allow.
    """
    from drivemem_agents.memory import memory_class

    def choose(name: str, kind: tuple[Any, ...]) -> Any:
        if kind[0] == "log":
            return _rounded(trial.suggest_float(name, kind[1], kind[2], log=True))
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

    def __init__(self, trial: Any, run: Run, steps: int, first: int) -> None:
        super().__init__()
        self._trial, self._run, self._steps, self._first = trial, run, steps, first
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
            self._trial.report(self.last, self._first + self._reported)
            if self._trial.should_prune():
                raise optuna.TrialPruned

    def _on_step(self) -> bool:
        return True


def _best(study: Any, memory: str) -> Found:
    ended = _ended(study)
    whole = [trial for trial in ended if trial.value is not None and "area" in trial.user_attrs]
    if not whole:
        raise DrivememError(f"no trial of memory '{memory}' was completed: give more --trials")
    best = max(whole, key=lambda trial: (trial.value, trial.user_attrs["area"]))
    return Found(
        memory, float(best.value), best.user_attrs["settings"], len(ended),
        len(ended) - len(whole), best.user_attrs["scores"],
    )  # fmt: skip


def preset_text(
    scenario: str, found: Sequence[Found], budget: Budget, command: str, facts: dict[str, Any]
) -> str:
    """What was found on one scenario: a preset as TOML, with its provenance."""
    lines = [f"# {scenario}", *_provenance(budget, command, facts), f"steps = {budget.steps}"]
    base = find_preset(scenario)
    for key, value in ({} if base is None else base.settings).items():
        if key != "steps":
            lines.append(f"{key} = {_toml(value)}")
    return "\n".join([*lines, *_tables(found, "memories")]) + "\n"


def agents_text(
    scenarios: Sequence[str],
    found: Sequence[Found],
    budget: Budget,
    command: str,
    facts: dict[str, Any],
) -> str:
    """What was found on several together: agents of a study, over each scenario's preset."""
    lines = [f"# {', '.join(scenarios)}", *_provenance(budget, command, facts)]
    lines.append("# For a study's file: these win over the preset of whatever scenario they drive.")
    return "\n".join([*lines, *_tables(found, "agents")]) + "\n"


def _provenance(budget: Budget, command: str, facts: dict[str, Any]) -> list[str]:
    versions = ", ".join(f"{name} {number}" for name, number in facts["versions"].items() if number)
    return [
        f"# Provenance: `{command}`, {facts['written'][:10]}.",
        f"# Optuna, TPE sampler (multivariate), seed {budget.seed}, median pruner on learning "
        "curves; every memory had",
        f"# {budget.trials} trials of {budget.steps:,} decisions on each scenario, one training "
        f"seed each; score: {budget.episodes} episodes of the eval stream.",
        "# The best of several trials looks better than it is: test it on seeds of its own.",
        f"# {versions}; git {facts['git']}.",
    ]


def _tables(found: Sequence[Found], kind: str) -> list[str]:
    """A table for each memory."""
    lines = []
    for one in found:
        score = f"{one.score:.3f}{_each(one.by_scenario)}"
        lines += ["", f"# {score}; {one.pruned} of {one.trials} trials ended early"]
        lines.append(f"[{kind}.{one.memory}]")
        settings = {"memory": one.memory} if kind == "agents" else {}
        settings |= dict(sorted(one.settings.items()))
        lines += [f"{key} = {_toml(value)}" for key, value in settings.items()]
    return lines


def _toml(value: Any) -> str:
    """A value as TOML writes it."""
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {_toml(item)}" for key, item in value.items()) + " }"
    return json.dumps(list(value) if isinstance(value, tuple) else value)
