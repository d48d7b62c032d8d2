"""The simulated films: seeded, shaped like a judged collection, with answers that are right."""

import polars as pl
import pytest

from data.simulated import films


@pytest.fixture(scope="module")
def world():
    return films.generate(seed=3, films=300, queries=150)


def test_a_seed_gives_the_identical_world(world) -> None:
    again = films.generate(seed=3, films=300, queries=150)
    other = films.generate(seed=4, films=300, queries=150)
    assert again.documents.equals(world.documents)
    assert again.queries.equals(world.queries) and again.judgments.equals(world.judgments)
    assert again.source == world.source
    assert not other.documents.equals(world.documents)
    assert other.source.checksums != world.source.checksums


def test_the_tables_fit_together(world) -> None:
    assert world.documents.height == 300 and world.documents["doc_id"].is_unique().all()
    assert {"title", "text", "overview", "genres", "actors", "votes"} <= set(
        world.documents.columns
    )
    assert world.queries["query"].is_unique().all()
    assert world.judgments.join(world.documents, on="doc_id", how="anti").is_empty()
    assert world.judgments.join(world.queries, on="query_id", how="anti").is_empty()
    assert not world.judgments.select("query_id", "doc_id").is_duplicated().any()
    assert world.source.origin == "simulated" and "300 films" in world.source.rows


def test_every_query_has_an_answer_and_a_wrong_one(world) -> None:
    grades = world.judgments.group_by("query_id").agg(
        pl.len(), relevant=(pl.col("grade") > 0).sum()
    )
    assert grades.height == world.queries.height
    assert (grades["len"] == 24).all()
    assert grades["relevant"].min() >= 1 and grades["relevant"].max() <= 12


def test_a_person_query_is_answered_by_that_persons_films(world) -> None:
    cast = world.documents.with_columns(
        everyone=pl.concat_list(pl.col("director"), pl.col("actors")).list.eval(
            pl.element().str.to_lowercase()
        )
    )
    asked = world.queries.filter(pl.col("intent") == "person")
    assert asked.height > 10
    rows = asked.join(world.judgments, on="query_id").join(cast, on="doc_id")
    for query, grade, everyone in rows.select("query", "grade", "everyone").iter_rows():
        name = " ".join(query.split()[:2])  # search noise may follow
        assert (grade == 2) == (name in everyone)


def test_a_title_query_wants_its_film_above_the_rest_of_the_series(world) -> None:
    asked = world.queries.filter(pl.col("intent") == "title")
    rows = asked.join(world.judgments, on="query_id").join(world.documents, on="doc_id")
    best = rows.filter(pl.col("grade") == 2)
    assert set(best["query_id"]) == set(asked["query_id"])
    for query, title in best.select("query", "title").iter_rows():
        assert query.startswith(title.lower().removeprefix("the "))


def test_theme_words_rarely_stand_in_the_documents_they_are_meant_for() -> None:
    world = films.generate(seed=0, films=300, queries=150)
    for theme in films.THEMES.values():
        assert not {word for phrase in theme.everyday for word in phrase.split()} & set(
            films.FILLER
        ) - {"world", "love", "house"}
    asked = world.queries.filter(pl.col("intent") == "theme")
    rows = asked.join(world.judgments.filter(pl.col("grade") > 0), on="query_id").join(
        world.documents, on="doc_id"
    )
    shares = [
        bool(set(query.split()) & set(text.split()) - set(films.FILLER))
        for query, text in rows.select("query", "overview").iter_rows()
    ]
    assert sum(shares) / len(shares) < 0.35


@pytest.mark.parametrize("sizes", [{"films": 3}, {"queries": 1}, {"judged": 1}])
def test_a_world_too_small_is_refused(sizes) -> None:
    with pytest.raises(ValueError, match=f"{next(iter(sizes))} must be at least"):
        films.generate(**sizes)
