"""What a run costs is counted from the start of its command, and told with it."""

import json
import time
from pathlib import Path

import pytest
from toy_run import Config, Pipeline, report

from common import artifacts, cost
from common.config import RunConfig, run


@pytest.fixture(autouse=True)
def nothing_begun(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cost, "_began", [])


def test_what_has_not_begun_has_no_cost(tmp_path: Path) -> None:
    assert cost.spent() is None
    made = artifacts.save(Pipeline(), report(), Config(runs=tmp_path), name="toy")
    assert json.loads((made / "manifest.json").read_text())["cost"] is None


def test_a_command_begins_the_count() -> None:
    seen: list[cost.Cost | None] = []

    def main(config: RunConfig) -> None:
        time.sleep(0.01)
        seen.append(cost.spent())

    run(main, {"default": RunConfig()}, description="Nothing.", argv=[])
    assert seen[0] is not None and 0.01 <= seen[0].seconds < 60
    assert seen[0].memory_gib is None or 0.01 < seen[0].memory_gib < 100


def test_a_saved_run_tells_its_cost(tmp_path: Path) -> None:
    cost.begin()
    made = artifacts.save(Pipeline(), report(), Config(runs=tmp_path), name="toy")
    told = json.loads((made / "manifest.json").read_text())["cost"]
    assert told["seconds"] >= 0 and "the command took" in (made / "report.html").read_text()
    assert "cost" not in json.loads((made / "metrics.json").read_text())


@pytest.mark.parametrize(
    ("spent", "said"),
    [
        (cost.Cost(1234.5, 1.26), "1,234 s and 1.3 GiB of memory"),
        (cost.Cost(1.25), "1.2 s"),
        (cost.Cost(60.0, 2.0, 0.51), "60 s and 2.0 GiB of memory and 0.5 GiB on the GPU"),
    ],
)
def test_a_cost_in_words(spent: cost.Cost, said: str) -> None:
    assert spent.in_words() == said
