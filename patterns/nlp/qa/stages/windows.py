"""Windows: a question beside a part of its context, as token ids that know their characters.

    [CLS] question [SEP] tokens 0 … W of the context [SEP]
    [CLS] question [SEP] tokens W - stride … 2 W - stride [SEP]      and so on

A context longer than a window has several, `stride` tokens shared between neighbours, so that all
of it is read however long it is and no answer shorter than the stride is cut by all windows (the
document stride of Devlin et al. 2019). The fast tokenizer gives each token the characters it came
from; from a span of tokens follows a span of the text as it was written, whatever the tokenizer
made of case, accents or spaces. It is one JSON file, read without transformers or torch.

Shapes: L tokens of a window.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np

FILE = "tokenizer.json"


@dataclass(frozen=True)
class Window:
    """Token ids, and the characters of the context that each stands for."""

    row: int
    """The question it belongs to."""
    ids: list[int]
    starts: np.ndarray
    """int32 (L,), -1 for a token that is none of the context's."""
    ends: np.ndarray
    """int32 (L,)."""

    @property
    def inside(self) -> np.ndarray:
        """The places of the context's tokens."""
        return np.flatnonzero(self.starts >= 0)

    def place(self, start: int, end: int) -> tuple[int, int] | None:
        """Return the first and last token of characters `start` to `end`; None unless all inside.

        A token that begins before `start` or ends after `end` counts if it has a character of it.
        """
        inside = self.inside
        if not len(inside) or self.starts[inside[0]] > start or self.ends[inside[-1]] < end:
            return None
        touched = inside[(self.ends[inside] > start) & (self.starts[inside] < end)]
        return (int(touched[0]), int(touched[-1])) if len(touched) else None


class PairTokens:
    """Cuts questions and contexts into windows of at most `max_length` tokens."""

    def __init__(
        self, tokenizer: Any, *, pad: int, max_length: int, stride: int, max_question: int
    ) -> None:
        """Take a tokenizer of the `tokenizers` library; it is copied, not changed."""
        from tokenizers import Tokenizer

        self.pad, self.max_length = pad, max_length
        self.stride, self.max_question = stride, max_question
        self.questions = Tokenizer.from_str(tokenizer.to_str())
        self.questions.no_padding()
        self.questions.no_truncation()
        self.pairs = Tokenizer.from_str(tokenizer.to_str())
        self.pairs.no_padding()
        self.pairs.enable_truncation(max_length, stride=stride, strategy="only_second")

    @classmethod
    def of_transformer(cls, tokenizer: Any, *, max_length: int, **lengths: int) -> Self:
        """Take the fast tokenizer out of a transformers one; its own limit is kept if lower."""
        backend = getattr(tokenizer, "backend_tokenizer", None)
        if backend is None:
            raise ValueError(
                f"model: {type(tokenizer).__name__} has no fast tokenizer, which characters of"
                " answers need; choose another model"
            )
        longest = min(max_length, int(tokenizer.model_max_length))
        return cls(backend, pad=tokenizer.pad_token_id or 0, max_length=longest, **lengths)

    def shorter(self, max_length: int) -> PairTokens:
        """Return the same tokens in windows of another length."""
        return PairTokens(
            self.pairs,
            pad=self.pad,
            max_length=min(max_length, self.max_length),
            stride=self.stride,
            max_question=self.max_question,
        )

    def truncates(self, questions: Sequence[str]) -> list[bool]:
        """Tell which questions are longer than `max_question` tokens and lose their end."""
        encoded = self.questions.encode_batch(list(questions), add_special_tokens=False)
        return [len(each.ids) > self.max_question for each in encoded]

    def __call__(self, questions: Sequence[str], contexts: Sequence[str]) -> list[Window]:
        """Return the windows of each question with its context, in order, one or more of each."""
        pairs = list(zip(self._cut(questions), contexts, strict=True))
        windows = []
        for row, encoding in enumerate(self.pairs.encode_batch(pairs)):
            for each in (encoding, *encoding.overflowing):
                windows.append(_window(row, each))
        return windows

    def _cut(self, questions: Sequence[str]) -> list[str]:
        """Return the questions, each up to its last token that is kept."""
        encoded = self.questions.encode_batch(list(questions), add_special_tokens=False)
        return [
            text[: each.offsets[self.max_question - 1][1]]
            if len(each.ids) > self.max_question
            else text
            for text, each in zip(questions, encoded, strict=True)
        ]

    def save(self, folder: Path) -> None:
        """Write `tokenizer.json`."""
        self.questions.save(str(folder / FILE))

    @property
    def facts(self) -> dict[str, int]:
        """What `load` needs beside the file."""
        return {
            "pad": self.pad, "max_length": self.max_length, "stride": self.stride,
            "max_question": self.max_question,
        }  # fmt: skip

    @classmethod
    def load(cls, folder: Path, **facts: int) -> Self:
        """Read `tokenizer.json`."""
        from tokenizers import Tokenizer

        return cls(Tokenizer.from_file(str(folder / FILE)), **facts)


def _window(row: int, encoding: Any) -> Window:
    offsets = np.array(encoding.offsets, dtype=np.int32).reshape(-1, 2)
    of_context = np.array([each == 1 for each in encoding.sequence_ids])
    of_context &= offsets[:, 1] > offsets[:, 0]  # a token of no character begins no answer
    return Window(
        row,
        encoding.ids,
        np.where(of_context, offsets[:, 0], -1),
        np.where(of_context, offsets[:, 1], -1),
    )
