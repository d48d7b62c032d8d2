"""One small search, trained once a session."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest

from data.simulated import films
from data.tables import SearchCollection
from patterns.search_ranking.config import PRESETS, Config, WorldOptions
from patterns.search_ranking.data import Splits, split
from patterns.search_ranking.pipeline import Pipeline


@dataclass(frozen=True)
class Small:
    config: Config
    table: SearchCollection
    splits: Splits
    pipeline: Pipeline
    train: Callable[[Config, Splits], Pipeline]


def train(config: Config, splits: Splits) -> Pipeline:
    pipeline = Pipeline.from_config(config, splits)
    pipeline.fit_candidates(splits).fit_fusion(splits).fit_ranker(splits).fit_reranker(splits)
    return pipeline


@pytest.fixture(scope="session")
def small() -> Small:
    config = replace(PRESETS["smoke"], world=WorldOptions(films=250, queries=240))
    table = films.generate(seed=1, films=config.world.films, queries=config.world.queries)
    splits = split(table, config)
    return Small(config, table, splits, train(config, splits), train)
