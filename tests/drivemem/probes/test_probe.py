"""Probing real episodes with drivers whose memory content is known, and a trained run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import drivemem_envs
from drivemem.cli import run_command
from drivemem.episodes import read_table
from drivemem.errors import DrivememError
from drivemem.evaluation.attention import AttentionTap
from drivemem.evaluation.drivers import Decision
from drivemem.evaluation.suites import SuiteSeeds, make_suite
from drivemem.probes import probe
from drivemem.probes.linear import Score, probe_targets
from drivemem.probes.saliency import SaliencyWatch
from drivemem.probes.targets import Hidden, latent_targets
from drivemem.probes.traces import ProbedMoment, Traces, collect_traces
from drivemem.progress import Progress
from drivemem.runs import Run
from drivemem.schemas import PROBES
from drivemem_agents import MemoryPPO
from drivemem_agents.memory import make_memory
from drivemem_agents.policy import MemoryPolicy

WORLDS, EPISODES = 8, 40
IDLE = 1


class KeepsTheSign:
    """A driver whose memory holds the sign that was shown, mixed with noise, and nothing else."""

    def begin(self, env: Any) -> None:
        self._kept = np.zeros((env.num_envs, 3))
        self._noise = np.random.default_rng(0)
        self._mix = self._noise.standard_normal((3, 7))

    @property
    def state(self) -> dict[str, Any]:
        mixed = self._kept @ self._mix
        return {"kept": mixed + 0.01 * self._noise.standard_normal(mixed.shape)}

    def decide(self, observation: Any, starts: Any, masks: Any) -> Decision:
        self._kept = np.where(starts[:, None], 0.0, self._kept)
        self._kept = np.maximum(self._kept, observation["cue"])
        return Decision(np.full(len(starts), IDLE))


class KeepsNothing(KeepsTheSign):
    """A driver whose memory is noise."""

    def decide(self, observation: Any, starts: Any, masks: Any) -> Decision:
        return Decision(np.full(len(starts), IDLE))


def traces_of(driver: Any, callbacks: tuple[Any, ...] = ()) -> Traces:
    suite = make_suite(drivemem_envs.scenario("exit-recall"), EPISODES)
    seeds = SuiteSeeds(suite, WORLDS)
    env = drivemem_envs.make_vec(suite.scenario, WORLDS, seeds=seeds)
    with Progress("test", EPISODES, "episodes", quiet=True) as bar:
        return collect_traces(env, driver, suite, seeds, bar, frames=4, callbacks=callbacks)


@pytest.fixture(scope="module")
def kept() -> Traces:
    return traces_of(KeepsTheSign())


def scores_of(traces: Traces) -> dict[tuple[str, float | None], Score]:
    targets = latent_targets(traces.latent, traces.cue_age_s)
    found = probe_targets(traces.inputs, targets, traces.episode).scores
    return {(score.input, score.age_high_s): score for score in found}


def test_every_decision_of_every_episode_is_there_once(kept: Traces) -> None:
    assert len(np.unique(kept.episode)) == EPISODES
    for number in range(EPISODES):
        steps = kept.step[kept.episode == number]
        np.testing.assert_array_equal(steps, np.arange(len(steps)))
    assert set(kept.inputs) == {"observation", "frame stack", "memory"}
    width = kept.inputs["observation"].shape[1]
    assert kept.inputs["frame stack"].shape[1] == 4 * width


def test_the_frame_stack_holds_the_frames_before_and_begins_empty(kept: Traces) -> None:
    seen, stack = kept.inputs["observation"], kept.inputs["frame stack"]
    parts = stack.reshape(len(stack), 4, -1)
    np.testing.assert_array_equal(parts[:, -1], seen)
    first = kept.step == 0
    assert not parts[first, :-1].any()
    row = int(np.flatnonzero((kept.episode == 3) & (kept.step == 5))[0])
    np.testing.assert_array_equal(parts[row], seen[row - 3 : row + 1])


def test_what_a_memory_holds_is_decoded_at_every_age_and_else_chance(kept: Traces) -> None:
    scores = scores_of(kept)
    ages = {age for _, age in scores}
    assert {0.0, 0.5, 1.0, 2.0, 4.0} <= ages
    for age in ages:
        assert scores["memory", age].value.estimate == 1.0
    assert scores["observation", 0.0].value.estimate == 1.0, "the sign is shown right now"
    for age in (0.5, 1.0, 2.0, 4.0):
        assert scores["observation", age].value.low < 0.4
        assert scores["observation", age].value.estimate < 0.6
    assert scores["frame stack", 0.5].value.estimate == 1.0, "within four decisions of 0.2 s"
    assert scores["frame stack", 2.0].value.estimate < 0.6
    assert scores["memory", None].chance == pytest.approx(1 / 3)


def test_a_memory_of_noise_holds_nothing() -> None:
    scores = scores_of(traces_of(KeepsNothing()))
    assert scores["memory", None].value.estimate < 0.5
    assert scores["memory", None].value.low < 0.4


def test_a_run_is_probed_and_written(run: Run, tmp_path: Path) -> None:
    found = probe(run.folder, episodes=30, num_workers=1, quiet=True)
    assert {score.input for score in found.scores} == {"observation", "frame stack", "memory"}
    assert found.attention == [] and found.saliency
    assert sum(1 for note in found.notes if "hidden actor" in note) == 4
    for name, columns in PROBES.items():
        assert isinstance(read_table(found.folder / f"{name}.parquet", columns), list)
    rows = read_table(found.folder / "scores.parquet", PROBES["scores"])
    assert len(rows) == len(found.scores)
    assert rows[0]["run"] == run.name and rows[0]["lesion"] == "intact"
    assert (found.folder / "suite.json").is_file()


def test_a_memory_reset_at_every_decision_has_forgotten(run: Run) -> None:
    found = probe(run.folder, episodes=30, lesion="reset_every:1", num_workers=1, quiet=True)
    score = next(s for s in found.scores if s.input == "memory" and s.age_high_s == 2.0)
    assert score.value.estimate < 0.65
    assert found.folder.name == "test-reset_every-1"


def test_the_command_prints_what_is_decoded(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    words = [str(run.folder), "--episodes", "30", "--num-workers", "1"]
    assert run_command("probe", words) == 0
    out = capsys.readouterr().out
    assert "balanced accuracy" in out and "shown now" in out and "saliency" in out


def test_what_cannot_be_probed_is_said(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(DrivememError, match="10 or more"):
        probe(run.folder, episodes=3, quiet=True)
    with pytest.raises(DrivememError, match="num_envs is 0"):
        probe(run.folder, num_envs=0)
    with pytest.raises(DrivememError, match="frames is 0"):
        probe(run.folder, frames=0, quiet=True)
    with pytest.raises(DrivememError, match="is no run"):
        probe(tmp_path / "nowhere", quiet=True)
    assert run_command("probe", []) == 2


@pytest.mark.parametrize("name", ["attention", "adaptive_attention"])
def test_tapped_weights_are_those_that_are_used(name: str) -> None:
    """A value that is 1 for one past step alone comes out as that step's weight."""
    torch.manual_seed(0)
    memory = make_memory(name, 5, {"window": 6, "heads": 2, "head_size": 4, "hidden_size": 8})
    layer = memory.transformer.layers[0].attention
    seen: dict[str, torch.Tensor] = {}
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.normal_()
        layer.leave.weight.copy_(torch.eye(8))
        layer.register_forward_hook(
            lambda _, arguments, result: seen.update(past=arguments[1], out=result)
        )
        tap, state = AttentionTap(memory), memory.initial_state(3)
        assert tap.weights() is None
        for step in range(9):
            _, state = memory.step(torch.randn(3, 5), state)
            weights = tap.weights()
            assert weights is not None and weights.shape == (3, 1, 2, 6)
            np.testing.assert_allclose(weights.sum(axis=-1), 1.0, atol=1e-6)
            assert not weights[..., min(step + 1, 6) :].any()
            values = seen["past"][-6:].chunk(2, dim=-1)[1].reshape(-1, 3, 2, 4).flip(0)
            read = torch.einsum("bnw,wbnd->bnd", torch.as_tensor(weights[:, 0]).float(), values)
            torch.testing.assert_close(read.flatten(1), seen["out"][-1], atol=1e-5, rtol=1e-5)
    tap.close()
    assert not AttentionTap(make_memory("gru", 5))


def recall_policy(memory: str, **settings: Any) -> MemoryPolicy:
    """An untrained policy at exit recall."""
    from drivemem.training.vec_env import WorldsVecEnv

    worlds = drivemem_envs.make_vec(drivemem_envs.scenario("exit-recall"), 1)
    model = MemoryPPO(
        "MemoryPolicy", WorldsVecEnv(worlds), memory=memory, memory_kwargs=settings, n_steps=32,
        batch_size=32, seed=0, device="cpu",
    )  # fmt: skip
    return model.policy


def watched(policy: MemoryPolicy, steps: int = 9) -> dict[int, float]:
    """Saliency by age of one episode of random frames."""
    watch = SaliencyWatch(policy, 1)
    nothing = np.full(1, np.nan)
    for step in range(steps):
        hidden = Hidden(
            np.array([-1]), nothing, np.full((1, 2), np.nan), np.full((1, 2), np.nan), nothing,
            np.zeros((1, 3)),
        )  # fmt: skip
        moment = ProbedMoment(np.array([0]), np.array([step]), hidden, nothing)
        frame = {
            key: np.random.default_rng(step).uniform(-1, 1, (1, *space.shape)).astype(np.float32)
            for key, space in policy.observation_space.spaces.items()  # type: ignore[attr-defined]
        }
        watch.see(frame, moment, None)
    return {one.age_steps: one.share for one in watch.table()}


def test_saliency_reaches_as_far_as_the_memory() -> None:
    stacked = watched(recall_policy("frame_stack", frames=3))
    assert all(stacked[age] > 0 for age in range(3))
    assert all(share == 0 for age, share in stacked.items() if age > 2)
    assert watched(recall_policy("none"))[0] == pytest.approx(1.0)
    recurrent = watched(recall_policy("gru"))
    assert all(0 < share < 1 for share in recurrent.values()) and len(recurrent) == 9
