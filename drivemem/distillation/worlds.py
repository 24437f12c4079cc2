"""A second pair of eyes: the student's worlds as its teacher sees them, at the same moment.

A scenario's dynamics do not depend on who looks: worlds with the same seeds that are given the same
actions are the same worlds, to the last bit, whatever their sensors, views and trackers are. So
the teacher gets worlds of its own, with its own sensors, which follow the student's decision by
decision. It sees exactly what it was trained on, also where its tracker or latency has a past, and
on either backend; that both are still the same is checked at every decision.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import load_file, save_file

from drivemem.config import DistillConfig
from drivemem.distillation.kept import Arrays, flattened, restored
from drivemem.distillation.teachers import Teacher
from drivemem.errors import DrivememError
from drivemem.evaluation.drivers import Decision, PolicyDriver, check_fits
from drivemem.training.vec_env import WorldsVecEnv
from drivemem_agents import CheckpointError
from drivemem_envs.drivers.constant import action_labels

KEPT = "teacher.safetensors"
"""The teacher's state in a checkpoint."""


class TeachersWorlds:
    """Worlds that follow the student's, and the teacher who watches them.

    Args:
        teacher: who watches.
        worlds: with the teacher's sensors, and the seeds of the student's.

    Raises:
        DrivememError: the teacher cannot drive these worlds.
    """

    def __init__(self, teacher: Teacher, worlds: Any) -> None:
        self.teacher, self.worlds = teacher, worlds
        self._masked = hasattr(worlds.single_action_space, "n")
        labels = action_labels(worlds.scenario) if self._masked else []
        self._idle = labels.index("IDLE") if "IDLE" in labels else None
        if isinstance(teacher.driver, PolicyDriver):
            check_fits(teacher.driver.policy, worlds, worlds.scenario.name)
        with torch.random.fork_rng():  # drivers seed what they draw from
            teacher.driver.begin(worlds)

    def reset(self) -> None:
        """Begin the first episode of every world."""
        with torch.random.fork_rng():
            self.teacher.driver.begin(self.worlds)
        self._shown, _ = self.worlds.reset()
        self._starts = np.ones(self.worlds.num_envs, dtype=bool)

    def lesson(self) -> Decision:
        """What the teacher would do now; to be asked once for each decision.

        A driver may name a manoeuvre that is not available, such as a change to a lane that is not
        there yet: nothing comes of it, so it is the same as IDLE, which a student can learn.
        """
        masks = self.worlds.action_masks() if self._masked else None
        said = self.teacher.driver.decide(self._shown, self._starts, masks)
        if masks is None or said.probs is not None or self._idle is None:
            return said
        named = np.asarray(said.actions)
        return said._replace(
            actions=np.where(masks[np.arange(len(named)), named], named, self._idle)
        )

    def follow(
        self, actions: Any, rewards: NDArray[np.float64], ended: NDArray[np.bool_]
    ) -> dict[str, Any]:
        """Do what the student did.

        Args:
            actions: of all worlds.
            rewards: (N,) what the student's worlds gave for them.
            ended: (N,) in which of those the episode ended.

        Returns:
            The infos of the step.

        Raises:
            DrivememError: these are no longer the student's worlds.
        """
        self._shown, own, terminated, truncated, infos = self.worlds.step(actions)
        self._starts = terminated | truncated
        if not (np.array_equal(own, rewards) and np.array_equal(self._starts, ended)):
            raise DrivememError(
                f"the worlds of {self.worlds.scenario.name} go another way where the teacher "
                "watches: a task whose rewards, ends or traffic depend on what the ego perceives "
                "cannot be taught by one who perceives more"
            )
        return dict(infos)

    def restore(self, episodes: NDArray[np.int64], taken: Sequence[NDArray[Any]]) -> None:
        """Go back into the middle of episodes, as the student's worlds do."""
        self._shown, _ = self.worlds.restore(episodes, taken)
        self._starts = np.array([len(actions) == 0 for actions in taken])

    def save(self, folder: Path) -> None:
        """Write what the teacher carries from decision to decision.

        Raises:
            DrivememError: its state holds what no file can.
        """
        arrays: Arrays = {"starts": self._starts}
        try:
            described = flattened(self.teacher.driver.carried(), arrays)
        except TypeError as error:
            raise DrivememError(
                f"the state of {self.teacher.label} cannot be kept in a checkpoint: {error}; let "
                "its predict() return arrays, numbers, or dicts and lists of them"
            ) from error
        save_file(arrays, folder / KEPT, {"state": json.dumps(described)})

    def load(self, folder: Path) -> None:
        """Undo `save`.

        Raises:
            CheckpointError: the file is missing or damaged.
        """
        try:
            arrays = load_file(folder / KEPT)
            with safe_open(folder / KEPT, framework="numpy") as file:
                described = json.loads(file.metadata()["state"])
            self._starts = arrays.pop("starts").astype(bool)
            self.teacher.driver.carry_on(restored(described, arrays))
        except (SafetensorError, OSError, KeyError, TypeError, ValueError) as error:
            raise CheckpointError(f"{folder / KEPT} cannot be read: {error}") from error


class TaughtVecEnv(WorldsVecEnv):
    """The student's worlds, whose `lesson()` asks the teacher about them as they are.

    Args:
        config: of the student.
        worlds: the student's.
        teachers: the same as the teacher sees them.

    Raises:
        DrivememError: the two do not take the same actions.
    """

    def __init__(self, config: DistillConfig, worlds: Any, teachers: TeachersWorlds) -> None:
        super().__init__(worlds, config.critic == "privileged", config.privileged_view)
        self.teachers = teachers
        theirs = teachers.worlds.single_action_space
        if theirs != self.action_space:
            raise DrivememError(
                f"the teacher acts in {theirs}, the student in {self.action_space}: teach in the "
                "teacher's own scenario, or choose another teacher"
            )

    def lesson(self) -> Decision:
        """What the teacher would do now; to be asked once for each decision."""
        return self.teachers.lesson()

    def reset(self) -> Any:
        """Begin an episode in every world."""
        self.teachers.reset()
        return super().reset()

    def step_wait(self) -> tuple[Any, NDArray[np.float32], NDArray[np.bool_], list[dict[str, Any]]]:
        """Step all worlds, and the teacher's after them."""
        observation, rewards, dones, infos = super().step_wait()
        self.teachers.follow(self._actions, self.last_rewards, dones)
        return observation, rewards, dones, infos

    def close(self) -> None:
        """Close the worlds and the teacher's."""
        self.teachers.worlds.close()
        super().close()

    def facts(self) -> dict[str, Any]:
        """Who teaches."""
        return {"teacher": self.teachers.teacher.facts}

    def restore(
        self, episodes: NDArray[np.int64], taken: Sequence[NDArray[Any]], returns: NDArray[Any]
    ) -> Any:
        """Go back to a `position`; returns the observation there."""
        self.teachers.restore(episodes, taken)
        return super().restore(episodes, taken, returns)

    def save_more(self, folder: Path) -> None:
        """The teacher's own state."""
        self.teachers.save(folder)

    def restore_more(self, folder: Path) -> None:
        """Undo `save_more`."""
        self.teachers.load(folder)
