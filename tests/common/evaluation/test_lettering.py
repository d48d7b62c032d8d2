"""Texts of a drawing are drawn, shortened with a mark, or told below the picture; never a box."""

import io
import struct
import warnings
from collections.abc import Iterator

import pytest
from matplotlib.figure import Figure
from toy_report import report

from common.evaluation import html
from common.evaluation.lettering import LONGEST, prepare, shortened
from common.evaluation.report import figure

LONG = "a_name_of_sixty_characters_without_any_space_in_it_at_all_xyz"


@pytest.fixture(autouse=True)
def no_warning() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def labels_of(canvas: Figure) -> list[str]:
    return [each.get_text() for each in canvas.axes[0].get_yticklabels()]


def bars(*names: str) -> Figure:
    canvas = Figure()
    canvas.subplots().barh(names, range(len(names)))
    return canvas


def test_a_long_name_is_shortened_with_a_mark() -> None:
    canvas = bars(LONG, "short")
    assert prepare(canvas) == ()
    assert labels_of(canvas) == [LONG[: LONGEST - 1] + "…", "short"]
    assert shortened("a" * LONGEST) == "a" * LONGEST and len(shortened(LONG)) == LONGEST


@pytest.mark.parametrize(("count", "whole"), [(8, True), (40, True), (150, False)])
def test_many_names_do_not_overlap(count: int, whole: bool) -> None:
    canvas = Figure(figsize=(6, 5.4), layout="constrained")
    axes = canvas.subplots()
    axes.set_xticks(range(count), [f"{LONG[:20]} {n}" for n in range(count)], rotation=90)
    axes.set_yticks(range(count), [f"class {n}" for n in range(count)])
    prepare(canvas)
    canvas.draw_without_rendering()
    for ticks, side in ((axes.get_xticklabels(), "x"), (axes.get_yticklabels(), "y")):
        shown = [each for each in ticks if each.get_visible()]
        assert (len(shown) == count) == whole and len(shown) >= 20 * (count > 20)
        starts = [getattr(each.get_window_extent(), f"{side}0") for each in shown]
        sizes = [each.get_fontsize() * canvas.dpi / 72 for each in shown]
        assert all(b - a > 0.9 * s for a, b, s in zip(starts, starts[1:], sizes, strict=False))


@pytest.mark.parametrize("name", ["نموذج", "שם", "हिन्दी", "\U0001f9ff\ue000"])
def test_what_no_font_can_draw_is_a_number_that_is_told_below(name: str) -> None:
    canvas = bars("model", name)
    assert prepare(canvas) == (("[1]", name),)
    assert labels_of(canvas) == ["model", "[1]"]


@pytest.mark.parametrize("name", ["модель", "ελληνικά", "naïve ≥ ½", "a\nb"])
def test_what_the_font_holds_is_drawn(name: str) -> None:
    canvas = bars(name)
    assert prepare(canvas) == () and labels_of(canvas) == [name]


def test_a_character_of_another_installed_font_is_drawn_with_it() -> None:
    canvas = bars("\u1d81")  # in a font that matplotlib brings, not in its first
    assert prepare(canvas) == () and labels_of(canvas) == ["\u1d81"]
    families = canvas.axes[0].get_yticklabels()[0].get_fontfamily()
    assert families[0] == "DejaVu Sans" and len(families) == 2
    canvas.savefig(io.BytesIO())  # without a warning of a missing glyph


def test_titles_and_legends_are_looked_at_too() -> None:
    made = report({"model": 0.5})
    with figure(made, "ROC", "Up.", table="quality") as axes:
        axes.plot([1, 2], label="שם")
        axes.plot([2, 1], label=LONG)
        legend = axes.legend()
        axes.set_title(f"{LONG} in a title has room")
    assert [each.get_text() for each in legend.get_texts()] == ["[1]", shortened(LONG)]
    assert axes.get_title() == f"{LONG} in a title has room"
    assert made.figures[0].names == (("[1]", "שם"),)
    assert "[1] <bdi>שם</bdi>" in html.render(made)


def test_a_dollar_sign_is_no_formula_and_powers_of_ten_stay() -> None:
    made = report({"model": 0.5})
    with figure(made, "cost", "") as axes:
        axes.barh(["$10 to $20", r"$\nonsense$"], [1, 1000], label=r"$\wrong$")
        axes.set(xscale="log", xlabel="from $1 to $2")
        axes.legend()
    assert made.figures[0].names == ()
    assert "10^" in axes.get_xticklabels()[0].get_text()
    names = axes.get_yticklabels()
    assert [each.get_text() for each in names] == ["$10 to $20", r"$\nonsense$"]
    assert not any(each.get_parse_math() for each in names)


def test_a_figure_has_two_pixels_for_each_it_takes_up() -> None:
    made = report({"model": 0.5})
    with figure(made, "ROC", "", size=(3, 2)) as axes:
        axes.plot([0, 1])
    assert struct.unpack(">II", made.figures[0].png[16:24]) == (660, 440)
    assert 'width="330" height="220"' in html.render(made)
