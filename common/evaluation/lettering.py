"""Texts of a drawing in any script: whole, shortened with a mark, or told below the picture.

matplotlib draws a box for a character that its font lacks, and sets no script that runs from right
to left or joins its letters. So each text is looked at before a picture is saved: long names end in
an ellipsis; many names on an axis become smaller or fewer; other installed fonts are added for
characters that the first one lacks; and a text that cannot be drawn so is replaced by a number,
which the page explains below the picture, where the reader's browser has the fonts. A dollar sign
is a dollar sign, not the start of a formula.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Iterable
from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

LONGEST = 28  # characters of a name on an axis or in a legend
JOINED = ((0x0900, 0x109F), (0x1780, 0x17FF), (0x1C00, 0x1CFF), (0xA800, 0xABFF))  # Indic and kin
FIRST = "DejaVu Sans"
ROOMY, SMALLEST = 12, 5.0  # names on an axis that always have room; points of the smallest letters


def prepare(canvas: Figure) -> tuple[tuple[str, str], ...]:
    """Make every text of `canvas` one that can be drawn; return (number, text) of the replaced."""
    from matplotlib.text import Text

    told: dict[str, str] = {}
    names = [
        (axis, axis.get_majorticklocs(), [each.get_text() for each in axis.get_majorticklabels()])
        for axes in canvas.axes
        for axis in (axes.xaxis, axes.yaxis)
        if _has_names(axis)
    ]
    texts = [each for each in canvas.findobj(Text) if each.get_text()]
    families = [FIRST, *_fallbacks({c for each in texts for c in each.get_text()})]
    for text in texts:
        if r"\mathdefault" in text.get_text():  # a number of matplotlib's own, 10 to a power
            continue
        text.set_parse_math(False)
        text.set_fontfamily(families)
        text.set_text(_drawable(text.get_text(), families, told, long=_may_be_long(canvas, text)))
    for axis, places, labels in names:
        axis.set_ticks(places, [_drawable(each, families, told, long=False) for each in labels])
        for label in axis.get_majorticklabels():
            label.set_parse_math(False)
            label.set_fontfamily(families)
    for axis, places, _ in names:
        if len(places) > ROOMY:
            _fit(canvas, axis)
    return tuple((number, text) for text, number in told.items())


def _fit(canvas: Figure, axis: Axis) -> None:
    """Write many names smaller, and where that would be too small, only some at even steps."""
    canvas.draw_without_rendering()  # lays out: how long the axis is depends on its names
    box, places = axis.axes.get_window_extent(), axis.get_majorticklocs()
    length = box.width if axis is axis.axes.xaxis else box.height
    room = 72 * length / canvas.dpi / len(places)  # points for each name
    step = math.ceil(SMALLEST / room)
    labels = axis.get_majorticklabels()
    for label in labels:
        label.set_fontsize(min(label.get_fontsize(), step * room))
    for label in (each for place, each in enumerate(labels) if place % step):
        label.set_visible(False)


def shortened(text: str, most: int = LONGEST) -> str:
    """Return at most `most` characters, the last an ellipsis where something was cut."""
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"


def _has_names(axis: Axis) -> bool:
    """Whether the ticks are names that the drawing gave, not numbers that matplotlib writes."""
    from matplotlib.category import StrCategoryFormatter
    from matplotlib.ticker import FixedFormatter, FuncFormatter

    kinds = (StrCategoryFormatter, FixedFormatter, FuncFormatter)
    return isinstance(axis.get_major_formatter(), kinds)


def _may_be_long(canvas: Figure, text: Any) -> bool:
    """Whether a text has room: titles and labels of axes; names in a legend have none."""
    legends = [axes.get_legend() for axes in canvas.axes]
    return not any(text in each.get_texts() for each in [*legends, *canvas.legends] if each)


def _drawable(text: str, families: list[str], told: dict[str, str], *, long: bool) -> str:
    """Return the text, shortened unless it may be long; a number if no font can draw it."""
    if _can_draw(text, families):
        return text if long else shortened(text)
    return told.setdefault(text, f"[{len(told) + 1}]")


def _can_draw(text: str, families: Iterable[str]) -> bool:
    if any(_needs_shaping(character) for character in text):
        return False
    missing = {ord(character) for character in text if not character.isspace()}
    return not missing.difference(*map(_characters, families))


def _needs_shaping(character: str) -> bool:
    """Whether a character runs from right to left or changes its form beside others."""
    if unicodedata.bidirectional(character) in ("R", "AL", "AN"):
        return True
    return any(low <= ord(character) <= high for low, high in JOINED)


def _fallbacks(characters: set[str]) -> list[str]:
    """Return further installed fonts, as few as hold the characters that the first one lacks."""
    missing = {ord(each) for each in characters if not each.isspace()} - _characters(FIRST)
    found: list[str] = []
    if not missing:
        return found
    for family in sorted(_installed()):
        held = missing & _characters(family)
        if held:
            found.append(family)
            missing -= held
    return found


@lru_cache(maxsize=1)
def _installed() -> dict[str, str]:
    """Return the file of each installed font that has an upright face of normal weight.

    The one of last resort is left out: it holds a box for every character.
    """
    from matplotlib import font_manager

    plain = ("normal", 400, "normal")
    fonts = font_manager.fontManager.ttflist
    found = {f.name: f.fname for f in fonts if (f.style, f.weight, f.stretch) == plain}
    return {name: file for name, file in found.items() if not name.startswith("Last Resort")}


@lru_cache(maxsize=512)
def _characters(family: str) -> frozenset[int]:
    """Return the characters of an installed font."""
    from matplotlib import font_manager

    return frozenset(font_manager.get_font(_installed()[family]).get_charmap())
