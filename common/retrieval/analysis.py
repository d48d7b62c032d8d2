"""Text analysis: what happens to a string before the inverted index sees it.

Both sides of the index, documents when it is built and queries when it is asked, pass the same
analyser, or nothing matches. The chain is Lucene's English one, in four steps:

    fold      lower case, accents removed (Amélie -> amelie); vowel signs of a script stay
    split     words as `common.text` has them; a possessive 's goes, an inner apostrophe closes up
    stop      Lucene's 33 English stop words are dropped
    stem      Snowball English, "Porter2" (Porter 1980; snowballstem.org): robberies -> robberi

Which steps run is a property of the field. A title keeps its stop words ("It", "Us", "The Thing"
would vanish), a name keeps its form (Woods is not wood). The stemmer is memoised: a corpus of
a million words holds some 40,000 distinct ones.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from functools import lru_cache

import snowballstemmer

from common.text import words

STOP_WORDS = frozenset(
    "a an and are as at be but by for if in into is it no not of on or such that the their then "
    "there these they this to was will with".split()
)
_POSSESSIVE = re.compile(r"(?<=[^\W_])['’]s(?!['’]?[^\W_])")
_INNER = re.compile(r"(?<=[^\W_])['’](?=[^\W_])")
_STEMMER = snowballstemmer.stemmer("english")

Analyser = Callable[[str], list[str]]


def fold(text: str) -> str:
    """Return lower case without accents; the form in which titles are compared."""
    if text.isascii():
        return text.lower()
    decomposed = unicodedata.normalize("NFKD", text.lower())
    kept = "".join(letter for letter in decomposed if not _is_accent(letter))
    return unicodedata.normalize("NFC", kept)


def _is_accent(letter: str) -> bool:
    """Tell accents and vowel points (Latin, Hebrew, Arabic) from the vowel signs of a script."""
    place = unicodedata.combining(letter)  # classes of Unicode: 1 overlays, 10-36 points
    return place == 1 or 10 <= place <= 36 or place >= 200


def tokens(text: str) -> list[str]:
    """Return folded words: "Ocean's Twelve" -> ["ocean", "twelve"], "don't" -> ["dont"]."""
    closed = _INNER.sub("", _POSSESSIVE.sub("", fold(text)))
    return words(closed.replace("_", " "))


@lru_cache(maxsize=200_000)
def stem(word: str) -> str:
    """Return the Snowball English stem of one folded word."""
    return str(_STEMMER.stemWord(word))


def english(text: str) -> list[str]:
    """Return stems without stop words, for prose."""
    return [stem(word) for word in tokens(text) if word not in STOP_WORDS]


def stems(text: str) -> list[str]:
    """Return stems with stop words, for titles."""
    return [stem(word) for word in tokens(text)]


ANALYSERS: dict[str, Analyser] = {"english": english, "stems": stems, "words": tokens}


def normalised(query: str) -> str:
    """Return the form in which two queries count as the same: sorted distinct stems, no stop words.

    "The Godfathers" and "godfather" are one; the split keeps such queries on one side.
    A query of stop words alone ("it") keeps them.
    """
    return " ".join(sorted(set(english(query) or stems(query) or [query.strip()])))
