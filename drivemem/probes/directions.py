"""A fitted probe as directions of the memory state: what to change for it to read something else.

Changes are measured in standardised units, in which every number of the state varies by 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Directions:
    """The affine map o = W z + b that a probe is, of standardised inputs z = (x - mean) / scale."""

    mean: Floats
    """(D,)."""
    scale: Floats
    """(D,)."""
    weights: Floats
    """W (m, D): one row for a quantity or for two kinds, else one for each kind."""
    bias: Floats
    """b (m,)."""
    varies: NDArray[np.bool_]
    """(D,) whether an input was ever seen to vary."""

    @classmethod
    def of_probe(cls, probe: Any) -> Directions:
        """Those of a pipeline of `drivemem.probes.linear`: a scaler first, a linear model last."""
        scaler, model = probe[0], probe[-1]
        weights, bias = np.atleast_2d(model.coef_), np.atleast_1d(model.intercept_)
        return cls(scaler.mean_, scaler.scale_, weights, bias, scaler.var_ > 0.0)

    def outputs(self, inputs: NDArray[Any]) -> Floats:
        """What the probe computes (N, m) of inputs (N, D): a quantity, or evidence for kinds."""
        standard = (inputs.astype(np.float64) - self.mean) / self.scale
        return np.asarray(standard @ self.weights.T + self.bias)

    def least_change(self, inputs: NDArray[Any], wanted: Floats) -> Floats:
        """The smallest changes (N, D), standardised, after which the outputs are `wanted` (N, m).

        Outputs that the weights cannot give are met as nearly as they can (least squares).
        """
        return (wanted - self.outputs(inputs)) @ np.linalg.pinv(self.weights).T

    def elsewhere(self, change: Floats, generator: np.random.Generator) -> Floats:
        """Random changes (N, D) of the same norms that leave every output as it is.

        Raises:
            ValueError: no direction is left that the outputs do not depend on.
        """
        drawn = generator.standard_normal(change.shape) * self.varies
        read = self.weights * self.varies
        drawn -= drawn @ np.linalg.pinv(read) @ read
        norms = np.linalg.norm(drawn, axis=1, keepdims=True)
        if not (norms > 1e-9 * np.sqrt(change.shape[1])).all():
            raise ValueError(
                f"{int(self.varies.sum())} numbers that vary leave no direction beside the "
                f"probe's {len(self.weights)}"
            )
        return np.asarray(drawn / norms * np.linalg.norm(change, axis=1, keepdims=True))

    def in_inputs(self, change: Floats) -> Floats:
        """Standardised changes (N, D) in the inputs' own units."""
        return np.asarray(change * self.scale)
