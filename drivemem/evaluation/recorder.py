"""Recording episodes for replay, as columns: what was true, and what the driver did.

Every step costs a few array copies for all worlds together; rows are made when all is driven.
"""

from __future__ import annotations

import json
from itertools import groupby
from typing import Any

import numpy as np
from numpy.typing import NDArray

from drivemem.episodes import TRACE_COLUMNS, Digest, as_json
from drivemem.evaluation.drivers import Decision
from drivemem.evaluation.rollout import Moment, Transition
from drivemem.evaluation.selection import Selection
from drivemem.schemas import ACTOR_COLUMNS, STEP_COLUMNS

_ACTOR = tuple(name for name in ACTOR_COLUMNS if name not in ("episode", "step"))
_EGO = {"ego_x": "x", "ego_y": "y", "ego_heading": "heading", "ego_speed": "speed"}
_NUMBERS = tuple(
    name for name, kind in STEP_COLUMNS.items() if kind == "DOUBLE" and name in Decision._fields
)
"""What a driver tells of a decision as one number."""

_VIEWS = ("grid", "lanes", "ego")
"""Parts of the observation that a replay draws on the road."""

Columns = dict[str, Any]


class Recorder:
    """Keeps what happens in the worlds whose episodes are watched.

    Args:
        env: the vector environment.
        selection: which episodes.
    """

    def __init__(self, env: Any, selection: Selection) -> None:
        self._env, self._selection = env, selection
        self._watched: set[int] = set()
        self.kept: set[int] = set()
        self.occluders: dict[int, str] = {}
        self.digests: dict[int, str] = {}
        self._truths: list[Columns] = []
        self._decisions: list[Columns] = []
        self._wanted = np.array([selection.watches(k) for k in range(selection.limit)], dtype=bool)
        self.active = selection.limit > 0
        if self.active:
            env.keep_final_truth(True)

    def look(self, moment: Moment, observation: Any) -> None:
        """Record the truth that a decision meets, and the cue and views that it is shown."""
        numbers, steps = moment.episode, moment.step
        watched = self._is_watched(numbers)
        if not watched.any():
            return
        truth = self._env.truth()
        cues = observation.get("cue") if isinstance(observation, dict) else None
        place = np.flatnonzero((truth["present"] & watched[:, None]).ravel())
        world = place // truth["present"].shape[1]
        table = {name: truth[name].ravel()[place] for name in _ACTOR}
        table |= {"episode": numbers[world], "step": steps[world]}
        rows = np.flatnonzero(watched)
        table["rows"] = {
            "episode": numbers[rows], "step": steps[rows],
            "cue": None if cues is None else np.asarray(cues)[rows],
            **_shown(observation, rows),
            **{name: truth[source][rows, 0] for name, source in _EGO.items()},
        }  # fmt: skip
        self._truths.append(table)
        fresh = [int(world) for world in rows if int(numbers[world]) not in self._watched]
        if fresh:
            occluders = self._env.occluders()
            for world in fresh:
                self._watched.add(int(numbers[world]))
                shapes = np.asarray(occluders[world]).tolist()
                self.occluders[int(numbers[world])] = json.dumps(shapes)

    def decide(self, moment: Moment, decision: Decision, transition: Transition) -> None:
        """Record what was done, and the last state of episodes that end with it."""
        numbers, steps, ended = moment.episode, moment.step, transition.ended
        rows = np.flatnonzero(self._is_watched(numbers))
        if not len(rows):
            return
        columns = {name: getattr(decision, name) for name in (*_NUMBERS, "probs", "attention")}
        self._decisions.append(
            {
                "episode": numbers[rows], "step": steps[rows],
                "reward": np.array(transition.rewards)[rows],
                "action": np.asarray(decision.actions)[rows],
                "rewards": _terms(transition.infos, rows, ended),
                **{k: None if v is None else np.asarray(v)[rows] for k, v in columns.items()},
            }
        )  # fmt: skip
        if ended[rows].any():
            finals = self._env.final_truths()
            for world in rows[ended[rows]]:
                self._final(int(numbers[world]), int(steps[world]) + 1, finals[world])

    def close(self, number: int, success: bool) -> None:
        """An episode has ended."""
        if self._selection.keeps(number, success):
            self.kept.add(number)

    def tables(self, decision_s: float) -> tuple[Columns, Columns]:
        """Columns of the steps and of the actors of all kept episodes; fills in `digests`."""
        kept = np.array(sorted(self.kept), dtype=np.int64)
        actors: Columns = {
            name: np.concatenate([table[name] for table in self._truths])
            for name in ("episode", "step", *_ACTOR)
        }
        actors = _ordered(actors, kept)
        self._digest(actors, kept)
        return self._steps(kept, decision_s), actors

    def _final(self, number: int, step: int, truth: dict[str, NDArray[Any]] | None) -> None:
        if truth is None:
            return
        count = len(truth["id"])
        table: Columns = {name: np.array(truth[name]) for name in _ACTOR}
        table |= {"episode": np.full(count, number), "step": np.full(count, step)}
        table["rows"] = {
            "episode": np.array([number]), "step": np.array([step]), "cue": None,
            **{name: [None] for name in _VIEWS},
            **{name: np.array(truth[source][:1]) for name, source in _EGO.items()},
        }  # fmt: skip
        self._truths.append(table)

    def _digest(self, actors: Columns, kept: NDArray[np.int64]) -> None:
        bounds = np.searchsorted(actors["episode"], [*kept, np.iinfo(np.int64).max])
        for number, first, last in zip(kept, bounds[:-1], bounds[1:], strict=True):
            digest = Digest()
            digest.add({name: actors[name][first:last] for name in TRACE_COLUMNS})
            self.digests[int(number)] = digest.hexdigest()

    def _steps(self, kept: NDArray[np.int64], decision_s: float) -> Columns:
        looks = [table["rows"] for table in self._truths]
        steps: Columns = {
            name: np.concatenate([look[name] for look in looks])
            for name in ("episode", "step", *_EGO)
        }
        steps["cue"] = _cues(looks)
        steps |= {name: _objects(look[name] for look in looks) for name in _VIEWS}
        steps = _ordered(steps, kept)
        decisions: Columns = {
            name: np.concatenate([one[name] for one in self._decisions])
            for name in ("episode", "step", "reward")
        }
        decisions["action"] = _objects(
            [_json(np.concatenate([one["action"] for one in self._decisions]))]
        )
        decisions["rewards"] = _rewards([one["rewards"] for one in self._decisions])
        for name in (*_NUMBERS, "probs"):
            if self._decisions[0][name] is not None:
                decisions[name] = np.concatenate([one[name] for one in self._decisions])
        if self._decisions[0]["attention"] is not None:
            decisions["attention"] = _objects(one["attention"].tolist() for one in self._decisions)
        decisions = _ordered(decisions, kept)
        if "attention" in decisions:  # oldest first, frames of this episode alone
            pairs = zip(decisions["attention"], decisions["step"], strict=True)
            decisions["attention"] = _objects([[weights[-(step + 1) :] for weights, step in pairs]])
        return _joined(steps, decisions) | {"t_s": steps["step"] * decision_s}

    def _is_watched(self, numbers: NDArray[np.int64]) -> NDArray[np.bool_]:
        if not len(self._wanted):
            return np.zeros(len(numbers), dtype=bool)
        last = len(self._wanted) - 1
        return np.asarray((numbers <= last) & self._wanted[np.minimum(numbers, last)], dtype=bool)


def _shown(observation: Any, rows: NDArray[np.int64]) -> dict[str, list[Any]]:
    """Views of some worlds as lists of numbers; None where a driver is not shown one."""
    shown = observation if isinstance(observation, dict) else {}
    return {
        name: [None] * len(rows)
        if name not in shown
        else [_numbers_of(name, np.asarray(shown[name][row])) for row in rows]
        for name in _VIEWS
    }


def _numbers_of(name: str, view: NDArray[np.float32]) -> list[float]:
    """A view's numbers, as `schemas` says; a grid is mostly empty."""
    if name == "grid":
        channels = view.reshape(len(view), -1)
        cells = np.flatnonzero(channels[0])
        view = np.concatenate([cells[None], channels[:, cells]]).T
    numbers: list[float] = view.ravel().tolist()
    return numbers


def _terms(
    infos: dict[str, Any], rows: NDArray[np.int64], ended: NDArray[np.bool_]
) -> tuple[tuple[str, ...], NDArray[np.float64]]:
    """Names of the reward's terms, and their values (rows, terms)."""
    running, final = infos.get("rewards", {}), infos.get("final_info", {}).get("rewards", {})
    names = tuple(sorted(k for k in {**running, **final} if not k.startswith("_")))
    values = np.full((len(rows), len(names)), np.nan)
    over = ended[rows]
    for column, name in enumerate(names):
        for terms, chosen in ((running, ~over), (final, over)):
            if name in terms:
                values[chosen, column] = np.asarray(terms[name], dtype=np.float64)[rows[chosen]]
    return names, values


def _json(values: NDArray[Any], names: tuple[str, ...] = ()) -> list[str]:
    """JSON of each row of an array, as a dict if its columns have names; each text made once."""
    flat = values.reshape(len(values), -1)
    _, first, place = np.unique(flat, axis=0, return_index=True, return_inverse=True)
    texts = []
    for row in first:
        told = {k: v for k, v in zip(names, flat[row], strict=True) if v == v} if names else {}
        texts.append(as_json(told if names else values[row]))
    return [texts[k] for k in place.ravel()]


def _objects(parts: Any) -> NDArray[np.object_]:
    """Lists end to end, as one column of objects."""
    values = [value for part in parts for value in part]
    column = np.empty(len(values), dtype=object)
    column[:] = values
    return column


def _cues(looks: list[Columns]) -> NDArray[np.object_]:
    """JSON of the cue at every look; None where none is shown, as at an episode's end."""
    shown = [look["cue"] for look in looks if look["cue"] is not None]
    texts = iter(_json(np.concatenate(shown)) if shown else [])
    return _objects(
        [None if look["cue"] is None else next(texts) for _ in look["step"]] for look in looks
    )


def _rewards(told: list[tuple[tuple[str, ...], NDArray[np.float64]]]) -> NDArray[np.object_]:
    """JSON of the reward's terms at every decision, steps with the same names at once."""
    blocks = [list(block) for _, block in groupby(told, key=lambda one: one[0])]
    return _objects(
        _json(np.concatenate([values for _, values in block]), block[0][0]) for block in blocks
    )


def _ordered(columns: Columns, kept: NDArray[np.int64]) -> Columns:
    """Rows of kept episodes by episode and step; actors stay in the backend's order."""
    rows = np.flatnonzero(np.isin(columns["episode"], kept))
    order = rows[np.lexsort((columns["step"][rows], columns["episode"][rows]))]
    return {name: column[order] for name, column in columns.items()}


def _joined(steps: Columns, decisions: Columns) -> Columns:
    """Decisions beside the states that they were taken in; an episode's last state has none."""
    key = steps["episode"] * (1 << 32) + steps["step"]
    place = np.searchsorted(key, decisions["episode"] * (1 << 32) + decisions["step"])
    joined = dict(steps)
    for name, column in decisions.items():
        if name in ("episode", "step"):
            continue
        if column.dtype == object:
            wide: NDArray[Any] = np.empty(len(key), dtype=object)
        else:
            wide = np.full((len(key), *column.shape[1:]), np.nan)
        wide[place] = column
        joined[name] = wide
    return joined
