"""Lesions do what they say: the empty ones nothing at all, the full ones everything."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from benchmarks.toys import TMazes
from drivemem.errors import DrivememError
from drivemem.evaluation.drivers import AgentDriver, Decision
from drivemem.lesions import (
    INTACT,
    folder_name,
    lesion_info,
    lesion_names,
    lesions,
    make_lesion,
    parse_lesions,
    register_lesion,
    split_dose,
)
from drivemem.lesions.contamination import BURST
from drivemem_agents import MemoryPPO
from drivemem_agents.memory import memory_names

torch.set_num_threads(1)

STEPS, WORLDS = 14, 5
MEMORIES = {
    "gru": {"hidden_size": 8},
    "lstm": {"hidden_size": 8},
    "frame_stack": {"frames": 3},
    "attention": {},
    "linear_attention": {},
    "none": {},
}
REMEMBERING = [name for name in MEMORIES if name != "none"]
EVERY = [name for name in memory_names() if name != "none"]
"""Also those that other packages bring."""
EMPTY = {
    "reset_every": "inf", "noise": "0", "prune": "0", "span": "14", "freeze": "14",
    "weight_noise": "0", "prune_random": "0", "shuffle": "1", "swap": "14", "contaminate": "14",
}  # fmt: skip
"""Arguments with which a lesion cuts nothing; `STEPS` is 14."""
WORKING = {
    "reset_every": "2", "freeze": "2", "noise": "0.5", "span": "2", "shuffle": "3", "swap": "2",
    "contaminate": "1x2",
}  # fmt: skip
LONG_TERM = {
    "prune": "0.5", "prune_random": "0.5", "weight_noise": "0.5", "reinit": "memory",
    "quantize": "3",
}  # fmt: skip

Folder = Callable[[str], Path]
Play = list[Decision]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    """Where an agent with a memory is, trained for a few hundred decisions."""
    known: dict[str, Path] = {}

    def of(memory: str) -> Path:
        if memory not in known:
            model = MemoryPPO(
                "MemoryPolicy", TMazes(8, corridor=3), memory=memory,
                memory_kwargs=MEMORIES.get(memory, {}), n_steps=32, batch_size=64, n_epochs=2,
                seed=0, learning_rate=3e-3, device="cpu",
            )  # fmt: skip
            model.learn(512 if memory in MEMORIES else 256)
            known[memory] = tmp_path_factory.mktemp(memory) / "model"
            model.save(known[memory])
        return known[memory]

    return of


def frames(seed: int = 0) -> NDArray[np.float32]:
    """What is seen, (T, N, 3)."""
    return np.random.default_rng(seed).uniform(size=(STEPS, WORLDS, 3)).astype(np.float32)


def starts() -> NDArray[np.bool_]:
    """Where episodes begin, (T, N): in world 0 once, in the others also later."""
    begins = np.zeros((STEPS, WORLDS), dtype=bool)
    begins[0] = True
    begins[3, 1] = begins[4, 2] = begins[9, 2] = begins[12, 3] = begins[7, 4] = True
    return begins


def worlds(number: int) -> SimpleNamespace:
    """All that an agent asks of the worlds that it drives."""
    return SimpleNamespace(num_envs=number)


def drive(
    model: Path, lesion: str = "intact", deterministic: bool = True,
    seen: NDArray[np.float32] | None = None, begins: NDArray[np.bool_] | None = None,
) -> Play:  # fmt: skip
    driver = AgentDriver(model, lesion, deterministic)
    driver.begin(worlds(WORLDS))
    seen, begins = frames() if seen is None else seen, starts() if begins is None else begins
    return [driver.decide(frame, start, None) for frame, start in zip(seen, begins, strict=True)]


def equal(first: Play, second: Play) -> bool:
    """Whether two plays are the same bit for bit, in everything but how memory moved."""
    return all(
        np.array_equal(getattr(a, name), getattr(b, name))
        for a, b in zip(first, second, strict=True)
        for name in ("actions", "value", "entropy", "log_prob", "probs")
    )


def probs(play: Play) -> NDArray[np.float64]:
    """(T, N, 2)."""
    return np.stack([np.asarray(decision.probs) for decision in play])


@pytest.mark.parametrize("lesion", [f"{name}:{argument}" for name, argument in EMPTY.items()])
@pytest.mark.parametrize(
    ("memory", "deterministic"),
    [*((name, True) for name in EVERY), ("gru", False), ("attention", False)],
)
def test_empty_lesions_change_no_bit(
    folder: Folder, memory: str, lesion: str, deterministic: bool
) -> None:
    intact = drive(folder(memory), deterministic=deterministic)
    assert equal(drive(folder(memory), lesion, deterministic), intact)


def test_every_lesion_with_a_dose_is_tried_without_one() -> None:
    """A new lesion must say with which argument it cuts nothing, or that it has none."""
    always = {"reinit", "quantize", "stack"}
    assert set(EMPTY) | always == set(lesion_names())


@pytest.mark.parametrize("lesion", ["span:1", "reset_every:1", "prune:1"])
@pytest.mark.parametrize("memory", EVERY)
def test_the_strongest_lesions_cut_every_memory(folder: Folder, memory: str, lesion: str) -> None:
    assert not equal(drive(folder(memory), lesion), drive(folder(memory)))


@pytest.mark.parametrize("lesion", [f"{k}:{v}" for k, v in {**WORKING, **LONG_TERM}.items()])
def test_other_lesions_change_something_and_repeat(folder: Folder, lesion: str) -> None:
    cut = drive(folder("gru"), lesion)
    assert not equal(cut, drive(folder("gru")))
    assert equal(cut, drive(folder("gru"), lesion))


@pytest.mark.parametrize("lesion", ["reset_every:1", "span:1"])
@pytest.mark.parametrize("memory", REMEMBERING)
def test_a_driver_reset_at_every_decision_is_memoryless(
    folder: Folder, memory: str, lesion: str
) -> None:
    past, other = frames(0), frames(1)
    other[-1] = past[-1]
    first, second = (drive(folder(memory), lesion, seen=seen)[-1:] for seen in (past, other))
    assert equal(first, second)
    intact = [drive(folder(memory), seen=seen)[-1:] for seen in (past, other)]
    assert not equal(*intact)
    always = np.ones((STEPS, WORLDS), dtype=bool)
    assert equal(drive(folder(memory), lesion), drive(folder(memory), begins=always))


@pytest.mark.parametrize("memory", REMEMBERING)
def test_reset_every_k_begins_anew_k_decisions_into_each_episode(
    folder: Folder, memory: str
) -> None:
    begins, age = starts(), np.zeros(WORLDS, dtype=int)
    anew = begins.copy()
    for step in range(STEPS):
        age = np.where(begins[step], 0, age + 1)
        anew[step] |= age % 3 == 0
    assert equal(drive(folder(memory), "reset_every:3"), drive(folder(memory), begins=anew))


@pytest.mark.parametrize("memory", REMEMBERING)
@pytest.mark.parametrize("span", [2, 4])
def test_span_k_remembers_the_last_k_frames_and_no_more(
    folder: Folder, memory: str, span: int
) -> None:
    cut, seen, begins = probs(drive(folder(memory), f"span:{span}")), frames(), starts()
    for step in range(STEPS):
        first = max(0, step - span + 1)
        window = begins[first : step + 1].copy()
        window[0] = True
        alone = probs(drive(folder(memory), seen=seen[first : step + 1], begins=window))
        np.testing.assert_allclose(cut[step], alone[-1], atol=1e-6)


def test_freeze_acts_from_the_state_reached_then(folder: Folder) -> None:
    policy = MemoryPPO.load(folder("gru"), device="cpu").policy
    seen, begins, at = frames(), np.zeros((STEPS, WORLDS), dtype=bool), 2
    begins[0] = True
    cut = drive(folder("gru"), f"freeze:{at}", begins=begins)
    with torch.inference_mode():
        state = policy.initial_state(WORLDS)
        for step in range(STEPS):
            act = policy.act(
                policy.to_tensors(seen[step]), state, torch.from_numpy(begins[step]), True
            )
            state = act.state if step < at else state
            assert act.probs is not None
            assert np.array_equal(act.probs.double().numpy(), cut[step].probs)


@pytest.mark.parametrize("memory", REMEMBERING)
def test_shuffle_remembers_the_same_frames_in_another_order(folder: Folder, memory: str) -> None:
    """A driver that saw the past in some order: one of the orders gives what was decided."""
    begins = np.zeros((STEPS, WORLDS), dtype=bool)
    begins[0] = True
    seen = frames()
    cut = probs(drive(folder(memory), "shuffle:3", begins=begins))
    at = 5
    orders = [[0, 1, *order] for order in itertools.permutations([2, 3, 4])]
    candidates = [
        probs(drive(folder(memory), seen=seen[[*order, at]], begins=begins[: at + 1]))[-1]
        for order in orders
    ]
    nearest = np.abs(np.stack(candidates) - cut[at]).max(axis=-1).argmin(axis=0)  # (N,)
    np.testing.assert_allclose(
        cut[at], [candidates[order][world] for world, order in enumerate(nearest)], atol=1e-5
    )
    assert len(set(nearest)) > 1, "each world has an order of its own"


def test_shuffle_never_takes_frames_of_earlier_episodes(folder: Folder) -> None:
    seen, other = frames(0), frames(0)
    other[:7] = frames(1)[:7]  # world 4 begins anew at 7
    first, second = (probs(drive(folder("gru"), "shuffle", seen=s)) for s in (seen, other))
    assert np.array_equal(first[7:, 4], second[7:, 4])
    assert not np.array_equal(first[7:, 0], second[7:, 0])


def test_swap_takes_the_state_of_another_world_once(folder: Folder) -> None:
    begins = np.zeros((STEPS, 2), dtype=bool)
    begins[0] = True
    seen, at = frames()[:, :2], 4
    driver = AgentDriver(folder("gru"), f"swap:{at}", True)
    driver.begin(worlds(2))
    cut = probs([driver.decide(*step, None) for step in zip(seen, begins, strict=True)])
    crossed = seen.copy()
    crossed[:at] = seen[:at, ::-1]  # as if each had seen the other's past
    driver = AgentDriver(folder("gru"), "intact", True)
    driver.begin(worlds(2))
    expected = probs([driver.decide(*step, None) for step in zip(crossed, begins, strict=True)])
    np.testing.assert_allclose(cut[at:], expected[at:], atol=1e-6)


def test_a_bare_swap_comes_at_a_random_moment(folder: Folder) -> None:
    begins = np.zeros((STEPS, WORLDS), dtype=bool)
    begins[0] = True
    cut, intact = (probs(drive(folder("gru"), x, begins=begins)) for x in ("swap", "intact"))
    differs = (cut != intact).any(axis=2)  # (T, N)
    assert not differs[0].any() and differs.any()
    assert len({int(column.argmax()) for column in differs.T if column.any()}) > 1


def test_swap_needs_another_world(folder: Folder) -> None:
    driver = AgentDriver(folder("gru"), "swap:1", True)
    with pytest.raises(DrivememError, match="--num-envs 2"):
        driver.begin(worlds(1))


@pytest.mark.parametrize("memory", REMEMBERING)
def test_contaminate_shows_another_worlds_burst_and_acts_undisturbed_meanwhile(
    folder: Folder, memory: str
) -> None:
    begins = np.zeros((STEPS, WORLDS), dtype=bool)
    begins[0] = True
    seen, at, length = frames(), 4, 3
    cut = probs(drive(folder(memory), f"contaminate:{at}x{length}", begins=begins))
    intact = probs(drive(folder(memory), begins=begins))
    assert np.array_equal(cut[: at + length], intact[: at + length])
    shown = seen.copy()
    shown[at : at + length] = np.roll(seen[at : at + length], -1, axis=1)  # the next world's
    expected = probs(drive(folder(memory), seen=shown, begins=begins))
    np.testing.assert_allclose(cut[at + length :], expected[at + length :], atol=1e-5)
    assert not np.array_equal(cut[at + length :], intact[at + length :])


def test_contaminate_takes_the_last_whole_burst_of_an_episode_that_is_another(
    folder: Folder,
) -> None:
    """World 1 is through its burst twice; world 0 comes to its own between the two."""
    begins = np.zeros((STEPS, 2), dtype=bool)
    begins[0] = begins[5, 0] = begins[9, 1] = True
    seen = frames()[:, :2]
    driver = AgentDriver(folder("gru"), "contaminate:1x2", True)
    driver.begin(worlds(2))
    cut = probs([driver.decide(*step, None) for step in zip(seen, begins, strict=True)])
    shown = seen.copy()
    shown[1:3] = seen[1:3, ::-1]
    shown[6:8, 0] = seen[1:3, 1]
    shown[10:12, 1] = seen[6:8, 0]
    driver = AgentDriver(folder("gru"), "intact", True)
    driver.begin(worlds(2))
    expected = probs([driver.decide(*step, None) for step in zip(shown, begins, strict=True)])
    over = np.ones((STEPS, 2), dtype=bool)
    over[1:3] = over[6:8, 0] = over[10:12, 1] = False
    np.testing.assert_allclose(cut[over], expected[over], atol=1e-5)


@pytest.fixture(scope="module")
def repeating(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An agent that is told what it did last."""
    model = MemoryPPO(
        "MemoryPolicy", TMazes(8, corridor=3), memory="gru", observe_previous_action=True,
        n_steps=32, batch_size=64, seed=0, device="cpu",
    )  # fmt: skip
    folder = tmp_path_factory.mktemp("repeating") / "model"
    model.save(folder)
    return folder


def test_contaminate_keeps_what_the_agent_did_itself(repeating: Path) -> None:
    seen = np.repeat(frames()[:, :1], WORLDS, axis=1)  # all see the same: nothing is foreign
    begins = np.zeros((STEPS, WORLDS), dtype=bool)
    begins[0] = True
    cut, intact = (
        probs(drive(repeating, lesion, seen=seen, begins=begins))
        for lesion in ("contaminate:2x3", "intact")
    )
    np.testing.assert_allclose(cut, intact, atol=1e-6)


@pytest.mark.parametrize(
    ("lesion", "same"),
    [("span:14", "intact"), ("span:1", "reset_every:1"), ("shuffle:1", "intact")],
)
def test_recomputing_reads_what_the_agent_did(repeating: Path, lesion: str, same: str) -> None:
    np.testing.assert_allclose(
        probs(drive(repeating, lesion)), probs(drive(repeating, same)), atol=1e-6
    )


def test_shuffle_takes_along_what_the_agent_did(repeating: Path) -> None:
    seen = np.repeat(frames()[:1, :1], STEPS, axis=0).repeat(WORLDS, axis=1)
    begins = np.zeros((STEPS, WORLDS), dtype=bool)
    begins[0] = True
    cut, intact = (
        probs(drive(repeating, lesion, seen=seen, begins=begins))
        for lesion in ("shuffle", "intact")
    )
    np.testing.assert_allclose(cut[:2], intact[:2], atol=1e-6)  # one frame has no order
    assert np.abs(cut - intact).max() > 1e-6, "frames alike, what was done before them not"
    np.testing.assert_array_equal(cut, probs(drive(repeating, "shuffle", seen=seen, begins=begins)))


def test_contaminate_needs_another_world_and_another_episode(folder: Folder) -> None:
    driver = AgentDriver(folder("gru"), "contaminate:1x2", True)
    with pytest.raises(DrivememError, match="--num-envs 2"):
        driver.begin(worlds(1))
    driver.begin(worlds(2))
    seen = frames()[:, :2]
    begins = np.zeros((STEPS, 2), dtype=bool)
    begins[0] = True
    begins[:, 1] = True  # the other world's episodes are over after one decision
    with pytest.raises(DrivememError, match="no other episode that lasts until decision 3"):
        for frame, start in zip(seen, begins, strict=True):
            driver.decide(frame, start, None)


@pytest.mark.parametrize("kept", [1, 2])
def test_stack_leaves_the_newest_frames(folder: Folder, kept: int) -> None:
    assert equal(
        drive(folder("frame_stack"), f"stack:{kept}"), drive(folder("frame_stack"), f"span:{kept}")
    )


@pytest.mark.parametrize("kept", [3, 99])
def test_a_stack_of_all_frames_is_intact(folder: Folder, kept: int) -> None:
    assert equal(drive(folder("frame_stack"), f"stack:{kept}"), drive(folder("frame_stack")))


def test_stack_of_another_memory_says_what_to_use(folder: Folder) -> None:
    with pytest.raises(DrivememError, match="which memory 'gru' has not; use span:2"):
        AgentDriver(folder("gru"), "stack:2", True)


def test_a_driver_can_begin_again(folder: Folder) -> None:
    for argument in ("freeze:2", "span:3", "noise:1", "reset_every:2", "shuffle", "swap",
                     "contaminate:1x2"):  # fmt: skip
        driver = AgentDriver(folder("gru"), argument, True)
        plays = []
        for _ in range(2):
            driver.begin(worlds(WORLDS))
            steps = zip(frames(), starts(), strict=True)
            plays.append([driver.decide(frame, start, None) for frame, start in steps])
        assert equal(*plays), argument


def weights(folder: Path, lesion: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Weights before and after a lesion of long-term memory."""
    policy = MemoryPPO.load(folder, device="cpu").policy
    before = {name: value.clone() for name, value in policy.named_parameters()}
    drawn = torch.get_rng_state()
    changed = make_lesion(lesion, policy).prepare(policy)
    assert torch.equal(torch.get_rng_state(), drawn), "lesions draw from generators of their own"
    for name, value in policy.named_parameters():
        assert torch.equal(value, before[name]), "the agent itself must stay as it is"
    return before, dict(changed.named_parameters())


def test_prune_sets_the_smallest_weights_to_zero_and_no_bias(folder: Folder) -> None:
    before, after = weights(folder("gru"), "prune:0.3")
    old = torch.cat([value.flatten() for value in before.values() if value.dim() > 1])
    new = torch.cat([value.flatten() for value in after.values() if value.dim() > 1])
    cut = new == 0
    assert cut.double().mean().item() == pytest.approx(0.3, abs=1 / len(old))
    assert old[cut].abs().max() <= old[~cut].abs().min()
    assert torch.equal(old[~cut], new[~cut])
    assert all(torch.equal(before[n], after[n]) for n in before if before[n].dim() < 2)
    assert not any(value.any() for value in weights(folder("gru"), "prune:1")[1].values()
                   if value.dim() > 1)  # fmt: skip


def test_prune_random_sets_a_share_of_weights_to_zero(folder: Folder) -> None:
    before, after = weights(folder("gru"), "prune_random:0.3")
    old = torch.cat([value.flatten() for value in before.values() if value.dim() > 1])
    new = torch.cat([value.flatten() for value in after.values() if value.dim() > 1])
    cut = (new == 0) & (old != 0)
    assert cut.double().mean().item() == pytest.approx(0.3, abs=0.01)
    assert torch.equal(old[~cut], new[~cut])
    assert old[cut].abs().max() > old[~cut].abs().median(), "large weights are cut too"


@pytest.mark.parametrize("bits", [2, 4])
def test_quantize_leaves_few_levels_near_the_weights(folder: Folder, bits: int) -> None:
    before, after = weights(folder("gru"), f"quantize:{bits}")
    levels = 2 ** (bits - 1) - 1
    for name, value in after.items():
        if value.dim() > 1:
            assert len(value.unique()) <= 2 * levels + 1
            half = before[name].abs().max() / levels / 2
            assert (value - before[name]).abs().max() <= half * 1.0001


def test_weight_noise_scales_with_each_matrix(folder: Folder) -> None:
    before, after = weights(folder("gru"), "weight_noise:0.5")
    matrices = [name for name in before if before[name].numel() > 100 and before[name].dim() > 1]
    assert matrices
    for name in matrices:
        relative = (after[name] - before[name]).std() / before[name].std()
        assert relative.item() == pytest.approx(0.5, rel=0.3)


@pytest.mark.parametrize("part", ["encoder", "memory", "heads"])
def test_reinit_changes_one_part_alone(folder: Folder, part: str) -> None:
    before, after = weights(folder("gru"), f"reinit:{part}")
    changed = {name.split(".")[0] for name in before if not torch.equal(before[name], after[name])}
    assert changed <= ({"action_layers", "action_head"} if part == "heads" else {part})
    assert changed


@pytest.mark.parametrize(("name", "argument"), list(WORKING.items()))
def test_working_memory_lesions_of_no_memory_name_the_alternatives(
    folder: Folder, name: str, argument: str
) -> None:
    with pytest.raises(DrivememError, match="memory 'none' carries no state") as raised:
        AgentDriver(folder("none"), f"{name}:{argument}", True)
    alternatives = str(raised.value).rpartition(": ")[2].split(", ")
    assert sorted(alternatives) == sorted(LONG_TERM)


@pytest.mark.parametrize(("name", "argument"), list(LONG_TERM.items()))
def test_long_term_lesions_cut_agents_without_working_memory(
    folder: Folder, name: str, argument: str
) -> None:
    if name == "reinit":
        argument = "encoder"  # `none` has no weights of its own
    cut = drive(folder("none"), f"{name}:{argument}")
    assert not equal(cut, drive(folder("none")))


@pytest.mark.parametrize(
    ("wrong", "nearest"),
    [("reset_evry:1", "reset_every"), ("spam:3", "span"), ("wieght_noise:1", "weight_noise")],
)
def test_unknown_lesions_get_the_nearest(folder: Folder, wrong: str, nearest: str) -> None:
    with pytest.raises(DrivememError, match=f"did you mean '{nearest}'") as raised:
        AgentDriver(folder("gru"), wrong, True)
    assert all(name in str(raised.value) for name in lesion_names())


@pytest.mark.parametrize(
    "bad",
    ["reset_every:0", "reset_every", "reset_every:often", "reset_every:1.5", "span:0", "span:inf",
     "span:2.5", "span:nan", "freeze:-1", "noise:-1", "noise:nan", "noise:inf", "prune:1.1",
     "prune:", "weight_noise:x", "weight_noise:inf", "reinit", "reinit:wheels", "quantize:1",
     "quantize:inf", "quantize:3.5", "prune_random:2", "shuffle:0", "shuffle:x", "swap:0",
     "swap:1.5", "stack", "stack:0", "contaminate", "contaminate:-1", "contaminate:2x0",
     "contaminate:2x", "contaminate:x3"],
)  # fmt: skip
def test_bad_arguments_are_refused_by_name(folder: Folder, bad: str) -> None:
    with pytest.raises(DrivememError, match=f"lesion '{bad.partition(':')[0]}'"):
        AgentDriver(folder("gru"), bad, True)


def test_every_lesion_has_a_summary_and_is_tested_here() -> None:
    names = lesion_names()
    assert set(names) == {*WORKING, *LONG_TERM, "stack"}
    assert all(len(summary) > 15 and "\n" not in summary for summary in names.values())


def test_a_name_is_registered_once() -> None:
    assert "span" in lesions()
    with pytest.raises(ValueError, match="'span' is already registered"):
        register_lesion("span", "again")(object)  # type: ignore[arg-type]


def test_several_arguments_are_several_lesions() -> None:
    assert parse_lesions("span:1,2,4") == ["span:1", "span:2", "span:4"]
    assert parse_lesions("intact") == ["intact"]
    assert folder_name("reset_every:1") == "reset_every-1"


def test_a_dose_is_what_stands_before_an_x() -> None:
    assert split_dose("span:4") == ("span", 4.0)
    assert split_dose("contaminate:12x3") == ("contaminate:x3", 12.0)
    assert split_dose("reinit:heads") == ("reinit", None)
    info = lesion_info("contaminate:12x3")
    assert info is not None and info.over is not None
    assert (info.over("12x3"), info.over("12")) == (15.0, 12.0 + BURST)


def test_what_is_known_of_a_lesion_is_what_it_registered() -> None:
    span, reinit = lesion_info("span:4"), lesion_info("reinit:heads")
    assert span is not None and reinit is not None
    assert (span.part, span.scale, span.erases, span.needs_state) == (
        "working", "logarithmic", "1", True
    )  # fmt: skip
    assert span.axis and span.title and not reinit.axis
    assert {name for name, info in lesions().items() if not info.needs_state} == set(LONG_TERM)
    assert lesion_info(INTACT) is None and lesion_info("of_another_package:1") is None


@pytest.mark.parametrize(
    "lesion", [f"{name}:{info.erases}" for name, info in lesions().items() if info.erases]
)
def test_what_is_said_to_erase_memory_does(folder: Folder, lesion: str) -> None:
    """A decision depends on the present observation alone: the same as with a reset before it."""
    memory = "frame_stack" if lesion.startswith("stack") else "gru"
    reset = drive(folder(memory), "reset_every:1")
    assert equal(drive(folder(memory), lesion), reset)
