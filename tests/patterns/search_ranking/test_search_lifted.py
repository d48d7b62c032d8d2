"""Each kind of stage works in a folder that holds the stages, the entities and what they import."""

import json

from lifting import copy_stages, run_lifted

SCRIPT = """
import json
import sys
from pathlib import Path

import numpy as np
import polars as pl

from common.encoders import TfidfSvdEncoder
from patterns.search_ranking.entities.documents import ALL, Schema, dense_texts, field_texts, tidy
from patterns.search_ranking.entities.queries import JudgedQueries
from common.retrieval.bm25 import BM25, Field
from common.retrieval.dense import Dense
from common.retrieval.hybrid import Hybrid
from patterns.search_ranking.stages.features import Features, names_of
from patterns.search_ranking.stages.ranking import LambdaMart
from patterns.search_ranking.stages.reranking import Reranker
from patterns.search_ranking.stages.rules import Rule
from patterns.search_ranking.stages.training_set import RankingSet

documents = pl.DataFrame({
    "doc_id": ["a", "b", "c", "d"],
    "title": ["Space heist", "Ghost story", "Space ghost", "A quiet farm"],
    "text": ["thieves in orbit", "a haunted house", "a haunted ship", "cows and hay"],
})
schema = Schema.of(documents)
documents = tidy(documents, schema)
queries = ["space heist", "ghost story", "quiet farm"]
fields = {name: Field(analyser) for name, (analyser, _) in schema.indexed.items()}
bm25 = BM25(fields=fields, weights={ALL: 1.0}).fit(field_texts(documents, schema))
dense = Dense(encoder=TfidfSvdEncoder(dimension=4)).fit(dense_texts(documents, schema))

def saved_and_loaded(stage):
    folder = Path("saved") / type(stage).__name__
    folder.mkdir(parents=True)
    stage.save(folder)
    return type(stage).load(folder)

bm25, dense = saved_and_loaded(bm25), saved_and_loaded(dense)
lexical, nearest = bm25.retrieve(queries, 4), dense.retrieve(dense.encode(queries), 4)
judged = JudgedQueries(
    ("1", "2", "3"), tuple(queries), np.tile(np.arange(4), (3, 1)),
    np.array([[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 0, 1]], np.int8),
)
ndcg_of = lambda found: judged.ndcg_of(found.item_ids, 4).mean()
hybrid = saved_and_loaded(Hybrid().fit(lexical, nearest, ndcg_of, 4, scaled=True))
merged = hybrid.merge(lexical, nearest, 4).candidates

features = Features(bm25=bm25, dense=dense, schema=schema).fit(documents)
described = features.transform(queries, dense.encode(queries), judged.rows)
examples = RankingSet.of(described, judged.grades, judged.rows)
ranker = LambdaMart(names=names_of(schema), trees=3, leaves=2, min_leaf_rows=1, feature_share=1.0)
ranker = saved_and_loaded(ranker.fit(examples, examples))

rules = (Rule("filter", "title", "A quiet farm"),)
reranker = saved_and_loaded(Reranker(rules=rules)).prepare(documents, dense.vectors_)
print(json.dumps({
    "bm25": lexical.item_ids[:, 0].tolist(),
    "dense": nearest.item_ids[:, 0].tolist(),
    "hybrid": merged.item_ids[:, 0].tolist(),
    "ranker": ranker.score(described).argmax(axis=1).tolist(),
    "reranker": reranker.rerank(queries, merged, 4).item_ids[:, 0].tolist(),
}))
"""


def test_every_kind_of_stage_can_leave(tmp_path) -> None:
    copy_stages("search_ranking", tmp_path)
    there = {path.name for path in (tmp_path / "patterns/search_ranking").iterdir()}
    assert there == {"__init__.py", "entities", "stages"} and not (tmp_path / "data").exists()
    best = json.loads(run_lifted(tmp_path, SCRIPT))
    assert best["bm25"] == best["dense"] == best["hybrid"] == best["ranker"] == [0, 1, 3]
    assert best["reranker"][:2] == [0, 1] and best["reranker"][2] != 3
