"""Any one source can be left out: it takes one line of the list, and nothing else knows of it."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from planted_recsys import TINY

from patterns.recsys import pipeline as wiring
from patterns.recsys.config import Config
from patterns.recsys.data import load, split
from patterns.recsys.entities.catalogue import Catalogue
from patterns.recsys.evaluate import evaluate
from patterns.recsys.pipeline import Pipeline
from patterns.recsys.stages.candidates.source import Source

SEVEN = (
    "popularity", "segment-popularity", "als", "item-knn", "ease", "two-tower", "content",
)  # fmt: skip


def pipeline_without(names: set[str], monkeypatch: pytest.MonkeyPatch, config: Config) -> Pipeline:
    """Fit a pipeline whose list of sources lacks some."""
    every = wiring.sources_of

    def some(config: Config, catalogue: Catalogue) -> list[Source]:
        return [source for source in every(config, catalogue) if source.name not in names]

    monkeypatch.setattr(wiring, "sources_of", some)
    splits = split(load(config), config)
    pipeline = Pipeline.from_config(config, splits).fit_candidates(splits)
    return pipeline.fit_ranker(splits).fit_reranker(splits).refresh(splits)


@pytest.mark.parametrize("name", SEVEN)
def test_a_pipeline_does_without_any_one_source(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    pipeline = pipeline_without({name}, monkeypatch, TINY)
    assert name not in pipeline.sources and len(pipeline.sources.names) == 6
    assert not [each for each in pipeline.feature_names() if each.startswith(f"{name} ")]
    request = pipeline.requests_for(np.array([3, -1]), [[], []])
    page = pipeline.recommend(request, 5)
    assert (page.items.item_ids >= 0).all() and (page.found_by > 0).all()
    pipeline.save(tmp_path)
    again = Pipeline.load(tmp_path)
    assert again.sources.names == pipeline.sources.names
    assert np.array_equal(again.recommend(request, 5).items.item_ids, page.items.item_ids)


@pytest.mark.slow
@pytest.mark.parametrize("name", SEVEN)
def test_a_report_does_without_any_one_source(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    pipeline = pipeline_without({name}, monkeypatch, TINY)
    report = evaluate(pipeline, split(load(TINY), TINY))
    first = report.tables[0]
    assert name not in [row.name for row in first.rows] and first.rows[0].baseline
    compared = name in ("popularity", "als", "content")
    said = any("New items are not measured" in notice for notice in report.notices)
    assert said == compared


def test_with_exploration_new_items_are_among_the_candidates(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    config = replace(TINY, reranking=replace(TINY.reranking, explore=2))
    pipeline = pipeline_without(set(), monkeypatch, config)
    assert pipeline.sources.names[-1] == "new-items"
    requests = pipeline.requests_for(np.arange(20), [[]] * 20)
    merged = pipeline.retrieve(requests)
    new = merged.candidates.item_ids[merged.found_by() >> 7 & 1 > 0]
    assert len(new) and (pipeline.histories_.counts()[new] == 0).all()
    page = pipeline.recommend(requests, 10)
    drawn = page.items.item_ids[page.propensities < 1]
    assert np.isin(drawn, new).any()
    pipeline.save(tmp_path)
    again = Pipeline.load(tmp_path)
    assert again.exploration.slots == 2
    assert np.array_equal(again.recommend(requests, 10).items.item_ids, page.items.item_ids)
