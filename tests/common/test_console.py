"""What a run says: plain off a terminal, notices on the error stream, user text never markup."""

import os
import pty
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from common import console
from common.evaluation.report import Estimate, Report, Row, Table

ROOT = Path(__file__).parents[2]
HOSTILE = "[red]films[/] [/nothing] :warning: [link=x]y \\"


@dataclass(frozen=True)
class Source:
    name: str = "a [bold]name[/].csv"
    origin: str = "file"
    rows: str = "3 rows"
    notice: str | None = "fell back to [dim]nothing[/]"


@dataclass(frozen=True)
class Config:
    seed: int = 7
    device: str = "cpu"


def wide_table(name: str = "quality") -> Table:
    columns = ("NDCG@10", "Recall@100", "P@10", "MRR", "ILS@10", "coverage@10")
    values = {column: Estimate(0.5, 0.25, 0.75) for column in columns}
    return Table(name, columns, (Row("popularity", values, baseline=True), Row("+ all", values)))


@pytest.mark.parametrize("say", [console.info, console.notice, console.error])
def test_markup_in_a_users_text_is_shown_as_it_is(
    say: object, capsys: pytest.CaptureFixture[str]
) -> None:
    say(HOSTILE)  # type: ignore[operator]
    said = capsys.readouterr()
    assert HOSTILE in said.out + said.err


def test_markup_in_stages_headers_tables_and_paths_is_shown_as_it_is(
    capsys: pytest.CaptureFixture[str],
) -> None:
    console.header("recsys", Source(), Config())
    with console.stage("[red]fit[/]") as stage:
        stage.note(HOSTILE)
    console.table(Table(HOSTILE, (HOSTILE,), (Row(HOSTILE, {HOSTILE: HOSTILE}),)))
    report = Report("recsys", Source())  # type: ignore[arg-type]
    console.summary(report, Path("runs/[bold]/x"), next_command="python -m x --path '[red]a'")
    said = capsys.readouterr()
    assert "a [bold]name[/].csv (file, 3 rows) · seed 7 · cpu" in said.out
    assert "  [red]fit[/] " in said.out and said.out.count(HOSTILE) == 5
    assert "report  runs/[bold]/x/report.html\n" in said.out
    assert "next    python -m x --path '[red]a'\n" in said.out


@pytest.mark.parametrize(("count", "said"), [("1", "cpu, 1 thread\n"), ("2", "cpu, 2 threads\n")])
def test_a_header_says_how_many_threads_compute(
    count: str, said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", count)
    console.header("recsys", Source(), Config())
    assert capsys.readouterr().out.endswith(said)


def test_notices_and_errors_go_to_the_error_stream(capsys: pytest.CaptureFixture[str]) -> None:
    console.notice("simulated data")
    console.error("no such file")
    console.header("recsys", Source(), Config())
    said = capsys.readouterr()
    assert said.err.splitlines() == [
        "NOTICE simulated data",
        "error no such file",
        "NOTICE fell back to [dim]nothing[/]",
    ]
    assert "NOTICE" not in said.out


def test_a_summary_says_every_notice_but_that_of_the_data_which_the_header_said(
    capsys: pytest.CaptureFixture[str],
) -> None:
    source = Source(notice="simulated data")
    console.header("recsys", source, Config())
    report = Report("recsys", source, notices=["no MiniLM", "too few users"])  # type: ignore[arg-type]
    console.summary(report, Path("runs/x"), next_command="python -m x")
    expected = ["NOTICE simulated data", "NOTICE no MiniLM", "NOTICE too few users"]
    assert capsys.readouterr().err.splitlines() == expected


def test_tables_are_printed_with_their_captions(capsys: pytest.CaptureFixture[str]) -> None:
    rows = (Row("ours", {"AP": 0.5}),)
    console.tables([Table("first", ("AP",), rows, "Of one run."), Table("second", ("AP",), rows)])
    said = [line.strip() for line in capsys.readouterr().out.splitlines() if line.strip()]
    assert [line.split()[0] for line in said] == ["first", "ours", "Of", "second", "ours"]


def test_a_summary_shows_only_the_tables_that_are_printed(
    capsys: pytest.CaptureFixture[str],
) -> None:
    tables = [wide_table(name) for name in ("first", "second", "third")]
    report = Report("recsys", Source(), tables=tables, printed=2)  # type: ignore[arg-type]
    console.summary(report, Path("runs/x"), next_command="python -m x")
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines][::3] == ["first", "second", "recsys"]
    assert lines[6].startswith("recsys has no figure to compare") and lines[7].startswith("report")


def test_the_column_that_a_run_is_judged_by_comes_first(capsys: pytest.CaptureFixture[str]) -> None:
    report = Report("recsys", Source(), tables=[wide_table()], metric="MRR")  # type: ignore[arg-type]
    console.summary(report, Path("runs/x"), next_command="python -m x")
    head = capsys.readouterr().out.splitlines()[0].split()
    assert head[1:4] == ["MRR", "NDCG@10", "Recall@100"] and head.count("MRR") == 1
    assert report.tables[0].columns[0] == "NDCG@10"  # only on the console


def test_a_stage_prints_one_timed_line_with_its_notes(capsys: pytest.CaptureFixture[str]) -> None:
    with console.stage("ranking") as stage:
        time.sleep(0.06)
        stage.note("valid AUC .71")
        stage.note("30 trees")
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 1
    assert re.fullmatch(r"  ranking {6}\s+0\.\d s   valid AUC \.71   30 trees", lines[0])
    assert stage.seconds >= 0.06


def test_a_stage_that_raises_says_where_it_stopped_and_passes_the_error_on(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(ValueError, match="too few rows"), console.stage("ranking") as stage:
        stage.note("half way")
        raise ValueError("too few rows")
    line = capsys.readouterr().out
    assert line.startswith("  ranking") and line.endswith("half way   stopped here\n")


def test_a_table_off_a_terminal_is_whole_however_wide(capsys: pytest.CaptureFixture[str]) -> None:
    console.table(wide_table())
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["quality", "popularity", "+"]
    assert lines[1].count("0.5000 [0.2500, 0.7500]") == 6 and "(base)" in lines[1]
    assert "…" not in "".join(lines)


def test_what_a_row_lacks_or_is_not_a_number_is_a_dash(capsys: pytest.CaptureFixture[str]) -> None:
    rows = (Row("one", {"a": float("nan"), "b": None, "c": 3}),)
    console.table(Table("t", ("a", "b", "c", "d"), rows))
    assert capsys.readouterr().out.splitlines()[1].split() == ["one", "–", "–", "3", "–"]


def test_progress_yields_everything_and_is_silent_when_quick(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert list(console.progress(range(5), "towers")) == [0, 1, 2, 3, 4]
    assert list(console.progress(iter("ab"), "towers", total=2)) == ["a", "b"]
    assert capsys.readouterr().out == ""


def test_progress_off_a_terminal_is_plain_lines(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(console, "PLAIN_EVERY_SECONDS", 0.0)
    monkeypatch.setattr(console, "PLAIN_SHARE", 0.0)
    list(console.progress([1, 2], "[towers]"))
    assert capsys.readouterr().out == (
        "  [towers]: 1 of 2 (50%), about 0 s left\n  [towers]: 2 of 2 (100%), about 0 s left\n"
    )


def test_progress_off_a_terminal_tells_the_time_left_and_not_too_often(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = iter(range(0, 100_000, 7))  # each step takes seven seconds
    monkeypatch.setattr(console.time, "perf_counter", lambda: float(next(now)))
    list(console.progress(range(1000), "towers"))
    lines = capsys.readouterr().out.splitlines()
    assert 15 <= len(lines) <= 20
    assert lines[0] == "  towers: 51 of 1,000 (5%), about 1:50:43 left"
    assert lines[-1].endswith("left")


def test_progress_stops_with_its_consumer_and_passes_errors_on() -> None:
    closed = []

    def numbers() -> Iterator[int]:
        try:
            yield from range(10)
        finally:
            closed.append(True)

    for number in console.progress(numbers(), "x"):
        if number == 3:
            break
    with pytest.raises(ZeroDivisionError):
        list(console.progress((1 // (2 - n) for n in range(5)), "x"))
    assert closed == [True]


def run_child(code: str, *, columns: int | None = None) -> str:
    """Run code off a terminal, or on one of some `columns`; gives its standard output."""
    environment = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "FORCE_COLOR")}
    command = [sys.executable, "-c", code]
    if columns is None:
        environment["COLUMNS"] = "40"  # must not matter
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, check=True)
        return done.stdout.decode()
    environment |= {"TERM": "xterm-256color", "COLUMNS": str(columns), "LINES": "40"}
    primary, secondary = pty.openpty()
    child = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=secondary)
    os.close(secondary)
    said = b""
    while True:
        try:
            piece = os.read(primary, 65536)
        except OSError:  # Linux: the other end is closed
            break
        if not piece:
            break
        said += piece
    os.close(primary)
    assert child.wait() == 0
    return said.decode()


TABLE_OF_THREE = """
from common import console
from common.evaluation.report import Estimate, Row, Table
columns = ("NDCG@10", "Recall@100", "P@10", "MRR")
values = {column: Estimate(0.5, 0.25, 0.75) for column in columns}
console.table(Table("quality", columns, (Row("popularity", values, baseline=True),)))
"""


def test_off_a_terminal_there_is_no_escape_sequence_and_no_folding() -> None:
    said = run_child(TABLE_OF_THREE)
    assert "\x1b" not in said and said.count("0.5000 [0.2500, 0.7500]") == 4


def plain(said: str) -> list[str]:
    """Lines of a terminal without their colours."""
    return re.sub(r"\x1b\[[0-9;]*m", "", said).splitlines()


@pytest.mark.parametrize(("columns", "shown"), [(80, 2), (120, 4), (200, 4)])
def test_a_terminal_gets_the_columns_that_fit_and_is_told_of_the_others(
    columns: int, shown: int
) -> None:
    said = run_child(TABLE_OF_THREE, columns=columns)
    lines = plain(said)
    assert "\x1b[" in said  # coloured
    assert lines[1].startswith("  popularity (base)")
    assert lines[1].count("0.5000 [0.2500, 0.7500]") == shown
    assert max(map(len, lines)) <= columns and "…" not in said
    assert ("  2 more columns on a wider terminal: P@10, MRR" in lines) == (shown == 2)


def test_a_very_narrow_terminal_drops_intervals_before_it_cuts_figures() -> None:
    lines = plain(run_child(TABLE_OF_THREE, columns=40))
    assert lines[1].split() == ["popularity", "(base)", "0.5000", "0.5000"]


STAGE = """
from common import console
from common.evaluation.report import Row, Table
with console.stage("ranking") as stage:
    for name in ("lightgbm", "catboost", "deep-fm"):
        stage.note(f"{name} [b] NDCG@10 0.1234")
    stage.note("served: lightgbm")
console.tables([Table("quality", (), (), "words of a caption " * 9)])
"""


def test_what_is_longer_than_a_line_of_a_terminal_is_broken_between_words() -> None:
    lines = plain(run_child(STAGE, columns=80))
    assert max(map(len, lines)) <= 80
    said = " ".join(" ".join(lines).split())
    assert "deep-fm [b] NDCG@10 0.1234 served: lightgbm" in said
    assert said.count("words of a caption") == 9
    assert lines[0].startswith("  ranking") and lines[1].startswith(" " * 27)  # below the first
    assert lines[0].rstrip().endswith("NDCG@10 0.1234")  # a note stays whole where it fits
    assert len(run_child(STAGE).splitlines()) == 3  # in a log each stays one line


HOSTILE_TABLE = """
from common import console
from common.evaluation.report import Estimate, Row, Table
columns = ("c" * 60, *map(str, range(30)))
names = ("n" * 60, "名前" * 30, "שלום " * 20, "two\\nlines")
rows = tuple(Row(name, {c: Estimate(0.5, 0.25, 0.75) for c in columns}, True) for name in names)
console.table(Table("t" * 90, columns, rows))
console.table(Table("none", (), ()))
console.notice("word " * 60)
"""


@pytest.mark.parametrize("columns", [80, 120])
def test_long_names_of_any_script_and_many_columns_stay_on_their_lines(columns: int) -> None:
    from rich.cells import cell_len

    lines = plain(run_child(HOSTILE_TABLE, columns=columns))
    assert max(map(cell_len, lines)) <= columns
    assert [line.count("(base)") for line in lines[1:5]] == [1, 1, 1, 1]
    assert lines[1].count("…") == 1 and "two lines (base)" in lines[4]
    assert "more columns on a wider terminal: " in lines[5]


def test_importing_the_console_is_free() -> None:
    code = (
        "import sys, common.console as c; print([m for m in ('rich', 'torch') if m in sys.modules])"
    )
    assert run_child(code).strip() == "[]"
