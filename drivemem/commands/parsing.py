"""Reading a command's options with tyro, all commands alike."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any, TypeVar

import tyro
from pydantic import ValidationError

from drivemem.errors import DrivememError
from drivemem.settings import plain_numbers
from drivemem_agents.settings import complaint

Options = TypeVar("Options")


def read_options(
    kind: type[Options], command: str, words: Sequence[str], default: Any = None
) -> Options:
    """Parse a command's words into its options; exits with 2 on bad usage.

    Args:
        kind: a dataclass or pydantic model; its field docstrings are the help.
        command: for the usage line, with a word that was taken before, such as train SCENARIO.
        words: what follows the command.
        default: options to start from.
    """
    keywords: dict[str, Any] = {} if default is None else {"default": default}
    try:
        options: Options = tyro.cli(
            kind,
            prog=f"drivemem {command}",
            args=plain_numbers(words),
            config=(tyro.conf.OmitSubcommandPrefixes,),
            **keywords,
        )
        return options
    except (ValidationError, DrivememError) as error:
        cause = error.__cause__ if isinstance(error, DrivememError) else error
        said = complaint(cause, "--{}") if isinstance(cause, ValidationError) else str(error)
        print(f"drivemem {command.split()[0]}: {said}", file=sys.stderr)
        raise SystemExit(2) from error
