"""What SB3's policies offer and a policy with memory has no use for is refused, not half done."""

from __future__ import annotations

from typing import Any, NoReturn

from stable_baselines3.common.policies import BasePolicy


class SB3Policy(BasePolicy):
    """SB3's policy without its features extractors."""

    def make_features_extractor(self) -> NoReturn:
        """Refused: an encoder does what SB3's features extractors do.

        Raises:
            ValueError: always.
        """
        raise ValueError(
            "policies with memory have no features extractor: choose an encoder by name "
            "(encoder=..., encoder_kwargs=...) or register one"
        )

    def extract_features(self, obs: Any, features_extractor: Any = None) -> NoReturn:
        """Refused, as `make_features_extractor`.

        Raises:
            ValueError: always.
        """
        self.make_features_extractor()
