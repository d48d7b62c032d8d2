r"""What a word is, in any script: the one pattern behind BM25 and every TF-IDF.

Python's `\w` leaves out combining marks, so `\w+` cuts Hindi, Bengali or Tamil words at their vowel
signs. Here a word is a run of letters, digits and underscores with the marks that belong to them
(Unicode's Mn and Mc). Scripts that write no spaces (Chinese, Japanese, Thai, Lao, Khmer, Burmese)
are cut into overlapping pairs of characters, as Lucene's CJK analyser does (東京都: 東京, 京都).
A text in English, French or Russian gives what `\w+` gives.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from functools import cache

# Thai, Lao | Burmese | Khmer | 々, kana | Han and its extensions | kana of half width
UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005\u3040-\u30ff\u31f0-\u31ff"
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff66-\uff9f\U00020000-\U0003ffff"
)
_JOINERS = "\u200c\u200d"  # of Persian and Indic words
_NO_MARKS = "\ufe00-\ufe0f"  # they choose between text and emoji, and belong to no word


@cache
def word_pattern() -> str:
    r"""Return a regular expression with one group, the word; fit for sklearn's `token_pattern`.

    A character of an unspaced script is matched with the next one in a lookahead, so that pairs
    overlap; alone between others it is a word of its own.
    """
    joined = marks() + _JOINERS
    single = f"[{UNSPACED}][{joined}]*"
    spaced = rf"(?:(?![{UNSPACED}])\w)(?:(?![{UNSPACED}])[\w{joined}])*"
    pair = f"{single}(?:(?=\\w)[{UNSPACED}])[{joined}]*"
    alone = f"(?<![{UNSPACED}{joined}]){single}"
    return rf"(?=\w)(?=({pair}|{alone}|{spaced}))(?:{single}|{spaced})"


def words(text: str) -> list[str]:
    """Return the words of a text in order, cased as they are."""
    return _compiled().findall(text)


def unspaced_notice(texts: Iterable[str]) -> str | None:
    """Say that words are pairs of characters if a text is written without spaces, else None."""
    found = re.compile(f"[{UNSPACED}]")
    if not any(found.search(text) for text in texts):
        return None
    return (
        "Scripts without spaces (Chinese, Japanese, Thai) are split into pairs of characters, "
        "not words."
    )


@cache
def _compiled() -> re.Pattern[str]:
    return re.compile(word_pattern())


@cache
def marks() -> str:
    r"""Return the combining marks (Mn, Mc) as ranges of a character class."""
    codes = [
        code
        for code in range(0x300, 0x20000)
        if unicodedata.category(chr(code)) in ("Mn", "Mc")
        and not re.match(f"[{_NO_MARKS}]", chr(code))
    ]
    ranges: list[list[int]] = []
    for code in codes:
        if ranges and code == ranges[-1][1] + 1:
            ranges[-1][1] = code
        else:
            ranges.append([code, code])
    return "".join(f"{chr(first)}-{chr(last)}" for first, last in ranges)
