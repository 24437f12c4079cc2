"""The viewer of videos: a camera that stands still, what memory holds, who will be hit."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
import pygame
from numpy.typing import NDArray

from drivemem.replays.focus import Box, contact, name_of
from drivemem.replays.load import Trace
from drivemem.replays.probed import DECODED
from drivemem_envs.reference.viewer import SensorViewer

_CONTACT, _MEMORY, _SEEN, _UNSEEN = (255, 90, 90), (255, 255, 255), (140, 205, 255), (255, 138, 101)
_INSET = 16


class ReplayViewer(SensorViewer):
    """Draws one driver's episode again, with what only its recording knows.

    Args:
        env: a reference environment, unwrapped.
        layers: which of truth, sees, remembers, shown to draw.
        trace: what was recorded.
        actors: which of them the episode is about.
        size: of the picture, pixels.
        scaling: pixels per metre.
        still: what a camera that stands still shows; None: it goes along with the ego.
    """

    def __init__(
        self, env: Any, layers: Collection[Any], trace: Trace, actors: Sequence[int],
        size: tuple[int, int], scaling: float, still: Box | None,
    ) -> None:  # fmt: skip
        super().__init__(env, layers, size=size, scaling=scaling)
        self._trace, self._actors, self._still = trace, actors, still
        self._contact = contact(trace) if trace.row.outcome == "collision" else None
        self.sim_surface.centering_position = [0.3, 0.5] if still is None else [0.5, 0.5]

    def window_position(self) -> NDArray[np.float64]:
        """What the camera looks at, m."""
        if self._still is None:
            return np.asarray(super().window_position(), dtype=np.float64)
        box = self._still
        return np.array([(box.left + box.right) / 2.0, (box.top + box.bottom) / 2.0])

    def _draw_ghosts(self, surface: Any) -> None:
        super()._draw_ghosts(surface)
        self._draw_decoded(surface)

    def _draw_traffic(self, surface: Any) -> None:
        super()._draw_traffic(surface)
        boxes = self._boxes()
        for actor in self._actors:
            if actor not in boxes:
                continue
            box, seen = boxes[actor]
            if not (seen or "truth" in self.layers):
                continue
            name = name_of(self._trace, actor)
            x, y = surface.vec2pix(box[:2])
            if 0 <= x < surface.get_width() and 0 <= y < surface.get_height():
                if actor == self._contact:
                    pygame.draw.circle(surface, _CONTACT, (x, y), surface.pix(0.72 * box[3]), 2)
                    ring = np.array([*box[:3], 1.44 * box[3], 1.44 * box[3]])
                    self.write(surface, name, ring, _CONTACT)
            else:
                self._arrow(surface, name, box, seen)

    def _boxes(self) -> dict[int, tuple[NDArray[np.float64], bool]]:
        """Where each vehicle is now, and whether it is perceived."""
        env = self.env
        found: dict[int, tuple[NDArray[np.float64], bool]] = {}
        for thing in env.road.vehicles:
            actor = env.perception.identify(thing, env.vehicle, False)
            box = np.array([*thing.position, thing.heading, thing.LENGTH, thing.WIDTH])
            found[actor] = (box, self._is_perceived(thing))
        return found

    def _arrow(self, surface: Any, name: str, box: NDArray[np.float64], seen: bool) -> None:
        """Towards an actor beyond the picture's edge."""
        x, y = surface.vec2pix(box[:2])
        low, high = (_INSET, _INSET), (surface.get_width() - _INSET, surface.get_height() - _INSET)
        at = np.clip([x, y], low, high).astype(float)
        angle = np.arctan2(y - at[1], x - at[0])
        turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
        colour = _SEEN if seen else _UNSEEN
        pygame.draw.polygon(surface, colour, at + np.array([[10, 0], [-6, -7], [-6, 7]]) @ turn)
        away = np.hypot(*(box[:2] - self.env.vehicle.position))
        words = f"{name}, {away:.0f} m" if seen else f"{name}, out of sight, {away:.0f} m"
        label = pygame.font.Font(None, 20).render(words, True, colour)
        left = at[0] - 14 - label.get_width() if at[0] > surface.get_width() / 2 else at[0] + 14
        surface.blit(label, (left, at[1] - label.get_height() / 2))

    def _draw_decoded(self, surface: Any) -> None:
        """Where a probe of the memory places hidden actors, and how far off that is."""
        actors = self._trace.actors
        if DECODED[0] not in actors:
            return
        now = (actors["step"] == self.env.decisions) & np.isfinite(actors[DECODED[0]])
        for row in np.flatnonzero(now & ~actors["perceived"].astype(bool)):
            place = np.array([actors[name][row] for name in DECODED])
            there = np.array([actors["x"][row], actors["y"][row]])
            pygame.draw.circle(surface, _MEMORY, surface.vec2pix(place), 6, 2)
            words = f"memory: {np.hypot(*(place - there)):.1f} m off"
            self.write(surface, words, np.array([*place, actors["heading"][row], 3, 4]), _MEMORY)
