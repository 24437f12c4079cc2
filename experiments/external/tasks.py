"""Tasks of others that need memory, with the settings to learn them and what others reached.

Control without velocities is rl-baselines3-zoo's, with its settings of RecurrentPPO. The card
games and the noisy pole are POPGym's (Morad et al. 2023, arXiv 2303.01859); they need the package
`popgym`, with which drivemem has nothing to do otherwise.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.vec_env import VecEnv

ZOO = "https://github.com/DLR-RM/rl-baselines3-zoo/blob/master"


@dataclass(frozen=True)
class Task:
    """What is trained on, for how long and how, and what others published.

    Args:
        make: one world.
        worlds: trained in at once.
        budget: steps of training.
        weights: of the memory.
        settings: of MemoryPPO.
        digits: of the returns in tables.
        published: what others reached, in words, and where that stands.
    """

    make: Callable[[], gym.Env[Any, Any]]
    worlds: int
    budget: int
    weights: int
    settings: dict[str, Any]
    digits: int = 0
    published: str = ""

    def vector(self, seed: int, worlds: int | None = None) -> VecEnv:
        """Worlds with SB3's Monitor around each."""
        return make_vec_env(self.make, worlds or self.worlds, seed=seed)


class HiddenVelocities(
    gym.ObservationWrapper[NDArray[np.float32], Any, NDArray[np.float32]],
    gym.utils.RecordConstructorArgs,
):
    """Shows zeros in the place of velocities, as rl-baselines3-zoo's NoVel environments do.

    Args:
        env: with a flat Box of observations.
        velocities: their indices.
    """

    def __init__(self, env: gym.Env[Any, Any], velocities: tuple[int, ...]) -> None:
        gym.utils.RecordConstructorArgs.__init__(self, velocities=velocities)
        gym.ObservationWrapper.__init__(self, env)
        shown = env.observation_space
        if not isinstance(shown, spaces.Box) or max(velocities) >= shown.shape[0]:
            raise ValueError(f"velocities={velocities} are not among the observations {shown}")
        self.velocities = list(velocities)

    def observation(self, observation: NDArray[np.float32]) -> NDArray[np.float32]:
        """The same with zeros."""
        seen = np.array(observation, dtype=np.float32)
        seen[self.velocities] = 0.0
        return seen


def lstm_weights(inputs: int, hidden: int) -> int:
    """Weights of PyTorch's LSTM, which rl-baselines3-zoo puts behind the bare observation."""
    return 4 * hidden * (inputs + hidden + 2)


def falling(start: float) -> Callable[[float], float]:
    """A setting that falls to zero with the remaining share of training."""
    return lambda left: start * left


def control(
    name: str, velocities: tuple[int, ...], lstm: tuple[int, int], worlds: int, budget: int,
    reached: str, **settings: Any,
) -> Task:  # fmt: skip
    """A control task of rl-baselines3-zoo, its observations and rewards normalised as there."""

    def make() -> gym.Env[Any, Any]:
        return HiddenVelocities(gym.make(name), velocities)

    shared: dict[str, Any] = {
        "critic": "separate", "squash": False,
        "normalize_observations": True, "normalize_rewards": True,
    }  # fmt: skip
    source = f"RecurrentPPO: {reached} ([benchmark]({ZOO}/benchmark.md), one run)"
    return Task(make, worlds, budget, lstm_weights(*lstm), shared | settings, published=source)


CONTROL = {
    "CartPoleNoVel-v1": control(
        "CartPole-v1", (1, 3), (4, 64), 8, 100_000, "500.0 ± 0.0",
        n_steps=32, batch_size=256, gae_lambda=0.8, gamma=0.98, n_epochs=20, ent_coef=0.0,
        learning_rate=falling(1e-3), clip_range=falling(0.2),
    ),
    "PendulumNoVel-v1": control(
        "Pendulum-v1", (2,), (3, 64), 4, 100_000, "-217.9 ± 140.1",
        n_steps=1024, batch_size=128, bptt_steps=128, gae_lambda=0.95, gamma=0.9, n_epochs=10,
        ent_coef=0.0, learning_rate=1e-3, clip_range=0.2,
    ),
    "MountainCarContinuousNoVel-v0": control(
        "MountainCarContinuous-v0", (1,), (2, 32), 8, 300_000, "91.5 ± 1.8",
        n_steps=1024, batch_size=256, bptt_steps=256, gae_lambda=0.9, gamma=0.9999, n_epochs=10,
        ent_coef=0.00429, learning_rate=7.77e-5, clip_range=0.1, max_grad_norm=5.0, vf_coef=0.19,
    ),
}  # fmt: skip
"""Settings: hyperparams/ppo_lstm.yml of rl-baselines3-zoo at 22e3ff2; batches that are not named
there are sb3-contrib's 128."""

LENGTHS = {
    "RepeatPreviousEasy": 51, "RepeatPreviousMedium": 103,
    "RepeatFirstEasy": 51, "RepeatFirstMedium": 415,
    "AutoencodeEasy": 103, "AutoencodeMedium": 207,
    "CountRecallEasy": 51, "CountRecallMedium": 103,
    "NoisyPositionOnlyCartPoleEasy": 200, "NoisyPositionOnlyCartPoleMedium": 200,
}  # fmt: skip
"""Steps of an episode of POPGym's tasks, at most."""


def popgym_world(name: str) -> gym.Env[Any, Any]:
    """A task of POPGym behind its own wrappers, flattened: what it shows, the action before, and
    whether an episode begins.
    """
    import popgym.envs  # noqa: F401
    from popgym.wrappers import Antialias, PreviousAction

    bare = gym.make(f"popgym-{name}-v0").unwrapped
    return gym.wrappers.FlattenObservation(Antialias(PreviousAction(bare)))


def popgym_task(name: str) -> Task:
    """A task of POPGym; rollouts as long as its episodes, so that gradients reach all of one."""
    steps = LENGTHS[name]
    settings = {
        "n_steps": steps, "batch_size": 8 * steps, "n_epochs": 4, "gamma": 0.99,
        "ent_coef": 0.01, "learning_rate": falling(2e-3),
    }  # fmt: skip
    return Task(lambda: popgym_world(name), 32, 500_000, 16_000, settings, digits=2)


POPGYM = {f"popgym-{name}-v0": popgym_task(name) for name in LENGTHS}
TASKS = CONTROL | POPGYM
