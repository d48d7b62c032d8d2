"""The report as one HTML file: no script, no network, pictures inside as data URLs.

`report.html` beside this file is the template, which holds all of the layout; this module only
prepares what it shows: sections with their anchors, each table with the figures that belong to it,
a table of many columns turned round. It prints well, reads on a phone and follows the reader's
light or dark setting. Pictures keep a white ground in both, since plots are drawn for it.
"""

from __future__ import annotations

import base64
import math
import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from common.atomic import write_json, write_text
from common.evaluation.examples import Example
from common.evaluation.reached import large_figures, sentence
from common.evaluation.report import SHARPNESS, Estimate, Figure, Report, Table, Value, number

if TYPE_CHECKING:
    from jinja2 import Template
    from markupsafe import Markup

TEMPLATE = Path(__file__).with_name("report.html")
MOST_COLUMNS = 14  # of a table; one with more columns than this, and than rows, is turned round


@dataclass(frozen=True)
class Cell:
    """A cell as it is shown: the figure, its interval in a softer tone, a mark of its kind."""

    text: str
    interval: str = ""
    kind: str = ""
    """`over` its budget, `words`, or a figure."""


@dataclass(frozen=True)
class Line:
    """A row of a table as it is shown."""

    name: str
    cells: tuple[Cell, ...]
    marks: tuple[str, ...] = ()
    """`served`, `baseline`."""


@dataclass(frozen=True)
class Section:
    """What one entry of the contents leads to."""

    anchor: str
    name: str
    caption: str = ""
    columns: tuple[str, ...] = ()
    lines: tuple[Line, ...] = ()
    figures: tuple[Figure, ...] = ()
    example: Example | None = None
    about: Mapping[str, str] = field(default_factory=dict)


def save(report: Report, folder: Path, *, about: Mapping[str, str] | None = None) -> None:
    """Write `metrics.json` and the self-contained `report.html` into `folder`.

    `about` (run, seed, command) stands at the end of the page.
    """
    write_json(folder / "metrics.json", report.to_dict())
    write_text(folder / "report.html", render(report, about))


def render(report: Report, about: Mapping[str, str] | None = None) -> str:
    """Return the report as a complete HTML page; `about` is told in its last section."""
    return _template().render(
        report=report,
        sentence=sentence(report),
        large=large_figures(report),
        sections=_sections(report, about or {}),
    )


@cache
def _template() -> Template:
    from jinja2 import Environment, StrictUndefined

    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {
        "breakable": _breakable, "code": _code, "data_url": _data_url, "size": _size,
        "softened": _softened,
    }  # fmt: skip
    return environment.from_string(TEMPLATE.read_text(encoding="utf-8"))


def _sections(report: Report, about: Mapping[str, str]) -> list[Section]:
    """Return the headline, the examples, the other tables, what has no table, and the run."""
    tables = [*report.tables, report.latency_table()] if report.latency else report.tables
    names = {table.name for table in tables}
    found = [_of_table(report, table) for table in tables]
    examples = [Section("", each.name, each.caption, example=each) for each in report.examples]
    found[1:1] = examples  # after the headline
    if loose := tuple(each for each in report.figures if each.table not in names):
        found.append(Section("", "figures", figures=loose))
    found.append(Section("", "this run", about=_about(report, about)))
    return [
        Section(f"part-{place}", **{k: v for k, v in vars(each).items() if k != "anchor"})
        for place, each in enumerate(found, start=1)
    ]


def _about(report: Report, about: Mapping[str, str]) -> dict[str, str]:
    """Say where the data came from, how much of it was used, and what the run was."""
    source = report.source
    said = {
        "data": f"{source.title} ({source.origin})",
        "rows": source.rows,
        "really used": " · ".join(f"{count:,} {part}" for part, count in report.rows.items()),
        "licence": source.licence,
        "cost": report.cost.in_words() if report.cost else "",
    }
    return {name: text for name, text in (said | dict(about)).items() if text}


def _of_table(report: Report, table: Table) -> Section:
    """Return a table with its figures, turned round where it is far wider than high."""
    is_headline = bool(report.tables) and table is report.tables[0]
    lines = []
    for row in table.rows:
        cells = tuple(_cell(row.values.get(column)) for column in table.columns)
        marks = [
            mark
            for mark, holds in (
                ("served", is_headline and row.name == report.served and bool(report.served)),
                ("baseline", row.baseline),
            )
            if holds
        ]
        lines.append(Line(row.name, cells, tuple(marks)))
    columns, shown = table.columns, tuple(lines)
    if len(columns) > max(MOST_COLUMNS, len(lines)):
        columns, shown = _turned(columns, shown)
    figures = tuple(each for each in report.figures if each.table == table.name)
    return Section("", table.name, table.caption, columns, shown, figures)


def _turned(
    columns: tuple[str, ...], lines: tuple[Line, ...]
) -> tuple[tuple[str, ...], tuple[Line, ...]]:
    """Make a column of every line and a line of every column."""
    heads = tuple(f"{each.name} ({', '.join(each.marks)})" if each.marks else each.name
                  for each in lines)  # fmt: skip
    turned = (
        Line(column, tuple(each.cells[place] for each in lines))
        for place, column in enumerate(columns)
    )
    return heads, tuple(turned)


def _cell(value: Value) -> Cell:
    if value is None:
        return Cell("–")
    if isinstance(value, str):
        return Cell(value, kind="over" if value == "OVER" else "words")
    if not isinstance(value, Estimate):
        return Cell(number(float(value)))
    known = value.interval and math.isfinite(value.value)
    return Cell(number(value.value), value.interval if known else "")


def _breakable(text: str) -> Markup:
    """Let a line break before the cut-off of a metric: NDCG@10."""
    return _wrapped(text, "(@)", "", "<wbr>")


def _code(text: str) -> Markup:
    """Set what stands in backticks as code."""
    return _wrapped(text, r"`([^`]+)`", "<code>", "</code>")


def _softened(text: str) -> Markup:
    """Set intervals in a softer tone."""
    return _wrapped(text, r"(\[-?[\d.,]+, -?[\d.,]+\])", '<span class="interval">', "</span>")


def _wrapped(text: str, pattern: str, before: str, after: str) -> Markup:
    """Put tags around what `pattern` finds in a text, which is escaped first."""
    from markupsafe import Markup, escape

    return Markup(re.sub(pattern, rf"{before}\1{after}", str(escape(text))))


def _data_url(content: bytes) -> str:
    """Return a picture as a URL that holds it."""
    kind = "png" if content.startswith(b"\x89PNG") else "jpeg"
    return f"data:image/{kind};base64,{base64.b64encode(content).decode('ascii')}"


def _size(png: bytes) -> tuple[int, int]:
    """Return the width and height that a figure takes up, from its header."""
    width, height = struct.unpack(">II", png[16:24])
    return -(-width // SHARPNESS), -(-height // SHARPNESS)
