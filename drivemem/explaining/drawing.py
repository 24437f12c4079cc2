"""A finite-state machine as a picture: when its states are in, what they do, where they lead."""

from __future__ import annotations

from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch
from numpy.typing import NDArray

from drivemem_agents.files import atomic_file

# Okabe and Ito's palette, told apart by colour-blind readers.
_COLORS = ("#56B4E9", "#E69F00", "#009E73", "#CC79A7", "#F0E442", "#D55E00", "#0072B2")
_LEAST_SHARE = 0.02
"""Steps that are rarer than this among those out of a state are not drawn."""
_APART = 1.3
"""Least distance of two states of a row, in inches."""
_LEGEND = (
    "left to right: mean time in the episode; size: share of time; colour: action taken most; "
    "arrows: share of the ways out of a state (all, where no number stands)"
)


def draw_machine(
    paths: list[Path],
    *,
    title: str,
    labels: list[str],
    actions: NDArray[np.float64],
    moves: NDArray[np.float64],
    when: NDArray[np.float64],
    branch: list[str],
    numbers: list[int],
) -> None:
    """Draw a machine into files, whose endings say as what.

    From left to right is time in the episode, colour is the action that is taken most, the size of
    a state is the share of time in it.

    Args:
        paths: .png, .svg.
        title: of the picture.
        labels: (n,) of actions.
        actions: (S, n) how often each action was taken in each state.
        moves: (S, S) how often one state followed another.
        when: (S,) mean time in the episode, s.
        branch: (S,) what the states know of what is hidden, such as `cue 2`; empty for nothing.
        numbers: (S,) what the states are called.
    """
    share = actions.sum(axis=1) / actions.sum()
    place = _places(when, branch)
    span = place.max(axis=0) - place.min(axis=0)
    with matplotlib.rc_context({"svg.fonttype": "none", "font.size": 9}):
        figure = Figure(figsize=(max(span[0] + 2.0, 9.5), max(span[1] + 2.4, 3.6)), dpi=120)
        axes = figure.add_axes((0.0, 0.05, 1.0, 0.87))
        axes.set_axis_off()
        axes.set_aspect("equal")
        axes.set_xlim(place[:, 0].min() - 1.0, place[:, 0].max() + 1.0)
        axes.set_ylim(place[:, 1].min() - 0.9, place[:, 1].max() + 0.9)
        radius = 0.32 + 0.24 * np.sqrt(share / share.max())
        for one, other in zip(*np.nonzero(moves), strict=True):
            if one != other:
                _arrow(axes, place, radius, moves, int(one), int(other))
        for state, (x, y) in enumerate(place):
            most = int(actions[state].argmax())
            axes.scatter(
                x, y, s=(radius[state] * 2 * 72 * 0.9) ** 2, color=_COLORS[most % len(_COLORS)],
                edgecolors="black", linewidths=0.8, zorder=2,
            )  # fmt: skip
            purity = actions[state, most] / max(actions[state].sum(), 1.0)
            doing = labels[most] if purity > 0.995 else f"{labels[most]} {purity:.0%}"
            text = f"{numbers[state]}: {doing}\n{share[state]:.0%} of time"
            if branch[state]:
                text += f"\n{branch[state]}"
            axes.text(x, y, text, ha="center", va="center", zorder=3, fontsize=7.5)
        figure.suptitle(title, y=0.97)
        figure.text(0.5, 0.02, _LEGEND, ha="center", fontsize=8, color="#333333")
        for path in paths:
            with atomic_file(path) as temporary:
                figure.savefig(temporary, format=path.suffix[1:])


def _places(when: NDArray[np.float64], branch: list[str]) -> NDArray[np.float64]:
    """Where to draw the states (S, 2), inches: by time, and each branch in a row of its own."""
    width = max(len(when) * 0.8, 6.0)
    span = float(when.max() - when.min()) or 1.0
    rows = sorted(set(branch))
    place = np.zeros((len(when), 2))
    last = dict.fromkeys(rows, -np.inf)
    for state in np.argsort(when, kind="stable"):
        row = branch[state]
        x = max((when[state] - when.min()) / span * width, last[row] + _APART)
        last[row] = x
        place[state] = x, -1.7 * rows.index(row)
    return place


def _arrow(
    axes: object, place: NDArray[np.float64], radius: NDArray[np.float64],
    moves: NDArray[np.float64], one: int, other: int,
) -> None:  # fmt: skip
    """A bent arrow from one state to another, the wider the more often it is taken."""
    share = moves[one, other] / moves[one].sum()
    leaving = moves[one, other] / max(moves[one].sum() - moves[one, one], 1.0)
    if leaving < _LEAST_SHARE or share <= 0.0:
        return
    patch = FancyArrowPatch(
        tuple(place[one]), tuple(place[other]), connectionstyle="arc3,rad=0.18",
        arrowstyle="-|>", mutation_scale=9, linewidth=0.5 + 2.0 * leaving, color="#555555",
        shrinkA=radius[one] * 72 * 0.95, shrinkB=radius[other] * 72 * 0.95, zorder=1,
        alpha=0.35 + 0.6 * leaving,
    )  # fmt: skip
    axes.add_patch(patch)  # type: ignore[attr-defined]
    if leaving < 0.98:
        middle = (place[one] + place[other]) / 2.0
        across = np.array([1.0, -1.0]) * (place[other] - place[one])[::-1]
        spot = middle + 0.09 * across
        axes.text(*spot, f"{leaving:.0%}", fontsize=7, color="#333333", ha="center", va="center")  # type: ignore[attr-defined]
