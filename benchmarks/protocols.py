"""Run the recommender's published protocols, keep what they gave, and renew its README.

    python -m benchmarks.protocols                      both
    python -m benchmarks.protocols recommenders-ml100k  one of them
    python -m benchmarks.protocols --render             only rewrite the README from what is kept

The result is kept as `benchmarks/results/recsys-protocols.json`; the block between the markers of
the README is made from it alone, and a test holds the two equal.
"""

from __future__ import annotations

import dataclasses
import json
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from benchmarks.arguments import chosen
from benchmarks.figures import machine, render_into, table_markdown
from benchmarks.kept import RESULTS, ROOT
from common import console
from common.atomic import write_json
from common.config import set_openmp_waiting

PATH = RESULTS / "recsys-protocols.json"
README = ROOT / "patterns" / "recsys" / "README.md"


def main(arguments: Sequence[str]) -> int:
    """Run the named protocols, all where none is named."""
    from patterns.recsys.protocols import PROTOCOLS

    command = "benchmarks.protocols"
    options = chosen(arguments, command=command, about=__doc__, known=PROTOCOLS)
    set_openmp_waiting()
    kept = read() if PATH.is_file() else {}
    for name in options.names:
        if not options.render:
            kept[name] = measure(name)
            RESULTS.mkdir(parents=True, exist_ok=True)
            write_json(PATH, kept)
    render_into(README, markdown(kept), block="protocols")
    return 0


def measure(name: str) -> dict[str, Any]:
    """Run one protocol and give its tables."""
    from patterns.recsys.config import Config
    from patterns.recsys.data import load
    from patterns.recsys.protocols import run

    config = Config(protocol=name)  # type: ignore[arg-type]
    table = load(config)
    start = time.perf_counter()
    tables = run(name, table, config)
    seconds = time.perf_counter() - start
    for each in tables:
        console.table(each)
    return {
        "command": f"python -m patterns.recsys.train --protocol {name}",
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "machine": machine(),
        "seconds": round(seconds, 1),
        "tables": [dataclasses.asdict(each) for each in tables],
    }


def read() -> dict[str, Any]:
    """Return what is kept."""
    kept: dict[str, Any] = json.loads(PATH.read_text(encoding="utf-8"))
    return kept


def markdown(kept: dict[str, Any]) -> str:
    """Return the kept tables as Markdown."""
    lines = []
    for result in kept.values():
        when = f"{result['seconds']:.0f} s, {result['machine']}, {result['date']}"
        lines += ["", f"`{result['command']}`: {when}.", ""]
        for table in result["tables"]:
            lines += [*table_markdown(table), "", table["caption"], ""]
    return "\n".join(lines[1:-1])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
