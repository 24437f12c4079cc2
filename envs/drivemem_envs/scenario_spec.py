"""What a scenario is: a highway-env world, its configuration, its sensors and its observation."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from fractions import Fraction
from importlib import import_module
from importlib.metadata import version
from typing import Annotated, Any, Self, cast

from pydantic import Field, model_validator

from drivemem_envs.checked import Checked
from drivemem_envs.dials import check_dials, check_runs, divisors, merge_config
from drivemem_envs.highway_env_ids import (
    HIGHWAY_ENV_IDS,
    PARKING_VARIANTS,
    PARKING_WORLD,
    TIME_LIMITS_S,
)
from drivemem_envs.highway_env_keys import check_observation
from drivemem_envs.names import UnknownScenarioError
from drivemem_envs.sensing.layout import LEAST_TRACK_S
from drivemem_envs.sensing.rows import FEATURES as KNOWN_FEATURES
from drivemem_envs.sensing.spec import Sensors, Slots, Tracker
from drivemem_envs.sensing.view_spec import GridView, LanesView, View

FEATURES = ("presence", "x", "y", "vx", "vy", "cos_h", "sin_h")
_SAID_OF_EPISODES = (
    "summary", "ceiling", "ceiling_success", "on_time_mps", "planning_horizon_s", "tags",
)  # fmt: skip
"""Fields of a scenario that change no episode: its hash leaves them out."""


class ObservationSpec(Checked):
    """How what is perceived becomes the observation: rows, of which 0 is the ego, and views."""

    vehicles_count: int = Field(default=10, ge=1, le=1000)
    """V, rows, the ego's included."""
    features: tuple[str, ...] = Field(default=FEATURES, min_length=1)
    """F, columns; named as highway-env names them. `sd_position` (m) and `sd_velocity` (m/s) are
    the standard deviations, per axis, that the tracker `kalman` gives a row; 0 without it."""
    features_range: dict[str, tuple[float, float]] | None = None
    """What is mapped to [-1, 1], by feature. None: highway-env's default (x 200 m, speeds 80 m/s,
    y one lane width for each lane of the ego's first road)."""
    absolute: bool = False
    """Positions and velocities of others in the world frame, not relative to the ego."""
    normalize: bool = True
    """Map the ranges to [-1, 1]."""
    clip: bool = True
    """Clip to [-1, 1]."""
    see_behind: bool = True
    """Show actors more than two car lengths behind the ego."""
    include_obstacles: bool = True
    """Show obstacles and landmarks among the rows."""
    observe_intentions: bool = False
    """Fill cos_d and sin_d (direction to the destination)."""
    slots: Slots = "sorted"
    """Rows by distance along the ego's lane (`sorted`, as in highway-env: hiding an actor moves
    the later ones up), or one row for each actor through the episode (`fixed`)."""
    tracker: Tracker = "none"
    """What fills the rows of actors that are not perceived."""
    flat: bool = False
    """One Box with everything in it, in place of a Dict."""
    native: dict[str, Any] | None = None
    """Configuration of highway-env's own observation, given as a further key of the Dict."""
    views: tuple[View, ...] = Field(default=("rows",), min_length=1)
    """What is shown: `rows` (key `vehicles`), `grid` (key `grid`) and `lanes` (key `lanes`); with
    either of the last two also the ego's own state (key `ego`)."""
    grid: GridView = GridView()
    """Extent of the grid."""
    lanes: LanesView = LanesView()
    """Extent of the lanes."""

    def column(self, rows: Any, feature: str) -> Any:
        """A feature of rows (..., V, F) in its own unit (..., V): undoes `normalize`.

        Args:
            rows: as observed.
            feature: one of `features`; without a range in `features_range` it comes as it is.
        """
        values = rows[..., self.features.index(feature)]
        ranges = self.features_range or {}
        if not self.normalize or feature not in ranges:
            return values.copy()
        low, high = ranges[feature]
        return (values + 1.0) * (high - low) / 2.0 + low

    @classmethod
    def of_highway_env(cls, native: Mapping[str, Any]) -> ObservationSpec:
        """Rows as highway-env's own Kinematics observation, or default rows beside another.

        Args:
            native: highway-env's `config["observation"]`.

        Raises:
            ValueError: a key that highway-env would ignore, or an order that rows do not have.
        """
        from highway_env.envs.common.observation import KinematicObservation

        check_observation(native)
        kind = native["type"]
        if kind not in ("Kinematics", "ExitObservation"):
            return cls(native=dict(native))
        if native.get("order", "sorted") != "sorted":
            raise ValueError(
                f"observation order '{native['order']}' is none of drivemem's: rows are 'sorted' "
                "by distance, or spread over the rows by slots='fixed'"
            )
        ranges = native.get("features_range")
        return cls(
            vehicles_count=native.get("vehicles_count", 5),
            features=tuple(native.get("features") or KinematicObservation.FEATURES),
            features_range=ranges and {key: tuple(value) for key, value in ranges.items()},
            absolute=native.get("absolute", False),
            normalize=native.get("normalize", True),
            clip=native.get("clip", True),
            see_behind=native.get("see_behind", False),
            include_obstacles=native.get("include_obstacles", kind == "Kinematics"),
            observe_intentions=native.get("observe_intentions", False),
        )

    @model_validator(mode="after")
    def _known(self) -> Self:
        if self.native is not None:
            check_observation(self.native)
            if "grid" in self.views and self.native["type"] == "OccupancyGrid":
                raise ValueError(
                    "both views and native give a part named 'grid': drop 'grid' from views or "
                    "OccupancyGrid from native"
                )
        if len(set(self.views)) < len(self.views):
            raise ValueError(f"views are {', '.join(self.views)}; name each once")
        for feature, (low, high) in (self.features_range or {}).items():
            if not low < high:
                raise ValueError(
                    f"features_range of '{feature}' is ({low}, {high}); the lower limit comes first"
                )
        for feature in (*self.features, *(self.features_range or {})):
            if feature not in KNOWN_FEATURES:
                raise ValueError(
                    f"unknown feature '{feature}' (one of: {', '.join(KNOWN_FEATURES)})"
                )
        return self


class Scenario(Checked):
    """A highway-env scene with a task, a reward, an outcome and default sensors.

    Dynamics, traffic, reward and termination are those of `world`, a class of highway-env or a
    subclass of one; drivemem adds sensors, outcome and metrics around it.
    """

    name: str
    """With a version, such as `exit-recall-v0`."""
    world: str
    """"package.module:Class" of a subclass of highway-env's AbstractEnv."""
    config: dict[str, Any] = Field(default_factory=dict)
    """What differs from the class's default_config; unknown keys are refused."""
    sensors: Sensors = Sensors()
    """Default limits on perception."""
    observation: ObservationSpec = ObservationSpec()
    """Default rows."""
    summary: str = ""
    """One line."""
    time_limit_s: float | None = Field(default=None, gt=0.0, le=86_400.0, allow_inf_nan=False)
    """Truncation that drivemem adds where highway-env has none, s."""
    memory_horizon_s: float | None = Field(default=None, ge=0.0, le=86_400.0, allow_inf_nan=False)
    """For how long what must be remembered is hidden, s; None: not stated."""
    ceiling: str = ""
    """Why a memoryless policy can reach no more, or what it is expected to reach."""
    ceiling_success: float | None = Field(default=None, gt=0.0, le=1.0, allow_inf_nan=False)
    """Share of episodes in which a memoryless policy can succeed at best; None: not proven."""
    on_time_mps: float | None = Field(default=None, gt=0.0, le=1000.0, allow_inf_nan=False)
    """Mean speed from which an unharmed episode is on time, m/s; None: not stated."""
    planning_horizon_s: float | None = Field(default=None, gt=0.0, le=60.0, allow_inf_nan=False)
    """How far ahead the planner has to look here, s; None: as far as it does by itself."""
    tags: tuple[Annotated[str, Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")], ...] = ()
    """Words by which `drivemem list scenarios --tag` finds it, such as `free-driving`."""

    def world_class(self) -> type[Any]:
        """The highway-env class.

        Raises:
            ValueError: `world` names no class.
        """
        module, _, attribute = self.world.partition(":")
        try:
            return cast(type[Any], getattr(import_module(module), attribute))
        except (ImportError, AttributeError, ValueError) as error:
            raise ValueError(
                f"world '{self.world}' of {self.name} cannot be imported: {error}"
            ) from error

    def resolved_config(self) -> dict[str, Any]:
        """The class's default configuration with this scenario's changes.

        Raises:
            ValueError: an unknown key, a value that does not fit, several egos, or a simulation
                frequency that is no multiple of the policy frequency (highway-env would let the
                clock drift in silence).
        """
        world = self.world_class()
        config: dict[str, Any] = world.default_config()
        merge_config(config, self.config)
        check_dials(self.name, world, self.config, config)
        egos = config.get("controlled_vehicles", 1)
        if egos != 1 or config["action"]["type"] == "MultiAgentAction":
            raise ValueError(
                f"{self.name} drives several agents (controlled_vehicles={egos}, action "
                f"{config['action']['type']}); drivemem has one ego: set controlled_vehicles=1"
            )
        simulation, policy = config["simulation_frequency"], config["policy_frequency"]
        if simulation % policy:
            raise ValueError(
                f"simulation_frequency={simulation} Hz is no multiple of policy_frequency={policy} "
                f"Hz: choose a divisor of {simulation}, such as {divisors(int(simulation))}"
            )
        return config

    @property
    def proven_ceiling(self) -> str:
        """`ceiling_success` as a fraction, such as 1/3; nothing where there is none."""
        share = self.ceiling_success
        return "" if share is None else str(Fraction(share).limit_denominator(1000))

    @property
    def ceiling_words(self) -> str:
        """The ceiling and its reason, for people."""
        return ": ".join(filter(None, (self.proven_ceiling, self.ceiling)))

    @property
    def decision_s(self) -> float:
        """Decision period, s."""
        return 1.0 / float(self.resolved_config()["policy_frequency"])

    @property
    def track_s(self) -> float:
        """For how long a tracker believes in an actor that is out of sight, s.

        Twice what a driver must remember: a tracker that gives an actor up before it matters would
        show the limit of a setting, not of tracking.
        """
        return max(LEAST_TRACK_S, 2.0 * (self.memory_horizon_s or 0.0))

    def hash(self) -> str:
        """SHA-256 of everything that an episode depends on besides its seed.

        It covers the name, the fields of sensors and observation that differ from their defaults,
        time limit and memory horizon if there are any, the world's resolved configuration and
        highway-env's version; not what is only said of episodes, such as tags. A field that is new,
        with a default that changes nothing, therefore leaves it as it was; who changes a default or
        the world's code gives the scenario a new version in its name. drivemem's own classes of
        worlds and vehicles stand for themselves, by name and not by where they are kept; another
        package's go by their full path.
        """
        config = self.resolved_config()
        resolved = {
            "scenario": self.model_dump(
                mode="json",
                exclude_defaults=True,
                exclude={*_SAID_OF_EPISODES, "config", "world"},
            ),
            "world": _without_place(self.world),
            "config": {key: _without_place(value) for key, value in config.items()},
            "highway_env": version("highway-env"),
        }
        text = json.dumps(resolved, sort_keys=True, default=str)
        return hashlib.sha256(text.encode()).hexdigest()

    def level(self, name: str, **changes: Any) -> Scenario:
        """The same scenario at another level.

        Args:
            name: replaces the level in this scenario's name, such as `hard`.
            changes: `config` (scenario parameters, merged into this one's), `sensors` and
                `observation` (fields to change), and any other field of a Scenario, such as
                `memory_horizon_s`.
        """
        parts = {key: changes.pop(key, None) for key in ("config", "sensors", "observation")}
        stem, _, version = self.name.rpartition("-v")
        changes["name"] = f"{stem.rpartition('-')[0]}-{name}-v{version}"
        return self._changed(**parts).model_copy(update=changes)

    def twin(self) -> Scenario:
        """The same scenario, same dynamics, with full sensors."""
        return self.model_copy(update={"sensors": Sensors()})

    def with_(
        self,
        *,
        sensors: Sensors | Mapping[str, Any] | None = None,
        slots: Slots | None = None,
        tracker: Tracker | None = None,
        flat: bool | None = None,
        views: Sequence[View] | None = None,
        observation: Mapping[str, Any] | None = None,
        config: Mapping[str, Any] | None = None,
    ) -> Scenario:
        """A changed copy; None leaves a part as it is.

        Args:
            sensors: other sensors, or single fields to change.
            slots: rows by distance or fixed.
            tracker: what fills hidden rows.
            flat: one Box in place of a Dict.
            views: what is shown: rows, grid, lanes.
            observation: other fields of the ObservationSpec to change.
            config: further changes of the world's configuration.

        Raises:
            ValueError: unknown keys or values, or a configuration with which the world fails.
        """
        rows = {"slots": slots, "tracker": tracker, "flat": flat, "views": views}
        rows = {key: value for key, value in rows.items() if value is not None}
        if observation is None or isinstance(observation, Mapping):
            observation = {**(observation or {}), **rows}
        changed = self._changed(sensors, observation, config)
        if config:
            check_runs(changed.name, changed.world_class(), changed.resolved_config())
        return changed

    def _changed(
        self,
        sensors: Sensors | Mapping[str, Any] | None = None,
        observation: Mapping[str, Any] | None = None,
        config: Mapping[str, Any] | None = None,
    ) -> Scenario:
        """`with_`, without a trial of the world."""
        changed = self
        for what, given in (("sensors", sensors), ("observation", observation), ("config", config)):
            if given is not None and not isinstance(given, Sensors | Mapping):
                raise ValueError(f"{what} is {given!r:.80}: give a dict of what to change")
        if sensors is not None:
            if not isinstance(sensors, Sensors):
                sensors = self.sensors.changed(sensors)
            changed = changed.model_copy(update={"sensors": sensors})
        if observation:
            spec = ObservationSpec(**{**self.observation.model_dump(), **observation})
            changed = changed.model_copy(update={"observation": spec})
        if config:
            if "observation" in config:
                raise ValueError(
                    "config['observation'] says nothing to drivemem's own rows: change them with "
                    "observation={...}, or start from Scenario.from_highway_env(id, config)"
                )
            changed = changed.model_copy(update={"config": {**self.config, **config}})
            changed.resolved_config()
        return changed

    @classmethod
    def from_highway_env(cls, identifier: str, config: Mapping[str, Any] | None = None) -> Scenario:
        """A scenario around one of highway-env's own ids.

        Args:
            identifier: such as `merge-v1`.
            config: changes of its configuration.

        Raises:
            ValueError: unknown or multi-agent id, or unknown configuration keys.
        """
        # Importing highway-env registers its ids; it loads pygame, so not before it is needed.
        import gymnasium
        import highway_env  # noqa: F401

        name = identifier.removeprefix("drivemem/")
        if name not in HIGHWAY_ENV_IDS:
            reason = "drives several agents" if "multi-agent" in name else "is no id of highway-env"
            raise UnknownScenarioError(
                f"'{name}' {reason}; single-agent ids are: {', '.join(HIGHWAY_ENV_IDS)}"
            )
        variant = PARKING_VARIANTS.get(name)
        scenario = cls(
            name=name,
            world=str(gymnasium.spec(name).entry_point) if variant is None else PARKING_WORLD,
            config={**(variant or {}), **(config or {})},
            time_limit_s=TIME_LIMITS_S.get(name),
            summary=f"highway-env's {name}: its own task, reward and observation features",
        )
        rows = ObservationSpec.of_highway_env(scenario.resolved_config()["observation"])
        if config:
            check_runs(name, scenario.world_class(), scenario.resolved_config())
        return scenario.model_copy(update={"observation": rows})


def _without_place(value: Any) -> Any:
    """The name of one of drivemem's own classes, given its path; anything else as it is."""
    ours = isinstance(value, str) and re.fullmatch(rf"{__package__}\..*[.:](\w+)", value)
    return ours[1] if ours else value
