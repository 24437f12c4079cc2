"""A recurrent agent as a finite-state machine whose states are clusters of its memory states.

Source: Koul et al. 2019, "Learning finite state representations of recurrent policy networks",
where bottlenecks that are trained quantise memory and observation. Here k-means quantises memory
states, and a small decision tree for each state chooses the next one from the observation, so that
what leads from one state to another can be read as comparisons of named numbers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import KMeans
from sklearn.linear_model import Ridge
from sklearn.tree import DecisionTreeClassifier

from drivemem.probes.traces import Traces

Ints = NDArray[np.int64]
BEGIN = -1
"""In place of a state: before the first decision of an episode."""


@dataclass(frozen=True)
class Machine:
    """A finite-state machine: the observation chooses the next state, the state the action."""

    actions: NDArray[np.float64]
    """(S, n) how often the agent took each action in each state."""
    steps: dict[int, DecisionTreeClassifier]
    """By state (or `BEGIN`): what chooses the next one from an observation (D,)."""

    @property
    def states(self) -> int:
        """S, how many there are."""
        return len(self.actions)

    def follow(self, states: Ints, observation: NDArray[np.float32]) -> Ints:
        """The next states of N worlds.

        Args:
            states: (N,) before; `BEGIN` where an episode begins.
            observation: (N, D).
        """
        following = np.empty(len(states), dtype=np.int64)
        for state in np.unique(states):
            here = states == state
            following[here] = self.steps[int(state)].predict(observation[here])
        return following

    def act(self, states: Ints, masks: NDArray[np.bool_] | None = None) -> Ints:
        """What is done most often in states (N,), of what is available (N, n)."""
        often = self.actions[states]
        if masks is not None:
            often = np.where(masks, often, -1.0)
        return np.asarray(often.argmax(axis=1), dtype=np.int64)


def make_machine(traces: Traces, states: int, depth: int, seed: int = 0) -> tuple[Machine, Ints]:
    """Fit a machine to what an agent did.

    What is clustered of each decision is the memory state, the probabilities of its actions, and
    what the memory state foretells of actions to come (`_foretold`), each with the same total
    variance: moments that differ little in memory are different states where the agent does
    different things then or later.

    Args:
        traces: of the agent, with a memory state and discrete actions.
        states: how many at most.
        depth: of the trees that choose the next state.
        seed: of the clustering.

    Returns:
        The machine, and the state of each row of the traces.
    """
    memory, probs = traces.inputs["memory"], traces.probs
    assert probs is not None
    parts: list[NDArray[Any]] = [memory, probs, _foretold(memory, _to_come(probs, traces.episode))]
    points = np.concatenate([_of_equal_variance(part) for part in parts], axis=1)
    found = KMeans(min(states, len(np.unique(points, axis=0))), n_init=4, random_state=seed)
    label = _in_order_of_time(found.fit_predict(points).astype(np.int64), traces.step)
    taken = np.zeros((int(label.max()) + 1, probs.shape[1]))
    np.add.at(taken, (label, traces.actions.astype(np.int64)), 1.0)
    before = states_before(label, traces.step)
    seen = traces.inputs["observation"]
    steps = {int(state): _next(before == state, seen, label, depth) for state in np.unique(before)}
    return Machine(taken, steps), label


def _to_come(probs: NDArray[np.float64], episode: Ints) -> NDArray[np.float64]:
    """How often each action is still to be taken in the episode, this decision's too (R, n)."""
    totals = np.cumsum(probs, axis=0)
    last = np.searchsorted(episode, episode, side="right") - 1
    return np.asarray(totals[last] - totals + probs)


def _foretold(memory: NDArray[np.float32], to_come: NDArray[np.float64]) -> NDArray[np.float64]:
    """What a linear reading of memory states (R, H) says of actions to come (R, n - 1).

    The commonest action, of which mostly the time left is to be said, is left out; the others count
    the same, however rare.
    """
    rarer = np.delete(to_come, to_come.sum(axis=0).argmax(), axis=1)
    said: NDArray[np.float64] = Ridge(alpha=1.0).fit(memory, rarer).predict(memory)
    said = said.reshape(rarer.shape)
    return np.asarray(said / np.maximum(said.std(axis=0), 1e-9))


def _of_equal_variance(part: NDArray[Any]) -> NDArray[np.float64]:
    """A block of columns whose variances sum to 1, or are 0."""
    columns = np.asarray(part, dtype=np.float64)
    total = float(columns.var(axis=0).sum())
    return np.asarray(columns / np.sqrt(total if total > 0.0 else 1.0))


def states_before(label: Ints, step: Ints) -> Ints:
    """The state before each row of traces (R,); `BEGIN` where an episode begins."""
    return np.where(step == 0, BEGIN, np.concatenate([[BEGIN], label[:-1]]))


def follow_traces(machine: Machine, traces: Traces) -> Ints:
    """The states (R,) that a machine goes through where the agent drove, by its own steps."""
    seen, found = traces.inputs["observation"], np.full(len(traces.step), BEGIN)
    rows = {step: np.flatnonzero(traces.step == step) for step in range(int(traces.step.max()) + 1)}
    for step, here in rows.items():
        before = np.full(len(here), BEGIN) if step == 0 else found[here - 1]
        found[here] = machine.follow(before, seen[here])
    return found


def _in_order_of_time(label: Ints, step: Ints) -> Ints:
    """States numbered by when in an episode they are in, on average."""
    when = [step[label == state].mean() for state in range(int(label.max()) + 1)]
    place = np.argsort(np.argsort(when))
    return np.asarray(place[label], dtype=np.int64)


def _next(
    here: NDArray[np.bool_], seen: NDArray[np.float32], label: Ints, depth: int
) -> DecisionTreeClassifier:
    """What chooses the next state from where `here` (R,) says."""
    tree: Any = DecisionTreeClassifier(max_depth=depth, min_samples_leaf=2, random_state=0)
    return tree.fit(seen[here], label[here])


def mutual_information(states: Ints, facts: Ints) -> tuple[float, float]:
    """What states tell of facts, in bits, and the most that there is to tell (the facts' entropy).

    Args:
        states: (R,).
        facts: (R,) of the same moments.
    """
    table = np.zeros((int(states.max()) + 1, int(facts.max()) + 1))
    np.add.at(table, (states, facts), 1.0)
    joint = table / table.sum()
    apart = joint.sum(axis=1, keepdims=True) * joint.sum(axis=0, keepdims=True)
    known = joint > 0.0
    told = float((joint[known] * np.log2(joint[known] / apart[known])).sum())
    share = joint.sum(axis=0)
    share = share[share > 0.0]
    return told, float(-(share * np.log2(share)).sum())
