"""The report as one HTML file: no script, no network, pictures inside as data URLs.

It prints well, reads on a phone and follows the reader's light or dark setting. Pictures keep a
white ground in both, since plots are drawn for it.
"""

from __future__ import annotations

import base64
import struct
from collections.abc import Mapping
from html import escape
from pathlib import Path

from common.atomic import write_json, write_text
from common.evaluation.report import Figure, Report, Table

WIDE_PIXELS = 900
STYLE = """
:root { color-scheme: light dark; --ink: #1b1f24; --soft: #59636e; --line: #d8dee4; --bg: #fff;
        --base: #f4f6f8; --warn: #9a6700; --over: #b42318; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6e9ed; --soft: #9aa4af; --line: #343b43; --bg: #14181d; --base: #1d232a;
          --warn: #e3b341; --over: #ff8a80; } }
* { box-sizing: border-box }
body { margin: 0 auto; max-width: 74rem; padding: 2rem 1.2rem 4rem; background: var(--bg);
       color: var(--ink); font: 16px/1.55 system-ui, sans-serif }
h1 { font-size: 1.7rem; margin: 0 } h2 { font-size: 1.15rem; margin: 2.2rem 0 .6rem }
p.soft, figcaption, footer { color: var(--soft) } p.caption, footer { color: var(--soft);
       margin: .5rem 0 0; font-size: .9rem } footer { margin-top: 3rem }
.scroll { overflow-x: auto } table { border-collapse: collapse; font-variant-numeric: tabular-nums }
th, td { padding: .35rem .9rem .35rem 0; border-bottom: 1px solid var(--line); text-align: right;
       white-space: nowrap }
       th:first-child, td:first-child { text-align: left; padding-left: .4rem }
tr.base td { background: var(--base) } td.over { color: var(--over); font-weight: 600 }
.notice { border-left: 4px solid var(--warn); padding: .5rem .9rem; background: var(--base) }
.figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(26rem, 100%), 1fr));
       gap: 1.5rem } figure { margin: 0 } figure.wide { grid-column: 1 / -1 }
       img { width: 100%; height: auto; background: #fff;
       border: 1px solid var(--line); border-radius: 6px } figcaption { font-size: .9rem }
"""


def save(report: Report, folder: Path, *, about: Mapping[str, str] | None = None) -> None:
    """Write `metrics.json` and the self-contained `report.html` into `folder`.

    `about` (run, seed, command) stands at the foot of the page.
    """
    write_json(folder / "metrics.json", report.to_dict())
    write_text(folder / "report.html", render(report, about))


def render(report: Report, about: Mapping[str, str] | None = None) -> str:
    """Return the report as a complete HTML page; `about` is told in its last line."""
    source = report.source
    tables = [*report.tables, report.latency_table()] if report.latency else report.tables
    return "\n".join(
        [
            "<!doctype html>",
            f'<html lang="en"><head><meta charset="utf-8"><title>{escape(report.name)}</title>',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<style>{STYLE}</style></head><body>",
            f"<h1>{escape(report.name)}</h1>",
            f'<p class="soft">{escape(source.title)} · {escape(source.origin)} ·'
            f" {escape(source.rows)}<br>{escape(source.licence)}</p>",
            *(f'<p class="notice">{escape(notice)}</p>' for notice in report.notices),
            *(_table(table) for table in tables),
            "<h2>Figures</h2>" if report.figures else "",
            '<div class="figures">',
            *(_figure(figure) for figure in report.figures),
            "</div>",
            f"<footer>{escape(' · '.join(f'{k} {v}' for k, v in (about or {}).items()))}</footer>",
            "</body></html>",
        ]
    )


def _table(table: Table) -> str:
    head = "".join(f"<th>{escape(column)}</th>" for column in table.columns)
    rows = []
    for row in table.rows:
        cells = "".join(_cell(row.text(column)) for column in table.columns)
        mark, name = (' class="base"', f"{row.name} (base)") if row.baseline else ("", row.name)
        rows.append(f"<tr{mark}><td>{escape(name)}</td>{cells}</tr>")
    caption = f'<p class="caption">{escape(table.caption)}</p>' if table.caption else ""
    return (
        f'<h2>{escape(table.name)}</h2><div class="scroll"><table><thead><tr><th></th>'
        f"{head}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>{caption}"
    )


def _cell(text: str) -> str:
    mark = ' class="over"' if text == "OVER" else ""
    return f"<td{mark}>{escape(text)}</td>"


def _figure(figure: Figure) -> str:
    picture = base64.b64encode(figure.png).decode("ascii")
    width, height = struct.unpack(">II", figure.png[16:24])  # of the PNG's header
    mark = ' class="wide"' if max(width, height) > WIDE_PIXELS else ""
    return (
        f'<figure{mark}><img alt="{escape(figure.name)}" src="data:image/png;base64,{picture}">'
        f"<figcaption><b>{escape(figure.name)}</b> {escape(figure.caption)}</figcaption></figure>"
    )
