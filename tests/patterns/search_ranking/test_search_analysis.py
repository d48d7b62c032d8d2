"""Analysers and the columns of a tidy corpus."""

import polars as pl
import pytest

from common.retrieval.analysis import english, normalised, stems, tokens
from patterns.search_ranking.entities.documents import (
    ALL,
    FILMS,
    Schema,
    dense_texts,
    field_texts,
    tidy,
    titles_of,
)


def test_words_are_folded_and_split_alike_on_both_sides() -> None:
    assert tokens("Ocean's Twelve: AMÉLIE, don’t!") == ["ocean", "twelve", "amelie", "dont"]
    assert len(tokens("스파이더맨 ١٢ 2049")) == 3
    assert tokens("  --- !!") == []


def test_prose_loses_stop_words_and_titles_keep_them() -> None:
    assert english("The robberies of the Banks") == ["robberi", "bank"]
    assert stems("The Thing and It") == ["the", "thing", "and", "it"]


def test_similar_queries_have_one_normal_form() -> None:
    assert normalised("The Godfathers") == normalised("godfather the") == "godfath"
    assert normalised("it") == "it" and normalised("!!!") == "!!!"
    assert normalised("heat 2") != normalised("heat")


def test_a_corpus_of_its_own_fields_is_read_by_their_kinds() -> None:
    corpus = pl.DataFrame(
        {"doc_id": ["7"], "title": ["A"], "text": ["body"], "authors": [None], "cited": [3],
         "journal": [["Nature"]]},
        schema_overrides={"authors": pl.String},
    )  # fmt: skip
    schema = Schema.of(corpus)
    assert (schema.texts, schema.facets, schema.numbers) == (
        ("title", "text", "authors"), ("journal",), ("cited",)
    )  # fmt: skip
    documents = tidy(corpus, schema)
    assert documents.row(0) == ("7", "A", "body", "", ["Nature"], 3.0)
    texts = field_texts(documents, schema)
    assert list(texts) == ["title", "text", "authors", "journal", ALL]
    assert texts[ALL] == ["A body  Nature"] and dense_texts(documents, schema) == ["A. body"]
    assert not schema.films and Schema.from_json(schema.to_json()) == schema
    with pytest.raises(ValueError, match="'all' stands for all fields"):
        Schema.of(corpus.with_columns(all=pl.lit("x")))


def test_the_encoder_reads_the_title_first() -> None:
    corpus = pl.DataFrame(
        {"doc_id": ["1"], "title": ["Heat"], "overview": ["A thief."], "year": [1995],
         "genres": [["Crime"]], "tags": [["bank", "cop"]], "actors": [["Al"]],
         "characters": [["V"]]}
    )  # fmt: skip
    assert Schema.of(corpus).films
    documents = tidy(corpus, FILMS)
    assert dense_texts(documents, FILMS) == ["Heat (1995). Crime. bank, cop. A thief."]
    assert "1995" in field_texts(documents, FILMS)[ALL][0]


def test_a_document_without_a_title_is_named_by_its_text() -> None:
    corpus = pl.DataFrame({"doc_id": ["1", "2"], "title": ["", "B"], "text": ["x" * 200, "y"]})
    assert titles_of(corpus, Schema.of(corpus)) == ["x" * 80, "B"]


def test_vowel_signs_stay_and_scripts_without_spaces_are_split() -> None:
    assert tokens("हिन्दी में") == ["हिन्दी", "में"]
    assert tokens("東京都 ガーデン") == ["東京", "京都", "ガー", "ーデ", "デン"]
    assert stems("שָׁלוֹם") == ["שלום"] and tokens("rock'n'roll's") == ["rocknroll"]
