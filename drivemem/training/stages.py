"""Training a finished run on: a new stage, from where the last one ended.

What the run was before stays in `stages/<decisions>`: its agent, what was measured of it, and in
`stage.json` its configuration and manifest. `config.json` is written last; until then the same
command begins the stage again.
"""

from __future__ import annotations

from typing import Any

from drivemem.config import DistillConfig, TrainConfig
from drivemem.errors import DrivememError
from drivemem.runs import Run, read_json, saving, write_json_file

STAGES, STAGE = "stages", "stage.json"
_OF_THE_AGENT = (
    "evaluations", "recordings", "probes", "machine", "tree", "importance.safetensors", "model",
)  # fmt: skip
"""What belongs to the agent that there was, and goes aside with it; the agent itself last."""
_TOLD = ("written", "versions", "git", "command")
"""Of an earlier stage's manifest, in that of the run."""


def asks_for_more(run: Run, config: TrainConfig) -> bool:
    """Whether a configuration is a stored run's but for more decisions."""
    stored = run.config()
    longer = stored.model_copy(update={"steps": config.steps})
    return config.steps > stored.steps and longer.hash() == config.hash()


def end_of(run: Run) -> int | None:
    """Decisions after which training ended, if there is a checkpoint of that; else None."""
    newest = run.latest_checkpoint()
    reached = 0 if newest is None else int(newest.name)
    return reached if reached >= run.config().steps else None


def keeps_end(config: TrainConfig) -> bool:
    """Whether a checkpoint of the end is kept: where a further stage may go on from it."""
    return not isinstance(config, DistillConfig)


def check_can_go_on(run: Run, config: TrainConfig) -> None:
    """Refuse to train a run on that has not ended, or whose end was not kept.

    Raises:
        DrivememError: the reason, and the way out.
    """
    if not keeps_end(config):
        raise DrivememError(
            f"{run.folder} learnt from a teacher, and its steps are divided into teaching and "
            "fine-tuning: train a new run that begins with its weights, --start-from "
            f"{run.folder}"
        )
    steps, done = run.config().steps, end_of(run)
    if run.status() != "done":
        raise DrivememError(
            f"{run.folder} has not ended yet: repeat its own command first (--steps {steps} "
            "--resume), or choose another --out"
        )
    if done is None:
        raise DrivememError(
            f"{run.folder} has no checkpoint of its end, {steps:,} decisions: train a new run that "
            f"begins with its weights, --start-from {run.folder}"
        )
    if config.steps <= done:
        raise DrivememError(
            f"{run.folder} was trained for {done:,} decisions (whole rollouts), and --steps is "
            f"{config.steps:,}: give more"
        )


def begin_stage(run: Run, config: TrainConfig) -> None:
    """Put what a finished run was aside, if the configuration asks for more of it.

    Raises:
        DrivememError: the folder cannot be written.
    """
    if not run.config_file.exists() or not asks_for_more(run, config):
        return
    folder, stored = run.folder / STAGES / str(end_of(run)), run.config()
    if not (folder / STAGE).exists():
        facts = {"config_hash": stored.hash(), "config": run.settings(), "manifest": run.manifest()}
        write_json_file(folder / STAGE, {"steps": int(folder.name), **facts})
    with saving(folder):
        for name in _OF_THE_AGENT:
            if (run.folder / name).exists():
                (run.folder / name).rename(folder / name)


def provenance(run: Run, config: TrainConfig) -> dict[str, Any]:
    """What the manifest says of the stages that a run was trained in; {} if it is the first."""
    files = (run.folder / STAGES).glob(f"*/{STAGE}")
    earlier = sorted((read_json(file, steps=int) for file in files), key=lambda one: one["steps"])
    if not earlier:
        return {}
    told: list[dict[str, Any]] = [
        {
            "until": one["steps"],
            "config_hash": one["config_hash"],
            **{key: one["manifest"].get(key) for key in _TOLD},
        }
        for one in earlier
    ]
    return {"stages": [*told, {"until": config.steps, "config_hash": config.hash()}]}
