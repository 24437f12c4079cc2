"""What the parity workers have in common: a line of JSON asked, a line of JSON answered."""

from __future__ import annotations

import json
import sys
import traceback
import warnings
from collections.abc import Callable
from typing import Any

from drivemem_envs.making import make_vec

Answer = Callable[[dict[str, Any]], dict[str, Any]]


def serve(answer: Answer) -> None:
    """Answer requests until the input ends; what fails differs, and says where."""
    warnings.simplefilter("ignore")
    for line in sys.stdin:
        try:
            told = answer(json.loads(line))
        except Exception:
            told = {"difference": traceback.format_exc(), "outcomes": {}}
        sys.stdout.write(json.dumps(told) + "\n")
        sys.stdout.flush()


def both_backends(request: dict[str, Any], apart: int) -> list[Any]:
    """The reference and the compiled environment of a request, with seeds so far apart."""

    def seeds(world: int, episode: int) -> int:
        return int(request["first_seed"]) + apart * world + episode

    return [
        make_vec(
            request["scenario"], request["worlds"], backend=backend, seeds=seeds,
            num_workers=count, **request["changes"],
        )
        for backend, count in (("reference", 1), ("compiled", request["threads"]))
    ]  # fmt: skip
