r"""A small GPT, written to be read: a causal Transformer that says which token comes next.

    h = E[ids] + P[positions],   h ← h + Attention(norm(h)),   h ← h + MLP(norm(h))
    z = norm(h) E^T

Radford et al. 2019: the norm stands before each part (Xiong et al. 2020 on why that trains without
a long warm-up), the MLP is four times as wide, and the matrix E that reads tokens also writes them
("tied", Press & Wolf 2017), which saves its weights a second time. A position sees itself and those
before it; so one pass over a text trains every position at once, and when a text is written token
by token, keys and values of what was read stay in a cache.

It differs from GPT-2 in size alone. `positions` are given, since padding and packed texts move
tokens away from the places that they have in their own text.

Shapes: B texts, L tokens, T tokens read in a step, S tokens in the cache, D width, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from common.attention import Attention, Cache


class Block(nn.Module):
    """One layer: look at other positions, then think about what was seen."""

    def __init__(self, width: int, heads: int, *, dropout: float) -> None:
        super().__init__()
        self.before_attention, self.before_mlp = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = Attention(width, heads, dropout=dropout)
        self.mlp = nn.Sequential(
            nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width)
        )
        self.dropout = nn.Dropout(dropout)

    def forward(self, h: Tensor, mask: Tensor | None, cache: Cache | None) -> Tensor:
        """Return (B, T, D) for `h` (B, T, D)."""
        seen = self.attention(self.before_attention(h), mask=mask, causal=True, cache=cache)
        h = h + self.dropout(seen)
        return h + self.dropout(self.mlp(self.before_mlp(h)))


class Gpt(nn.Module):
    """Token ids to logits of the next token."""

    def __init__(
        self,
        *,
        vocabulary: int,
        width: int = 128,
        layers: int = 4,
        heads: int = 4,
        max_length: int = 512,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.max_length = max_length
        self.tokens = nn.Embedding(vocabulary, width)
        self.places = nn.Embedding(max_length, width)
        self.blocks = nn.ModuleList(Block(width, heads, dropout=dropout) for _ in range(layers))
        self.norm = nn.LayerNorm(width)
        self.dropout = nn.Dropout(dropout)
        for name, parameter in self.named_parameters():
            if parameter.ndim == 2:  # what adds to h shrinks with depth, so that h does not grow
                adds = name.endswith(("output.weight", "mlp.2.weight"))
                std = width**-0.5 / (2 * layers) ** 0.5 if adds else width**-0.5
                nn.init.normal_(parameter, std=std)

    @property
    def device(self) -> torch.device:
        """Where its weights are."""
        return self.tokens.weight.device

    def forward(
        self,
        ids: Tensor,
        positions: Tensor | None = None,
        *,
        mask: Tensor | None = None,
        caches: Sequence[Cache] | None = None,
    ) -> Tensor:
        """Return the last layer's outputs (B, T, D) for ids and positions (B, T).

        Positions count on from the cache if not given. `mask` (B, 1, T, S) is true where a query
        may look; beyond that, none looks ahead. With `caches`, one a layer, ids are the newest.
        """
        if positions is None:
            start = caches[0].length if caches else 0
            positions = torch.arange(start, start + ids.shape[1], device=ids.device)[None]
        h = self.dropout(self.tokens(ids) + self.places(positions))  # (B, T, D)
        for layer, block in enumerate(self.blocks):
            h = block(h, mask, caches[layer] if caches else None)
        return self.norm(h)

    def logits(self, h: Tensor) -> Tensor:
        """Return (…, V) for outputs (…, D) of the last layer, by the matrix that reads tokens."""
        return nn.functional.linear(h, self.tokens.weight)

    def logits_at(self, ids: Tensor, positions: Tensor, seen: Tensor, wanted: Tensor) -> Tensor:
        """Return logits (n, V) at the n positions where `wanted` (B, L) is true."""
        return self.logits(self(ids, positions, mask=seen[:, None])[wanted]).float()

    def writer(self) -> GptWriter:
        """Begin new texts."""
        return GptWriter(self)


class GptWriter:
    """A `Gpt` amid B texts, with a cache for each layer."""

    def __init__(self, model: Gpt) -> None:
        self.model = model
        self.caches = [Cache() for _ in model.blocks]
        self.mask: Tensor | None = None  # (B, S) of what was read

    def read(self, ids: Tensor, mask: Tensor) -> Tensor:
        """Read on by ids and mask (B, T); return the next logits (B, V)."""
        steps = ids.shape[1]
        self.mask = mask if self.mask is None else torch.cat((self.mask, mask), dim=1)
        positions = (self.mask.cumsum(dim=1) - 1).clamp(min=0)[:, -steps:]  # (B, T)
        seen = self.mask.bool()[:, None, None, :].expand(-1, 1, steps, -1)
        if steps > 1:  # padding before a text sees itself, or it would see nothing at all
            seen = seen | torch.eye(steps, dtype=torch.bool, device=ids.device)
        h = self.model(ids, positions, mask=seen, caches=self.caches)
        return self.model.logits(h[:, -1]).float()

    def keep(self, rows: Tensor) -> None:
        """Go on with these rows of the batch only."""
        assert self.mask is not None, "nothing was read yet"
        self.mask = self.mask[rows]
        for cache in self.caches:
            cache.select(rows)
