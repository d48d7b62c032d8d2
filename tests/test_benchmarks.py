"""The benchmarks compare like with like: equal values, true turns, equal rows, a known world."""

import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks import als, metrics, retrieval, worlds
from benchmarks.ablations.__main__ import ABLATIONS
from benchmarks.ablations.ablation import Ablation, Flags
from benchmarks.ablations.crops import write_simulated
from benchmarks.timing import interleaved


def test_turns_are_fair_and_medians_are_told() -> None:
    called: list[str] = []

    def call(name: str, seconds: float) -> None:
        called.append(name)
        time.sleep(seconds)

    calls = {"slow": lambda: call("slow", 0.02), "quick": lambda: call("quick", 0.002)}
    seconds = interleaved(calls, repeats=4, warm_up=1)
    assert seconds["slow"] >= 0.02 > seconds["quick"] >= 0.002
    assert called.count("slow") == called.count("quick") == 5
    firsts = called[::2]
    assert {"slow", "quick"} == set(firsts)  # neither always goes first


def test_the_metrics_agree_with_the_libraries() -> None:
    ranked, truth = metrics.world(40)
    rows = [*metrics.against_trec_eval(ranked, truth, 1), metrics.against_sklearn(40, 1)]
    for row in rows:
        assert float(str(row.values["largest difference"])) < 1e-12, row.name
    values = metrics.ours(ranked, truth)
    assert values.shape == (5, 40) and 0 < values.mean() < 1  # not equal for want of anything


def test_the_vectors_have_a_long_tail_and_clusters() -> None:
    items, queries = retrieval.world(2_000, 20)
    again, _ = retrieval.world(2_000, 20)
    np.testing.assert_array_equal(items, again)
    norms = np.linalg.norm(items, axis=1)
    assert np.quantile(norms, 0.99) > 2.5 * np.median(norms)
    np.testing.assert_allclose(np.linalg.norm(queries, axis=1), 1, rtol=1e-5)
    units = items / norms[:, None]
    similarity = units @ units.T - np.eye(2_000)
    assert np.median(similarity.max(axis=1)) > 0.5 > 0.1 > abs(np.median(similarity))


def test_a_measured_kind_tells_recall_time_and_size() -> None:
    vectors, queries = retrieval.world(1_500, 10)
    exact = retrieval.VectorIndex().build(vectors).search(queries, retrieval.K)
    rows = retrieval.measure("ivf", vectors, queries, exact)
    recalls = [float(row.values["recall@100"]) for row in rows]  # type: ignore[arg-type]
    assert recalls == sorted(recalls) and recalls[-1] == pytest.approx(1)
    counts = [float(row.values["compared"]) for row in rows]  # type: ignore[arg-type]
    assert counts == sorted(counts) and counts[0] < len(vectors) / 2 < counts[-1]
    assert all(0.3 < float(row.values["MiB on disk"]) < 1 for row in rows)  # type: ignore[arg-type]


def test_clusters_that_overlap_are_harder_for_cells() -> None:
    recalls = []
    for spread in (retrieval.TIGHT, retrieval.OVERLAPPING):
        vectors, queries = retrieval.world(3_000, 20, spread=spread)
        exact = retrieval.VectorIndex().build(vectors).search(queries, retrieval.K)
        found = retrieval.VectorIndex("ivf", probes=8).build(vectors).search(queries, retrieval.K)
        recalls.append(retrieval._recall(found.item_ids, exact.item_ids))
    assert recalls[0] > recalls[1] + 0.2


def test_runs_of_one_world_are_compared_user_by_user() -> None:
    first = {metric: np.linspace(0, 1, 50) for metric in worlds.METRICS}
    second = {metric: values + 0.1 for metric, values in first.items()}
    row = worlds.compared(first, second)
    for each in row["values"].values():  # as certain as the difference of each user
        assert each["value"] == pytest.approx(0.1) == pytest.approx(each["low"])


def test_the_stage_and_the_library_give_the_same_items() -> None:
    table = als.compare(als._matrix(als._world(smoke=True)), repeats=1)
    folded = [row for row in table.rows if "folded in" in row.name]
    assert len(folded) == 2
    assert all(row.values["same items"] == pytest.approx(1, abs=0.002) for row in folded)


def test_an_ablation_compares_rows_and_says_what_it_lacks() -> None:
    trained: list[Flags] = []

    def scores(flags: Flags) -> np.ndarray:
        trained.append(flags)
        if flags == ("extra",):
            raise ImportError("install it")
        hard = np.arange(400) % 2  # for all variants alike
        return hard + (0.1 if flags == ("with",) else 0.0)

    variants: dict[str, Flags] = {
        "whole": ("with",),
        "without": (),
        "again": (),
        "more": ("extra",),
    }
    table = Ablation("", "", variants, scores, metric="hits", unit="rows").measure("part")
    whole, without, again = table.rows
    assert whole.baseline and "difference" not in whole.values
    lost = without.values["difference"]
    assert lost.value == pytest.approx(-0.1) and lost.low == pytest.approx(lost.high)  # type: ignore[union-attr]
    alone = without.values["hits"]
    assert alone.low < 0.5 < alone.high  # type: ignore[union-attr, operator]
    assert again.values == without.values and trained == [("with",), (), ("extra",)]
    assert "Left out, since not installed: more." in table.caption


def test_the_variants_of_an_ablation_differ() -> None:
    for name, ablation in ABLATIONS.items():
        assert len(set(ablation.variants.values())) == len(ablation.variants) > 1, name


def test_crops_show_their_class_and_keep_their_part(tmp_path: Path) -> None:
    write_simulated(tmp_path)
    for part in ("train", "val", "test"):
        folders = sorted(each.name for each in (tmp_path / part).iterdir())
        assert {"sky", "road", "building"} <= set(folders)
    shades = [
        np.mean(
            [
                np.asarray(Image.open(file)).std(axis=(0, 1))
                for file in (tmp_path / "train" / name).iterdir()
            ]
        )
        for name in ("sky", "building")
    ]
    assert shades[0] < shades[1]  # the sky is plain, houses have windows
