"""Run the default train commands, keep what they measured, and renew the READMEs' figures.

    python -m benchmarks.figures                 every pattern
    python -m benchmarks.figures recsys fraud    some of them
    python -m benchmarks.figures --render        only rewrite the READMEs from the kept results

Each command runs alone in a process of its own, so that its wall time and peak memory are its own.
Results are kept under `benchmarks/results/<name>.json`; the block between the markers of a README
is made from them and from nothing else, figures in sentences too (`benchmarks.prose`), and a test
holds them equal.
"""

from __future__ import annotations

import json
import os
import platform
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks import prose
from benchmarks.arguments import chosen
from benchmarks.kept import ROOT, read, result_path
from common import console
from common.artifacts import Run, open_run
from common.atomic import write_json, write_text

README = ROOT / "benchmarks" / "README.md"
BEGIN, END = "<!-- figures:begin -->", "<!-- figures:end -->"

# benchmarks with a command and a block in `README` of their own, those that were run
SPEED = tuple(
    name
    for name in ("retrieval", "als", "metrics", "ladder", "trainer")
    if result_path(name).is_file()
)

# name of the run -> what follows `python -m`; what stands before a colon is the pattern's folder,
# what stands after it the block of its README
COMMANDS: dict[str, tuple[str, ...]] = {
    "recsys": ("patterns.recsys.train",),
    "search_ranking": ("patterns.search_ranking.train",),
    "fraud": ("patterns.fraud.train",),
    "nlp/classification": ("patterns.nlp.train",),
    "nlp/translation": ("patterns.nlp.train", "translation"),
    "vision/classification": ("patterns.vision.train",),
    "vision/detection": ("patterns.vision.train", "detection"),
    "vision/segmentation": ("patterns.vision.train", "segmentation"),
    "vision/segmentation:camvid": ("patterns.vision.train", "segmentation", "--dataset", "camvid"),
}

# name of the run -> the row that it is compared with on the front page, where a simple baseline is
# stronger than the first row
STRONGER = {"search_ranking": "BM25, by field", "fraud": "logistic regression"}


def main(arguments: Sequence[str]) -> int:
    """Measure the named runs (all, where none is named) and rewrite their READMEs."""
    command = "benchmarks.figures"
    options = chosen(arguments, command=command, about=__doc__, known=COMMANDS)
    for name in options.names:
        if not options.render:
            measure(name)
        if result_path(name).is_file():
            readme, block = page_of(name)
            render_into(readme, markdown(read(name)), block=block)
    render_into(ROOT / "README.md", summary())
    for name in SPEED:
        render_into(README, markdown(read(name)), block=name)
    prose.render_pages()
    return 0


def measure(name: str) -> None:
    """Run the command of `name` and keep what it measured."""
    path = result_path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, run_alone(name, COMMANDS[name]))


def run_alone(
    name: str, command: Sequence[str], *, look: Callable[[Run], None] = lambda run: None
) -> dict[str, Any]:
    """Run a train command of `name` in a process of its own and give what it measured.

    `look` may read the saved run, which is removed afterwards.
    """
    console.info(f"python -m {' '.join(command)}")
    with tempfile.TemporaryDirectory() as runs:
        start = time.perf_counter()
        process = subprocess.Popen([sys.executable, "-m", *command, "--runs", runs], cwd=ROOT)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise SystemExit(f"{' '.join(command)} failed with exit code {process.returncode}")
        run = open_run("latest", name=name.partition(":")[0], runs=Path(runs))
        metrics = json.loads((run.path / "metrics.json").read_text(encoding="utf-8"))
        look(run)
    return {
        "command": f"python -m {' '.join(command)}",
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "seconds": round(seconds, 1),
        "peak_memory_gib": round(usage.ru_maxrss / (1024**2), 2),
        "machine": machine(),
        "versions": run.manifest["versions"],
        "metrics": metrics,
    }


def machine() -> str:
    """Return the machine in words: cores, memory, architecture."""
    pages = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return f"{os.cpu_count()} cores, {pages / 1024**3:.0f} GiB, {platform.machine()}"


def page_of(name: str) -> tuple[Path, str]:
    """Return the README that a run's figures stand in, and their block."""
    pattern, _, block = name.partition(":")
    return ROOT / "patterns" / pattern / "README.md", block


def render_into(readme: Path, figures: str, *, block: str = "") -> None:
    """Replace what stands between the markers of `readme`, those of `block` if it is named."""
    text = readme.read_text(encoding="utf-8")
    begin, end = markers(block)
    if begin not in text or end not in text:
        raise SystemExit(f"{readme} lacks the markers {begin} and {end}")
    between = re.compile(re.escape(begin) + ".*?" + re.escape(end), re.DOTALL)
    write_text(readme, between.sub(lambda _: f"{begin}\n{figures}\n{end}", text, count=1))


def markers(block: str = "") -> tuple[str, str]:
    """Return what stands before and after the figures of a README, or of one block of it."""
    if not block:
        return BEGIN, END
    return f"<!-- figures:{block}:begin -->", f"<!-- figures:{block}:end -->"


def markdown(result: dict[str, Any]) -> str:
    """Return the figures of a result as Markdown."""
    metrics = result["metrics"]
    source = metrics["dataset"]
    lines = [
        f"`{result['command']}` on {source['name']} ({source['origin']}):"
        f" {result['seconds']:.0f} s, peak memory {result['peak_memory_gib']:.2f} GiB,"
        f" {result['machine']}, {result['date']}.",
    ]
    for place, table in enumerate(metrics["tables"]):
        served = "" if place else metrics.get("served", "")
        lines += ["", f"**{table['name']}**", "", *table_markdown(table, served=served)]
        if table["caption"]:
            lines += ["", table["caption"]]
    if metrics["latency"]:
        lines += ["", "**latency**, one request at a time, warm, in process", ""]
        lines += _latency(metrics["latency"])
    return "\n".join(lines)


def summary() -> str:
    """Return one line per kept result: the baseline by its metric, what serves, and the cost."""
    columns = ["run", "dataset", "metric", "baseline", "ours", "seconds", "GiB"]
    lines = [_line(columns), _line(["---"] * 3 + ["---:"] * 4)]
    for name in filter(lambda name: result_path(name).is_file(), COMMANDS):
        result = read(name)
        metrics = result["metrics"]
        metric, rows = metrics["metric"], metrics["tables"][0]["rows"]
        first = next(row["name"] for row in rows if row["baseline"])
        base = next(row for row in rows if row["name"] == STRONGER.get(name, first))
        ours = next(row for row in rows if row["name"] == metrics["served"])
        link = f"[{name}](patterns/{name.partition(':')[0]}/README.md)"
        cells = [link, metrics["dataset"]["name"], metric]
        cells += [f"{base['name']} {_cell(base['values'][metric])}", _cell(ours["values"][metric])]
        lines.append(
            _line([*cells, f"{result['seconds']:.0f}", f"{result['peak_memory_gib']:.1f}"])
        )
    return "\n".join(lines)


def table_markdown(table: dict[str, Any], *, served: str = "") -> list[str]:
    """Return a table as lines of Markdown; the row named `served` is marked, as the baseline is."""
    columns = table["columns"]
    lines = [_line(["", *columns]), _line(["---", *["---:"] * len(columns)])]
    for row in table["rows"]:
        serves = bool(served) and row["name"] == served
        marks = ["baseline"] * row["baseline"] + ["served"] * serves
        name = f"{row['name']} ({', '.join(marks)})" if marks else row["name"]
        lines.append(_line([name, *(_cell(row["values"].get(column)) for column in columns)]))
    return lines


def _latency(stages: list[dict[str, Any]]) -> list[str]:
    columns = ["stage", "p50 ms", "p95 ms", "p99 ms", "budget ms"]
    lines = [_line(columns), _line(["---", *["---:"] * 4])]
    for each in stages:
        figures = [f"{each[key]:.2f}" for key in ("p50_ms", "p95_ms", "p99_ms")]
        figures[-1] += "" if each["within_budget"] else " OVER"
        lines.append(_line([each["stage"], *figures, f"{each['budget_ms']:g}"]))
    return lines


def _cell(value: Any) -> str:
    from common.evaluation.report import Estimate, number

    if value is None:
        return "–"
    if isinstance(value, str):
        return value.replace("|", "\\|")
    if isinstance(value, dict):
        return str(Estimate(value["value"], value["low"], value["high"]))
    return number(value)


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
