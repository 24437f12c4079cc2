"""`drivemem.watch`: a driver in a window, or a page where there is no display."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from drivemem.errors import DrivememError
from drivemem.evaluation import watching
from drivemem.evaluation.external_drivers import MANUAL
from drivemem.evaluation.results import Evaluation
from drivemem.replays import replay


@dataclass(frozen=True)
class Watched:
    """What was driven, and where to look at it again."""

    evaluation: Evaluation
    page: Path | None = None
    """Written where there was no window."""


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
) -> Watched:
    """Watch a driver in a window, or drive by hand; without a display, write a page.

    Args:
        run: folder of a trained run.
        driver: in place of a run, with `scenario`: a driver as in `evaluate`, or `manual` (arrow
            keys; Escape ends).
        scenario: for a driver.
        episodes: how many of the test suite.
        layers: truth, sees, remembers, shown; default all of them, by hand only what the ego
            sees.
        speed: 1 is real time.
        out: where a driver's results go; default `runs/<scenario>-<driver>`.
        trust: load `sb3:` files, which run code that is stored in them.

    Raises:
        DrivememError: neither a run nor a driver, or both; unknown names; a person is to drive
            and there is no display; nothing was driven.
    """
    if (run is None) == (driver is None):
        raise DrivememError("give a run, or a driver and its scenario")
    if watching.has_display() or driver == MANUAL:
        return Watched(
            watching.watch(
                run, driver=driver, scenario=scenario, episodes=episodes, layers=layers,
                speed=speed, out=out, trust=trust,
            )
        )  # fmt: skip
    done = watching.record_to_watch(
        run, driver=driver, scenario=scenario, episodes=episodes, out=out, trust=trust
    )
    if done.recording is None:
        raise DrivememError(f"{done.folder} got no recording: there is nothing to show")
    return Watched(done, replay(done.recording).page or done.recording / "replay.html")
