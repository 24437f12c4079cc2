"""Options of commands that train, in groups: what heads each, and which settings stand in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import make_dataclass
from typing import Annotated, Any

import tyro
from pydantic import ConfigDict, create_model

from drivemem.config import SensorChanges, TrainConfig

Groups = Mapping[str, tuple[str, tuple[str, ...]]]
"""By name: what heads the group, and the configuration's fields in it."""

SEEN = ("scenario", "full_sensors", "slots", "views", "tracker", "dials")
RUN = ("steps", "seed", "num_envs", "num_workers", "backend", "device", "checkpoint_every")
_APART = ("teacher", "sensors")
"""Fields that are no option, or a group of their own."""


def rest(kind: type[TrainConfig], groups: Groups) -> tuple[str, ...]:
    """Fields of a configuration that none of the groups has."""
    taken = {*_APART, *(name for _, names in groups.values() for name in names)}
    return tuple(name for name in kind.model_fields if name not in taken)


class GroupedOptions:
    """The options of a command whose words become one configuration.

    Args:
        kind: of the configuration.
        groups: which together have all of its fields.
        base: a dataclass with the command's other options.
        about: the command's help.
    """

    def __init__(self, kind: type[TrainConfig], groups: Groups, base: type, about: str) -> None:
        self._models: dict[str, Any] = {
            group: create_model(  # type: ignore[call-overload]
                group,
                __config__=ConfigDict(frozen=True, extra="forbid"),
                __doc__=words,
                **{
                    name: (kind.model_fields[name].annotation, kind.model_fields[name])
                    for name in names
                },
            )
            for group, (words, names) in groups.items()
        }
        fields: list[tuple[str, Any]] = [
            (group, Annotated[model, tyro.conf.OmitArgPrefixes])
            for group, model in self._models.items()
        ]
        self.options: Any = make_dataclass(
            "Options", [*fields, ("sensors", SensorChanges)], bases=(base,), kw_only=True,
            namespace={"__doc__": about},
        )  # fmt: skip

    def starting(self, config: TrainConfig) -> Any:
        """Options whose defaults are those of a configuration."""
        groups = {
            group: model(**{name: getattr(config, name) for name in model.model_fields})
            for group, model in self._models.items()
        }
        return self.options(**groups, sensors=config.sensors)

    def settings(self, options: Any) -> dict[str, Any]:
        """The settings of a configuration that options say."""
        given: dict[str, Any] = {"sensors": options.sensors}
        for group, model in self._models.items():
            chosen = getattr(options, group)
            given |= {name: getattr(chosen, name) for name in model.model_fields}
        return given
