"""One report for every pattern: tables, figures and latency, on the console, as JSON and as HTML.

The first table is the headline: the simple baseline in its first row, then what each stage adds,
with 95 % intervals where a split is small. `metrics.json` is what tools read; `report.html` is one
file with its pictures inside, which opens anywhere and needs no network.
"""

from __future__ import annotations

import io
import math
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from common.evaluation.latency import Latency

if TYPE_CHECKING:
    from matplotlib.axes import Axes


class Source(Protocol):
    """Where a dataset came from, as `data.tables.Source` has it."""

    @property
    def name(self) -> str:
        """Name in the registry."""

    @property
    def origin(self) -> str:
        """cache, mirror, official, bundled, simulated or file."""

    @property
    def title(self) -> str:
        """Title for people."""

    @property
    def licence(self) -> str:
        """Licence in a few words."""

    @property
    def rows(self) -> str:
        """Size for people: `100,000 ratings, 943 users`."""

    @property
    def checksums(self) -> Mapping[str, str]:
        """File -> sha256."""

    @property
    def notice(self) -> str | None:
        """What must be said of this data, a fallback above all."""


@dataclass(frozen=True)
class Estimate:
    """A figure and, where it was bootstrapped, its 95 % interval."""

    value: float
    low: float | None = None
    high: float | None = None

    def __str__(self) -> str:
        """Return `.123 [.101, .145]`."""
        if self.low is None or self.high is None:
            return number(self.value)
        return f"{number(self.value)} [{number(self.low)}, {number(self.high)}]"


Value = float | Estimate | str | None


@dataclass(frozen=True)
class Row:
    """One line of a table."""

    name: str
    values: Mapping[str, Value]
    baseline: bool = False

    def text(self, column: str, *, interval: bool = True) -> str:
        """Return the cell as it is shown; a column the row lacks is a dash."""
        value = self.values.get(column)
        if value is None:
            return "–"
        if isinstance(value, str):
            return value
        estimate = _estimate(value)
        return str(estimate) if interval else number(estimate.value)


@dataclass(frozen=True)
class Table:
    """Rows against named columns; the first row is the baseline."""

    name: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    caption: str = ""


@dataclass(frozen=True)
class Figure:
    """A drawn picture with the sentence that tells how to read it."""

    name: str
    caption: str
    png: bytes


@dataclass
class Report:
    """All that an evaluation found; `printed` tables go to the console, all go to the files."""

    name: str
    source: Source
    tables: list[Table] = field(default_factory=list)
    figures: list[Figure] = field(default_factory=list)
    latency: list[Latency] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)
    printed: int = 1

    def __post_init__(self) -> None:
        """Tell what the data has to say, a fallback above all, before everything else."""
        if self.source.notice and self.source.notice not in self.notices:
            self.notices = [self.source.notice, *self.notices]

    def headline(self) -> dict[str, dict[str, Any]]:
        """Return the first table as row -> column -> value, without intervals."""
        if not self.tables:
            return {}
        return {
            row.name: {column: _plain(value) for column, value in row.values.items()}
            for row in self.tables[0].rows
        }

    def latency_table(self) -> Table:
        """Return the latencies as a table, marking what is over its budget."""
        rows = tuple(
            Row(
                each.stage,
                {
                    "p50 ms": f"{each.p50_ms:.2f}",
                    "p95 ms": f"{each.p95_ms:.2f}",
                    "p99 ms": f"{each.p99_ms:.2f}",
                    "budget ms": f"{each.budget_ms:g}",
                    "": "" if each.within_budget else "OVER",
                },
            )
            for each in self.latency
        )
        columns = ("p50 ms", "p95 ms", "p99 ms", "budget ms", "")
        caption = "One request at a time, warm, in process."
        return Table("latency", columns, rows, caption)

    def to_dict(self) -> dict[str, Any]:
        """Return the report as JSON values; figures are named, not drawn."""
        return {
            "name": self.name,
            "dataset": {"name": self.source.name, "origin": self.source.origin},
            "notices": self.notices,
            "tables": [_table_values(table) for table in self.tables],
            "latency": [
                vars(each) | {"within_budget": each.within_budget} for each in self.latency
            ],
            "figures": [{"name": each.name, "caption": each.caption} for each in self.figures],
        }


@contextmanager
def figure(
    report: Report, name: str, caption: str, *, size: tuple[float, float] = (6.4, 4.0)
) -> Iterator[Axes]:
    """Return axes to draw on and add the finished picture to `report`."""
    from matplotlib.figure import Figure as Canvas

    canvas = Canvas(figsize=size, dpi=110, layout="constrained")
    axes = canvas.subplots()
    yield axes
    add_canvas(report, name, caption, canvas)


def add_canvas(report: Report, name: str, caption: str, canvas: Any) -> None:
    """Add a matplotlib figure (a grid of pictures, say) to `report`."""
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing")  # a box is drawn in its place
        canvas.savefig(buffer, format="png", metadata={"Software": None})
    report.figures.append(Figure(name, caption, buffer.getvalue()))


def number(value: float) -> str:
    """Return a figure with the precision a reader can use: four digits below one, fewer above."""
    if not math.isfinite(value):
        return "–"
    if value == int(value) and abs(value) >= 1:
        return f"{int(value):,}"
    if abs(value) < 1:
        return f"{value:.4f}"
    return f"{value:,.3f}" if abs(value) < 100 else f"{value:,.1f}"


def _estimate(value: float | Estimate) -> Estimate:
    return value if isinstance(value, Estimate) else Estimate(float(value))


def _plain(value: Value) -> Any:
    """Return a cell as a JSON value; what is not a number becomes null."""
    if value is None or isinstance(value, str):
        return value
    point = _estimate(value).value
    return float(point) if math.isfinite(point) else None


def _table_values(table: Table) -> dict[str, Any]:
    rows = []
    for row in table.rows:
        values: dict[str, Any] = {}
        for column, value in row.values.items():
            values[column] = _plain(value)
            if isinstance(value, Estimate) and value.low is not None and value.high is not None:
                values[column] = {
                    "value": _plain(value),
                    "low": _plain(value.low),
                    "high": _plain(value.high),
                }
        rows.append({"name": row.name, "baseline": row.baseline, "values": values})
    return {
        "name": table.name,
        "caption": table.caption,
        "columns": list(table.columns),
        "rows": rows,
    }
