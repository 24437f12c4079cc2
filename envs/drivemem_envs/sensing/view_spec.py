"""What the observation's views in the frame of the ego's lane extend over."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from drivemem_envs.checked import Checked

View = Literal["rows", "grid", "lanes"]


class GridView(Checked):
    """Extent of the observation's `grid` (C, H, W): cells in the frame of the ego's lane.

    The ego's centre is `behind_m` from the rear edge and half-way across.
    """

    behind_m: float = Field(default=40.0, ge=0.0, le=1000.0)
    """How far it reaches behind the ego, m."""
    ahead_m: float = Field(default=80.0, gt=0.0, le=1000.0)
    """How far it reaches ahead, m."""
    across_m: float = Field(default=20.0, gt=0.0, le=1000.0)
    """Its whole width, m: lanes are 4 m wide."""
    cell_m: tuple[float, float] = (5.0, 4.0)
    """Length and width of a cell, m: a car, a lane."""

    @property
    def cells(self) -> tuple[int, int]:
        """H along the lane and W across it; a cell that does not fit whole is not made."""
        length, width = self.cell_m
        along, across = self.behind_m + self.ahead_m, self.across_m
        return int(along / length + 1e-9), int(across / width + 1e-9)

    @model_validator(mode="after")
    def _has_cells(self) -> Self:
        if not all(size >= 0.1 for size in self.cell_m) or 0 in self.cells:
            raise ValueError(
                f"cell_m is {self.cell_m}; cells must be 0.1 m or more and fit into the grid of "
                f"{self.behind_m + self.ahead_m:g} x {self.across_m:g} m"
            )
        return self


class LanesView(Checked):
    """Extent of the observation's `lanes` (L, F): the nearest actors of each lane."""

    each_side: int = Field(default=2, ge=0, le=10)
    """Lanes described on each side of the ego's own: L is twice this and one."""
    range_m: float = Field(default=100.0, gt=0.0, le=10_000.0)
    """Largest gap at which an actor is described, m."""
