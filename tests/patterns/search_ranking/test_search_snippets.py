"""What a page of results shows of a document: facts, and the piece of text that was asked for."""

import polars as pl

from patterns.search_ranking.entities.documents import FILMS, Schema, tidy
from patterns.search_ranking.stages.snippets import LONGEST, facts_of, snippet_of


def texts(text: str) -> tuple[dict, Schema]:
    corpus = pl.DataFrame({"doc_id": ["1"], "title": ["A"], "text": [text]})
    schema = Schema.of(corpus)
    return tidy(corpus, schema).row(0, named=True), schema


def test_a_snippet_holds_the_first_word_of_the_query_by_its_stem() -> None:
    text = "filler words " * 60 + "two Robberies in one night " + "and more of it " * 60
    found = snippet_of(*texts(text), "the robbery")
    assert "Robberies in one night" in found and len(found) <= LONGEST + 4
    assert found.startswith("… ") and found.endswith(" …")
    assert all(part in text for part in found.strip("… ").split(" "))  # cut between words


def test_a_snippet_without_a_word_of_the_query_is_the_beginning() -> None:
    found = snippet_of(*texts("filler words " * 60), "robbery")
    assert found.startswith("filler words") and found.endswith(" …")
    assert snippet_of(*texts("short  text\n here"), "robbery") == "short text here"
    assert snippet_of(*texts("東京都" * 200), "東京").startswith("東京")  # no spaces to cut at


def test_facts_are_what_is_known_and_lists_are_cut() -> None:
    corpus = pl.DataFrame(
        {"doc_id": ["1"], "title": ["Heat"], "year": [1995], "genres": [list("abcd")],
         "tags": [[]], "actors": [[]], "characters": [[]]},
        schema_overrides={name: pl.List(pl.String) for name in ("tags", "actors", "characters")},
    )  # fmt: skip
    film = tidy(corpus, FILMS).row(0, named=True)
    assert facts_of(film, FILMS) == {"year": "1995", "genres": "a, b, c …"}
    own = pl.DataFrame({"doc_id": ["1"], "title": [""], "price": [2.5], "kind": [["x"]]})
    schema = Schema.of(own)
    assert facts_of(tidy(own, schema).row(0, named=True), schema) == {"price": "2.5", "kind": "x"}
