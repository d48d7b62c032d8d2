"""Data as users bring it: without times, with counts, contexts, repeats or a split of its own."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from common.artifacts import open_run
from common.serving import RequestError
from patterns.recsys import nightly
from patterns.recsys.config import (
    CandidateOptions,
    Config,
    DataOptions,
    RankingOptions,
    SplitOptions,
)
from patterns.recsys.data import Splits, load, split
from patterns.recsys.entities.catalogue import Catalogue
from patterns.recsys.pipeline import Pipeline
from patterns.recsys.serve import RecommendService
from patterns.recsys.train import main

SMALL = Config(

    device="cpu",
    candidates=CandidateOptions(
        per_source=20, keep=25, als_factors=4, als_iterations=2, als_regularization=1.0,
        tower_epochs=1,
    ),
    ranking=RankingOptions(model="lightgbm", trees=5),
)  # fmt: skip
USERS, ITEMS = 40, 30


def own(path: Path, **columns: object) -> Config:
    """Give the configuration of a file of one's own."""
    return replace(SMALL, dataset="csv", data=DataOptions(path, **columns))  # type: ignore[arg-type]


def pairs(each: int = 8, seed: int = 0) -> list[tuple[int, int]]:
    """Give users of two tastes, each with `each` items of their own taste, none twice."""
    rng = np.random.default_rng(seed)
    return [
        (user, int(item) * 2 + user % 2)
        for user in range(USERS)
        for item in rng.choice(ITEMS // 2, each, replace=False)
    ]


def written(path: Path, header: str, rows: list[str], encoding: str = "utf-8") -> Path:
    lines = [header, *rows] if header else rows
    path.write_text("".join(f"{line}\n" for line in lines), encoding=encoding)
    return path


def untimed(tmp_path: Path) -> Path:
    return written(tmp_path / "plain.csv", "user_id,item_id", [f"{u},{i}" for u, i in pairs()])


def times_of(splits: Splits) -> list[list[int]]:
    return [np.unique(each.times).tolist() for each in (splits.train, splits.valid, splits.test)]


def test_events_without_times_are_cut_by_user_and_it_is_said(tmp_path: Path) -> None:
    splits = split(load(own(untimed(tmp_path))), own(untimed(tmp_path)))
    sizes = np.array([len(part) for part in (splits.train, splits.valid, splits.test)])
    assert sizes.sum() == USERS * 8 and np.abs(sizes / sizes.sum() - [0.7, 0.15, 0.15]).max() < 0.02
    assert set(splits.train.users.tolist()) == set(range(USERS))  # everybody has a history
    assert times_of(splits) == [[0], [1], [2]] and not splits.catalogue.timed
    assert any("no times" in notice and "half-lives" in notice for notice in splits.notices)
    shuffled = pl.read_csv(untimed(tmp_path)).sample(fraction=1, shuffle=True, seed=1)
    shuffled.write_csv(tmp_path / "again.csv")
    again = split(load(own(tmp_path / "again.csv")), own(tmp_path / "again.csv"))
    ids = [s.catalogue.item_ids[s.test.items].tolist() for s in (splits, again)]
    assert sorted(ids[0]) == sorted(ids[1])  # the order of the rows does not matter


def test_one_time_in_all_rows_is_no_time(tmp_path: Path) -> None:
    rows = [f"{u},{i},2024-05-31" for u, i in pairs()]
    config = own(written(tmp_path / "one.csv", "user_id,item_id,timestamp", rows))
    assert not split(load(config), config).catalogue.timed
    in_time = replace(config, split=SplitOptions(by="time"))
    with pytest.raises(ValueError, match=r"split.by: .* all the same.*--split.by user"):
        split(load(in_time), in_time)


def test_by_user_the_latest_events_of_each_are_held_out(tmp_path: Path) -> None:
    rows = [f"{u},{i},{1_000_000_000 + 86_400 * n}" for n, (u, i) in enumerate(pairs())]
    path = written(tmp_path / "timed.csv", "user_id,item_id,timestamp", rows)
    config = replace(own(path), split=SplitOptions(by="user"))
    splits, order = split(load(config), config), {pair: n for n, pair in enumerate(pairs())}
    names = splits.catalogue
    for user in range(USERS):
        places = [
            [
                order[int(names.user_ids[u]), int(names.item_ids[i])]
                for u, i in zip(part.users, part.items, strict=True)
                if u == user
            ]
            for part in (splits.train, splits.valid, splits.test)
        ]
        assert places[0] and places == [sorted(each) for each in places]
        flat = [place for each in places for place in each]
        assert flat == sorted(flat)


def test_a_model_without_times_does_not_read_the_clock(tmp_path: Path) -> None:
    config = replace(own(untimed(tmp_path)), runs=tmp_path / "runs")
    service = RecommendService(open_run(main(config), name="recsys"))
    requests = [
        service.pipeline.requests_for(np.array([0]), [[]], now=now)
        for now in (1_700_000_000, 1_700_050_000)
    ]
    features = [
        service.pipeline.describe(each, service.pipeline.retrieve(each)) for each in requests
    ]
    np.testing.assert_array_equal(features[0], features[1])
    names = service.pipeline.feature_names()
    inert = [names.index(name) for name in ("hour", "weekend", "recent share")]
    assert (np.ptp(features[0][0][:, inert], axis=0) == 0).all()
    assert service.pipeline.sources.names == ["popularity", "als", "item-knn", "ease", "two-tower"]
    assert any("Left out" in said and "content" in said for said in service.pipeline.notices)


def test_counts_weigh_pairs_and_popularity(tmp_path: Path) -> None:
    rows = [
        f"{u},{i},{1 if n else 15}" for u in range(USERS) for n, i in enumerate(range(u % 9, 9))
    ]
    config = own(written(tmp_path / "plays.csv", "user_id,item_id,plays", rows), weight="plays")
    splits = split(load(config), config)
    worth = splits.train.matrix(USERS, len(splits.catalogue.item_ids))
    assert set(np.unique(worth.data).tolist()) == {1.0, 4.0}  # log2(1 + 1), log2(1 + 15)
    rows[3] = rows[3].rpartition(",")[0] + ",0"
    with pytest.raises(ValueError, match=r"plays.csv, row 5: column 'plays' holds '0'"):
        load(own(written(tmp_path / "plays.csv", "user_id,item_id,plays", rows), weight="plays"))


def basket_rows() -> list[str]:
    """Give orders: everybody buys two favourites each time, and on Sunday all buy item 29."""
    rng, rows = np.random.default_rng(0), []
    for user in range(USERS):
        favourites = rng.choice(25, 2, replace=False)
        for order in range(8):
            day = ("mon", "sun")[int(rng.integers(2))]
            basket = {*favourites.tolist(), int(rng.integers(25))} | (
                {29} if day == "sun" else set()
            )
            rows += [f"{user},{item},{1_700_000_000 + 86_400 * order},{day}" for item in basket]
    return rows


HEADER = "user_id,item_id,timestamp,day"


@pytest.fixture(scope="module")
def orders(tmp_path_factory: pytest.TempPathFactory) -> tuple[Config, RecommendService]:
    folder = tmp_path_factory.mktemp("orders")
    path = written(folder / "orders.csv", HEADER, basket_rows())
    config = replace(own(path, context=("day",)), runs=folder / "runs")
    return config, RecommendService(open_run(main(config), name="recsys"))


def test_repeats_are_recommended_where_the_data_has_many(orders) -> None:
    config, service = orders
    splits, pipeline = split(load(config), config), service.pipeline
    assert splits.catalogue.repeats and any("may be recommended again" in n for n in splits.notices)
    assert "again" in pipeline.sources.names
    ndcgs = pipeline.serving.valid_ndcgs_
    assert ndcgs["+ ranking"] > 1.5 * ndcgs["popularity"]
    user = int(np.flatnonzero(pipeline.histories_.lengths())[0])
    seen = set(pipeline.histories_.seen[user].indices.tolist())
    page = pipeline.recommend(pipeline.requests_for(np.array([user]), [[]]), 5).items.item_ids[0]
    assert seen & set(page.tolist())
    once = replace(config, data=replace(config.data, repeats="once"))
    assert not split(load(once), once).catalogue.repeats


def test_a_context_column_reaches_the_ranker_and_the_request(orders) -> None:
    config, service = orders
    pipeline, ask = service.pipeline, service.Request.model_validate
    assert service.example["context"] == {"day": "mon"}
    assert pipeline.feature_names()[-2:] == ["context day", "context day lift"]
    sunday, unknown = (service._context(ask({"context": {"day": day}})) for day in ("sun", "?"))
    assert sunday.tolist() == [0, 2] and unknown.tolist() == [0, 0]
    item = np.array([[pipeline.catalogue.item_row("29")]])
    lifts = []
    for codes in (sunday, pipeline.catalogue.context_of({"day": "mon"}), unknown):
        request = pipeline.requests_for(np.array([0]), [[]], contexts=codes[None])
        votes = np.ones((1, 1), np.float32)
        lifts.append(pipeline.features.describe(pipeline.sources, request, item, votes)[0, 0, -1])
    assert lifts[0] > 0.3 and lifts[1] < -0.3 and lifts[2] == 0
    with pytest.raises(RequestError, match="no context column of the training data") as refused:
        service.predict([ask({}), ask({"context": {"weather": "rain"}})])
    assert (refused.value.field, refused.value.row) == ("context.weather", 1)
    with pytest.raises(ValueError, match=r"no column 'weather'.*--data.context"):
        load(replace(config, data=replace(config.data, context=("weather",))))


def test_the_night_goes_on_with_contexts_and_repeats(orders) -> None:
    config, service = orders
    run = open_run(nightly.main(nightly.NightlyConfig(runs=config.runs, shard=100)), name="recsys")
    pages = pl.read_parquet(run.pipeline / "pages.parquet")
    assert pages.height == USERS and pages["items"].list.len().min() >= 20
    assert Pipeline.load(run.pipeline).serving.served_ == service.pipeline.serving.served_


def test_a_split_of_ones_own_is_kept(tmp_path: Path) -> None:
    rows = [f"u{u} é,{i}" for u, i in pairs()]
    parts = {"train": rows[::2] + rows[1::4], "test": rows[3::4]}
    files = {
        name: written(tmp_path / f"{name}.csv", "user_id,item_id", lines)
        for name, lines in parts.items()
    }
    config = replace(SMALL, dataset="csv", data=DataOptions(**files))  # type: ignore[arg-type]
    splits = split(load(config), config)
    names = splits.catalogue
    found = {
        f"{names.user_ids[u]},{names.item_ids[i]}"
        for u, i in zip(splits.test.users, splits.test.items, strict=True)
    }
    assert found == set(parts["test"])
    assert len(splits.train) + len(splits.valid) == len(parts["train"])
    assert any("No validation part" in notice for notice in splits.notices)
    with pytest.raises(ValueError, match=r"data.train: .* --data.test"):
        load(replace(SMALL, dataset="csv", data=DataOptions(train=files["train"])))


def test_a_tiny_own_reader_needs_no_more_than_ids() -> None:
    """A take-home writes its own `load`: three frames, two columns of ids, nothing else."""
    from data.tables import Interactions, Source

    events = pl.DataFrame(pairs(), schema=["user_id", "item_id"], orient="row").cast(pl.String)
    source = Source("mine", "file", "Mine", "own", {}, f"{events.height} events")
    nothing = (
        pl.DataFrame(schema={"user_id": pl.String}),
        pl.DataFrame(schema={"item_id": pl.String}),
    )
    splits = split(Interactions(source, events, *nothing), SMALL)
    assert len(splits.train) and len(splits.valid) and len(splits.test)
    assert splits.truth is None and splits.shown is None


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([(u % 9, i) for u, i in pairs()], "user_id: 9 in .* at least 10.*--data.user"),
        ([(u, 0) for u, _ in pairs()], "item_id: 1 in .* at least 2.*--data.item"),
        ([(u, u % 7) for u in range(300)], "user_id: 300 users of 300 events"),
        ([(u, i) for u in range(12) for i in range(8)], "96 events are too few"),
    ],
)
def test_too_little_data_is_refused_before_any_work(
    tmp_path: Path, rows: list[tuple[int, int]], words: str
) -> None:
    config = own(written(tmp_path / "a.csv", "user_id,item_id", [f"{u},{i}" for u, i in rows]))
    with pytest.raises(ValueError, match=words) as said:
        split(load(config), config)
    assert "\n" not in str(said.value)


def test_ratings_that_are_all_the_same_are_left_out(tmp_path: Path) -> None:
    path = written(tmp_path / "a.csv", "user_id,item_id,r", [f"{u},{i},5" for u, i in pairs()])
    splits = split(load(own(path, rating="r")), own(path, rating="r"))
    assert np.isnan(splits.train.ratings).all()
    assert any("All ratings are 5" in notice for notice in splits.notices)


def test_an_objective_without_values_is_refused_before_any_work(tmp_path: Path) -> None:
    config = own(untimed(tmp_path))
    config = replace(config, ranking=replace(config.ranking, objective="rating"))
    with pytest.raises(ValueError, match=r"ranking.objective: rating .* --data.rating"):
        Pipeline.from_config(config, split(load(config), config))


def test_one_long_title_does_not_widen_the_others(tmp_path: Path) -> None:
    items = pl.DataFrame(
        {"item_id": [f"i{n}" for n in range(300)], "title": ["x" * 400_000, *(["short"] * 299)]}
    )
    events = pl.DataFrame({"user_id": ["a"], "item_id": ["i0"]})
    catalogue = Catalogue.from_table(items, pl.DataFrame({"user_id": ["a"]}), events)
    catalogue.save(tmp_path)
    assert sum(file.stat().st_size for file in tmp_path.iterdir()) < 900_000
    assert Catalogue.load(tmp_path).titles.tolist() == items["title"].to_list()


@pytest.mark.parametrize(
    ("name", "header", "form", "encoding", "columns"),
    [
        ("u.data", "", "{u}\t{i}\t{r}\t{t}", "utf-8", "user_id item_id rating timestamp"),
        ("ratings.dat", "", "{u}::{i}::{r}::{t}", "utf-8", "user_id item_id rating timestamp"),
        ("reviews.csv", "", "A{u},B{i},{r}.0,{t}", "utf-8", "user_id item_id rating timestamp"),
        ("books.csv", '"User-ID";"Café";"Book-Rating"', '"{u}";"{i}";"{r}"', "latin-1", ""),
        ("plays.tsv", "userID\tartistID\tweight", "{u}\t{i}\t{r}", "utf-8", ""),
    ],
)
def test_public_layouts_are_read_by_flags_alone(
    tmp_path: Path, name: str, header: str, form: str, encoding: str, columns: str
) -> None:
    rows = [
        form.format(u=u, i=i, r=1 + (u + i) % 5, t=900_000_000 + 86_400 * n)
        for n, (u, i) in enumerate(pairs())
    ]
    path = written(tmp_path / name, header, rows, encoding)
    given: dict[str, object] = {"columns": tuple(columns.split())}
    if columns:
        given["rating"] = "rating"
    if name == "books.csv":
        given |= {"user": "User-ID", "item": "Café", "rating": "Book-Rating"}
    if name == "plays.tsv":
        given |= {"user": "userID", "item": "artistID", "weight": "weight"}
    config = own(path, **given)
    splits = split(load(config), config)
    assert len(splits.train) + len(splits.valid) + len(splits.test) == USERS * 8
    assert splits.catalogue.timed == bool(columns)
