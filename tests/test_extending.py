"""A package of somebody else's, written from docs/extending.md alone, works in every command."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
import torch

from drivemem.episodes import read_table

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "extending.md"
KINDS = {
    "scenarios": "walled-merge-v0", "memories": "fading", "encoders": "short_sighted",
    "lesions": "coarse", "metrics": "top_speed", "drivers": "careful",
}  # fmt: skip
"""What the package brings, by the entry point group drivemem.KIND."""


def _files() -> dict[str, str]:
    """The package's files, by path: blocks whose first line names one."""
    blocks = re.findall(r"```(?:python|toml)\n# (\S+)\n(.*?)```", PAGE.read_text(), re.DOTALL)
    return dict(blocks)


@pytest.fixture(scope="session")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package, installed in a folder: what pip would put there."""
    folder = tmp_path_factory.mktemp("site-packages")
    files = _files()
    project = tomllib.loads(files["pyproject.toml"])["project"]
    points = [
        f"[{group}]\n" + "".join(f"{name} = {place}\n" for name, place in entries.items())
        for group, entries in project["entry-points"].items()
    ]
    info = f"{project['name']}-{project['version']}.dist-info"
    files[f"{project['name']}/__init__.py"] = ""
    files[f"{info}/METADATA"] = (
        f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"
    )
    files[f"{info}/entry_points.txt"] = "\n".join(points)
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    return folder


@pytest.fixture
def module(package: Path, monkeypatch: pytest.MonkeyPatch):
    """Imports one of the package's modules into this process."""
    monkeypatch.syspath_prepend(package)
    yield lambda name: import_module(f"my_package.{name}")
    for name in [name for name in sys.modules if name.startswith("my_package")]:
        del sys.modules[name]


def run(package: Path, *words: str, cwd: Path | None = None, code: int = 0) -> str:
    """A fresh interpreter that has the package: `python WORDS`; returns what it printed."""
    paths = [str(package), os.environ.get("PYTHONPATH", ""), str(ROOT)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(paths)}
    done = subprocess.run(
        [sys.executable, *words], env=environment, cwd=cwd, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout


def drivemem(package: Path, *words: str, cwd: Path | None = None, code: int = 0) -> str:
    """`drivemem WORDS` where the package is installed."""
    return run(package, "-m", "drivemem", *words, cwd=cwd, code=code)


def test_the_page_shows_a_package_that_brings_one_of_every_kind() -> None:
    project = tomllib.loads(_files()["pyproject.toml"])["project"]
    brought = {group: list(names) for group, names in project["entry-points"].items()}
    assert {f"drivemem.{kind}" for kind in KINDS} == set(brought)
    assert all(name in brought[f"drivemem.{kind}"] for kind, name in KINDS.items())
    modules = {place.partition(":")[0] for names in project["entry-points"].values()
               for place in names.values()}  # fmt: skip
    shown = {name.removesuffix(".py").replace("/", ".") for name in _files()}
    assert modules == shown - {"pyproject.toml"}


@pytest.fixture(scope="session")
def listed(package: Path) -> dict[str, str]:
    """What `drivemem list` prints, by kind."""
    code = "from drivemem.cli import run_command\nfor kind in {!r}:\n    print('##', kind)\n"
    text = run(package, "-c", code.format(list(KINDS)) + "    run_command('list', [kind])\n")
    return {part.split()[0]: part for part in text.split("## ")[1:]}


@pytest.mark.parametrize("kind", list(KINDS))
def test_it_is_listed(listed: dict[str, str], kind: str) -> None:
    assert f" {KINDS[kind]} " in listed[kind]


@pytest.fixture(scope="session")
def trained(package: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which an agent with the package's memory and encoder was trained and cut."""
    folder = tmp_path_factory.mktemp("extended")
    drivemem(
        package, "train", "walled-merge", "--memory", "fading", "--memory-kwargs", "keep=0.8",
        "--encoder", "short_sighted", "--encoder-kwargs", "rows=2", "--steps", "256",
        "--num-envs", "2", "--n-steps", "32", "--batch-size", "64", "--out", "runs/fading",
        cwd=folder,
    )  # fmt: skip
    return folder


def test_its_memory_and_encoder_are_trained_on_its_scenario(trained: Path, package: Path) -> None:
    code = (
        "import drivemem\n"
        "settings = drivemem.load('runs/fading').policy.settings\n"
        "print(settings['memory'], settings['memory_kwargs']['keep'], settings['encoder'])"
    )
    assert run(package, "-c", code, cwd=trained).strip() == "fading 0.8 short_sighted"


def test_the_gates_of_its_scenario_are_tried(package: Path, tmp_path: Path) -> None:
    """The oracle is the one that its world gives; untrained agents do not pass."""
    drivemem(
        package, "gates", "flag-recall", "--seeds", "1", "--steps", "256", "--episodes", "6",
        "--jobs", "1", "--set", "num_envs=2", "n_steps=32", "batch_size=64", "--out", "gates",
        cwd=tmp_path, code=1,
    )  # fmt: skip
    found = json.loads((tmp_path / "gates" / "gates.json").read_text())
    assert found["scenario"] == "flag-recall-v0"
    assert found["gates"][0]["verdict"] == "pass" and not found["passed"]


def test_its_lesion_driver_and_metric_are_evaluated_and_compared(
    trained: Path, package: Path
) -> None:
    size = ["--episodes", "4", "--num-envs", "2"]
    for lesion in ("intact", "coarse:0.5"):
        drivemem(
            package, "evaluate", "runs/fading", *size, "--lesion", lesion, cwd=trained
        )  # fmt: skip
    drivemem(
        package, "evaluate", "--driver", "careful", "--scenario", "walled-merge", *size,
        "--out", "runs/careful", cwd=trained,
    )  # fmt: skip
    tables = sorted(trained.glob("runs/*/evaluations/*/episodes.parquet"))
    assert len(tables) == 3
    for table in tables:
        rows = read_table(table, {"top_speed": "DOUBLE"})
        assert len(rows) == 4
        assert all(row["top_speed"] >= row["mean_speed"] > 0.0 for row in rows)
    shown = drivemem(package, "compare", "runs", "--report", "report", cwd=trained)
    assert "fading / coarse:0.5" in shown and "careful" in shown
    assert "coarse:0.5" in (trained / "report" / "report.html").read_text()


def test_our_tests_test_its_memory(package: Path) -> None:
    """`pytest -k fading` over our tests is how its author checks it."""
    tests = ROOT / "tests" / "agents" / "memory"
    shown = run(
        package, "-m", "pytest", "-p", "no:cacheprovider", "-p", "no:xdist", "-k", "fading",
        "--import-mode=importlib", "-o", "addopts=", "-m", "not slow",
        *map(str, sorted(tests.glob("test_*.py"))),
    )  # fmt: skip
    assert "passed" in shown


def test_its_memory_keeps_the_contract(module) -> None:
    fading = module("fading")
    memory = fading.Fading(3, fading.FadingSettings())
    x, starts = torch.randn(7, 2, 3), torch.zeros(7, 2, dtype=torch.bool)
    starts[4] = True
    y, state = memory.sequence(x, memory.initial_state(2), starts)
    again, _ = memory.sequence(x[4:], memory.initial_state(2), starts[4:])
    torch.testing.assert_close(y[4:], again)
    assert state["h"].shape == (2, 16)


def test_its_scenario_drives(module) -> None:
    import drivemem_envs

    scenario = module("walled_merge").WALLED_MERGE
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


def test_its_free_driving_compiles_and_equals_the_reference(module) -> None:
    """Calls replace each other; both backends hear, reward and end the same."""
    import drivemem_envs

    scenario = module("called_lane").CALLED_LANE
    made: list = [
        drivemem_envs.make_vec(scenario, 3, backend=backend, seeds=lambda world, episode: world)
        for backend in ("reference", "compiled")
    ]
    seen, hidden, ended = [env.reset()[0] for env in made], [], 0
    for step in range(120):
        assert np.abs(seen[0]["lanes"] - seen[1]["lanes"]).max() < 1e-6
        assert (seen[0]["cue"] == seen[1]["cue"]).all()
        assert seen[1]["cue"].any(axis=1).all() == (step % 30 < 6)  # 2 s at 3 decisions a second
        hidden.append(made[1].latent().argmax(axis=1))
        stepped = [env.step(np.full(3, 4)) for env in made]  # SLOWER
        seen = [each[0] for each in stepped]
        for live, compiled in zip(stepped[0][1:4], stepped[1][1:4], strict=True):
            np.testing.assert_allclose(live, compiled, atol=1e-9)
        ended += int((stepped[1][2] | stepped[1][3]).sum())
    assert ended == 3 and all(len(set(calls)) > 1 for calls in zip(*hidden, strict=True))
    told = [each[4]["final_info"] for each in stepped]
    assert told[0]["outcome"].tolist() == told[1]["outcome"].tolist()


def test_the_rate_that_the_page_measures_is_printed(package: Path) -> None:
    code = re.search(r"```python\n(import time\n.*?)```", PAGE.read_text(), re.DOTALL)
    assert code is not None
    assert int(run(package, "-c", code[1].replace("steps = 300", "steps = 2"))) > 0


def test_its_scenario_with_a_ceiling_keeps_its_claims(module) -> None:
    """FASTER is right when the way is free, SLOWER when it is not, and the frame says neither."""
    import drivemem_envs
    from drivemem_envs.making import compiles

    example = module("flag_recall")
    scenario = example.FLAG_RECALL
    assert compiles(scenario) is None
    worlds = drivemem_envs.make_vec(scenario, 24, seeds=lambda world, episode: world // 3)
    observation, _ = worlds.reset()
    kinds, choices = worlds.latent().argmax(axis=1), np.arange(24) % 3  # type: ignore[attr-defined]
    right, ended, decisions = np.zeros(24, dtype=bool), np.zeros(24, dtype=bool), 0
    while not ended.all():
        if decisions == 25:  # 1 s + 4 s at 5 decisions a second
            assert (observation["vehicles"] == observation["vehicles"][0]).all()
        observation, _, terminated, truncated, infos = worlds.step(choices)
        decisions += 1
        for world in np.flatnonzero((terminated | truncated) & ~ended):
            right[world] = infos["final_info"]["is_success"][world]
        ended |= terminated | truncated
    assert set(kinds) == {0, 1}
    for kind, answer in enumerate([example.FASTER, example.SLOWER]):
        np.testing.assert_array_equal(
            right[kinds == kind].reshape(-1, 3)[:, [0, 2]].all(axis=0), np.arange(0, 3, 2) == answer
        )
