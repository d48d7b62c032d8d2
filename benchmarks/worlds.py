"""The recommender in the simulated world, where it is known what people truly like.

    python -m benchmarks.worlds             every command below, one after the other
    python -m benchmarks.worlds --render    only rewrite the README from what is kept

The offline default, the same with rankers that learn from the log of what was shown (the two are
compared user by user), and a million events. What each gave is kept as
`benchmarks/results/recsys-worlds.json`; the block of the README is made from that alone, and a test
holds the two equal.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.figures import render_into, run_alone, table_markdown
from benchmarks.kept import RESULTS, ROOT
from common.atomic import write_json
from common.config import parse
from common.evaluation.bootstrap import paired_difference

if TYPE_CHECKING:
    from common.artifacts import Run

PATH = RESULTS / "recsys-worlds.json"
README = ROOT / "patterns" / "recsys" / "README.md"
TRAIN = ("patterns.recsys.train", "--dataset", "simulated-movies")
COMMANDS: dict[str, tuple[str, ...]] = {
    "offline default": TRAIN,
    "learned from exposures": (*TRAIN, "--ranking.examples", "exposures"),
    "a million events": (*TRAIN, "--world.users", "20000", "--world.events", "1000000"),
}
STEPS = ("popularity", "merged", "+ ranking", "+ re-ranking")
METRICS = ("NDCG@10", "true liking@10")
# two runs in one world whose ranked lists are compared, user by user, in the table of the second
COMPARED = ("offline default", "learned from exposures")


def main(arguments: Sequence[str]) -> int:
    """Run every command and rewrite the README."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.worlds",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--render", action="store_true", help="only rewrite the README")
    if not parser.parse_args(arguments).render:
        pages: dict[str, dict[str, np.ndarray]] = {}
        kept = {name: measure(name, pages) for name in COMMANDS}
        kept[COMPARED[1]]["metrics"]["rows"].append(compared(*(pages[name] for name in COMPARED)))
        RESULTS.mkdir(parents=True, exist_ok=True)
        write_json(PATH, kept)
    render_into(README, markdown(read()), block="worlds")
    return 0


def measure(name: str, pages: dict[str, dict[str, np.ndarray]]) -> dict[str, Any]:
    """Run one command and give what it measured; note in `pages` what is compared by user."""

    def look(run: Run) -> None:
        if name in COMPARED:
            pages[name] = per_user(COMMANDS[name], run)

    result = run_alone("recsys", COMMANDS[name], look=look)
    return result | {"metrics": {"rows": _rows(result["metrics"])}}


def _rows(metrics: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the steps of the quality table with the metrics that are kept."""
    rows = {row["name"]: row for row in metrics["tables"][0]["rows"]}
    rows[STEPS[-1]] = metrics["tables"][0]["rows"][-1]  # of whichever list is served
    return [
        {
            "name": name,
            "baseline": rows[name]["baseline"],
            "values": {metric: rows[name]["values"][metric] for metric in METRICS},
        }
        for name in STEPS
    ]


def per_user(command: Sequence[str], run: Run) -> dict[str, np.ndarray]:
    """Return each metric of the ranked lists of a saved run, one value per test user."""
    from patterns.recsys.config import PRESETS
    from patterns.recsys.data import load, split
    from patterns.recsys.evaluation.asked import ask
    from patterns.recsys.evaluation.scorer import Scorer
    from patterns.recsys.pipeline import Pipeline

    config = parse(PRESETS, description="", argv=list(command[1:]))
    splits = split(load(config), config)
    pipeline = Pipeline.load(run.pipeline)
    asked = ask(pipeline, splits)
    values = Scorer(pipeline, asked, splits).per_user(asked.lists["+ ranking"])
    return {metric: values[metric] for metric in METRICS}


def compared(first: dict[str, np.ndarray], second: dict[str, np.ndarray]) -> dict[str, Any]:
    """Return the row of differences, paired by user, of the second from the first."""
    values = {}
    for metric in METRICS:
        found = paired_difference(second[metric], first[metric])
        values[metric] = {"value": found.value, "low": found.low, "high": found.high}
    name = f"+ ranking, over that of the {COMPARED[0]}"
    return {"name": name, "baseline": False, "values": values}


def read() -> dict[str, Any]:
    """Return what is kept."""
    kept: dict[str, Any] = json.loads(PATH.read_text(encoding="utf-8"))
    return kept


def markdown(kept: dict[str, Any]) -> str:
    """Return the kept results as Markdown."""
    lines = []
    for name, result in kept.items():
        lines += [
            "",
            f"**{name}**: `{result['command']}`, {result['seconds']:.0f} s, peak memory"
            f" {result['peak_memory_gib']:.2f} GiB, {result['machine']}, {result['date']}.",
            "",
            *table_markdown({"columns": METRICS, "rows": result["metrics"]["rows"]}),
        ]
    return "\n".join(lines[1:])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
