"""A batch of compiled worlds of one scenario: made from scenes, stepped by kernels."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from drivemem_envs._jit import Ints, jit
from drivemem_envs.compiled import exit_recall, lane_keeping, parking, tasks, tasks_metrics
from drivemem_envs.compiled.decide import Batch, begin, decide
from drivemem_envs.compiled.facts import Task, meanings
from drivemem_envs.compiled.judge import make_verdict
from drivemem_envs.compiled.live_scenes import LiveScenes, Start
from drivemem_envs.compiled.native import make_native, parts_of
from drivemem_envs.compiled.observe import EGO_X_LANE, FIXED_SLOTS, NUMBERS, View, is_available
from drivemem_envs.compiled.records import META_ACTION, Scratch, Worlds
from drivemem_envs.compiled.sight import make_sight
from drivemem_envs.compiled.step import world_of
from drivemem_envs.compiled.support import refuse
from drivemem_envs.compiled.support_tasks import family_of
from drivemem_envs.compiled.tasks_metrics import EpisodeMemory
from drivemem_envs.compiled.worlds import put, scratch_for, stack
from drivemem_envs.scenarios.base import Scenario
from drivemem_envs.sensing import layout
from drivemem_envs.sensing.rows import FEATURES, feature_table, options_vector

_PROBE_SEEDS = 8
"""Scenes looked at to find how much room worlds need; more is made when it does not do."""


class CompiledWorlds:
    """N worlds with their sensors, observation, task and metrics.

    Args:
        scenario: the resolved scenario.
        count: N.
        threads: T, threads that share the worlds.

    Raises:
        CompiledUnsupported: the scenario has something that the kernels do not reproduce.
    """

    def __init__(self, scenario: Scenario, count: int, threads: int) -> None:
        self.scenario, self.count, self.threads = scenario, count, threads
        self.family = family_of(scenario)
        self.config = scenario.resolved_config()
        self.survival = "survived_reward" in self.config
        self.source = LiveScenes(scenario, self.family)
        starts = [self.source.start(seed) for seed in range(_PROBE_SEEDS)]
        self.observation_space = self.source.env.observation_space
        self.action_space = self.source.env.action_space
        self._controls = starts[0].scene.controls
        self.batch = self._make(starts)
        self._every = np.arange(count)
        self.latents = np.zeros((count, len(starts[0].latent)))

    # ---- making ---------------------------------------------------------------------------

    def _make(self, starts: list[Start]) -> Batch:
        """Room for worlds like these."""
        scenes = [start.scene for start in starts]
        template = stack(scenes)
        self._networks = {scenes[0].network.key(): 0}
        refuse(
            len({scene.network.key() for scene in scenes}) > 1,
            f"{self.scenario.name} builds another road for every episode",
        )
        self._lanes = {index: row for row, index in enumerate(scenes[0].network.lane_indices)}
        worlds = _repeat(template, self.count)
        return self._around(worlds, starts[0])

    def _around(self, worlds: Worlds, start: Start) -> Batch:
        """Sensors, view, task and metrics around worlds."""
        spec, threads = self.scenario.observation, self.threads
        actors = worlds.actors.shape[1]
        lanes = any(FEATURES.get(name, 0) >= layout.COLUMNS for name in spec.features)
        limits = layout.limit_vector(self.scenario.sensors, self.scenario.decision_s, spec.tracker)
        decisions = self._longest()
        sight = make_sight(limits, self.count, actors, actors, len(start.occluders), lanes, threads)
        memory = tasks_metrics.make_memory(self.count, decisions, actors, actors + 1)
        view = self._view(start, sight.percepts.shape)
        return Batch(
            worlds, scratch_for(worlds, threads), sight, view, self._task(start), memory,
            make_verdict(self.count, threads),
            make_native(
                self.scenario, self.family, self.source.env, self.count, actors, threads
            ),
        )  # fmt: skip

    def _longest(self) -> int:
        """Most decisions of an episode."""
        limit = self.scenario.time_limit_s
        if limit is None:
            limit = float(self.config["duration"])
        return int(np.ceil(limit / self.scenario.decision_s)) + 1

    def _view(self, start: Start, percepts: tuple[int, ...]) -> View:
        spec, env = self.scenario.observation, self.source.env
        codes, _ = feature_table(spec.features, {})
        rows, threads = spec.vehicles_count, self.threads
        numbers = np.zeros(NUMBERS, dtype=np.int64)
        numbers[FIXED_SLOTS] = spec.slots == "fixed"
        numbers[EGO_X_LANE] = -1
        if self.family == tasks.EXIT:  # the exit's lane is the last of its road
            numbers[EGO_X_LANE] = max(
                row for (a, b, _), row in self._lanes.items() if (a, b) == ("1", "2")
            )
        window = self.scenario.sensors.cue_window_s
        return View(
            codes=codes,
            ranges=np.zeros((self.count, len(codes), 2)),
            options=options_vector(
                absolute=spec.absolute,
                see_behind=spec.see_behind,
                include_obstacles=spec.include_obstacles,
                clip=spec.clip,
                distance_m=env.PERCEPTION_DISTANCE,
                ego_length_m=env.vehicle.LENGTH,
                observe_intentions=spec.observe_intentions,
            ),
            numbers=numbers,
            slots=np.zeros((self.count, rows - 1), dtype=np.int64),
            cues=np.zeros((self.count, len(start.cue))),
            window_s=np.array([np.inf if window is None else window]),
            rows=np.zeros((self.count, rows, len(codes)), dtype=np.float32),
            shown=np.zeros((self.count, len(start.cue)), dtype=np.float32),
            along=np.zeros((threads, percepts[1])),
            order=np.zeros((threads, percepts[1]), dtype=np.int64),
            places=np.zeros((threads, rows - 1), dtype=np.int64),
            own=np.zeros((threads, 1, percepts[2] - layout.PERCEPT_COLUMNS)),
        )

    def _task(self, start: Start) -> Task:
        env = self.source.env
        vector = tasks.task_vector(
            self.family, self.config, end_x=float(getattr(env, "end_position", 370.0))
        )
        numbers: list[float] = []
        if self.family == tasks.EXIT_RECALL:
            numbers = exit_recall.numbers_of(env, self._lanes)
        elif self.family == tasks.PARKING:
            numbers = parking.numbers_of(env)
        elif self.family == tasks.KEEPING:
            numbers = lane_keeping.numbers_of(self._lanes)
        codes = meanings(self.family, list(self._lanes), self.config.get("lanes_count", 0))
        limit = self.scenario.time_limit_s
        return Task(
            vector=vector,
            lanes=codes[None].astype(np.int8),
            numbers=np.array(numbers, dtype=np.float64),
            hidden=np.zeros((self.count, len(start.hidden)), dtype=np.int64),
            time_s=np.zeros(self.count),
            limit_s=np.array([np.inf if limit is None else limit]),
        )

    # ---- resetting ------------------------------------------------------------------------

    def reset(self, rows: NDArray[Any], seeds: list[int]) -> None:
        """Begin episodes.

        Args:
            rows: (R,) in which worlds.
            seeds: their seeds.
        """
        for row, seed in zip(rows, seeds, strict=True):
            self._put(int(row), self.source.start(seed))
        begin(self.batch, np.asarray(rows, dtype=np.int64))

    def _put(self, row: int, start: Start) -> None:
        refuse(
            start.scene.network.key() not in self._networks,
            f"{self.scenario.name} builds another road for every episode",
        )
        batch = self.batch
        try:
            put(batch.worlds, row, start.scene, 0)
        except ValueError:
            self._grow(start)
            batch = self.batch
            put(batch.worlds, row, start.scene, 0)
        batch.sight.seeds[row] = start.sensor_seed
        batch.sight.occluders[row] = start.occluders
        batch.shown.slots[row], batch.shown.cues[row] = start.slots, start.cue
        batch.shown.ranges[row] = start.ranges
        batch.task.hidden[row] = start.hidden
        self.latents[row] = start.latent

    def _grow(self, start: Start) -> None:
        """Make room for a larger scene, keeping the worlds as they are."""
        old = self.batch
        larger = stack([start.scene], vehicles=old.worlds.routes.shape[1])
        worlds = _repeat(larger, self.count)
        fresh = self._around(worlds, start)
        _copy_worlds(old.worlds, worlds)
        for name in ("sight", "shown", "task", "memory", "verdict", "native"):
            _copy(getattr(old, name), getattr(fresh, name))
        _move_objects(old.memory, fresh.memory)
        self.batch = fresh

    # ---- stepping -------------------------------------------------------------------------

    def step(self, actions: Any) -> None:
        """One decision of every world.

        Args:
            actions: (N,) indices of discrete actions or (N, C) continuous ones.

        Raises:
            ValueError: actions of another shape.
        """
        self.step_some(self._every, actions)

    def step_some(self, rows: Ints, actions: Any) -> None:
        """One decision of some worlds (R,), the others untouched (for replaying)."""
        decide(self.batch, rows, self._padded(actions, len(rows)))

    def _padded(self, actions: Any, count: int) -> NDArray[np.float32]:
        """Actions as the kernels take them (N, 2)."""
        given = np.asarray(actions)
        if self._controls is not None:
            given = self._controls[given.astype(np.int64)]
        given = given.astype(np.float32).reshape(len(given), -1)
        if given.shape[0] != count or given.shape[1] > 2:
            raise ValueError(
                f"actions have shape {np.shape(actions)}; give ({count},) or ({count}, C) for "
                f"these {count} worlds"
            )
        padded = np.zeros((count, 2), dtype=np.float32)
        padded[:, : given.shape[1]] = given
        return padded

    # ---- looking --------------------------------------------------------------------------

    def observation(self) -> Any:
        """What the drivers see now: copies."""
        view, spec = self.batch.shown, self.scenario.observation
        parts: dict[str, Any] = {"vehicles": view.rows.copy()}
        if view.shown.shape[1]:
            parts["cue"] = view.shown.copy()
        parts |= parts_of(self.batch.native, self.scenario)
        if not spec.flat:
            return parts
        flat = [parts[key].reshape(self.count, -1) for key in sorted(parts)]
        return np.concatenate(flat, axis=1).astype(np.float32, copy=False)

    def truth(self) -> dict[str, Any]:
        """See `CompiledVectorEnv.truth`."""
        sight = self.batch.sight
        most = int(sight.counts.max())
        columns, report = sight.actors[:, :most], sight.report[:, :most]
        present = np.arange(most)[None] < sight.counts[:, None]
        truth = {
            "id": sight.ids[:, :most], "kind": columns[..., layout.KIND].astype(np.int64),
            "x": columns[..., layout.X], "y": columns[..., layout.Y],
            "heading": columns[..., layout.HEADING], "speed": sight.speeds[:, :most],
            "length": columns[..., layout.LENGTH], "width": columns[..., layout.WIDTH],
            "crashed": sight.crashed[:, :most] > 0,
            "visible_fraction": report[..., layout.VISIBLE_FRACTION],
            "perceived": report[..., layout.PERCEIVED] > 0.0, "age_s": report[..., layout.AGE_S],
        }  # fmt: skip
        real = {
            key: np.where(present, part, np.zeros((), part.dtype)) for key, part in truth.items()
        }
        return {**real, "present": present}

    def action_masks(self) -> NDArray[np.bool_]:
        """See `CompiledVectorEnv.action_masks`."""
        size = getattr(self.action_space, "n", None)
        if size is None:
            raise ValueError(f"{self.scenario.name} has continuous actions: nothing to mask")
        masks = np.ones((self.count, int(size)), dtype=bool)
        if self.batch.worlds.world[0].action == META_ACTION:
            _write_masks(self.batch.worlds, self.batch.scratch, masks)
        return masks

    def close(self) -> None:
        """Close the live world that scenes come from."""
        self.source.close()


@jit
def _write_masks(worlds: Worlds, scratch: Scratch, masks: NDArray[np.bool_]) -> None:
    for index in range(masks.shape[0]):
        one = world_of(worlds, scratch, index, 0)
        for choice in range(masks.shape[1]):
            masks[index, choice] = is_available(one, choice)


_OF_NETWORKS = ("lanes", "roads", "links", "points")
_OF_THREADS = ("percepts", "scratch", "along", "order", "places", "own", "facts", "boxes", "poses")
_OF_ALL = (
    "limits", "codes", "options", "numbers", "window_s", "vector", "lanes", "limit_s",
    "kind", "scales", "settings",
)  # fmt: skip


def _repeat(template: Worlds, count: int) -> Worlds:
    """N times the first world of a batch, on the same network."""
    parts = {
        name: part if name in _OF_NETWORKS else np.repeat(part[:1], count, axis=0)
        for name, part in template._asdict().items()
    }
    return Worlds(**parts)


def _copy_worlds(old: Worlds, new: Worlds) -> None:
    """Copy worlds into a batch with more room."""
    before, after = old.routes.shape[1], new.routes.shape[1]
    _copy(old, new, skip=(*_OF_NETWORKS, "actors"))
    new.actors[:, :before] = old.actors[:, :before]
    new.actors[:, after : after + old.actors.shape[1] - before] = old.actors[:, before:]
    new.world["first_object"] = after


def _copy(old: Any, new: Any, skip: tuple[str, ...] = ()) -> None:
    """Copy the arrays of a NamedTuple into larger ones."""
    for name, part in old._asdict().items():
        if name in skip or name in _OF_THREADS or name in _OF_ALL:
            continue
        getattr(new, name)[tuple(slice(0, size) for size in part.shape)] = part


def _move_objects(old: EpisodeMemory, new: EpisodeMemory) -> None:
    """Objects' slots are the last ones, see `tasks_metrics.slot_of`."""
    before, after = old.paths.shape[2], new.paths.shape[2]
    for was, now in ((old.hidden, new.hidden), (old.revealed, new.revealed)):
        vehicles, room = was.shape[1] - before, now.shape[1] - after
        now[:, vehicles:] = -1
        now[:, room : room + before] = was[:, vehicles:]
