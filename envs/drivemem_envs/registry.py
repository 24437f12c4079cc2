"""The scenario registry: names to string entry points, so that naming a scenario imports nothing.

Other packages add theirs with `register_scenario` or the entry point group below.
"""

from __future__ import annotations

import re
import warnings
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from typing import TYPE_CHECKING

from drivemem_envs.highway_env_ids import HIGHWAY_ENV_IDS
from drivemem_envs.names import LEVELS, SUITE, UnknownScenarioError, near_miss

if TYPE_CHECKING:
    from drivemem_envs.scenario_spec import Scenario

ENTRY_POINT_GROUP = "drivemem.scenarios"
NAMESPACE = "drivemem"

_HOME = "drivemem_envs.scenarios"
_ENTRY_POINTS: dict[str, str] = {
    f"{name}-{level}-v0": f"{_HOME}.{name.replace('-', '_')}:{level.upper()}"
    for name in SUITE
    for level in LEVELS
}


def register_scenario(name: str, entry_point: str) -> None:
    """Make a scenario known by name, and as the Gymnasium id `drivemem/<name>`.

    Args:
        name: ends in a version, such as `my-crossing-v0`.
        entry_point: "package.module:ATTRIBUTE" of a Scenario or a function that returns one.

    Raises:
        ValueError: the name is taken or has no version, or the entry point has another form.
    """
    if not re.fullmatch(r"[A-Za-z0-9_.-]+-v\d+", name):
        raise ValueError(
            f"scenario name '{name}' needs letters, digits, '-' and a version: my-crossing-v0"
        )
    if not re.fullmatch(r"[\w.]+:\w+", entry_point):
        raise ValueError(f"entry point '{entry_point}' has not the form 'package.module:ATTRIBUTE'")
    known = {other: full for full in _ENTRY_POINTS for other in _also_known_as(full)}
    if name in known or name in HIGHWAY_ENV_IDS:
        taken = _ENTRY_POINTS[known[name]] if name in known else "highway-env"
        raise ValueError(f"scenario '{name}' is already registered by {taken}; choose another name")
    _ENTRY_POINTS[name] = entry_point
    register_gymnasium_ids([name])


def _also_known_as(name: str) -> list[str]:
    """A scenario's names: the level may be left out if it is the first; and its twin's."""
    names = [name, name.replace(f"-{LEVELS[0]}-", "-")]
    return list(dict.fromkeys([*names, *(re.sub(r"(-v\d+)$", r"-twin\1", n) for n in names)]))


def register_gymnasium_ids(names: list[str]) -> None:
    """Register `drivemem/<name>` and its twin with Gymnasium, by string entry points only."""
    import gymnasium

    for name in (each for known in names for each in _also_known_as(known)):
        if f"{NAMESPACE}/{name}" in gymnasium.registry:
            continue
        gymnasium.register(
            id=f"{NAMESPACE}/{name}",
            entry_point="drivemem_envs.making:make_registered",
            vector_entry_point="drivemem_envs.making:make_vec_registered",
            kwargs={"scenario": name},
            # Gymnasium's wrappers would hide `action_masks` and the like; a step before the
            # first reset is refused by the environment itself.
            order_enforce=False,
            disable_env_checker=True,
        )


@cache
def _load_entry_points() -> None:
    for point in entry_points(group=ENTRY_POINT_GROUP):
        if _ENTRY_POINTS.get(point.name) == point.value:
            continue
        try:
            register_scenario(point.name, point.value)
        except ValueError as error:  # another package's mistake must not disable this one
            warnings.warn(f"scenario '{point.name}' is left out: {error}", stacklevel=2)


def scenario_names(highway_env: bool = True) -> list[str]:
    """Names of all scenarios.

    Args:
        highway_env: include highway-env's own ids.
    """
    _load_entry_points()
    return [*_ENTRY_POINTS, *(HIGHWAY_ENV_IDS if highway_env else ())]


def scenario(name: str) -> Scenario:
    """The scenario of a name; `drivemem/` before it and the version behind it may be left out.

    `exit-recall` is the easiest level, `exit-recall-hard` the hardest; `-twin` behind a name (and
    before its version) asks for the same with full sensors: `exit-recall-hard-twin`.

    Raises:
        UnknownScenarioError: no such scenario; the message names the nearest.
        ValueError: it is registered with an entry point that does not give a Scenario.
    """
    twin = re.fullmatch(r"(.+)-twin(-v\d+)?", name)
    if twin:
        found = scenario(twin[1] + (twin[2] or ""))
        named = re.sub(r"(-v\d+)$", r"-twin\1", found.name)
        return found.twin().model_copy(update={"name": named})
    full = _full_name(name)
    if full in HIGHWAY_ENV_IDS:
        from drivemem_envs.scenario_spec import Scenario

        return Scenario.from_highway_env(full)
    return _load(full, _ENTRY_POINTS[full])


def _load(name: str, entry_point: str) -> Scenario:
    from drivemem_envs.scenario_spec import Scenario

    module, _, attribute = entry_point.partition(":")
    try:
        found = getattr(import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise ValueError(f"scenario '{name}' cannot be imported: {error}") from error
    built = found() if callable(found) else found
    if not isinstance(built, Scenario):
        raise ValueError(f"'{entry_point}' of scenario '{name}' is no Scenario but {built!r}")
    return built


def _full_name(name: str) -> str:
    names = scenario_names()
    bare = name.removeprefix(f"{NAMESPACE}/")
    if bare in names:
        return bare
    stem, version = re.fullmatch(r"(?s)(.*?)(-v\d+)?", bare).groups()  # type: ignore[union-attr]
    wanted = re.escape(stem) + f"(-{LEVELS[0]})?" + (version or r"-v\d+")
    versions = [full for full in names if re.fullmatch(wanted, full)]
    if versions:
        return max(versions, key=lambda full: int(full.rsplit("-v", 1)[1]))
    if "multi-agent" in bare:
        raise UnknownScenarioError(
            f"'{bare}' drives several agents; drivemem has one ego: use intersection-v2"
        )
    known = {other for full in names for other in (*_also_known_as(full), full.rpartition("-v")[0])}
    known |= {each.replace(f"-{LEVELS[0]}", "") for each in known}
    raise UnknownScenarioError(
        f"unknown scenario '{bare}'{near_miss(bare, sorted(known))} (`drivemem list scenarios` "
        "shows all)"
    )
