"""Ask the latest run from the command line: `python -m patterns.search_ranking.search "heist"`.

Prints the page: each result with its year, where it came from (its place in the BM25 and in the
dense list) and the reasons that raised it, then the time each stage took.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from annotated_types import Interval
from tyro.conf import Positional

from common import console
from common.config import CheckedConfig
from common.config import run as run_command
from patterns.search_ranking.config import NAME


@dataclass(frozen=True)
class SearchConfig(CheckedConfig):
    """What to search, and in which run."""

    query: Positional[Annotated[str, "what a person would type"]]
    """What a person would type."""
    k: Annotated[int, Interval(ge=1, le=10_000)] = 10
    """Number of results."""
    genre: str | None = None
    """Only films of this genre."""
    facet: tuple[str, ...] = ()
    """Only documents with this value of a facet, such as journal=Nature; several must all hold."""
    run: str = "latest"
    """latest, production, or a run's folder."""
    runs: Path = Path("runs")
    """Folder of the runs."""


def main(settings: SearchConfig) -> None:
    """Search and print."""
    from common.artifacts import open_run
    from patterns.search_ranking.pipeline import Pipeline
    from patterns.search_ranking.stages.rules import Condition

    run = open_run(settings.run, name=NAME, runs=settings.runs)
    pipeline = Pipeline.load(run.pipeline)
    filters = [] if settings.genre is None else [Condition("genres", settings.genre)]
    for entry in settings.facet:
        name, equals, value = entry.partition("=")
        if not equals:
            raise ValueError(f"facet: {entry!r} names no value; give --facet name=value")
        filters.append(Condition(name, value))
    pipeline.search([settings.query], settings.k, filters=filters)  # warm up, for realistic times
    found = pipeline.search([settings.query], settings.k, filters=filters)
    console.info(f"{settings.query!r} · {run.version} · {pipeline.documents.height:,} documents")
    for place, hit in enumerate(found.hits[0], start=1):
        document = pipeline.documents.row(hit.row, named=True)
        year = f" ({document['year']:.0f})" if document.get("year") is not None else ""
        score = "pinned" if hit.score is None else f"{hit.score:6.2f}"
        origin = f"bm25 {_place(hit.lexical_rank)}, dense {_place(hit.dense_rank)}"
        console.info(f"{place:>3}. {score}  {hit.title}{year}  [{origin}]")
        if hit.reasons:
            console.info(f"             {' · '.join(hit.reasons)}")
    if not found.hits[0]:
        console.info("nothing found")
    times = "  ".join(f"{stage} {spent:.1f} ms" for stage, spent in found.milliseconds.items())
    console.info(times)


def _place(rank: int | None) -> str:
    return "–" if rank is None else f"#{rank}"


if __name__ == "__main__":
    run_command(main, {"default": SearchConfig(query="")}, description=__doc__)
