"""The simulated films have habits of the real: a long tail, devices, sessions, newcomers."""

import movie_world
import numpy as np
import polars as pl
import pytest
from movie_world import days_of, rows_of

from common.units import DAY
from data.simulated import movies
from data.simulated.movies import GENRES, START, true_preference
from data.tables import Interactions


@pytest.fixture
def large() -> Interactions:
    return movie_world.large()


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
