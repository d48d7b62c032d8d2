"""Rows, windows and the catalogue: one order of time for all, ids kept as they are."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest

from common.artifacts import open_run
from data.tables import Interactions, Source
from patterns.recsys.config import Config, DataOptions
from patterns.recsys.data import Splits, _described, load, split
from patterns.recsys.entities.catalogue import Catalogue
from patterns.recsys.serve import RecommendService
from patterns.recsys.train import main


@dataclass(frozen=True)
class Table:
    """As `data.tables.Interactions`."""

    interactions: pl.DataFrame
    users: pl.DataFrame
    items: pl.DataFrame
    source: object = None
    extra: dict[str, object] = field(default_factory=dict)


def table(times: list[int] | np.ndarray, seed: int = 0) -> Table:
    rng = np.random.default_rng(seed)
    frame = pl.DataFrame(
        {
            "user_id": [f"u{n}" for n in rng.integers(9, size=len(times))],
            "item_id": [f"i{n}" for n in rng.integers(20, size=len(times))],
            "rating": pl.Series([None] * len(times), dtype=pl.Float32),
            "timestamp": pl.Series(times, dtype=pl.Int64),
        }
    )
    nobody = pl.DataFrame(schema={"user_id": pl.String})
    return Table(frame, nobody, pl.DataFrame(schema={"item_id": pl.String}))


def windows(splits: Splits) -> tuple[np.ndarray, ...]:
    return splits.train.times, splits.valid.times, splits.test.times


def test_windows_follow_each_other_and_lose_nothing() -> None:
    times = np.random.default_rng(1).permutation(1_000)
    train, valid, test = windows(split(table(times), Config()))  # type: ignore[arg-type]
    assert train.max() < valid.min() and valid.max() < test.min()
    assert [len(part) for part in (train, valid, test)] == [700, 150, 150]
    np.testing.assert_array_equal(np.concatenate([train, valid, test]), np.arange(1_000))


@pytest.mark.parametrize("seconds", [7, 20, 90])
def test_events_of_one_second_never_straddle(seconds: int) -> None:
    times = np.random.default_rng(seconds).integers(seconds, size=600)
    parts = windows(split(table(times), Config()))  # type: ignore[arg-type]
    for before, after in ((0, 1), (1, 2)):
        assert not set(parts[before]) & set(parts[after])
    assert sum(len(part) for part in parts) == 600


def test_the_order_of_the_rows_does_not_matter() -> None:
    given = table(np.random.default_rng(2).integers(200, size=400))
    shuffled = replace(given, interactions=given.interactions.sample(fraction=1, shuffle=True))
    first, second = (split(each, Config()) for each in (given, shuffled))  # type: ignore
    for name in ("train", "valid", "test"):
        ids = [
            [s.catalogue.user_ids[part.users], s.catalogue.item_ids[part.items], part.times]
            for s, part in ((first, getattr(first, name)), (second, getattr(second, name)))
        ]
        np.testing.assert_array_equal(ids[0], ids[1])


def test_what_cannot_be_split_in_time_is_refused_in_words() -> None:
    for bad, words in (
        (table(np.arange(99)), "99 events are too few"),
        (table([5] * 200), "1 distinct times cannot be cut"),
        (table([None] * 10 + list(range(200))), "10 events have none"),
    ):
        with pytest.raises(ValueError, match=words):
            split(bad, Config())  # type: ignore[arg-type]


def catalogue() -> Catalogue:
    items = pl.DataFrame(
        {
            "item_id": ["b", "a"],
            "title": ["Amélie", None],
            "genres": [["Drama", "Comedy"], []],
            "year": pl.Series([2001, None], dtype=pl.Int32),
        }
    )
    users = pl.DataFrame(
        {
            "user_id": ["u2", "u1"],
            "age": pl.Series([17, None], dtype=pl.Int32),
            "gender": ["F", None],
            "occupation": ["doctor", "artist"],
        }
    )
    events = pl.DataFrame({"user_id": ["u1", "零"], "item_id": ["映画", "a"]})
    return Catalogue.from_table(items, users, events)


def test_the_catalogue_knows_what_the_tables_say_and_ids_of_events_besides() -> None:
    found = catalogue()
    assert found.item_ids.tolist() == ["b", "a", "映画"]
    assert found.titles.tolist() == ["Amélie", "", ""]
    assert found.genre_names == ("Comedy", "Drama")
    assert found.genres.tolist() == [[1, 1], [0, 0], [0, 0]]
    np.testing.assert_array_equal(found.years, np.array([2001, np.nan, np.nan], np.float32))
    assert found.user_ids.tolist() == ["u2", "u1", "零"]
    assert found.segments[2].tolist() == [0, 0, 0]  # nothing is known
    assert found.segments[1, 0] == 0 and found.segments[0, 0] > 0
    assert (found.segments.max(axis=0) < np.array(found.segment_sizes)).all()


def test_a_catalogue_loads_as_it_was_saved(tmp_path: Path) -> None:
    before = catalogue()
    before.save(tmp_path)
    after = Catalogue.load(tmp_path)
    kept = {name: value for name, value in vars(before).items() if name != "texts"}
    for name, value in kept.items():  # texts are read when fitting alone
        np.testing.assert_array_equal(getattr(after, name), value, err_msg=name)
        assert type(getattr(after, name)) is type(value), name


def test_a_world_without_attributes_is_a_catalogue_too() -> None:
    found = split(table(np.arange(200)), Config()).catalogue  # type: ignore[arg-type]
    assert found.genres.shape[1] == 1 and (found.genres == 0).all()
    assert found.segments.shape == (9, 1) and found.segment_sizes == (1,)
    assert np.isnan(found.years).all()


def test_a_file_of_ones_own_is_trained_saved_and_served(smoke: Config, write_csv) -> None:
    columns = DataOptions(write_csv(), user="who", item="what", rating=None, timestamp="when")
    ranking = replace(smoke.ranking, model="lightgbm")
    config = replace(smoke, dataset="csv", data=columns, ranking=ranking, runs=smoke.runs / "csv")
    run = open_run(main(config), name="recsys")
    assert run.manifest["dataset"]["origin"] == "file"
    assert run.manifest["dataset"]["notice"] == "Columns of mine.csv that are not used: 'stars'."
    service = RecommendService(run)
    request = service.Request.model_validate({"user_id": "Zoë-3", "recent": ["映画 1"], "k": 5})
    (answer,) = service.predict([request])
    assert answer.known_user and len(answer.items) == 5
    assert all(item.item_id.startswith("映画 ") for item in answer.items)
    assert "映画 1" not in [item.item_id for item in answer.items]


@pytest.mark.parametrize("name", ["user", "item", "rating", "timestamp"])
def test_a_missing_column_is_named_with_what_there_is(write_csv, name: str) -> None:
    columns = {"user": "who", "item": "what", "rating": "stars", "timestamp": "when"}
    path = write_csv()
    config = Config(dataset="csv", data=DataOptions(path, **(columns | {name: "no_such"})))
    with pytest.raises(ValueError, match="no_such") as said:
        load(config)
    assert str(path) in str(said.value) and "who" in str(said.value)
    assert "\n" not in str(said.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises((ValueError, OSError), match=r"nothing\.csv"):
        load(Config(dataset="csv", data=DataOptions(tmp_path / "nothing.csv")))


def test_an_unknown_dataset_names_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"netflix.*movielens-100k"):
        load(Config(dataset="netflix"))


def test_overviews_of_msrd_are_joined_by_tmdb_id(monkeypatch) -> None:
    films = SimpleNamespace(
        documents=pl.DataFrame({"doc_id": ["9", "7"], "text": ["A hunt.", "A war."]}),
        source=Source("msrd", "mirror", "MSRD", "CC BY-SA 4.0", {"corpus": "ab"}, "2 films"),
    )
    asked = []
    monkeypatch.setattr("data.load", lambda name: asked.append(name) or films)
    items = pl.DataFrame({"item_id": ["a", "b", "c"], "title": "T", "tmdb_id": ["7", None, "8"]})
    own = Source("latest", "mirror", "Latest", "own licence", {"ratings": "cd"}, "3 items")
    table = Interactions(own, pl.DataFrame(), pl.DataFrame(), items)
    found = _described(table, DataOptions(texts="msrd"))
    assert asked == ["msrd"]
    assert found.items["overview"].to_list() == ["A war.", None, None]
    assert found.items.drop("overview").equals(items)
    assert "CC BY-SA" in found.source.licence and "1 overviews" in found.source.rows
    assert found.source.checksums == {"ratings": "cd", "corpus": "ab"}
    assert _described(table, DataOptions()) is table
    bare = replace(table, items=items.drop("tmdb_id"))
    with pytest.raises(ValueError, match=r"data.texts: .* TMDB id, which latest does not have"):
        _described(bare, DataOptions(texts="msrd"))
