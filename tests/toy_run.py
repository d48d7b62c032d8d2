"""A toy pattern whose runs are quick to save: for the tests of artifacts, some in processes."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from toy_report import Source

from common import artifacts
from common.config import RunConfig
from common.evaluation.report import Estimate, Report, Row, Table


@dataclass(frozen=True)
class Trees:
    count: int = 3
    path: Path | None = None
    widths: tuple[int, ...] = (1, 2)


@dataclass(frozen=True)
class Config(RunConfig):
    trees: Trees = field(default_factory=Trees)


@dataclass
class Pipeline:
    text: str = "weights"
    fails: Exception | None = None

    def save(self, folder: Path) -> None:
        (folder / "weights.txt").write_text(self.text)
        (folder / "stage").mkdir()
        (folder / "stage" / "trees.txt").write_text(self.text * 100)
        if self.fails:
            raise self.fails


def report() -> Report:
    rows = (Row("base", {"AUC": Estimate(0.5, 0.4, 0.6), "n": float("nan")}, baseline=True),)
    return Report("toy", Source(), [Table("quality", ("AUC", "n"), rows)])


def save(runs: Path, **pipeline: Any) -> Path:
    return artifacts.save(Pipeline(**pipeline), report(), Config(runs=runs, seed=4), name="toy")


def visible(runs: Path) -> list[str]:
    home = runs / "toy"
    return sorted(path.name for path in home.iterdir() if path.is_dir() and path.name[0] != ".")
