"""Worlds whose tasks are NumPy functions, of every kind that the backends treat differently."""

from __future__ import annotations

from typing import Any

import numpy as np
from highway_env.envs.exit_env import ExitEnv
from highway_env.envs.highway_env import HighwayEnvFast
from highway_env.envs.intersection_env import IntersectionEnv
from highway_env.envs.lane_keeping_env import LaneKeepingEnv

from drivemem_envs import Scenario, Sensors
from drivemem_envs.batch_task import BatchTask, TaskWorld, Verdict
from drivemem_envs.registry import register_scenario


class Told(BatchTask):
    """Be in the lane that is announced, which changes twice."""

    terms = ("collision_reward", "high_speed_reward", "told_reward")
    cue_size, state_size = 3, 3
    told, since_s, obeyed = range(3)

    def begin(self, drawn):
        state = np.zeros((len(drawn), self.state_size))
        state[:, self.told] = drawn[:, 0]
        return state

    def judge(self, moment, drawn, state):
        for number, after_s in enumerate((3.0, 7.0)):
            new = (moment.time_s > after_s) & (state[:, self.since_s] < after_s)
            state[new, self.told] = drawn[new, 1 + number]
            state[new, self.since_s] = moment.time_s[new]
        lanes = np.array([number for _, _, number in self.lane_indices])
        there = lanes[moment.target_lane] == state[:, self.told]
        state[:, self.obeyed] += there & (moment.lateral < 0.5)
        fast = np.clip((moment.speed - 20) / 10, 0, 1)
        late = moment.time_s >= self.config["duration"] + 2.0  # beyond the world's own end
        return Verdict(
            np.stack([moment.crashed, fast, there], axis=1),
            moment.crashed | ~moment.on_road,
            late,
            late & ~moment.crashed & (state[:, self.obeyed] > 10),
            late & (moment.x > 400.0),
            late & (moment.heading > 0.01),
        )

    def cue(self, drawn, state):
        return np.eye(3)[state[:, self.told].astype(int)]

    def announced_s(self, drawn, state):
        return state[:, self.since_s]

    def latent(self, drawn, state):
        return np.concatenate([drawn / 2.0, state[:, :1] / 2.0], axis=1)


class ToldWorld(TaskWorld, HighwayEnvFast):
    """highway-env's fast highway; what is announced is drawn apart from its traffic."""

    @classmethod
    def default_config(cls) -> dict[str, Any]:
        return {**super().default_config(), "told_reward": 0.2, "duration": 9}

    @classmethod
    def make_task(cls, config, lane_indices):
        return Told(config, lane_indices)

    @classmethod
    def draw(cls, config, generator):
        return generator.integers(3, size=3).astype(float)


class SceneToldWorld(ToldWorld):
    """The same, but what is announced comes out of the scene."""

    def _reset(self):
        super()._reset()
        self.plan = self.np_random.integers(3, size=3)

    def drawn(self):
        return self.plan.astype(float)


class Leave(BatchTask):
    """Take the exit; with more terms than a task in kernels has."""

    terms = ("collision_reward", "goal_reward", "high_speed_reward", "a", "b", "c")
    cue_size = 1

    def judge(self, moment, drawn, state):
        roads = np.array([start for start, _, _ in self.lane_indices])
        ends = np.array([end for _, end, _ in self.lane_indices])
        left = (ends == "exit")[moment.lane]
        passed = (roads == "2")[moment.lane] & ~left
        terms = [moment.crashed, left, moment.speed / 30.0, passed, moment.lateral,
                 moment.longitudinal / 400.0]  # fmt: skip
        over = moment.time_s >= 12.0
        no = np.zeros(len(over), dtype=bool)
        return Verdict(
            np.stack(terms, axis=1), moment.crashed | left | passed, over, left, passed, no
        )

    def cue(self, drawn, state):
        return np.full((len(state), 1), 0.5)


class LeaveWorld(TaskWorld, ExitEnv):
    """highway-env's exit, whose resets are kernels."""

    @classmethod
    def default_config(cls) -> dict[str, Any]:
        weights = {"collision_reward": -1.0, "a": -0.5, "b": 0.25, "c": 0.1}
        return {**super().default_config(), **weights}

    @classmethod
    def make_task(cls, config, lane_indices):
        return Leave(config, lane_indices)


class Cross(BatchTask):
    """Get across; nothing is announced."""

    terms = ("collision_reward", "arrived_reward")

    def judge(self, moment, drawn, state):
        across = (moment.lane >= 0) & (np.hypot(moment.x, moment.y) > 30.0) & (moment.time_s > 3.0)
        terms = np.stack([moment.crashed, across], axis=1)
        no = np.zeros(len(across), dtype=bool)
        return Verdict(terms, moment.crashed | across, no, across, no, moment.speed > 9.0)


class CrossWorld(TaskWorld, IntersectionEnv):
    """highway-env's intersection, whose traffic comes and goes."""

    @classmethod
    def make_task(cls, config, lane_indices):
        return Cross(config, lane_indices)


class KeepingWorld(TaskWorld, LaneKeepingEnv):
    """Over a world that is stepped in a way of its own."""

    make_task = CrossWorld.make_task


class OwnEnd(CrossWorld):
    """With an end beside its task."""

    def _is_terminated(self):
        return False


class NamedTerms(LeaveWorld):
    """With a term whose weight no configuration names."""

    @classmethod
    def default_config(cls):
        return {key: value for key, value in super().default_config().items() if key != "a"}


def _scenario(name: str, world: str, **more: Any) -> Scenario:
    return Scenario(name=name, world=f"{__name__}:{world}", **more)


TOLD = _scenario("told-v0", "ToldWorld", sensors=Sensors(cue_window_s=2.0))
SCENE_TOLD = _scenario("scene-told-v0", "SceneToldWorld", sensors=Sensors(cue_window_s=2.0))
LEAVE = _scenario("leave-v0", "LeaveWorld")
CROSS = _scenario("cross-v0", "CrossWorld", time_limit_s=16.0)
SCENARIOS = {each.name: each for each in (TOLD, SCENE_TOLD, LEAVE, CROSS)}


def register() -> None:
    """Make them known by name, in processes that run nothing else."""
    for attribute in ("TOLD", "SCENE_TOLD", "LEAVE", "CROSS"):
        register_scenario(globals()[attribute].name, f"{__name__}:{attribute}")
