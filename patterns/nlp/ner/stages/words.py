r"""A text to words with their places, and a word to what a tokenizer can read.

Corpora come cut into words; a caller sends a text. It is cut as the corpora are: at white space,
and before and after punctuation, but not inside

    https://a.b/c   www.a.b     an address, without the punctuation that ends a sentence
    @who  #what                 a mention, a tag
    12:46  3.5  1,000           digits around one sign
    don't  Osc-Dis  U.S.        letters around one apostrophe, hyphen or dot

and 's, 're and the like are words of their own (Penn Treebank). Combining marks belong to their
letter, a variation selector, a skin tone or a joined emoji to its emoji. Scripts that write no
spaces (Chinese, Japanese, Thai) are cut into single characters: an entity is a run of them.

Places are code points of the text as it was sent, which is never changed: `text[start:end]` is the
word. For the encoder alone a word is composed (NFC), and half a surrogate pair, which no UTF-8 can
hold, becomes U+FFFD. Control characters part words and are in none.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache, lru_cache

from common.text import UNSPACED, marks

Place = tuple[int, int]
_SUFFIXES = "s|S|re|ve|ll|d|m"
_TONES = "\U0001f3fb-\U0001f3ff"
_SELECTORS = "\ufe00-\ufe0f"


def places_of_words(text: str) -> list[Place]:
    """Return (start, end) of each word of a text, in order; none overlaps another."""
    return [match.span() for match in _pattern().finditer(text)]


def split_words(text: str) -> tuple[list[str], list[Place]]:
    """Return the words of a text and their places."""
    places = places_of_words(text)
    return [text[start:end] for start, end in places], places


@lru_cache(maxsize=100_000)
def readable(word: str) -> str:
    """Return a word as the encoder reads it: composed, with nothing that UTF-8 cannot hold."""
    whole = re.sub("[\ud800-\udfff]", "\ufffd", word)
    return unicodedata.normalize("NFC", whole)


@cache
def _pattern() -> re.Pattern[str]:
    of_word = rf"(?![{UNSPACED}])[\w{marks()}\u200c\u200d]"
    letters = rf"(?:(?![{UNSPACED}])\w(?:{of_word})*)"
    ways = (
        r"(?:https?://|www\.)[^\s<>\"]*[^\s<>\".,;:!?'’)\]}…]",
        rf"[@#](?:{of_word})+",
        r"\d+(?:[.,:/]\d+)+",
        rf"(?<=\w)['’](?:{_SUFFIXES})(?!\w)",
        rf"(?:{letters}\.){{2,}}",  # U.S.
        rf"{letters}(?:(?:['’](?!(?:{_SUFFIXES})(?!\w))|[-‐‑]){letters})*",
        rf"[{UNSPACED}](?:(?![{_SELECTORS}])[{marks()}])*",
        rf"[^\s\x00-\x1f\x7f-\x9f](?:[{_SELECTORS}{_TONES}]|\u200d[^\s\w])*",
    )
    return re.compile("|".join(ways))
