"""Retrieval: which passages may tell, by words and by meaning, merged into one list.

    question -> BM25 over title and text   ┐
             -> nearest passage vectors    ┴ -> weighted fusion -> the best k passages

Both sources are those of search (`common.retrieval`). Names and numbers are found by words, a
paraphrase by meaning; together they find more than either. BM25's constants, and how the lists are
merged, are chosen by the recall of the right paragraph among the best `RECALL_AT` on validation
questions. The encoder is frozen: one vector a passage, made when the passages are indexed.

Shapes: B questions, K passages.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Self

import numpy as np

from common.atomic import write_json
from common.encoders import Encoder
from common.retrieval import Candidates
from common.retrieval.bm25 import BM25, Field
from common.retrieval.dense import Dense
from common.retrieval.hybrid import Hybrid
from common.text import unspaced_notice
from patterns.nlp.qa.entities.passages import Passage

CONSTANTS = ((1.2, 0.75), (0.9, 0.4), (0.9, 0.75), (1.5, 0.9))  # k1 and b
RECALL_AT = 5
BLOCK = 256  # questions scored at a time
FILE = "passages.json"


class Retriever:
    """BM25 and a dense index over the same passages, and their fusion."""

    def __init__(self, *, encoder: Encoder, candidates: int = 100) -> None:
        self.encoder, self.candidates = encoder, candidates
        self.constants_ = CONSTANTS[0]
        self.hybrid_ = Hybrid()
        self.passages_: list[Passage] = []
        self.notices_: list[str] = []
        self.bm25_: BM25 | None = None
        self.dense_: Dense | None = None

    def index(self, passages: Sequence[Passage]) -> Self:
        """Index these passages in place of those before."""
        if not passages:
            raise ValueError("passages: there are none to search; give paragraphs with words")
        self.passages_ = list(passages)
        texts = [searched(each) for each in passages]
        k1, b = self.constants_
        fields = {"text": Field("english", k1=k1, b=b)}
        self.bm25_ = BM25(fields=fields, weights={"text": 1.0}).fit({"text": texts})
        if self.dense_ is None:
            self.dense_ = Dense(encoder=self.encoder).fit(texts)
        else:
            self.dense_.refit(texts)
        said = unspaced_notice(each.text for each in passages)
        self.notices_ = [*self.dense_.notices_, *([f"BM25: {said}"] if said else [])]
        return self

    def fit(self, questions: Sequence[str], paragraph_ids: Sequence[str]) -> Self:
        """Choose BM25's constants and the fusion by recall of the right paragraph of each question.

        The passages must be indexed.
        """
        bm25 = self._bm25
        best = -1.0
        for constants in CONSTANTS:
            bm25.set_constants(*constants)
            found = self.recall(self.lexical(questions, RECALL_AT), paragraph_ids, RECALL_AT)
            if found > best + 1e-9:
                best, self.constants_ = found, constants
        bm25.set_constants(*self.constants_)
        lexical, nearest = self.sources(questions, self.candidates)
        self.hybrid_.fit(
            lexical,
            nearest,
            lambda merged: self.recall(merged, paragraph_ids, RECALL_AT),
            RECALL_AT,
            scaled=True,
        )
        return self

    def retrieve(self, questions: Sequence[str], k: int) -> Candidates:
        """Return the best `k` passages of each question, fewer where there are fewer."""
        return self.merge(*self.sources(questions, max(k, self.candidates)), k)

    def merge(self, lexical: Candidates, nearest: Candidates, k: int) -> Candidates:
        """Return the best `k` of both lists."""
        merged = self.hybrid_.merge(lexical, nearest, k).candidates
        return merged.head(len(self.passages_))  # beyond there is only padding

    def sources(self, questions: Sequence[str], k: int) -> tuple[Candidates, Candidates]:
        """Return the list of BM25 and the list of the dense index."""
        return self.lexical(questions, k), self.nearest(questions, k)

    def lexical(self, questions: Sequence[str], k: int) -> Candidates:
        """Return the best `k` passages by BM25."""
        blocks = [questions[at : at + BLOCK] for at in range(0, len(questions), BLOCK)]
        found = [self._bm25.retrieve(block, k) for block in blocks]
        return Candidates.concatenate(found, width=min(k, len(self.passages_)))

    def nearest(self, questions: Sequence[str], k: int) -> Candidates:
        """Return the best `k` passages by cosine."""
        assert self.dense_ is not None, "index passages first"
        return self.dense_.retrieve(self.dense_.encode(questions), k)

    @property
    def in_words(self) -> str:
        """Return what was chosen as one phrase."""
        k1, b = self.constants_
        weight, constant = self.hybrid_.lexical_weight_, self.hybrid_.constant_
        by = "scores" if constant is None else f"ranks + {constant:g}"
        return f"BM25 k1 {k1:g} b {b:g}, {weight:.1f} of the fusion by {by}"

    def recall(self, found: Candidates, paragraph_ids: Sequence[str], k: int) -> float:
        """Return the share of questions whose paragraph is among the best `k` passages."""
        return float(np.mean(self.ranks(found, paragraph_ids) <= k)) if len(found) else 0.0

    def ranks(self, found: Candidates, paragraph_ids: Sequence[str]) -> np.ndarray:
        """Return the rank of the right paragraph in each list (B,), from 1; infinite if missing."""
        numbers = {name: number for number, name in enumerate(dict.fromkeys(self._ids()))}
        of_passage = np.array([numbers[name] for name in self._ids()] + [-1])  # -1 pads
        wanted = np.array([numbers.get(name, -2) for name in paragraph_ids])
        hits = of_passage[found.item_ids] == wanted[:, None]  # (B, K)
        ranks = np.where(hits.any(axis=1), hits.argmax(axis=1) + 1.0, np.inf)
        return ranks.astype(np.float64)

    def _ids(self) -> list[str]:
        return [each.id for each in self.passages_]

    @property
    def _bm25(self) -> BM25:
        assert self.bm25_ is not None, "index passages first"
        return self.bm25_

    def save(self, folder: Path) -> None:
        """Write the passages, both indexes, the encoder of questions and the fusion."""
        assert self.dense_ is not None, "index passages first"
        rows = [[each.id, each.title, each.text, each.start] for each in self.passages_]
        content = {
            "candidates": self.candidates, "constants": list(self.constants_), "passages": rows,
        }  # fmt: skip
        write_json(folder / FILE, content)
        for name, stage in (("bm25", self._bm25), ("dense", self.dense_), ("fusion", self.hybrid_)):
            (folder / name).mkdir()
            stage.save(folder / name)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote; the encoder is then that of questions."""
        content = json.loads((folder / FILE).read_text(encoding="utf-8"))
        dense = Dense.load(folder / "dense")
        retriever = cls(encoder=dense.encoder, candidates=content["candidates"])
        k1, b = content["constants"]
        retriever.constants_ = (k1, b)
        retriever.passages_ = [Passage(*row) for row in content["passages"]]
        retriever.bm25_, retriever.dense_ = BM25.load(folder / "bm25"), dense
        retriever.hybrid_ = Hybrid.load(folder / "fusion")
        return retriever


def searched(passage: Passage) -> str:
    """Return the text that is indexed: the article's title tells what "it" is."""
    return f"{passage.title}. {passage.text}" if passage.title else passage.text
