"""One report, three forms: console text, JSON without NaN, one HTML file that needs no network."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from toy_report import Source

from common.evaluation import html
from common.evaluation.latency import Latency
from common.evaluation.report import (
    Estimate,
    Report,
    Row,
    Table,
    add_canvas,
    figure,
    number,
)

NAN = float("nan")
HOSTILE = "<script>alert('x')</script> \"quoted\" & <img src=x onerror=y>"


def report(name: str = "toy", text: str = "popularity", source: Source | None = None) -> Report:
    rows = (
        Row(text, {"NDCG@10": Estimate(0.25, 0.2, 0.3), "note": text}, baseline=True),
        Row("+ ranking", {"NDCG@10": Estimate(NAN), "note": None, "users": np.float32(7)}),
        Row("broken", {"NDCG@10": Estimate(0.5, NAN, float("inf")), "users": float("-inf")}),
    )
    made = Report(name, source or Source(), notices=[f"fell back: {text}"])
    made.tables = [Table(text, ("NDCG@10", "note", "users"), rows, caption=text)]
    made.latency = [Latency("ranking", 1.0, 2.0, 3.0, 2.5, 10), Latency(text, 1.0, 1.0, 1.0, 9, 1)]
    with figure(made, text, text) as axes:
        axes.plot([1, 2], [3, 4])
    return made


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.12345, "0.1235"),
        (-0.5, "-0.5000"),
        (0.0, "0.0000"),
        (1.0, "1"),
        (1234567.0, "1,234,567"),
        (3.14159, "3.142"),
        (1234.56, "1,234.6"),
        (NAN, "–"),
        (float("inf"), "–"),
    ],
)
def test_numbers_have_the_precision_a_reader_can_use(value: float, text: str) -> None:
    assert number(value) == text


def test_an_estimate_shows_its_interval_if_it_has_one() -> None:
    assert str(Estimate(0.123, 0.101, 0.145)) == "0.1230 [0.1010, 0.1450]"
    assert str(Estimate(0.123)) == str(Estimate(0.123, 0.1, None)) == "0.1230"
    row = Row("x", {"a": Estimate(0.5, 0.4, 0.6)})
    assert row.text("a", interval=False) == "0.5000" and row.text("lacking") == "–"


def test_json_holds_intervals_and_null_for_what_is_not_a_number(tmp_path: Path) -> None:
    html.save(report(), tmp_path)
    content = json.loads((tmp_path / "metrics.json").read_text(), parse_constant=pytest.fail)
    table = content["tables"][0]
    first, second, third = (row["values"] for row in table["rows"])
    assert first["NDCG@10"] == {"value": 0.25, "low": 0.2, "high": 0.3}
    assert second == {"NDCG@10": None, "note": None, "users": 7.0}
    assert third == {"NDCG@10": {"value": 0.5, "low": None, "high": None}, "users": None}
    assert [row["baseline"] for row in table["rows"]] == [True, False, False]
    assert table["columns"] == ["NDCG@10", "note", "users"] and table["caption"] == "popularity"
    assert content["latency"][0]["within_budget"] is False
    assert content["figures"][0]["name"] == "popularity" and "png" not in content["figures"][0]
    assert content["notices"] == ["fell back: popularity"]


def test_the_headline_is_the_first_table_without_intervals() -> None:
    headline = report().headline()
    assert headline["popularity"]["NDCG@10"] == 0.25 and headline["+ ranking"]["NDCG@10"] is None
    assert Report("empty", Source()).headline() == {}


class Page(HTMLParser):
    """Collect what a browser would load or run, and check that tags nest."""

    VOID = {"meta", "img", "br", "wbr", "link", "input", "hr"}

    def __init__(self, text: str) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.handlers: list[str] = []
        self.tags: list[str] = []
        self.open: list[str] = []
        self.words: list[str] = []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.loads += [v or "" for k, v in attrs if k in ("src", "href", "data", "srcset")]
        self.handlers += [name for name, _ in attrs if name.startswith("on")]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def test_the_page_is_one_file_that_loads_nothing(tmp_path: Path) -> None:
    html.save(report(), tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"metrics.json", "report.html"}
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    page = Page(text)
    pictures = [load for load in page.loads if not load.startswith("#part-")]  # of the contents
    assert pictures and all(load.startswith("data:image/png;base64,") for load in pictures)
    assert "script" not in page.tags and "link" not in page.tags and "iframe" not in page.tags
    style = re.search(r"<style>(.*?)</style>", text, re.S)
    assert style and "url(" not in style[1] and "@import" not in style[1]
    assert not re.search(r"""(src|href)\s*=\s*['"]?https?:""", text)


def test_hostile_names_are_words_on_the_page() -> None:
    source = Source(title=HOSTILE, origin=HOSTILE, rows=HOSTILE, licence=HOSTILE)
    page = Page(html.render(report(HOSTILE, HOSTILE, source)))
    harmless = Page(html.render(report()))
    assert page.tags == harmless.tags and page.handlers == []
    assert "".join(page.words).count(HOSTILE) >= 10


def test_the_page_shows_baseline_budget_notices_and_dashes() -> None:
    text = html.render(report())
    assert 'popularity <span class="mark">baseline</span>' in text and 'class="baseline"' in text
    assert text.count('class="over"') == 1 and "OVER" in text
    assert "fell back: popularity" in text and "–" in text
    assert (
        '0.2500 <span class="interval">[0.2000, 0.3000]</span>' in text
        and "nan" not in text.lower().split("base64")[0]
    )


def test_an_empty_report_is_a_page_too(tmp_path: Path) -> None:
    html.save(Report("empty", Source()), tmp_path)
    page = Page((tmp_path / "report.html").read_text(encoding="utf-8"))
    assert "empty" in page.words and page.loads == ["#part-1"]


def test_a_figure_is_a_picture_with_its_name_and_caption() -> None:
    made = Report("toy", Source())
    with figure(made, "ROC", "Up and left is better.", size=(3, 2)) as axes:
        axes.plot([0, 1], [0, 1], label="модель")
        axes.legend()
    assert made.figures[0].png.startswith(b"\x89PNG") and made.figures[0].name == "ROC"
    again = Report("toy", Source())
    from matplotlib.figure import Figure as Canvas

    add_canvas(again, "grid", "Four pictures.", Canvas(figsize=(2, 2)))
    assert again.figures[0].png.startswith(b"\x89PNG")


def test_a_figure_that_fails_to_draw_adds_nothing() -> None:
    made = Report("toy", Source())
    with pytest.raises(ZeroDivisionError), figure(made, "ROC", ""):
        raise ZeroDivisionError
    assert made.figures == []


def test_the_same_drawing_gives_the_same_bytes() -> None:
    first, second = report(), report()
    assert first.figures[0].png == second.figures[0].png
    assert html.render(first) == html.render(second)


def test_a_fallback_of_the_data_is_told_on_the_page_and_in_the_figures() -> None:
    source = Source(notice="no network: simulated films instead")
    made = Report("toy", source, notices=["TF-IDF instead of MiniLM"])
    both = ["no network: simulated films instead", "TF-IDF instead of MiniLM"]
    assert made.to_dict()["notices"] == both
    assert all(notice in html.render(made) for notice in both)
    twice = Report("toy", source, notices=[both[0]])
    assert twice.to_dict()["notices"] == both[:1]
