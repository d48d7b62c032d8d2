"""The wired boxes on a small world: better than the baseline, no leakage, the same after a save."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from toy_report import check_whole

from common import console
from common.encoders import pretrained
from patterns.search_ranking.evaluate import evaluate
from patterns.search_ranking.evaluation.end_to_end import BASELINE
from patterns.search_ranking.pipeline import Pipeline
from patterns.search_ranking.stages.rules import Condition, Rule, allowed_by


def test_what_each_stage_adds(small) -> None:
    report = evaluate(small.pipeline, small.splits)
    rows = {row.name: row.values for row in report.tables[0].rows}
    assert report.tables[0].rows[0].baseline and report.tables[0].rows[0].name == BASELINE
    assert rows["hybrid"]["Recall@100"].value >= rows["dense"]["Recall@100"].value
    ranked, baseline = rows["+ ranking"]["NDCG@10 judged"], rows[BASELINE]["NDCG@10 judged"]
    assert ranked.value > baseline.value + 0.03
    judged = {row.name: row.values["NDCG@10"].value for row in report.tables[2].rows}
    assert judged["LambdaMART"] > max(judged["BM25, whole text"], judged["cosine"]) + 0.03
    assert {each.stage for each in report.latency} == {
        "candidates", "ranking", "re-ranking", "reasons", "all"
    }  # fmt: skip
    assert len(report.figures) == 3
    check_whole(report)
    (example,) = report.examples
    query = example.name.split("“")[1].rstrip("”")
    hits = small.pipeline.search([query], 10).hits[0]
    assert [item.title for item in example.items] == [hit.title for hit in hits]


def test_a_fallback_of_the_encoder_is_seen_on_the_console(small, monkeypatch, capsys) -> None:
    monkeypatch.setattr(pretrained, "_snapshot", lambda repository, local: None)
    monkeypatch.setattr(pretrained, "MINILM_PACKAGE", "no_such_package_anywhere")
    options = replace(small.config.candidates, encoder="auto")
    pipeline = small.train(replace(small.config, candidates=options), small.splits)
    console.summary(evaluate(pipeline, small.splits), Path("runs/x"), next_command="")
    said = capsys.readouterr().err
    assert "NOTICE no sentence transformer" in said and "encoded by TF-IDF + SVD" in said


def test_garbled_test_labels_leave_the_model_unchanged(small) -> None:
    test = small.splits.test
    garbled = replace(small.splits, test=replace(test, grades=1 - np.minimum(test.grades, 1)))
    again = small.train(small.config, garbled)
    for text in test.texts[:5]:
        left, right = (p.search([text]).hits for p in (small.pipeline, again))
        assert left == right
    assert again.reranker.trade_off_ == small.pipeline.reranker.trade_off_


def test_saved_and_loaded_it_answers_alike(small, tmp_path) -> None:
    small.pipeline.save(tmp_path)
    again = Pipeline.load(tmp_path)
    texts = [*small.splits.test.texts[:5], "Zoë 스 🎬 film"]
    for text in texts:
        assert again.search([text]).hits == small.pipeline.search([text]).hits


def test_a_batch_equals_its_queries(small) -> None:
    texts = list(small.splits.test.texts[:6])
    together = small.pipeline.search(texts, 7).hits
    apart = [small.pipeline.search([text], 7).hits[0] for text in texts]
    assert [[hit.doc_id for hit in page] for page in together] == [
        [hit.doc_id for hit in page] for page in apart
    ]
    assert small.pipeline.search([]).hits == []


def test_k_beyond_the_corpus_gives_every_document_once(small) -> None:
    (page,) = small.pipeline.search(["ghost"], 10**6).hits
    assert sorted(hit.row for hit in page) == list(range(small.splits.documents.height))


def test_filters_fill_the_page_with_what_meets_them(small) -> None:
    filters = [Condition("genres", "horror"), Condition("year", above=1989.5)]
    (page,) = small.pipeline.search(["starship"], 8, filters=filters).hits
    rows = [small.pipeline.documents.row(hit.row, named=True) for hit in page]
    assert all("Horror" in row["genres"] and row["year"] >= 1990 for row in rows)
    mask = allowed_by(filters, small.pipeline.documents)
    assert mask is not None and len(page) == min(8, mask.sum())
    with pytest.raises(ValueError, match=r"genres: 'Sci-Fi'.*known values"):
        small.pipeline.search(["x"], filters=[Condition("genres", "Sci-Fi")])


def test_queries_without_words_and_pages_without_room_are_refused(small) -> None:
    for query in ("", "   ", "?!"):
        with pytest.raises(ValueError, match="query"):
            small.pipeline.search([query])
    with pytest.raises(ValueError, match="k: 0"):
        small.pipeline.search(["x"], 0)


def test_a_page_says_where_its_results_come_from_and_why(small) -> None:
    title = small.splits.documents["title"][0].lower()
    (page,) = small.pipeline.search([title], 3).hits
    assert small.splits.documents["title"][0] in [hit.title for hit in page]
    for hit in page:
        assert hit.lexical_rank or hit.dense_rank
        assert len(hit.reasons) <= 3


def test_a_pinned_document_is_first_though_no_source_found_it(small, tmp_path) -> None:
    small.pipeline.save(tmp_path)
    pipeline = Pipeline.load(tmp_path)
    found = {hit.row for hit in pipeline.search(["vault"], pipeline.lists.keep).hits[0]}
    row = next(row for row in range(pipeline.documents.height) if row not in found)
    doc_id = pipeline.documents["doc_id"][row]
    pipeline.reranker.rules.rules = (Rule("pin", query="vault", doc_ids=(doc_id,)),)
    pipeline.reranker.prepare(pipeline.documents, pipeline.dense.vectors_)
    first = pipeline.search(["the vaults"], 5).hits[0][0]
    assert first.doc_id == doc_id
    assert first.score is None and first.lexical_rank is None and first.dense_rank is None


def test_unjudged_candidates_join_the_training_as_not_relevant(small) -> None:
    pipeline, judged = small.pipeline, small.splits.valid
    learning = pipeline.ranking_set(judged)
    assert (learning.groups > (judged.rows >= 0).sum(axis=1)).all()
    assert learning.labels.sum() == judged.grades.sum()
