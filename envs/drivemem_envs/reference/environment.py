"""drivemem's environment around a live highway-env world: sensors, outcome, metrics, truth."""

from __future__ import annotations

import inspect
from collections.abc import Hashable
from functools import cache
from typing import Any, cast

import gymnasium
import numpy as np
from gymnasium.error import ResetNeeded
from highway_env.envs.common.abstract import AbstractEnv
from highway_env.envs.parking_env import GoalEnv

from drivemem_envs import outcomes
from drivemem_envs._jit import Floats
from drivemem_envs.actions import check_actions
from drivemem_envs.batch_task import TaskWorld
from drivemem_envs.cue_meaning import CueMeaning, check_meaning
from drivemem_envs.metrics import judge_on_time
from drivemem_envs.reference.episode_metrics import EpisodeMetrics
from drivemem_envs.reference.goals import GoalRewards
from drivemem_envs.reference.observation import DriverView
from drivemem_envs.reference.perception import LANE_FEATURES, Perception
from drivemem_envs.reference.traffic import isolate, private_path
from drivemem_envs.scenario_spec import Scenario
from drivemem_envs.sensing import layout


class ReferenceEnvironment(AbstractEnv):  # type: ignore[misc]
    """What drivemem adds to a highway-env class; `make_reference` puts it before one.

    A world may define, besides highway-env's own methods: `occluders() -> (K, 5)`, `cue() ->
    (K,)`, `cue_meaning() -> CueMeaning`, `is_success() -> bool`, `is_wrong_route() -> bool`,
    `is_violation() -> bool`, `ego_x() -> float`, and the attribute `max_actors`, the most vehicles
    or objects with which an episode begins, where their number differs from seed to seed.

    Args:
        scenario: the resolved scenario.
        render_mode: None, "human" or "rgb_array".
    """

    observation_type: Any
    observation_space: Any

    def __init__(self, scenario: Scenario, render_mode: str | None = None) -> None:
        self.scenario = scenario
        # highway-env keeps one dict for all instances and writes frame rates into it.
        self.metadata = dict(AbstractEnv.metadata)
        self.decision_s = scenario.decision_s
        features = set(scenario.observation.features)
        self.perception = Perception(
            scenario.sensors,
            self.decision_s,
            scenario.observation.tracker,
            scenario.track_s,
            bool(features & set(LANE_FEATURES)),
        )
        self.decisions = 0
        self.first_road_lanes = 1
        config = scenario.resolved_config()
        if scenario.observation.native is not None:
            config["observation"] = dict(scenario.observation.native)
        config["other_vehicles_type"] = private_path(config["other_vehicles_type"], scenario.world)
        self.is_made = False
        told = inspect.signature(super().__init__).parameters
        if "render_mode" in told:
            super().__init__(config=config, render_mode=render_mode)
        else:  # such as LaneKeepingEnv, which passes its configuration on alone
            super().__init__(config=config)
            self.render_mode = render_mode
        self._has_begun = False  # highway-env resets itself when it is made, without a seed
        self.is_made = True

    # ---- what highway-env calls -----------------------------------------------------------

    def define_spaces(self) -> None:
        """highway-env's spaces, with drivemem's observation in the place of its own."""
        super().define_spaces()
        native = self.observation_type if self.scenario.observation.native else None
        self.observation_type = DriverView(self, native, self.observation_space)
        self.observation_space = self.observation_type.space()

    def _reset(self) -> None:
        super()._reset()
        isolate(self.road.vehicles, self.scenario.world)
        self.decisions = 0
        if isinstance(self, TaskWorld):
            self.begin_episode()
        self._last_cue: Floats | None = None
        self.first_road_lanes = len(self.road.network.all_side_lanes(self.vehicle.lane_index))
        self._occluders = np.asarray(self._world_occluders(), dtype=np.float64).reshape(
            -1, layout.OCCLUDER_COLUMNS
        )
        self.perception.reset(self.np_random, self._occluders)
        rows = self.scenario.observation.vehicles_count - 1
        self._slots = np.random.Generator(np.random.PCG64(self.perception.seed)).permutation(rows)
        self.metrics = EpisodeMetrics(self.decision_s)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Gymnasium's reset; the seed determines scene, traffic and sensors.

        Raises:
            ValueError: options that would change the scenario behind its name.
        """
        if options and "config" in options:
            raise ValueError(
                "options['config'] would change the scenario in mid-run: make another environment "
                "with make(..., config={...})"
            )
        self._has_begun = True
        # highway-env's info holds the rewards of an action that it draws without a seed: left out.
        observation, _ = super().reset(seed=seed, options=options)
        if not self.is_made:  # highway-env resets itself when it is made: nobody looks
            return observation, {}
        self.metrics.add(self.perception.truth())
        return observation, {}

    def reset_scene(self, seed: int) -> None:
        """The scene that `reset` makes, without what only a driver needs: spaces, observation.

        For who takes scenes out of it. A world with a reset or spaces of its own is reset in full,
        and so is one with an observation of highway-env's: some draw while they observe.
        """
        world = self.scenario.world_class()
        is_plain = world.reset is AbstractEnv.reset
        is_plain = is_plain and world.define_spaces is AbstractEnv.define_spaces
        if not is_plain or self.scenario.observation.native is not None:
            self.reset(seed=seed)
            return
        gymnasium.Env.reset(self, seed=seed)
        self.time = self.steps = 0
        self.done = False
        self._reset()
        connected = self.config["neighbour_vehicles_connected_lanes"]
        self.road.neighbour_vehicles_connected_lanes = connected

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Gymnasium's step; the last info of an episode has `outcome`, `is_success`, metrics.

        Raises:
            gymnasium.error.ResetNeeded: before the first `reset`.
            ValueError: an action that the space lacks or that is not finite.
        """
        if not self._has_begun:
            raise ResetNeeded("step() before reset(): call reset() first, once")
        check_actions(self.scenario.name, self.action_space, np.asarray(action)[None], 1)
        self.decisions += 1
        observation, reward, terminated, truncated, info = super().step(action)
        isolate(self.road.vehicles, self.scenario.world)
        self.metrics.add(self.perception.truth())
        limit = self.scenario.time_limit_s
        if limit is not None and self.decisions * self.decision_s >= limit - 1e-9:
            truncated = True
        told: dict[str, Any] = {"rewards": _numbers(info.get("rewards", {}))}
        if terminated or truncated:
            outcome = outcomes.outcome_of(self, bool(terminated), self.metrics.speeds())
            told |= {"outcome": outcome, "is_success": outcome == "success"}
            told |= self.metrics.result()
            judged = judge_on_time(self.scenario.on_time_mps, [outcome], [told["mean_speed"]])
            told["on_time"] = float(judged[0])
        truncated = bool(truncated and not terminated)
        return observation, float(reward), bool(terminated), truncated, told

    def render(self) -> Any:
        """highway-env's picture, with what the sensors perceive and what they do not."""
        limited = not self.scenario.sensors.is_full or len(self._occluders) > 0
        self.viewer: Any
        if self.viewer is None and self.render_mode is not None and limited:
            from drivemem_envs.reference.viewer import SensorViewer

            self.viewer = SensorViewer(self, offscreen=self.render_mode == "rgb_array")
        return super().render()

    # ---- what a world may define ----------------------------------------------------------

    def cue(self) -> Floats | None:
        """What the scenario shows for a while, (K,) in [0, 1]; None: nothing."""
        hook = getattr(super(), "cue", None)
        if hook is None or self.road is None:  # highway-env asks for spaces before any scene
            return None
        value = hook()
        return None if value is None else np.asarray(value, dtype=np.float32)

    def cue_meaning(self) -> CueMeaning | None:
        """What the cue says, for people and pictures; None: the world tells nothing of it.

        Raises:
            ValueError: it does not fit the cue or the road.
        """
        hook = getattr(super(), "cue_meaning", None)
        meaning = None if hook is None or self.road is None else hook()
        if meaning is None:
            return None
        cue = self.cue()
        return check_meaning(meaning, 0 if cue is None else len(cue), self.road.network.graph)

    def navigation(self) -> Floats | None:
        """What a map tells at all times, (M,) in [0, 1]; None: nothing."""
        hook = getattr(super(), "navigation", None)
        if hook is None or self.road is None:
            return None
        value = hook()
        return None if value is None else np.asarray(value, dtype=np.float32)

    def latent(self) -> Floats:
        """What the scenario hides that is no actor (L,): for probes and auxiliary losses only.

        A world's own `latent()`, else its cue, else nothing.
        """
        hook = getattr(super(), "latent", None)
        value = self.cue() if hook is None else hook()
        return np.zeros(0) if value is None else np.asarray(value, dtype=np.float64)

    def ego_x(self) -> float:
        """The x that the ego's own row shows, m."""
        return outcomes.ego_x(self)

    def _world_occluders(self) -> Any:
        hook = getattr(super(), "occluders", None)
        return np.zeros((0, layout.OCCLUDER_COLUMNS)) if hook is None else hook()

    # ---- drivemem's own -------------------------------------------------------------------

    def perceive(self) -> None:
        """Let the sensors look at the world as it is now; once per decision."""
        self.perception.look(self.road, self.vehicle)

    def shown_cue(self) -> Floats | None:
        """The cue as it is shown at this decision, (K,); None: the scenario has none.

        When its time is over it is zero; with perfect recall it is what was last shown.
        """
        cue = self.cue()
        window = self.scenario.sensors.cue_window_s
        if cue is None:
            return None
        age_s = self.decisions * self.decision_s
        if isinstance(self, TaskWorld):
            age_s -= self.announced_s()
        if window is None or age_s < window - 1e-9:
            self._last_cue = cue.copy()
            return cue
        if self.scenario.observation.tracker == "perfect_recall" and self._last_cue is not None:
            return self._last_cue.copy()
        return np.zeros_like(cue)

    def truth(self) -> dict[str, np.ndarray[Any, Any]]:
        """What is true of every actor when the last observation was made; see `Perception`.

        highway-env's intersection clears and spawns traffic after it observes; truth and
        observation agree with each other, and lag that by nothing the driver could act on.
        """
        return self.perception.truth()

    def occluders(self) -> Floats:
        """Static occluders (K, 5): x, y, heading, length, width; m, rad."""
        return self._occluders.copy()

    def action_masks(self) -> np.ndarray[Any, np.dtype[np.bool_]]:
        """Which discrete actions are available (n,); the name is sb3-contrib's.

        Raises:
            ValueError: for continuous actions.
        """
        size = getattr(self.action_space, "n", None)
        if size is None:
            raise ValueError(f"{self.scenario.name} has continuous actions: nothing to mask")
        mask = np.ones(size, dtype=bool)
        if hasattr(self.action_type, "actions_indexes"):
            mask[:] = False
            mask[self.action_type.get_available_actions()] = True
        return mask

    def slot_of(self, ids: Any) -> Any:
        """Rows (from 0, the ego's not counted) of actors by id, with slots="fixed".

        A permutation of the episode's spreads ids over rows, so that neither the order of rows
        nor an empty one says anything of actors that are hidden.
        """
        return self._slots[np.asarray(ids, dtype=np.int64) % max(len(self._slots), 1)]


@cache
def _composed(world: Any) -> type[ReferenceEnvironment]:
    """The environment class for a world: `ReferenceEnvironment` before it in the MRO."""
    goals = (GoalRewards,) if issubclass(world, GoalEnv) else ()
    composed = type(f"Reference{world.__name__}", (ReferenceEnvironment, *goals, world), {})
    return cast(type[ReferenceEnvironment], composed)


def make_reference(scenario: Scenario, render_mode: str | None = None) -> ReferenceEnvironment:
    """Build the reference environment of a scenario.

    Raises:
        ValueError: a world that is no single-agent highway-env class, or a bad configuration.
    """
    world = scenario.world_class()
    if not issubclass(world, AbstractEnv):
        raise ValueError(f"world {scenario.world} is no subclass of highway-env's AbstractEnv")
    return _composed(cast(Hashable, world))(scenario, render_mode)


def _numbers(rewards: dict[str, Any]) -> dict[str, float]:
    return {name: float(value) for name, value in rewards.items()}
