"""The network of every transformer here: an encoder, the mean over the real tokens, a linear layer.

    h = Encoder(ids) (B, L, D),   v = Σ_t m_t h_t / Σ_t m_t,   logits = W dropout(v) + b

Devlin et al. 2019 (BERT, § 4.1) take the first token's vector; a sentence encoder such as MiniLM
was trained on the mean, so the mean is used for all.

Shapes: B batch, L tokens, D hidden size, C classes.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn


class PooledClassifier(nn.Module):
    """Encoder, mean over the real tokens, linear layer."""

    def __init__(self, encoder: Any, *, classes: int, dropout: float) -> None:
        super().__init__()
        if getattr(encoder, "pooler", None) is not None:
            encoder.pooler = None  # the first-token layer of BERT, unused by the mean
        self.encoder = encoder
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(encoder.config.hidden_size, classes)
        nn.init.normal_(self.head.weight, std=0.02)
        nn.init.zeros_(self.head.bias)

    def vectors(self, ids: Tensor, mask: Tensor) -> Tensor:
        """Return the mean of the tokens' vectors (B, D) from ids and mask (B, L)."""
        hidden = self.encoder(input_ids=ids, attention_mask=mask).last_hidden_state  # (B, L, D)
        weights = mask[:, :, None].to(hidden.dtype)  # (B, L, 1)
        return (hidden * weights).sum(1) / weights.sum(1)

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        """Return logits (B, C) from ids and mask (B, L)."""
        return self.head(self.dropout(self.vectors(ids, mask))).float()


class WithVectors(nn.Module):
    """The same model, which answers its vectors (B, D) beside the logits (B, C)."""

    def __init__(self, module: PooledClassifier) -> None:
        super().__init__()
        self.module = module

    def forward(self, ids: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Return logits and vectors from ids and mask (B, L)."""
        vectors = self.module.vectors(ids, mask)
        return self.module.head(self.module.dropout(vectors)).float(), vectors.float()
