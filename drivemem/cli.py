"""The command line: one word chooses the command, which alone is imported.

Exit codes: 0 done, 1 failed, 2 bad usage.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Sequence
from importlib import import_module

from drivemem.errors import DrivememError, UsageError, did_you_mean
from drivemem.version import __version__

JSON, COMPLETION = "--json", "--completion"
COMMANDS = {
    "tour": "see in a minute what memory does: a page, made without training",
    "zoo": "trained agents that come with the package, to take in place of a run",
    "list": "what there is: scenarios, memories, encoders, drivers, lesions, metrics",
    "train": "train an agent on a scenario",
    "distill": "teach a student what a run or an oracle does, or make a run readable",
    "study": "run a study file: scenarios x agents x seeds x lesions, and report it",
    "gates": "ask whether a scenario may judge memories: oracle, learnable, headroom, shortcuts",
    "tune": "search settings of training, the same budget for every memory",
    "evaluate": "drive a fixed suite of episodes with a trained run or a reference driver",
    "probe": "decode what is hidden from the memory state of trained runs",
    "submit": "pack what an agent from anywhere did on a test suite, for others to compare",
    "compare": "compare runs and submissions: table, intervals, report",
    "watch": "watch a driver in a window, or drive by hand",
    "replay": "show recorded episodes: video, page, verification",
    "bench": "measure the speed of this machine beside its peers",
    "export": "write a run's agent as an ONNX file",
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command and exit."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if not words or words[0] in ("-h", "--help", "help"):
        print(_help())
        sys.exit(0 if words else 2)
    if words[0] in ("-V", "--version"):
        print(f"drivemem {__version__}")
        sys.exit(0)
    if words[0] == COMPLETION:
        sys.exit(_print_completion(words[1:]))
    sys.exit(run_command(words[0], words[1:]))


WITHOUT_TABLES = ("watch", "export")
"""Commands that print no figures."""


def run_command(name: str, words: list[str]) -> int:
    """Run one command; returns its exit code.

    With `--json` among the words its tables are printed as JSON, and nothing else.
    """
    if name not in COMMANDS:
        hint = did_you_mean(name, COMMANDS)
        print(f"drivemem: unknown command '{name}'{hint}\n\n{_help()}", file=sys.stderr)
        return 2
    # Of scenes that highway-env keeps in several versions: the user has asked for this one.
    warnings.filterwarnings("ignore", message=".*out of date.*")
    try:
        command: Callable[[list[str]], int] = import_module(f"drivemem.commands.{name}").run
        if not _asks_for_json(name, words):
            return command(words)
        from drivemem.output import printed_as_json

        with printed_as_json():
            return command([word for word in words if word != JSON])
    except DrivememError as error:
        print(f"drivemem {name}: {error}", file=sys.stderr)
        return 2 if isinstance(error, UsageError) else 1
    except KeyboardInterrupt:
        print(f"\ndrivemem {name}: interrupted", file=sys.stderr)
        return 1
    except BrokenPipeError:  # the reader of our output went away, as in `| head`
        sys.stderr.close()
        return 1
    except OSError as error:  # a path that the system does not take, such as one too long
        if error.filename is None:
            raise
        print(
            f"drivemem {name}: {error.strerror}: {error.filename!s:.100}; choose another path",
            file=sys.stderr,
        )
        return 1


def _print_completion(words: list[str]) -> int:
    """Print the script with which a shell completes commands and options."""
    from drivemem.commands.completing import SHELLS, completion

    try:
        if len(words) != 1:
            raise UsageError(f"give one shell: {', '.join(SHELLS)}")
        print(completion(words[0], COMMANDS))
    except DrivememError as error:
        print(f"drivemem {COMPLETION}: {error}", file=sys.stderr)
        return 2
    return 0


def _asks_for_json(name: str, words: list[str]) -> bool:
    """Whether figures are to be printed as JSON: not where a file follows, as `bench` takes it."""
    if JSON not in words or any(word in ("-h", "--help") for word in words):
        return False
    if name in WITHOUT_TABLES:
        raise UsageError(f"{JSON} is for commands that print tables; {name} prints none")
    following = words[words.index(JSON) + 1 :][:1]
    return name != "bench" or not following or following[0].startswith("-")


def _help() -> str:
    lines = [
        "usage: drivemem COMMAND [options]",
        "",
        "Does memory make a better driver when part of the road is hidden?",
        "",
        *(f"  {name:<10}{summary}" for name, summary in COMMANDS.items()),
        "",
        "`drivemem COMMAND --help` shows a command's options; with --json a command prints the",
        "figures of its tables as JSON. `drivemem --completion bash|zsh|fish` prints the script",
        "that completes commands and options, for `source <(drivemem --completion bash)`.",
    ]
    return "\n".join(lines)
