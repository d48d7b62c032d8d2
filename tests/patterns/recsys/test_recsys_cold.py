"""Cold starts on planted data: the survey, popularity by segment, placed items, held-out rows."""

from pathlib import Path

import numpy as np
import pytest
from planted_recsys import catalogue_of
from scipy.sparse import csr_matrix

from common.units import DAY
from patterns.recsys.entities.events import Events
from patterns.recsys.entities.requests import RECENT, Requests
from patterns.recsys.evaluation.held_out import cold_items, cold_users
from patterns.recsys.stages.candidates.als import ALS
from patterns.recsys.stages.candidates.popularity import Popularity
from patterns.recsys.stages.candidates.segment_popularity import SegmentPopularity
from patterns.recsys.stages.candidates.vectors import ItemVectors
from patterns.recsys.stages.cold_start.placement import ContentPlacement, item_content
from patterns.recsys.stages.cold_start.survey import (
    DISLIKED,
    LIKED,
    UNKNOWN,
    Survey,
    answer_matrix,
)


def events_of(
    users: np.ndarray, items: np.ndarray, ratings: object = np.nan, times: object = None
) -> Events:
    size = len(users)
    times = np.arange(size) * 10 if times is None else times
    return Events(
        np.asarray(users, np.int64),
        np.asarray(items, np.int64),
        np.broadcast_to(np.asarray(ratings, np.float32), size),
        np.asarray(times, np.int64),
    )


def requests_of(segments: object, seen: csr_matrix) -> Requests:
    segments = np.asarray(segments, np.int64)
    size = len(segments)
    return Requests(segments, np.zeros(size, np.int64), np.full((size, RECENT), -1), seen)


def four_tastes(seed: int = 0, users: int = 800) -> tuple[Events, np.ndarray]:
    """Four tastes of ten items; item 10 t is known to all, loved by taste t, disliked by others.

    Item 40 is taken and liked by everybody: the most popular, and it tells nothing.
    """
    rng = np.random.default_rng(seed)
    taste = rng.integers(4, size=users)
    rows = []
    for user in range(users):
        rows.append((user, 40, 5))
        rows += [(user, 10 * t, 5 if t == taste[user] else 2) for t in range(4)]
        own = 10 * taste[user] + 1 + rng.choice(9, 4, replace=False)
        rows += [(user, item, 5) for item in own]
    users_, items, ratings = (np.array(column) for column in zip(*rows, strict=True))
    return events_of(users_, items, ratings), taste


@pytest.mark.parametrize("adaptive", [True, False])
def test_the_survey_finds_the_planted_taste(adaptive: bool, tmp_path: Path) -> None:
    events, taste = four_tastes()
    survey = Survey(depth=4, adaptive=adaptive).fit(events, users=800, items=41)
    answers = answer_matrix(events, 800, 41)
    node, asked = survey.walk(answers)
    assert survey.ask({}) in {0, 10, 20, 30}
    for user in range(40):
        profile = survey.profiles_[node[user]].copy()
        profile[[0, 10, 20, 30, 40]] = 0
        assert profile.argmax() // 10 == taste[user]
    given = {item: int(answers[7, item]) for item in asked[7] if item >= 0}
    assert np.array_equal(survey.profile(given), survey.profiles_[node[7]])
    survey.save(tmp_path)
    again = Survey.load(tmp_path)
    assert again.ask({}) == survey.ask({})
    assert np.array_equal(again.walk(answers)[0], node)


def test_the_tree_asks_what_the_answer_before_leaves_open() -> None:
    """Of two worlds told apart by item 0, each has its own telling item: 1 or 2."""
    rng = np.random.default_rng(0)
    rows = []
    for user in range(1200):
        world, side = user % 2, user // 2 % 2
        rows.append((user, 0, 5 if world == 0 else 1))
        rows.append((user, 1 + world, 5 if side else 1))
        rows.append((user, 2 - world, 5 if rng.random() < 0.5 else 1))
        kind = 2 * world + side
        rows += [(user, 3 + 8 * kind + n, 5) for n in rng.choice(8, 5, replace=False)]
    users, items, ratings = (np.array(column) for column in zip(*rows, strict=True))
    events = events_of(users, items, ratings)
    survey = Survey(depth=2, questions=3).fit(events, users=1200, items=35)
    assert survey.ask({}) == 0
    assert survey.ask({0: LIKED}) == 1 and survey.ask({0: DISLIKED}) == 2
    assert survey.ask({0: LIKED, 1: DISLIKED}) is None
    best = survey.profile({0: DISLIKED, 2: LIKED})[3:].argsort()[-8:]
    assert set(best // 8) == {3}
    fixed = Survey(depth=2, questions=3, adaptive=False).fit(events, users=1200, items=35)
    assert fixed.ask({0: LIKED}) == fixed.ask({0: DISLIKED})


def test_a_question_minimises_the_squared_error_of_the_profiles() -> None:
    rng = np.random.default_rng(3)
    users, items = np.nonzero(rng.random((60, 12)) < 0.4)
    events = events_of(users, items, rng.integers(1, 6, size=len(users)))
    survey = Survey(depth=1, least_users=1, prior=0.0).fit(events, users=60, items=12)
    answers = answer_matrix(events, 60, 12).toarray()
    taken = (answers != 0) / np.sqrt(np.maximum((answers != 0).sum(1, keepdims=True), 1))
    errors = []
    for question in range(12):
        groups = [taken[answers[:, question] == answer] for answer in (LIKED, DISLIKED, UNKNOWN)]
        errors.append(sum(((g - g.mean(0)) ** 2).sum() for g in groups if len(g)))
    question = survey.ask({})
    assert question == int(np.argmin(errors))
    group = taken[answers[:, question] == LIKED]
    assert survey.profile({question: LIKED}) == pytest.approx(group.mean(0), abs=1e-5)


def test_without_ratings_taken_is_liked_and_the_last_rating_counts() -> None:
    events = events_of([0, 0, 1, 1], [0, 1, 2, 2], [np.nan, np.nan, 5, 1], [5, 4, 1, 2])
    assert answer_matrix(events, 3, 3).toarray().tolist() == [[1, 1, 0], [0, 0, -1], [0, 0, 0]]


def test_a_survey_of_one_user_or_none_asks_nothing() -> None:
    one = Survey().fit(events_of([0, 0], [1, 2]), users=1, items=4)
    assert one.ask({}) is None and one.profile({})[[1, 2]] == pytest.approx(np.sqrt([0.5, 0.5]))
    nobody = Survey().fit(events_of([], []), users=3, items=4)
    assert nobody.ask({}) is None and nobody.profile({}).tolist() == [0, 0, 0, 0]
    with pytest.raises(ValueError, match=r"answers\[3\]: 5"):
        one.profile({3: 5})


def two_segments(counts: tuple[int, int] = (400, 400)) -> tuple[np.ndarray, ...]:
    """Segment 1 takes items 0-4, segment 2 items 5-9; attribute two is noise."""
    rng = np.random.default_rng(0)
    segment = np.repeat([1, 2], counts)
    items = rng.integers(5, size=len(segment)) + 5 * (segment - 1)
    return items, np.stack([segment, rng.integers(3, size=len(segment))], axis=1)


def fit_segments(
    items: np.ndarray, segments: np.ndarray, times: object = 0, **options: object
) -> SegmentPopularity:
    """Fit on events of as many users, each with attributes of their own."""
    people = len(items)
    given = events_of(np.arange(people), items, times=np.broadcast_to(times, people))
    known = catalogue_of(
        people, 12, segments=segments, segment_sizes=(4, 3)[: segments.shape[1]],
        segment_names=("a", "b")[: segments.shape[1]],
    )  # fmt: skip
    return SegmentPopularity(**options).fit(given, known)  # type: ignore[arg-type]


def test_a_segment_gets_its_own_and_the_unknown_the_global(tmp_path: Path) -> None:
    items, segments = two_segments()
    stage = fit_segments(items, segments)
    assert stage.priors_[0] < 100 < stage.priors_[1]  # noise is shrunk away
    seen = csr_matrix((4, 12), dtype=np.float32)
    requests = requests_of([[1, 0], [2, 1], [0, 0], [3, 0]], seen)
    found = stage.retrieve(requests, 5)
    assert set(found.item_ids[0]) == {*range(5)} and set(found.item_ids[1]) == {*range(5, 10)}
    given = events_of(np.arange(len(items)), items, times=np.zeros(len(items)))
    overall = Popularity().fit(given, catalogue_of(len(items), 12)).retrieve(requests, 5)
    assert np.array_equal(found.item_ids[2:], overall.item_ids[2:])  # unknown, and never met
    scores = stage.score(requests, np.array([[0, 5, -1]] * 4))
    assert scores[0, 0] > scores[2, 0] > scores[1, 0] and (scores[:, 2] == 0).all()
    assert np.allclose(stage.score(requests, found.item_ids), found.scores, rtol=1e-5)
    stage.save(tmp_path)
    again = SegmentPopularity.load(tmp_path).retrieve(requests, 5)
    assert np.array_equal(again.item_ids, found.item_ids)


def test_shrinkage_is_the_mean_of_segment_and_whole_by_hand() -> None:
    items = np.array([0, 0, 0, 1])
    segments = np.array([[1, 0], [1, 0], [2, 0], [2, 0]])
    stage = fit_segments(items, segments, prior=6.0)
    request = requests_of([[2, 0]], csr_matrix((1, 12), dtype=np.float32))
    shrunk = 2 / 8 * np.array([0.5, 0.5]) + 6 / 8 * np.array([0.75, 0.25])
    assert stage.score(request, np.array([[0, 1]]))[0] == pytest.approx(4 * shrunk, rel=1e-5)


def test_popularity_by_segment_decays_leaves_out_the_seen_and_does_without_segments() -> None:
    items, times = np.array([0, 0, 1]), np.array([0, 0, 30 * DAY])
    given = events_of(np.arange(3), items, times=times)
    stage = SegmentPopularity(half_life_days=10).fit(given, catalogue_of(3, 3))
    seen = csr_matrix(np.array([[0, 1, 0]], dtype=np.float32))
    request = requests_of([[0]], seen)
    assert stage.retrieve(request, 5).item_ids.tolist() == [[0, 2, -1]]
    assert stage.score(request, np.array([[0, 1]])) == pytest.approx(np.array([[0.25, 1.0]]))


def planted_content(seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Vectors that are linear in the content, up to noise."""
    rng = np.random.default_rng(seed)
    content = (rng.random((300, 12)) < 0.3).astype(np.float32)
    vectors = content @ rng.normal(size=(12, 6)) + 0.1 * rng.normal(size=(300, 6))
    counts = rng.integers(1, 50, size=300)
    counts[:40] = 0
    return content, vectors.astype(np.float32), counts, rng.random(300)


def test_new_items_are_placed_near_their_true_vectors(tmp_path: Path) -> None:
    content, vectors, counts, trend = planted_content()
    erased = np.where(counts[:, None] > 0, vectors, np.nan)
    stage = ContentPlacement().fit(content, erased, counts, trend)
    assert np.array_equal(stage.vectors_[40:], vectors[40:])
    cosine = (stage.vectors_[:40] * vectors[:40]).sum(1)
    cosine /= np.linalg.norm(stage.vectors_[:40], axis=1) * np.linalg.norm(vectors[:40], axis=1)
    assert np.median(cosine) > 0.98
    length = np.linalg.norm(stage.vectors_[:40], axis=1)
    known = np.linalg.norm(vectors[40:], axis=1)
    assert length == pytest.approx(np.quantile(known, 0.75), rel=1e-5)
    stage.save(tmp_path)
    again = ContentPlacement.load(tmp_path)
    assert np.allclose(again.place(content[:40]), stage.vectors_[:40])
    assert np.allclose(again.expect(content[:40]), stage.trend_[:40])


def test_the_ridge_is_that_of_sklearn_and_its_strength_follows_the_noise() -> None:
    from sklearn.linear_model import Ridge

    content, vectors, counts, trend = planted_content()
    stage = ContentPlacement(strength=3.0).fit(content, vectors, counts, trend)
    known = counts > 0
    weight = counts[known] / counts[known].mean()
    model = Ridge(alpha=3.0).fit(content[known], vectors[known], sample_weight=weight)
    expected = model.predict(content[:40])
    expected *= stage.norm_ / np.linalg.norm(expected, axis=1, keepdims=True)
    assert np.allclose(stage.vectors_[:40], expected, atol=1e-4)
    noise = np.random.default_rng(1).normal(size=vectors.shape)
    weak = ContentPlacement().fit(content, vectors, counts, trend).strength_
    assert weak < ContentPlacement().fit(content, noise, counts, trend).strength_


def test_the_expected_trend_is_the_mean_of_neighbours_by_hand() -> None:
    content = np.array([[1, 0], [1, 0], [0, 1], [1, 1], [0, 0]], dtype=np.float32)
    counts, trend = np.array([3, 3, 3, 0, 0]), np.array([2.0, 4.0, 9.0, 0, 0])
    stage = ContentPlacement(strength=1.0).fit(content, np.eye(5, 2), counts, trend)
    assert stage.trend_ == pytest.approx([2, 4, 9, 5, 5])
    nearest = ContentPlacement(strength=1.0, neighbours=2)
    nearest.fit(content, np.eye(5, 2), counts, trend)
    assert nearest.expect(np.array([[2.0, 0.1]])) == pytest.approx([3.0])
    with pytest.raises(ValueError, match="1 items have events"):
        ContentPlacement().fit(content, np.eye(5, 2), np.array([1, 0, 0, 0, 0]), trend)


def test_items_held_out_whole_are_found_again_by_content() -> None:
    """Four kinds of items; users keep to one. Without events ALS never finds an item."""
    rng = np.random.default_rng(0)
    kind, taste = np.arange(120) % 4, rng.integers(4, size=400)
    pairs = [(user, item) for user in range(400) for item in rng.choice(30, 12, replace=False)]
    users = np.array([user for user, _ in pairs])
    items = np.array([4 * place for _, place in pairs]) + taste[users]
    events = events_of(users, items)
    train, cold = cold_items(events, share=0.2, seed=1)
    assert len(cold) == 24 and not np.isin(train.items, cold).any()
    seen = train.matrix(400, 120)
    counts = np.bincount(train.items, minlength=120)
    als = ALS(factors=8, iterations=10).fit_matrix(seen)
    content = np.eye(4, dtype=np.float32)[kind]
    stage = ContentPlacement().fit(content, als.items_.vectors, counts, counts.astype(float))
    requests = requests_of(np.zeros((400, 1)), seen)
    answers = events.part(np.isin(events.items, cold)).matrix(400, 120)
    rows = np.flatnonzero(np.diff(answers.indptr))
    asking, answers = requests.part(rows), answers[rows]

    def recall(vectors: np.ndarray) -> float:
        found = ItemVectors(vectors).retrieve(als.user_vectors(asking), asking.seen, 25).item_ids
        hits = [np.isin(answers[row].indices, found[row]).mean() for row in range(len(found))]
        return float(np.mean(hits))

    assert recall(als.items_.vectors) < 0.3 and recall(stage.vectors_) > 0.9


def test_content_joins_genres_decades_and_text() -> None:
    genres = np.array([[1, 1], [0, 0]], dtype=np.float32)
    years = np.array([1994.0, np.nan], dtype=np.float32)
    content = item_content(genres, years, np.array([[0.5], [0.25]]))
    assert content == pytest.approx(
        np.array([[0.5**0.5, 0.5**0.5, 1, 0.5], [0, 0, 0, 0.25]]), rel=1e-6
    )


def test_cold_users_are_held_out_whole_and_judged_on_the_same_answers() -> None:
    rng = np.random.default_rng(0)
    users = np.repeat(np.arange(30), 14)
    items = np.concatenate([rng.permutation(50)[:14] for _ in range(30)])
    events = events_of(users, items, times=rng.permutation(len(users)))
    world = catalogue_of(30, 50)
    cold = cold_users(events, world, known=(0, 2, 10), share=0.3, seed=5)
    assert len(cold.users) == 9 and not np.isin(cold.train.users, cold.users).any()
    assert len(cold.train) == 21 * 14
    for row, user in enumerate(cold.users):
        own = events.part(events.users == user)
        order = own.items[np.argsort(own.times)]
        assert sorted(cold.answers[row].indices) == sorted(order[10:])
        for n, requests in cold.requests.items():
            assert sorted(requests.seen[row].indices) == sorted(order[:n])
            assert requests.recent[row, :n].tolist() == order[:n][::-1].tolist()
            assert (requests.recent[row, n:] == -1).all()
            assert requests.times[row] == np.sort(own.times)[10]
    again = cold_users(events, world, known=(0, 2, 10), share=0.3, seed=5)
    assert np.array_equal(again.users, cold.users)


def test_answers_of_the_last_known_second_and_repeats_do_not_count() -> None:
    # user 0: the third event shares the second's time; user 1 repeats; user 2 is too short
    rows = [(0, 0, 1), (0, 1, 2), (0, 2, 2), (0, 3, 3), (1, 4, 1), (1, 5, 2), (1, 4, 3), (2, 0, 1)]
    users, items, times = (np.array(column) for column in zip(*rows, strict=True))
    events = events_of(users, items, times=times)
    cold = cold_users(events, catalogue_of(4, 6), known=(1, 2), share=0.99)
    assert cold.users.tolist() == [0] and cold.answers.toarray().tolist() == [[0, 0, 0, 1, 0, 0]]
    assert cold.requests[2].times.tolist() == [3] and len(cold.train) == 0
    none = cold_users(events, catalogue_of(4, 6), known=(0,), share=0.99)
    assert none.users.tolist() == [0, 1, 2] and none.requests[0].seen.nnz == 0
    with pytest.raises(ValueError, match="share: 1.0"):
        cold_items(events, share=1.0)
