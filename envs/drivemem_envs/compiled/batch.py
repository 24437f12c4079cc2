"""A batch of compiled worlds of one scenario: made from scenes, stepped by kernels."""

from __future__ import annotations

from typing import Any

import numpy as np
from highway_env.envs.exit_env import ExitEnv
from numpy.typing import NDArray

from drivemem_envs.actions import check_actions
from drivemem_envs.compiled import codes
from drivemem_envs.compiled.batch_tasks import BatchTasks
from drivemem_envs.compiled.check import checked_family
from drivemem_envs.compiled.decision import Batch, begin, decide
from drivemem_envs.compiled.parallel_for import scratch_rows
from drivemem_envs.compiled.perception.native_observations import make_native, parts_of
from drivemem_envs.compiled.perception.observe import (
    EGO_X_LANE,
    FIXED_SLOTS,
    NUMBERS,
    View,
    write_masks,
)
from drivemem_envs.compiled.perception.sight import Sight, make_sight
from drivemem_envs.compiled.records import META_ACTION
from drivemem_envs.compiled.scenes.scene_source import scene_source
from drivemem_envs.compiled.step_result import make_step_result
from drivemem_envs.compiled.task_vector import task_vector
from drivemem_envs.compiled.tasks.facts import Task, meanings
from drivemem_envs.episode_trace import make_trace, with_more_room
from drivemem_envs.reference.observation import features_range
from drivemem_envs.scenario_spec import Scenario
from drivemem_envs.sensing import layout
from drivemem_envs.sensing.lane_views import STANCE, lane_parts, make_lane_views
from drivemem_envs.sensing.rows import FEATURES, feature_table, options_vector

Ints = NDArray[np.int64]


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
        self.family = checked_family(scenario)
        self.config = scenario.resolved_config()
        self.source = scene_source(scenario, count, threads)
        self.env = self.source.env
        self.observation_space = self.env.observation_space
        self.action_space = self.env.action_space
        self.latents = self.source.latent
        self._every = np.arange(count)
        self._lanes = {
            index: row for row, index in enumerate(self.source.scene.network.lane_indices)
        }
        self._ranges: dict[int, NDArray[np.float64]] = {}
        self.tasks: BatchTasks | None = None
        self.terms: tuple[str, ...] = self.family.terms
        if self.family.code == codes.BATCH_TASK:
            self.tasks = BatchTasks(scenario, self.source)
            self.terms = self.tasks.task.terms
        elif "survived_reward" in self.config:
            self.terms = (*self.terms, "survived_reward")
        self.batch = self._make()

    # ---- making ---------------------------------------------------------------------------

    def _make(self) -> Batch:
        """Sensors, view, task and metrics around the worlds."""
        spec, source, threads = self.scenario.observation, self.source, self.threads
        actors = source.worlds.actors.shape[1]
        lanes = any(FEATURES.get(name, 0) >= layout.COLUMNS for name in spec.features)
        limits = layout.limit_vector(
            self.scenario.sensors, self.scenario.decision_s, spec.tracker, self.scenario.track_s
        )
        decisions = self._longest()
        most = actors + (decisions if source.template.spawns else 0)
        occluders = source.occluders.shape[1]
        sight = make_sight(limits, self.count, actors, most, occluders, lanes, threads)
        trace = make_trace(self.count, decisions, actors, most + 1)
        return Batch(
            source.worlds, source.scratch, sight, self._view(sight), self._task(), trace,
            make_step_result(self.count, threads, len(self.terms)), source.template,
            make_native(self.scenario, self.family.code, self.env, self.count, actors, threads),
        )  # fmt: skip

    def _longest(self) -> int:
        """Most decisions of an episode."""
        limit = self.scenario.time_limit_s
        if limit is None:
            limit = float(self.config["duration"])
        return int(np.ceil(limit / self.scenario.decision_s)) + 1

    def _view(self, sight: Sight) -> View:
        spec, env = self.scenario.observation, self.env
        room, cues = sight.percepts.shape[1], self.source.cue.shape[1]
        columns, _ = feature_table(spec.features, {})
        rows, threads = spec.vehicles_count, self.threads
        numbers = np.zeros(NUMBERS, dtype=np.int64)
        numbers[FIXED_SLOTS] = spec.slots == "fixed"
        numbers[EGO_X_LANE] = -1
        if issubclass(self.scenario.world_class(), ExitEnv):
            # The exit's lane is the last of its road.
            numbers[EGO_X_LANE] = max(
                row for (a, b, _), row in self._lanes.items() if (a, b) == ("1", "2")
            )
        window = self.scenario.sensors.cue_window_s
        if self.tasks:  # writes what is shown itself, when it has judged
            window = -np.inf
        return View(
            codes=columns,
            ranges=np.zeros((self.count, len(columns), 2)),
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
            cues=np.zeros((self.count, cues)),
            window_s=np.array([np.inf if window is None else window]),
            rows=np.zeros((self.count, rows, len(columns)), dtype=np.float32),
            shown=np.zeros((self.count, cues), dtype=np.float32),
            along=np.zeros((scratch_rows(threads), room)),
            order=np.zeros((scratch_rows(threads), room), dtype=np.int64),
            places=np.zeros((scratch_rows(threads), rows - 1), dtype=np.int64),
            own=np.zeros((scratch_rows(threads), 1, sight.actors.shape[2])),
            lane_views=make_lane_views(self.count, spec.views, spec.grid, spec.lanes),
            in_lane=np.zeros((scratch_rows(threads), room, 2)),
            stance=np.zeros((scratch_rows(threads), STANCE)),
        )

    def _task(self) -> Task:
        env = self.env
        vector = task_vector(
            self.family, self.config, end_x=float(getattr(env, "end_position", 370.0))
        )
        lane_codes = meanings(
            self.family.code, list(self._lanes), self.config.get("lanes_count", 0)
        )
        limit = self.scenario.time_limit_s
        return Task(
            vector=vector,
            lanes=lane_codes[None].astype(np.int8),
            params=np.array(self.family.params(env, self._lanes), dtype=np.float64),
            task_state=np.zeros_like(self.source.task_state),
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
        rows = np.asarray(rows, dtype=np.int64)
        source, sight, shown = self.source, self.batch.sight, self.batch.shown
        source.fill(rows, np.asarray(seeds, dtype=np.int64))
        sight.seeds[rows] = source.sensor_seed[rows].view(np.int64)
        if source.occluders.shape != sight.occluders.shape:  # an episode has more than any before
            sight = sight._replace(occluders=source.occluders.copy())
            self.batch = self.batch._replace(sight=sight)
        sight.occluders[rows] = source.occluders[rows]
        shown.slots[rows], shown.cues[rows] = source.slots[rows], source.cue[rows]
        lanes = source.first_road_lanes[rows]
        for count in set(lanes.tolist()):
            shown.ranges[rows[lanes == count]] = self._ranges_of(count)
        self.batch.task.task_state[rows] = source.task_state[rows]
        begin(self.batch, rows)
        if self.tasks:
            self.tasks.begin(self.batch, rows)

    def _ranges_of(self, lanes: int) -> NDArray[np.float64]:
        """What is scaled to [-1, 1] (F, 2), nan for features that are not."""
        if lanes not in self._ranges:
            spec = self.scenario.observation
            known = features_range(spec, lanes) if spec.normalize else {}
            pairs = [known.get(feature, (np.nan, np.nan)) for feature in spec.features]
            self._ranges[lanes] = np.array(pairs, dtype=np.float64).reshape(-1, 2)
        return self._ranges[lanes]

    # ---- stepping -------------------------------------------------------------------------

    def step(self, actions: Any) -> None:
        """One decision of every world.

        Args:
            actions: (N,) indices of discrete actions or (N, C) continuous ones.

        Raises:
            ValueError: actions of another shape, not finite, or no such discrete actions.
        """
        self.step_some(self._every, actions)

    def step_some(self, rows: Ints, actions: Any) -> None:
        """One decision of some worlds (R,), the others untouched (for replaying)."""
        given = self._padded(actions, rows)
        if int(self.batch.sight.decisions[rows].max(initial=0)) >= len(self.batch.trace.ego[0]):
            if not self.tasks:
                raise RuntimeError(
                    "a world was stepped beyond the end of its episode: reset it first"
                )
            self.make_room()
        decide(self.batch, rows, given)
        if self.tasks:
            self.tasks.judge(self.batch, rows)

    def make_room(self) -> None:
        """Let episodes take twice as many decisions."""
        self.batch = self.batch._replace(trace=with_more_room(self.batch.trace))

    def _padded(self, actions: Any, rows: Ints) -> NDArray[np.float32]:
        """Actions of some worlds (R,) as the kernels take them (R, 2)."""
        given = check_actions(self.scenario.name, self.action_space, actions, rows)
        controls = self.source.scene.controls
        if controls is not None:
            given = controls[given[:, 0].astype(np.int64)]
        padded = np.zeros((len(rows), 2), dtype=np.float32)
        padded[:, : given.shape[1]] = given
        return padded

    # ---- looking --------------------------------------------------------------------------

    def observation(self, rows: Any = slice(None)) -> Any:
        """What the drivers of some worlds see now: copies."""
        view, spec = self.batch.shown, self.scenario.observation
        parts: dict[str, Any] = {}
        if "rows" in spec.views:
            parts["vehicles"] = view.rows[rows].copy()
        if view.shown.shape[1]:
            parts["cue"] = view.shown[rows].copy()
        if self.tasks and self.tasks.task.navigation_size:
            parts["navigation"] = self.tasks.navigation[rows].copy()
        shown = lane_parts(view.lane_views, spec.views)
        parts |= {key: part[rows].copy() for key, part in shown.items()}
        parts |= parts_of(self.batch.native, self.scenario, rows)
        if not spec.flat:
            return parts
        flat = [part.reshape(len(part), -1) for _, part in sorted(parts.items())]
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
            "ghost_x": report[..., layout.GHOST_X], "ghost_y": report[..., layout.GHOST_Y],
            "ghost_heading": report[..., layout.GHOST_HEADING],
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
            write_masks(self.batch.worlds, self.batch.scratch, masks)
        return masks

    def close(self) -> None:
        """Close the live world that scenes come from."""
        self.source.close()
