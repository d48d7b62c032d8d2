"""Training examples: the questions of a paragraph share one reading of it.

    ids        p p p p | q q a a end | q q a end      one row: the passage, then its questions
    segments   0 0 0 0 | 1 1 1 1 1   | 2 2 2 2
    positions  0 1 2 3 | 4 5 6 7 8   | 4 5 6 7

A position sees those before it of its own segment and of segment 0, and its place is counted as if
the passage stood right before its question. So the answers have the probabilities that they have
one by one, and the gradient is the same; but a passage of 200 tokens with five questions of 30 is
350 tokens to read instead of 1,150. The loss is taken on the tokens of the answers alone.

To learn when to abstain, a paragraph also gets questions of other paragraphs of its article, near
enough that the topic alone does not give them away; of those whose answer happens to stand in the
paragraph, none is taken.

Shapes: B rows, L tokens, V vocabulary, n answer tokens of the batch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.rnn import pad_sequence

from common.training import LengthLoader
from patterns.nlp.qa.entities.questions import Question, Questions
from patterns.nlp.qa.stages.decoding import CausalModel
from patterns.nlp.qa.stages.prompts import Prompt

PADDING = -1  # segment of what only fills a row


@dataclass(frozen=True)
class Pack:
    """One row: ids, segments, positions (L,) int64, and where the next token is learned."""

    ids: Tensor
    segments: Tensor
    positions: Tensor
    wanted: Tensor  # (L,) bool
    questions: int

    def __len__(self) -> int:
        return len(self.ids)


def pack(passage: Sequence[int], asked: Sequence[tuple[list[int], list[int]]]) -> Pack:
    """Put (question, answer) ids after their passage."""
    ids, segments = list(passage), [0] * len(passage)
    positions, wanted = list(range(len(passage))), [False] * len(passage)
    for segment, (question, answer) in enumerate(asked, start=1):
        length = len(question) + len(answer)
        ids += [*question, *answer]
        segments += [segment] * length
        positions += range(len(passage), len(passage) + length)
        # the last token of the question gives the first of the answer; its end gives nothing
        wanted += [False] * (len(question) - 1) + [True] * len(answer) + [False]
    return Pack(
        torch.tensor(ids), torch.tensor(segments), torch.tensor(positions), torch.tensor(wanted),
        len(asked),
    )  # fmt: skip


def packs(
    part: Questions,
    prompt: Prompt,
    *,
    unanswerable: float,
    most_questions: int,
    max_new_tokens: int,
    budget: int,
    seed: int,
) -> list[Pack]:
    """Pack questions of paragraphs in random order until `budget` tokens are reached (0: all).

    `unanswerable` is the share of borrowed questions, if the data has none without an answer.
    """
    rng = np.random.default_rng(seed)
    by_paragraph: dict[int, list[Question]] = {}
    for question in part.questions:
        by_paragraph.setdefault(question.paragraph, []).append(question)
    by_title: dict[str, list[int]] = {}
    for paragraph in by_paragraph:
        by_title.setdefault(part.paragraphs[paragraph].title, []).append(paragraph)
    own = any(not question.answerable for question in part.questions)
    made: list[Pack] = []
    tokens = 0
    for paragraph in rng.permutation(list(by_paragraph)).tolist():
        asked = _drawn(by_paragraph[paragraph], most_questions, rng)
        if unanswerable and not own:
            others = by_title[part.paragraphs[paragraph].title]
            near = [each for each in others if each != paragraph]
            asked = _with_borrowed(
                asked, near, by_paragraph, part.paragraphs[paragraph].text, unanswerable, rng
            )
        row = _packed(part.paragraphs[paragraph].text, asked, prompt, max_new_tokens)
        if row is None:
            continue
        made.append(row)
        tokens += len(row)
        if budget and tokens >= budget:
            break
    return made


def _drawn(questions: list[Question], most: int, rng: np.random.Generator) -> list[Question]:
    rows = rng.permutation(len(questions))[:most]
    return [questions[row] for row in rows]


def _with_borrowed(
    asked: list[Question],
    near: list[int],
    by_paragraph: dict[int, list[Question]],
    text: str,
    share: float,
    rng: np.random.Generator,
) -> list[Question]:
    """Mix in questions of other paragraphs, `share` of the whole on average."""
    count = int(rng.poisson(share / (1 - share) * len(asked))) if near else 0
    mixed, lowered = list(asked), text.lower()
    for _ in range(min(count, len(asked))):
        others = by_paragraph[int(rng.choice(near))]
        other = others[int(rng.integers(len(others)))]
        if not any(answer.lower() in lowered for answer in other.answers):
            mixed.append(Question(other.id, other.text, other.paragraph))
    return [mixed[row] for row in rng.permutation(len(mixed))]


def _packed(text: str, asked: list[Question], prompt: Prompt, max_new_tokens: int) -> Pack | None:
    """Pack what can be learned: an answer cut off with the passage, or too long, cannot."""
    passage = prompt.passage(text)
    whole = len(passage) < len(prompt.before) + prompt.passage_tokens
    kept = text if whole else prompt.decode(passage[len(prompt.before) :])
    rows = []
    for question in asked:
        answer = question.answers[0] if question.answers else prompt.nothing
        ids = prompt.answer(answer)
        told = not question.answers or answer in kept
        if told and len(ids) <= max_new_tokens:
            rows.append((prompt.question(question.text), ids))
    return pack(passage, rows) if rows else None


def seen(segments: Tensor) -> Tensor:
    """Return bool (B, L, L), true where a query may look at a key, for segments (B, L)."""
    length = segments.shape[1]
    earlier = torch.ones((length, length), dtype=torch.bool, device=segments.device).tril()
    queries, keys = segments[:, :, None], segments[:, None, :]
    return earlier & ((keys == queries) | (keys == 0))


class PackLoader:
    """Batches of packs of similar length, in an order that can be replayed."""

    def __init__(
        self, rows: Sequence[Pack], *, batch_tokens: int, shuffle: bool = True, seed: int = 0
    ) -> None:
        if not rows:
            raise ValueError("train: it has no question to learn from; give questions with answers")
        self.rows = rows
        self.inner = LengthLoader(
            [each.ids.tolist() for each in rows], np.arange(len(rows)), batch_size=len(rows),
            tokens=batch_tokens, shuffle=shuffle, seed=seed,
        )  # fmt: skip

    def __len__(self) -> int:
        return len(self.inner)

    def set_epoch(self, epoch: int) -> None:
        """Choose the order of the next iteration."""
        self.inner.set_epoch(epoch)

    def __iter__(self) -> Iterator[tuple[Tensor, ...]]:
        return self.batches()

    def batches(self, start: int = 0) -> Iterator[tuple[Tensor, ...]]:
        """Yield (ids, positions, segments, wanted), each (B, L), from batch `start` on."""
        for _, _, numbers in self.inner.batches(start):
            chosen = [self.rows[number] for number in numbers.tolist()]
            yield (
                pad_sequence([row.ids for row in chosen], batch_first=True),
                pad_sequence([row.positions for row in chosen], batch_first=True),
                pad_sequence(
                    [row.segments for row in chosen], batch_first=True, padding_value=PADDING
                ),
                pad_sequence([row.wanted for row in chosen], batch_first=True),
            )


def answer_loss(model: CausalModel, batch: Sequence[Tensor]) -> Tensor:
    """Return the mean of -log p over the tokens of the answers, their ends included."""
    ids, positions, segments, wanted = (tensor.to(model.device) for tensor in batch)
    logits = model.logits_at(ids, positions, seen(segments), wanted)  # (n, V)
    following = ids.roll(-1, dims=1)[wanted]  # (n,): nothing is wanted of a row's last position
    return functional.cross_entropy(logits, following)


def text_loss(model: CausalModel, batch: Sequence[Tensor], *, language: float) -> Tensor:
    """Return the loss of the answers, and `language` times that of all text beside it.

    For a model that has to learn the language too: names that come again in a passage teach it to
    look back and copy before a question asks for that.
    """
    ids, positions, segments, wanted = (tensor.to(model.device) for tensor in batch)
    inside = segments == segments.roll(-1, dims=1)  # the next token is of the same text
    inside[:, -1] = False
    inside &= segments != PADDING
    logits = model.logits_at(ids, positions, seen(segments), inside)  # (n, V)
    losses = functional.cross_entropy(logits, ids.roll(-1, dims=1)[inside], reduction="none")
    return losses[wanted[inside]].mean() + language * losses.mean()


def validation(
    model: CausalModel, rows: Sequence[Pack], *, batch_tokens: int, precision: str
) -> Callable[[nn.Module], float] | None:
    """Return what `fit` asks after an epoch, minus the loss; None without validation questions."""
    if not rows:
        return None
    loader = PackLoader(rows, batch_tokens=batch_tokens, shuffle=False)

    def score(_: nn.Module) -> float:
        half = precision == "bf16"
        with torch.autocast(model.device.type, torch.bfloat16, enabled=half):
            losses = [float(answer_loss(model, batch)) for batch in loader]
        return -sum(losses) / len(losses)

    return score
