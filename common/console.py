"""The only module that prints: a header, one timed line a stage, tables, notices, the next step.

A run says little and says it in the same order in every pattern. On a terminal the output is
coloured and long work shows a progress bar; elsewhere it is plain lines that a log can keep.
Notices go to the error stream too loud to be missed: a fallback that nobody sees is a lie.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, TypeVar

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table as RichTable
    from rich.text import Text

    from common.evaluation.report import Report, Table

T = TypeVar("T")
BAR_AFTER_SECONDS = 2.0
PLAIN_EVERY_SECONDS = 10.0
PLAIN_SHARE = 0.05  # of the whole time, between two lines
OUTPUT_CLOSED = 141  # 128 + SIGPIPE, as a shell says it
PLAIN_WIDTH = 300  # of a table in a log, where nothing needs to fit a screen
GAP = 2  # blanks between two columns


class Stage:
    """The line of one stage while it runs; `note` adds a figure to it."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.notes: list[str] = []
        self.seconds = 0.0

    def note(self, text: str) -> None:
        """Add `text` to the line that is printed when the stage ends."""
        self.notes.append(text)


def header(name: str, source: object, config: object) -> None:
    """Open a run: what runs, on which data, with which seed and device."""
    rows, origin = getattr(source, "rows", ""), getattr(source, "origin", "")
    dataset = getattr(source, "name", str(source))
    device = _device_in_words(getattr(config, "device", "auto"))
    seed = getattr(config, "seed", 0)
    facts = f" · {dataset} ({origin}, {rows}) · seed {seed} · {device}"
    _say(_out(), (name, "bold"), facts, prose=True)
    text = getattr(source, "notice", None)
    if text:
        notice(text)


@contextmanager
def stage(name: str) -> Iterator[Stage]:
    """Time a stage and print one line when it ends, by an error too: name, seconds, notes."""
    current = Stage(name)
    start = time.perf_counter()
    try:
        yield current
    except BaseException:
        current.note("stopped here")
        raise
    finally:
        current.seconds = time.perf_counter() - start
        _say_beside(f"  {name:<13}{current.seconds:7.1f} s   ", current.notes)


def progress(iterable: Iterable[T], label: str, total: int | None = None) -> Iterator[T]:
    """Yield from `iterable`, showing a bar (or a plain line now and then) once it takes time."""
    if total is None and hasattr(iterable, "__len__"):
        total = len(iterable)  # type: ignore[arg-type]
    if _out().is_terminal:
        yield from _bar(iterable, label, total)
    else:
        yield from _plain_progress(iterable, label, total)


def notice(text: str) -> None:
    """Say what must not be missed: a fallback, a licence, a degraded result."""
    _say(_err(), ("NOTICE", "bold yellow"), f" {text}", prose=True)


def info(text: str) -> None:
    """Print one indented line."""
    _say(_out(), f"  {text}")


def line(text: str) -> None:
    """Print one line as it is, to be read by another program."""
    _say(_out(), text)


def error(text: str) -> None:
    """Print one line on the error stream."""
    _say(_err(), ("error", "bold red"), f" {text}")


def table(content: Table, *, rest: str = "on a wider terminal") -> None:
    """Print a table; baseline rows are marked, estimates carry their intervals.

    A name stays on its line. Columns that a terminal has no room for are named below the table;
    `rest` says where they are.
    """
    out = _out()
    grid, left = _fitting(content)
    out.print(grid)
    if left:
        columns = f"{len(left)} more column{'s' if len(left) > 1 else ''} {rest}"
        _say(out, (_shortened(f"  {columns}: {', '.join(left)}", out.width), "dim"))


def tables(found: Iterable[Table]) -> None:
    """Print tables one below the other, each with its caption."""
    for content in found:
        table(content)
        if content.caption:
            _say_beside("  ", [content.caption])


def drawn(text: Text) -> None:
    """Print a text of rich's as it is, its colours where a terminal shows them."""
    _out().print(text, soft_wrap=True)


def grid(columns: Sequence[str], rows: Iterable[Sequence[str | Text]]) -> None:
    """Print cells of text below the names of their columns, if these have names."""
    from rich.table import Table as RichTable

    made = RichTable(
        box=None, pad_edge=False, padding=(0, GAP, 0, 0), header_style="dim",
        show_header=any(columns),
    )  # fmt: skip
    for column in columns:
        made.add_column(column, overflow="fold")
    for row in rows:
        made.add_row(*row)
    _out().print(made)


def has_colours() -> bool:
    """Whether the output shows colours, as a terminal does."""
    return _out().is_terminal and not _out().no_color


def _fitting(content: Table) -> tuple[RichTable, tuple[str, ...]]:
    """Return the table with as many columns as fit, and the columns that do not.

    The first column stays in any case, without its interval if need be.
    """
    out = _out()
    for intervals, least in ((True, 1), (False, 0)):
        for count in range(len(content.columns), least - 1, -1):
            grid = _grid(content, content.columns[:count], intervals=intervals)
            needed = out.measure(grid, options=out.options.update(width=10_000)).maximum
            if needed <= out.width:
                return grid, content.columns[count:]
    return _grid(content, content.columns[:1], intervals=False), content.columns[1:]


def _grid(content: Table, columns: Sequence[str], *, intervals: bool) -> RichTable:
    from rich.table import Table as RichTable

    longest = _out().width // 2
    grid = RichTable(box=None, pad_edge=False, padding=(0, GAP, 0, 0))
    grid.add_column(_shortened(content.name, longest), style="bold", no_wrap=True)
    for column in columns:
        grid.add_column(_shortened(column, longest), justify="right", no_wrap=True)
    for row in content.rows:
        base = " (base)" if row.baseline else ""
        name = _shortened(f"  {row.name}", longest - len(base)) + base
        grid.add_row(name, *(row.text(column, interval=intervals) for column in columns))
    return grid


def _shortened(text: str, cells: int) -> str:
    """Cut a text to a width in cells of a terminal, with a mark where something is left out."""
    from rich.cells import cell_len, set_cell_size

    text = " ".join(text.splitlines())
    return text if cell_len(text) <= cells else set_cell_size(text, cells - 1).rstrip() + "…"


def summary(report: Report, run: Path, next_command: str) -> None:
    """Close a run: notices, tables, what was reached, where the report is, what to try next.

    The notice of the data is left out: `header` has said it at once, for runs that take long.
    """
    from common.evaluation.reached import sentence

    for text in report.notices:
        if text != report.source.notice:
            notice(text)
    for content in report.tables[: report.printed]:
        first = [report.metric] if report.metric in content.columns else []  # what is judged by
        columns = dict.fromkeys([*first, *content.columns])
        table(replace(content, columns=tuple(columns)), rest="in the report")
    if report.latency:
        table(report.latency_table(), rest="in the report")
    if report.tables:
        _say(_out(), (sentence(report), "bold"), prose=True)
    _say(_out(), f"report  {run / 'report.html'}")
    _say(_out(), f"next    {next_command}")


def _bar(iterable: Iterable[T], label: str, total: int | None) -> Iterator[T]:
    from rich.markup import escape
    from rich.progress import Progress

    start = time.perf_counter()
    bar = Progress(console=_out(), transient=True)
    task = bar.add_task(f"  {escape(label)}", total=total)
    shown = False
    try:
        for item in iterable:
            yield item
            bar.advance(task)
            if not shown and time.perf_counter() - start > BAR_AFTER_SECONDS:
                bar.start()
                shown = True
    finally:
        if shown:
            bar.stop()


def _plain_progress(iterable: Iterable[T], label: str, total: int | None) -> Iterator[T]:
    """Yield from `iterable`; say where it stands every ten seconds, or 20 times of long work."""
    start = said = time.perf_counter()
    for done, item in enumerate(iterable, start=1):
        yield item
        now = time.perf_counter()
        whole = (now - start) * total / done if total else 0.0  # seconds, as it looks now
        if now - said <= max(PLAIN_EVERY_SECONDS, whole * PLAIN_SHARE):
            continue
        said = now
        left = ""
        if total:
            left = f" of {total:,} ({done / total:.0%}), about {_clock(whole - (now - start))} left"
        _say(_out(), f"  {label}: {done:,}{left}")


def _clock(seconds: float) -> str:
    """Write a duration as hours, minutes and seconds: 45 s, 3:10, 1:02:00."""
    minutes, rest = divmod(round(seconds), 60)
    if not minutes:
        return f"{rest} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def output_is_closed() -> bool:
    """Whether the reader of a pipe that the output goes to has gone."""
    import select

    watched = select.poll()
    with suppress(OSError, ValueError):
        watched.register(sys.stdout.fileno(), 0)
    return any(event & select.POLLERR for _, event in watched.poll(0))


def closed_output() -> NoReturn:
    """End quietly, with exit code 141: whoever read the output closed it, as `head` does."""
    with suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.dup2(nowhere, sys.stderr.fileno())
    sys.exit(OUTPUT_CLOSED)


def _device_in_words(device: str) -> str:
    """Name the device without importing torch when the answer is the CPU anyway."""
    threads = os.environ.get("OMP_NUM_THREADS") or str(os.cpu_count())
    if device == "cpu":
        return f"cpu, {threads} threads"
    import torch

    if torch.cuda.is_available():
        return torch.cuda.get_device_name()
    return f"cpu, {threads} threads"


def _say(console: Console, *parts: str | tuple[str, str], prose: bool = False) -> None:
    """Print one line of texts, some with a style; nothing in them is read as markup.

    `prose` is broken between words on a terminal; all else stays one line, to be copied whole.
    """
    from rich.text import Text

    console.print(Text.assemble(*parts), soft_wrap=not (prose and console.is_terminal))


def _say_beside(head: str, notes: Sequence[str]) -> None:
    """Print `head` and its notes; those that a terminal has no room for stand below the first."""
    from rich.cells import cell_len
    from rich.table import Table as RichTable
    from rich.text import Text

    out, lines = _out(), [""]
    for note in notes:
        longer = f"{lines[-1]}   {note}" if lines[-1] else note
        full = out.is_terminal and cell_len(head + longer) > out.width
        lines[len(lines) - (not full) :] = [note if full else longer]
    if not out.is_terminal:
        _say(out, f"{head}{lines[0]}".rstrip())
        return
    grid = RichTable.grid()
    grid.add_column(no_wrap=True)
    grid.add_row(Text(head), Text("\n".join(filter(None, lines))))
    out.print(grid)


_consoles: dict[str, Console] = {}


def _out() -> Console:
    return _console("out")


def _err() -> Console:
    return _console("err")


def _console(stream: str) -> Console:
    """Make the console of a stream on first use, so that importing this module is free."""
    from rich.console import Console

    file = sys.stderr if stream == "err" else sys.stdout
    known = _consoles.get(stream)
    if known is None or known.file is not file:
        width = None if file.isatty() else PLAIN_WIDTH
        known = _consoles[stream] = Console(
            file=file, width=width, markup=False, emoji=False, highlight=False
        )
    return known
