"""What is known at a moment and what is the answer: nothing of the answer is ever known."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.retrieval import MISSING
from patterns.recsys.entities.catalogue import Catalogue
from patterns.recsys.entities.events import Events
from patterns.recsys.entities.requests import (
    RECENT,
    events_with_history,
    latest_by_user,
    recent_items,
    requests_within,
)


def events(*rows: tuple[int, int, int]) -> Events:
    """Give events from (user, item, time)."""
    users, items, times = np.array(rows, dtype=np.int64).reshape(-1, 3).T
    return Events(users, items, np.full(len(users), np.nan, dtype=np.float32), times)


def catalogue(users: int, items: int) -> Catalogue:
    return Catalogue.from_table(
        pl.DataFrame({"item_id": [f"i{n}" for n in range(items)]}),
        pl.DataFrame({"user_id": [f"u{n}" for n in range(users)], "age": [20] * users}),
        pl.DataFrame(schema={"user_id": pl.String, "item_id": pl.String}),
    )


def lists(matrix: object) -> list[list[int]]:
    return [matrix[row].indices.tolist() for row in range(matrix.shape[0])]  # type: ignore


def test_a_request_by_hand() -> None:
    past = events((0, 0, 10), (0, 1, 20), (1, 5, 20))
    window = events((0, 2, 30), (0, 3, 40), (0, 4, 50), (2, 6, 35))
    requests, answers, users = requests_within(past, window, catalogue(4, 8), moments=(0.0, 0.5))
    assert users.tolist() == [0, 0, 2] and requests.times.tolist() == [30, 40, 35]
    assert lists(requests.seen) == [[0, 1], [0, 1, 2], []]
    assert lists(answers) == [[2, 3, 4], [3, 4], [6]]
    assert requests.recent[:, :4].tolist() == [[1, 0, -1, -1], [2, 1, 0, -1], [-1] * 4]
    assert requests.recent.shape == (3, RECENT)


def test_a_whole_second_is_answer_and_never_history() -> None:
    window = events((0, 0, 10), (0, 1, 20), (0, 2, 20), (0, 3, 20), (0, 4, 30))
    requests, answers, _ = requests_within(events(), window, catalogue(1, 5), moments=(0.6,))
    assert requests.times.tolist() == [20]
    assert lists(requests.seen) == [[0]] and lists(answers) == [[1, 2, 3, 4]]


def test_moments_that_fall_on_one_second_are_one_request() -> None:
    window = events((0, 0, 20), (0, 1, 20), (0, 2, 20))
    requests, answers, _ = requests_within(events(), window, catalogue(1, 3), moments=(0, 0.4, 0.9))
    assert len(requests) == 1 and lists(answers) == [[0, 1, 2]]


def test_a_repeat_is_no_discovery_and_a_request_without_an_answer_is_none() -> None:
    past = events((0, 7, 1), (1, 7, 1))
    window = events((0, 7, 10), (0, 3, 11), (0, 3, 12), (1, 7, 10))
    requests, answers, users = requests_within(past, window, catalogue(2, 9), moments=(0.0,))
    assert users.tolist() == [0] and lists(answers) == [[3]] and lists(requests.seen) == [[7]]
    assert answers.data.tolist() == [1.0]  # taken twice counts once


def test_recent_items_are_newest_first_and_cut() -> None:
    items = np.arange(100)
    recent = recent_items(items, np.array([0, 98, 50]), np.array([100, 100, 50]))
    assert recent[0].tolist() == list(range(99, 99 - RECENT, -1))
    assert recent[1, :3].tolist() == [99, 98, MISSING] and (recent[2] == MISSING).all()


def test_latest_items_of_users_without_events_are_padding() -> None:
    latest = latest_by_user(events((2, 4, 9), (2, 3, 5)), users=4)
    assert latest[2, :3].tolist() == [4, 3, MISSING]
    assert (latest[[0, 1, 3]] == MISSING).all()


@st.composite
def worlds(draw: st.DrawFn) -> tuple[Events, Events, tuple[float, ...]]:
    """Give a past and a later window over few users, items and seconds, hence many collisions."""
    row = st.tuples(st.integers(0, 3), st.integers(0, 7), st.integers(0, 9))
    past = draw(st.lists(row, max_size=12))
    window = draw(st.lists(row, min_size=1, max_size=14))
    moments = draw(st.lists(st.sampled_from([0.0, 0.2, 0.5, 0.8]), min_size=1, unique=True))
    later = [(user, item, time + 10) for user, item, time in window]
    return (
        events(*sorted(past, key=lambda r: r[2])),
        events(*sorted(later, key=lambda r: r[2])),
        tuple(moments),
    )


@settings(max_examples=150, deadline=None)
@given(worlds())
def test_history_ends_before_the_moment_and_answers_start_there(
    world: tuple[Events, Events, tuple[float, ...]],
) -> None:
    past, window, moments = world
    requests, answers, users = requests_within(past, window, catalogue(4, 8), moments=moments)
    every = list(
        zip(
            *(
                np.concatenate([getattr(e, f) for e in world[:2]])
                for f in ("users", "items", "times")
            ),
            strict=True,
        )
    )
    assert len(requests) == answers.shape[0] == len(users)
    for row, (user, moment) in enumerate(zip(users, requests.times, strict=True)):
        before = {item for u, item, time in every if u == user and time < moment}
        after = {item for u, item, time in every if u == user and time >= moment}
        seen, answer = set(requests.seen[row].indices), set(answers[row].indices)
        assert seen == before and answer == after - before and answer
        assert set(requests.recent[row]) - {MISSING} <= before
        assert window.times.min() <= moment <= window.times.max()


@settings(max_examples=60, deadline=None)
@given(worlds())
def test_a_training_event_knows_only_what_came_before_it(
    world: tuple[Events, Events, tuple[float, ...]],
) -> None:
    past, window, _ = world
    every = past.joined(window)
    recent, segments, taken = events_with_history(every, catalogue(4, 8))
    assert len(recent) == len(segments) == len(taken) == len(every)
    assert sorted(taken) == sorted(every.items)
    order = np.lexsort((every.times, every.users))
    users, times = every.users[order], every.times[order]
    for row in range(len(taken)):
        same_user = users == users[row]
        earlier = set(taken[same_user & (times < times[row])].tolist())
        assert set(recent[row].tolist()) - {MISSING} <= earlier


@pytest.mark.parametrize("empty", ["past", "window"])
def test_nothing_gives_no_request_or_an_empty_history(empty: str) -> None:
    some = events((1, 2, 5), (1, 3, 6))
    past, window = (events(), some) if empty == "past" else (some, events())
    requests, answers, users = requests_within(past, window, catalogue(3, 5), moments=(0.0,))
    assert len(requests) == answers.shape[0] == (1 if empty == "past" else 0)
    assert users.tolist() == ([1] if empty == "past" else [])
    assert requests.seen.nnz == 0


def test_a_matrix_counts_repeated_events_by_their_logarithm_and_pairs_once() -> None:
    given = events((0, 1, 1), (0, 1, 2), (0, 1, 4), (1, 0, 3))
    assert given.matrix(3, 2).toarray().tolist() == [[0, 2], [1, 0], [0, 0]]
    assert given.pairs(3, 2).toarray().tolist() == [[0, 1], [1, 0], [0, 0]]
    weighed = replace(given, weights=np.array([3, 3, 1, 7], np.float32))
    assert weighed.matrix(3, 2).toarray().tolist() == [[0, 3], [3, 0], [0, 0]]


def test_the_latest_events_keep_their_whole_history() -> None:
    given = events((0, 0, 1), (1, 5, 2), (0, 1, 3), (0, 2, 9), (1, 6, 8))
    whole = events_with_history(given, catalogue(2, 8))
    recent, _, taken = events_with_history(given, catalogue(2, 8), most=2)
    assert taken.tolist() == [2, 6]  # by user
    assert recent[0, :3].tolist() == [1, 0, -1] and recent[1, :2].tolist() == [5, -1]
    assert [item for item in whole[2].tolist() if item in taken] == taken.tolist()


def test_worth_is_the_latest_known_value_of_a_pair() -> None:
    given = events((0, 0, 1), (0, 0, 2), (0, 0, 3), (1, 2, 1), (1, 1, 2))
    values = np.array([3.0, 0.0, np.nan, np.nan, 5.0], np.float32)
    worth = given.worth(2, 3, values)
    assert worth[0, 0] == 0.0 and worth.nnz == 2  # a stored zero
    assert worth[1, 1] == 5.0
