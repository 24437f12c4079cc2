"""Recordings of real highway-env episodes, made as small as tests want them."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import drivemem_envs
from drivemem.episodes import Digest, write_table
from drivemem.replays.load import find_recording
from drivemem.replays.page import write_page
from drivemem.schemas import ACTOR_COLUMNS, RECORDED_COLUMNS, SCHEMA_VERSION, STEP_COLUMNS
from drivemem_envs.drivers import make_driver
from tests.browser import Browser

sys.path.insert(0, str(Path(__file__).parent))  # for `walled_intersection`


@pytest.fixture(scope="session", autouse=True)
def walled_intersection() -> None:
    """A scenario of these tests; registered late, so that others' lists of all lack it."""
    if "walled-intersection-v0" not in drivemem_envs.scenario_names():
        drivemem_envs.register_scenario("walled-intersection-v0", "walled_intersection:SCENARIO")


def record(
    folder: Path,
    by: str,
    seeds: list[int],
    scenario: str = "walled-intersection-v0",
    *,
    policy_columns: bool = False,
    **overrides: Any,
) -> Path:
    """Drive episodes on the reference backend and write them as a recording."""
    folder.mkdir(parents=True, exist_ok=True)
    found = drivemem_envs.scenario(scenario)
    env = drivemem_envs.make(found, tracker=None).unwrapped
    driver = make_driver(by, found, env.action_space)
    env.close()
    tracker = overrides.get("tracker", driver.tracker)
    env = drivemem_envs.make(found, tracker=tracker).unwrapped
    tables: dict[str, list[dict[str, Any]]] = {"episodes": [], "steps": [], "actors": []}
    for number, seed in enumerate(seeds):
        _drive(env, driver, number, seed, tables, policy_columns)
        row = tables["episodes"][-1]
        row |= {
            "episode": number, "seed": seed, "scenario": found.name, "config": "{}",
            "schema_version": SCHEMA_VERSION,
            "sensors": found.sensors.model_dump_json(), "slots": found.observation.slots,
            "tracker": tracker, "backend": "reference", "driver": by,
            "run": folder.name, "train_seed": None, "lesion": "intact", "deterministic": True,
            "occluders": json.dumps(env.occluders().tolist()),
        }  # fmt: skip
        row |= overrides
    write_table(folder / "episodes.parquet", RECORDED_COLUMNS, tables["episodes"])
    write_table(folder / "steps.parquet", STEP_COLUMNS, tables["steps"])
    write_table(folder / "actors.parquet", ACTOR_COLUMNS, tables["actors"])
    env.close()
    return folder


def _drive(
    env: Any, driver: Any, number: int, seed: int, tables: dict[str, Any], policy_columns: bool
) -> None:
    observation, info = env.reset(seed=seed)
    digest, step, total, state = Digest(), 0, 0.0, None
    while True:
        truth = env.truth()
        digest.add(truth)
        columns = {name: truth[name] for name in ACTOR_COLUMNS if name in truth}
        tables["actors"] += [
            {"episode": number, "step": step}
            | {name: column[actor].item() for name, column in columns.items()}
            for actor in range(len(truth["id"]))
        ]
        row = {"episode": number, "step": step, "t_s": step * env.decision_s}
        tables["steps"].append(row)
        if "outcome" in info:
            break
        batch = (
            {key: value[None] for key, value in observation.items()}
            if isinstance(observation, dict)
            else observation[None]
        )
        actions, state = driver.predict(batch, state, np.array([step == 0]))
        row["action"] = json.dumps(actions[0].tolist())
        if "cue" in observation:
            row["cue"] = json.dumps(observation["cue"].tolist())
        if policy_columns:
            probs = np.full(3, 0.1)
            probs[int(actions[0])] = 0.8
            row |= {
                "value": np.sin(step / 9.0), "entropy": 0.6, "log_prob": -0.2,
                "probs": probs.tolist(), "memory_norm": 2.0 + 0.01 * step,
                "memory_change": float(abs(np.cos(step / 5.0))),
            }  # fmt: skip
        observation, reward, _, _, info = env.step(actions[0])
        total += reward
        row |= {"reward": reward, "rewards": json.dumps(info["rewards"])}
        step += 1
    outcome = info["outcome"]
    tables["episodes"].append(
        {
            "outcome": outcome,
            "success": outcome == "success",
            "collision": outcome == "collision",
            "return": total,
            "length": step,
            "duration_s": step * env.decision_s,
            "min_ttc": info["min_ttc"],
            "digest": digest.hexdigest(),
        }
    )


@pytest.fixture(scope="session")
def recorder() -> Callable[..., Path]:
    return record


@pytest.fixture(scope="session")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two episodes at the occluded intersection: a collision (seed 6) and a success (seed 5)."""
    return record(
        tmp_path_factory.mktemp("recordings") / "bold", "constant:FASTER", [6, 5],
        policy_columns=True,
    )  # fmt: skip


@pytest.fixture(scope="session")
def other_recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same episodes with a driver that stands still."""
    return record(tmp_path_factory.mktemp("recordings") / "calm", "constant:SLOWER", [6, 5])


@pytest.fixture(scope="session")
def shared_page(
    recording: Path, other_recording: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """Both drivers side by side; tests must not change it."""
    target = tmp_path_factory.mktemp("browser") / "page.html"
    return write_page(find_recording(recording), target, against=find_recording(other_recording))


@pytest.fixture
def damaged_page(shared_page: Path, tmp_path: Path) -> Path:
    """The same page, whose data cannot be read."""
    text = shared_page.read_text()
    start = text.index('"blobs":["') + len('"blobs":["')
    page = tmp_path / "damaged.html"
    page.write_text(text[:start] + "AAAA" + text[start + 4 :])
    return page


@pytest.fixture
def desktop(browser: Browser) -> Iterator[Browser]:
    """A wide and light browser, in which no page may go wrong."""
    browser.look("desktop", "light")
    browser.errors()  # forget those of other tests
    yield browser
    assert browser.errors() == []
