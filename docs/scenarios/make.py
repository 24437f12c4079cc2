"""Write this folder's pages: python docs/scenarios/make.py.

They are the docstrings of scenarios, and what was measured of them where `measured/` has a page.
"""

from __future__ import annotations

import re
import textwrap
from importlib import import_module
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
GATES = HERE.parents[1] / "experiments" / "gates"
"""Where `gates.md` of `drivemem gates <scenario>-<level>` is kept as <scenario>-<level>.md."""
PICTURE_S = 1.0
"""When in the episode of seed 0 the picture is taken: while something is still to be seen, s."""


def page(name: str) -> str:
    """The page of a scenario of the suite, as Markdown.

    Args:
        name: without level and version.
    """
    import drivemem_envs
    from drivemem_envs.names import LEVELS

    module = import_module(f"drivemem_envs.scenarios.{name.replace('-', '_')}")
    title, _, rest = (module.__doc__ or "").strip().partition("\n")
    lines = [f"# {name}", "", title, "", f"![{name}, seen from above]({name}.png)"]
    for heading, body in re.findall(r"^(\S[^\n]*)\n((?:    .*\n?|\n)+)", rest + "\n", re.MULTILINE):
        lines += ["", f"**{heading}.** {' '.join(textwrap.dedent(body).split())}"]
    lines += ["", "| level | memory horizon | ceiling | what differs |", "|---|---|---|---|"]
    easy = drivemem_envs.scenario(f"{name}-{LEVELS[0]}")
    for level in LEVELS:
        found = drivemem_envs.scenario(f"{name}-{level}")
        differs = {
            **{k: v for k, v in found.config.items() if easy.config.get(k) != v},
            **{
                f"sensors.{k}": _in_words(v)
                for k, v in found.sensors
                if getattr(easy.sensors, k) != v
            },
        }
        told = ", ".join(f"`{key}={value}`" for key, value in differs.items())
        horizon = "" if found.memory_horizon_s is None else f"{found.memory_horizon_s:g} s"
        lines.append(f"| `drivemem/{found.name}` | {horizon} | {found.ceiling_words} | {told} |")
    cards = [f"[{study}]({path})" for study, path in _cards(name)]
    if cards:
        lines += [
            "",
            f"**Measured.** What drivers reach stands in the cards of {', '.join(cards)}.",
        ]
    for level in LEVELS:
        told = GATES / f"{name}-{level}.md"
        if told.is_file():
            lines += ["", told.read_text(encoding="utf-8").rstrip()]
    figures = HERE / "measured" / f"{name}.md"
    if figures.exists():
        lines += ["", f"**Measured.** {figures.read_text(encoding='utf-8').strip()}"]
    return "\n".join(lines) + "\n"


def _in_words(value: Any) -> Any:
    """A sensor's setting as the command line takes it."""
    from drivemem_envs.sensing.missed import MISSED_PRESETS
    from drivemem_envs.sensing.sectors import Sector

    preset = next((name for name, model in MISSED_PRESETS.items() if model == value), None)
    if preset or not (isinstance(value, tuple) and value and isinstance(value[0], Sector)):
        return preset or value
    return ",".join(
        f"{each.centre_deg:g}:{each.width_deg:g}"
        + ("" if each.range_m is None else f":{each.range_m:g}")
        for each in value
    )


def _cards(name: str) -> list[tuple[str, str]]:
    """Studies that drove a scenario, and where their results stand, seen from this folder."""
    cards = sorted((HERE.parents[1] / "experiments").glob("*/results/cards.md"))
    return [
        (path.parts[-3], f"../../experiments/{path.parts[-3]}/results/cards.md")
        for path in cards
        if f"\n## {name}-" in path.read_text(encoding="utf-8")
    ]


def picture(name: str) -> bytes:
    """The scene of seed 0 with what the sensors perceive, as a PNG."""
    import io

    from PIL import Image

    import drivemem_envs

    env = drivemem_envs.make(name, render_mode="rgb_array")
    env.reset(seed=0)
    for _ in range(round(PICTURE_S / env.unwrapped.decision_s)):  # type: ignore[attr-defined]
        env.step(1)
    frame = Image.fromarray(env.render())  # type: ignore[arg-type]
    env.close()
    out = io.BytesIO()
    frame.quantize(64).save(out, "PNG", optimize=True)
    return out.getvalue()


def main() -> None:
    """Write all pages and pictures."""
    from drivemem_envs.names import SUITE

    for name in SUITE:
        (HERE / f"{name}.md").write_text(page(name))
        (HERE / f"{name}.png").write_bytes(picture(name))


if __name__ == "__main__":
    main()
