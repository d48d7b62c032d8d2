"""Sentences to windows of token ids, each piece with its word and how that word is written.

A tokenizer cuts words into pieces, a tagger tags words. Each word is cut by itself, so which piece
belongs to which word is known and never guessed from characters. A word that the tokenizer drops
whole (a lone variation selector) becomes its unknown token: no word is without a piece, and none
loses its tag. A word of more pieces than the encoder reads at once is cut, which `truncates` tells.

A sentence longer than the encoder reads is cut into windows that overlap by `overlap` pieces. In
the overlap each word is taken from the window in which it stands further from the edge, so all
words get a score and nearly all see what stands on both sides of them. Nothing is cut off.

Shapes: L pieces of a window, n words of a sentence.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np

from common.encoders import Tokens
from patterns.nlp.ner.entities.sentences import Words
from patterns.nlp.ner.stages.shapes import FURTHER_PIECE, NOTHING_HERE, shapes
from patterns.nlp.ner.stages.words import readable

MOST_KNOWN = 200_000  # words whose pieces are remembered


@dataclass(frozen=True)
class Window:
    """A part of a sentence as the encoder reads it: lists of L numbers, and its words."""

    sentence: int
    first: int
    """The sentence's word that is word 0 here."""
    ids: list[int]
    codes: list[int]
    """How the piece's word is written (`shapes`)."""
    words: list[int]
    """The word of each piece, counted in the window; -1 for special tokens."""
    keep: tuple[int, int]
    """The sentence's words, from and up to, whose scores are taken from this window."""

    @property
    def count(self) -> int:
        """How many words it holds."""
        return max(self.words) + 1


class Pieces:
    """A tokenizer that knows which piece belongs to which word."""

    def __init__(self, tokens: Tokens, *, overlap: int = 64) -> None:
        self.tokens, self.overlap = tokens, overlap
        tokenizer = tokens.tokenizer
        whole = tokenizer.encode("a")
        special = whole.special_tokens_mask
        inner = special.index(0)
        self.before = whole.ids[:inner]
        self.after = [each for each, mask in zip(whole.ids, special, strict=True) if mask][inner:]
        self.room = tokens.max_length - len(self.before) - len(self.after)
        self.unknown = _first_id(tokenizer, ("[UNK]", "<unk>", "<|endoftext|>"), tokens.pad)
        self.mask = _first_id(tokenizer, ("[MASK]", "<mask>"), self.unknown)
        self.space = " " if _marks_spaces(tokenizer) else ""
        self._known: dict[str, list[int]] = {}
        self._cut: set[str] = set()

    @property
    def pad(self) -> int:
        """Id that fills a batch up."""
        return self.tokens.pad

    def __call__(self, sentences: Sequence[Words]) -> list[Window]:
        """Return the windows of all sentences, those of one in order; an empty one has none."""
        self._learn({word for words in sentences for word in words})
        made = []
        for row, words in enumerate(sentences):
            pieces = [self._known[word] for word in words]
            codes = shapes(words).tolist()
            spans = windows([len(each) for each in pieces], room=self.room, overlap=self.overlap)
            for (first, end), keep in zip(spans, kept(spans), strict=True):
                made.append(self._window(row, first, pieces[first:end], codes[first:end], keep))
        return made

    def truncates(self, sentences: Sequence[Words]) -> list[bool]:
        """Tell of each sentence whether a word of it is too long to be read whole."""
        self._learn({word for words in sentences for word in words})
        return [not self._cut.isdisjoint(words) for words in sentences]

    def save(self, folder: Path) -> None:
        """Write the tokenizer."""
        self.tokens.save(folder)

    def facts(self) -> dict[str, int]:
        """Return what `load` needs beside the tokenizer."""
        return {"pad": self.pad, "max_length": self.tokens.max_length, "overlap": self.overlap}

    @classmethod
    def load(cls, folder: Path, *, pad: int, max_length: int, overlap: int) -> Self:
        """Read the tokenizer."""
        return cls(Tokens.load(folder, pad=pad, max_length=max_length), overlap=overlap)

    def _window(
        self, row: int, first: int, pieces: list[list[int]], codes: list[int], keep: tuple[int, int]
    ) -> Window:
        ids, written, words = list(self.before), [NOTHING_HERE] * len(self.before), []
        words += [-1] * len(self.before)
        for word, (of_word, code) in enumerate(zip(pieces, codes, strict=True)):
            ids += of_word
            written += [code] + [code + FURTHER_PIECE] * (len(of_word) - 1)
            words += [word] * len(of_word)
        ids += self.after
        written += [NOTHING_HERE] * len(self.after)
        words += [-1] * len(self.after)
        return Window(row, first, ids, written, words, keep)

    def _learn(self, words: set[str]) -> None:
        """Cut the words that are new."""
        if len(self._known) > MOST_KNOWN:
            self._known.clear()
            self._cut.clear()
        new = sorted(words - self._known.keys(), key=lambda word: word.encode("utf-8", "replace"))
        encoded = self.tokens.tokenizer.encode_batch(
            [self.space + readable(word) for word in new], add_special_tokens=False
        )
        for word, each in zip(new, encoded, strict=True):
            self._known[word] = each.ids[: self.room] or [self.unknown]
            if len(each.ids) > self.room or each.overflowing:
                self._cut.add(word)


def windows(lengths: Sequence[int], *, room: int, overlap: int) -> list[tuple[int, int]]:
    """Cut words of `lengths` pieces each into runs (first, end) of at most `room` pieces.

    Two neighbours share words of at most `overlap` pieces. A word longer than `room` stands alone.
    """
    runs: list[tuple[int, int]] = []
    start = 0
    while start < len(lengths):
        end, held = start, 0
        while end < len(lengths) and (end == start or held + lengths[end] <= room):
            held += lengths[end]
            end += 1
        runs.append((start, end))
        if end == len(lengths):
            break
        back, shared = end, 0
        while back - 1 > start and shared + lengths[back - 1] <= overlap:
            back -= 1
            shared += lengths[back]
        start = back
    return runs


def kept(runs: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Share the words of overlapping runs out: each run's own (from, up to), without a gap."""
    middles = [(start + end) // 2 for (_, end), (start, _) in zip(runs, runs[1:], strict=False)]
    bounds = [runs[0][0], *middles, runs[-1][1]] if runs else []
    return list(zip(bounds, bounds[1:], strict=False))


def stitched(
    made: Sequence[Window], scores: Sequence[np.ndarray], sentences: Sequence[Words], classes: int
) -> list[np.ndarray]:
    """Return the scores (n, C) of each sentence's words from those of its windows' words."""
    whole = [np.zeros((len(words), classes), dtype=np.float32) for words in sentences]
    for window, found in zip(made, scores, strict=True):
        start, end = window.keep
        whole[window.sentence][start:end] = found[start - window.first : end - window.first]
    return whole


def word_means(piece_scores: np.ndarray, words: Sequence[int]) -> np.ndarray:
    """Return the mean score (n, C) of each word's pieces, of piece scores (L, C)."""
    inside = np.array(words)
    places = np.flatnonzero(inside >= 0)
    starts = np.flatnonzero(np.diff(inside[places], prepend=-1))
    counts = np.diff(np.append(starts, len(places)))
    return np.add.reduceat(piece_scores[places], starts, axis=0) / counts[:, None]


def _first_id(tokenizer: Any, names: Sequence[str], otherwise: int) -> int:
    """Return the id of the first token that the tokenizer has."""
    ids = (tokenizer.token_to_id(name) for name in names)
    return next((each for each in ids if each is not None), otherwise)


def _marks_spaces(tokenizer: Any) -> bool:
    """Whether a word after a space is another token than the same word at the start (byte BPE)."""
    alone = tokenizer.encode("the", add_special_tokens=False).ids
    after = tokenizer.encode(" the", add_special_tokens=False).ids
    return bool(len(alone) == len(after) and alone != after)
