"""Each kind of stage works in a folder that holds the stages, the entities and what they import."""

import json
import shutil

from lifting import ROOT, copy_stages, run_lifted

SCRIPT = """
import json
import shutil
from pathlib import Path

import numpy as np

from patterns.recsys.entities.catalogue import Catalogue
from common.units import DAY
from patterns.recsys.entities.events import Events
from patterns.recsys.entities.histories import Histories
from patterns.recsys.stages.candidates.item_item import ItemKNN
from patterns.recsys.stages.candidates.popularity import Popularity
from patterns.recsys.stages.candidates.sources import Sources
from patterns.recsys.stages.cold_start.survey import Survey
from patterns.recsys.stages.features import Features
from patterns.recsys.stages.ranking.choice import Ranking
from patterns.recsys.stages.reranking.exploration import Exploration
from patterns.recsys.stages.reranking.reranker import Reranker
from patterns.recsys.stages.training import Window

rng = np.random.default_rng(0)
USERS, ITEMS, EACH = 60, 30, 12
catalogue = Catalogue(
    item_ids=np.arange(ITEMS).astype(str), titles=np.arange(ITEMS).astype(str),
    genres=np.eye(3, dtype=np.float32)[np.arange(ITEMS) % 3], genre_names=("a", "b", "c"),
    years=np.full(ITEMS, 2000.0, np.float32), user_ids=np.arange(USERS).astype(str),
    segments=np.zeros((USERS, 1), np.int64), segment_sizes=(1,), segment_names=("none",),
)
users = np.tile(np.arange(USERS), EACH)
items = np.stack([np.r_[rng.permutation(10) * 3 + user % 3, rng.permutation(ITEMS)[:2]]
                  for user in range(USERS)]).T.ravel()
events = Events(users, items, np.full(len(users), np.nan, np.float32),
                np.repeat(np.arange(EACH) * DAY, USERS))
past, window = events.part(slice(0, 8 * USERS)), events.part(slice(8 * USERS, None))

def saved_and_loaded(stage):
    folder = Path(type(stage).__name__)
    folder.mkdir()
    stage.save(folder)
    return type(stage).load(folder)

sources = Sources(members=[Popularity(), ItemKNN(neighbours=10)], per_source=15, keep=20)
sources = saved_and_loaded(sources.fit(past, catalogue))
features = Features().fit(past, catalogue)
features = saved_and_loaded(features)
task = Window(past, window, catalogue, 0).task(sources, features)
ranking = Ranking(items=ITEMS, models=("lightgbm",), second="none", trees=5)
ranking.fit(task.examples, names=features.names_of(sources, catalogue), judge=task.ndcg)
ranking = saved_and_loaded(ranking)
ranked = task.ranked(task.examples.examples.labels)
reranker = Reranker(ndcg_budget=0.5)
reranker.fit(ranked, task.answers, catalogue.genres, seen=task.requests.seen)
reranker = saved_and_loaded(reranker)
exploration = saved_and_loaded(Exploration(slots=1).fit(np.zeros(ITEMS)))
survey = saved_and_loaded(Survey(least_users=5).fit(past, users=USERS, items=ITEMS))

histories = Histories.of(past, catalogue)
requests = histories.requests_for(catalogue, np.arange(3), [[]] * 3)
merged = sources.retrieve(requests)
described = features.describe(sources, requests, merged.candidates.item_ids, merged.votes())
scores = ranking.score(described, merged.candidates.item_ids)
page = reranker.rerank(type(merged.candidates)(merged.candidates.item_ids, scores), 5)
explored = exploration.explore(page, 5, request_ids=requests.users, days=np.zeros(3, np.int64))
print(json.dumps({
    "sources": sources.names,
    "ndcg": task.ndcg(ranking.score(task.examples.examples.features, task.merged.item_ids)),
    "page": explored.items.item_ids.tolist(),
    "seen": [histories.seen[row].indices.tolist() for row in range(3)],
    "asks": survey.ask({}),
}))
"""


def test_stages_run_when_copied_alone(tmp_path) -> None:
    copy_stages("recsys", tmp_path)
    found = json.loads(run_lifted(tmp_path, SCRIPT).splitlines()[-1])
    assert found["sources"] == ["popularity", "item-knn"]
    assert found["ndcg"] > 0.3
    assert found["asks"] is not None
    for page, seen in zip(found["page"], found["seen"], strict=True):
        assert len(page) == 5 and not set(page) & set(seen)


OWN_LOAD = """
import json
import shutil
from dataclasses import dataclass, field, replace

import numpy as np
import polars as pl

from patterns.recsys.config import PRESETS
from patterns.recsys.data import split
from patterns.recsys.pipeline import Pipeline

@dataclass(frozen=True)
class Table:
    interactions: pl.DataFrame
    users: pl.DataFrame
    items: pl.DataFrame
    source: object = None
    extra: dict = field(default_factory=dict)

def load() -> Table:
    rng = np.random.default_rng(0)
    pairs = [(f"u{user}", f"i{2 * item + user % 2}") for user in range(40)
             for item in rng.choice(15, 8, replace=False)]
    events = pl.DataFrame(pairs, schema=["user_id", "item_id"], orient="row")
    return Table(events, events.select("user_id").unique(), events.select("item_id").unique())

config = PRESETS["smoke"]
config = replace(config, ranking=replace(config.ranking, model="lightgbm"), device="cpu")
splits = split(load(), config)
pipeline = Pipeline.from_config(config, splits).fit_candidates(splits).fit_ranker(splits)
pipeline.fit_reranker(splits).refresh(splits)
page = pipeline.recommend(pipeline.requests_for(np.array([3]), [[]]), 5).items.item_ids[0]
print(json.dumps([splits.catalogue.user_ids[3], splits.catalogue.item_ids[page].tolist()]))
"""


def test_a_pattern_runs_on_a_load_of_ones_own_without_the_folder_of_datasets(tmp_path) -> None:
    for name in ("common", "patterns/recsys"):
        shutil.copytree(ROOT / name, tmp_path / name)
    shutil.copy(ROOT / "patterns" / "__init__.py", tmp_path / "patterns")
    user, page = json.loads(run_lifted(tmp_path, OWN_LOAD).splitlines()[-1])
    taste = int(user[1:]) % 2
    assert len(page) == 5 and all(int(item[1:]) % 2 == taste for item in page)
