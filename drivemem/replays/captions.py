"""A few words for every decision of an episode: what is in sight, what was, what is chosen."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from drivemem.replays.focus import name_of
from drivemem.replays.load import Trace
from drivemem.replays.simulate import decision_time_s, scenario_of

_TOLD_S = 1.0
"""How long a choice stays in the caption, s."""


def captions(trace: Trace, actors: Sequence[int], dark: Sequence[bool]) -> list[str]:
    """The words, for decisions 0, 1, ….

    Args:
        trace: what was recorded.
        actors: which of them the episode is about; see `focus`.
        dark: at which decisions sight fails.
    """
    decided = choice(trace)
    dt, told = trace.row.decision_s, []
    signs_told = _sign_words(trace)
    for step, truth in enumerate(trace.decisions):
        parts = ["sight fails"] if dark[step] else []
        if step < len(signs_told) and signs_told[step]:
            parts.append(signs_told[step])
        parts += [text for actor in actors if (text := _seen(trace, truth, actor))]
        if decided and 0 <= (step - decided[0]) * dt < _TOLD_S:
            parts.append(f"chooses {decided[1]}")
        told.append(" · ".join(parts))
    told[-1] = trace.row.outcome.replace("_", " ")
    told[-1] += f": chose {decided[1]}" if decided else ""
    if not decided and (shown := [sign for sign in signs(trace) if sign.values]):
        told[-1] += f" · {_named(shown[-1])}"
    return told


def choice(trace: Trace) -> tuple[int, str] | None:
    """The one decision that counts, and its action's label; None where every one counts."""
    row = trace.row
    seconds = decision_time_s(row.scenario, json.dumps(row.config, sort_keys=True))
    if seconds is None:
        return None
    step = round(seconds / row.decision_s)
    if step >= len(trace.actions):
        return None
    return step, label_of(trace, step)


def label_of(trace: Trace, step: int) -> str:
    """highway-env's name of the action at a decision."""
    from drivemem_envs.drivers.constant import action_labels

    labels, action = action_labels(scenario_of(trace.row)), trace.actions[step]
    known = isinstance(action, int) and 0 <= action < len(labels)
    return labels[action] if known else f"action {action}"


def _seen(trace: Trace, truth: dict[str, Any], actor: int) -> str:
    rows = np.flatnonzero(truth["id"] == actor)
    if not len(rows):
        return ""
    name, age = name_of(trace, actor), float(truth["age_s"][rows[0]])
    if truth["perceived"][rows[0]]:
        return f"sees {name}"
    return f"{name} out of sight for {age:.1f} s" if np.isfinite(age) else f"{name} not seen yet"


class Sign(NamedTuple):
    """What a cue shows at a decision."""

    step: int
    values: tuple[float, ...]
    """() where nothing is shown."""

    @property
    def words(self) -> str:
        """Which of them it names."""
        named = sum(1 for value in self.values if value) == 1 and max(self.values) == 1
        return f", {self.values.index(1) + 1} of {len(self.values)}" if named else ""


def signs(trace: Trace) -> list[Sign]:
    """The cue at each decision; empty for scenarios without one."""
    found = []
    for step, text in enumerate(trace.steps.get("cue", ())):
        values = tuple(json.loads(text)) if isinstance(text, str) else ()
        found.append(Sign(step, values if any(values) else ()))
    return found


def sign_at(trace: Trace, step: int) -> str:
    """For how long the sign has been gone at a decision, and what it said; nothing without one."""
    shown = [sign for sign in signs(trace) if sign.values and sign.step <= step]
    if not shown or shown[-1].step == step:
        return ""
    gone = (step - shown[-1].step) * trace.row.decision_s
    return f"the {_named(shown[-1])} gone for {gone:.1f} s"


def _named(sign: Sign) -> str:
    which = sign.words.removeprefix(", ")
    return f"sign ({which})" if which else "sign"


def _sign_words(trace: Trace) -> list[str]:
    """What is to be said of the cue at each decision; nothing until it is shown."""
    words: list[str] = []
    last: Sign | None = None
    for sign in signs(trace):
        last = sign if sign.values else last
        if last is None:
            words.append("")
        elif last is sign:
            words.append(f"sees the sign{sign.words}")
        else:
            gone = (sign.step - last.step) * trace.row.decision_s
            words.append(f"{_named(last)} gone for {gone:.1f} s")
    return words
