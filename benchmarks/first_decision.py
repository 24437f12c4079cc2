"""Run a command until its worlds take their first decision; print the processor time until then.

`python -m benchmarks.first_decision train exit-recall --out FOLDER` prints seconds, of this process
and of those that it waited for, as the last line of standard output.
"""

from __future__ import annotations

import os
import resource
import sys
from typing import Any

from drivemem.cli import main


def processor_s() -> float:
    """Processor time of this process and of its children that have ended, s."""
    spent = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in spent)


def _end_with_the_first_decision() -> None:
    from drivemem_envs.compiled.vector_env import CompiledVectorEnv

    step = CompiledVectorEnv.step

    def first(self: CompiledVectorEnv, actions: Any) -> Any:
        step(self, actions)
        print(f"\n{processor_s()}", flush=True)
        os._exit(0)

    CompiledVectorEnv.step = first  # type: ignore[method-assign]


if __name__ == "__main__":
    _end_with_the_first_decision()
    main(sys.argv[1:])
