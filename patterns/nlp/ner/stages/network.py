"""The networks: a transformer that also sees how words are written, and a linear-chain CRF.

    x_p = E[id_p] + Σ_f F_f[code_p]          pieces, with case and place added to the input
    z_p = W dropout(Encoder(x)_p) + Σ_f G_f[code_p],    s_t = mean of z_p over the pieces of word t

F and G begin at zero, so training begins with what was pretrained. Devlin et al. 2019 (§ 5.3) take
the first piece of a word; the mean is used here, since a new name falls into many pieces and its
first may be any. Mean and W commute, so the network scores pieces and needs to know no words, which
keeps the exported graph plain.

    CRF: log p(y | x) = score(y) − log Σ_y' exp score(y'),   score as in `decoding`

Lafferty et al. 2001; on top of a network: Lample et al. 2016. What the scheme forbids stays
forbidden, the rest of the transitions is learned.

Shapes: B sentences or windows, L pieces, W words, C tags, D hidden size.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from patterns.nlp.ner.entities.tags import TagSet
from patterns.nlp.ner.stages.decoding import FORBIDDEN, Transitions
from patterns.nlp.ner.stages.shapes import RADICES


class ShapeEmbedding(nn.Module):
    """One vector for each feature of a code, summed; all begin at zero."""

    def __init__(self, dimension: int) -> None:
        super().__init__()
        self.tables = nn.ModuleList(nn.Embedding(radix, dimension) for radix in RADICES)
        for table in self.tables:
            nn.init.zeros_(table.weight)  # type: ignore[arg-type]

    def forward(self, codes: Tensor) -> Tensor:
        """Return vectors (B, L, dimension) of codes (B, L)."""
        total, left = torch.zeros((), device=codes.device), codes
        for table, radix in zip(self.tables, RADICES, strict=True):
            total = total + table(left % radix)
            left = left // radix
        return total


class PieceTagger(nn.Module):
    """Encoder over pieces and their shapes, linear layer."""

    def __init__(self, encoder: Any, *, classes: int, dropout: float) -> None:
        super().__init__()
        if getattr(encoder, "pooler", None) is not None:
            encoder.pooler = None  # the first-token layer of BERT, unused here
        self.encoder = encoder
        self.written = ShapeEmbedding(encoder.config.hidden_size)
        self.by_shape = ShapeEmbedding(classes)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(encoder.config.hidden_size, classes)
        nn.init.normal_(self.head.weight, std=0.02)
        nn.init.zeros_(self.head.bias)

    def forward(self, ids: Tensor, mask: Tensor, codes: Tensor) -> Tensor:
        """Return piece scores (B, L, C) from ids, mask and codes (B, L)."""
        embedded = self.encoder.get_input_embeddings()(ids) + self.written(codes)  # (B, L, D)
        hidden = self.encoder(inputs_embeds=embedded, attention_mask=mask).last_hidden_state
        return (self.head(self.dropout(hidden)) + self.by_shape(codes)).float()


def of_words(piece_scores: Tensor, words: Tensor, count: int) -> Tensor:
    """Return word scores (B, W, C), the means of piece scores (B, L, C).

    `words` (B, L) holds the word of each piece, -1 for none; words beyond a sentence's end get 0.
    """
    batch, _, classes = piece_scores.shape
    place = torch.where(words < 0, count, words)[:, :, None]  # what belongs to none goes last
    sums = piece_scores.new_zeros(batch, count + 1, classes)
    sums = sums.scatter_add(1, place.expand(-1, -1, classes), piece_scores)
    pieces = piece_scores.new_zeros(batch, count + 1, 1)
    pieces = pieces.scatter_add(1, place, torch.ones_like(place, dtype=pieces.dtype))
    return (sums / pieces.clamp(min=1))[:, :count]


class CRF(nn.Module):
    """Learned scores of the first tag, of pairs of tags, of the last tag."""

    start_rule: Tensor
    between_rule: Tensor

    def __init__(self, tags: TagSet) -> None:
        super().__init__()
        rules = Transitions.of_rules(tags)
        self.start = nn.Parameter(torch.zeros(len(tags)))
        self.between = nn.Parameter(torch.zeros(len(tags), len(tags)))
        self.end = nn.Parameter(torch.zeros(len(tags)))
        self.register_buffer("start_rule", torch.from_numpy(rules.start).float(), persistent=False)
        self.register_buffer(
            "between_rule", torch.from_numpy(rules.between).float(), persistent=False
        )

    def log_likelihood(self, scores: Tensor, tags: Tensor, lengths: Tensor) -> Tensor:
        """Return log p (B,) of tags (B, W) under scores (B, W, C); lengths (B,) from 1."""
        start, between = self.start + self.start_rule, self.between + self.between_rule
        batch = torch.arange(len(scores), device=scores.device)
        inside = torch.arange(scores.shape[1], device=scores.device) < lengths[:, None]  # (B, W)
        taken = scores.gather(2, tags[:, :, None])[:, :, 0]  # (B, W)
        pairs = between[tags[:, :-1], tags[:, 1:]]
        path = (
            start[tags[:, 0]]
            + (taken * inside).sum(1)
            + (pairs * inside[:, 1:]).sum(1)
            + self.end[tags[batch, lengths - 1]]
        )
        sums = start + scores[:, 0]  # (B, C)
        for place in range(1, scores.shape[1]):
            on = torch.logsumexp(sums[:, :, None] + between, dim=1) + scores[:, place]
            sums = torch.where(inside[:, place, None], on, sums)
        return path - torch.logsumexp(sums + self.end, dim=1)

    def transitions(self) -> Transitions:
        """Return what was learned, for `Decoder`."""
        start = (self.start + self.start_rule).detach()
        between = (self.between + self.between_rule).detach()
        parts = [_numbers(start), _numbers(between), _numbers(self.end.detach())]
        return Transitions(*(np.where(each < FORBIDDEN / 2, FORBIDDEN, each) for each in parts))


def _numbers(values: Tensor) -> np.ndarray:
    return values.cpu().numpy().astype(np.float64)
