"""What does diversity cost, and what each kind of business rule?"""

from __future__ import annotations

from common.evaluation import ranking
from common.evaluation.report import Row, Table
from common.retrieval import Candidates
from patterns.search_ranking.entities.queries import JudgedQueries, Queries
from patterns.search_ranking.evaluation.end_to_end import FULL, JUDGED, columns_for, metrics_of
from patterns.search_ranking.pipeline import Pipeline
from patterns.search_ranking.stages.lists import DEPTH, PAGE, RANKED
from patterns.search_ranking.stages.reranking import Reranker
from patterns.search_ranking.stages.rules import Rule


def price_of_a_rule(
    pipeline: Pipeline, queries: Queries, ranked: Candidates, test: JudgedQueries
) -> Table:
    """Tabulate what diversity and each kind of rule costs, the order of the list itself first."""
    chosen, served = pipeline.reranker.trade_off_, pipeline.lists.served_
    plain = "the ranker's order" if served == RANKED else f"the order of {served}"
    variants: dict[str, tuple[float, tuple[Rule, ...]]] = {
        plain: (1.0, ()),
        f"MMR, trade-off {chosen}": (chosen, ()),
        **(_of_films() if pipeline.schema.films else _of_own(pipeline)),
    }
    full = tuple(name for name in (FULL, JUDGED) if name in columns_for(test))
    rows = []
    for name, (trade_off, rules) in variants.items():
        depth = pipeline.reranker.depth
        reranker = Reranker(depth=depth, trade_off=trade_off, rules=rules)
        reranker.prepare(pipeline.documents, pipeline.dense.vectors_)
        found = reranker.rerank(queries.texts, ranked, DEPTH)
        metrics = metrics_of(found, test)
        page = found.item_ids[:, :PAGE]
        similarity = ranking.intra_list_similarity(pipeline.dense.vectors_, page)
        cells = {column: float(metrics[column].mean()) for column in full}
        rows.append(Row(name, {**cells, "ILS@10": float(similarity.mean())}))
    caption = "ILS is the mean cosine between the documents of a page: lower is more diverse."
    return Table("price of a rule", (*full, "ILS@10"), tuple(rows), caption)


def _of_films() -> dict[str, tuple[float, tuple[Rule, ...]]]:
    """Return rules that an editor of films might set."""
    return {
        "cap: 2 of a director": (1.0, (Rule("cap", "director", most=2),)),
        "demote: under 50 votes": (1.0, (Rule("demote", "votes", below=50, weight=0.3),)),
        "boost: since 2010": (1.0, (Rule("boost", "year", above=2009, weight=0.1),)),
        "filter: before 1980": (1.0, (Rule("filter", "year", below=1980),)),
    }


def _of_own(pipeline: Pipeline) -> dict[str, tuple[float, tuple[Rule, ...]]]:
    """Return a cap on each facet and a boost by each number of these documents."""
    rules: dict[str, tuple[float, tuple[Rule, ...]]] = {}
    for name in pipeline.schema.facets:
        rules[f"cap: 2 of a {name}"] = (1.0, (Rule("cap", name, most=2),))
    for name in pipeline.schema.numbers:
        middle = pipeline.documents[name].median()
        if isinstance(middle, float):
            boost = Rule("boost", name, above=middle, weight=0.1)
            rules[f"boost: {name} above {middle:g}"] = (1.0, (boost,))
    return rules
