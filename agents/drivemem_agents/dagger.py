"""Learning from a teacher on the student's own rollouts (DAgger), and then, if wanted, by PPO.

Everything else is MemoryPPO's: rollouts with stored memory states, chunks, minibatches, optimiser.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.vec_env import VecEnv
from torch import Tensor

from drivemem_agents.env_capabilities import lesson_method
from drivemem_agents.heads import ActionHead, CategoricalHead
from drivemem_agents.imitation_settings import ImitationSettings
from drivemem_agents.losses import as_numbers, evaluated, surrogate, with_companions
from drivemem_agents.policy_outputs import StepOutput
from drivemem_agents.ppo import MemoryPPO
from drivemem_agents.ppo_settings import PPOSettings
from drivemem_agents.rollout import Minibatch
from drivemem_agents.threads import on_own_threads


class Lesson(Protocol):
    """What a teacher would do in B worlds as they are now."""

    @property
    def actions(self) -> NDArray[Any]:
        """(B, ...) as the environment takes them: what it does when it drives."""

    @property
    def probs(self) -> NDArray[Any] | None:
        """(B, n) probabilities of discrete actions; None: it knows its action alone."""


class MemoryDAgger(MemoryPPO):
    """A student that learns what a teacher would do where the student itself comes to.

    The environment offers `lesson()`, a `Lesson` for its worlds as they are (`Lesson`). While it
    imitates, the loss of each decision is the divergence of the student from the teacher (see
    `divergence`), and values are learnt beside it, so that PPO can go on from there. Who drives is
    drawn for each episode of each world, not for each decision: the teacher with a probability
    beta that falls to 0, else the student, whose actions are its most likely ones or drawn. (Drawn
    ones alone would never show it where its most likely ones lead, which is how it is evaluated:
    who would change lanes with probability 0.4 at each of several decisions does so when actions
    are drawn, and never when they are not.) Whole episodes of one driver
    stay what that driver meets, where a teacher that steps in for single decisions would show a
    student with memory pasts that neither of the two ever has, and each one's return is its own.

    As in PPO a rollout is learnt from and then forgotten, which is DAgger with an online learner
    in place of the growing set of data (Ross et al. 2011, section 3: any no-regret learner does).
    The last `finetune_steps` decisions are PPO on the student's own episodes, whose loss also has
    the divergence from the teacher, with a weight that falls to 0 (a leash).

    A teacher that sees more than the student may be one that no student can follow: where the same
    past looks alike to the student and calls for different actions, it learns their average, which
    may be worse than another plan (the imitation gap).

    Sources: Ross et al. 2011, "A reduction of imitation learning and structured prediction to
    no-regret online learning"; "To Distill or Decide?", 2025 (arXiv 2510.03207), on when teaching
    from the true state beats learning from observations; Warrington et al. 2021, "Robust
    asymmetric learning in POMDPs", on the gap.

    Args:
        args: as of `MemoryPPO`.
        imitation: how it learns from the teacher; None: the defaults.
        kwargs: as of `MemoryPPO`.
    """

    def __init__(
        self, *args: Any, imitation: ImitationSettings | None = None, **kwargs: Any
    ) -> None:
        self.imitation = imitation or ImitationSettings()
        super().__init__(*args, **kwargs)

    def _setup_model(self) -> None:
        super()._setup_model()
        self._led = np.zeros(self.n_envs, dtype=bool)
        self._greedy = np.zeros(self.n_envs, dtype=bool)
        self._imitates, self._coef, self._beta = True, 0.0, 0.0

    # ---- collect --------------------------------------------------------------------------

    @on_own_threads
    def collect_rollouts(
        self, env: VecEnv, callback: BaseCallback, rollout_buffer: Any, n_rollout_steps: int
    ) -> bool:
        """Fill the rollout, and ask the teacher about every state in it.

        Raises:
            ValueError: the environment has no teacher.
        """
        method = lesson_method(env)
        if method is None:
            raise ValueError(
                "this environment has no teacher: wrap it so that it offers lesson(), or train "
                "with MemoryPPO"
            )
        self._lesson_of: Callable[[], Lesson] = method
        self._begin_phase()
        self._seen: list[tuple[float, int, int, int]] = []
        going_on = super().collect_rollouts(env, callback, rollout_buffer, n_rollout_steps)
        self._log_lessons()
        return going_on

    def _begin_phase(self) -> None:
        """Whether this rollout is for imitation or for PPO, and how much the teacher counts."""
        total, done = self._total_timesteps, self.num_timesteps
        first = total - self.imitation.finetune_steps
        self._imitates = done < first
        self._beta = self.imitation.beta_at(done / first) if self._imitates else 0.0
        self._coef = 1.0 if self._imitates else self.imitation.leash_at(total - done)
        if not self._imitates:  # PPO learns from what the student does
            self._led[:] = False

    def _act(self, t: int) -> NDArray[Any]:
        """Step t's actions: the student's, or the teacher's in episodes that it drives."""
        own, head = self._decide(t), self.policy.action_head
        lesson = self._lesson_of()
        if self._imitates:
            self._draw_who_drives()
        self._keep(t, own, lesson)
        actions = self.policy.to_environment(own.actions)
        if not self._imitates:
            return actions
        likely = self.policy.to_environment(head.sample(own.parameters, True))
        actions[self._greedy] = likely[self._greedy]
        actions[self._led] = lesson.actions[self._led]
        taken = head.from_environment(actions)
        self._state = self._state | self.policy.previous.after_step(taken, head)
        return actions

    def _draw_who_drives(self) -> None:
        """Where an episode begins: the teacher or the student, and whether that one explores."""
        draws = torch.rand(2, len(self._led)).numpy()
        starts = np.asarray(self._last_episode_starts)
        self._led = np.where(starts, draws[0] < self._beta, self._led)
        self._greedy = np.where(starts, draws[1] < self.imitation.greedy_share, self._greedy)

    @torch.inference_mode()
    def _keep(self, t: int, own: StepOutput, lesson: Lesson) -> None:
        """Store what the teacher said of step t, and how far the student was from it."""
        head, masks = self.policy.action_head, self.rollout.columns.get("masks")
        told = target(head, lesson, None if masks is None else masks[t])
        for name, value in told.items():
            self.rollout.store(t, f"teacher.{name}", value)
        counts = told["counts"].bool() & ~self._tensor(self._led)
        apart = divergence(head, own.parameters, told)[counts]
        asked = self._tensor(head.from_environment(lesson.actions))[counts]
        same = (head.sample(own.parameters, True)[counts] == asked).all(-1)
        missed = int((told["counts"] == 0.0).sum())
        self._seen.append((float(apart.sum()), int(same.sum()), int(counts.sum()), missed))

    def _update_info_buffer(
        self, infos: list[dict[str, Any]], dones: NDArray[np.bool_] | None = None
    ) -> None:
        """Statistics of the episodes that the student drives."""
        super()._update_info_buffer(infos, None if dones is None else dones & ~self._led)

    def _log_lessons(self) -> None:
        """How far the student was from its teacher on this rollout, before it learnt from it."""
        sums = np.array(self._seen, dtype=np.float64).reshape(-1, 4).sum(axis=0)
        apart, same, own, missed = sums
        if own:
            self.logger.record("distill/divergence", apart / own)
            if isinstance(self.policy.action_head, CategoricalHead):
                self.logger.record("distill/agreement", same / own)
        self.logger.record("distill/imitates", float(self._imitates))
        self.logger.record("distill/beta", self._beta)
        self.logger.record("distill/teacher_weight", self._coef)
        self.logger.record("distill/unavailable", missed / max(self.rollout.starts.numel(), 1))

    # ---- learn ----------------------------------------------------------------------------

    def _loss(self, batch: Minibatch, settings: PPOSettings) -> tuple[Tensor, dict[str, float]]:
        """The divergence from the teacher; fine-tuning: PPO's loss and the leash."""
        new = evaluated(self.policy, batch)
        apart = divergence(self.policy.action_head, new.parameters, batch.teacher)
        counts = batch.teacher["counts"]
        imitation = (apart * counts).sum() / counts.sum().clamp(min=1.0)
        if self._imitates:
            loss, logged = imitation, dict[str, Tensor]()
        else:
            loss, logged = surrogate(new, batch, settings)
            loss = loss + self._coef * imitation
        logged["imitation_loss"] = imitation
        loss = with_companions(loss, logged, new, self.policy, batch, settings, self.consolidation)
        return loss, as_numbers(loss, logged)

    # ---- keep -----------------------------------------------------------------------------

    def carried(self) -> dict[str, Tensor]:
        """In which worlds the teacher drives the running episode, or the student greedily."""
        who = {"led": self._led, "greedy": self._greedy}
        return {name: torch.from_numpy(value.copy()) for name, value in who.items()}

    def carry_on(self, tensors: dict[str, Tensor]) -> None:
        """Take back what `carried` gave."""
        self._led, self._greedy = tensors["led"].numpy(), tensors["greedy"].numpy()


def target(head: ActionHead, lesson: Lesson, masks: Tensor | None = None) -> dict[str, Tensor]:
    """What a lesson asks of a student's action head.

    Args:
        head: of the student.
        lesson: of B worlds.
        masks: (B, n) available discrete actions.

    Returns:
        `probs` (B, n) of discrete actions, one of them 1 where the teacher names its action alone,
        or `actions` (B, A) as stored; and `counts` (B,), 0 where the teacher names an action that
        the student cannot take, as it is not available.
    """
    actions = head.from_environment(lesson.actions)
    if not isinstance(head, CategoricalHead):
        return {"actions": actions, "counts": torch.ones(len(actions), device=actions.device)}
    if lesson.probs is None:
        probs = head.describe(actions)
    else:
        probs = torch.as_tensor(lesson.probs, dtype=torch.float32, device=actions.device)
    if masks is not None:
        probs = torch.where(masks, probs, 0.0)
    inside = probs.sum(-1) / len(head.choices)
    scaled = probs / inside.clamp(min=1e-6).unsqueeze(-1)
    return {"probs": scaled, "counts": (inside > 0.5).float()}


def divergence(head: ActionHead, parameters: Tensor, told: dict[str, Tensor]) -> Tensor:
    """How far a student is from its teacher at each decision (...).

    Discrete actions: the Kullback-Leibler divergence of the student's distribution from the
    teacher's, which is the cross-entropy where the teacher names one action. Continuous ones: the
    negative log-likelihood of the teacher's (mean) action under the student's distribution.

    Args:
        head: of the student.
        parameters: (..., P) of its distribution.
        told: of `target`.
    """
    if "actions" in told:
        return -head.log_prob(parameters, told["actions"])
    probs = told["probs"]
    return (torch.xlogy(probs, probs) - probs * parameters).sum(-1)
