"""How every command is started: presets, flags, ranges, and errors a user can act on.

A pattern's `config.py` holds frozen dataclasses and a `PRESETS` table; the docstring under a
field is the help of its flag. `run` turns both into a command line: `--preset` picks the
starting point, every other flag overrides one field of it, and whatever is wrong with the input
ends in one clear line and exit code 2 instead of a traceback.

The habit of dataclass configs with flags made by tyro is CleanRL's.
"""

from __future__ import annotations

import errno
import io
import os
import re
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from contextlib import redirect_stderr
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from common import console

DEVICES = ("auto", "cpu", "cuda")
REMEDIES = {
    errno.ENOENT: "create it, or name an existing path",
    errno.EISDIR: "name a file instead of a folder",
    errno.ENOTDIR: "name a folder instead of a file",
    errno.EIO: "check the disk, its quota and the limit on the size of files",
    errno.EFBIG: "raise the limit on the size of files, or point --runs at another disk",
}


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
    """Raise `ValueError` unless `low <= value <= high`; NaN is outside every range.

    `field` is the whole path of the flag, as in `ranking.trees`.
    """
    if not low <= value <= high:
        bounds = f"from {_bound(low)} to {_bound(high)}"
        raise ValueError(f"{field}: {value} is out of range; give {_flag(field)} a value {bounds}")


def check_choice(field: str, value: str, choices: Sequence[str]) -> None:
    """Raise `ValueError` unless `value` is one of `choices`."""
    if value not in choices:
        known = ", ".join(choices)
        raise ValueError(f"{field}: {value!r} is not known; give {_flag(field)} one of {known}")


def program() -> str:
    """Say how this process was started: `python -m patterns.recsys.train`."""
    spec = getattr(sys.modules.get("__main__"), "__spec__", None)
    if spec is None:
        return Path(sys.argv[0]).name
    return "python -m " + re.sub(r"\.__main__$", "", spec.name)


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
    # OpenMP threads that spin while they wait make small work up to fifty times slower on a machine
    # that others use too; they sleep instead. Read when a library loads OpenMP.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
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
    """Return the preset named by `--preset` (`default` where there is none), with flags applied.

    Raises `ValueError` where a config's `__post_init__` refuses a value. For what it refuses
    itself, an unknown flag or a word in place of a number, tyro prints a box and exits with 2.
    """
    import tyro

    name, rest = _take_preset(list(argv), presets)
    default = presets[name]
    choices = ",".join(presets)
    notes = f"{description}\n\n--preset {{{choices}}} sets the starting point (now: {name})"
    said = io.StringIO()
    try:
        with redirect_stderr(said):
            return tyro.cli(
                type(default), prog=program(), default=default, args=rest, description=notes
            )
    except SystemExit as end:
        refused = _refused_by_config(end)
        if refused is not None:
            raise refused from None
        sys.stderr.write(said.getvalue())
        raise


def _refused_by_config(end: SystemExit) -> ValueError | None:
    """Find the error of a `__post_init__` that made tyro exit; its box would bury the message."""
    problem: BaseException | None = end
    while problem is not None:
        frames = traceback.walk_tb(problem.__traceback__)
        inside = any(frame.f_code.co_name == "__post_init__" for frame, _ in frames)
        if isinstance(problem, ValueError) and inside:
            return problem
        problem = problem.__context__
    return None


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


def _flag(field: str) -> str:
    return "--" + field.replace("_", "-")


def _bound(value: float) -> str:
    return str(value) if isinstance(value, int) else f"{value:g}"


def _in_words(problem: Exception) -> str:
    if isinstance(problem, OSError) and problem.errno in (errno.ENOSPC, errno.EDQUOT):
        where = f" while writing {problem.filename}" if problem.filename else ""
        return f"the disk is full{where}; free some space, or point --runs at another disk"
    if isinstance(problem, OSError) and problem.errno is not None:
        remedy = REMEDIES.get(problem.errno, "check the path and its permissions, or name another")
        where = f"{problem.filename}: " if problem.filename else ""
        return f"{where}{str(problem.strerror).lower()}; {remedy}"
    return str(problem) or type(problem).__name__
