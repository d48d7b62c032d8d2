"""Figures in sentences come from kept runs, or say what else they are."""

import json
from pathlib import Path

import pytest

from benchmarks import kept, prose

PAGES = {page.relative_to(prose.ROOT).as_posix(): page for page in prose.pages()}
ROWS = [
    {"name": "mean", "baseline": True, "values": {"AP": 0.25, "saved": "-8.0%", "ms": 1234.56}},
    {
        "name": "trees, weighted",
        "baseline": False,
        "values": {"AP": {"value": 0.5, "low": 0.4444, "high": 0.5555}, "saved": "83.7%"},
    },
    {"name": "gain of trees", "baseline": False, "values": {"metric": "AP", "gain": 0.25}},
    {"name": "gain of trees", "baseline": False, "values": {"metric": "AUC", "gain": 0.125}},
]
RUN = {
    "seconds": 68.1,
    "metrics": {
        "tables": [{"name": "quality", "columns": [], "rows": ROWS}],
        "latency": [{"stage": "all", "p99_ms": 17.29}],
    },
}


@pytest.fixture(autouse=True)
def run(request, tmp_path, monkeypatch) -> None:
    """Keep the run `toy/task` instead of ours, but for the tests of pages."""
    if "page" not in request.fixturenames:
        (tmp_path / "toy-task.json").write_text(json.dumps(RUN), encoding="utf-8")
        monkeypatch.setattr(kept, "RESULTS", tmp_path)
        monkeypatch.setattr(prose, "RESULTS", tmp_path)
        prose._kept.cache_clear()


@pytest.mark.parametrize("page", PAGES)
def test_figures_in_sentences_come_from_kept_runs(page: str) -> None:
    text = PAGES[page].read_text(encoding="utf-8")
    assert prose.render(text) == text, "run python -m benchmarks.figures --render"


@pytest.mark.parametrize("page", PAGES)
def test_no_figure_in_a_sentence_is_typed_by_hand(page: str) -> None:
    assert not prose.unproven(PAGES[page].read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("written", "path", "rendered"),
    [
        (".000", "quality / trees, weighted / AP", ".500"),
        ("0.00", "quality / mean / AP", "0.25"),
        ("9.99 [9.99, 9.99]", "quality / trees, weighted / AP", "0.50 [0.44, 0.56]"),
        ("+1 %", "quality / trees / saved", "+84 %"),
        ("9", "quality / mean / ms", "1235"),
        ("9,999.9", "quality / mean / ms", "1,234.6"),
        ("99 ms", "latency / all / p99_ms", "17 ms"),
        ("99", "seconds", "68"),
        (".9", "quality / gain of trees / AUC / gain", ".1"),
        ("half", "quality / mean / AP", "a quarter"),
        ("Twice", "quality / mean / AP", "A quarter"),
    ],
)
def test_a_figure_is_written_again_as_it_was_written(written, path, rendered) -> None:
    text = f"Up to {written}<!-- toy/task / {path} --> of it."
    assert prose.render(text) == text.replace(written, rendered, 1)


@pytest.mark.parametrize(
    ("operation", "rendered"),
    [
        ("ratio: toy/task / quality / trees / AP; mean / AP", "2.00"),
        ("difference: toy/task / quality / mean / AP; trees / AP", "-0.25"),
        ("gain: toy/task / quality / trees / AP; mean / AP", "1.00"),
        ("cut: toy/task / quality / mean / AP; trees / AP", "0.50"),
        ("minus: toy/task / quality / mean / saved", "0.08"),
    ],
)
def test_figures_are_compared(operation: str, rendered: str) -> None:
    assert prose.render(f"9.99<!-- {operation} -->") == f"{rendered}<!-- {operation} -->"


def test_a_comment_may_be_broken_over_lines() -> None:
    text = "The trees reach .50<!-- toy/task / quality /\ntrees, weighted / AP -->, no more."
    assert prose.render(text) == text


def test_a_default_of_a_configuration_is_a_figure() -> None:
    text = "A list holds 9<!-- recsys config / candidates / keep --> items."
    assert "holds 200<!--" in prose.render(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1<!-- toy/task / quality / nobody / AP -->", "no 'nobody' is kept"),
        ("1<!-- toy/task / quality / gain / AP -->", "no 'gain' is kept, or more than one"),
        ("1<!-- toy/task / quality / gain of trees / gain -->", "or more than one"),
        ("1<!-- other / quality / mean / AP -->", "'other' is kept; there are toy-task"),
        ("1<!-- toy/task / quality / gain of trees / AP / metric -->", "not a figure"),
        ("1 [0, 2]<!-- toy/task / quality / mean / AP -->", "has no interval"),
        ("many<!-- toy/task / quality / mean / AP -->", "stands right before"),
        ("a tenth<!-- toy/task / seconds -->", "write digits"),
        ("1<!-- given: known -->", "is one of arithmetic, assumption"),
        ("1<!-- ratio: toy/task / seconds -->", "does not take 1"),
    ],
)
def test_what_is_not_kept_is_told(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        prose.render(text)


@pytest.mark.parametrize(
    "text",
    [
        "It reaches .344 here.",
        "| trees | .9 at most |",
        "It saves 84 % of the money.",
        "An answer takes 20 ms, or two seconds.",
        "It takes about a millisecond.",
        "512 MB in all, at 200 documents a second.",
        "It handles hundreds of images per second.",
        "A quarter of the time, half the work.",
        "It is three times as fast, or twice the cost.",
        "Published: .93 elsewhere.",
    ],
)
def test_what_looks_measured_is_found(text: str) -> None:
    assert prose.unproven(f"# Title\n\n## Model\n\n{text}\n")


@pytest.mark.parametrize(
    "text",
    [
        "## Requirements\n\nBelow 20 ms.",
        "## In an interview\n\nClarify for 5 minutes.",
        "The threshold is `0.5`, see [the page](https://example.org/1.5).",
        "```\n0.5 s\n```",
        "<!-- figures:a:begin -->\n| .5 |\n<!-- figures:a:end -->",
        "It reaches .5<!-- toy/task / quality / mean / AP -->, 84 %<!-- given: source -->.",
        "Ten items, 1,682 in all; scored twice; a second one; NDCG@.5; a half-life.",
    ],
)
def test_what_is_given_is_left_alone(text: str) -> None:
    assert not prose.unproven(f"# Title\n\n{text}\n")


def test_every_page_with_figures_is_looked_at() -> None:
    """A decision and the changelog keep the figures of their day."""
    assert {"README.md", "patterns/recsys/README.md", "docs/your-data.md"} <= set(PAGES)
    assert all(isinstance(page, Path) and page.is_file() for page in PAGES.values())
