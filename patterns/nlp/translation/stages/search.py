r"""The search: which translation is likeliest, when only the next piece can be asked for.

    score(y | x) = Σ_t log p(y_t | y_<t, x) / |y|^a         END counted in |y|

Greedy search takes the likeliest piece each time. Beam search keeps the W best beginnings of each
text: each is followed by every piece, the best of all W · V are kept, and those that end in END go
to the finished ones. Without the division by length (a = 0) short translations win, since each
piece costs probability; a = 1 is the mean over pieces.

The W beginnings of all texts of a batch are rows of one tensor, and a cache holds keys and values
of what they have read and written: a step costs one position instead of all. When a beginning is
continued twice or dropped, its rows of the cache are copied or dropped too (`select`). A text that
is done leaves the batch: when it has W finished ones and no beginning is above the worst of them
any more. (One below may still rise, by pieces likelier than its mean: the usual approximation.)

Shapes: N texts still searched for, W beams, R = N · W rows, S source tokens, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from patterns.nlp.translation.stages.batches import padded
from patterns.nlp.translation.stages.subwords import END, PAD, START
from patterns.nlp.translation.stages.transformer import LayerCache, Transformer

LONGER, MORE = 2, 10  # a translation has at most LONGER · S + MORE pieces
NEVER = float("-inf")


@dataclass(frozen=True)
class Hypothesis:
    """A translation as pieces, without START and END, and its score."""

    ids: tuple[int, ...]
    score: float
    finished: bool = True
    """False where it was cut at the longest length allowed."""


@dataclass
class _Text:
    """The finished translations of one text, the best first."""

    most: int
    found: list[Hypothesis] = field(default_factory=list)

    def add(self, hypothesis: Hypothesis) -> None:
        """Keep it if it is among the best; equal scores keep their order."""
        self.found.append(hypothesis)
        self.found.sort(key=lambda each: -each.score)
        del self.found[self.most :]

    def done(self, best_running: float) -> bool:
        """Whether no beginning can come above the worst that is kept."""
        return len(self.found) == self.most and best_running <= self.found[-1].score


@torch.inference_mode()
def beam_search(
    model: Transformer,
    sources: Sequence[Sequence[int]],
    *,
    beam: int = 4,
    length_penalty: float = 1.0,
    cached: bool = True,
) -> list[list[Hypothesis]]:
    """Return up to `beam` hypotheses of each source (ids with END), best first.

    Without `cached` every step reads and writes everything again; the result is the same.
    """
    if not sources:
        return []
    device = model.embedding.weight.device
    source = padded([torch.tensor(each) for each in sources]).to(device)
    limits = torch.tensor([LONGER * len(each) + MORE for each in sources])
    state = _Beams.begin(model, source, beam, cached=cached)
    texts = [_Text(beam) for _ in sources]
    for length in range(1, int(limits.max()) + 1):
        _step(state, texts, limits, length, length_penalty)
        if not len(state.alive):
            break
    return [each.found for each in texts]


@dataclass
class _Beams:
    """The beginnings of all texts that are still searched for."""

    model: Transformer
    beam: int
    alive: Tensor  # (N,) numbers of the texts
    ids: Tensor  # (R, T) with START
    scores: Tensor  # (N, W) log-probabilities
    memory: Tensor  # (R, S, D)
    mask: Tensor | None  # (R, 1, 1, S)
    caches: list[LayerCache] | None

    @classmethod
    def begin(cls, model: Transformer, source: Tensor, beam: int, *, cached: bool) -> _Beams:
        """Return beginnings of START alone; only the first of each text counts."""
        memory, mask = model.encode(source)
        texts = len(source)
        scores = torch.full((texts, beam), NEVER, device=source.device)
        scores[:, 0] = 0.0
        rows = torch.arange(texts, device=source.device).repeat_interleave(beam)
        return cls(
            model, beam, torch.arange(texts),
            torch.full((texts * beam, 1), START, device=source.device),
            scores, memory[rows], None if mask is None else mask[rows],
            model.caches() if cached else None,
        )  # fmt: skip

    def next_scores(self) -> Tensor:
        """Return the log-probabilities (R, V) of each piece to come."""
        newest = self.ids[:, -1:] if self.caches else self.ids
        y = self.model.decode(newest, self.memory, self.mask, self.caches)[:, -1]  # (R, D)
        logits = self.model.logits(y).float()
        logits[:, [PAD, START]] = NEVER
        return logits.log_softmax(dim=-1)

    def keep(self, texts: Tensor, rows: Tensor, pieces: Tensor, scores: Tensor) -> None:
        """Go on with rows (N, W) of the batch, each followed by a piece, of `texts` (N,) alone."""
        flat, beams = rows.flatten(), torch.arange(self.beam, device=rows.device)
        self.ids = torch.cat((self.ids[flat], pieces.flatten()[:, None]), dim=1)
        dropped = len(texts) < len(self.alive)
        # all beginnings of a text read the same source: its rows move only where a text leaves
        of_source = (self.beam * texts[:, None] + beams).flatten() if dropped else None
        if of_source is not None:
            self.memory = self.memory[of_source]
            self.mask = None if self.mask is None else self.mask[of_source]
        for cache in self.caches or []:
            cache.select(flat, of_source)
        self.alive, self.scores = self.alive[texts.cpu()], scores


def _step(
    state: _Beams, texts: list[_Text], limits: Tensor, length: int, length_penalty: float
) -> None:
    """Add a piece to every beginning; put what ends aside, and drop the texts that are done."""
    beam, count = state.beam, len(state.alive)
    following = state.next_scores()  # (R, V)
    vocabulary = following.shape[1]
    total = state.scores[:, :, None] + following.view(count, beam, vocabulary)  # (N, W, V)
    scores, places = total.flatten(1).topk(min(2 * beam, beam * vocabulary), dim=1)  # (N, 2W)
    beams, pieces = places // vocabulary, places % vocabulary
    rows = beams + beam * torch.arange(count, device=places.device)[:, None]  # (N, 2W)
    going = []
    for number, text in enumerate(state.alive.tolist()):
        last = length >= int(limits[text])
        chosen = _sorted_out(
            texts[text], state.ids, scores[number], rows[number], pieces[number], beam,
            divisor=length**length_penalty, last=last,
        )  # fmt: skip
        running = float(scores[number, chosen[0]]) / length**length_penalty if chosen else NEVER
        if chosen and not texts[text].done(running):
            going.append((number, chosen))
    numbers = torch.tensor([number for number, _ in going], dtype=torch.long, device=rows.device)
    if not going:
        state.alive = state.alive[:0]
        return
    kept = torch.tensor([chosen for _, chosen in going], device=rows.device)  # (N', W)
    state.keep(
        numbers,
        rows[numbers].gather(1, kept),
        pieces[numbers].gather(1, kept),
        scores[numbers].gather(1, kept),
    )


def _sorted_out(
    text: _Text, ids: Tensor, scores: Tensor, rows: Tensor, pieces: Tensor, beam: int,
    *, divisor: float, last: bool,
) -> list[int]:  # fmt: skip
    """Put the candidates (2W,) that end aside; return the places of the W best that go on.

    Of what ends only the W best count, as if these were all that is kept. At the longest length
    everything ends.
    """
    going: list[int] = []
    for place, (score, row, piece) in enumerate(
        zip(scores.tolist(), rows.tolist(), pieces.tolist(), strict=True)
    ):
        if score == NEVER:
            continue
        if piece == END or last:
            if place < beam:
                written = (*ids[row, 1:].tolist(), *([] if piece == END else [piece]))
                text.add(Hypothesis(written, score / divisor, piece == END))
        elif len(going) < beam:
            going.append(place)
    assert last or len(going) == beam, "the vocabulary is larger than two beams"
    return going


@torch.inference_mode()
def greedy_pieces(model: Transformer, source: Sequence[int]) -> Iterator[int]:
    """Yield the likeliest next piece of a translation until it ends, as each is known."""
    device = model.embedding.weight.device
    memory, _ = model.encode(torch.tensor([list(source)], device=device))
    caches, piece = model.caches(), START
    for _ in range(LONGER * len(source) + MORE):
        y = model.decode(torch.tensor([[piece]], device=device), memory, None, caches)[:, -1]
        logits = model.logits(y).float()
        logits[:, [PAD, START]] = NEVER
        piece = int(logits.argmax())
        if piece == END:
            return
        yield piece
