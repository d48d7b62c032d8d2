"""What does diversity cost, and what each kind of business rule?"""

from __future__ import annotations

from common.evaluation import ranking
from common.evaluation.report import Row, Table
from common.retrieval import Candidates
from patterns.search_ranking.entities.queries import JudgedQueries, Queries
from patterns.search_ranking.evaluation.end_to_end import DEPTH, PAGE, metrics_of
from patterns.search_ranking.pipeline import Pipeline
from patterns.search_ranking.stages.reranking import Reranker
from patterns.search_ranking.stages.rules import Rule


def price_of_a_rule(
    pipeline: Pipeline, queries: Queries, ranked: Candidates, test: JudgedQueries
) -> Table:
    """Tabulate what diversity and each kind of rule costs, the ranker's own order first."""
    chosen = pipeline.reranker.trade_off_
    variants: dict[str, tuple[float, tuple[Rule, ...]]] = {
        "the ranker's order": (1.0, ()),
        f"MMR, trade-off {chosen}": (chosen, ()),
        "cap: 2 of a director": (1.0, (Rule("cap", "director", most=2),)),
        "demote: under 50 votes": (1.0, (Rule("demote", "votes", below=50, weight=0.3),)),
        "boost: since 2010": (1.0, (Rule("boost", "year", above=2009, weight=0.1),)),
        "filter: before 1980": (1.0, (Rule("filter", "year", below=1980),)),
    }
    rows = []
    for name, (trade_off, rules) in variants.items():
        depth = pipeline.reranker.depth
        reranker = Reranker(depth=depth, trade_off=trade_off, rules=rules)
        reranker.prepare(pipeline.documents, pipeline.dense.vectors_)
        found = reranker.rerank(queries.texts, ranked, DEPTH)
        metrics = metrics_of(found, test)
        page = found.item_ids[:, :PAGE]
        similarity = ranking.intra_list_similarity(pipeline.dense.vectors_, page)
        cells = {
            "NDCG@10 full": float(metrics["NDCG@10 full"].mean()),
            "NDCG@10 judged": float(metrics["NDCG@10 judged"].mean()),
            "ILS@10": float(similarity.mean()),
        }
        rows.append(Row(name, cells))
    caption = "ILS is the mean cosine between the documents of a page: lower is more diverse."
    columns = ("NDCG@10 full", "NDCG@10 judged", "ILS@10")
    return Table("price of a rule", columns, tuple(rows), caption)
