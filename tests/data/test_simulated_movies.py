"""The simulated world of films: seeded, consistent, quick, and refusing what cannot be."""

import time

import movie_world
import polars as pl
import pytest
from movie_world import SMALL, rows_of

from common.units import DAY
from data.simulated.movies import DEVICES, GENRES, START, generate, true_preference
from data.tables import Interactions


@pytest.fixture
def world() -> Interactions:
    return movie_world.small()


def test_the_same_seed_gives_the_same_world_and_another_does_not(world: Interactions) -> None:
    again, other = generate(seed=3, **SMALL), generate(seed=4, **SMALL)
    assert again.interactions.equals(world.interactions)
    assert again.users.equals(world.users) and again.items.equals(world.items)
    for name, frame in world.extra.items():
        assert again.extra[name].equals(frame), name
    assert not other.interactions.equals(world.interactions)


def test_the_tables_have_the_promised_columns_and_types(world: Interactions) -> None:
    assert world.interactions.schema == {
        "user_id": pl.String,
        "item_id": pl.String,
        "rating": pl.Float32,
        "timestamp": pl.Int64,
        "device": pl.String,
        "watch_seconds": pl.Float32,
        "session_id": pl.Int64,
    }
    assert world.items.schema == {
        "item_id": pl.String,
        "title": pl.String,
        "genres": pl.List(pl.String),
        "year": pl.Int32,
        "text": pl.String,
        "runtime_minutes": pl.Int32,
        "release_date": pl.Date,
    }  # taste, appeal and quality, the answers, stay out
    assert world.users.columns == ["user_id", "age", "gender", "occupation", "joined"]
    assert world.extra["exposures"].columns == [
        "user_id",
        "item_id",
        "timestamp",
        "position",
        "clicked",
        "session_id",
    ]
    assert not world.items.null_count().sum_horizontal().item()
    assert world.interactions.drop("rating").null_count().sum_horizontal().item() == 0
    assert world.source.origin == "simulated" and world.source.name == "simulated-movies"
    assert f"{world.interactions.height:,} views" in world.source.rows


def test_sizes_are_as_asked(world: Interactions) -> None:
    assert world.users.height == 150 and world.items.height == 200
    assert world.interactions.height == pytest.approx(4_000, rel=0.1)
    assert world.interactions["user_id"].n_unique() == 150
    counts = world.interactions["user_id"].value_counts()["count"]
    assert counts.min() >= 1 and counts.max() <= 100  # half the catalogue at most


def test_items_grow_with_users_unless_given() -> None:
    assert generate(users=60, events=200).items.height == 1_200
    assert generate(users=6_000, events=6_000).items.height == 2_400
    assert generate(users=6_000, items=77, events=6_000).items.height == 77


def test_ids_refer_to_the_tables_and_no_film_is_seen_twice(world: Interactions) -> None:
    events = world.interactions
    assert set(events["user_id"]) <= set(world.users["user_id"])
    assert set(events["item_id"]) <= set(world.items["item_id"])
    assert world.users["user_id"].is_unique().all() and world.items["item_id"].is_unique().all()
    assert not events.select("user_id", "item_id").is_duplicated().any()
    assert world.items["title"].is_unique().all()


def test_values_are_in_range_and_in_order_of_time(world: Interactions) -> None:
    events = world.interactions
    ratings = events["rating"].drop_nulls()
    assert ratings.is_in([1.0, 2.0, 3.0, 4.0, 5.0]).all() and not ratings.is_nan().any()
    assert events["timestamp"].is_sorted()
    assert events["timestamp"].is_between(START, START + 202 * DAY).all()
    assert set(events["device"]) <= set(DEVICES)
    runtime = world.items["runtime_minutes"].to_numpy()
    watched = events["watch_seconds"].to_numpy()
    assert (watched >= 1).all()
    assert (watched <= 60 * runtime[rows_of(events["item_id"], world.items["item_id"])]).all()
    assert world.users["age"].is_between(18, 80).all()
    assert world.items["genres"].list.len().is_between(1, 3).all()
    assert {genre for genres in world.items["genres"] for genre in genres} <= set(GENRES)


def test_a_large_world_takes_seconds() -> None:
    """300,000 views of 20,000 people take 2 s of one core; the bound leaves room for slow ones."""
    begin = time.process_time()
    world = generate(users=20_000, items=5_000, events=300_000)
    assert time.process_time() - begin < 15
    assert world.interactions.height == pytest.approx(300_000, rel=0.03)


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
    with pytest.raises(ValueError, match=r"users=\d+, items=\d+, events=\d+, days=\d+: give two"):
        generate(**sizes)


@pytest.mark.parametrize(
    ("option", "value"),
    [("drift", 1.1), ("drift", float("nan")), ("sharpness", -1.0), ("sharpness", float("inf"))],
)
def test_an_option_out_of_range_is_named_with_a_remedy(option: str, value: float) -> None:
    with pytest.raises(ValueError, match=rf"{option}: {value} is not .*Choose, say"):
        generate(**{option: value})


def test_the_smallest_world_is_one() -> None:
    for seed in range(10):
        world = generate(seed=seed, users=2, items=4, events=4, days=2)
        assert 2 <= world.interactions.height <= 4
        assert true_preference(world, [0, 1], 1).shape == (2, 4)
