"""highway-env's viewer with the sensors drawn: shadows, hidden actors, what was last seen.

Everything it knows is its own instance's; highway-env's viewer shares a callback by class.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Any, Literal, get_args

import numpy as np
import pygame
from highway_env.envs.common.graphics import EnvViewer
from highway_env.road.graphics import LaneGraphics, RoadObjectGraphics
from highway_env.vehicle.graphics import VehicleGraphics

from drivemem_envs.reference.geometry import LaneShape, lane_shapes
from drivemem_envs.reference.shadows import corners, shadow
from drivemem_envs.reference.view_shapes import ViewShapes, view_shapes
from drivemem_envs.sensing import layout
from drivemem_envs.sensing.sectors import Sector

Layer = Literal["truth", "sees", "remembers", "shown"]
LAYERS: tuple[Layer, ...] = get_args(Layer)
"""truth: outlines of actors that are not perceived. sees: shadows, sectors and range, blackouts
(without it every actor is drawn as if perceived). remembers: where the driver's tracker shows
hidden actors; without a tracker, where they were last seen. shown: the driver's views `grid` and
`lanes`."""

_REACH_M = 400.0
_SHADOW = (16, 20, 34, 118)
_DARKNESS = (8, 10, 18, 205)
_BUILDING, _BUILDING_EDGE = (52, 58, 74), (24, 27, 36)
_HIDDEN = (255, 138, 101)
_GHOST = (190, 160, 255)
_TRAIL = (120, 230, 120)
_SHOWN = (251, 191, 36)
_GROUND, _ROAD = (72, 79, 76), (100, 100, 100)
_FORGET_S = 10.0


class SensorViewer(EnvViewer):  # type: ignore[misc]
    """Draws a reference environment with what its sensors perceive.

    Args:
        env: a `ReferenceEnvironment`, unwrapped.
        layers: which of `LAYERS` to draw.
        size: width and height of the picture, pixels; None: the scenario's.
        scaling: pixels per metre; None: the scenario's.
        offscreen: draw without a window.

    Raises:
        ValueError: an unknown layer.
        RuntimeError: SDL_VIDEODRIVER=dummy, with which highway-env draws nothing but black.
    """

    def __init__(
        self,
        env: Any,
        layers: Collection[Layer] = LAYERS,
        *,
        size: tuple[int, int] | None = None,
        scaling: float | None = None,
        offscreen: bool = True,
    ) -> None:
        for layer in layers:
            if layer not in LAYERS:
                raise ValueError(f"unknown layer '{layer}' (one of: {', '.join(LAYERS)})")
        if os.environ.get("SDL_VIDEODRIVER") == "dummy":
            raise RuntimeError(
                "SDL_VIDEODRIVER=dummy makes highway-env draw black frames: unset it (drawing "
                "needs no display)"
            )
        config = {**env.config, "offscreen_rendering": offscreen}
        if size is not None:
            config["screen_width"], config["screen_height"] = size
        if scaling is not None:
            config["scaling"] = scaling
        with _without_window(offscreen):
            super().__init__(env, config)
        self.layers = frozenset(layers)
        self._network: Any = None
        self._lanes: list[LaneShape] = []
        self.begin()

    def begin(self) -> None:
        """Forget what was seen: an episode begins."""
        self._percepts: Any = None
        self._shown: ViewShapes | None = None
        self._perceived: dict[int, bool] = {}
        self._last_seen: dict[int, tuple[Any, float]] = {}
        self._trail: list[Any] = []
        self._time_s = 0.0

    def close(self) -> None:
        """Leave pygame running: other viewers of the process may need it."""

    def display(self) -> None:
        """Draw the world as it is now, with the percepts of the last decision."""
        self._notice()
        env, surface = self.env, self.sim_surface
        surface.move_display_window_to(self.window_position())
        self._draw_road(surface)
        self._draw_trail(surface)
        for thing in env.road.objects:
            RoadObjectGraphics.display(thing, surface, offscreen=self.offscreen)
        if "sees" in self.layers:
            surface.blit(self._darkness(), (0, 0))
        for occluder in env.occluders():
            self._polygon(surface, corners(occluder), _BUILDING, _BUILDING_EDGE)
        if "shown" in self.layers and self._shown is not None:
            self._draw_shown(surface, self._shown)
        self._draw_traffic(surface)
        if "remembers" in self.layers:
            self._draw_ghosts(surface)
        if not self.offscreen:
            self.screen.blit(surface, (0, 0))
            if env.config["real_time_rendering"]:
                self.clock.tick(env.config["simulation_frequency"])
            pygame.display.flip()

    # ---- what is known of the episode -----------------------------------------------------

    def _notice(self) -> None:
        """Take in percepts that are new since the last picture."""
        env = self.env
        is_new = env.perception.percepts is not self._percepts
        if is_new and env.decisions == 0:  # the environment was reset
            self.begin()
        self._trail.append(np.array(env.vehicle.position))
        if not is_new:
            return
        self._percepts = env.perception.percepts
        self._time_s = env.decisions * env.decision_s
        self._shown = view_shapes(env)
        truth = env.truth()
        self._perceived = {
            int(actor): bool(seen)
            for actor, seen in zip(truth["id"], truth["perceived"], strict=True)
        }
        poses = np.stack([truth[key] for key in ("x", "y", "heading", "length", "width")], axis=1)
        for row, actor in enumerate(truth["id"]):
            if truth["perceived"][row]:
                self._last_seen[int(actor)] = (poses[row], self._time_s)
        for actor in set(self._last_seen) - set(self._perceived):  # it has left the world
            del self._last_seen[actor]

    def _is_perceived(self, thing: Any, is_object: bool = False) -> bool:
        if "sees" not in self.layers:
            return True
        actor = self.env.perception.identify(thing, self.env.vehicle, is_object)
        return self._perceived.get(actor, False)

    # ---- drawing --------------------------------------------------------------------------

    def _darkness(self) -> Any:
        """What the ego cannot see, as a translucent layer; overlaps are no darker."""
        env, surface = self.env, self.sim_surface
        layer = pygame.Surface(surface.get_size(), pygame.SRCALPHA)
        if env.perception.is_dark:
            layer.fill(_DARKNESS)
            return layer
        sensors = env.scenario.sensors
        eye = np.array(env.vehicle.position)
        if sensors.reach:
            layer.fill(_SHADOW)
        for sector in sensors.reach:
            cone = _outline_of(sector, eye, env.vehicle.heading)
            pygame.draw.polygon(layer, (0, 0, 0, 0), [surface.vec2pix(point) for point in cone])
        blockers = list(env.occluders()) if "occluders" in sensors.line_of_sight else []
        if "actors" in sensors.line_of_sight:
            blockers += [
                np.array([*other.position, other.heading, other.LENGTH, other.WIDTH])
                for other in (*env.road.vehicles, *env.road.objects)
                if other is not env.vehicle and getattr(other, "solid", True)
            ]
        for blocker in blockers:
            shape = shadow(eye, blocker, _REACH_M)
            if shape is not None:
                pygame.draw.polygon(layer, _SHADOW, [surface.vec2pix(point) for point in shape])
        return layer

    def _draw_road(self, surface: Any) -> None:
        """highway-env's lines on lanes that differ from the ground, which highway-env's do not."""
        network = self.env.road.network
        if network is not self._network:
            self._network, self._lanes = network, lane_shapes(network)
        surface.fill(_GROUND)
        for lane in self._lanes:
            edge = np.concatenate([lane.left, lane.right[::-1]])
            pygame.draw.polygon(surface, _ROAD, [surface.vec2pix(point) for point in edge])
        for targets in network.graph.values():
            for lanes in targets.values():
                for lane in lanes:
                    LaneGraphics.display(lane, surface)

    def _draw_traffic(self, surface: Any) -> None:
        for vehicle in self.env.road.vehicles:
            if vehicle is self.env.vehicle or self._is_perceived(vehicle):
                VehicleGraphics.display(vehicle, surface, offscreen=self.offscreen)
            elif "truth" in self.layers:
                box = [*vehicle.position, vehicle.heading, vehicle.LENGTH, vehicle.WIDTH]
                self._outline(surface, np.array(box), _HIDDEN)

    def _draw_shown(self, surface: Any, shapes: ViewShapes) -> None:
        """The views that the driver decides by, where the ego was at the decision."""
        layer = pygame.Surface(surface.get_size(), pygame.SRCALPHA)
        filled = [*shapes.cells, *((shape, 0.4) for shape in shapes.taken)]
        for points, cover in filled:
            colour = (*_SHOWN, int(40 + 110 * cover))
            pygame.draw.polygon(layer, colour, [surface.vec2pix(point) for point in points])
        for points in (*shapes.edge, *shapes.gaps):
            pixels = [surface.vec2pix(point) for point in points]
            pygame.draw.lines(layer, (*_SHOWN, 200), len(points) > 2, pixels, 2)
        surface.blit(layer, (0, 0))

    def _draw_ghosts(self, surface: Any) -> None:
        if self.env.scenario.observation.tracker != "none":
            self._draw_tracked(surface)
            return
        for actor, (box, seen_s) in self._last_seen.items():
            if self._perceived.get(actor, False) or actor == 0:
                continue
            age = self._time_s - seen_s
            if age <= _FORGET_S:
                self._ghost(surface, box, age)

    def _draw_tracked(self, surface: Any) -> None:
        """What the driver's tracker shows of actors that are not perceived now."""
        seen = self._percepts
        rows = zip(seen.ids, seen.rows, seen.age_s, seen.sd_position, strict=True)
        for actor, row, age, deviation in rows:
            if self._perceived.get(int(actor), False):
                continue
            vx, vy = np.nan_to_num(row[[layout.VX, layout.VY]])
            heading = row[layout.HEADING]
            heading = np.arctan2(vy, vx) if np.isnan(heading) else heading
            box = [row[layout.X], row[layout.Y], heading, row[layout.LENGTH], row[layout.WIDTH]]
            self._ghost(surface, np.array(box), age, deviation)

    def _ghost(self, surface: Any, box: Any, age_s: float, deviation_m: float = 0.0) -> None:
        opacity = int(170 * max(0.25, 1.0 - age_s / _FORGET_S))
        layer = pygame.Surface(surface.get_size(), pygame.SRCALPHA)
        points = [surface.vec2pix(point) for point in corners(box)]
        pygame.draw.polygon(layer, (*_GHOST, opacity // 2), points)
        pygame.draw.polygon(layer, (*_GHOST, min(255, opacity + 60)), points, 2)
        surface.blit(layer, (0, 0))
        error = f" ± {deviation_m:.1f} m" if deviation_m > 0.0 else ""
        self.write(surface, f"seen {age_s:.1f} s ago{error}", box, _GHOST)

    def write(self, surface: Any, text: str, box: Any, colour: tuple[int, int, int]) -> None:
        """Words above a box (5,), or beside it if it stands upright."""
        label = pygame.font.Font(None, 20).render(text, True, colour)
        (x, y), upright = surface.vec2pix(box[:2]), abs(np.sin(box[2])) > 0.7
        width, height = label.get_size()
        aside = surface.pix(box[4] / 2.0) + 6
        if upright and x + aside + width > surface.get_width():
            at = (x - aside - width, y - height // 2)
        elif upright:
            at = (x + aside, y - height // 2)
        else:
            at = (x - width // 2, y - surface.pix(box[4] / 2.0) - height - 3)
        surface.blit(label, at)

    def _draw_trail(self, surface: Any) -> None:
        points = [surface.vec2pix(point) for point in self._trail]
        if len(points) > 1:
            pygame.draw.lines(surface, _TRAIL, False, points, 2)

    def _outline(self, surface: Any, box: Any, colour: tuple[int, int, int]) -> None:
        """A dashed rectangle."""
        points = corners(box)
        for start, end in zip(points, np.roll(points, -1, axis=0), strict=True):
            dashes = max(2, int(np.hypot(*(end - start)) / 0.6))
            for dash in range(0, dashes, 2):
                first = start + (end - start) * dash / dashes
                last = start + (end - start) * min(1.0, (dash + 1) / dashes)
                pygame.draw.line(surface, colour, surface.vec2pix(first), surface.vec2pix(last), 2)

    def _polygon(self, surface: Any, points: Any, fill: Any, edge: Any) -> None:
        pixels = [surface.vec2pix(point) for point in points]
        pygame.draw.polygon(surface, fill, pixels)
        pygame.draw.polygon(surface, edge, pixels, 2)


@contextmanager
def _without_window(offscreen: bool) -> Iterator[None]:
    """Let SDL look for no display where none is needed: it complains on machines without one."""
    if not offscreen or "SDL_VIDEODRIVER" in os.environ or pygame.display.get_init():
        if not offscreen and pygame.display.get_init() and _has_no_window():
            pygame.display.quit()  # a window is wanted now: let SDL look for a display again
        yield
        return
    os.environ["SDL_VIDEODRIVER"] = "offscreen"
    try:
        pygame.display.init()
    except pygame.error:
        pass  # an SDL without that driver: highway-env will start its usual one
    finally:
        del os.environ["SDL_VIDEODRIVER"]
    yield


def _has_no_window() -> bool:
    return bool(pygame.display.get_driver() == "offscreen")


def _outline_of(sector: Sector, eye: Any, heading: float) -> Any:
    half = np.radians(sector.width_deg) / 2.0
    angles = heading + np.radians(sector.centre_deg) + np.linspace(-half, half, 72)
    radius = sector.range_m or _REACH_M
    arc = eye + radius * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    return arc if sector.width_deg >= 360.0 else np.concatenate([[eye], arc])
