"""All candidate sources on one planted world, held to one interface.

Users of two tastes choose items of their own taste. Gender, genre and text say the taste too, so
every source that is personal can find it; popularity cannot. Two items have no events.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from planted_recsys import catalogue_of
from scipy.sparse import csr_matrix

from common.retrieval import MISSING
from patterns.recsys.entities.catalogue import Catalogue
from patterns.recsys.entities.events import Events
from patterns.recsys.entities.requests import RECENT, Requests, latest_by_user
from patterns.recsys.stages.candidates.als import ALS
from patterns.recsys.stages.candidates.content import Content
from patterns.recsys.stages.candidates.item_item import EASE, ItemKNN
from patterns.recsys.stages.candidates.popularity import Popularity
from patterns.recsys.stages.candidates.segment_popularity import SegmentPopularity
from patterns.recsys.stages.candidates.source import Source
from patterns.recsys.stages.candidates.sources import KINDS, Sources
from patterns.recsys.stages.candidates.two_tower import TwoTower
from patterns.recsys.stages.cold_start.new_items import NewItems

USERS, ITEMS, NEW = 120, 42, (40, 41)  # items of even and odd row are of two tastes
WORDS = ("space rocket alien planet", "wedding love paris kiss")
MADE: dict[str, Callable[[], Source]] = {
    "popularity": Popularity,
    "segment-popularity": SegmentPopularity,
    "als": lambda: ALS(factors=4, iterations=10, regularization=1.0),
    "item-knn": lambda: ItemKNN(neighbours=30),
    "ease": lambda: EASE(regularization=20.0),
    "two-tower": lambda: TwoTower(
        dimension=8, epochs=20, batch_size=128, learning_rate=0.02, pool=16, device="cpu"
    ),
    "content": lambda: Content(encoder="tfidf-svd", dimension=8),
    "new-items": lambda: NewItems(
        als=ALS(factors=4, iterations=10, regularization=1.0),
        content=Content(encoder="tfidf-svd", dimension=8),
    ),
}
SEVEN = [name for name in MADE if name != "new-items"]
POPULAR = ("popularity", "segment-popularity", "new-items")  # these serve an empty history too


class World(NamedTuple):
    catalogue: Catalogue
    events: Events
    requests: Requests  # one a user, and last somebody of whom nothing is known


@pytest.fixture(scope="module")
def world() -> World:
    rng = np.random.default_rng(0)
    taste = np.arange(ITEMS) % 2
    catalogue = catalogue_of(
        USERS, ITEMS,
        texts=np.array([f"{WORDS[kind]} number{row}" for row, kind in enumerate(taste)]),
        genres=np.eye(2, dtype=np.float32)[taste],
        genre_names=("space", "love"),
        segments=(np.arange(USERS) % 2 + 1)[:, None],
        segment_sizes=(3,),
        segment_names=("gender",),
    )  # fmt: skip
    chosen = [rng.choice(20, 8, replace=False) * 2 + user % 2 for user in range(USERS)]
    users, items = np.repeat(np.arange(USERS), 8), np.concatenate(chosen)
    unrated = np.full(len(users), np.nan, np.float32)
    times = rng.permutation(len(users)) + 1_000_000
    order = np.argsort(times)
    events = Events(users[order], items[order], unrated, times[order])
    seen = events.matrix(USERS + 1, ITEMS)
    recent = np.concatenate([latest_by_user(events, USERS), np.full((1, RECENT), MISSING)])
    segments = np.concatenate([catalogue.segments, [[0]]])
    moment = np.full(USERS + 1, times.max() + 1)
    return World(catalogue, events, Requests(segments, moment, recent, seen))


@pytest.fixture(scope="module")
def fitted(world: World) -> dict[str, Source]:
    return {name: made().fit(world.events, world.catalogue) for name, made in MADE.items()}


@pytest.fixture(params=MADE)
def source(request: pytest.FixtureRequest, fitted: dict[str, Source]) -> Source:
    return fitted[request.param]


def test_the_names_are_the_sources_own(fitted: dict[str, Source]) -> None:
    assert [source.name for source in fitted.values()] == list(fitted)
    assert {kind.name for kind in KINDS} == {*fitted, "again"}  # again proposes what is seen


def test_the_planted_taste_is_found(source: Source, world: World) -> None:
    known = world.requests.part(slice(0, USERS))
    found = source.retrieve(known, 1 if source.name == "new-items" else 8).item_ids
    own = (found % 2 == np.arange(USERS)[:, None] % 2)[found != MISSING].mean()
    if source.name == "popularity":
        assert own < 0.5  # the other taste has more that the user has not seen
    else:
        assert own > 0.9


def test_lists_are_unseen_unrepeated_and_best_first(source: Source, world: World) -> None:
    found = source.retrieve(world.requests, 15)
    assert len(found) == USERS + 1
    for row, (items, scores) in enumerate(zip(found.item_ids, found.scores, strict=True)):
        real = items != MISSING
        assert len(set(items[real])) == real.sum()
        assert not set(items[real]) & set(world.requests.seen[row].indices)
        assert (np.diff(real.astype(int)) <= 0).all()  # padding is last
        assert (np.diff(scores[real]) <= 0).all() and np.isneginf(scores[~real]).all()
        assert set(items[real]) <= set(NEW) or source.name != "new-items"


def test_an_empty_history_gets_what_is_popular_or_nothing(source: Source, world: World) -> None:
    nobody = world.requests.part(slice(USERS, USERS + 1))
    items = source.retrieve(nobody, 5).item_ids[0]
    if source.name in ("popularity", "segment-popularity"):
        counts = np.bincount(world.events.items, minlength=ITEMS)
        assert (items != MISSING).all() and counts[items[0]] >= np.sort(counts)[-5]
    elif source.name == "new-items":
        assert sorted(items[items != MISSING]) == list(NEW)
    else:
        assert (items == MISSING).all()
        told = "attributes" in source.reads
        assert told or (source.score(nobody, np.array([[0, 1]])) == 0).all()


def test_k_beyond_the_catalogue_gives_what_there_is(source: Source, world: World) -> None:
    found = source.retrieve(world.requests, 10 * ITEMS).item_ids
    for row in range(0, USERS, 7):
        items = found[row][found[row] != MISSING]
        unseen = set(range(ITEMS)) - set(world.requests.seen[row].indices)
        assert len(items) == len(set(items)) and set(items) <= unseen
        if source.name in ("popularity", "segment-popularity", "als", "two-tower"):
            assert set(items) == unseen


def test_scores_of_a_list_are_the_lists_own_and_padding_is_zero(
    source: Source, world: World
) -> None:
    found = source.retrieve(world.requests, 10)
    scores = source.score(world.requests, found.item_ids)
    real = found.item_ids != MISSING
    assert real.any()
    np.testing.assert_allclose(scores[real], found.scores[real], rtol=1e-4, atol=1e-5)
    assert (scores[~real] == 0).all()
    assert (source.score(world.requests, np.full((USERS + 1, 2), MISSING)) == 0).all()


def test_one_request_is_answered_as_in_a_batch(source: Source, world: World) -> None:
    items = np.tile(np.arange(-1, 6), (USERS + 1, 1))
    together, scores = source.retrieve(world.requests, 6), source.score(world.requests, items)
    for row in (0, 7, USERS):
        one = world.requests.part(slice(row, row + 1))
        alone = source.retrieve(one, 6)
        assert np.array_equal(alone.item_ids[0], together.item_ids[row])
        np.testing.assert_allclose(alone.scores[0], together.scores[row], rtol=1e-4)
        np.testing.assert_allclose(source.score(one, items[:1])[0], scores[row], 1e-4, 1e-5)


def test_a_loaded_source_is_the_saved_one(source: Source, world: World, tmp_path: Path) -> None:
    source.save(tmp_path)
    again = type(source).load(tmp_path)
    before, after = (each.retrieve(world.requests, 9) for each in (source, again))
    assert np.array_equal(after.item_ids, before.item_ids)
    np.testing.assert_allclose(after.scores, before.scores, rtol=1e-5)
    assert np.array_equal(again.similar(4, 5).item_ids, source.similar(4, 5).item_ids)
    assert (again.space is None) == (source.space is None)
    said = [reason_of(each, world, row=3, item=5) for each in (source, again)]
    assert said[0] == said[1]


def test_the_same_fit_gives_the_same_lists(source: Source, world: World) -> None:
    again = source.unfitted().fit(world.events, world.catalogue)
    before, after = (each.retrieve(world.requests, 9) for each in (source, again))
    assert again is not source
    assert np.array_equal(after.item_ids, before.item_ids)
    assert np.array_equal(after.scores, before.scores)


def test_a_source_says_what_it_reads(source: Source, world: World) -> None:
    """What a source does not claim to read may be garbled; what it claims, it notices."""
    rng = np.random.default_rng(1)
    lists = source.retrieve(world.requests, 9).scores
    catalogue, events = world.catalogue, world.events
    garbled = {
        "events": (replace(events, items=rng.permutation(events.items)), catalogue),
        "attributes": (
            events,
            replace(
                catalogue,
                segments=rng.permutation(catalogue.segments),
                genres=rng.permutation(catalogue.genres),
            ),
        ),
        "texts": (events, replace(catalogue, texts=rng.permutation(catalogue.texts))),
    }
    for what, changed in garbled.items():
        again = source.unfitted().fit(*changed)
        same = np.array_equal(again.retrieve(world.requests, 9).scores, lists)
        assert same == (what not in source.reads), what


def reason_of(source: Source, world: World, row: int, item: int) -> str | None:
    one = world.requests.part(slice(row, row + 1))
    return source.because(one, item, world.catalogue.titles, proposed=True)


def test_a_reason_rests_on_what_the_source_knows(source: Source, world: World) -> None:
    titles = world.catalogue.titles[world.requests.seen[3].indices]
    words = reason_of(source, world, row=3, item=5)
    nobody = reason_of(source, world, row=USERS, item=5)
    assert (words is None) == (source.explains is None) and nobody is None
    if source.explains in ("history", "content"):
        assert words is not None and any(title in words for title in titles)
        assert reason_of(source, world, row=3, item=4) is None  # of the other taste
    if source.explains == "people":
        assert words == "popular lately with people like you"


def test_similar_items_are_of_the_same_taste_and_never_the_item(
    source: Source, world: World
) -> None:
    found = source.similar(8, 5)
    real = found.item_ids[0] != MISSING
    comparing = source.space is not None or source.name in ("item-knn", "ease")
    assert real.any() == comparing
    assert 8 not in found.item_ids and (np.diff(found.scores[0][real]) <= 0).all()
    if comparing:
        assert (found.item_ids[0][real] % 2 == 0).mean() >= 0.8


def test_a_space_holds_unit_vectors(source: Source) -> None:
    if source.space is None:
        assert source.name not in ("als", "two-tower", "content")
        return
    length = np.linalg.norm(source.space, axis=1)
    assert ((np.abs(length - 1) < 1e-4) | (length < 1e-3)).all() and (length > 0.9).any()


def test_the_most_personal_reason_is_given(fitted: dict[str, Source], world: World) -> None:
    sources = Sources(members=[fitted[name] for name in SEVEN], per_source=10, keep=20)
    one, titles = world.requests.part(slice(3, 4)), world.catalogue.titles
    assert sources.reason(one, 5, titles, []).startswith("because you chose Film ")
    assert sources.reason(one, NEW[1], titles, []).startswith("similar to Film ")
    nobody = world.requests.part(slice(USERS, USERS + 1))
    assert sources.reason(nobody, 5, titles, ["segment-popularity"]) == "popular lately"
    told = replace(nobody, segments=np.array([[1]]))
    assert sources.reason(told, 5, titles, ["segment-popularity"]).endswith("people like you")
    assert sources.reason(told, 5, titles, ["popularity"]) == "popular lately"


def test_sources_of_the_same_settings_share_what_reads_no_events(
    fitted: dict[str, Source],
) -> None:
    sources = Sources(members=[fitted[name] for name in SEVEN], per_source=10, keep=20)
    again = sources.unfitted({"two-tower": {"hard_negatives": 0}, "absent": {"seed": 3}})
    assert again.names == sources.names and again["content"] is sources["content"]
    assert (again["two-tower"].hard_negatives, again["two-tower"].pool) == (0, 16)
    assert again["als"] is not sources["als"] and not hasattr(again["als"], "items_")
    assert again["als"].factors == 4


def test_sources_that_lack_what_they_read_are_left_out_and_said(world: World) -> None:
    known, blank = world.catalogue, np.full(len(world.catalogue.item_ids), "", dtype=object)
    bare = replace(
        known, texts=blank, genres=0 * known.genres, segments=np.zeros_like(known.segments)
    )
    members = [Popularity(), SegmentPopularity(), Content(), NewItems(als=ALS())]
    options = {"per_source": 5, "keep": 9}
    whole, left = (Sources.for_catalogue(members, each, **options) for each in (known, bare))
    assert whole.names == [each.name for each in members] and whole.notices == []
    assert left.names == ["popularity"] and left.shares_ == [1.0] and left.keep == 9
    [said] = left.notices
    assert "segment-popularity (attributes of users), content (titles or texts of items)" in said
    assert "new-items (" in said


def test_new_items_are_placed_where_their_kind_is(fitted: dict[str, Source], world: World) -> None:
    known = world.requests.part(slice(0, USERS))
    found = fitted["new-items"].retrieve(known, 2).item_ids
    assert np.array_equal(found[:, 0], np.array(NEW)[np.arange(USERS) % 2])
    asked = known.part(np.array([0]))
    seen = asked.seen.tolil()
    seen[0, NEW[0]] = 1.0
    met = replace(asked, seen=csr_matrix(seen), barred=csr_matrix(seen))
    assert fitted["new-items"].retrieve(met, 2).item_ids.tolist() == [[NEW[1], MISSING]]
