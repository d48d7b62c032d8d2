"""The simulated films are true to what was planted: tastes, preferences, ratings, watching."""

import movie_world
import numpy as np
import pytest
from movie_world import SMALL, days_of, likings, rows_of

from common.units import DAY
from data.simulated.movies import (
    DEVICES,
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


@pytest.fixture
def world() -> Interactions:
    return movie_world.small()


@pytest.fixture
def large() -> Interactions:
    return movie_world.large()


@pytest.fixture(scope="module")
def liked() -> np.ndarray:
    """The true liking of each view of the large world, (E,) stars."""
    return likings(movie_world.large())


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
    large: Interactions, liked: np.ndarray
) -> None:
    rating = large.interactions["rating"].to_numpy()
    rated = ~np.isnan(rating)
    assert 0.25 < rated.mean() < 0.6
    assert np.corrcoef(liked[rated], rating[rated])[0, 1] > 0.7
    assert abs((rating - liked)[rated].mean()) < 0.1
    middle = np.abs(liked - 3.3) < 0.3
    assert rated[liked < 2.3].mean() > rated[middle].mean() + 0.1
    assert rated[liked > 4.3].mean() > rated[middle].mean() + 0.1


def test_watch_time_grows_with_liking_and_some_views_are_abandoned(
    large: Interactions, liked: np.ndarray
) -> None:
    events = large.interactions
    items = rows_of(events["item_id"], large.items["item_id"])
    runtime = 60 * large.items["runtime_minutes"].to_numpy()[items]
    share = events["watch_seconds"].to_numpy() / runtime
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
