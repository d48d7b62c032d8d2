"""How a word is written: its case, its signs, its place, as one small number per feature.

An encoder without case (MiniLM's tokenizer makes everything small) cannot see that Apple is written
like a name. These features are what it lacks:

    case        small, Title, CAPITALS, one capital, miXed, digits, with digits, punctuation,
                @mention, #tag, address, other script, symbol or emoji
    place       first word of the text, first after the end of a sentence, any other
    sentence    words with capitals in it: hardly any, some, most, nothing but capitals; where all
                words have them, they say little
    piece       first piece of the word or a further one

All are packed into one integer, code = case + 14 · (place + 3 · (sentence + 4 · piece)), so that a
batch carries them as it carries its token ids. 0 is a place without a word (special tokens,
padding).

Shapes: n words of a sentence.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

import numpy as np

NOTHING_HERE = 0
CASES, PLACES, SENTENCES, PIECES = 14, 3, 4, 2
RADICES = (CASES, PLACES, SENTENCES, PIECES)
CODES = CASES * PLACES * SENTENCES * PIECES
FURTHER_PIECE = CASES * PLACES * SENTENCES  # added to the code of a word's further pieces
_ADDRESS = re.compile(r"(?:https?:|www\.)", re.IGNORECASE)
_ENDS = {".", "!", "?", ":", "…", "...", '"', "“", "‘", "RT"}


def shapes(words: Sequence[str]) -> np.ndarray:
    """Return the code of each word, (n,) int64, each from 1."""
    cases = np.array([case_of(word) for word in words], dtype=np.int64)
    places = np.full(len(words), 2, dtype=np.int64)
    for row, before in enumerate(words[:-1], start=1):
        if before in _ENDS:
            places[row] = 1
    places[:1] = 0
    return cases + CASES * (places + PLACES * _capitals(cases))


def _capitals(cases: np.ndarray) -> int:
    """Return how the sentence uses capitals: 0 hardly, 1 some, 2 most words, 3 nothing else."""
    small, title, capital = ((cases == each).sum() for each in (1, 2, 3))
    written = small + title + capital
    if not written or (title + capital) / written < 0.05:
        return 0
    if capital / written > 0.6:
        return 3
    return 2 if (title + capital) / written > 0.6 else 1


@lru_cache(maxsize=100_000)
def case_of(word: str) -> int:
    """Return the case of a word, 1 to 13."""
    if word[:1] == "@" and len(word) > 1:
        return 9
    if word[:1] == "#" and len(word) > 1:
        return 10
    if _ADDRESS.match(word):
        return 11
    letters = [character for character in word if character.isalpha()]
    if any(character.isdigit() for character in word):
        return 7 if letters else 6
    if not letters:
        return 8 if word.isascii() else 13
    upper = [character.isupper() for character in letters]
    if not any(upper):
        return 1 if any(character.islower() for character in letters) else 12
    if all(upper):
        return 3 if len(letters) > 1 else 4
    return 2 if upper[0] and not any(upper[1:]) else 5


def shape_word(word: str) -> str:
    """Return a word with its letters and digits as X, x and 0, runs shortened: McDonald is XxXx."""
    signs = (
        "X" if sign.isupper() else "x" if sign.isalpha() else "0" if sign.isdigit() else sign
        for sign in word
    )
    return re.sub(r"(.)\1+", r"\1", "".join(signs))[:12]
