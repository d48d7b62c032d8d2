"""Presets, flags, ranges; every wrong input ends in words, exit code 2 and no traceback."""

import errno
import math
import os
import subprocess
import sys
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from annotated_types import Interval, Len, MultipleOf

from common import config
from common.config import CheckedConfig, RunConfig

ROOT = Path(__file__).parents[2]
MAINS = sorted(
    ".".join(path.relative_to(ROOT).with_suffix("").parts)
    for name in ("train", "serve", "search", "predict")
    for path in ROOT.glob(f"patterns/**/{name}.py")
    if "stages" not in path.parts
)


@dataclass(frozen=True)
class Trees:
    count: Annotated[int, Interval(ge=1, le=1000)] = 10
    """How many."""
    shrinkage: Annotated[float, Interval(ge=0, le=1)] = 0.1
    """How slow."""
    widths: Annotated[tuple[Annotated[int, Interval(ge=2)], ...], Len(1, 3)] = (4, 8)
    """How wide each is."""
    range: tuple[Annotated[float, Interval(ge=0)], float] | None = None
    """From where to where."""
    temperature: Annotated[float, Interval(gt=0, lt=5)] | None = None
    """How warm."""
    leaf: Literal["mean", "median"] | None = None
    """What a leaf says."""


@dataclass(frozen=True)
class Config(RunConfig):
    trees: Trees = field(default_factory=Trees)
    """The trees."""
    depth: Annotated[int, Interval(ge=1, le=9)] = 3
    """Their depth."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.depth == 7:
            raise ValueError("depth: 7 is unlucky\nuse 6")


PRESETS = {
    "smoke": Config(depth=1, trees=Trees(count=2)),
    "default": Config(),
    "large": replace(Config(), depth=9),
}


def started(*argv: str) -> Config:
    """Give the config that `main` receives."""
    received: list[Config] = []
    config.run(received.append, PRESETS, description="A test.", argv=argv)
    return received[0]


def refused(capsys: pytest.CaptureFixture[str], *argv: str) -> str:
    """Give what is said of a wrong command line."""
    with pytest.raises(SystemExit) as end:
        started(*argv)
    said = capsys.readouterr()
    assert end.value.code == 2
    assert said.out == "" and "Traceback" not in said.err
    return said.err


def test_no_flag_gives_the_default_preset() -> None:
    assert started() == Config()


@pytest.mark.parametrize("argv", [("--preset", "smoke"), ("--preset=smoke",)])
def test_a_preset_is_the_starting_point(argv: tuple[str, ...]) -> None:
    assert started(*argv) == PRESETS["smoke"]


def test_flags_win_over_the_preset_wherever_it_stands() -> None:
    expected = replace(PRESETS["smoke"], seed=5, trees=Trees(count=2, shrinkage=0.5))
    flags = ("--seed", "5", "--trees.shrinkage", "0.5")
    assert started(*flags, "--preset", "smoke") == expected
    assert started("--preset", "smoke", *flags) == expected


@pytest.mark.parametrize(
    ("argv", "line"),
    [
        (("--seed", "-1"), "seed: -1 is out of range; give --seed a value from 0 to 2147483647"),
        (
            ("--trees.count", "0"),
            "trees.count: 0 is out of range; give --trees.count a value from 1 to 1000",
        ),
        (
            ("--trees.shrinkage", "nan"),
            "trees.shrinkage: nan is out of range; give --trees.shrinkage a value from 0 to 1",
        ),
        (
            ("--trees.shrinkage", "inf"),
            "trees.shrinkage: inf is out of range; give --trees.shrinkage a value from 0 to 1",
        ),
        (("--device", "tpu"), "device: 'tpu' is not known; give --device one of auto, cpu, cuda"),
        (
            ("--preset", "huge"),
            "preset: 'huge' is not known; give --preset one of smoke, default, large",
        ),
        (("--preset",), "preset: '' is not known; give --preset one of smoke, default, large"),
    ],
)
def test_a_value_out_of_range_is_one_line(
    capsys: pytest.CaptureFixture[str], argv: tuple[str, ...], line: str
) -> None:
    assert refused(capsys, *argv) == f"error {line}\n"


def test_the_words_of_a_post_init_survive(capsys: pytest.CaptureFixture[str]) -> None:
    assert refused(capsys, "--depth", "7") == "error depth: 7 is unlucky\nuse 6\n"


def test_an_unknown_flag_is_named_with_a_guess(capsys: pytest.CaptureFixture[str]) -> None:
    said = refused(capsys, "--trees.cuont", "4")
    assert "--trees.cuont" in said and "--trees.count" in said and "--help" in said


@pytest.mark.parametrize("argv", [("--seed", "three"), ("--seed",), ("stray",), ("--seed", "1.5")])
def test_a_flag_that_does_not_parse_is_named(
    capsys: pytest.CaptureFixture[str], argv: tuple[str, ...]
) -> None:
    assert argv[0] in refused(capsys, *argv)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, -0.01, 1.01])
def test_a_range_refuses_in_code_as_on_the_command_line(value: float) -> None:
    with pytest.raises(ValueError, match=r"trees\.shrinkage: .* --trees\.shrinkage a value from 0"):
        Config(trees=Trees(shrinkage=value))


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (
            {"widths": (4, 1)},
            r"trees\.widths: 1 is out of range; give --trees\.widths a value from 2",
        ),
        ({"widths": ()}, r"trees\.widths: 0 is out of range; .* a value from 1 to 3"),
        ({"widths": (4,) * 4}, r"trees\.widths: 4 is out of range; .* a value from 1 to 3"),
        ({"range": (-1.0, 2.0)}, r"trees\.range: -1\.0 is out of range; .* a value from 0"),
        ({"range": (math.nan, 2.0)}, r"trees\.range: nan is out of range"),
        ({"temperature": 0.0}, r"trees\.temperature: 0\.0 is out of range; .* above 0 below 5"),
        ({"temperature": 5.0}, r"trees\.temperature: 5\.0 is out of range"),
        ({"leaf": "mode"}, r"trees\.leaf: 'mode' is not known; .* one of mean, median"),
    ],
)
def test_limits_inside_tuples_and_options_are_checked(
    changed: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        Config(trees=Trees(**changed))


def test_a_number_that_is_no_multiple_is_refused_with_the_nearest() -> None:
    @dataclass(frozen=True)
    class Image(CheckedConfig):
        side: Annotated[int, MultipleOf(32)] = 64

    assert Image(96).side == 96
    for side, nearest in ((100, 96), (5, 32)):
        message = rf"^side: {side} is not a multiple of 32; give --side {nearest}$"
        with pytest.raises(ValueError, match=message):
            Image(side)


@dataclass(frozen=True)
class Data:
    path: Path | None = None
    ratings: Path | None = None


@dataclass(frozen=True)
class OwnFiles(RunConfig):
    data: Data = field(default_factory=Data)

    own_files = ("path", "ratings")


@pytest.mark.parametrize(
    ("dataset", "files", "message"),
    [
        ("csv", Data(), r"^data\.path: --dataset csv reads your own data; give --data\.path"),
        ("csv", Data(ratings=Path("x")), r"^data\.path: --dataset csv reads your own data"),
        ("auto", Data(path=Path("x")), r"^data\.path: read with --dataset csv only"),
        ("movielens", Data(ratings=Path("x")), r"^data\.ratings: .* leave out --data\.ratings$"),
    ],
)
def test_own_files_and_their_dataset_belong_together(
    dataset: str, files: Data, message: str
) -> None:
    assert OwnFiles("csv", data=Data(Path("x"))).data.path == Path("x")
    with pytest.raises(ValueError, match=message):
        OwnFiles(dataset, data=files)


def test_the_ends_of_a_range_none_and_all_choices_are_taken() -> None:
    for inside in (0.0, 1.0):
        assert Config(trees=Trees(shrinkage=inside)).trees.shrinkage == inside
    warm = Trees(temperature=4.9, range=(0.0, -1.0), leaf="median", widths=(2, 3, 4))
    assert Config(trees=warm, device="cuda").trees == warm


def test_a_configuration_without_a_run_checks_itself_too() -> None:
    @dataclass(frozen=True)
    class Port(CheckedConfig):
        number: Annotated[int, Interval(ge=1, le=9)] = 3

    assert Port(9).number == 9
    with pytest.raises(ValueError, match=r"^number: 10 is out of range"):
        Port(10)
    with pytest.raises(ValueError, match=r"^depth: 0 is out of range"):
        replace(Config(), depth=0)


@pytest.mark.parametrize(
    ("problem", "words"),
    [
        (ValueError("path: nothing there"), "error path: nothing there\n"),
        (
            FileNotFoundError(2, "No such file", "a.csv"),
            "error a.csv: no such file; create it, or name an existing path\n",
        ),
        (
            PermissionError(13, "Permission denied", "runs"),
            "error runs: permission denied; check the path and its permissions, or name another\n",
        ),
        (ImportError("no onnx; pip install onnx"), "error no onnx; pip install onnx\n"),
        (ValueError(), "error ValueError\n"),
    ],
)
def test_errors_of_main_end_in_words(
    capsys: pytest.CaptureFixture[str], problem: Exception, words: str
) -> None:
    def main(_: Config) -> None:
        raise problem

    with pytest.raises(SystemExit) as end:
        config.run(main, PRESETS, description="A test.", argv=())
    assert end.value.code == 2 and capsys.readouterr().err == words


def test_a_full_disk_is_named_with_its_remedy(capsys: pytest.CaptureFixture[str]) -> None:
    def main(_: Config) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", "runs/x/report.html")

    with pytest.raises(SystemExit):
        config.run(main, PRESETS, description="A test.", argv=())
    said = capsys.readouterr().err
    assert "the disk is full" in said and "runs/x/report.html" in said and "--runs" in said


def test_an_interrupt_is_no_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    def main(_: Config) -> None:
        raise KeyboardInterrupt

    with pytest.raises(SystemExit) as end:
        config.run(main, PRESETS, description="A test.", argv=())
    assert end.value.code == 130 and "interrupted" in capsys.readouterr().err


def test_waiting_threads_sleep_unless_the_user_has_a_policy(monkeypatch) -> None:
    for name in ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT"):
        monkeypatch.delenv(name, raising=False)
    started()
    assert os.environ["OMP_WAIT_POLICY"] == "PASSIVE"
    assert 1_000 < int(os.environ["GOMP_SPINCOUNT"]) < 10_000
    monkeypatch.setenv("OMP_WAIT_POLICY", "ACTIVE")
    started()
    assert os.environ["OMP_WAIT_POLICY"] == "ACTIVE"


def test_debug_shows_the_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ML_PATTERNS_DEBUG", "1")
    with pytest.raises(ValueError, match="seed: -1"):
        started("--seed", "-1")


@pytest.mark.parametrize("module", MAINS)
def test_an_unknown_flag_of_any_command_ends_with_two(module: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", module, "--no-such-flag", "1"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2 and "Traceback" not in done.stderr
    assert "--no-such-flag" in done.stderr
