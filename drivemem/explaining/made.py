"""What a run is made into: fitted to one half of what it did, judged on the other, written."""

from __future__ import annotations

import json
from dataclasses import fields
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from drivemem.evaluation.drivers import ActingDriver
from drivemem.explaining.config import ExplainConfig, Explanation
from drivemem.explaining.drawing import draw_machine
from drivemem.explaining.machine import (
    follow_traces,
    make_machine,
    mutual_information,
    states_before,
)
from drivemem.explaining.student import MachineDriver, RuleDriver
from drivemem.explaining.tree import make_tree, often, tree_text
from drivemem.probes.traces import Traces
from drivemem.runs import manifest, write_json_file
from drivemem_agents.files import atomic_file

MOST_FACTS = 16
"""More distinct values than this, and what is hidden is a quantity rather than a kind."""
PURE = 0.9
"""A state of which this share goes with one hidden fact knows it."""


class MadeTree:
    """A decision tree of a run's actions."""

    def __init__(
        self, name: str, config: ExplainConfig, fit: Traces, held: Traces,
        names: list[str], labels: list[str],
    ) -> None:  # fmt: skip
        self._names, self._labels = names, labels
        self._depth = config.depth or 5
        self.tree = make_tree(fit, self._depth)
        said = self.tree.predict(held.inputs["observation"])
        self.agreement = float((said == held.actions).mean())
        self.size = int(self.tree.get_n_leaves())
        self.driver: ActingDriver = RuleDriver(partial(often, self.tree, len(labels)))
        self.facts: dict[str, Any] = {}

    def write(self, found: Explanation) -> tuple[Path, ...]:
        """tree.txt and tree.json."""
        text = tree_text(self.tree, self._names, self._labels, self._depth)
        return _written(found, text, {"depth": self._depth})


class MadeMachine:
    """A finite-state machine of a run's memory."""

    def __init__(
        self, name: str, config: ExplainConfig, fit: Traces, held: Traces,
        names: list[str], labels: list[str],
    ) -> None:  # fmt: skip
        self._name, self._names, self._labels, self._held = name, names, labels, held
        self._depth = config.depth or 6
        self.machine, _ = make_machine(fit, config.states, self._depth, config.seed)
        self.label = follow_traces(self.machine, held)
        said = self.machine.act(self.label)
        self.agreement = float((said == held.actions).mean())
        self.size = self.machine.states
        self.driver: ActingDriver = MachineDriver(self.machine)
        self._knows = [""] * self.size
        self.facts = self._told()

    def _told(self) -> dict[str, Any]:
        """What the states tell of what is hidden while it is."""
        held = self._held
        hidden = held.cue_age_s > 0.0
        kinds, fact = np.unique(held.latent, axis=0, return_inverse=True)
        fact = fact.reshape(-1)
        if held.latent.shape[1] == 0 or not 2 <= len(kinds) <= MOST_FACTS or not hidden.any():
            return {}
        told, most = mutual_information(self.label[hidden], fact[hidden])
        known: set[int] = set()
        for state in range(self.size):
            here = fact[hidden & (self.label == state)]
            if len(here):
                share = np.bincount(here, minlength=len(kinds)) / len(here)
                if share.max() >= PURE:
                    known.add(int(share.argmax()))
                    self._knows[state] = f"knows: {share.argmax() + 1} of {len(kinds)}"
        return {
            "told_bits": told, "fact_bits": most, "branches": len(known), "facts": len(kinds)
        }  # fmt: skip

    def write(self, found: Explanation) -> tuple[Path, ...]:
        """machine.txt, machine.json and the picture."""
        held, states = self._held, range(self.size)
        moves = np.zeros((self.size, self.size))
        before = states_before(self.label, held.step)
        inside = before >= 0
        np.add.at(moves, (before[inside], self.label[inside]), 1.0)
        taken = np.zeros((self.size, len(self._labels)))
        np.add.at(taken, (self.label, held.actions.astype(np.int64)), 1.0)
        seen = [state for state in states if taken[state].sum()]
        when = np.array([held.step[self.label == state].mean() * held.decision_s for state in seen])
        pictures = [found.folder / f"machine{ending}" for ending in (".png", ".svg")]
        found.folder.mkdir(parents=True, exist_ok=True)
        draw_machine(
            pictures, title=f"{self._name} as a machine of {len(seen)} states",
            labels=self._labels, actions=taken[seen], moves=moves[np.ix_(seen, seen)], when=when,
            branch=[self._knows[state] for state in seen],
            numbers=seen,
        )  # fmt: skip
        table = {
            str(state): {
                "share_of_time": float(taken[state].sum() / taken.sum()),
                "actions": dict(zip(self._labels, taken[state].astype(int).tolist(), strict=True)),
                "knows": self._knows[state],
                "next": {
                    str(other): int(moves[state, other]) for other in states if moves[state, other]
                },
            }
            for state in states
        }
        text = "\n".join(self._rules(state) for state in sorted(self.machine.steps))
        files = _written(found, text, {"depth": self._depth, "states": table})
        return (*files, *pictures)

    def _rules(self, state: int) -> str:
        """What chooses the next state out of one, as text."""
        tree = self.machine.steps[state]
        numbers = [f"state {number}" for number in range(self.size)]
        name = "at the beginning" if state < 0 else f"in state {state}"
        doing = "" if state < 0 else f", which does {self._most(state)}"
        return f"{name}{doing}:\n{tree_text(tree, self._names, numbers, self._depth)}"

    def _most(self, state: int) -> str:
        return self._labels[int(self.machine.actions[state].argmax())]


def _written(found: Explanation, text: str, more: dict[str, Any]) -> tuple[Path, ...]:
    """Write the text, and all numbers as JSON."""
    words, numbers = (found.folder / f"{found.to}{ending}" for ending in (".txt", ".json"))
    plain = {
        one.name: getattr(found, one.name)
        for one in fields(found)
        if one.name not in ("folder", "files")
    }
    write_json_file(numbers, {**json.loads(json.dumps(plain)), **more, "made": manifest("done")})
    with atomic_file(words) as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")
    return words, numbers
