"""Machines and trees of agents whose behaviour is known."""

from __future__ import annotations

import numpy as np
import pytest
from gymnasium import spaces

import drivemem_envs
from drivemem.evaluation.external_drivers import spaces_of
from drivemem.explaining.features import feature_names
from drivemem.explaining.machine import (
    BEGIN,
    follow_traces,
    make_machine,
    mutual_information,
    states_before,
)
from drivemem.explaining.student import MachineDriver, RuleDriver
from drivemem.explaining.tree import make_tree, often, tree_text
from drivemem.probes.targets import Hidden
from drivemem.probes.traces import Traces, flat_rows

LENGTH = 10
"""Decisions of an episode: a cue at first, the same frame until the last, where it is named."""


def recalling(episodes: int, loud: float = 5.0, seed: int = 0) -> Traces:
    """What an agent does that remembers which of two cues it saw, in a small part of its memory.

    Args:
        episodes: how many.
        loud: how much more the rest of its memory varies, which is time and noise.
        seed: of the cues.
    """
    draw = np.random.default_rng(seed)
    cue = draw.integers(2, size=episodes).repeat(LENGTH)
    step = np.tile(np.arange(LENGTH), episodes)
    first, last = step == 0, step == LENGTH - 1
    seen = np.stack([(2 * cue - 1) * first, last], axis=1).astype(np.float32)
    memory = np.stack(
        [2.0 * cue - 1.0, loud * step / LENGTH, loud * draw.standard_normal(len(step))], axis=1
    ).astype(np.float32)
    actions = np.where(last, 1 + cue, 0)
    rows, nothing = len(step), np.full(len(step), np.nan)
    hidden = Hidden(
        np.full(rows, -1), nothing, np.full((rows, 2), np.nan), np.full((rows, 2), np.nan),
        nothing, np.zeros((rows, 3)),
    )  # fmt: skip
    return Traces(
        0.5, np.arange(episodes).repeat(LENGTH), step, {"memory": memory, "observation": seen},
        np.eye(2)[cue], 0.5 * step, hidden, actions, np.eye(3)[actions], {}, "compiled",
    )  # fmt: skip


def test_a_machine_finds_the_branches_though_the_cue_is_a_small_part_of_memory() -> None:
    machine, _ = make_machine(recalling(100), states=8, depth=3)
    held = recalling(50, seed=1)
    states = follow_traces(machine, held)
    np.testing.assert_array_equal(machine.act(states), held.actions)
    told, most = mutual_information(states, held.latent.argmax(axis=1))
    assert told == pytest.approx(most)


def test_a_machine_drives_by_its_own_steps() -> None:
    """It is shown observations alone, in worlds that are at different moments."""
    machine, _ = make_machine(recalling(100), states=8, depth=3)
    held = recalling(2, seed=3)
    seen = held.inputs["observation"].reshape(2, LENGTH, 2)
    driver = MachineDriver(machine)

    class Two:
        num_envs = 2

    driver.begin(Two())
    late = [*range(4, LENGTH), *range(4)]  # the second world is four decisions ahead
    for decision in range(LENGTH):
        frames = np.stack([seen[0, decision], seen[1, late[decision]]])
        starts = np.array([decision == 0, decision == 0 or late[decision] == 0])
        actions = driver.decide(frames, starts, None).actions
        assert actions[0] == held.actions[decision]


def test_a_state_whose_action_is_not_available_does_the_next_best() -> None:
    machine, _ = make_machine(recalling(100), states=8, depth=3)
    state = int(machine.actions[:, 1].argmax())
    assert machine.act(np.array([state])).tolist() == [1]
    masks = np.array([[False, False, True]])
    assert machine.act(np.array([state]), masks).tolist() == [2]


def test_states_begin_anew_with_episodes() -> None:
    found = states_before(np.array([3, 1, 2, 0]), np.array([0, 1, 0, 1]))
    assert found.tolist() == [BEGIN, 3, BEGIN, 2]


def test_what_a_tree_cannot_tell_is_memory() -> None:
    traces = recalling(200)
    tree = make_tree(traces, depth=4)
    said = tree.predict(traces.inputs["observation"])
    last = traces.step == LENGTH - 1
    assert (said[~last] == traces.actions[~last]).all()
    assert (said[last] == traces.actions[last]).mean() < 0.7
    text = tree_text(tree, ["cue", "at the end"], ["WAIT", "LEFT", "RIGHT"], 4)
    assert "at the end <= 0.500" in text and "|--- WAIT" in text


def test_a_rule_takes_the_likeliest_action_that_is_available() -> None:
    traces = recalling(200)
    tree = make_tree(traces, depth=4)
    driver = RuleDriver(lambda seen: often(tree, 3, seen))
    frames = np.array([[0.0, 0.0], [0.0, 1.0]], dtype=np.float32)
    starts = np.zeros(2, dtype=bool)
    assert driver.decide(frames, starts, None).actions[0] == 0
    masks = np.array([[False, True, True], [True, False, True]])
    assert driver.decide(frames, starts, masks).actions[1] == 2


def test_mutual_information_by_hand() -> None:
    facts = np.array([0, 0, 1, 1])
    assert mutual_information(np.array([0, 0, 1, 1]), facts) == pytest.approx((1.0, 1.0))
    assert mutual_information(np.array([0, 1, 0, 1]), facts) == pytest.approx((0.0, 1.0))
    told, most = mutual_information(np.array([0, 0, 0, 1]), facts)
    assert (told, most) == pytest.approx((1.0 - 0.75 * (np.log2(3) - 2 / 3), 1.0))


@pytest.mark.parametrize("views", [("rows",), ("grid", "lanes")])
def test_every_number_of_an_observation_has_its_name(views: tuple[str, ...]) -> None:
    scenario = drivemem_envs.scenario("exit-recall").with_(views=views)
    space = spaces_of(scenario)[0]
    names = feature_names(space, scenario)
    drawn = {key: np.asarray(part)[None] for key, part in space.sample().items()}
    assert len(names) == len(set(names)) == flat_rows(drawn).shape[1]
    if views == ("rows",):
        assert isinstance(space, spaces.Dict)
        row = flat_rows(drawn)[0]
        at = names.index("car 2 vy")
        column = scenario.observation.features.index("vy")
        assert row[at] == drawn["vehicles"][0, 2, column]
        assert row[names.index("cue[1]")] == drawn["cue"][0, 1]
