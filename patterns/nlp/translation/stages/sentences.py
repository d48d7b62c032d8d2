"""A text cut into sentences, and put together again from their translations.

The model was trained on single sentences and reads no more than its longest training pair, so a
text is translated sentence by sentence. It is cut at line ends, and behind . ! ? … where white
space and then no small letter follows, and behind the same signs of Chinese and Japanese. A
capitalised word of up to three letters before a full stop is taken for a title ("Mr. Smith") and
does not end a sentence. The white space between two sentences is kept as it is. What this misses:
titles that are longer, and sentences that begin with a small letter; a cut too many or too few
costs little, as each part is still translated.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from patterns.nlp.translation.stages.subwords import normalised

_END = re.compile(
    r"\s*\n\s*"  # a line end, with the white space around it
    r"|(?<=[.!?…][\"'”’»)])\s+(?=[^\s])"
    r"|(?<=[.!?…])\s+(?=[^\s])"
    r"|(?<=[。！？])\s*(?=[^\s])"
)
_TITLE = re.compile(r"(?:^|\s)[A-ZÀ-Þ]\w{0,2}\.$")
JOINERS = "\u200c\u200d"
UNSEEN = {"Cc": " ", "Cf": "", "Zl": " ", "Zp": " "}  # by the category of the character


@dataclass(frozen=True)
class Sentence:
    """A sentence and the white space that follows it."""

    text: str
    after: str


def sentences(text: str) -> list[Sentence]:
    """Return the sentences of a text, without white space around it; none for white space alone."""
    text = text.strip()
    found: list[Sentence] = []
    start = 0
    for cut in _END.finditer(text):
        said, follows = text[start : cut.start()], text[cut.end() : cut.end() + 1]
        a_line = "\n" in cut.group()
        if not a_line and (follows.islower() or _TITLE.search(said)):
            continue
        found.append(Sentence(said, cut.group()))
        start = cut.end()
    return [*found, Sentence(text[start:], "")] if text[start:] else found


def together(parts: Sequence[Sentence], translations: Sequence[str]) -> str:
    """Return the translations with the white space of the source between them."""
    pairs = zip(parts, translations, strict=True)
    return "".join(said + part.after for part, said in pairs)


def has_words(text: str) -> bool:
    """Return whether there is a letter in a text: without one there is nothing to translate."""
    return any(character.isalpha() for character in text)


def cleaned(text: str) -> str:
    """Return a sentence on one line: white space as single blanks, control characters as blanks.

    Characters that are not to be seen, such as a byte order mark, are left out; joiners stay, which
    emoji and Persian need.
    """
    plain = "".join(
        each if each in JOINERS else UNSEEN.get(unicodedata.category(each), each)
        for each in normalised(text)
    )
    return " ".join(plain.split())
