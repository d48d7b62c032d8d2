"""The benchmarks compare like with like: equal values, true turns, equal rows, a known world."""

import time
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import transformers
from PIL import Image

from benchmarks import als, architectures, ladder, metrics, retrieval, worlds
from benchmarks.ablations.__main__ import ABLATIONS
from benchmarks.ablations.ablation import Ablation, Flags
from benchmarks.ablations.crops import write_simulated
from benchmarks.timing import interleaved
from common.evaluation.report import Row, Table
from patterns.nlp.classification.entities.texts import Texts


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


def test_smaller_and_faster_is_told_against_what_it_came_from() -> None:
    def row(name: str, single: float, batch: float, size: float) -> Row:
        return Row(name, {ladder.COLUMNS[2]: single, ladder.COLUMNS[3]: batch, "MB": size})

    rungs = [row("MiniLM, fp32", 4, 100, 90), row("MiniLM, int8", 2, 50, 22.5)]
    rungs += [row("student, fp32", 2, 40, 45), row("student, int8", 1, 25, 11.25)]
    built = [row("BERT-base, fp32", 16, 160, 440), row("BERT-base, int8", 8, 80, 110)]
    built += [row("DistilBERT, fp32", 10, 100, 264), row("DistilBERT, int8", 8, 40, 66)]
    tables = (Table("", (), tuple(rows)) for rows in (rungs, built))
    found = {row.name: row.values for row in ladder.claims_table(*tables).rows}
    claim = found["DistilBERT against BERT-base, fp32"]
    assert list(claim.values()) == pytest.approx([0.4, 0.6, 0.6])
    assert list(found["student against MiniLM, fp32"].values()) == pytest.approx([0.5, 1, 1.5])
    assert list(found["MiniLM, int8 against fp32"].values()) == pytest.approx([0.75, 1, 1])


def test_a_rung_is_judged_and_timed_on_the_same_texts() -> None:
    labels = np.arange(40) % 2
    texts = Texts([f"text {label}" for label in labels], labels)
    splits = SimpleNamespace(test=texts)

    def right(asked: Sequence[str]) -> np.ndarray:
        said = np.array([int(text[-1]) for text in asked])
        return np.eye(2)[said]

    def wrong(asked: Sequence[str]) -> np.ndarray:
        time.sleep(0.002)
        return right(asked)[:, ::-1]

    rungs = [ladder.Rung("bad", wrong, 1.0), ladder.Rung("MiniLM, fp32", right, 2.0)]
    bad, good = ladder.ladder_table(rungs, splits, repeats=2, seed=0).rows  # type: ignore[arg-type]
    assert (bad.values["accuracy"].value, good.values["accuracy"].value) == (0, 1)  # type: ignore[union-attr]
    assert (bad.values["share of MiniLM"], good.values["MB"]) == (0, 2.0)
    for column in ladder.COLUMNS[2:4]:
        assert bad.values[column] > 2 > good.values[column], column  # type: ignore[operator]


def test_an_architecture_has_the_weights_that_are_published() -> None:
    published = {"BERT-base": 110, "DistilBERT": 66, "RoBERTa-base": 125, "DeBERTa-v3-small": 141}
    for each in architectures.ARCHITECTURES:
        config = getattr(transformers, each.kind)(**each.values)
        with torch.device("meta"):
            model = transformers.AutoModel.from_config(config)
        millions = sum(weights.numel() for weights in model.parameters()) / 1e6
        assert millions == pytest.approx(published[each.name], rel=0.01), each.name
