"""Test texts that are nearly training texts: equal but for one word.

Two texts are near if one becomes the other by changing, adding or leaving out one word. That is so
if they share a text with one word left out (as two do of which one has a word moved), so each is
hashed in all these forms and looked up: n + 1 hashes a text of n words, no pair is compared. Of
long texts only the first and the last LONG words are looked at, which finds copies with another
beginning or another end.

Source: the deletion neighbourhood of Mor and Fraenkel 1982, here of words instead of letters.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from common.text import words

SHORT, LONG = 4, 30  # words: shorter texts are near to too many


def near_repeats(texts: Sequence[str], others: Sequence[str]) -> np.ndarray:
    """Tell which of `texts` (N,) are near to, or the same as, one of `others`."""
    known = {form for text in others for form in _forms(text)}
    return np.array([any(form in known for form in _forms(text)) for text in texts], bool)


def _forms(text: str) -> Iterator[int]:
    """Yield hashes of the text, whole and with each word left out."""
    found = words(text.lower())
    if len(found) < SHORT:
        return
    if len(found) > LONG:
        yield hash(("first", *found[:LONG]))
        yield hash(("last", *found[-LONG:]))
        return
    yield hash(tuple(found))
    for place in range(len(found)):
        yield hash((*found[:place], *found[place + 1 :]))
