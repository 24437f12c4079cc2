"""A handful of reference worlds stepped together, in this process or in one of its own."""

from __future__ import annotations

import contextlib
import multiprocessing
import signal
from collections.abc import Sequence
from multiprocessing.connection import Connection
from typing import Any

import numpy as np

from drivemem_envs.reference.environment import make_reference
from drivemem_envs.scenario_spec import Scenario

Step = tuple[Any, float, bool, bool, dict[str, Any], Any | None]
"""Observation (of the next episode, if this one ended), reward, terminated, truncated, info, and
the ended episode's final observation or None."""


class Worlds:
    """Reference environments that reset themselves in the step that ends an episode."""

    def __init__(self, scenario: Scenario, count: int) -> None:
        self.envs = [make_reference(scenario) for _ in range(count)]
        self._keep = False
        self._finals: list[dict[str, Any] | None] = [None] * count

    def reset(self, seeds: Sequence[int]) -> list[Any]:
        """Begin an episode in every world; returns the observations."""
        return [env.reset(seed=seed)[0] for env, seed in zip(self.envs, seeds, strict=True)]

    def step(self, actions: Sequence[Any], next_seeds: Sequence[int]) -> list[Step]:
        """Step every world; those whose episode ends begin the one of their next seed."""
        return [
            self._step(index, action, seed)
            for index, (action, seed) in enumerate(zip(actions, next_seeds, strict=True))
        ]

    def replay(self, seeds: Sequence[int], actions: Sequence[Sequence[Any]]) -> list[Any]:
        """Begin the given episodes and take the given actions; returns the last observations."""
        observations = self.reset(seeds)
        for index, (env, taken) in enumerate(zip(self.envs, actions, strict=True)):
            for action in taken:
                observations[index] = env.step(action)[0]
        return observations

    def call(self, method: str) -> list[Any]:
        """The result of a method of every world's environment."""
        return [getattr(env, method)() for env in self.envs]

    def keep_final_truth(self, keep: bool) -> list[None]:
        """Whether `final_truths` shall be available."""
        self._keep = keep
        return []

    def final_truths(self) -> list[dict[str, Any] | None]:
        """Truth at the end of the episodes that the last step ended."""
        return self._finals

    def _step(self, index: int, action: Any, next_seed: int) -> Step:
        env = self.envs[index]
        observation, reward, terminated, truncated, info = env.step(action)
        final = self._finals[index] = None
        if terminated or truncated:
            self._finals[index] = env.truth() if self._keep else None
            final = observation
            observation = env.reset(seed=next_seed)[0]
        return observation, reward, terminated, truncated, info, final

    def close(self) -> None:
        """Close the environments."""
        for env in self.envs:
            env.close()


class RemoteWorlds:
    """`Worlds` in a process of their own; calls are sent at once and answered on `receive`."""

    def __init__(self, scenario: Scenario, count: int) -> None:
        methods = multiprocessing.get_all_start_methods()
        # Not fork: PyTorch's and numba's threads do not survive it.
        context: Any = multiprocessing.get_context(
            "forkserver" if "forkserver" in methods else "spawn"
        )
        self._pipe, remote = context.Pipe()
        self._process = context.Process(target=_serve, args=(remote, scenario, count), daemon=True)
        self._process.start()
        remote.close()

    def send(self, method: str, *arguments: Any) -> None:
        """Ask for a method of `Worlds`; a process that is gone is noticed by `receive`."""
        with contextlib.suppress(OSError):
            self._pipe.send((method, arguments))

    def receive(self) -> tuple[Any, str | None]:
        """The answer to the last `send`: its result, and what went wrong or None."""
        try:
            answer: tuple[Any, str | None] = self._pipe.recv()
        except (EOFError, OSError):
            self._process.join(timeout=1.0)
            code = self._process.exitcode
            return None, f"it ended (exit code {code}); num_workers=1 shows errors in place"
        return answer

    def close(self) -> None:
        """End the process."""
        with contextlib.suppress(OSError):
            self._pipe.send(("close", ()))
        self._process.join(timeout=2.0)
        if self._process.is_alive():
            self._process.terminate()
            self._process.join(timeout=2.0)
        self._pipe.close()


def _serve(pipe: Connection, scenario: Scenario, count: int) -> None:
    """The process's loop. Ctrl-C is the parent's to handle: it closes the pipe."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    worlds: Worlds | None = None
    try:
        while True:
            method, arguments = pipe.recv()
            try:
                if worlds is None:
                    worlds = Worlds(scenario, count)
                if method == "close":
                    break
                answer: tuple[Any, str | None] = (getattr(worlds, method)(*arguments), None)
            except Exception as error:
                answer = (None, f"{type(error).__name__}: {error}")
            pipe.send(answer)
    except (EOFError, BrokenPipeError, ConnectionResetError):
        pass  # the parent is gone
    finally:
        if worlds is not None:
            worlds.close()


def stack_truth(truths: Sequence[dict[str, np.ndarray[Any, Any]]]) -> dict[str, Any]:
    """Truth of N worlds as arrays (N, A), padded; `present` says which entries are real."""
    most = max(len(truth["id"]) for truth in truths)
    stacked: dict[str, Any] = {}
    for key, sample in truths[0].items():
        table = np.zeros((len(truths), most), dtype=sample.dtype)
        for row, truth in enumerate(truths):
            table[row, : len(truth[key])] = truth[key]
        stacked[key] = table
    counts = np.array([len(truth["id"]) for truth in truths])
    stacked["present"] = np.arange(most)[None] < counts[:, None]
    return stacked
