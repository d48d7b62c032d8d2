"""A small report whose parts a test changes, without any pattern."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from common.evaluation.report import Estimate, Report, Row, Table, Value

METRIC = "NDCG@10"


@dataclass(frozen=True)
class Source:
    name: str = "toy"
    origin: str = "simulated"
    title: str = "Toy world"
    licence: str = "Apache-2.0"
    rows: str = "3 rows"
    checksums: dict[str, str] = field(default_factory=dict)
    notice: str | None = None


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
