r"""The model: a Transformer that reads a text in one language and writes it in another.

    encoder layer   x ← x + Attention(LN(x)),   x ← x + FFN(LN(x))
    decoder layer   y ← y + Attention(LN(y)), looking back only
                    y ← y + Attention(LN(y), memory),   y ← y + FFN(LN(y))
    FFN(x) = W_2 relu(W_1 x + b_1) + b_2,       logits = E LN(y)
    position p      sin(p / 10000^(2i/D)) and cos of the same, added to the embedding √D · E_token

Vaswani et al. 2017. Different from there: norms come before each block and not after the sum
(Xiong et al. 2020), which trains without a long warm-up; one matrix E is the embedding of source
and target and the output layer (Press & Wolf 2017), possible since both share one vocabulary.

Shapes: B batch, S source tokens, T target tokens, D width, H heads, V vocabulary, M target tokens
of a batch that are to be predicted.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.nn import functional

from common.attention import Attention, Cache
from patterns.nlp.translation.stages.subwords import PAD


@dataclass
class LayerCache:
    """What a decoder layer keeps between two steps: of the words so far, and of the source."""

    own: Cache = field(default_factory=Cache)
    memory: Cache = field(default_factory=Cache)

    def select(self, rows: Tensor, memory_rows: Tensor | None) -> None:
        """Keep these rows of the batch, in this order; those of the source if they differ."""
        self.own.select(rows)
        if memory_rows is not None:
            self.memory.select(memory_rows)


class FeedForward(nn.Module):
    """Two layers on each position by itself."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.inner, self.outer = nn.Linear(width, hidden), nn.Linear(hidden, width)

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, T, D)."""
        return self.outer(functional.relu(self.inner(x)))


class EncoderLayer(nn.Module):
    """Every token looks at every token of its text, then each goes through the feed-forward net."""

    def __init__(self, width: int, heads: int, hidden: int, dropout: float) -> None:
        super().__init__()
        self.attention, self.feed = Attention(width, heads), FeedForward(width, hidden)
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(2))
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        """Return (B, S, D); `mask` (B, 1, 1, S) is true where there is a token."""
        x = x + self.dropout(self.attention(self.norms[0](x), mask=mask))
        return x + self.dropout(self.feed(self.norms[1](x)))


class DecoderLayer(nn.Module):
    """Each token looks back at the target so far, then at the source, then the feed-forward net."""

    def __init__(self, width: int, heads: int, hidden: int, dropout: float) -> None:
        super().__init__()
        self.attention, self.cross = Attention(width, heads), Attention(width, heads)
        self.feed = FeedForward(width, hidden)
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(3))
        self.dropout = nn.Dropout(dropout)

    def forward(
        self, y: Tensor, memory: Tensor, mask: Tensor | None, cache: LayerCache | None
    ) -> Tensor:
        """Return (B, T, D) for `y` (B, T, D), all of the target or, with a cache, its newest."""
        own, read = (cache.own, cache.memory) if cache else (None, None)
        y = y + self.dropout(self.attention(self.norms[0](y), causal=True, cache=own))
        y = y + self.dropout(self.cross(self.norms[1](y), memory, mask=mask, cache=read))
        return y + self.dropout(self.feed(self.norms[2](y)))

    def looks(self, y: Tensor, memory: Tensor) -> Tensor:
        """Return how much each target position looks at each source token, (B, H, T, S)."""
        y = y + self.attention(self.norms[0](y), causal=True)
        return self.cross.weights(self.norms[1](y), memory)


class Transformer(nn.Module):
    """Encoder and decoder with one embedding."""

    def __init__(
        self,
        *,
        vocabulary: int,
        width: int = 256,
        heads: int = 4,
        encoder_layers: int = 3,
        decoder_layers: int = 2,
        hidden: int = 512,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        self.width = width
        self.embedding = nn.Embedding(vocabulary, width)
        sizes = (width, heads, hidden, dropout)
        self.encoder = nn.ModuleList(EncoderLayer(*sizes) for _ in range(encoder_layers))
        self.decoder = nn.ModuleList(DecoderLayer(*sizes) for _ in range(decoder_layers))
        self.read_norm, self.write_norm = nn.LayerNorm(width), nn.LayerNorm(width)
        self.dropout = nn.Dropout(dropout)
        self.apply(_initialise)
        nn.init.normal_(self.embedding.weight, std=width**-0.5)

    def encode(self, source: Tensor) -> tuple[Tensor, Tensor | None]:
        """Return the memory (B, S, D) of source ids (B, S), and its mask if any place is empty."""
        real = source != PAD  # (B, S)
        mask = None if bool(real.all()) else real[:, None, None, :]  # (B, 1, 1, S)
        x = self._embedded(source, 0)  # (B, S, D)
        for layer in self.encoder:
            x = layer(x, mask)
        return self.read_norm(x), mask

    def decode(
        self,
        target: Tensor,
        memory: Tensor,
        mask: Tensor | None = None,
        caches: list[LayerCache] | None = None,
    ) -> Tensor:
        """Return (B, T, D) of target ids (B, T), which `logits` turns into what comes next.

        With `caches`, one a layer, only the newest ids are given, and the caches grow by them.
        """
        y = self._embedded(target, caches[0].own.length if caches else 0)  # (B, T, D)
        for place, layer in enumerate(self.decoder):
            y = layer(y, memory, mask, caches[place] if caches else None)
        return self.write_norm(y)

    def logits(self, y: Tensor) -> Tensor:
        """Return (…, V) of hidden states (…, D)."""
        return functional.linear(y, self.embedding.weight)

    def forward(self, source: Tensor, target: Tensor) -> Tensor:
        """Return hidden states (M, D) of all pieces to come of targets (B, T), padding left out.

        They belong to `target[:, 1:]` where that is not PAD, row by row.
        """
        y = self.decode(target[:, :-1], *self.encode(source))  # (B, T - 1, D)
        return y[target[:, 1:] != PAD]

    def looks(self, source: Tensor, target: Tensor) -> Tensor:
        """Return where the last decoder layer looks: (T, S), the mean of the heads, of one pair."""
        memory, _ = self.encode(source[None])  # (1, S, D)
        y = self._embedded(target[None], 0)
        for layer in self.decoder[:-1]:
            y = layer(y, memory, None, None)
        last = self.decoder[-1]
        assert isinstance(last, DecoderLayer)
        return last.looks(y, memory)[0].mean(dim=0)

    def caches(self) -> list[LayerCache]:
        """Return empty caches, one a decoder layer."""
        return [LayerCache() for _ in self.decoder]

    def _embedded(self, ids: Tensor, start: int) -> Tensor:
        """Return embeddings with the positions from `start` on, (B, T, D)."""
        places = positions(start, ids.shape[1], self.width).to(ids.device)
        return self.dropout(math.sqrt(self.width) * self.embedding(ids) + places)


def positions(start: int, count: int, width: int) -> Tensor:
    """Return sines and cosines (count, D) of the positions from `start` on; any length will do."""
    place = torch.arange(start, start + count)[:, None]  # (count, 1)
    rate = torch.exp(torch.arange(0, width, 2) * (-math.log(10_000.0) / width))  # (D / 2,)
    angle = place * rate
    return torch.stack((angle.sin(), angle.cos()), dim=2).flatten(1)  # (count, D)


def _initialise(module: nn.Module) -> None:
    """Draw matrices as Glorot & Bengio 2010; biases begin at 0."""
    if isinstance(module, nn.Linear):
        nn.init.xavier_uniform_(module.weight)
        nn.init.zeros_(module.bias)
