"""The simulated world of films: seeded, consistent, and true to the taste it planted."""

import numpy as np
import polars as pl
import pytest

from data.simulated.movies import DAY, GENRES, START, generate
from data.tables import Interactions

SMALL = {"users": 150, "items": 200, "events": 4_000}


@pytest.fixture(scope="module")
def world() -> Interactions:
    return generate(seed=3, **SMALL)


def tastes(world: Interactions) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Give the planted taste of each person and of each film."""
    people, films = world.extra["person_taste"], world.extra["film_taste"]
    return (
        dict(zip(people["user_id"], people["taste"].to_numpy(), strict=True)),
        dict(zip(films["item_id"], films["taste"].to_numpy(), strict=True)),
    )


def test_the_same_seed_gives_the_same_world_and_another_does_not(world: Interactions) -> None:
    again, other = generate(seed=3, **SMALL), generate(seed=4, **SMALL)
    assert again.interactions.equals(world.interactions)
    assert again.users.equals(world.users) and again.items.equals(world.items)
    assert not other.interactions.equals(world.interactions)


def test_the_tables_have_the_promised_columns_and_types(world: Interactions) -> None:
    assert world.interactions.schema == {
        "user_id": pl.String,
        "item_id": pl.String,
        "rating": pl.Float32,
        "timestamp": pl.Int64,
    }
    assert world.items.schema["genres"] == pl.List(pl.String)
    assert {"item_id", "title", "year"} <= set(world.items.columns)
    assert not {"released", "appeal", "quality"} & set(world.items.columns)  # the answers stay out
    assert world.source.origin == "simulated" and world.source.name == "simulated-movies"
    assert f"{world.interactions.height:,} ratings" in world.source.rows


def test_sizes_are_as_asked(world: Interactions) -> None:
    assert world.users.height == 150 and world.items.height == 200
    assert world.interactions.height == pytest.approx(4_000, rel=0.1)
    assert world.interactions["user_id"].n_unique() == 150
    counts = world.interactions["user_id"].value_counts()["count"]
    assert counts.min() >= 1 and counts.max() <= 100  # half the catalogue at most


def test_ids_refer_to_the_tables_and_no_film_is_seen_twice(world: Interactions) -> None:
    events = world.interactions
    assert set(events["user_id"]) <= set(world.users["user_id"])
    assert set(events["item_id"]) <= set(world.items["item_id"])
    assert world.users["user_id"].is_unique().all() and world.items["item_id"].is_unique().all()
    assert not events.select("user_id", "item_id").is_duplicated().any()
    assert world.items["title"].is_unique().all()


def test_values_are_in_range_and_in_order_of_time(world: Interactions) -> None:
    events = world.interactions
    assert events["rating"].is_between(1, 5).all() and events["timestamp"].is_sorted()
    assert events["timestamp"].is_between(START, START + 202 * DAY).all()
    assert world.users["age"].is_between(18, 80).all()
    assert world.items["genres"].list.len().is_between(1, 3).all()
    assert {genre for genres in world.items["genres"] for genre in genres} <= set(GENRES)


def test_people_take_what_is_to_their_taste(world: Interactions) -> None:
    person, film = tastes(world)
    events = world.interactions
    taken = np.array([person[u] @ film[i] for u, i in events.select("user_id", "item_id").rows()])
    anything = np.array([person[u] @ film[i] for u in person for i in film])
    assert taken.mean() > anything.mean() + 0.15


def test_ratings_follow_taste(world: Interactions) -> None:
    person, film = tastes(world)
    rows = world.interactions.select("user_id", "item_id").rows()
    likes = [person[u] @ film[i] for u, i in rows]
    assert np.corrcoef(likes, world.interactions["rating"])[0, 1] > 0.3


def test_popularity_has_a_long_tail(world: Interactions) -> None:
    counts = world.interactions["item_id"].value_counts(sort=True)["count"].to_numpy()
    assert counts[:20].sum() > 0.25 * counts.sum()


def test_a_film_is_not_seen_before_it_is_out() -> None:
    """New films, known by their year, are seen first when they come out, so late on average."""
    world = generate(seed=1, **SMALL)
    new = world.items.filter(pl.col("year") == 2024)["item_id"]
    first = world.interactions.group_by("item_id").agg(pl.col("timestamp").min())
    is_new = pl.col("item_id").is_in(new.implode())
    late, early = first.filter(is_new)["timestamp"], first.filter(~is_new)["timestamp"]
    assert late.mean() > early.mean() + 20 * DAY  # type: ignore[operator]


@pytest.mark.parametrize(
    "sizes",
    [
        {"users": 1},
        {"items": 1},
        {"days": 1},
        {"users": 100, "events": 99},
        {"users": 10, "items": 10, "events": 51},
    ],
)
def test_impossible_sizes_are_refused_by_name(sizes: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=r"users=\d+, items=\d+, events=\d+: give two or more"):
        generate(**sizes)


def test_the_smallest_world_is_one() -> None:
    world = generate(users=2, items=4, events=4, days=2)
    assert 2 <= world.interactions.height <= 4
