"""An agent's actions as one decision tree over what it sees: what can be told without memory."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.tree import DecisionTreeClassifier, export_text

from drivemem.probes.traces import Traces


def make_tree(traces: Traces, depth: int) -> DecisionTreeClassifier:
    """Fit a tree of an agent's actions.

    Args:
        traces: of the agent, with discrete actions.
        depth: at most.
    """
    tree: Any = DecisionTreeClassifier(max_depth=depth, min_samples_leaf=5, random_state=0)
    return tree.fit(traces.inputs["observation"], traces.actions.astype(np.int64))


def often(
    tree: DecisionTreeClassifier, actions: int, observation: NDArray[np.float32]
) -> NDArray[np.float64]:
    """How often each action goes with observations (N, D), as a share (N, actions)."""
    found = np.zeros((len(observation), actions))
    found[:, tree.classes_] = tree.predict_proba(observation)
    return found


def tree_text(tree: DecisionTreeClassifier, names: list[str], labels: list[str], depth: int) -> str:
    """The tree as indented lines, with names of numbers and actions."""
    chosen = [labels[action] for action in tree.classes_]
    if len(chosen) == 1:  # scikit-learn prints no name of an only class
        return f"|--- {chosen[0]}\n"
    text: str = export_text(
        tree, feature_names=names, class_names=chosen, max_depth=depth, decimals=3
    )
    return text.replace("|--- class: ", "|--- ")
