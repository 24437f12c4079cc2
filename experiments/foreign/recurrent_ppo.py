"""sb3-contrib's RecurrentPPO on a scenario: an agent that is not ours, trained for a submission.

    python experiments/foreign/recurrent_ppo.py exit-recall --seed 0 --out models

writes models/exit-recall-0.zip, which `drivemem submit --driver sb3:RecurrentPPO:...` drives. It
sees the observation alone: no action masks, no auxiliary loss, no critic that is told the truth.
"""

from __future__ import annotations

import argparse
import time
from functools import partial
from pathlib import Path

import torch
from sb3_contrib import RecurrentPPO
from stable_baselines3.common.callbacks import BaseCallback

import drivemem_envs
from drivemem.seeds import episode_seed
from drivemem.training.vec_env import WorldsVecEnv

SETTINGS = {
    "n_steps": 64, "batch_size": 512, "n_epochs": 4, "learning_rate": 1e-3, "gamma": 0.97,
    "ent_coef": 0.02,
}  # fmt: skip
NETWORK = {"lstm_hidden_size": 64, "net_arch": {"pi": [64], "vf": [64]}}
WORLDS = 64


class Outcomes(BaseCallback):
    """Prints the share of success among the last 500 episodes, every 50,000 decisions."""

    def _init_callback(self) -> None:
        self.ended: list[bool] = []
        self.told = 0

    def _on_step(self) -> bool:
        infos = self.locals["infos"]
        self.ended += [one["outcome"] == "success" for one in infos if "outcome" in one]
        if self.num_timesteps - self.told >= 50_000:
            self.told = self.num_timesteps
            last = self.ended[-500:]
            share = sum(last) / len(last)
            print(f"{self.num_timesteps:,} decisions: success {share:.3f}", flush=True)
        return True


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("scenario")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps", type=int, default=500_000)
    parser.add_argument("--out", type=Path, default=Path("models"))
    given = parser.parse_args()
    torch.set_num_threads(1)
    worlds = drivemem_envs.make_vec(
        given.scenario, WORLDS, num_workers=1, seeds=partial(episode_seed, given.seed, "train")
    )
    model = RecurrentPPO(
        "MultiInputLstmPolicy", WorldsVecEnv(worlds), policy_kwargs=NETWORK, seed=given.seed,
        device="cpu", **SETTINGS,
    )  # fmt: skip
    begun = time.process_time()
    model.learn(given.steps, callback=Outcomes())
    numbers = sum(one.numel() for one in model.policy.parameters())
    print(f"{time.process_time() - begun:.0f} s of one core, {numbers:,} parameters")
    given.out.mkdir(parents=True, exist_ok=True)
    model.save(given.out / f"{given.scenario}-{given.seed}.zip")


if __name__ == "__main__":
    main()
