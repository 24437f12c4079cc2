"""The settings of learning from a teacher: each one's name, range, default and explanation."""

from __future__ import annotations

from pydantic import ConfigDict, Field

from drivemem_agents.settings import Settings


class ImitationSettings(Settings):
    """How a student learns from a teacher; see `dagger.MemoryDAgger`."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    beta: float = Field(default=1.0, ge=0, le=1)
    """Probability, at the start, that the teacher drives an episode of training in the student's
    place; it falls linearly to 0."""
    beta_share: float = Field(default=0.2, ge=0, le=1)
    """Share of the imitation after which the student alone drives."""
    greedy_share: float = Field(default=0.5, ge=0, le=1)
    """Share of the student's own episodes in which it takes its most likely actions, as when it is
    evaluated; in the others they are drawn."""
    finetune_steps: int = Field(default=0, ge=0)
    """How many of `steps`, the last ones, are PPO that starts from what was learnt; 0: none."""
    leash_coef: float = Field(default=1.0, ge=0)
    """Weight of the divergence from the teacher when fine-tuning begins; it falls linearly to 0."""

    def beta_at(self, progress: float) -> float:
        """Probability that the teacher drives an episode that begins now.

        Args:
            progress: share of the imitation that is done.
        """
        if progress >= self.beta_share:
            return 0.0
        return self.beta * (1.0 - progress / self.beta_share)

    def leash_at(self, left: int) -> float:
        """Weight of the divergence from the teacher while fine-tuning.

        Args:
            left: decisions still to go.
        """
        return self.leash_coef * min(left / max(self.finetune_steps, 1), 1.0)
