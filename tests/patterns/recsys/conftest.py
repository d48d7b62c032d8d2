"""One run of the smoke preset, trained once a session, its world split once."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from common.artifacts import Run, open_run
from patterns.recsys.config import PRESETS, Config
from patterns.recsys.data import Splits, load, split
from patterns.recsys.pipeline import Pipeline


@dataclass(frozen=True)
class Trained:
    """A run and what it was made of."""

    config: Config
    splits: Splits
    run: Run

    @property
    def pipeline(self) -> Pipeline:
        """Load the pipeline anew, so that no test changes another's."""
        return Pipeline.load(self.run.pipeline)


@pytest.fixture(scope="session")
def smoke(tmp_path_factory: pytest.TempPathFactory) -> Config:
    return replace(PRESETS["smoke"], runs=tmp_path_factory.mktemp("runs"), device="cpu")


@pytest.fixture(scope="session")
def trained(smoke: Config, smoke_run: Callable[[str], Path]) -> Trained:
    run = open_run(smoke_run("recsys"), name="recsys")
    config = replace(smoke, runs=run.path.parent.parent)
    return Trained(config, split(load(config), config), run)


@pytest.fixture(scope="session")
def pipeline(trained: Trained) -> Pipeline:
    """Give the pipeline of the run, loaded once, to tests that do not change it."""
    return trained.pipeline


@pytest.fixture
def write_csv(tmp_path: Path) -> object:
    """Write a CSV of interactions whose columns carry other names and whose ids are unicode."""

    def write(events: int = 1_500, users: int = 40, items: int = 60, **renamed: str) -> Path:
        rng = np.random.default_rng(0)
        frame = pl.DataFrame(
            {
                "who": [f"Zoë-{n}" for n in rng.integers(users, size=events)],
                "what": [f"映画 {n}" for n in (rng.zipf(1.5, size=events) - 1) % items],
                "stars": rng.integers(1, 6, size=events),
                "when": 1_700_000_000 + rng.integers(0, 90 * 86_400, size=events),
            }
        ).rename(renamed)
        path = tmp_path / "mine.csv"
        frame.write_csv(path)
        return path

    return write
