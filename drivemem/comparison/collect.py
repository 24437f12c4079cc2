"""Collecting evaluations from run folders and submissions, and which of them may be compared."""

from __future__ import annotations

import glob
import json
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from drivemem import zoo
from drivemem.config import WITHOUT_EFFECT, DistillConfig, TrainConfig, build_config
from drivemem.episodes import read_episodes
from drivemem.errors import DrivememError
from drivemem.evaluation.suites import with_later_limits
from drivemem.lesions import INTACT
from drivemem.runs import Run, find_runs, read_json, run_folder, search_of
from drivemem.submissions.files import Submission, find_submissions, read_submission

_SUITE_KEYS = ("scenario", "config", "sensors", "seeds", "hash")
_WITHOUT_EFFECT = (*WITHOUT_EFFECT, "device", "backend")
"""Settings of a run that say how it was computed, not what."""


@dataclass(frozen=True)
class StoredEvaluation:
    """One driver on one suite: the episodes of one evaluation folder."""

    run: Run
    folder: Path
    suite: dict[str, Any]
    episodes: list[dict[str, Any]]
    settings: dict[str, Any]
    """What was trained: the run's configuration less what has no effect on the result."""
    start: Path | None = None
    """Folder of the run whose weights training started with."""
    name: str | None = None
    """What a study or a submission calls the agent; None: its label says what was trained."""
    submission: Submission | None = None
    """Where it was submitted: what is known of it is what that says."""
    stages: tuple[str, ...] = ()
    """After how many decisions it was first done, and trained on: not the agent of one go."""

    def column(self, name: str) -> NDArray[np.float64]:
        """A column as numbers (E,), in the suite's order; NaN where it is not defined."""
        return np.array(
            [np.nan if row[name] is None else float(row[name]) for row in self.episodes]
        )

    def share(self, *outcomes: str) -> float:
        """Share of episodes that ended in one of the outcomes."""
        return float(np.mean([row["outcome"] in outcomes for row in self.episodes]))

    @property
    def first(self) -> dict[str, Any]:
        """What is the same in every row: driver, lesion, sensors."""
        return self.episodes[0]

    @property
    def is_driver(self) -> bool:
        """Whether this is a reference driver, which is not trained."""
        return self.first["train_seed"] is None

    @property
    def is_submitted(self) -> bool:
        """Whether it came in a submission, so that its driver is no memory or driver of ours."""
        return self.submission is not None

    def label(self, variant: str = "", lesion: str | None = None) -> str:
        """How tables name it: what was trained, and what was cut.

        Args:
            variant: settings that tell it from other agents of this name.
            lesion: name it as if this were cut in place of what was.
        """
        cut = self.first["lesion"] if lesion is None else lesion
        parts = [self.agent()]
        if variant:
            parts.append(f"({variant})")
        if cut != INTACT:
            parts.append(f"/ {cut}")
        if not self.first["deterministic"]:
            parts.append("(sampled)")
        return " ".join(parts)

    @property
    def is_taught(self) -> bool:
        """Whether it learnt from a teacher."""
        return "teacher" in self.settings

    def agent(self) -> str:
        """What was trained, by whom and on what, and what it sees."""
        parts = [self.name] if self.name is not None else self._made_of()
        if self.is_taught:
            parts.append(f"distilled from {self.settings['teacher']}")
            parts += ["+ PPO"] if self.settings.get("finetune_steps") else []
        if self.first["full_sensors"]:
            parts.append("(full sensors)")
        if self.stages:
            parts.append(f"(trained on after {', '.join(self.stages)})")
        trained = self.trained_on
        if self.start is not None:
            held = ", consolidated" if self.settings.get("consolidation_coef") else ""
            parts.append(f"(first {self.settings['first_trained_on']}, then {trained}{held})")
        elif trained is not None and trained != bare(self.suite["scenario"]):
            parts.append(f"(trained on {trained})")
        return " ".join(parts)

    def _made_of(self) -> list[str]:
        """Memory and what was added to it."""
        parts = [self.first["driver"]]
        if self.settings.get("aux_coef"):
            parts.append("+ auxiliary loss")
        words = self.settings.get("memory_kwargs", ())
        gate = [word for word in words if word.startswith("gate_bias=")]
        if gate:
            parts.append(f"+ {gate[0].replace('_', ' ').replace('=', ' ')}")
        if self.first["tracker"] != "none" and not self.is_driver:
            parts.append(f"behind {self.first['tracker']}")
        return parts

    @property
    def trained_on(self) -> str | None:
        """Bare name of the scenario that it was trained on; None for a reference driver."""
        scenario = self.settings.get("scenario")
        return None if self.is_driver or scenario is None else bare(str(scenario))

    def episodes_key(self) -> str:
        """What episodes these are, whatever the sensors: scenario, its dials, and seeds."""
        suite = self.suite
        return json.dumps([suite["scenario"], suite["config"], suite["seeds"]], sort_keys=True)


@dataclass(frozen=True)
class Collection:
    """Comparable evaluations, and what was left out with the reason."""

    groups: list[list[StoredEvaluation]]
    excluded: list[tuple[str, str]]
    training: list[StoredEvaluation] = field(default_factory=list)
    """Evaluations on the episodes that a run was trained on, which are its own."""


def bare(scenario: str) -> str:
    """A scenario's name without namespace, version, and the level that no level means."""
    name = scenario.removeprefix("drivemem/")
    stem, _, version = name.rpartition("-v")
    return (stem if stem and version.isdigit() else name).removesuffix("-easy")


def collect(paths: list[str | Path], names: Mapping[str, str] | None = None) -> Collection:
    """All evaluations at or below the paths, in groups that met the same episodes.

    Args:
        paths: run folders, submissions, folders of either, or globs.
        names: what tables call the agents of runs, by the name of the run's folder.

    Raises:
        DrivememError: nothing found.
    """
    excluded: list[tuple[str, str]] = []
    found: list[StoredEvaluation] = []
    folders = _folders(paths)
    runs = _runs(folders, excluded)
    for run in runs:
        evaluations = sorted((run.folder / "evaluations").glob("*/episodes.parquet"))
        if not evaluations:
            excluded.append((run.folder.as_posix(), "not evaluated: `drivemem evaluate` it"))
        for file in evaluations:
            try:
                found.append(_read(run, file, (names or {}).get(run.name)))
            except DrivememError as error:
                excluded.append((file.parent.as_posix(), str(error)))
    unseen = [one for one in found if one.suite.get("name") != "train"]
    unseen += _submitted(folders, unseen, excluded)
    if not unseen:
        raise _nothing(paths, runs, excluded)
    training = [one for one in found if one.suite.get("name") == "train"]
    groups: list[list[StoredEvaluation]] = []
    for same_episodes in _by(unseen, StoredEvaluation.episodes_key):
        groups += _by_sensors(same_episodes, excluded)
    groups = [_without_copies(group, excluded) for group in groups]
    return Collection(groups, excluded, training)


def _nothing(
    paths: list[str | Path], runs: list[Run], excluded: list[tuple[str, str]]
) -> DrivememError:
    """What to say where nothing is left to compare."""
    where = ", ".join(str(path) for path in paths)
    if runs:
        hint = f" ({len(runs)} runs are there: `drivemem evaluate` them first)"
    else:
        hint = "".join(f"; left out: {what}: {why}" for what, why in excluded[:1])
    return DrivememError(f"no evaluations below {where}{hint}")


def _folders(paths: list[str | Path]) -> list[Path]:
    """What the paths name, globs resolved."""
    folders: list[Path] = []
    for path in paths:
        if zoo.is_named(path):
            folders += map(run_folder, zoo.matching(path))
            continue
        exists = Path(path).exists()
        found = [Path(path)] if exists else sorted(map(Path, glob.glob(str(path), recursive=True)))
        if not found:
            raise DrivememError(f"{path} does not exist: give run folders, or a folder of runs")
        folders += found
    return folders


def _runs(folders: list[Path], excluded: list[tuple[str, str]]) -> list[Run]:
    """The runs at or below folders, each once, however it is named.

    Trials of a search for settings are left out unless a path names the search or lies in it.
    """
    runs: dict[Path, Run] = {}
    trials: dict[Path, Path] = {}
    for folder in folders:
        for run in find_runs([folder]):
            search = search_of(run, folder)
            if search is None:
                runs.setdefault(run.folder.resolve(), run)
            else:
                trials[run.folder.resolve()] = search
    searches = Counter(search for trial, search in trials.items() if trial not in runs)
    for search, count in searches.items():
        why = f"trials of a search for settings ({count}): name the folder itself to compare them"
        excluded.append((search.as_posix(), why))
    return list(runs.values())


def _submitted(
    folders: list[Path], ours: list[StoredEvaluation], excluded: list[tuple[str, str]]
) -> list[StoredEvaluation]:
    """The training runs of all submissions at or below folders, less what is refused.

    Args:
        folders: where they are.
        ours: evaluations of runs, on whose suites submissions must have been driven.
        excluded: gets what is refused, with the reason.
    """
    found: list[StoredEvaluation] = []
    places = {place.resolve(): place for folder in folders for place in find_submissions(folder)}
    for place in places.values():
        try:
            submission = read_submission(place)
            _refuse_another_suite(submission.manifest.suite, ours)
        except DrivememError as error:
            excluded.append((place.as_posix(), str(error)))
        else:
            found += map(partial(_training_run, submission), submission.manifest.seeds)
    return found


def _training_run(submission: Submission, seed: int) -> StoredEvaluation:
    run, said = submission.run(seed), submission.manifest
    suite = {**said.suite, "sensors": with_later_limits(said.suite["sensors"])}
    name = f"{said.agent} (submitted)"
    return StoredEvaluation(
        run, run.folder, suite, submission.episodes(seed), submission.settings(seed), None, name,
        submission,
    )  # fmt: skip


def _refuse_another_suite(suite: dict[str, Any], ours: list[StoredEvaluation]) -> None:
    """Refuse episodes that none of the runs of their scenario has met.

    Raises:
        DrivememError: there are such runs, and all met another suite.
    """
    due = {
        one.suite["hash"]: len(one.suite["seeds"])
        for one in ours
        if one.suite["scenario"] == suite["scenario"] and not one.first["full_sensors"]
    }
    if due and suite["hash"] not in due:
        known = ", ".join(f"{known[:8]} ({count} episodes)" for known, count in due.items())
        raise DrivememError(
            f"its suite of {suite['scenario']} is {suite['hash'][:8]} ({len(suite['seeds'])} "
            f"episodes), that of the runs beside it {known}: drive both on the same suite"
        )


def _read(run: Run, file: Path, name: str | None = None) -> StoredEvaluation:
    """One evaluation, its episodes in the suite's order, since they are compared in pairs."""
    stored = run.settings()
    _check_kinds(run, stored)
    suite = read_json(
        file.parent / "suite.json", scenario=str, config=dict, sensors=dict, seeds=list, hash=str
    )
    missing = [key for key in _SUITE_KEYS if key not in suite]
    if missing:
        raise DrivememError(f"suite.json is no suite: it lacks {', '.join(missing)}")
    suite["sensors"] = with_later_limits(suite["sensors"])
    rows = sorted(read_episodes(file), key=lambda row: int(row["episode"]))
    if not rows or [row["seed"] for row in rows] != suite["seeds"]:
        raise DrivememError("incomplete: evaluate it again")
    known = stored if "driver" in stored else {**_defaults(), **stored}
    settings = {key: value for key, value in known.items() if key not in _WITHOUT_EFFECT}
    if "driver" not in stored and isinstance(settings["sensors"], dict):
        settings["sensors"] = {**_defaults()["sensors"], **settings["sensors"]}
    if "teacher" in settings:
        settings |= _teacher(run, settings["teacher"])
    begun = settings.pop("start_from", None)
    start = None if begun is None else _start(begun)
    if start is not None:
        settings["first_trained_on"] = _first_scenario(start)
    return StoredEvaluation(
        run, file.parent, suite, rows, settings, start, name, stages=_stages(run)
    )


def _check_kinds(run: Run, stored: dict[str, Any]) -> None:
    """Refuse a configuration that nothing could have been trained with; a driver's is free.

    Settings that were dropped since the run was trained are no fault of its file.

    Raises:
        DrivememError: a value of another type, or out of range.
    """
    if "driver" in stored:
        return
    known = {key: value for key, value in stored.items() if key in DistillConfig.model_fields}
    try:
        build_config(known)
    except DrivememError as error:
        raise DrivememError(f"{run.config_file} is damaged: {error}; mend or delete it") from error


def _teacher(run: Run, name: Any) -> dict[str, Any]:
    """From whom a student learnt, the teacher's seed apart: its name is that of one run."""
    facts = run.manifest().get("teacher")
    if not isinstance(facts, dict):
        return {"teacher": name}
    return {"teacher": facts.get("label", name), "teachers_settings": facts.get("settings")}


def _stages(run: Run) -> tuple[str, ...]:
    """After how many decisions the earlier stages of a run ended that was trained on."""
    stages = run.manifest().get("stages")
    if not isinstance(stages, list):
        return ()
    ends = [one.get("until") for one in stages if isinstance(one, dict)]
    return tuple(f"{end:,}" for end in ends[:-1] if isinstance(end, int))


@cache
def _defaults() -> dict[str, Any]:
    """What a run means that was trained before a setting came."""
    return TrainConfig(scenario="").model_dump(mode="json")


def _start(begun: str) -> Path:
    """The folder of the run that training started from, as far as it can be told."""
    try:
        return run_folder(begun)
    except DrivememError:  # of the zoo, and no longer there
        return Path(begun)


def _first_scenario(start: Path) -> str:
    """What the run that training started from was trained on; its folder if that is gone."""
    try:
        return bare(str(read_json(start / "config.json")["scenario"]))
    except (DrivememError, KeyError):
        return start.as_posix()


def _by(
    found: list[StoredEvaluation], key: Callable[[StoredEvaluation], str]
) -> list[list[StoredEvaluation]]:
    groups: dict[str, list[StoredEvaluation]] = {}
    for one in found:
        groups.setdefault(key(one), []).append(one)
    return list(groups.values())


def _by_sensors(
    same_episodes: list[StoredEvaluation], excluded: list[tuple[str, str]]
) -> list[list[StoredEvaluation]]:
    """A group for each kind of sensors; full-sensor agents, the upper bound, join every one."""
    limited = [one for one in same_episodes if not one.first["full_sensors"]]
    full = [one for one in same_episodes if one.first["full_sensors"]]
    full = _of_one_version(full, excluded)
    groups = _by(limited, lambda one: json.dumps(one.suite["sensors"], sort_keys=True))
    return [[*_of_one_version(group, excluded), *full] for group in groups] or [full]


def _of_one_version(
    group: list[StoredEvaluation], excluded: list[tuple[str, str]]
) -> list[StoredEvaluation]:
    """Leave out evaluations with another version of the scenario than most (a tie: the first)."""
    hashes = [one.suite["hash"] for one in group]
    usual = max(hashes, key=hashes.count, default=None)
    for one in group:
        if one.suite["hash"] != usual:
            why = "met another version of the scenario or of highway-env: evaluate it again"
            excluded.append((one.folder.as_posix(), why))
    return [one for one in group if one.suite["hash"] == usual]


def _without_copies(
    group: list[StoredEvaluation], excluded: list[tuple[str, str]]
) -> list[StoredEvaluation]:
    """Leave out copies of a run: the same settings and seed are no second training run."""
    kept: dict[str, StoredEvaluation] = {}
    for one in group:
        same = kept.setdefault(json.dumps([one.label(), one.settings], sort_keys=True), one)
        if same is not one:
            why = f"the same settings and seed as {same.run.folder.as_posix()}: no second run"
            if (one.folder.as_posix(), why) not in excluded:
                excluded.append((one.folder.as_posix(), why))
    return list(kept.values())
