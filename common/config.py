"""How every command is started: presets, flags, ranges, and errors a user can act on.

A pattern's `config.py` holds frozen dataclasses and a `PRESETS` table. Everything about a field
is declared on it: its type, a `Literal` if it is a choice, its range, and its help just below it:

    trees: Annotated[int, Interval(ge=1, le=10_000)] = 300

`run` turns this into a command line: `--preset` picks the starting point, every other flag
overrides one field of it, and whatever goes wrong ends in one clear line (`exits`). A configuration
checks itself and its sections when it is created, so one made in code has the same ranges, and no
name is written twice.

Dataclass configs with flags made by tyro are an idea of CleanRL.
"""

from __future__ import annotations

import io
import os
import re
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr
from dataclasses import dataclass, fields, is_dataclass
from functools import cache
from pathlib import Path
from types import UnionType
from typing import (
    Annotated,
    Any,
    ClassVar,
    Literal,
    TypeVar,
    Union,
    get_args,
    get_origin,
    get_type_hints,
)

from annotated_types import Interval, Len, MultipleOf

from common import cost, exits


@dataclass(frozen=True)
class CheckedConfig:
    """Base of every configuration: it checks itself and its sections when it is created."""

    def __post_init__(self) -> None:
        """Check what the fields declare; a subclass calls this, then adds checks across fields."""
        check(self)


@dataclass(frozen=True)
class RunConfig(CheckedConfig):
    """Flags of every training command."""

    dataset: str = "auto"
    """A dataset's name, a simulated world, or `csv` and the like for your own file;
    `auto` takes the pattern's public dataset if available, else the offline one."""
    seed: Annotated[int, Interval(ge=0, le=2**31 - 1)] = 0
    """Seeds every random choice; same machine, CPU and seed give the identical report."""
    runs: Path = Path("runs")
    """Folder that receives the run."""
    resume: bool = False
    """Continue an unfinished run with exactly this configuration from its last checkpoint."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """auto, cpu or cuda."""

    own_datasets: ClassVar[tuple[str, ...]] = ("csv",)
    """What `--dataset` calls the user's own files, by their layout."""
    own_files: ClassVar[tuple[str, ...]] = ("path",)
    """Fields of section `data` that name them."""
    own_needed: ClassVar[tuple[str, ...]] = ("path",)
    """Those of them of which one must be given."""

    def __post_init__(self) -> None:
        """Check the fields; a user's own files and `--dataset` belong together."""
        super().__post_init__()
        data, own = getattr(self, "data", None), " or ".join(self.own_datasets)
        given = [name for name in self.own_files if getattr(data, name, None) is not None]
        if self.dataset in self.own_datasets and not set(given) & set(self.own_needed):
            needed = [f"data.{name}" for name in self.own_needed]
            raise ValueError(
                f"{needed[0]}: --dataset {self.dataset} reads your own data; give"
                f" {' or '.join(map(_flag, needed))} (--help says what it must contain)"
            )
        if given and self.dataset not in self.own_datasets:
            raise ValueError(
                f"data.{given[0]}: read with --dataset {own} only, but dataset is {self.dataset};"
                f" add --dataset {own}, or leave out {_flag(f'data.{given[0]}')}"
            )


C = TypeVar("C", bound=object)


def check(section: Any, path: str = "") -> None:
    """Raise `ValueError` if a value is outside the range or the choices its field declares.

    Sections are checked with their path in front, so an error names the whole flag:
    `--ranking.trees`. NaN is outside every range; None is allowed if the type allows it.
    """
    for name, hint in _hints(section.__class__).items():
        value = getattr(section, name)
        if is_dataclass(value):
            check(value, f"{path}{name}.")
        else:
            _check_value(f"{path}{name}", value, hint)


@cache
def _hints(kind: type) -> dict[str, Any]:
    hints = get_type_hints(kind, include_extras=True)
    return {field.name: hints[field.name] for field in fields(kind)}


def _check_value(field: str, value: Any, hint: Any) -> None:
    """Check a value against its type, each member of a tuple, or each option of a union."""
    origin, arguments = get_origin(hint), get_args(hint)
    if value is None:
        return
    if origin is Annotated:
        for limit in hint.__metadata__:
            _check_limit(field, value, limit)
        _check_value(field, value, arguments[0])
    elif origin is Literal:
        check_choice(field, value, arguments)
    elif origin in (Union, UnionType):
        for option in arguments:
            _check_value(field, value, option)
    elif origin is tuple:
        of_all = [arguments[0]] * len(value) if arguments[-1] is Ellipsis else arguments
        for member, member_hint in zip(value, of_all, strict=True):
            _check_value(field, member, member_hint)


def _check_limit(field: str, value: Any, limit: Any) -> None:
    if isinstance(limit, Len):
        _check_interval(field, len(value), Interval(ge=limit.min_length, le=limit.max_length))
    elif isinstance(limit, Interval):
        _check_interval(field, value, limit)
    elif isinstance(limit, MultipleOf) and value % limit.multiple_of:
        nearest = max(round(value / limit.multiple_of), 1) * limit.multiple_of
        raise ValueError(
            f"{field}: {value} is not a multiple of {limit.multiple_of}; give"
            f" {_flag(field)} {nearest}"
        )


def _check_interval(field: str, value: Any, limit: Interval) -> None:
    """Raise unless a number lies inside; NaN never does."""
    bounds: list[tuple[str, Any, bool]] = [
        ("from", limit.ge, limit.ge is None or value >= limit.ge),
        ("above", limit.gt, limit.gt is None or value > limit.gt),
        ("to", limit.le, limit.le is None or value <= limit.le),
        ("below", limit.lt, limit.lt is None or value < limit.lt),
    ]
    if not all(inside for _, _, inside in bounds):
        said = " ".join(f"{word} {_bound(end)}" for word, end, _ in bounds if end is not None)
        raise ValueError(f"{field}: {value} is out of range; give {_flag(field)} a value {said}")


def check_choice(field: str, value: object, choices: Sequence[object]) -> None:
    """Raise `ValueError` unless `value` is one of `choices`."""
    if value not in choices:
        known = ", ".join(map(str, choices))
        raise ValueError(f"{field}: {value!r} is not known; give {_flag(field)} one of {known}")


@contextmanager
def as_flags(**fields: str) -> Iterator[None]:
    """Name the field and flag where a stage's error names its argument: a stage knows neither."""
    try:
        yield
    except ValueError as problem:
        name, colon, rest = str(problem).partition(": ")
        if not colon or name not in fields:
            raise
        raise ValueError(f"{fields[name]}: {rest} ({_flag(fields[name])})") from problem


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

    `exits` has the exit codes and what each error says; `ML_PATTERNS_DEBUG=1` shows tracebacks.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    set_openmp_waiting()
    cost.begin()
    with exits.one_line():
        main(parse(presets, description=description, argv=arguments))


def set_openmp_waiting() -> None:
    """Let waiting OpenMP threads spin for microseconds, then sleep, unless the user says otherwise.

    Threads that spin on make small work up to fifty times slower on a machine that others use too;
    threads that sleep at once lose a wake-up in each small operation, a quarter of the
    recommender's time. Libraries read this when they load OpenMP.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.setdefault("GOMP_SPINCOUNT", "4000")


def parse(presets: Mapping[str, C], *, description: str, argv: Sequence[str]) -> C:
    """Return the preset named by `--preset` (else `default`), with flags applied.

    Raises `ValueError` if a value is refused. For an unknown flag or a word in place of a
    number tyro prints a box and exits with 2.
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
        refused = _refused_by_config(end) or _refused_choice(said.getvalue())
        if refused is not None:
            raise refused from None
        sys.stderr.write(said.getvalue())
        raise


def _refused_by_config(end: SystemExit) -> ValueError | None:
    """Find the error of a `__post_init__` that made tyro exit, to show it without tyro's box."""
    problem: BaseException | None = end
    while problem is not None:
        frames = traceback.walk_tb(problem.__traceback__)
        inside = any(frame.f_code.co_name == "__post_init__" for frame, _ in frames)
        if isinstance(problem, ValueError) and inside:
            return problem
        problem = problem.__context__
    return None


def _refused_choice(box: str) -> ValueError | None:
    """Turn tyro's box about a wrong choice into a one-line error, like all other errors."""
    said = " ".join(box.replace("│", " ").split())
    found = re.search(r"choice '(.*?)' for argument '--(\S+?)'\. Expected one of \((.*?)\)", said)
    if found is None:
        return None
    value, flag, choices = found.groups()
    known = ", ".join(re.findall(r"'(.*?)'", choices))
    return ValueError(
        f"{flag.replace('-', '_')}: {value!r} is not known; give --{flag} one of {known}"
    )


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
