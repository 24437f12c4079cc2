"""Watching a driver live in a window, or driving by hand with the same sensors."""

from __future__ import annotations

import os
import sys
from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from drivemem.errors import DrivememError, one_line
from drivemem.evaluation.config import evaluate_config
from drivemem.evaluation.drivers import ActingDriver, Decision
from drivemem.evaluation.evaluate import drive
from drivemem.evaluation.external_drivers import MANUAL
from drivemem.evaluation.jobs import evaluation_name, make_jobs
from drivemem.evaluation.results import Evaluation
from drivemem_envs import Scenario
from drivemem_envs.cue_meaning import CueMeaning, plain_meaning
from drivemem_envs.drivers.constant import action_labels

_KEYS = {"up": "LANE_LEFT", "down": "LANE_RIGHT", "right": "FASTER", "left": "SLOWER"}
_SPEED_KEYS = {"up": "FASTER", "down": "SLOWER", "right": "FASTER", "left": "SLOWER"}
_LANE_KEYS = {"up": "LANE_LEFT", "down": "LANE_RIGHT", "left": "LANE_LEFT", "right": "LANE_RIGHT"}
"""Where there is nothing but speed, or nothing but lanes, to choose."""


_CUE, _BOARD = (255, 255, 255), (0, 90, 50)


def cue_words(cue: NDArray[Any] | None, meaning: CueMeaning | None = None) -> str:
    """What a cue (K,) says to a person; nothing while none is shown.

    Args:
        cue: as it is shown.
        meaning: as its world tells it; None: it tells nothing.
    """
    if cue is None or not np.any(cue):
        return ""
    told = meaning or plain_meaning(len(cue))
    words = told.words(cue.tolist()) or ", ".join(f"{number:.2g}" for number in cue)
    return f" {told.what}: {words} "


def has_display() -> bool:
    """Whether a window can be opened here."""
    if sys.platform in ("win32", "darwin"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


class Hands:
    """What a person's keys ask for.

    Args:
        scenario: whose discrete actions are chosen.

    Raises:
        DrivememError: its actions cannot be chosen by keys.
    """

    def __init__(self, scenario: Scenario) -> None:
        self.labels = action_labels(scenario)
        if not self.labels:
            raise DrivememError(
                f"{scenario.name} has continuous actions: driving by hand chooses among discrete "
                "ones"
            )
        keys = _KEYS if len(self.labels) > 3 else _SPEED_KEYS
        self._keys = _LANE_KEYS if "LANE_LEFT" in self.labels and len(self.labels) == 3 else keys
        self._asked: str | None = None

    def press(self, key: str) -> None:
        """A key was pressed since the last decision; the newest one counts."""
        self._asked = self._keys.get(key, self._asked)

    def action(self, held: Collection[str] = ()) -> int:
        """The action of this decision: what was asked for, else what a held key says.

        Args:
            held: keys that are down right now.
        """
        asked = self._asked or next((self._keys[key] for key in held if key in self._keys), "IDLE")
        self._asked = None
        return self.labels.index(asked)


class Window:
    """Draws the one world that is driven, at every simulation step.

    Args:
        world: a reference environment, unwrapped.
        layers: what to draw; see `drivemem_envs.reference.viewer.LAYERS`.
        speed: 1 is real time.
        hands: told of keys, if a person drives.
        offscreen: draw without a window, as fast as possible.
    """

    def __init__(
        self, world: Any, layers: Collection[Any], speed: float, hands: Hands | None,
        offscreen: bool = False,
    ) -> None:  # fmt: skip
        from drivemem_envs.reference.viewer import SensorViewer

        self._world, self._hands, self._offscreen = world, hands, offscreen
        self._rate = world.config["simulation_frequency"] * speed
        self.frames_per_sec = 0.0
        self.pictures = 0
        self.cue: NDArray[Any] | None = None
        """What the driver is shown that is no actor, such as a sign (K,)."""
        with one_line(ValueError, RuntimeError):
            world.viewer = SensorViewer(world, layers, offscreen=offscreen)
        world.set_record_video_wrapper(self)  # highway-env then calls `_capture_frame`

    def held(self) -> list[str]:
        """Names of the keys that are down."""
        if self._offscreen:
            return []
        import pygame

        pressed = pygame.key.get_pressed()
        return [key for key in _KEYS if pressed[pygame.key.key_code(key)]]

    def show(self) -> None:
        """Draw the world as it is now.

        Raises:
            KeyboardInterrupt: the window was closed, or Escape pressed.
        """
        self._world.enable_auto_render = True  # highway-env: pictures between decisions, please
        self._capture_frame()

    def _capture_frame(self) -> None:
        viewer = self._world.viewer
        viewer.display()
        self.pictures += 1
        import pygame

        words = cue_words(self.cue, self._world.cue_meaning())
        if words:
            surface = viewer.sim_surface
            surface.blit(pygame.font.Font(None, 32).render(words, True, _CUE, _BOARD), (12, 12))
            if not self._offscreen:
                viewer.screen.blit(surface, (0, 0))
                pygame.display.flip()
        if self._offscreen:
            return
        viewer.clock.tick(self._rate)
        for event in pygame.event.get():
            if event.type == pygame.QUIT:
                raise KeyboardInterrupt
            if event.type == pygame.KEYDOWN:
                if event.key == pygame.K_ESCAPE:
                    raise KeyboardInterrupt
                if self._hands is not None:
                    self._hands.press(pygame.key.name(event.key))


class Watched:
    """A driver with a window: draws before each decision; by hand, decides by keys.

    Args:
        window: where the world is drawn.
        driver: who drives; None: the hands.
        hands: a person's keys.
    """

    def __init__(self, window: Window, driver: ActingDriver | None, hands: Hands | None) -> None:
        self._window, self._driver, self._hands = window, driver, hands

    def begin(self, env: Any) -> None:
        """Before the first step."""
        if self._driver is not None:
            self._driver.begin(env)

    def decide(
        self, observation: Any, starts: NDArray[np.bool_], masks: NDArray[np.bool_] | None
    ) -> Decision:
        """Draw, and act."""
        cue = observation.get("cue") if isinstance(observation, dict) else None
        self._window.cue = None if cue is None else np.asarray(cue)[0]
        self._window.show()
        if self._driver is not None:
            return self._driver.decide(observation, starts, masks)
        if self._hands is None:
            raise DrivememError("nobody drives: give a driver, or hands")
        return Decision(np.array([self._hands.action(self._window.held())]))


def watch(
    run: str | Path | None = None,
    *,
    driver: str | None = None,
    scenario: str | None = None,
    episodes: int = 5,
    layers: Collection[str] | None = None,
    speed: float = 1.0,
    out: str | Path | None = None,
    trust: bool = False,
    offscreen: bool = False,
) -> Evaluation:
    """Drive episodes in a window; closing it keeps those driven.

    Looking changes no results: what a run or a driver does is recorded in a folder of its own.
    What a person drives is an evaluation as any other.

    Args:
        run: folder of a trained run.
        driver: in place of a run, with `scenario`: a driver as in `evaluate`, or `manual` (the
            arrow keys: only what the sensors show is drawn, and the result is a driver's folder
            like any other).
        scenario: for a driver.
        episodes: how many of the test suite.
        layers: truth, sees, remembers, shown; default all, by hand `sees` alone.
        speed: 1 is real time.
        out: where a driver's results go.
        trust: load files that run code.
        offscreen: draw without a window.

    Raises:
        DrivememError: no display, unknown names, nothing driven before the window was closed, or
            a folder that holds what was driven by hand before.
    """
    from drivemem_envs.reference.viewer import LAYERS

    if not (offscreen or has_display()):
        raise DrivememError(
            "there is no display for a window (DISPLAY is not set): `drivemem evaluate --record N` "
            "and `drivemem replay` make a page of the same episodes"
        )
    if not speed > 0:
        raise DrivememError(f"speed is {speed}; it must be above 0 (1 is real time)")
    by_hand = driver == MANUAL
    config = evaluate_config(
        driver=driver, scenario=scenario, episodes=episodes, out=out, trust=trust, record="all",
        backend="reference", num_envs=1, num_workers=1,
    )  # fmt: skip
    (job,) = make_jobs(run, config)
    if by_hand and (job.home.folder / "evaluations" / evaluation_name(job)).exists():
        raise DrivememError(
            f"{job.home.folder} holds what was driven by hand before: choose another --out"
        )
    hands = Hands(job.suite.scenario) if by_hand else None
    chosen = layers if layers is not None else ("sees",) if by_hand else LAYERS

    def watched(env: Any, acting: ActingDriver) -> ActingDriver:
        window = Window(env.environments()[0], chosen, speed, hands, offscreen)
        return Watched(window, None if by_hand else acting, hands)

    return drive(job, config, quiet=True, watched=watched, only_watch=not by_hand)


def record_to_watch(run: str | Path | None = None, **settings: Any) -> Evaluation:
    """Record the first episodes of a suite, to be looked at where there is no window.

    Args:
        run: folder of a trained run; None: the `driver` of the settings.
        **settings: as `evaluate` takes them.

    Raises:
        DrivememError: see `evaluate`.
    """
    config = evaluate_config(**settings, record="all")
    (job,) = make_jobs(run, config)
    return drive(job, config, quiet=False, only_watch=True)
