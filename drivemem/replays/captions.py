"""A few words for every decision of an episode: what is in sight, what was, what is chosen."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from drivemem.replays.focus import name_of
from drivemem.replays.load import Trace
from drivemem.replays.simulate import scenario_of, told_by

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
    seconds = told_by(trace.row).decision_time_s
    if seconds is None:
        return None
    step = round(seconds / trace.row.decision_s)
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
    what: str
    """What shows it, such as "sign"."""
    says: str
    """What it says in words; nothing where they are not known."""


def signs(trace: Trace) -> list[Sign]:
    """The cue at each decision; empty for scenarios without one."""
    found, cues = [], trace.steps.get("cue", ())
    meaning = told_by(trace.row).meaning
    for step, text in enumerate(cues):
        values = tuple(json.loads(text)) if isinstance(text, str) else ()
        shown = values if any(values) else ()
        found.append(Sign(step, shown, meaning.what, meaning.words(shown)))
    return found


def sign_at(trace: Trace, step: int) -> str:
    """For how long the sign has been gone at a decision, and what it said; nothing without one."""
    shown = [sign for sign in signs(trace) if sign.values and sign.step <= step]
    if not shown or shown[-1].step == step:
        return ""
    gone = (step - shown[-1].step) * trace.row.decision_s
    return f"the {_named(shown[-1])} gone for {gone:.1f} s"


def _named(sign: Sign) -> str:
    return f"{sign.what} ({sign.says})" if sign.says else sign.what


def _sign_words(trace: Trace) -> list[str]:
    """What is to be said of the cue at each decision; nothing until it is shown."""
    words: list[str] = []
    last: Sign | None = None
    for sign in signs(trace):
        last = sign if sign.values else last
        if last is None:
            words.append("")
        elif last is sign:
            words.append(f"sees the {sign.what}" + (f", {sign.says}" if sign.says else ""))
        else:
            gone = (sign.step - last.step) * trace.row.decision_s
            words.append(f"{_named(last)} gone for {gone:.1f} s")
    return words
