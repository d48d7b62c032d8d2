"""The simulated world of films: seeded, consistent, and true to what it planted."""

import time

import numpy as np
import polars as pl
import pytest

from data.simulated import movies
from data.simulated.movies import (
    DAY,
    DEVICES,
    GENRES,
    START,
    expected_viewing,
    finish_probability,
    generate,
    true_preference,
)
from data.simulated.movies import (
    world as assembly,
)
from data.simulated.movies.truth import liking, taste_on
from data.tables import Interactions

SMALL = {"users": 150, "items": 200, "events": 4_000}


@pytest.fixture(scope="module")
def world() -> Interactions:
    return generate(seed=3, **SMALL)


@pytest.fixture(scope="module")
def large() -> Interactions:
    """The default size, for what shows in the mean only."""
    return generate(seed=1)


def rows_of(ids: pl.Series, known: pl.Series) -> np.ndarray:
    return np.searchsorted(known.to_numpy(), ids.to_numpy())  # ids are in order


def days_of(table: Interactions) -> np.ndarray:
    return (table.interactions["timestamp"].to_numpy() - START) / DAY


def likings(table: Interactions) -> np.ndarray:
    """Give the true liking of each view, in stars."""
    events = table.interactions
    day = np.floor(days_of(table))
    found = np.empty(events.height)
    for begin in range(0, events.height, 10_000):
        part = slice(begin, begin + 10_000)
        liked = true_preference(table, events["user_id"].to_numpy()[part], day[part])
        items = rows_of(events["item_id"][part], table.items["item_id"])
        found[part] = liked[np.arange(len(items)), items]
    return found


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


def test_tastes_are_unit_vectors_and_the_rotation_keeps_them_so(large: Interactions) -> None:
    people, films = large.extra["person_taste"], large.extra["film_taste"]
    first, last = people["first"].to_numpy(), people["last"].to_numpy()
    for taste in (first, last, films["taste"].to_numpy()):
        np.testing.assert_allclose(np.linalg.norm(taste, axis=1), 1, atol=1e-5)
    shares = np.linspace(0, 1, len(first))
    np.testing.assert_allclose(np.linalg.norm(taste_on(first, last, shares), axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(taste_on(first, last, 0 * shares), first, atol=1e-5)
    np.testing.assert_allclose(taste_on(first, last, 0 * shares + 1), last, atol=1e-5)
    east, north = np.array([[1.0, 0.0]]), np.array([[0.0, 1.0]])
    half = taste_on(east, north, np.array([0.5]))
    np.testing.assert_allclose(half, [[0.5**0.5, 0.5**0.5]], atol=1e-6)


def test_true_preference_is_the_formula_and_what_generate_used(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kept = {}
    views_of = assembly._views

    def spy(rng, sessions, views, people, films):
        kept.update(sessions=sessions, views=views)
        return views_of(rng, sessions, views, people, films)

    monkeypatch.setattr(assembly, "_views", spy)
    table = generate(seed=5, **SMALL)
    sessions, views = kept["sessions"], kept["views"]
    day = (sessions.starts // DAY)[views.sessions]
    quality = table.extra["film_taste"]["quality"].to_numpy()
    asked = true_preference(table, sessions.users[views.sessions], day)  # (E, N)
    used = liking(views.affinity, quality[views.items])
    np.testing.assert_allclose(asked[np.arange(len(day)), views.items], used, atol=1e-4)

    first = table.extra["person_taste"]["first"].to_numpy()[[7, 2]]
    film = table.extra["film_taste"]["taste"].to_numpy()
    by_hand = 3.3 + 2.6 * (first @ film.T - 0.45) + quality
    np.testing.assert_allclose(true_preference(table, ["u00007", "u00002"], 0), by_hand, atol=1e-4)
    np.testing.assert_allclose(true_preference(table, np.array([7, 2]), -3), by_hand, atol=1e-4)


def test_who_asks_for_the_truth_of_nobody_or_of_another_table_is_told(world: Interactions) -> None:
    for users in (["u00003", "nobody"], np.array([150]), np.array([-1])):
        with pytest.raises(ValueError, match=r"users: .* is not in this world of 150 users"):
            true_preference(world, users, 0)
    other = Interactions(world.source, world.interactions, world.users, world.items)
    with pytest.raises(ValueError, match="the truth is known for simulated-movies only"):
        true_preference(other, [0], 0)


def test_people_take_what_is_to_their_taste(world: Interactions) -> None:
    anything = true_preference(world, np.arange(150), 100)
    assert likings(world).mean() > anything.mean() + 0.5
    blind = generate(seed=3, sharpness=0, **SMALL)
    assert likings(blind).mean() < true_preference(blind, np.arange(150), 100).mean() + 0.2


def test_ratings_follow_liking_and_are_given_for_the_loved_and_the_hated(
    large: Interactions,
) -> None:
    liked, rating = likings(large), large.interactions["rating"].to_numpy()
    rated = ~np.isnan(rating)
    assert 0.25 < rated.mean() < 0.6
    assert np.corrcoef(liked[rated], rating[rated])[0, 1] > 0.7
    assert abs((rating - liked)[rated].mean()) < 0.1
    middle = np.abs(liked - 3.3) < 0.3
    assert rated[liked < 2.3].mean() > rated[middle].mean() + 0.1
    assert rated[liked > 4.3].mean() > rated[middle].mean() + 0.1


def test_watch_time_grows_with_liking_and_some_views_are_abandoned(large: Interactions) -> None:
    events = large.interactions
    items = rows_of(events["item_id"], large.items["item_id"])
    runtime = 60 * large.items["runtime_minutes"].to_numpy()[items]
    share = events["watch_seconds"].to_numpy() / runtime
    liked = likings(large)
    quarter = np.digitize(liked, np.quantile(liked, [0.25, 0.5, 0.75]))
    means = [share[quarter == q].mean() for q in range(4)]
    assert means == sorted(means) and means[3] > means[0] + 0.2
    assert 0.05 < (share < 0.5).mean() < 0.5
    device = np.array([DEVICES.index(name) for name in events["device"]])
    expected = finish_probability(liked, runtime / 60, device)
    finished = share > 0.8
    for low in np.arange(0.3, 0.9, 0.2):  # what is promised comes true
        of = (expected > low) & (expected < low + 0.2)
        assert finished[of].mean() == pytest.approx(expected[of].mean(), abs=0.05)


def test_taste_turns_over_the_period(large: Interactions) -> None:
    people, film = large.extra["person_taste"], large.extra["film_taste"]["taste"].to_numpy()
    turn = people["last"].to_numpy() - people["first"].to_numpy()
    events = large.interactions
    users = rows_of(events["user_id"], large.users["user_id"])
    along = (turn[users] * film[rows_of(events["item_id"], large.items["item_id"])]).sum(1)
    day = days_of(large)
    assert along[day > 150].mean() > along[day < 50].mean() + 0.02
    still = generate(seed=1, drift=0, **SMALL).extra["person_taste"]
    np.testing.assert_allclose(still["first"].to_numpy(), still["last"].to_numpy(), atol=1e-6)


def test_popularity_has_a_long_tail_and_drifts(large: Interactions) -> None:
    counts = large.interactions["item_id"].value_counts(sort=True)["count"].to_numpy()
    assert counts[:120].sum() > 0.28 * counts.sum()  # a tenth of the films
    assert counts[600:].sum() < 0.25 * counts.sum()
    items = rows_of(large.interactions["item_id"], large.items["item_id"])
    late = days_of(large) > 100
    old = large.items["year"].to_numpy() < 2023
    n_late, n_early = (np.bincount(items[part], minlength=1_200) + 1 for part in (late, ~late))
    trend = large.extra["film_taste"]["trend"].to_numpy()
    assert np.corrcoef(trend[old], np.log(n_late / n_early)[old])[0, 1] > 0.4


def test_phones_are_for_short_films_and_devices_have_their_hours(large: Interactions) -> None:
    events = large.interactions.join(large.items, on="item_id")
    minutes = dict(events.group_by("device").agg(pl.col("runtime_minutes").mean()).rows())
    assert minutes["phone"] < minutes["tablet"] < minutes["desktop"] < minutes["tv"]
    assert minutes["phone"] < minutes["tv"] - 15
    hour = events["timestamp"].to_numpy() % DAY // 3600
    phone, tv = ((events["device"] == name).to_numpy() for name in ("phone", "tv"))
    morning, evening = (hour >= 6) & (hour < 12), hour >= 18
    assert phone[morning].mean() > 2 * phone[evening].mean()
    assert tv[evening].mean() > 2 * tv[morning].mean()
    assert evening.mean() > 3 * morning.mean()


def test_a_session_is_one_account_on_one_device_for_a_while(large: Interactions) -> None:
    sessions = large.interactions.group_by("session_id").agg(
        pl.col("user_id").n_unique(),
        pl.col("device").n_unique(),
        pl.col("timestamp").min().alias("start"),
        (pl.col("timestamp").max() - pl.col("timestamp").min()).alias("span"),
        pl.len().alias("views"),
    )
    assert sessions["user_id"].max() == 1 and sessions["device"].max() == 1
    assert 2 < sessions["views"].mean() < 4 and sessions["views"].max() <= 10
    assert sessions["span"].max() < DAY
    assert sessions.sort("session_id")["start"].is_sorted()


def test_views_of_a_session_follow_each_other(large: Interactions) -> None:
    """The next view starts after the time watched."""
    by_session = large.interactions.sort("session_id", "timestamp").with_columns(
        (pl.col("timestamp").shift(-1) - pl.col("timestamp")).over("session_id").alias("next")
    )
    followed = by_session.drop_nulls("next")
    assert followed.height > 10_000
    assert (followed["next"] >= followed["watch_seconds"]).all()


def test_the_text_tells_of_genres_and_of_the_hidden_taste(large: Interactions) -> None:
    """Ridge regression from the words of half the films to the hidden taste of the others."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import Ridge

    hidden = large.extra["film_taste"]["taste"].to_numpy()[:, len(GENRES) :]
    words = TfidfVectorizer().fit_transform(large.items["text"].to_list())
    told = Ridge(alpha=1.0).fit(words[:600], hidden[:600]).predict(words[600:])
    for dimension in range(hidden.shape[1]):
        assert np.corrcoef(told[:, dimension], hidden[600:, dimension])[0, 1] > 0.5
    genres = large.items["genres"].to_list()
    only = [row for row, names in enumerate(genres) if names == ["Western"]]
    nouns = set(movies.words.GENRE_NOUNS["Western"])
    assert only and all(
        len(nouns & set(large.items["text"][row].replace(",", "").replace(".", "").split())) >= 1
        for row in only
    )


def test_demographics_pull_taste(large: Interactions) -> None:
    first = large.extra["person_taste"]["first"].to_numpy()
    age = np.digitize(large.users["age"].to_numpy(), [26, 40, 60])
    gender = (large.users["gender"] == "M").to_numpy()
    job = large.users["occupation"].rank("dense").to_numpy().astype(int) - 1
    genres, hidden = first[:, : len(GENRES)], first[:, len(GENRES) :]
    rng = np.random.default_rng(0)
    for group, taste in ((2 * age + gender, genres), (job, hidden)):
        explained = between(taste, group)
        assert explained > 5 * between(taste, rng.permutation(group))
        assert 0.03 < explained < 0.7  # and people's own taste pulls more


def between(values: np.ndarray, group: np.ndarray) -> float:
    """Give the share of the variance that lies between groups."""
    centred = values - values.mean(0)
    means = np.stack([centred[group == g].mean(0) for g in range(group.max() + 1)])
    return float((means[group] ** 2).sum() / (centred**2).sum())


def test_there_are_new_films_and_new_people_and_none_before_its_time(large: Interactions) -> None:
    events = large.interactions.join(large.items, on="item_id").join(large.users, on="user_id")
    seen = pl.from_epoch("timestamp").dt.date()
    assert events.select((seen >= pl.col("release_date")).all()).item()
    assert events.select((seen >= pl.col("joined")).all()).item()
    cut = START + 170 * DAY
    early, late = (
        events.filter(part) for part in (pl.col("timestamp") < cut, pl.col("timestamp") >= cut)
    )
    new_films = set(late["item_id"]) - set(early["item_id"])
    new_people = set(late["user_id"]) - set(early["user_id"])
    assert len(new_films) > 20 and len(new_people) > 40
    assert late["item_id"].is_in(list(new_films)).mean() > 0.02


def test_exposures_are_of_a_policy_that_knows_popularity_only(large: Interactions) -> None:
    shown = large.extra["exposures"]
    assert 500_000 < shown.height < 1_250_000
    pairs = shown.join(large.interactions, on=["user_id", "item_id", "session_id"], how="left")
    watched = pairs["device"].is_not_null()
    assert (watched == pairs["clicked"]).all()  # a click is a view of that session
    assert shown.select("session_id", "item_id").is_unique().all()
    lists = shown.group_by("session_id").agg(pl.col("position").sort())
    assert all(p == list(range(len(p))) for p in lists["position"].head(200).to_list())
    rate = shown.group_by("position").agg(pl.col("clicked").mean()).sort("position")["clicked"]
    assert rate[:5].mean() > 1.5 * rate[25:30].mean()  # what lies first is taken more often
    some = np.random.default_rng(0).choice(shown.height, 10_000, replace=False)
    users = rows_of(shown["user_id"], large.users["user_id"])[some]
    items = rows_of(shown["item_id"], large.items["item_id"])[some]
    place = shown["position"].to_numpy()[some]
    everyone = true_preference(large, np.arange(1_500), 100)
    own = everyone[users, items] - everyone.mean(0)[items]  # what this person adds to the mean
    # not quite 0: of popular films, which lie first, those to one's taste have been seen already
    assert -0.03 < np.corrcoef(own, place)[0, 1] < 0.1
    popular = large.extra["film_taste"]["appeal"].to_numpy()[items]
    assert np.corrcoef(popular, place)[0, 1] < -0.1
    before = shown.join(large.interactions, on=["user_id", "item_id"], suffix="_seen").filter(
        pl.col("timestamp_seen") < pl.col("timestamp")
    )
    assert not before.height  # nobody is shown what they have seen


def test_a_large_world_takes_seconds() -> None:
    """300,000 views of 20,000 people take 2 s on two cores; the bound leaves room for others."""
    begin = time.perf_counter()
    world = generate(users=20_000, items=5_000, events=300_000)
    assert time.perf_counter() - begin < 30
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


def test_expected_viewing_is_what_the_world_would_do(world: Interactions) -> None:
    """Pages drawn at random, against choices and watching drawn film by film."""
    rng = np.random.default_rng(0)
    users, devices = rng.integers(world.users.height, size=40), rng.integers(4, size=40)
    pages = np.stack([rng.permutation(world.items.height)[:6] for _ in users])
    pages[0, 3:], pages[1] = -1, -1
    day = np.full(40, 100.0)
    minutes, finished = expected_viewing(world, users, day, devices, pages)
    assert minutes[1] == finished[1] == 0.0
    liked = np.take_along_axis(true_preference(world, users, day), pages, axis=1)
    runtime = world.items["runtime_minutes"].to_numpy()[pages]
    quality = world.extra["film_taste"]["quality"].to_numpy()[pages]
    affinity = (liked - 3.3 - quality) / 2.6 + 0.45
    lean = np.array([-1.0, -0.35, 0.0, 0.45])[devices][:, None]
    odds = 12.0 * affinity + lean * (runtime - 95) / 35 - 0.5 * np.log(np.arange(6) + 1)
    odds[pages < 0] = -np.inf
    for row in (0, 2, 7):
        noisy = odds[row] + rng.gumbel(size=(40_000, 6))
        taken = noisy.argmax(axis=1)
        assert (pages[row, taken] >= 0).all()
        chance = finish_probability(liked[row, taken], runtime[row, taken], devices[row])
        ended = rng.random(40_000) < chance
        share = np.where(ended, rng.beta(30, 1, 40_000), rng.beta(1.2, 3.5, 40_000))
        assert finished[row] == pytest.approx(ended.mean(), abs=0.015)
        assert minutes[row] == pytest.approx((share * runtime[row, taken]).mean(), abs=1.5)
