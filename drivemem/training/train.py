"""Training: one agent, one scenario, one seed, in a folder that can be resumed at any moment."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.logger import KVWriter, Logger

from drivemem.backends import check_device, choose_backend, compile_ahead
from drivemem.config import DistillConfig, TrainConfig
from drivemem.errors import DrivememError, first_line
from drivemem.progress import Curve, Progress
from drivemem.runs import RUNS, Run, manifest, open_run, read_metrics, saving, write_json_file
from drivemem.seeds import episode_seed
from drivemem.settings import parse_pairs
from drivemem.threads import limit_threads
from drivemem.training.checkpoints import AGENT_KINDS, restore_newest, save_checkpoint
from drivemem.training.lock import alone_in
from drivemem.training.metrics import JsonLines, keep_lines
from drivemem.training.mirrors import chosen, mirrors_of
from drivemem.training.stages import (
    asks_for_more,
    begin_stage,
    check_can_go_on,
    end_of,
    keeps_end,
    provenance,
)
from drivemem.training.starting import refuse_changes, started
from drivemem.training.vec_env import WorldsVecEnv
from drivemem.training.warm_start import start_from, write_importance
from drivemem_agents import MemoryPPO
from drivemem_agents.checkpoint import AGENT_FILES, save_agent
from drivemem_agents.files import clear_leavings
from drivemem_agents.ppo_settings import TrainingSettings
from drivemem_agents.settings import documented_by

if TYPE_CHECKING:
    from drivemem_envs import Scenario

Build = Callable[[Any], tuple[MemoryPPO, WorldsVecEnv]]
"""Makes an untrained agent and its worlds from a configuration."""

WRITTEN = ("model", "checkpoints", "metrics.jsonl", "manifest.json", "importance.safetensors")
"""What training writes into a run's folder after `config.json`."""


class LinearSchedule:
    """Falls linearly from a value to a share of it as training goes on."""

    def __init__(self, start: float, final_share: float) -> None:
        self.start, self.final_share = start, final_share

    def __call__(self, progress_remaining: float) -> float:
        """The value with a share of the run still to go."""
        share = self.final_share + (1.0 - self.final_share) * progress_remaining
        return self.start * share


@documented_by(TrainConfig)
def train(
    scenario: str | TrainConfig,
    out: str | Path | None = None,
    *,
    preset: str | Path | None = None,
    resume: bool = False,
    quiet: bool = False,
    callback: BaseCallback | None = None,
    log: Sequence[str] | None = None,
    build: Build | None = None,
    **settings: Any,
) -> Run:
    """Train an agent, or go on training one.

    With a scenario's name, settings start from the scenario's preset, as `drivemem train` does;
    what is given wins.

    Args:
        scenario: its name; or a whole configuration, which is taken as it is.
        out: the run's folder; default `runs/<name>`.
        preset: a TOML file in place of the scenario's own preset; `none`: the defaults below.
        resume: go on from the last checkpoint (the same command again); a run that is done is
            returned as it is, or trained on where `steps` is more than it was trained for, and one
            whose agent was damaged since is restored from there.
        quiet: no progress on the terminal.
        callback: a further SB3 callback.
        log: where metrics are shown besides, of `tensorboard` and `wandb`; default: what the
            environment variable DRIVEMEM_LOG names, else TensorBoard if it is installed.
        build: what makes the untrained agent and its worlds; default: `build_plain`.
        **settings: as listed below, such as `memory="lstm"` or `memory_kwargs={"hidden_size": 64}`.

    Returns:
        The run.

    Raises:
        DrivememError: the folder is another configuration's, holds files of somebody's own in the
            way, is being trained in by another process, cannot be written, or holds a broken
            checkpoint; unknown names or settings; a device that this machine lacks; settings
            that do not fit together; a log that is not installed, or does not begin.
        KeyboardInterrupt: after Ctrl-C; the run stays resumable.
    """
    if isinstance(scenario, TrainConfig):
        config = scenario
        refuse_changes(config, preset, settings)
    else:
        config = started({**settings, "scenario": scenario}, preset, quiet)
    if config.consolidation_coef > 0.0 and config.start_from is None:
        raise DrivememError(
            "--consolidation-coef holds weights where another run had them: name it with "
            "--start-from"
        )
    if isinstance(config, DistillConfig) and build is None:
        raise DrivememError(
            f"{config.teacher} is to teach, and training has no teacher: use drivemem.distill"
        )
    mirrors = chosen(log)
    run = Run(Path(out) if out is not None else RUNS / config.run_name())
    if _is_trained(run, config, resume):
        return run
    _refuse_foreign(run)
    with alone_in(run.folder):
        if not _is_trained(run, config, resume):  # by another process, in the meantime
            _train(run, config, quiet, callback, mirrors, build or build_plain)
    return run


def _train(
    run: Run,
    config: TrainConfig,
    quiet: bool,
    callback: BaseCallback | None,
    mirrors: Sequence[str],
    build: Build,
) -> None:
    try:
        model, env = build(config)
    except (ValueError, TypeError) as error:
        raise DrivememError(first_line(error)) from error
    try:
        begin_stage(run, config)
        write_json_file(run.config_file, json.loads(config.canonical()))
        _learn(run, config, model, env, quiet, callback, mirrors)
    except ValueError as error:  # numbers that are not finite, from the world or the learning
        checkpoint = run.latest_checkpoint()
        kept = "there is no checkpoint yet" if checkpoint is None else f"{checkpoint} stays"
        raise DrivememError(f"{error} ({kept})") from error
    finally:
        env.close()


def build_plain(config: TrainConfig) -> tuple[MemoryPPO, WorldsVecEnv]:
    """The untrained agent of a configuration, and its worlds."""
    scenario = config.changed_scenario()
    env = adapted(config, make_worlds(config, scenario, begin(config, scenario)))
    return build_model(config, env), env


def begin(config: TrainConfig, *scenarios: Scenario) -> Literal["compiled", "reference"]:
    """Before worlds are made: threads, the device, and the backend that runs all scenarios.

    Raises:
        DrivememError: no such device here, or not that backend.
    """
    limit_threads()
    check_device(config.device)
    backends = [choose_backend(config.backend, scenario) for scenario in scenarios]
    backend = min(backends, key=["reference", "compiled"].index)
    if backend == "compiled":
        for scenario in scenarios:
            compile_ahead(scenario)
    return backend


def make_worlds(
    config: TrainConfig, scenario: Scenario, backend: Literal["compiled", "reference"]
) -> Any:
    """The worlds that a configuration trains in, as it says how a scenario is seen."""
    import drivemem_envs
    from drivemem_envs.cores import usable_cores

    return drivemem_envs.make_vec(
        scenario,
        config.num_envs,
        backend=backend,
        seeds=partial(episode_seed, config.seed, "train"),
        num_workers=config.num_workers or usable_cores(),
    )


def adapted(config: TrainConfig, worlds: Any) -> WorldsVecEnv:
    """Worlds as SB3 takes them."""
    return WorldsVecEnv(worlds, config.critic == "privileged", config.privileged_view)


def build_model(
    config: TrainConfig, env: WorldsVecEnv, kind: type[MemoryPPO] = MemoryPPO, **further: Any
) -> MemoryPPO:
    """The untrained agent of a configuration; closes the worlds where that fails.

    Args:
        config: everything that it depends on.
        env: its worlds.
        kind: its class.
        further: arguments of that class beyond MemoryPPO's.
    """
    scenario = env.worlds.scenario
    horizon = scenario.memory_horizon_s
    steps = None if horizon is None else int(np.ceil(horizon / scenario.decision_s))
    try:
        settings = {name: getattr(config, name) for name in TrainingSettings.model_fields} | {
            "memory_kwargs": parse_pairs(config.memory_kwargs, "--memory-kwargs"),
            "encoder_kwargs": parse_pairs(config.encoder_kwargs, "--encoder-kwargs"),
            "learning_rate": LinearSchedule(config.learning_rate, config.final_learning_rate_share),
            "ent_coef": LinearSchedule(config.ent_coef, config.final_ent_coef_share),
            "memory_horizon_steps": steps,
        }
        model = kind(
            "MemoryPolicy", env, **settings, seed=config.seed, device=config.device, **further
        )
        if config.start_from is not None:
            start_from(model, open_run(config.start_from), config.consolidation_coef)
        return model
    except BaseException:
        env.close()
        raise


def _is_trained(run: Run, config: TrainConfig, resume: bool) -> bool:
    """Check that the run's folder is this configuration's; True if it is trained already."""
    if run.config_file.exists():
        stored = run.settings()
        if not resume:
            raise DrivememError(
                f"{run.folder} exists: add --resume to go on with it, or choose another --out"
            )
        if "driver" not in stored and asks_for_more(run, config):
            check_can_go_on(run, config)
            _check_scenario(run, config)
            return False
        if "driver" in stored or run.config().hash() != config.hash():
            differing = [
                key
                for key, value in config.model_dump(mode="json").items()
                if stored.get(key) != value
            ]
            raise DrivememError(
                f"{run.folder} was trained with other settings ({', '.join(differing)}): "
                "repeat its command exactly, or choose another --out"
            )
        _check_scenario(run, config)
        for folder in (run.folder, run.checkpoints):
            clear_leavings(folder)
        if not run.has_agent():
            _check_restorable(run)
            return False
        return _note_done(run)
    return False


def _refuse_foreign(run: Run) -> None:
    """Refuse a folder where training would replace what it did not write."""
    if run.config_file.exists():
        found = [
            path
            for path in run.model.glob("*")
            if path.suffix not in AGENT_KINDS or not path.is_file()
        ]
    else:
        found = [path for name in WRITTEN for path in run.folder.glob(name)]
    if found:
        raise DrivememError(
            f"{found[0]} is there, and training did not write it: move it away, or choose another "
            "--out"
        )


def _check_restorable(run: Run) -> None:
    """Refuse to begin anew in silence where a finished agent is damaged and nothing is left."""
    if run.model.exists() and run.latest_checkpoint() is None:
        raise DrivememError(
            f"{run.model} is damaged, and {run.folder} has no checkpoint to restore it from: "
            "delete that folder to train from the beginning, or choose another --out"
        )


def _note_done(run: Run) -> bool:
    """Say that a run is done whose process was ended before its last note.

    Returns:
        False: that was before its weights' importance or its end was kept, for which the last
        updates are made again.
    """
    stored = run.manifest()
    if stored.get("status") == "running":
        is_short = keeps_end(run.config()) and end_of(run) is None
        if is_short or not run.importance.exists():
            return False
        write_json_file(run.manifest_file, {**stored, "status": "done"})
    return True


def _check_scenario(run: Run, config: TrainConfig) -> None:
    """Refuse to go on in a scenario that has changed: half a run in each would be neither's."""
    stored = run.manifest().get("scenario_hash")
    now = config.changed_scenario().hash()
    if stored is not None and stored != now:
        raise DrivememError(
            f"{run.folder} was trained on another version of {config.scenario} (scenario "
            f"{stored[:8]}, now {now[:8]}; highway-env's version counts too): train it anew with "
            "another --out, or go on with the version of then"
        )


def _learn(
    run: Run,
    config: TrainConfig,
    model: MemoryPPO,
    env: WorldsVecEnv,
    quiet: bool,
    callback: BaseCallback | None,
    mirrors: Sequence[str],
) -> None:
    shown = mirrors_of(run, json.loads(config.canonical()), mirrors)
    position = restore_newest(run, model, env)
    keep_lines(run.metrics_file, position["metrics_lines"])
    writers: list[KVWriter] = [JsonLines(run.metrics_file), *shown]
    model.set_logger(Logger(str(run.folder), writers))
    for name, (value, excluded) in position["pending"].items():
        model.logger.record(name, value, exclude=excluded)
    facts = {
        "backend": env.worlds.backend,
        "scenario_hash": env.worlds.scenario.hash(),
        "device": str(model.device),
        "threads": torch.get_num_threads(),
        "parameters": sum(weight.numel() for weight in model.policy.parameters()),
        "memory_state_bytes": model.policy.memory.state_bytes(),
        **env.facts(),
        **provenance(run, config),
    }
    write_json_file(run.folder / "manifest.json", manifest("running", **facts))
    title = f"{run.name} ({env.worlds.backend})"
    with Progress(title, config.steps, "steps", model.num_timesteps, quiet) as progress:
        recorder = RunCallback(run, config, env, progress)
        callbacks = [recorder, *([callback] if callback is not None else [])]
        remaining = config.steps - model.num_timesteps
        if remaining > 0:
            model.learn(remaining, callbacks, reset_num_timesteps=False)
        rate = progress.rate()
    with saving(run.model):
        if not run.has_agent():  # the rest of a damaged one, which would be taken for a user's
            for name in AGENT_FILES:
                (run.model / name).unlink(missing_ok=True)
        save_agent(model, run.model)
    model.logger.close()
    _measure_importance(model, run)
    if keeps_end(config):
        save_checkpoint(run, model, env)
    write_json_file(
        run.folder / "manifest.json",
        manifest("done", **facts, steps=model.num_timesteps, steps_per_s=round(rate, 1)),
    )


def _measure_importance(model: MemoryPPO, run: Run) -> None:
    """An afterthought: the agent is saved, and whatever fails here costs nothing else."""
    try:
        write_importance(model, run)
    except Exception as error:  # memories of users take part in it
        why = (str(error).splitlines() or [type(error).__name__])[0]
        print(
            f"drivemem: how much each weight matters could not be measured ({why}); the agent is "
            "saved, but no later run can hold its weights with --consolidation-coef",
            file=sys.stderr,
        )


class RunCallback(BaseCallback):
    """Checkpoints at update boundaries, and progress."""

    def __init__(
        self, run: Run, config: TrainConfig, env: WorldsVecEnv, progress: Progress
    ) -> None:
        super().__init__()
        self._run, self._config, self._env, self._progress = run, config, env, progress
        self._curve = Curve(config.steps)
        if progress.is_live:
            for line in read_metrics(run.metrics_file) if run.metrics_file.exists() else []:
                self._draw(int(line["step"]), line.get("rollout/success_rate"))

    def _on_rollout_start(self) -> None:
        """Between updates: everything that going on needs is at rest."""
        model = self.model
        done = model.num_timesteps
        update = done // (self._config.n_steps * self._config.num_envs)
        if update and update % self._config.checkpoint_every == 0:
            save_checkpoint(self._run, model, self._env)  # type: ignore[arg-type]
        successes = model.ep_success_buffer
        success = float(np.mean(successes)) if successes else None
        self._draw(done, success)
        note = "" if success is None else f"success {success:.2f}"
        self._progress.update(done, f"{note} {self._curve}" if self._progress.is_live else note)

    def _draw(self, done: int, success: float | None) -> None:
        if success is not None:
            self._curve.add(done, success)

    def _on_step(self) -> bool:
        return True

    def _on_training_end(self) -> None:
        self._progress.update(self.model.num_timesteps)
