"""What the documentation says works: its links exist, its examples run."""

from __future__ import annotations

import re
import sys
import types
from pathlib import Path

import numpy as np
import pytest
import torch

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", (ROOT / page).read_text(), re.DOTALL)


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", page.read_text()):
        if not target.startswith("http"):
            assert (page.parent / target).exists(), target


def test_commands_in_the_readme_have_these_options() -> None:
    from drivemem.cli import COMMANDS
    from drivemem.commands import compare, evaluate, replay, train
    from drivemem.config import TrainConfig

    known = {
        "train": {*TrainConfig.model_fields, *train.Options.__dataclass_fields__},
        "evaluate": {*evaluate.Options.__dataclass_fields__},
        "compare": {*compare.Options.__dataclass_fields__},
        "replay": {*replay.Options.__dataclass_fields__},
    }
    shell = "\n".join(blocks("README.md", "bash")).replace("\\\n", " ")
    lines = [line for line in shell.splitlines() if line.startswith("drivemem ")]
    assert len(lines) >= 8
    for line in lines:
        command = line.split()[1]
        assert command in COMMANDS
        for option in re.findall(r"--([a-z-]+)", line.split("#")[0]):
            assert option.replace("-", "_") in known[command], line


def test_the_example_memory_keeps_the_contract() -> None:
    from drivemem_agents.memory import make_memory

    exec(compile(blocks("docs/extending.md", "python")[0], "extending.md", "exec"), {})
    memory = make_memory("leaky", 3)
    x, starts = torch.randn(7, 2, 3), torch.zeros(7, 2, dtype=torch.bool)
    starts[4] = True
    y, state = memory.sequence(x, memory.initial_state(2), starts)
    again, _ = memory.sequence(x[4:], memory.initial_state(2), starts[4:])
    torch.testing.assert_close(y[4:], again)
    assert state["h"].shape == (2, 3)


def test_the_example_scenario_drives(monkeypatch: pytest.MonkeyPatch) -> None:
    import drivemem_envs

    module = types.ModuleType("walled_merge_example")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    text = blocks("docs/extending.md", "python")[1].replace(
        "my_package.walled_merge", module.__name__
    )
    exec(compile(text, "extending.md", "exec"), vars(module))
    scenario = vars(module)["WALLED_MERGE"]
    env = drivemem_envs.make(scenario)
    env.reset(seed=0)
    assert env.unwrapped.occluders().shape == (1, 5)  # type: ignore[attr-defined]
    assert not env.unwrapped.truth()["perceived"].all()  # type: ignore[attr-defined]
    for _ in range(60):
        *_, terminated, truncated, info = env.step(1)
        if terminated or truncated:
            break
    assert info["outcome"]
    worlds = drivemem_envs.make_vec(scenario, 2, seeds=lambda world, episode: world)
    assert worlds.backend == "compiled"  # type: ignore[attr-defined]
    compiled, _ = worlds.reset()
    single, _ = env.reset(seed=0)
    assert np.abs(compiled["vehicles"][0] - single["vehicles"]).max() < 1e-6


def test_the_example_of_the_compiled_backend_runs() -> None:
    for text in blocks("docs/compiled-backend.md", "python"):
        exec(compile(text, "compiled-backend.md", "exec"), {"__name__": "example"})
