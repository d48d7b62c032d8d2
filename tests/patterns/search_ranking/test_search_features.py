"""Features: right by hand, and the same offline and online to the last bit."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from common.encoders import Encoder
from common.retrieval.bm25 import BM25, Field
from common.retrieval.dense import Dense
from patterns.search_ranking.entities.documents import ALL, FILMS, field_texts, tidy
from patterns.search_ranking.stages.features import Features, names_of

CORPUS = pl.DataFrame(
    {
        "doc_id": ["a", "b", "c", "d"],
        "title": ["Spider-Man", "Spider-Man 2", "The Dark Knight", ""],
        "overview": ["A boy is bitten.", "Doctor Octopus attacks.", "Batman fights.", "Nothing."],
        "actors": [["Tobey Maguire"], ["Tobey Maguire"], ["Christian Bale"], []],
        "year": [2002, 2004, 2008, None],
        "votes": [1000, 2000, None, 0],
    }
)


class Flat(Encoder):
    name, dimension = "flat", 2

    def encode(self, texts, batch_size=64, *, precision="fp32") -> np.ndarray:
        return np.ones((len(texts), 2), np.float32) / np.float32(np.sqrt(2))

    def save(self, folder: Path) -> None:
        raise NotImplementedError


@pytest.fixture(scope="module")
def features() -> Features:
    documents = tidy(CORPUS, FILMS)
    fields = {name: Field(analyser) for name, (analyser, _) in FILMS.indexed.items()}
    bm25 = BM25(fields=fields, weights={ALL: 1.0}).fit(field_texts(documents, FILMS))
    return Features(bm25=bm25, dense=Dense(encoder=Flat()).fit(["x"] * 4), schema=FILMS).fit(
        documents
    )


def rows_of(features: Features, query: str) -> list[dict[str, float]]:
    block = features.transform([query], Flat().encode([query]), np.arange(4)[None])
    return [dict(zip(names_of(FILMS), row.tolist(), strict=True)) for row in block[0]]


def test_titles_are_compared_in_order(features: Features) -> None:
    first, second, knight, untitled = rows_of(features, "spider man 2")
    assert second["title_exact"] == 1 and first["title_exact"] == 0
    assert first["title_prefix"] == 1 and first["title_run"] == 1 and first["title_coverage"] == 1
    assert 0 < first["query_in_title"] < second["query_in_title"] == 1
    assert knight["title_coverage"] == 0 and untitled["title_run"] == 0
    swapped = rows_of(features, "2 man spider")[1]
    assert swapped["title_exact"] == 0 and swapped["title_coverage"] == 1
    assert swapped["title_run"] == pytest.approx(1 / 3)


def test_trigrams_see_through_spaces(features: Features) -> None:
    first, _, knight, _ = rows_of(features, "spiderman")
    assert first["title_coverage"] == 0 and first["trigrams_of_title"] == 1
    assert first["trigrams_of_query"] == 1 and knight["trigrams_of_title"] == 0


def test_years_and_numbers(features: Features) -> None:
    typed = rows_of(features, "spider man 2004")
    assert typed[1]["year_gap"] == 0 and typed[2]["year_gap"] == 4
    assert np.isnan(typed[3]["year_gap"]) and typed[1]["number_match"] == -3
    numbered = rows_of(features, "spider man II")
    assert [row["number_match"] for row in numbered] == [-2, 1, -2, -2]
    assert all(np.isnan(row["year_gap"]) for row in numbered)


def test_people_are_covered_and_missing_numbers_are_nan(features: Features) -> None:
    rows = rows_of(features, "tobey maguire")
    assert [row["coverage_people"] for row in rows] == pytest.approx([1, 1, 0, 0])
    assert np.isnan(rows[2]["votes"]) and np.isnan(rows[0]["rating"])
    assert rows[0]["votes"] == pytest.approx(np.log1p(1000))
    assert rows[0]["query_length"] == 2


def test_a_query_of_unknown_or_no_words_is_all_nothing(features: Features) -> None:
    for query in ("zzzz 스", "", "???"):
        for row in rows_of(features, query):
            assert row["bm25_all"] == row["title_run"] == row["coverage_all"] == 0


def test_offline_equals_online_to_the_last_bit(small) -> None:
    pipeline, judged = small.pipeline, small.splits.train
    queries = pipeline.encode(judged.texts)
    transform = pipeline.features.transform
    offline = transform(queries.texts, queries.vectors, judged.rows)  # training's: all at once
    for row in range(0, len(judged), 7):
        wanted = judged.rows[row]
        wanted = wanted[wanted >= 0][::-1]  # the service's call: one query, another order
        single = queries.part(slice(row, row + 1))
        online = transform(single.texts, single.vectors, wanted[None])
        assert np.array_equal(online[0][::-1], offline[row, : len(wanted)], equal_nan=True)
