"""Drivers from anywhere: by name, a user's factory, a model of SB3, an ONNX file."""

from __future__ import annotations

import importlib
import re
import sys
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from drivemem.errors import DrivememError, did_you_mean, first_line, one_line
from drivemem.evaluation.onnx_driver import OnnxDriver
from drivemem_envs import Scenario, make
from drivemem_envs.drivers import Driver, driver_names, make_driver
from drivemem_envs.sensing.spec import Tracker

MANUAL = "manual"
"""The driver that is a person at the keys."""


@dataclass(frozen=True)
class ResolvedDriver:
    """A driver and the scenario as it wants to observe it."""

    name: str
    driver: Any
    scenario: Scenario
    tracker: Tracker


def resolve_driver(name: str, scenario: Scenario, trust: bool = False) -> ResolvedDriver:
    """A driver by name.

    Args:
        name: one of `driver_names()`; `module:factory`, called with (scenario, action space) and
            returning an object with SB3's `predict` (and `tracker`, if it wants one);
            `module:factory:ARGUMENT`, whose text is given to the factory as a third;
            `sb3:ALGORITHM:FILE`, a model of Stable-Baselines3 or sb3-contrib; or `onnx:FILE`.
        scenario: what it will drive.
        trust: allow files that run code when they are loaded.

    Raises:
        DrivememError: unknown names, a factory that fails, a model that does not fit the scenario.
    """
    kind, _, rest = name.partition(":")
    if kind == "sb3":
        return _sb3(rest, scenario, trust)
    if kind == "onnx":
        return _onnx(Path(rest), scenario)
    known = [one.partition(":")[0] for one in driver_names()]
    if re.fullmatch(r"[\w.]+:\w+(:.+)?", name) and kind not in known:
        return _from_factory(name, scenario)
    if name == MANUAL:
        return ResolvedDriver(name, None, scenario, scenario.observation.tracker)
    with one_line(ValueError):
        scenario = _with_rows(scenario)
        driver = make_driver(name, scenario, spaces_of(scenario)[1])
    return _resolved(name, driver, scenario)


def _with_rows(scenario: Scenario) -> Scenario:
    """The scenario with rows beside what agents are shown: rules read them."""
    shown = scenario.observation
    if "rows" in shown.views or shown.flat:
        return scenario
    return scenario.with_(views=("rows", *shown.views))


def _resolved(name: str, driver: Driver, scenario: Scenario) -> ResolvedDriver:
    tracker: Tracker = getattr(driver, "tracker", scenario.observation.tracker)
    # Who is told what is hidden meets the same episodes with full sensors.
    met = scenario.twin() if getattr(driver, "full_sensors", False) else scenario
    return ResolvedDriver(name, driver, met.with_(tracker=tracker), tracker)


def spaces_of(scenario: Scenario) -> tuple[spaces.Space[Any], spaces.Space[Any]]:
    """Observation and action space of one world."""
    return _spaces(scenario.model_dump_json())


@lru_cache
def _spaces(scenario: str) -> tuple[spaces.Space[Any], spaces.Space[Any]]:
    env = make(Scenario.model_validate_json(scenario))
    found = env.observation_space, env.action_space
    env.close()
    return found


def _from_factory(name: str, scenario: Scenario) -> ResolvedDriver:
    module, attribute, *argument = name.split(":", 2)
    here = str(Path.cwd())
    sys.path.insert(0, here)  # a script beside the user, as `python -m` would find it
    try:
        factory = getattr(importlib.import_module(module), attribute)
    except Exception as error:  # the user's module can raise anything
        raise DrivememError(
            f"driver '{name}' cannot be imported: {error}; `drivemem list drivers` shows the "
            "reference drivers"
        ) from error
    finally:
        sys.path.remove(here)
    try:
        driver = factory(scenario, spaces_of(scenario)[1], *argument)
    except Exception as error:  # so can the factory
        given = ", ".join(["scenario", "action space", *map(repr, argument)])
        raise DrivememError(
            f"driver '{name}': the factory, called with ({given}), failed: "
            f"{type(error).__name__}: {error}"
        ) from error
    if not callable(getattr(driver, "predict", None)):
        raise DrivememError(
            f"driver '{name}' made {type(driver).__name__}, which has no predict(observation, "
            "state, episode_start, deterministic, action_masks)"
        )
    return _resolved(name, driver, scenario)


def _sb3(rest: str, scenario: Scenario, trust: bool) -> ResolvedDriver:
    algorithm, _, file = rest.partition(":")
    path = Path(file)
    if not algorithm or not file:
        raise DrivememError(
            f"driver 'sb3:{rest}' needs algorithm and file, as in sb3:PPO:model.zip"
        )
    if not path.is_file():
        raise DrivememError(f"{path} does not exist: give the model's .zip")
    if not trust:
        raise DrivememError(
            f"{path} is a file of Stable-Baselines3, which runs code stored in it when it is "
            "loaded: add --trust if you trust whoever made it"
        )
    cls = _algorithm(algorithm)
    try:
        model = cls.load(path, device="cpu")
    except Exception as error:  # a pickle can raise anything
        reason = first_line(error)
        raise DrivememError(f"{path} is no model of {algorithm}: {reason}") from error
    if isinstance(model.observation_space, spaces.Box):
        scenario = scenario.with_(flat=True)
    seen, action = spaces_of(scenario)
    for what, has, wants in (
        ("observes", seen, model.observation_space), ("acts in", action, model.action_space)
    ):  # fmt: skip
        if not _alike(has, wants):
            raise DrivememError(
                f"{path} {what} {wants}, but {scenario.name} has {has}: it was trained on another "
                "environment"
            )
    return _resolved(f"sb3:{algorithm}:{path.stem}", _Sb3Driver(model), scenario)


def _onnx(path: Path, scenario: Scenario) -> ResolvedDriver:
    driver = OnnxDriver(path)
    if driver.is_flat:
        scenario = scenario.with_(flat=True)
    driver.check_fits(spaces_of(scenario)[0], scenario.name)
    return _resolved(f"onnx:{path.stem}", driver, scenario)


def _algorithm(name: str) -> Any:
    known: dict[str, Any] = {}
    for package in ("stable_baselines3", "sb3_contrib"):
        try:
            module = importlib.import_module(package)
        except ImportError:
            continue  # sb3-contrib is optional
        known |= {
            key: getattr(module, key) for key in module.__all__ if key.isupper() or "PPO" in key
        }
    if name not in known:
        hint = did_you_mean(name, known, cutoff=0.4)
        raise DrivememError(
            f"unknown algorithm '{name}'{hint} (one of: {', '.join(sorted(known))})"
        )
    return known[name]


def _alike(has: spaces.Space[Any], wants: spaces.Space[Any]) -> bool:
    """Whether shapes agree (bounds may differ: they change nothing that a policy computes)."""
    if isinstance(has, spaces.Dict) and isinstance(wants, spaces.Dict):
        return has.keys() == wants.keys() and all(_alike(has[k], wants[k]) for k in has)
    if isinstance(has, spaces.Discrete) and isinstance(wants, spaces.Discrete):
        return bool(has.n == wants.n)
    return type(has) is type(wants) and has.shape == wants.shape


class _Sb3Driver:
    """A model of SB3 or sb3-contrib as a driver; RecurrentPPO's state is carried for it."""

    tracker: Tracker = "none"

    def __init__(self, model: Any) -> None:
        self._model = model
        self._masks = type(model).__name__ == "MaskablePPO"

    def predict(
        self,
        observation: Any,
        state: Any = None,
        episode_start: NDArray[np.bool_] | None = None,
        deterministic: bool = True,
        action_masks: NDArray[np.bool_] | None = None,
    ) -> tuple[NDArray[Any], Any]:
        """Actions (N, ...) and the next state."""
        keywords = {"action_masks": action_masks} if self._masks else {}
        actions, after = self._model.predict(
            observation, state, episode_start, deterministic, **keywords
        )
        return actions, after
