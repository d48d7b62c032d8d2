"""One report for every pattern: tables, figures and latency, on the console, as JSON and as HTML.

The first table is the headline: the simple baseline in its first row, then what each stage adds,
with 95 % intervals where a split is small. Which of its rows serves, and by which of its columns
the run is judged, the evaluation says; `reached` makes the first sentence of that. `metrics.json`
is what tools read; `report.html` is one file with its pictures inside, which opens anywhere and
needs no network.
"""

from __future__ import annotations

import io
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from common.cost import Cost
from common.evaluation.bootstrap import Difference
from common.evaluation.examples import Example
from common.evaluation.latency import Latency

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

SHARPNESS = 2  # pixels of a figure for each one that it takes up on the page
STYLE: Any = {
    "axes.axisbelow": True,
    "axes.edgecolor": "#8c959f",
    "axes.grid": True,
    "axes.prop_cycle": "cycler('color', ['2c6fbb', 'd9822b', '3a9a5b', 'b5495b', '7d62b8',"
    " '8c6d46', 'c65fa3', '6b7780', 'a3a52f', '2aa1b3'])",
    "axes.spines.right": False,
    "axes.spines.top": False,
    "grid.color": "#e6e9ed",
    "legend.frameon": False,
    "legend.fontsize": 8,
}


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

    @classmethod
    def of(cls, difference: Difference) -> Estimate:
        """Return a paired difference as an estimate."""
        return cls(difference.value, difference.low, difference.high)

    @property
    def interval(self) -> str:
        """Return `[.101, .145]`, empty where there is none."""
        if self.low is None or self.high is None:
            return ""
        return f"[{number(self.low)}, {number(self.high)}]"

    def __str__(self) -> str:
        """Return `.123 [.101, .145]`."""
        return f"{number(self.value)} {self.interval}".rstrip()


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
    """A drawn picture with the sentence that tells how to read it, and the table it stands beside.

    `names` are texts that no installed font could draw, after the numbers that stand for them.
    """

    name: str
    caption: str
    png: bytes
    table: str = ""
    names: tuple[tuple[str, str], ...] = ()


@dataclass
class Report:
    """All that an evaluation found; `printed` tables go to the console, all go to the files."""

    name: str
    source: Source
    tables: list[Table] = field(default_factory=list)
    figures: list[Figure] = field(default_factory=list)
    latency: list[Latency] = field(default_factory=list)
    """Of the stages; the last is that of a whole answer."""
    notices: list[str] = field(default_factory=list)
    printed: int = 1
    rows: Mapping[str, int] = field(default_factory=dict)
    """What was really used: `train payments` -> how many."""
    served: str = ""
    """The row of the headline that serves."""
    metric: str = ""
    """The column of the headline by which the run is judged; more is better."""
    gain: Estimate | None = None
    """What is served less the baseline, by that metric and paired; None if no test was made."""
    examples: list[Example] = field(default_factory=list)
    cost: Cost | None = None
    """Known once the run is saved."""

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

    @property
    def baseline(self) -> str:
        """The row of the headline that is the baseline, empty without one."""
        rows = self.tables[0].rows if self.tables else ()
        return next((row.name for row in rows if row.baseline), "")

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
            "rows": dict(self.rows),
            "served": self.served,
            "metric": self.metric,
            "gain": None if self.gain is None else _value(self.gain),
            "tables": [_table_values(table) for table in self.tables],
            "latency": [
                vars(each) | {"within_budget": each.within_budget} for each in self.latency
            ],
            "figures": [{"name": each.name, "caption": each.caption} for each in self.figures],
        }


@contextmanager
def figure(
    report: Report,
    name: str,
    caption: str,
    *,
    table: str = "",
    size: tuple[float, float] = (4.4, 3.3),
) -> Iterator[Axes]:
    """Return axes to draw on and add the finished picture to `report`, beside its table."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure as Canvas

    with rc_context(STYLE):
        canvas = Canvas(figsize=size, dpi=110, layout="constrained")
        axes = canvas.subplots()
        yield axes
        add_canvas(report, name, caption, canvas, table=table)


def add_canvas(report: Report, name: str, caption: str, canvas: Canvas, *, table: str = "") -> None:
    """Add a matplotlib figure to `report`, with more pixels than it will take up."""
    from common.evaluation.lettering import prepare

    names = prepare(canvas)
    buffer = io.BytesIO()
    canvas.savefig(buffer, format="png", dpi=SHARPNESS * canvas.dpi, metadata={"Software": None})
    report.figures.append(Figure(name, caption, buffer.getvalue(), table, names))


def parts(splits: Any, unit: str) -> dict[str, int]:
    """Return how many rows the parts of `splits` hold: `train payments` -> 1,000."""
    return {f"{part} {unit}": len(getattr(splits, part)) for part in ("train", "valid", "test")}


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


def _value(value: Value) -> Any:
    """Return a cell as a JSON value, with its interval if it has one."""
    if isinstance(value, Estimate) and value.low is not None and value.high is not None:
        return {"value": _plain(value), "low": _plain(value.low), "high": _plain(value.high)}
    return _plain(value)


def _table_values(table: Table) -> dict[str, Any]:
    rows = []
    for row in table.rows:
        values = {column: _value(value) for column, value in row.values.items()}
        rows.append({"name": row.name, "baseline": row.baseline, "values": values})
    return {
        "name": table.name,
        "caption": table.caption,
        "columns": list(table.columns),
        "rows": rows,
    }
