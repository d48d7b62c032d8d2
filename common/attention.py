r"""Multi-head attention with a cache of keys and values: what a Transformer is made of.

    Attention(Q, K, V) = softmax(Q K^T / sqrt(E) + mask) V,   in H heads of E = D / H dimensions

Vaswani et al. 2017, § 3.2. Asked with `memory`, queries come from one sequence and keys and values
from another (an encoder's output). With a `Cache`, a decoder that writes one token at a time gives
only the newest one: keys and values of the earlier stay where they are, so that T tokens cost T
steps of one row rather than T steps of up to T rows.

Shapes: B batch, T queries, S keys, D width, H heads, E = D / H.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional


@dataclass
class Cache:
    """Keys and values of one attention layer, (B, H, S, E) each; empty at first."""

    keys: Tensor | None = None
    values: Tensor | None = None

    @property
    def length(self) -> int:
        """S."""
        return 0 if self.keys is None else self.keys.shape[2]

    def append(self, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Add the newest positions and return all of them."""
        if self.keys is not None and self.values is not None:
            keys = torch.cat((self.keys, keys), dim=2)
            values = torch.cat((self.values, values), dim=2)
        self.keys, self.values = keys, values
        return keys, values

    def select(self, rows: Tensor) -> None:
        """Keep these rows of the batch, in this order: what a beam search does at each step."""
        if self.keys is not None and self.values is not None:
            self.keys, self.values = self.keys[rows], self.values[rows]


class Attention(nn.Module):
    """Self-attention, or attention from `x` to `memory`."""

    def __init__(self, width: int, heads: int, *, dropout: float = 0.0) -> None:
        super().__init__()
        if width % heads:
            raise ValueError(
                f"heads: {heads} does not divide the width {width}; give one that does"
            )
        self.heads, self.dropout = heads, dropout
        self.query = nn.Linear(width, width)
        self.key = nn.Linear(width, width)
        self.value = nn.Linear(width, width)
        self.output = nn.Linear(width, width)

    def forward(
        self,
        x: Tensor,
        memory: Tensor | None = None,
        *,
        mask: Tensor | None = None,
        causal: bool = False,
        cache: Cache | None = None,
    ) -> Tensor:
        """Return (B, T, D) for `x` (B, T, D) and, if given, `memory` (B, S, D).

        `mask` is boolean and broadcasts to (B, H, T, S), true where a query may look; `causal` lets
        position t see positions up to t. A cache of self-attention grows by T; one of `memory` is
        filled at the first call and read from then on.
        """
        queries = self._split(self.query(x))  # (B, H, T, E)
        keys, values = self._keys_values(x, memory, cache)  # (B, H, S, E)
        if causal and x.shape[1] > 1:
            seen = causal_mask(x.shape[1], keys.shape[2], device=x.device)
            mask = seen if mask is None else mask & seen
        mixed = _mixed(queries, keys, values, mask, self.dropout if self.training else 0.0)
        return self.output(mixed.transpose(1, 2).flatten(2))

    def weights(self, x: Tensor, memory: Tensor | None = None) -> Tensor:
        """Return what each query looks at, (B, H, T, S), for a picture of it."""
        queries, (keys, _) = self._split(self.query(x)), self._keys_values(x, memory, None)
        return (queries @ keys.transpose(2, 3) / math.sqrt(queries.shape[3])).softmax(dim=-1)

    def _keys_values(
        self, x: Tensor, memory: Tensor | None, cache: Cache | None
    ) -> tuple[Tensor, Tensor]:
        if memory is not None and cache is not None and cache.keys is not None:
            assert cache.values is not None
            return cache.keys, cache.values
        source = x if memory is None else memory
        keys, values = self._split(self.key(source)), self._split(self.value(source))
        return (keys, values) if cache is None else cache.append(keys, values)

    def _split(self, x: Tensor) -> Tensor:
        """Turn (B, T, D) into (B, H, T, E)."""
        return x.unflatten(2, (self.heads, -1)).transpose(1, 2)


def _mixed(
    queries: Tensor, keys: Tensor, values: Tensor, mask: Tensor | None, dropout: float
) -> Tensor:
    """Return softmax(Q K^T / sqrt(E)) V, (B, H, T, E).

    On a CPU bf16 is turned to fp32 here: its kernel takes eight times as long backwards.
    """
    attend = functional.scaled_dot_product_attention
    if queries.device.type != "cpu" or queries.dtype != torch.bfloat16:
        return attend(queries, keys, values, attn_mask=mask, dropout_p=dropout)
    with torch.autocast("cpu", enabled=False):
        exact = (each.float() for each in (queries, keys, values))
        return attend(*exact, attn_mask=mask, dropout_p=dropout)


def causal_mask(queries: int, keys: int, *, device: torch.device | None = None) -> Tensor:
    """Return bool (T, S): the last query sees all keys, each earlier one a key less."""
    return torch.ones((queries, keys), dtype=torch.bool, device=device).tril(keys - queries)
