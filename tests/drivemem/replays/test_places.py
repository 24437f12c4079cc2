"""Which place a cue named, of episodes that were recorded and of ways that were made up."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import drivemem_envs
from drivemem.replays.captions import captions, signs
from drivemem.replays.load import Trace, find_recording
from drivemem.replays.places import named_places, pack_places
from drivemem_envs.reference.geometry import lane_shapes


def network_of(scenario: str, seed: int = 6) -> Any:
    world: Any = drivemem_envs.make(scenario).unwrapped
    world.reset(seed=seed)
    return world.road.network


@pytest.fixture(scope="module")
def at_exits(recorder: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Trace:
    folder = recorder(
        tmp_path_factory.mktemp("r") / "exits", "constant:IDLE", [6], "exit-recall-v0"
    )
    loaded = find_recording(folder)
    return loaded.trace(loaded.episodes[0])


def test_the_exit_on_the_sign_stays_named_when_the_sign_is_gone(at_exits: Trace) -> None:
    network = network_of("exit-recall-v0")
    named = named_places(network, at_exits)
    sign = json.loads(at_exits.steps["cue"][0])
    assert not any(json.loads(at_exits.steps["cue"][len(named) - 2]))
    assert named == [[(0, sign.index(1.0))]] * len(at_exits.decisions)
    words = captions(at_exits, (), [False] * len(at_exits.decisions))
    assert words[0] == f"sees the sign, exit {sign.index(1.0) + 1}"


def test_places_are_lanes_of_the_road_that_the_page_draws(at_exits: Trace) -> None:
    network = network_of("exit-recall-v0")
    packed = pack_places(network, at_exits)
    assert packed is not None and packed["names"] == ["exit 1", "exit 2", "exit 3"]
    shapes = lane_shapes(network)
    (lanes,) = packed["lanes"]
    for row, index in zip(lanes, [("c", "d", number) for number in range(3)], strict=True):
        lane = network.get_lane(index)
        middle = (shapes[row].left[0] + shapes[row].right[0]) / 2
        np.testing.assert_allclose(middle, lane.position(0.0, 0.0))


def made_up(trace: Trace, scenario: str, places: Any, cues: list[list[float]]) -> Trace:
    """A way through some places, with a cue at each."""
    count = len(places)
    x, y = np.array(places, dtype=float).T
    actors = {name: np.resize(column[:1], count) for name, column in trace.actors.items()}
    actors |= {"id": np.zeros(count, int), "step": np.arange(count), "x": x, "y": y}
    steps = {"cue": np.array([json.dumps(cue) for cue in cues], dtype=object)}
    return Trace(replace(trace.row, scenario=scenario), steps, actors)


def test_an_instruction_is_for_the_junction_that_comes_next(at_exits: Trace) -> None:
    world: Any = drivemem_envs.make("route-instructions-easy-v0").unwrapped
    world.reset(seed=0)
    network, forks = world.road.network, world.cue_meaning().junctions
    assert [len(lanes) for lanes in forks] == [3, 3]
    start = world.vehicle.position
    inside = [network.get_lane(lanes[1]).position(5.0, 0.0) for lanes in forks]
    none, first, third = [0, 0, 0], [1, 0, 0], [0, 0, 1]
    trace = made_up(
        at_exits, "route-instructions-easy-v0",
        [start, start, start, start, inside[0], inside[0], inside[1]],
        [none, first, third, none, none, third, none],
    )  # fmt: skip
    assert named_places(network, trace) == [
        [], [(0, 0)], [(0, 2)], [(0, 2)], [(0, 2)], [(1, 2)], [(1, 2)],
    ]  # fmt: skip


def test_a_route_names_a_branch_at_every_junction(at_exits: Trace) -> None:
    world: Any = drivemem_envs.make("route-instructions-hard-v0").unwrapped
    world.reset(seed=0)
    route = [0, 1, 0, 1, 0, 0, 0, 0, 1]
    start = world.vehicle.position
    trace = made_up(at_exits, "route-instructions-hard-v0", [start] * 2, [route, [0] * 9])
    assert named_places(world.road.network, trace) == [[(0, 1), (1, 0), (2, 2)]] * 2


@pytest.mark.parametrize("scenario", ["glare-exit-v0", "camera-exit-v0", "missed-exit-v0"])
def test_the_only_exit_is_named_at_all_times(at_exits: Trace, scenario: str) -> None:
    trace = made_up(at_exits, scenario, [(0.0, 0.0)] * 2, [[], []])
    network = network_of(scenario)
    assert named_places(network, trace) == [[(0, 0)]] * 2
    packed = pack_places(network, trace)
    assert packed is not None and packed["names"] == ["exit"]


def test_a_limit_is_no_place(at_exits: Trace) -> None:
    trace = made_up(at_exits, "limit-recall-v0", [(0.0, 0.0)] * 2, [[0, 1, 0], [0, 0, 0]])
    network = network_of("limit-recall-v0")
    assert pack_places(network, trace) is None
    assert named_places(network, trace) == [[], []]
    assert signs(trace)[0].says == "11 m/s"
