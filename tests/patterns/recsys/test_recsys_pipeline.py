"""The whole recommender: leakage, determinism, unknown users, fresh events, a file of one's own."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from planted_recsys import TINY

from common import console
from patterns.recsys.config import Config, DataOptions, WorldOptions
from patterns.recsys.data import Splits, load, split
from patterns.recsys.evaluate import evaluate
from patterns.recsys.pipeline import Pipeline
from patterns.recsys.serve import RecommendService


def test_windows_follow_each_other_in_time(trained) -> None:
    splits = trained.splits
    assert splits.train.times.max() < splits.valid.times.min()
    assert splits.valid.times.max() < splits.test.times.min()


def test_garbled_test_events_leave_the_model_unchanged(tmp_path: Path) -> None:
    splits = split(load(TINY), TINY)
    rng = np.random.default_rng(1)
    test = replace(splits.test, items=rng.permutation(splits.test.items))
    garbled = replace(splits, test=test)
    for name, parts in (("clean", splits), ("garbled", garbled)):
        (tmp_path / name).mkdir()
        fitted(TINY, parts).save(tmp_path / name)
    for path in (path for path in (tmp_path / "clean").rglob("*") if path.is_file()):
        other = tmp_path / "garbled" / path.relative_to(tmp_path / "clean")
        assert path.read_bytes() == other.read_bytes(), path.name


def fitted(config: Config, parts: Splits) -> Pipeline:
    """Fit with trees alone, which take a moment."""
    config = replace(config, ranking=replace(config.ranking, model="lightgbm", second="none"))
    pipeline = Pipeline.from_config(config, parts).fit_candidates(parts)
    return pipeline.fit_ranker(parts).fit_reranker(parts)


def test_the_page_holds_no_seen_item_and_no_repeat(pipeline) -> None:
    users = np.arange(50)
    requests = pipeline.requests_for(users, [[] for _ in users])
    pages = pipeline.recommend(requests, 10)
    for row, page in enumerate(pages.items.item_ids):
        assert len(set(page.tolist())) == len(page)
        assert not set(page.tolist()) & set(requests.seen[row].indices.tolist())
        assert (pages.found_by[row] > 0).all()


def test_one_user_is_answered_alike_alone_and_in_a_crowd(pipeline) -> None:
    together = pipeline.recommend(pipeline.requests_for(np.arange(20), [[]] * 20), 10)
    alone = pipeline.recommend(pipeline.requests_for(np.array([7]), [[]]), 10)
    assert np.array_equal(alone.items.item_ids[0], together.items.item_ids[7])


def test_fresh_events_count_at_once(pipeline) -> None:
    before = pipeline.recommend(pipeline.requests_for(np.array([3]), [[]]), 10).items.item_ids[0]
    taken = int(before[0])
    after = pipeline.recommend(pipeline.requests_for(np.array([3]), [[taken]]), 10)
    assert taken not in after.items.item_ids[0]


def test_somebody_unknown_gets_what_is_popular(pipeline) -> None:
    found = pipeline.recommend(pipeline.requests_for(np.array([-1]), [[]]), 10)
    assert (found.items.item_ids >= 0).all()
    proposed = [pipeline.sources.found_by(int(bits)) for bits in found.found_by[0]]
    assert all(sources and "als" not in sources for sources in proposed)


@pytest.mark.slow
def test_the_same_seed_gives_the_same_page_and_another_seed_another_model(trained) -> None:
    pages = []
    for seed in (0, 0, 1):
        pipeline = fitted(replace(trained.config, seed=seed), trained.splits)
        request = pipeline.requests_for(np.arange(5), [[]] * 5)
        pages.append(pipeline.recommend(request, 10).items.scores)
    assert np.array_equal(pages[0], pages[1])
    assert not np.array_equal(pages[0], pages[2])


def test_a_file_of_ones_own_with_other_column_names(trained, write_csv) -> None:
    columns = DataOptions(write_csv(), user="who", item="what", rating="stars", timestamp="when")
    config = replace(trained.config, dataset="csv", data=columns)
    splits = split(load(config), config)
    assert splits.catalogue.user_ids[0].startswith("Zoë")
    pipeline = fitted(config, splits)
    page = pipeline.recommend(pipeline.requests_for(np.array([0]), [[]]), 5)
    assert (page.found_by[0] > 0).all() and len(page.found_by[0]) == 5


def test_a_missing_column_is_named_with_the_remedy(write_csv) -> None:
    columns = DataOptions(write_csv(), user="nobody", item="what", timestamp="when")
    with pytest.raises(ValueError, match="nobody"):
        load(Config(dataset="csv", data=columns))
    with pytest.raises(ValueError, match=r"--data.path"):
        load(Config(dataset="csv"))


def test_times_that_cannot_be_cut_are_named_with_the_remedy(tmp_path) -> None:
    rows = "".join(f"u{row % 20},i{row % 30},4,1000000000\n" for row in range(300))
    rows += "u1,i1,4,1000200000\n"
    (tmp_path / "same.csv").write_text("user_id,item_id,rating,timestamp\n" + rows)
    config = Config(dataset="csv", data=DataOptions(tmp_path / "same.csv"))
    with pytest.raises(ValueError, match="timestamp: 2 distinct times .* --split.by user"):
        split(load(config), config)


def test_the_service_answers_as_the_pipeline_does(trained, monkeypatch, pipeline) -> None:
    now = 1_700_000_000
    monkeypatch.setattr("patterns.recsys.serve.time.time", lambda: now + 0.5)
    service, pipeline = RecommendService(trained.run), pipeline
    user = str(pipeline.catalogue.user_ids[11])
    (answer,) = service.predict([service.Request(user_id=user, k=7)])
    expected = pipeline.recommend(pipeline.requests_for(np.array([11]), [[]], now=now), 7)
    ids = pipeline.catalogue.item_ids[expected.items.item_ids[0]]
    assert [item.item_id for item in answer.items] == ids.tolist()
    assert answer.known_user and set(answer.stage_ms) == {"candidates", "ranking", "re-ranking"}


def test_data_of_light_users_is_reported_without_cold_starts(trained, tmp_path, capsys) -> None:
    rng = np.random.default_rng(0)
    rows = [
        f"u{user},i{item},{1_700_000_000 + 60 * int(rng.integers(100_000))}"
        for user in range(120)
        for item in rng.choice(30, 7, replace=False)
    ]
    (tmp_path / "shop.csv").write_text("user_id,item_id,timestamp\n" + "\n".join(rows) + "\n")
    config = replace(
        trained.config,
        dataset="csv",
        data=DataOptions(tmp_path / "shop.csv"),
        ranking=replace(trained.config.ranking, model="lightgbm"),
    )
    splits = split(load(config), config)
    report = evaluate(fitted(config, splits), splits)
    console.summary(report, tmp_path, next_command="")
    assert "NOTICE New users are not measured" in capsys.readouterr().err
    assert "new users: NDCG@10" not in [table.name for table in report.tables]


def test_events_of_the_future_are_refused(trained, write_csv) -> None:
    path = write_csv()
    path.write_text(path.read_text() + "Zoë-1,映画 1,5,4102444799\n")
    columns = DataOptions(path, user="who", item="what", rating="stars", timestamp="when")
    config = replace(trained.config, dataset="csv", data=columns)
    with pytest.raises(ValueError, match="1 events lie in the future, the last on 2099-12-31"):
        split(load(config), config)


def test_flags_that_would_be_ignored_are_refused(trained, tmp_path) -> None:
    with pytest.raises(ValueError, match=r"data.path: read with --dataset csv only"):
        Config(data=DataOptions(tmp_path / "mine.csv"))
    with pytest.raises(ValueError, match=r"ranking.second: watch is the first objective"):
        replace(trained.config.ranking, objective="watch", second="watch")


def test_sizes_of_a_world_that_do_not_go_together_are_named() -> None:
    with pytest.raises(ValueError, match=r"^world.events: 1999 .* give --world.events 2000 or"):
        Config(world=WorldOptions(users=2_000, events=1_999))
    with pytest.raises(ValueError, match=r"^world.items: 49 .* give --world.items 50 or more"):
        Config(world=WorldOptions(users=200, events=5_000, items=49))
    Config(world=WorldOptions(users=200, events=5_000, items=50))
