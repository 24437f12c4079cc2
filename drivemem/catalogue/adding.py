"""Adding an agent to the zoo: a finished run, less all that only training needs.

It drives the test suite anew as it is added, so that what the zoo states of it is true of today's
scenario and program; a memory is cut and probed too.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

from drivemem import zoo
from drivemem.catalogue.command import training_command
from drivemem.catalogue.entries import SUITE, Entry
from drivemem.comparison.collect import bare
from drivemem.episodes import read_table, write_table
from drivemem.errors import DrivememError, one_line
from drivemem.evaluation.evaluate import evaluate
from drivemem.probes import probe
from drivemem.runs import Run, open_run, read_json, write_json_file
from drivemem.schemas import PROBES
from drivemem.settings import check_name

LIMIT = 8_000_000
"""Bytes of all agents together: the package is to stay small."""
CUT = "reset_every:1"
"""The lesion that every memory is shown with: nothing is carried to the next decision."""
LEAST_EPISODES = 300
_FILES = ("config.json", "model/agent.json", "model/model.safetensors")
_OF_MACHINE = ("cores", "platform", "threads", "steps_per_s")
"""What manifests say of the machine, which nobody needs to know of the zoo's."""


def add(
    run: str | Path, name: str, *, episodes: int = 500, record: int = 0, root: Path = zoo.ROOT
) -> Entry:
    """Add a run's agent to the zoo.

    Args:
        run: its folder; it stays as it is.
        name: `SCENARIO/AGENT`, the scenario being the run's.
        episodes: of the test suite, by which it is judged.
        record: how many of them are recorded, for `drivemem tour` and `drivemem replay`.
        root: of the zoo.

    Raises:
        DrivememError: no finished run, another version of its scenario than today's, a name that
            does not fit or is taken, too few episodes, or a zoo that would be too large.
    """
    source = open_run(run)
    command = _checked(source, name, episodes, root)
    with tempfile.TemporaryDirectory() as folder:
        made = Run(Path(folder) / zoo.copy_name(name))
        for file in _FILES:
            (made.folder / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source.folder / file, made.folder / file)
        write_json_file(made.manifest_file, source.manifest())
        _drive(made, episodes, record)
        _forget_the_machine(made, name, command)
        _refuse_too_much(made.folder, root)
        shutil.move(made.folder, root / name)
    return Entry(name, Run(root / name))


def _checked(run: Run, name: str, episodes: int, root: Path) -> list[str]:
    """The command that trains a run, which may be added under a name."""
    if run.is_driver() or not run.has_agent():
        raise DrivememError(f"{run.folder} has no trained agent: train it to its end")
    config, manifest = run.config(), run.manifest()
    scenario, _, agent = name.partition("/")
    with one_line(ValueError):
        check_name(agent)
    due = bare(config.scenario)
    if scenario != due:
        raise DrivememError(f"'{name}' is of scenario '{scenario}': call it {due}/{agent}")
    if (root / name).exists():
        raise DrivememError(f"{root / name} is there already: remove it to add it anew")
    if manifest.get("scenario_hash") != config.changed_scenario().hash():
        raise DrivememError(f"{run.folder} was trained in another version of {config.scenario}")
    if episodes < LEAST_EPISODES:
        raise DrivememError(f"episodes is {episodes}; the zoo states at least {LEAST_EPISODES}")
    return training_command(config)


def _drive(run: Run, episodes: int, record: int) -> None:
    """Evaluate, and where there is a memory cut and probe it."""
    evaluate(run.folder, episodes=episodes, record=record)
    if run.manifest().get("memory_state_bytes"):
        evaluate(run.folder, episodes=episodes, record=record, lesion=CUT)
        found = probe(run.folder)
        for name in ("decoded", "latents"):
            file = found.folder / f"{name}.parquet"
            kept = [row for row in read_table(file, PROBES[name]) if row["episode"] < record]
            write_table(file, PROBES[name], kept)


def _forget_the_machine(run: Run, name: str, command: list[str]) -> None:
    """Let manifests name the commands that make it all anew, and no folder of this machine."""
    for file in run.folder.rglob("manifest.json"):
        facts: dict[str, Any] = read_json(file)
        result = file.parent.relative_to(run.folder).parts
        words = command if not result else _command_of(result[0], result[1], name)
        kept = {key: value for key, value in facts.items() if key not in _OF_MACHINE}
        write_json_file(file, {**kept, "command": words})
    for lock in run.folder.rglob(".lock"):
        lock.unlink()


def _command_of(kind: str, result: str, name: str) -> list[str]:
    """The command that makes a result of the zoo anew, such as one in `evaluations`."""
    words = ["drivemem", "probe" if kind == "probes" else "evaluate", zoo.PREFIX + name]
    cut = result.removeprefix(f"{SUITE}-") != "intact"
    return [*words, *(["--lesion", CUT] if cut else [])]


def _refuse_too_much(folder: Path, root: Path) -> None:
    files = [path for place in (folder, root) for path in place.rglob("*") if path.is_file()]
    size = sum(path.stat().st_size for path in files)
    if size > LIMIT:
        raise DrivememError(
            f"the zoo would hold {size / 1e6:.1f} MB, and may hold {LIMIT / 1e6:.0f}: train a "
            "smaller agent, or take another one out"
        )
