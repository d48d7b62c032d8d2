"""Analysers and the columns of a tidy corpus."""

import polars as pl

from patterns.search_ranking.entities.documents import (
    ANALYSED,
    COLUMNS,
    dense_texts,
    field_texts,
    tidy,
)
from patterns.search_ranking.stages.analysis import english, normalised, stems, tokens


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


def test_a_corpus_of_two_columns_gets_all_of_them() -> None:
    corpus = pl.DataFrame({"doc_id": [7], "title": ["A"], "text": ["body"]})
    documents = tidy(corpus)
    assert documents.columns == list(COLUMNS)
    assert documents.row(0, named=True) | {"doc_id": "7", "overview": "body"} == documents.row(
        0, named=True
    )
    assert documents["year"].null_count() == 1 and documents["tags"].to_list() == [[]]
    assert set(field_texts(documents)) == set(ANALYSED)
    assert dense_texts(documents) == ["A. body"]


def test_the_encoder_reads_the_title_first() -> None:
    corpus = pl.DataFrame(
        {"doc_id": ["1"], "title": ["Heat"], "overview": ["A thief."], "year": [1995],
         "genres": [["Crime"]], "tags": [["bank", "cop"]]}
    )  # fmt: skip
    assert dense_texts(tidy(corpus)) == ["Heat (1995). Crime. bank, cop. A thief."]
    assert "1995" in field_texts(tidy(corpus))["text"][0]


def test_vowel_signs_stay_and_scripts_without_spaces_are_split() -> None:
    assert tokens("हिन्दी में") == ["हिन्दी", "में"]
    assert tokens("東京都 ガーデン") == ["東京", "京都", "ガー", "ーデ", "デン"]
    assert stems("שָׁלוֹם") == ["שלום"] and tokens("rock'n'roll's") == ["rocknroll"]
