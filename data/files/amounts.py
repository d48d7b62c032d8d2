"""Numbers as people write them: 1234.5, $1,234.50, 1.234,50 € -> f64.

A column whose values are all plain numbers is read so. Else it may have a currency sign, and points
and commas in one of the two ways, if all of its values agree with it; which one is said. Where both
ways are possible, as for "1,234" alone, nothing is guessed: the values stay no numbers.
"""

from __future__ import annotations

import polars as pl

_SIGN = r"(?:[$€£¥₹]|USD|EUR|GBP)"
_POINT = r"^[-+]?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?$"
_COMMA = r"^[-+]?(?:\d{1,3}(?:[. ]\d{3})+|\d+)(?:,\d+)?$"


def to_numbers(values: pl.Series) -> tuple[pl.Series, str | None]:
    """Convert texts, null where one is no number; tell how, if not as plain numbers."""
    plain = values.cast(pl.Float64, strict=False)
    if plain.null_count() == values.null_count():
        return plain, None
    bare = values.str.replace(rf"^([-+]?)\s*{_SIGN}\s*", "${1}").str.replace(rf"\s*{_SIGN}$", "")
    bare = bare.str.replace_all("[\u00a0\u202f]", " ")
    known = bare.drop_nulls()
    point, comma = (bool(known.str.contains(way).all()) for way in (_POINT, _COMMA))
    commas = bool(known.str.contains(",", literal=True).any())
    if point and not (comma and commas):
        left_out = "currency signs" if not commas else "commas for thousands and currency signs"
        return bare.str.replace_all(",", "").cast(pl.Float64), f"without {left_out}"
    if comma and not point:
        numbers = bare.str.replace_all("[. ]", "").str.replace(",", ".", literal=True)
        return numbers.cast(pl.Float64), "with commas as decimal points"
    return plain, None
