"""The evaluation: the baseline first, each stage, slices that add up, budgets kept."""

import json
from typing import Any

import numpy as np
import pytest

from common.evaluation.ranking import judge, ndcg
from patterns.recsys.entities.requests import requests_within
from patterns.recsys.evaluation.latency import BUDGETS_MS
from patterns.recsys.evaluation.scorer import COLUMNS


@pytest.fixture(scope="module")
def metrics(trained) -> dict[str, Any]:
    return json.loads((trained.run.path / "metrics.json").read_text(encoding="utf-8"))


def rows(table: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {row["name"]: row["values"] for row in table["rows"]}


def test_the_headline_has_each_source_and_each_stage_after_the_baseline(metrics, trained) -> None:
    first = metrics["tables"][0]
    names = [row["name"] for row in first["rows"]]
    assert names == [*trained.pipeline.sources.names, "merged", "+ ranking", "+ re-ranking"]
    assert [row["baseline"] for row in first["rows"]] == [True] + [False] * 9
    assert tuple(first["columns"]) == (*COLUMNS, "true liking@10")
    for values in rows(first).values():
        for metric in ("NDCG@10", "Recall@100"):
            each = values[metric]
            assert 0 <= each["low"] <= each["value"] <= each["high"] <= 1


def test_the_report_says_what_was_reached_and_shows_a_page(metrics, trained) -> None:
    headline = rows(metrics["tables"][0])
    values = [headline[name]["NDCG@10"]["value"] for name in (metrics["served"], "popularity")]
    assert metrics["metric"] == "NDCG@10"
    assert metrics["gain"]["value"] == pytest.approx(values[0] - values[1])
    assert metrics["rows"]["train events"] == len(trained.splits.train)
    page = (trained.run.path / "report.html").read_text(encoding="utf-8")
    shown = page.split(">a page of recommendations</h2>")[1].split("</table>")[0]
    assert shown.count('class="what"') == 10 and "because you chose" in shown
    assert ">yes</td>" in shown  # of those pages on which something was chosen next


def test_a_figure_is_that_of_the_artifact_on_the_test_window(metrics, trained) -> None:
    pipeline, splits = trained.pipeline, trained.splits
    past = splits.train.joined(splits.valid)
    requests, answers, users = requests_within(past, splits.test, splits.catalogue, moments=(0.5,))
    assert len(set(users.tolist())) == len(users)  # one request a user
    ranked = pipeline.rank(requests, pipeline.retrieve(requests))
    for name, found in (
        ("popularity", pipeline.sources["popularity"].retrieve(requests, 100)),
        ("+ ranking", ranked),
        ("+ re-ranking", pipeline.rerank(ranked, 100, requests)),
    ):
        judged = judge(found.item_ids, answers)
        value = ndcg(judged.relevance, judged.ideal, 10).mean()
        assert rows(metrics["tables"][0])[name]["NDCG@10"]["value"] == pytest.approx(value)
    assert f"{len(requests)} test users" in metrics["tables"][0]["caption"]


def test_ranking_beats_popularity_and_reranking_is_more_diverse(metrics) -> None:
    quality = rows(metrics["tables"][0])
    value = {name: row["NDCG@10"]["value"] for name, row in quality.items()}
    assert value["+ ranking"] > value["popularity"]
    assert quality["+ re-ranking"]["ILS@10"] <= quality["+ ranking"]["ILS@10"]
    assert quality["+ ranking"]["Recall@100"] == quality["merged"]["Recall@100"]


def test_a_list_that_ends_before_500_items_has_no_recall_of_so_many(metrics, trained) -> None:
    deep = {name: row["Recall@500"] for name, row in rows(metrics["tables"][0]).items()}
    assert all(deep[name] is not None for name in trained.pipeline.sources.names)
    assert [deep[name] for name in ("merged", "+ ranking", "+ re-ranking")] == [None] * 3
    rankers = next(t for t in metrics["tables"] if t["name"] == "rankers")
    assert "Recall@100" in rankers["columns"] and "Recall@500" not in rankers["columns"]


def test_slices_add_up_to_the_whole(metrics) -> None:
    slices = next(t for t in metrics["tables"] if t["name"] == "NDCG@10 by history")
    sizes = [int(values["users"]) for values in rows(slices).values()]
    whole = rows(metrics["tables"][0])["als"]["NDCG@10"]["value"]
    parts = [values["als"] for values in rows(slices).values()]
    assert np.average(parts, weights=sizes) == pytest.approx(whole)
    if "no history" in rows(slices):
        assert rows(slices)["no history"]["als"] == 0.0  # nothing to fold in


def test_the_served_ranker_is_marked_and_is_the_one_in_the_artifact(metrics, trained) -> None:
    table = next(t for t in metrics["tables"] if t["name"] == "rankers")
    served = [name for name in rows(table) if name.endswith(" (chosen)")]
    assert served == [f"{trained.pipeline.ranking.ranker_.name} (chosen)"]


def test_every_stage_is_timed_against_its_budget(metrics) -> None:
    assert {each["stage"]: each["budget_ms"] for each in metrics["latency"]} == BUDGETS_MS
    assert all(0 < each["p50_ms"] <= each["p99_ms"] for each in metrics["latency"])
    assert len(metrics["figures"]) >= 3 and all(each["caption"] for each in metrics["figures"])
