"""Where results are kept: `benchmarks/results/<name>.json`, one file per run or benchmark."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benchmarks" / "results"


def result_path(name: str) -> Path:
    """Return where the result of a run is kept."""
    return RESULTS / f"{re.sub('[/:]', '-', name)}.json"


def read(name: str) -> dict[str, Any]:
    """Return the kept result of a run."""
    result: dict[str, Any] = json.loads(result_path(name).read_text(encoding="utf-8"))
    return result
