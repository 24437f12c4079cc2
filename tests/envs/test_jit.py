"""The kernels' decorator: nothing at import, a cache that follows the sources, plain Python."""

import json
import os
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from drivemem_envs import _jit

SCENE = """
import json, numpy as np
from drivemem_envs.sensing import TRACKERS, Sensors
from drivemem_envs.sensing.pipeline import SensorState
sensors = Sensors(
    line_of_sight=("actors", "occluders"), range_m=60, field_of_view_deg=200, dropout_per_s=1.0,
    blackout_per_s=0.3, blackout_mean_s=0.5, noise_position_m=0.5, noise_speed_mps=0.3,
    noise_growth_per_m=0.02, latency_s=0.4, missed="camera",
)
random = np.random.default_rng(0)
found = []
for tracker in TRACKERS:
    state = SensorState(sensors, 0.2, tracker)
    state.reset(2**63 + 12345)
    actors = np.column_stack([
        random.uniform(-30, 30, (12, 2)), random.uniform(-3, 3, 12), random.normal(0, 5, (12, 2)),
        np.full(12, 5.0), np.full(12, 2.0), np.zeros(12)])
    for _ in range(25):
        actors[:, :2] += 0.2 * actors[:, 3:5]
        p = state.sense(range(12), actors, occluders=[[5.0, 5.0, 0.3, 6.0, 4.0]])
        found += [p.ids.tolist(), p.rows.tolist(), p.age_s.tolist(),
                  p.sd_position.tolist(), p.sd_velocity.tolist(),
                  p.visible_fraction.tolist(), p.actor_age_s.tolist()]
print(json.dumps(found))
"""


def run(code, **environment):
    result = subprocess.run(
        [sys.executable, "-W", "error::RuntimeWarning", "-c", code],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    return result.stdout


def test_plain_python_senses_the_same_bit_for_bit():
    compiled = json.loads(run(SCENE))
    plain = json.loads(run(SCENE, NUMBA_DISABLE_JIT="1"))
    assert compiled == plain
    assert any(row for row in compiled)


def test_importing_compiles_nothing():
    code = (
        "from drivemem_envs.sensing.pipeline import sense; from drivemem_envs.sensing import draws;"
        "print(len(sense.signatures), len(draws.uniform.signatures))"
    )
    assert run(code).split() == ["0", "0"]


def test_the_spec_comes_without_numba():
    assert "False" in run(
        "import sys; import drivemem_envs.sensing; print('numba' in sys.modules)"
    )  # fmt: skip


def test_the_cache_lies_where_the_user_says_and_outside_the_installation(tmp_path):
    code = "from drivemem_envs import _jit; print(_jit.cache_folder())"
    folder = run(code, NUMBA_CACHE_DIR=str(tmp_path)).strip()
    assert folder == str(tmp_path / "drivemem" / f"kernels-{_jit.source_hash()[:16]}")


def test_kernels_work_where_nothing_can_be_written(tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("")
    code = (
        "from drivemem_envs import _jit; from drivemem_envs.sensing import draws;"
        "print(_jit.cache_folder(), draws.uniform(1, 2, 3, 0) < 1)"
    )
    assert run(code, NUMBA_CACHE_DIR=str(blocked)).split() == ["None", "True"]


def test_the_numba_settings_of_others_stay(tmp_path):
    code = (
        "import numba; before = numba.config.CACHE_DIR; import drivemem_envs.sensing.pipeline;"
        "print(before == numba.config.CACHE_DIR)"
    )
    assert run(code).strip() == "True"


def test_the_hash_follows_every_source_that_a_kernel_can_depend_on(tmp_path, monkeypatch):
    package = tmp_path / "drivemem_envs"
    (package / "deep").mkdir(parents=True)
    (package / "_jit.py").write_text("")
    (package / "kernel.py").write_text(
        "from drivemem_envs._jit import jit\nfrom drivemem_envs.deep.constants import G\n"
        "from drivemem_envs.deep import codes as named\nimport drivemem_envs.deep.plain\n"
    )
    (package / "deep" / "codes.py").write_text("A = 1\n")
    (package / "deep" / "plain.py").write_text("B = 1\n")
    (package / "deep" / "constants.py").write_text("from drivemem_envs.further import H\n")
    (package / "further.py").write_text("H = 1\n")
    (package / "unrelated.py").write_text("from drivemem_envs._jit import Floats, cache_folder\n")
    monkeypatch.setattr(_jit, "_PACKAGE", package)
    monkeypatch.setattr(_jit, "__file__", str(package / "_jit.py"))
    hashes = [_jit.source_hash.__wrapped__()]
    sources = (
        "further.py", "deep/constants.py", "deep/codes.py", "deep/plain.py", "kernel.py", "_jit.py",
    )  # fmt: skip
    for changed in ("unrelated.py", *sources):
        (package / changed).write_text((package / changed).read_text() + "# more\n")
        hashes.append(_jit.source_hash.__wrapped__())
    assert hashes[0] == hashes[1]
    assert len(set(hashes[1:])) == 1 + len(sources)


def test_kernels_that_nobody_used_lately_are_dropped_but_for_the_newest(tmp_path):
    base = tmp_path / "drivemem"
    for age in range(8):
        folder = base / f"kernels-{age}"
        folder.mkdir(parents=True)
        used = time.time() - 3600.0 * 30 * age
        os.utime(folder, (used, used))
    (base / "scenes").mkdir()
    run("from drivemem_envs import _jit; _jit.cache_folder()", NUMBA_CACHE_DIR=str(tmp_path))
    left = {folder.name for folder in base.iterdir()}
    assert left == {
        f"kernels-{_jit.source_hash()[:16]}", "kernels-0", "kernels-1", "kernels-2", "scenes",
    }  # fmt: skip


def warned(code, **environment):
    """What a process prints, with its warnings."""
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout, done.stderr


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="permissions as on POSIX systems")
@pytest.mark.parametrize("way", ["the folder", "a folder above", "behind a link"])
def test_no_cache_is_used_that_others_could_plant_code_in(tmp_path, way):
    base = tmp_path / "base"
    code = "from drivemem_envs import _jit; print(_jit.cache_folder())"
    folder = Path(warned(code, NUMBA_CACHE_DIR=str(base))[0].strip())
    assert folder.is_dir() and stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE(folder.parent.stat().st_mode) == 0o700
    open_to_all = folder if way == "the folder" else base
    open_to_all.chmod(0o777)
    if way == "behind a link":
        (tmp_path / "link").symlink_to(base)
        base = tmp_path / "link"
    printed, said = warned(code, NUMBA_CACHE_DIR=str(base))
    assert printed.strip() == "None"
    assert said.count("everybody can write to") == 1 and "NUMBA_CACHE_DIR" in said


@pytest.mark.skipif(getattr(os, "geteuid", lambda: 1)() != 0, reason="only root can give away")
def test_no_cache_of_another_user_is_used(tmp_path):
    code = "from drivemem_envs import _jit; print(_jit.cache_folder())"
    folder = Path(warned(code, NUMBA_CACHE_DIR=str(tmp_path))[0].strip())
    os.chown(folder, 12345, 12345)
    printed, said = warned(code, NUMBA_CACHE_DIR=str(tmp_path))
    assert printed.strip() == "None" and "belongs to user 12345" in said


def test_what_is_kept_is_known(tmp_path):
    code = (
        "from drivemem_envs import _jit; from drivemem_envs.sensing import draws;"
        "print(_jit.is_cached(draws.uniform));"
        "draws.uniform(1, 2, 3, 0); print(_jit.is_cached(draws.uniform))"
    )
    assert warned(code, NUMBA_CACHE_DIR=str(tmp_path))[0].split() == ["False", "True"]
    assert warned(code, NUMBA_DISABLE_JIT="1")[0].split() == ["False", "False"]


def test_a_damaged_entry_is_compiled_again_and_said_once(tmp_path):
    code = "from drivemem_envs.sensing import draws; print(draws.uniform(1, 2, 3, 0))"
    first, _ = warned(code, NUMBA_CACHE_DIR=str(tmp_path))
    entries = [*tmp_path.rglob("draws.uniform-*.nbi"), *tmp_path.rglob("draws.uniform-*.nbc")]
    assert len(entries) == 2
    for entry in entries:
        for damaged in (b"", entry.read_bytes()[:40], b"garbage" * 9):
            entry.write_bytes(damaged)
            again, said = warned(code, NUMBA_CACHE_DIR=str(tmp_path))
            assert again == first and said.count("compiled again") == 1, (entry.name, said)
            assert warned(code, NUMBA_CACHE_DIR=str(tmp_path)) == (first, "")
