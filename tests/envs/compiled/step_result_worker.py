"""Drives both backends to chosen ends of episodes, with exact arithmetic.

Reads one request a line (JSON) and answers each with one line; run by `test_step_result`.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
from serving import both_backends, serve
from vector_worker import difference


def choose(space: Any, plan: Any, worlds: int, draw: np.random.Generator) -> Any:
    """Actions of all worlds: random, or world w does plan[w modulo its length] for ever."""
    if plan == "random":
        if hasattr(space, "n"):
            return draw.integers(space.n, size=worlds)
        return draw.uniform(-1, 1, (worlds, *space.shape)).astype(np.float32)
    chosen = [plan[world % len(plan)] for world in range(worlds)]
    return np.array(chosen, dtype=np.int64 if hasattr(space, "n") else np.float32)


def compare(request: dict[str, Any]) -> dict[str, Any]:
    """Compare rewards, terms, ends, outcomes and metrics, all to the last bit."""
    worlds, first = request["worlds"], request["first_seed"]

    made = both_backends(request, apart=100)
    for env in made:
        env.reset()
    draw, seen, hidden = np.random.default_rng(first), Counter[str](), 0
    for step in range(request["steps"]):
        actions = choose(made[0].single_action_space, request["plan"], worlds, draw)
        told = []
        for env in made:
            _, reward, terminated, truncated, info = env.step(actions)
            final = info.get("final_info", {})
            told.append(
                {
                    "reward": reward, "terminated": terminated, "truncated": truncated,
                    "terms": info.get("rewards", {}), "final": final,
                }
            )  # fmt: skip
        found = difference(*told, f"step {step} ")
        if found is not None:
            return {"difference": found, "outcomes": {}}
        final = told[0]["final"]
        seen.update(str(each) for each in final.get("outcome", ()) if each is not None)
        hidden += int(np.sum(final.get("hidden_origin_collision", 0)))
    for env in made:
        env.close()
    return {"difference": None, "outcomes": seen, "hidden_origin": hidden}


if __name__ == "__main__":
    serve(compare)
