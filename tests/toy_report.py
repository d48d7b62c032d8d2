"""A small report whose parts a test changes, and what the report of every pattern must have."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from common.evaluation.reached import sentence
from common.evaluation.report import Estimate, Report, Row, Table, Value

METRIC = "NDCG@10"


@dataclass(frozen=True)
class Source:
    name: str = "toy"
    origin: str = "simulated"
    title: str = "Toy world"
    licence: str = "Apache-2.0, https://example.org/licence"
    rows: str = "3 rows"
    checksums: dict[str, str] = field(default_factory=dict)
    notice: str | None = None


def check_whole(made: Report) -> None:
    """Hold that the page of a pattern's report can say what was reached, and shows examples."""
    head, names = made.tables[0], {table.name for table in made.tables}
    assert made.metric in head.columns and made.served in {row.name for row in head.rows}
    assert "reaches" in sentence(made) and "–" not in sentence(made)
    assert {figure.table for figure in made.figures} <= names
    assert made.examples and all(example.items for example in made.examples)
    assert len(made.rows) == 3 and all(made.rows.values())


def report(
    values: Mapping[str, Value],
    *,
    served: str = "model",
    baseline: str = "popularity",
    gain: Estimate | None = None,
) -> Report:
    """Return a report whose headline has one row for each of `values`."""
    rows = tuple(
        Row(name, {METRIC: value}, baseline=name == baseline) for name, value in values.items()
    )
    made = Report("toy", Source(), [Table("quality", (METRIC,), rows)])
    made.metric, made.served, made.gain = METRIC, served, gain
    return made
