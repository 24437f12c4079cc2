"""Completion of commands and options by the shell, as tyro writes it from the options."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any

import tyro

from drivemem.errors import UsageError, did_you_mean

SHELLS = ("bash", "zsh", "fish")


def completion(shell: str, commands: Iterable[str]) -> str:
    """The script that a shell reads to complete `drivemem` words.

    Args:
        shell: one of `SHELLS`.
        commands: modules beside this one, each with its `Options`.

    Raises:
        UsageError: another shell.
    """
    if shell not in SHELLS:
        hint = did_you_mean(shell, SHELLS)
        raise UsageError(f"no completion for '{shell}'{hint} (one of: {', '.join(SHELLS)})")
    options: dict[str, Any] = {
        name: import_module(f"drivemem.commands.{name}").Options for name in commands
    }
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "script"
        with suppress(SystemExit):  # how tyro ends when it has written the script
            tyro.extras.subcommand_cli_from_dict(
                options, prog="drivemem", config=(tyro.conf.OmitSubcommandPrefixes,),
                args=["--tyro-write-completion", shell, str(file)],
            )  # fmt: skip
        return file.read_text(encoding="utf-8")
