"""Features: by hand, by one function for a batch and a single request, blind to the future."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from scipy.sparse import csr_matrix

from common.retrieval import MISSING
from common.units import DAY
from patterns.recsys.data import Splits, load, split
from patterns.recsys.entities.catalogue import Catalogue
from patterns.recsys.entities.events import Events
from patterns.recsys.entities.requests import Requests, requests_within
from patterns.recsys.stages.features import Features

ITEMS = 4
GENRES = np.array([[1, 0], [1, 1], [0, 1], [0, 0]], dtype=np.float32)
YEARS = np.array([1990, 2000, np.nan, 2010], dtype=np.float32)
NAMES = np.array(["a", "b", "c", "d"], dtype=object)
CATALOGUE = Catalogue(
    item_ids=NAMES, titles=NAMES, genres=GENRES, genre_names=("left", "right"), years=YEARS,
    user_ids=NAMES[:1], segments=np.array([[3, 1]]), segment_sizes=(4, 2),
    segment_names=("age", "gender"),
)  # fmt: skip


def events(ratings: list[float]) -> Events:
    """Give four events over 100 days: item 0 twice, item 1 and item 2 once, item 3 never."""
    days = np.array([0, 50, 90, 100])
    items = np.array([0, 1, 0, 2])
    times = (days * DAY).astype(np.int64)
    return Events(np.zeros(4, np.int64), items, np.array(ratings, np.float32), times)


def request(*seen: int, segments: tuple[int, ...] = (3, 1), hour: int = 5) -> Requests:
    matrix = np.zeros((1, ITEMS), dtype=np.float32)
    matrix[0, list(seen)] = 1.0
    recent = np.full((1, 50), MISSING)
    recent[0, : len(seen)] = seen[::-1]
    moment = np.array([200 * int(DAY) + hour * 3600 + 59])
    return Requests(np.array([segments]), moment, recent, csr_matrix(matrix))


def table(requests: Requests, item_ids: list[int], **scores: list[float]) -> dict[str, list[float]]:
    """Give the features of one request by name."""
    stage = Features().fit(events([5, 3, 4, np.nan]), CATALOGUE)
    space = {"als": np.array([[1, 0], [1, 0], [0, 1], [-1, 0]], dtype=np.float32)}
    opinions = {name: np.array([values], dtype=np.float32) for name, values in scores.items()}
    built = stage.build(requests, np.array([item_ids]), opinions, space)
    names = Features.names(opinions, space, ("age", "gender"))
    assert built.shape == (1, len(item_ids), len(names)) and built.dtype == np.float32
    return {name: built[0, :, column].tolist() for column, name in enumerate(names)}


def test_item_statistics_by_hand() -> None:
    found = table(request(), [0, 1, 2, 3])
    np.testing.assert_allclose(found["log count"], np.log1p([2, 1, 1, 0]), rtol=1e-6)
    assert found["recent share"] == [0.5, 0.0, 1.0, 0.0]
    assert found["days out"] == [100.0, 50.0, 0.0, 0.0]
    mean = 4.0  # of the three ratings; ten more of it pull each item
    expected = [(9 + 10 * mean) / 12, (3 + 10 * mean) / 11, mean, mean]
    np.testing.assert_allclose(found["mean rating"], expected, rtol=1e-6)
    np.testing.assert_array_equal(found["year"], YEARS)


def test_what_user_and_item_share_by_hand() -> None:
    found = table(request(0), [1, 2, 3])
    np.testing.assert_allclose(found["genre similarity"], [np.sqrt(0.5), 0, 0], atol=1e-6)
    np.testing.assert_allclose(found["als nearest"], [1, 0, -1], atol=1e-6)
    pair = table(request(0, 2), [1])
    np.testing.assert_allclose(pair["als nearest"], [1.0], atol=1e-6)
    np.testing.assert_allclose(pair["als mean nearness"], [0.5], atol=1e-6)


def test_the_context_by_hand() -> None:
    found = table(request(0, 2), [1, 3])
    np.testing.assert_allclose(found["history"], [np.log(3)] * 2, rtol=1e-6)
    assert found["hour"] == [5.0, 5.0]
    assert found["age"] == [3.0, 3.0] and found["gender"] == [1.0, 1.0]


def test_ranks_of_a_source_by_hand_with_padding_last() -> None:
    found = table(request(), [2, -1, 0, 1], als=[0.5, 99.0, 0.9, 0.5])
    assert found["als rank"] == [1.0, 3.0, 0.0, 2.0]


def test_an_empty_history_is_numbers_too() -> None:
    found = table(request(), [0, 1])
    assert found["als nearest"] == [-1.0, -1.0] and found["als mean nearness"] == [0.0, 0.0]
    assert found["genre similarity"] == [0.0, 0.0] and found["history"] == [0.0, 0.0]


def test_without_ratings_and_without_events_there_are_features() -> None:
    unrated = Features().fit(events([np.nan] * 4), CATALOGUE)
    assert (unrated.items_[:, 3] == 0).all()
    nothing = Features().fit(events([1] * 4).part(slice(0)), CATALOGUE)
    assert np.isfinite(nothing.items_[:, :4]).all()


@pytest.fixture
def described(trained):
    """Give the pipeline with requests of many users and their candidates."""
    pipeline = trained.pipeline
    requests = pipeline.requests_for(np.r_[np.arange(30), -1], [[]] * 30 + [[1, 2]])
    return pipeline, requests, pipeline.retrieve(requests)


def test_a_batch_has_the_features_of_each_alone(described) -> None:
    pipeline, requests, candidates = described
    together = pipeline.describe(requests, candidates)
    for row in (0, 7, 30):
        one = slice(row, row + 1)
        alone = pipeline.describe(requests.part(one), pipeline.retrieve(requests.part(one)))
        width = min(alone.shape[1], together.shape[1])
        real = candidates.candidates.item_ids[row, :width] >= 0
        np.testing.assert_allclose(
            alone[0, :width][real], together[row, :width][real], rtol=1e-4, atol=1e-5
        )


def test_names_match_columns_and_the_profile(described, trained) -> None:
    import json

    pipeline, requests, candidates = described
    names = pipeline.feature_names()
    assert len(names) == len(set(names)) == pipeline.describe(requests, candidates).shape[2]
    profile = json.loads((trained.run.path / "profile.json").read_text())
    assert list(profile["columns"]) == names


def test_what_happens_after_the_train_window_does_not_reach_the_features_of_before(trained) -> None:
    table, now = load(trained.config), trained.splits.train.times.max()
    garbled = replace(table, interactions=_garbled_after(table.interactions, now))
    again = split(garbled, trained.config)
    assert not np.array_equal(again.valid.items, trained.splits.valid.items)
    np.testing.assert_array_equal(_described(again), _described(trained.splits))


def _garbled_after(frame: pl.DataFrame, now: int) -> pl.DataFrame:
    """Deal users and items of the events later than `now` out anew, and turn their ratings."""
    late = frame.filter(pl.col("timestamp") > now)
    dealt = late.with_columns(
        pl.col("user_id").shuffle(seed=0),
        pl.col("item_id").shuffle(seed=1),
        rating=6.0 - pl.col("rating"),
    )
    return pl.concat([frame.filter(pl.col("timestamp") <= now), dealt.cast(dict(frame.schema))])


def _described(splits: Splits) -> np.ndarray:
    """Give the features of requests in the second half of the train window, fitted on all of it."""
    catalogue, train = splits.catalogue, splits.train
    half = len(train) // 2
    past, window = train.part(slice(half)), train.part(slice(half, None))
    requests, _, _ = requests_within(past, window, catalogue, moments=(0.0,), most=50)
    stage = Features().fit(train, catalogue)
    item_ids = np.tile(np.arange(len(catalogue.item_ids)), (len(requests), 1))
    return stage.build(requests, item_ids, {}, {})


def test_nearness_is_measured_between_unit_vectors(trained) -> None:
    for vectors in trained.pipeline.sources.spaces().values():
        length = np.linalg.norm(vectors, axis=1)
        assert ((np.abs(length - 1) < 1e-4) | (length == 0)).all()
