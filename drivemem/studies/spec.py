"""What a study file may say: frozen models, unknown keys refused with the nearest known one."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

from drivemem.config import DistillConfig, config_from_toml
from drivemem.errors import DrivememError, did_you_mean
from drivemem.evaluation.suites import MOST_EPISODES
from drivemem.settings import as_words, check_name
from drivemem.training.presets import check_settings
from drivemem_agents.settings import complaint
from drivemem_envs.drivers import driver_names

Axis = Literal["seed", "scenario", "agent"]


MOST_SEEDS = 10_000


def _counted(seeds: Any) -> Any:
    if isinstance(seeds, int) and seeds > MOST_SEEDS:
        raise ValueError(f"a study has at most {MOST_SEEDS} seeds")
    return tuple(range(seeds)) if isinstance(seeds, int) else seeds


def _different(seeds: tuple[int, ...]) -> tuple[int, ...]:
    if not seeds or len(set(seeds)) != len(seeds) or min(seeds) < 0:
        raise ValueError("give different numbers of at least 0")
    return seeds


Seeds = Annotated[tuple[int, ...], BeforeValidator(_counted), AfterValidator(_different)]
"""Seeds of training; a number n means 0 ... n-1."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ScenarioEntry(_Part):
    """One scenario of a study: `[scenarios.NAME]`."""

    scenario: str
    """Name of a scenario; default: the table's name."""
    level: str | None = None
    """Difficulty: `easy` means the scenario `<scenario>-easy`."""
    preset: bool | str = True
    """Start from the scenario's preset if there is one; false: do not; or a TOML file."""
    seeds: Seeds | None = None
    """Seeds of training here in place of the study's."""
    settings: dict[str, Any] = Field(default_factory=dict)
    """Any further key is a setting of training for this scenario."""

    @property
    def full_name(self) -> str:
        """The scenario's name, level included."""
        return self.scenario if self.level is None else f"{self.scenario}-{self.level}"


class AgentEntry(_Part):
    """One agent of a study: `[agents.NAME]`."""

    scenarios: tuple[str, ...] | None = None
    """Names of the study's scenarios that it is trained on; none: all."""
    match_parameters: int | None = Field(default=None, ge=0)
    """Choose the memory's width so that it has about this many weights; 0: leave it alone."""
    match_width: str = "hidden_size"
    """The memory's setting that is the width."""
    lesions: tuple[str, ...] | None = None
    """Lesions for this agent in place of the study's."""
    settings: dict[str, Any] = Field(default_factory=dict)
    """Any further key is a setting of training for this agent."""


class Override(_Part):
    """Settings for some cells only: `[[overrides]]`; later ones win."""

    scenarios: tuple[str, ...] | None = None
    """Names of the study's scenarios; none: all."""
    agents: tuple[str, ...] | None = None
    """Names of the study's agents; none: all."""
    settings: dict[str, Any] = Field(default_factory=dict)
    """Any further key is a setting of training."""


class EvaluationPlan(_Part):
    """What every trained agent is put through: `[evaluation]`."""

    episodes: int = Field(default=500, ge=1, le=MOST_EPISODES)
    """Episodes of each suite."""
    suites: tuple[str, ...] = ("test",)
    """test, eval, train, or the path of a suite.json."""
    actions: tuple[Literal["greedy", "sampled"], ...] = ("greedy",)
    """greedy: the most likely action; sampled: drawn from the policy."""
    lesions: tuple[str, ...] = ()
    """Lesions for agents that carry a memory state, such as reset_every:1 or span:1,2,4; lesions
    of weights for every agent."""
    drivers: tuple[str, ...] = ()
    """Reference drivers on every scenario; `constant:*` is every constant action."""
    record: int = Field(default=0, ge=0)
    """Episodes of the first suite to record for replay, without lesions."""
    probe: int = Field(default=0, ge=0)
    """Episodes to probe the memory state on; 0: do not."""


class Resources(_Part):
    """What one run needs on a cluster: `[resources]`."""

    cpus: float = Field(default=1, gt=0)
    """Cores."""
    gpus: float = Field(default=0, ge=0)
    """GPUs; a part of one is allowed."""
    memory_gb: float | None = Field(default=None, gt=0)
    """Memory; none: not asked for."""
    retries: int = Field(default=3, ge=0)
    """How often a run is started again after its process or machine was lost."""


class Study(_Part):
    """A study as its file says it."""

    name: str
    """Default: the file's name."""
    claims: str = ""
    """What the study tests, in plain words: it heads the report."""
    baseline: str = "memory=none"
    """Whom others are compared with: memory=NAME, or one of the study's agents or drivers."""
    unequal: bool = False
    """Compare with it also agents that were trained for more or fewer decisions, or on other
    sensors or dials."""
    seeds: Seeds
    """Seeds of training; a number n means 0 ... n-1."""
    order: tuple[Axis, ...] = ("seed", "scenario", "agent")
    """What varies slowest first: by default all agents get their first seed first."""
    match_parameters: int | None = Field(default=None, ge=1)
    """Weights that every agent's memory shall have (10 % tolerance)."""
    train: dict[str, Any] = Field(default_factory=dict)
    """Settings of training for all runs; they win over presets."""
    scenarios: dict[str, ScenarioEntry]
    agents: dict[str, AgentEntry] = Field(default_factory=dict)
    overrides: tuple[Override, ...] = ()
    evaluation: EvaluationPlan = EvaluationPlan()
    resources: Resources = Resources()

    @model_validator(mode="after")
    def _sound(self) -> Self:
        if sorted(self.order) != ["agent", "scenario", "seed"]:
            raise ValueError(
                f"order is {list(self.order)}: give seed, scenario and agent once each"
            )
        if not self.agents and not self.evaluation.drivers:
            raise ValueError("no [agents.NAME] table and no drivers: nothing to run")
        for name in [self.name, *self.scenarios, *self.agents]:
            check_name(name)
        return self

    def seeds_on(self, scenario: str) -> tuple[int, ...]:
        """Seeds of training on one of its scenarios."""
        own = self.scenarios[scenario].seeds
        return self.seeds if own is None else own

    def every_seed(self) -> tuple[int, ...]:
        """Seeds of training on any of its scenarios."""
        each = (self.seeds_on(scenario) for scenario in self.scenarios)
        return tuple(dict.fromkeys(itertools.chain(self.seeds, *each)))

    def teacher_of(self, agent: str) -> str | None:
        """The agent of this study that teaches an agent; None: none of them does."""
        teacher = self.agents[agent].settings.get("teacher")
        return teacher if teacher in self.agents else None

    def teachers_first(self) -> tuple[str, ...]:
        """Its agents, as they are written, but each after its teacher.

        Raises:
            DrivememError: agents that teach each other.
        """
        found: list[str] = []
        for agent in self.agents:
            chain = [agent]
            while (teacher := self.teacher_of(chain[-1])) is not None:
                if teacher in chain:
                    raise DrivememError(
                        f"study {self.name}: agents {', '.join(chain)} teach each other in a circle"
                    )
                chain.append(teacher)
            found += [one for one in reversed(chain) if one not in found]
        return tuple(found)

    def has_run(self, scenario: str, agent: str, seed: int) -> bool:
        """Whether an agent is trained on a scenario with a seed."""
        only = self.agents[agent].scenarios
        return (only is None or scenario in only) and seed in self.seeds_on(scenario)


def load_study(path: str | Path) -> Study:
    """Read a study file.

    Raises:
        DrivememError: unreadable, unknown keys (with the nearest), values out of range.
    """
    path = Path(path)
    if not path.is_file():
        near = sorted(found.as_posix() for found in path.parent.glob("*.toml"))
        hint = f"; there are {', '.join(near)}" if near else ""
        raise DrivememError(f"study file {path} does not exist{hint}")
    return study_from({"name": path.stem, **config_from_toml(path)}, path.as_posix())


_TABLES: dict[str, tuple[type, str]] = {
    "scenarios": (dict, "[scenarios.NAME] for each"),
    "agents": (dict, "[agents.NAME] for each"),
    "train": (dict, "[train]"),
    "evaluation": (dict, "[evaluation]"),
    "resources": (dict, "[resources]"),
    "overrides": (list, "[[overrides]] for each"),
}
"""Keys of a study file that are tables, what TOML makes of them, and how they are written."""


def study_from(plain: Mapping[str, Any], where: str = "study") -> Study:
    """A study from a dict; see `load_study`."""
    known = dict(plain)
    _refuse_unknown(known, Study.model_fields, where)
    for key, (kind, how) in _TABLES.items():
        if not isinstance(known.get(key, kind()), kind):
            raise DrivememError(f"{where}: {key} is {known[key]!r}; write a table {how}")
    known["train"] = _settings(known.get("train", {}), f"{where} [train]")
    known["scenarios"] = {
        name: _entry(
            {"scenario": name, **table} if isinstance(table, Mapping) else table,
            ScenarioEntry,
            f"{where} [scenarios.{name}]",
        )
        for name, table in known.get("scenarios", {}).items()
    }
    known["agents"] = {
        name: _entry(table, AgentEntry, f"{where} [agents.{name}]")
        for name, table in known.get("agents", {}).items()
    }
    known["overrides"] = [
        _entry(table, Override, f"{where} [[overrides]]") for table in known.get("overrides", [])
    ]
    for key, kind in (("evaluation", EvaluationPlan), ("resources", Resources)):
        _refuse_unknown(known.get(key, {}), kind.model_fields, f"{where} [{key}]")
    if not known["scenarios"]:
        raise DrivememError(f"{where}: no [scenarios.NAME] table: name at least one scenario")
    try:
        study = Study(**known)
    except ValidationError as error:
        raise DrivememError(f"{where}: {complaint(error, '{}')}") from error
    _check_names(study, where)
    return study


def _entry(table: Any, kind: type[_Part], where: str) -> dict[str, Any]:
    """A table's own keys, and its settings of training apart."""
    if not isinstance(table, Mapping):
        raise DrivememError(f"{where} is {table!r}; write it as a table")
    own = [name for name in kind.model_fields if name != "settings"]
    entry = {key: value for key, value in table.items() if key in own}
    rest = {key: value for key, value in table.items() if key not in own}
    _refuse_unknown(rest, [*own, *_trainable()], where)
    return {**entry, "settings": _settings(rest, where)}


def _trainable() -> list[str]:
    """Settings of training that a study file may give: the matrix gives the others."""
    return [name for name in DistillConfig.model_fields if name not in ("scenario", "seed")]


def _settings(table: Mapping[str, Any], where: str) -> dict[str, Any]:
    _refuse_unknown(table, _trainable(), where)
    return check_settings(as_words(table), where)


def _refuse_unknown(keys: Iterable[str], known: Iterable[str], where: str) -> None:
    names = list(known)
    for key in keys:
        if key not in names:
            raise DrivememError(f"{where}: unknown key '{key}'{did_you_mean(key, names)}")


def _check_names(study: Study, where: str) -> None:
    """Refuse names that nothing is registered under, before anything is trained."""
    from drivemem.comparison.baseline import Baseline
    from drivemem.lesions import INTACT, lesion_names, split_lesion

    for name, agent in study.agents.items():
        at = f"{where} [agents.{name}] scenarios"
        _refuse_unknown(agent.scenarios or (), study.scenarios, at)
        _check_teacher(study, name, f"{where} [agents.{name}]")
    study.teachers_first()
    for override in study.overrides:
        at = f"{where} [[overrides]]"
        _refuse_unknown(override.scenarios or (), study.scenarios, f"{at} scenarios")
        _refuse_unknown(override.agents or (), study.agents, f"{at} agents")
    base = Baseline.parse(study.baseline)
    if base.kind in ("run", "label"):
        every = [*study.agents, *study.evaluation.drivers]
        _refuse_unknown([base.value], every, f"{where}: baseline (or memory=NAME)")
    given = [study.evaluation.lesions, *(agent.lesions or () for agent in study.agents.values())]
    names = [split_lesion(lesion)[0] for lesion in itertools.chain(*given)]
    _refuse_unknown(names, [INTACT, *lesion_names()], f"{where}: lesions")


def _check_teacher(study: Study, agent: str, where: str) -> None:
    """Refuse a teacher that is neither an agent of the study, nor a run, nor a driver."""
    name = study.agents[agent].settings.get("teacher")
    if name is None:
        return
    if name in study.agents:
        for scenario in study.scenarios:
            for seed in study.seeds_on(scenario):
                taught = study.has_run(scenario, agent, seed)
                if taught and not study.has_run(scenario, name, seed):
                    raise DrivememError(
                        f"{where}: its teacher '{name}' is not trained on {scenario}: add it to "
                        f"the scenarios of [agents.{name}]"
                    )
        return
    drivers = [known.partition(":")[0] for known in driver_names()]
    if name.partition(":")[0] in drivers or (Path(name) / "config.json").is_file():
        return
    known = [*study.agents, *drivers]
    raise DrivememError(
        f"{where}: teacher '{name}' is no agent of this study, no driver and no folder of a run"
        f"{did_you_mean(name, known)}"
    )
