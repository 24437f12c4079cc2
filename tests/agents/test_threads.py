"""PyTorch's threads while an agent learns, and after."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from stable_baselines3.common.callbacks import BaseCallback

from drivemem_agents.threads import helpful_threads, threads


class Count(BaseCallback):
    """Notes how many threads PyTorch has."""

    seen = 0

    def _on_step(self) -> bool:
        self.seen = torch.get_num_threads()
        return True


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def test_an_agent_learns_on_one_thread_and_leaves_pytorch_as_it_was(agent, monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    count = Count()
    agent("gru").learn(64, callback=count)
    assert (count.seen, torch.get_num_threads()) == (1, 2)


def test_who_says_how_many_is_obeyed(agent, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    count = Count()
    agent("gru").learn(64, callback=count)
    assert count.seen == 2
    agent("gru", torch_threads=1).learn(64, callback=count)
    assert (count.seen, torch.get_num_threads()) == (1, 2)
    with pytest.raises(ValueError, match="torch_threads is 0"):
        agent("gru", torch_threads=0)


def test_threads_are_restored_after_a_failure(monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    assert helpful_threads() == 1
    with pytest.raises(KeyError), threads(None):
        assert torch.get_num_threads() == 1
        raise KeyError
    assert torch.get_num_threads() == 2
