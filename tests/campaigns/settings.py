"""Part 1: drawn right and wrong values for everything that can be set.

Each input is refused in one line, or accepted; what is accepted must also be built and run.
"""

from __future__ import annotations

from tests.campaigns import draw_agents, draw_commands, draw_scenes, draw_training
from tests.campaigns.draws import Subject, collect, is_huge
from tests.campaigns.figures import REFUSED, RIGHT, SLOW, Tally


def run(subject: str, count: int, seed: int = 0) -> Tally:
    """Draw so many inputs for one of `SUBJECTS` and count how they end."""
    tally = Tally("settings", subject)
    strategy, meet = SUBJECTS[subject]()
    for drawn in collect(strategy, count, seed):
        ending = meet(drawn)
        if ending.how == "done":
            tally.add(RIGHT)
        elif ending.how in ("refused", "usage"):
            tally.add(REFUSED)
        elif ending.how == "hung" and is_huge(getattr(drawn, "changed", drawn)):
            tally.add(SLOW)
        else:
            tally.add_fault(f"{ending.how}: {ending.kind}", drawn, ending.text)
    return tally


SUBJECTS: dict[str, Subject] = {
    "training": draw_training.training,
    "sensors": draw_scenes.scenes("sensors"),
    "observations": draw_scenes.scenes("observation"),
    "dials": draw_scenes.dials,
    "memories": draw_agents.memories,
    "encoders": draw_agents.encoders,
    "agents": draw_agents.agents,
    "study files": draw_commands.studies,
    "presets": draw_commands.presets,
    "evaluations": draw_commands.evaluations,
}
"""What is put to the test, by name."""

SHARES = {
    "training": 0.3, "sensors": 0.1, "observations": 0.1, "dials": 0.15, "memories": 0.1,
    "encoders": 0.05, "agents": 0.05, "study files": 0.05, "presets": 0.05, "evaluations": 0.05,
}  # fmt: skip
"""Of all inputs that are drawn."""
