"""Probes: what a trained agent's memory state holds of what is hidden, and where it looks."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np

from drivemem.episodes import write_table
from drivemem.errors import DrivememError
from drivemem.evaluation.attention import AttentionTap
from drivemem.evaluation.config import evaluate_config
from drivemem.evaluation.drivers import AgentDriver
from drivemem.evaluation.jobs import Job, evaluation_name
from drivemem.lesions import INTACT
from drivemem.probes.attention import AttentionWatch, Mass
from drivemem.probes.driving import WorldSettings, probing_job, suite_traces
from drivemem.probes.linear import Read, Score, probe_targets
from drivemem.probes.plasticity import Activity, plasticity
from drivemem.probes.saliency import Saliency, SaliencyWatch
from drivemem.probes.shown import score_table, told
from drivemem.probes.targets import to_world
from drivemem.probes.traces import Traces
from drivemem.runs import manifest, write_json_file
from drivemem.schemas import PROBES
from drivemem.tables import Shown, Table
from drivemem.threads import limit_threads

__all__ = ["Probe", "probe"]

SALIENT_EPISODES = 32


@dataclass(frozen=True)
class Probe(Shown):
    """The result of probing one run."""

    folder: Path
    run: str
    driver: str
    scores: list[Score]
    attention: list[Mass]
    saliency: list[Saliency]
    plasticity: list[Activity]
    notes: list[str]

    def as_tables(self) -> list[Table]:
        """How well each target is decoded from each input; none where nothing was."""
        return [score_table(self)] if self.scores else []

    def lines(self) -> list[str]:
        """Notes, and where the memory looks, for people."""
        return told(self)


def probe(
    run: str | Path,
    *,
    episodes: int = 200,
    suite: str | Path = "test",
    lesion: str = INTACT,
    frames: int = 4,
    backend: Literal["auto", "compiled", "reference"] = "auto",
    num_envs: int = 16,
    num_workers: int | None = None,
    quiet: bool = False,
) -> Probe:
    """Decode what is hidden from a run's memory state, its observation and a stack of frames.

    Every episode is decoded by probes that were fitted on other episodes.

    Args:
        run: folder of a trained run.
        episodes: how many (of the suite's stream).
        suite: as in `evaluate`.
        lesion: probe the memory with a lesion.
        frames: depth of the frame stack that the memory is compared with.
        backend: auto, compiled or reference.
        num_envs: worlds driven at once.
        num_workers: threads or processes.
        quiet: no progress.

    Raises:
        DrivememError: no trained run, unknown names, nothing to decode, or an unwritable folder.
    """
    limit_threads()
    if frames < 1:
        raise DrivememError(f"frames is {frames}; a stack holds at least 1, the present one")
    worlds = WorldSettings(backend, num_envs, num_workers, quiet)
    job = probing_job(run, lesion, evaluate_config(suite=suite, episodes=episodes))
    driver = cast(AgentDriver, job.driver)
    tap = AttentionTap(driver.policy.memory)
    looks = AttentionWatch(tap, len(job.suite.seeds), job.suite.scenario.decision_s)
    salient = SaliencyWatch(driver.policy, min(SALIENT_EPISODES, len(job.suite.seeds)))
    callbacks = (looks, salient) if tap else (salient,)
    try:
        traces = suite_traces(job, driver, worlds, "probe", frames=frames, callbacks=callbacks)
    finally:
        tap.close()
    folder = job.home.folder / "probes" / evaluation_name(job)
    layers = plasticity(job, driver.policy, worlds)
    found = _judge(traces, looks, salient, layers, folder, job)
    job.suite.save(folder / "suite.json")
    facts = {"backend": traces.backend, "frames": frames, "notes": found.notes}
    write_json_file(folder / "manifest.json", manifest("done", **facts))
    return found


def _judge(
    traces: Traces, looks: AttentionWatch, salient: SaliencyWatch, layers: list[Activity],
    folder: Path, job: Job,
) -> Probe:  # fmt: skip
    """Fit the probes and write what they found: all tables, so that no old one stays behind."""
    identity = job.identity
    probed = probe_targets(traces.inputs, traces.targets, traces.episode)
    notes = [f"not probed: {why}" for why in probed.skipped]
    if "memory" not in traces.inputs:
        notes.append(
            f"memory '{identity.driver}' carries no state: the observation alone is probed"
        )
    found = Probe(
        folder, job.home.name, identity.driver, probed.scores, looks.table(), salient.table(),
        layers, notes,
    )  # fmt: skip
    about = {"run": found.run, "driver": found.driver, "lesion": identity.lesion}
    about["scenario"] = job.suite.scenario.name
    tables: dict[str, list[dict[str, Any]]] = {
        "scores": [_score_row(one, about) for one in found.scores],
        "attention": [
            {**vars(one), **about, "age_s": _seconds(one.age_steps, traces.decision_s)}
            for one in found.attention
        ],
        "saliency": [
            {**vars(one), **about, "age_s": one.age_steps * traces.decision_s}
            for one in found.saliency
        ],
        "plasticity": [{**vars(one), **about} for one in found.plasticity],
        "decoded": _decoded(traces, probed.read, job.suite.seeds),
        "latents": _latents(traces, probed.read, job.suite.seeds),
    }
    for name, columns in PROBES.items():
        write_table(folder / f"{name}.parquet", columns, tables[name])
    return found


def _score_row(one: Score, about: dict[str, str]) -> dict[str, Any]:
    return {
        **vars(one), **about, "score": one.value.estimate, "low": one.value.low,
        "high": one.value.high, "decisions": one.rows,
    }  # fmt: skip


def _seconds(steps: int | None, decision_s: float) -> float | None:
    return None if steps is None else steps * decision_s


def _decoded(
    traces: Traces, read: dict[tuple[str, str], Read], seeds: tuple[int, ...]
) -> list[dict[str, Any]]:
    """Where the memory's probe places the nearest hidden actor, for the replay."""
    ahead, aside = (
        read.get(("memory", f"hidden actor: {axis}, m")) for axis in ("x ahead", "y aside")
    )
    if ahead is None or aside is None:
        return []
    hidden = traces.hidden
    world = to_world(np.stack([ahead.values, aside.values], axis=1), hidden.ego)
    return [
        {
            "episode": int(traces.episode[row]), "seed": seeds[traces.episode[row]],
            "step": int(traces.step[row]), "id": int(hidden.id[row]),
            "decoded_x": float(world[row, 0]), "decoded_y": float(world[row, 1]),
            "x": float(hidden.world[row, 0]), "y": float(hidden.world[row, 1]),
            "age_s": float(hidden.age_s[row]),
        }
        for row in np.flatnonzero(np.isfinite(world).all(axis=1))
    ]  # fmt: skip


def _latents(
    traces: Traces, read: dict[tuple[str, str], Read], seeds: tuple[int, ...]
) -> list[dict[str, Any]]:
    """What the memory's probe reads of the cue and other latents, for the replay."""
    rows: list[dict[str, Any]] = []
    for part, target in enumerate(traces.latents):
        found = read.get(("memory", target.name))
        if found is None:
            continue
        rows += [
            {
                "episode": int(traces.episode[row]), "seed": seeds[traces.episode[row]],
                "step": int(traces.step[row]), "id": 0, "part": part, "target": target.name,
                "kinds": target.kinds, "value": float(target.values[row]),
                "decoded": float(found.values[row]), "confidence": float(found.confidence[row]),
                "x": float(traces.hidden.ego[row, 0]), "y": float(traces.hidden.ego[row, 1]),
                "age_s": float(target.age_s[row]),
            }
            for row in np.flatnonzero(np.isfinite(found.values))
        ]  # fmt: skip
    return rows
