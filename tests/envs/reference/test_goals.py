"""Goal environments: the reward of a batch of goals is that of each goal, to the last bit."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np

import drivemem_envs


def rewards_stepped_and_recomputed() -> tuple[list[float], np.ndarray]:
    env = drivemem_envs.make("parking-v0", config={"collision_reward": 0})
    env.reset(seed=0)
    env.action_space.seed(0)
    stepped, achieved, desired, infos = [], [], [], []
    while len(stepped) < 100:
        observation, reward, terminated, truncated, info = env.step(env.action_space.sample())
        stepped.append(reward)
        achieved.append(observation["achieved_goal"])
        desired.append(observation["desired_goal"])
        infos.append(info)
        if terminated or truncated:
            env.reset()
    return stepped, env.compute_reward(np.array(achieved), np.array(desired), np.array(infos))


def test_a_batch_of_goals_has_the_rewards_that_were_stepped():
    # OpenBLAS adds in another order on each processor; the oldest kernels run on all of them.
    code = (
        "from tests.envs.reference.test_goals import rewards_stepped_and_recomputed as run\n"
        "stepped, batch = run()\n"
        "assert batch.shape == (100,) and list(batch) == stepped, (stepped, batch)"
    )
    environment = {**os.environ, "OPENBLAS_CORETYPE": "Prescott"}
    subprocess.run([sys.executable, "-c", code], env=environment, check=True)
