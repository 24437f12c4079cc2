"""`drivemem export`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import tyro

from drivemem.commands.parsing import read_options


@dataclass
class Options:
    """Write one acting step of a run's agent as an ONNX file, memory state as inputs and outputs.

    Needs the extra `onnx`.
    """

    run: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="RUN")]
    """Folder of a trained run."""
    out: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="OUT")]
    """The file to write, such as agent.onnx."""
    action_masks: bool | None = None
    """Let the file take masks of available actions; default: where the agent learned with them."""


def run(words: list[str]) -> int:
    """Export, and say what the file takes and gives."""
    options = read_options(Options, "export", words)
    from drivemem.errors import DrivememError
    from drivemem.evaluation.loading import load
    from drivemem.output import console
    from drivemem_agents.export import ExportError, export_onnx

    model = load(options.run, device="cpu")
    try:
        interface = export_onnx(model.policy, options.out, action_masks=options.action_masks)
    except (ExportError, OSError) as error:
        raise DrivememError(str(error)) from error
    console().print(f"takes: {', '.join(interface.inputs)}", soft_wrap=True)
    console().print(f"gives: {', '.join(interface.outputs)}", soft_wrap=True)
    console().print(options.out, soft_wrap=True)
    return 0
