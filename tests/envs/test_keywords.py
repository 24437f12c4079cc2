"""Wrong keywords name the right ones, from Gymnasium and from the package's own functions."""

from __future__ import annotations

from typing import Any

import gymnasium
import pytest

import drivemem_envs

ID = "drivemem/exit-recall-v0"
WRONG: list[tuple[dict[str, Any], str]] = [
    ({"sensor": {"range_m": 3}}, "unknown keyword 'sensor'; did you mean 'sensors'? (one of: "),
    ({"trackr": "kalman"}, "unknown keyword 'trackr'; did you mean 'tracker'? (one of: "),
    ({"exits_count": 3}, "unknown keyword 'exits_count': give config={'exits_count': ...} (one"),
    ({"range_m": 3}, "unknown keyword 'range_m': give sensors={'range_m': ...} (one of: "),
    ({"see_behind": True}, "unknown keyword 'see_behind': give observation={'see_behind': ...}"),
    ({"zzz": 1}, "unknown keyword 'zzz' (one of: "),
    ({"tracker": "kalmn"}, "tracker is 'kalmn'"),
]


@pytest.mark.parametrize(("given", "says"), WRONG)
def test_a_wrong_keyword_is_refused_with_the_right_one(given: dict[str, Any], says: str) -> None:
    for make in (
        lambda: drivemem_envs.make("exit-recall", **given),
        lambda: drivemem_envs.make_vec("exit-recall", 2, **given),
        lambda: gymnasium.make(ID, **given),
        lambda: gymnasium.make_vec(ID, num_envs=2, **given),
        lambda: gymnasium.make_vec(ID, num_envs=2, vectorization_mode="sync", **given),
    ):
        with pytest.raises(ValueError) as refused:
            make()
        assert says in str(refused.value) and "\n" not in str(refused.value)


def test_each_function_names_its_own_keywords() -> None:
    with pytest.raises(ValueError, match="did you mean 'num_workers'") as refused:
        drivemem_envs.make_vec("exit-recall", 2, num_worker=1)
    assert "render_mode" not in str(refused.value)
    with pytest.raises(ValueError, match="did you mean 'render_mode'") as refused:
        drivemem_envs.make("exit-recall", rendermode="human")
    assert "num_workers" not in str(refused.value)


def test_words_that_are_none_are_refused_with_the_nearest() -> None:
    with pytest.raises(ValueError, match="unknown render_mode 'humn'; did you mean 'human'"):
        drivemem_envs.make("exit-recall", render_mode="humn")
    with pytest.raises(ValueError, match="unknown backend 'compild'; did you mean 'compiled'"):
        drivemem_envs.make("exit-recall", backend="compild")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="many worlds at once"):
        drivemem_envs.make("exit-recall", backend="compiled")
