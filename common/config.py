"""How every command is started: presets, flags, ranges, and errors a user can act on.

A pattern's `config.py` holds frozen dataclasses and a `PRESETS` table; the docstring under a
field is the help of its flag. `run` turns both into a command line: `--preset` picks the
starting point, every other flag overrides one field of it, and whatever is wrong with the input
ends in one clear line and exit code 2 instead of a traceback.

The habit of dataclass configs with flags made by tyro is CleanRL's.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from common import console

DEVICES = ("auto", "cpu", "cuda")


@dataclass(frozen=True)
class RunConfig:
    """What every training command takes, whatever its pattern."""

    dataset: str = "auto"
    """A dataset's name, a simulated world, or `csv` and the like for a file of your own;
    `auto` takes the pattern's public dataset if it can be had, else the simulated world."""
    seed: int = 0
    """Seeds every random choice; same machine, CPU and seed give the identical report."""
    runs: Path = Path("runs")
    """Folder that receives the run."""
    resume: bool = False
    """Continue an unfinished run of this very configuration from its last checkpoint."""
    device: str = "auto"
    """auto, cpu or cuda."""

    def __post_init__(self) -> None:
        """Check the ranges of the shared fields; a subclass calls this and adds its own."""
        check_range("seed", self.seed, 0, 2**31 - 1)
        check_choice("device", self.device, DEVICES)


C = TypeVar("C", bound=object)


def check_range(field: str, value: float, low: float, high: float) -> None:
    """Raise `ValueError` unless `low <= value <= high`; NaN is outside every range."""
    if not low <= value <= high:
        flag = "--" + field.replace("_", "-")
        raise ValueError(
            f"{field}: {value} is out of range; give {flag} a value from {low:g} to {high:g}"
        )


def check_choice(field: str, value: str, choices: Sequence[str]) -> None:
    """Raise `ValueError` unless `value` is one of `choices`."""
    if value not in choices:
        flag = "--" + field.replace("_", "-")
        known = ", ".join(choices)
        raise ValueError(f"{field}: {value!r} is not known; give {flag} one of {known}")


def run(
    main: Callable[[C], object],
    presets: Mapping[str, C],
    *,
    description: str,
    argv: Sequence[str] | None = None,
) -> None:
    """Parse the command line over one of `presets`, call `main`, and exit.

    Exit codes: 0 done, 2 the input was wrong (said in one line), 130 interrupted. Set
    `ML_PATTERNS_DEBUG=1` to see the traceback behind an error.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    try:
        main(parse(presets, description=description, argv=arguments))
    except KeyboardInterrupt:
        console.error("interrupted; nothing half-written was left behind")
        sys.exit(130)
    except (ValueError, OSError, ImportError) as problem:
        if os.environ.get("ML_PATTERNS_DEBUG"):
            raise
        console.error(_in_words(problem))
        sys.exit(2)


def parse(presets: Mapping[str, C], *, description: str, argv: Sequence[str]) -> C:
    """Give the preset named by `--preset` (`default` where there is none), with flags applied."""
    import tyro

    name, rest = _take_preset(list(argv), presets)
    default = presets[name]
    choices = ",".join(presets)
    notes = f"{description}\n\n--preset {{{choices}}} sets the starting point (now: {name})"
    return tyro.cli(type(default), default=default, args=rest, description=notes)


def _take_preset(argv: list[str], presets: Mapping[str, C]) -> tuple[str, list[str]]:
    """Split `--preset NAME` or `--preset=NAME` off the arguments."""
    name = "default" if "default" in presets else next(iter(presets))
    rest: list[str] = []
    arguments = iter(argv)
    for argument in arguments:
        if argument == "--preset":
            name = next(arguments, "")
        elif argument.startswith("--preset="):
            name = argument.partition("=")[2]
        else:
            rest.append(argument)
    check_choice("preset", name, tuple(presets))
    return name, rest


def _in_words(problem: Exception) -> str:
    if isinstance(problem, OSError) and problem.errno == 28:
        where = f" while writing {problem.filename}" if problem.filename else ""
        return f"the disk is full{where}; free some space, or point --runs at another disk"
    return str(problem) or type(problem).__name__
