"""The nightly job: killed and resumed, looked up by a service, swapped in under a server."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import httpx
import numpy as np
import polars as pl
import pytest

from common.artifacts import open_run
from patterns.recsys import nightly
from patterns.recsys.data import coded_as
from patterns.recsys.entities.pages import FILE, Pages, as_frame, is_whole
from patterns.recsys.evaluation.night import reachable
from patterns.recsys.nightly import NightlyConfig, main
from patterns.recsys.pipeline import Pipeline
from patterns.recsys.serve import RecommendRequest, RecommendService

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def config(trained, tmp_path_factory) -> NightlyConfig:
    """Give the flags of a night over a copy of the trained run."""
    import shutil

    runs = tmp_path_factory.mktemp("nights")
    shutil.copytree(trained.config.runs / "recsys", runs / "recsys")
    return NightlyConfig(
        device="cpu", runs=runs, top=20, shard=40, run=trained.run.version,
    )  # fmt: skip


@pytest.fixture(scope="module")
def night(config: NightlyConfig):
    return open_run(main(config), name="recsys")


def test_everybody_gets_the_page_that_the_pipeline_gives(night) -> None:
    pipeline = Pipeline.load(night.pipeline)
    pages = pl.read_parquet(night.pipeline / FILE)
    assert pages["user_id"].to_list() == pipeline.catalogue.user_ids.tolist()
    assert (pages["items"].list.len() == 20).all()
    users = np.array([3, 77])
    found = pipeline.recommend(pipeline.requests_for(users, [[], []]), 20)
    expected = pipeline.catalogue.item_ids[found.items.item_ids]
    assert pages["items"].gather(users).to_list() == expected.tolist()
    kept = Pages.load(night.pipeline, pipeline.catalogue)
    assert kept is not None
    assert np.array_equal(kept.items[users], found.items.item_ids)
    assert np.array_equal(kept.sources[users], found.found_by)


def test_the_ranker_stays_and_the_sources_know_every_event(trained, night) -> None:
    old, new = trained.pipeline, Pipeline.load(night.pipeline)
    assert new.ranking.ranker_.name == old.ranking.ranker_.name
    splits = trained.splits
    every = splits.train.joined(splits.valid).joined(splits.test)
    assert new.histories_.seen.nnz == len(np.unique(every.users * 10**6 + every.items))
    assert new.histories_.seen.nnz > old.histories_.seen.nnz
    assert json.loads((night.path / "profile.json").read_text())


def test_the_service_looks_pages_up_and_computes_for_fresh_events(night) -> None:
    service = RecommendService(night)
    ask = lambda **fields: service.predict([RecommendRequest(**fields)])[0]  # noqa: E731
    known = ask(user_id="u00007", k=5)
    assert known.precomputed and len(known.items) == 5 and known.items[0].reason
    fresh = ask(user_id="u00007", k=5, recent=[known.items[0].item_id])
    assert not fresh.precomputed
    assert known.items[0].item_id not in [item.item_id for item in fresh.items]
    assert not ask(user_id="nobody", k=5).precomputed
    assert not ask(user_id="u00007", k=21).precomputed  # longer than the pages


@pytest.mark.slow
def test_workers_make_the_pages_that_one_process_makes(config, night) -> None:
    again = open_run(main(replace(config, workers=2)), name="recsys")
    one, two = (pl.read_parquet(run.pipeline / FILE) for run in (night, again))
    assert one.drop("scores").equals(two.drop("scores"))
    for a, b in zip(one["scores"], two["scores"], strict=True):
        np.testing.assert_allclose(a.to_numpy(), b.to_numpy(), rtol=1e-5, atol=1e-5)


@pytest.mark.slow
def test_a_killed_night_goes_on_where_it_was(config, night, monkeypatch) -> None:
    flags = ["--runs", str(config.runs), "--device", "cpu", "--run", config.run, "--top", "20",
             "--shard", "5"]  # fmt: skip
    process = subprocess.Popen(
        [sys.executable, "-m", "patterns.recsys.nightly", *flags], cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)}, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    home = config.runs / "recsys"
    end = time.monotonic() + 60
    while not (made := sorted(home.glob(".nightly-*/pages/*.parquet"))):
        assert process.poll() is None and time.monotonic() < end
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert open_run("latest", name="recsys", runs=config.runs).version != ""  # the older stays
    kept = {path: path.stat().st_mtime_ns for path in made}
    seen: list[dict[Path, int]] = []
    remove = nightly.shutil.rmtree

    def look(path: Path, **options: object) -> None:
        if Path(path).name.startswith(".nightly-"):
            seen.append({each: each.stat().st_mtime_ns for each in kept})
        remove(path, **options)

    monkeypatch.setattr(nightly.shutil, "rmtree", look)
    resumed = open_run(main(replace(config, shard=5)), name="recsys")
    assert seen == [kept]  # what was made before the kill was not made again
    whole = pl.read_parquet(night.pipeline / FILE)
    assert pl.read_parquet(resumed.pipeline / FILE)["items"].equals(whole["items"])
    assert not list(home.glob(".nightly-*"))


def test_a_night_that_fails_its_check_publishes_nothing(config, night, monkeypatch) -> None:
    latest = (config.runs / "recsys" / "latest").read_text()
    monkeypatch.setattr("patterns.recsys.evaluation.night.reachable", lambda *_: 51)
    with pytest.raises(ValueError, match="least_full: .* older run stays"):
        main(replace(config, top=19))
    assert (config.runs / "recsys" / "latest").read_text() == latest


def test_data_of_another_kind_is_refused(config, write_csv) -> None:
    from patterns.recsys.config import DataOptions

    columns = DataOptions(write_csv(), user="who", item="what", rating="stars", timestamp="when")
    with pytest.raises(ValueError, match=r"does not continue the data of the run .* train again"):
        main(replace(config, dataset="csv", data=columns))


@pytest.mark.slow
def test_a_running_server_serves_the_night(config, night) -> None:
    runs = config.runs
    process = subprocess.Popen(
        [sys.executable, "-m", "patterns.recsys.serve", "--runs", str(runs), "--port", "0",
         "--follow-seconds", "0.2"],
        cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        url = process.stdout.readline().split(" on ")[1].split()[0]
        wait_until(lambda: httpx.get(f"{url}/readyz").status_code == 200)
        before = httpx.get(f"{url}/model").json()["version"]
        tonight = open_run(main(config), name="recsys")
        assert tonight.version != before
        wait_until(lambda: httpx.get(f"{url}/model").json()["version"] == tonight.version)
        answer = httpx.post(f"{url}/predict", json={"user_id": "u00007", "k": 3}).json()
        assert answer["precomputed"] and answer["model_version"] == tonight.version
    finally:
        process.terminate()
        process.wait(timeout=15)


def wait_until(true, seconds: float = 30.0) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if true():
            return
        time.sleep(0.05)
    raise AssertionError("it never became true")


def test_pages_of_others_are_refused(trained, tmp_path) -> None:
    catalogue = trained.pipeline.catalogue
    item_ids = np.array([[3, -1], [1, 2]])
    frame = as_frame(
        np.array(["a", "b"]), item_ids, np.ones((2, 2), np.float32), item_ids, catalogue
    )
    assert frame["items"].list.len().to_list() == [1, 2]
    frame.write_parquet(tmp_path / FILE)
    with pytest.raises(ValueError, match="not the pages of this run's users"):
        Pages.load(tmp_path, catalogue)


def test_settings_that_the_night_does_not_read_are_refused(config) -> None:
    ranking = replace(config.ranking, second_weight=0.1)
    with pytest.raises(ValueError, match=r"ranking: the night keeps .* --ranking"):
        main(replace(config, ranking=ranking))


def test_columns_are_called_as_the_run_called_them(config, trained, tmp_path) -> None:
    run = open_run(trained.run.path, name="recsys")
    asked = {**run.manifest["config"], "dataset": "csv"}
    asked["data"] = {**asked["data"], "rating": "stars", "user": "who", "path": "old.csv"}
    run.manifest["config"] = asked
    data = replace(config.data, path=tmp_path / "new.csv")
    found = nightly._continued(replace(config, dataset="csv", data=data), run)
    assert (found.data.rating, found.data.user) == ("stars", "who")
    assert found.data.path == tmp_path / "new.csv"


def test_attributes_and_devices_keep_the_codes_that_the_ranker_learned(trained) -> None:
    splits, old = trained.splits, trained.pipeline.catalogue
    jobs = ("occupation=accountant", *splits.catalogue.values_of("occupation"))
    place = splits.catalogue.segment_names.index("occupation")
    segments, sizes = splits.catalogue.segments.copy(), list(splits.catalogue.segment_sizes)
    segments[:, place] += segments[:, place] > 0  # all moved up by the newcomer
    segments[0, place], sizes[place] = 1, sizes[place] + 1
    changed = replace(
        splits.catalogue,
        segments=segments,
        segment_sizes=tuple(sizes),
        segment_values=(*splits.catalogue.values_of("gender"), *jobs),
        contexts={"device": ("console", *splits.catalogue.contexts["device"])},
    )
    train = replace(splits.train, contexts=splits.train.contexts + 1)
    again = coded_as(old, replace(splits, catalogue=changed, train=train))
    assert np.array_equal(again.catalogue.segments[1:], old.segments[1:])
    assert again.catalogue.segments[0, place] == 0  # nobody knew that job
    assert again.catalogue.segment_sizes == old.segment_sizes
    assert np.array_equal(again.train.contexts, splits.train.contexts)


def test_a_night_does_not_publish_over_a_newer_run(config, trained) -> None:
    newer = config.runs / "recsys" / "newer"
    newer.mkdir()
    pointer = config.runs / "recsys" / "latest"
    before = pointer.read_text(encoding="utf-8")
    pointer.write_text("newer", encoding="utf-8")
    try:
        with pytest.raises(ValueError, match="newer was published .* Start the night again"):
            nightly._check_newest(replace(config, run="latest"), trained.run)
    finally:
        pointer.write_text(before, encoding="utf-8")
        newer.rmdir()


def test_what_a_power_cut_left_is_made_anew(trained, tmp_path, capsys) -> None:
    shard = tmp_path / "000000.parquet"
    for content in (b"", b"PAR1 and no more"):
        shard.write_bytes(content)
        assert not is_whole(shard)
    (tmp_path / "pipeline").mkdir()
    assert nightly._loaded(tmp_path / "pipeline") is None
    said = capsys.readouterr()
    assert "fitted anew" in said.out + said.err and "made anew" in said.out + said.err


def test_a_user_who_took_nearly_everything_has_a_whole_page(trained) -> None:
    pipeline = trained.pipeline
    lil = pipeline.histories_.seen.tolil()
    lil[4, : len(pipeline.catalogue.item_ids) - 3] = 1.0
    pipeline.histories_ = replace(pipeline.histories_, seen=lil.tocsr())
    wanted = reachable(pipeline, 20)
    assert wanted[4] <= 3 and wanted[5] == 20
