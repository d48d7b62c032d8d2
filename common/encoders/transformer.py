"""A sentence transformer: the mean of the last layer's token vectors, divided by its length.

    v = mean of h_t over real tokens t,   e = v / |v|      (Reimers & Gurevych 2019, section 3)

Texts are encoded in batches of similar length, since a batch costs what its longest text costs.

Shapes: N texts, B texts of a batch, L tokens of its longest, D dimensions.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np

from common.encoders.base import Encoder, write_facts
from common.encoders.pretrained import MINILM, Found, load_found
from common.vectors import unit_rows

TRANSFORMER = "transformer"


class TransformerEncoder(Encoder):
    """A pretrained transformer with mean (or, where its files say so, first-token) pooling."""

    def __init__(
        self,
        tokenizer: Any,
        model: Any,
        *,
        name: str = MINILM,
        pooling: str = "mean",
        max_length: int = 256,
        device: str = "auto",
    ) -> None:
        import torch

        self.tokenizer, self.name, self.pooling = tokenizer, name, pooling
        self.max_length = max_length
        cuda = device != "cpu" and torch.cuda.is_available()
        self.device = torch.device("cuda" if cuda else "cpu")
        self.model = model.to(self.device).eval()

    @classmethod
    def from_found(cls, found: Found, *, max_length: int = 256, device: str = "auto") -> Self:
        """Load from a folder that `find_transformer` found."""
        tokenizer, model = load_found(found)
        pooling = _pooling(found.folder)
        return cls(
            tokenizer,
            model,
            name=found.name,
            pooling=pooling,
            max_length=max_length,
            device=device,
        )

    @property
    def dimension(self) -> int:
        """D."""
        return int(self.model.config.hidden_size)

    def encode(
        self, texts: Sequence[str], batch_size: int = 64, *, precision: str = "fp32"
    ) -> np.ndarray:
        """Return (N, D) float32 unit rows; texts beyond `max_length` tokens are cut, `cut_share`
        of them.
        """
        import torch

        from common.training import LengthLoader, cpu_has_fast_bf16

        vectors = np.zeros((len(texts), self.dimension), dtype=np.float32)
        if not len(texts):
            return vectors
        fast = self.device.type == "cuda" or cpu_has_fast_bf16()
        half = precision == "bf16" or (precision == "auto" and fast)
        ids = self.tokenizer(list(texts), truncation=True, max_length=self.max_length)["input_ids"]
        self.cut_share = float(np.mean([len(own) >= self.max_length for own in ids]))
        pad = self.tokenizer.pad_token_id or 0
        loader = LengthLoader(
            ids, np.arange(len(ids)), batch_size=batch_size, pad=pad, shuffle=False
        )
        with torch.inference_mode(), torch.autocast(self.device.type, torch.bfloat16, enabled=half):
            for tokens, mask, rows in loader:
                pooled = self.pool(tokens.to(self.device), mask.to(self.device))  # (B, D)
                vectors[rows.numpy()] = pooled.float().cpu().numpy()
        return unit_rows(vectors)

    def truncates(self, texts: Sequence[str]) -> list[bool]:
        """Return of each text whether its end is not read."""
        if not len(texts):
            return []
        pieces = self.tokenizer(
            list(texts), truncation=True, max_length=self.max_length, return_overflowing_tokens=True
        )["overflow_to_sample_mapping"]
        return [count > 1 for count in np.bincount(pieces, minlength=len(texts)).tolist()]

    def pool(self, tokens: Any, mask: Any) -> Any:
        """Return vectors (B, D), of any length, for tokens and mask (B, L)."""
        hidden = self.model(input_ids=tokens, attention_mask=mask).last_hidden_state.float()
        if self.pooling == "cls":
            return hidden[:, 0]
        weights = mask[:, :, None].float()  # (B, L, 1)
        return (hidden * weights).sum(1) / weights.sum(1)

    def save(self, folder: Path) -> None:
        """Write weights (safetensors) and tokenizer files."""
        self.model.save_pretrained(folder)
        self.tokenizer.save_pretrained(folder)
        facts = {
            "kind": TRANSFORMER, "name": self.name, "pooling": self.pooling,
            "max_length": self.max_length,
        }  # fmt: skip
        write_facts(folder, facts)

    @classmethod
    def load(cls, folder: Path, facts: dict[str, Any]) -> Self:
        """Read what `save` wrote, without the network."""
        tokenizer, model = load_found(Found(facts["name"], folder, "folder"))
        return cls(
            tokenizer,
            model,
            name=facts["name"],
            pooling=facts["pooling"],
            max_length=facts["max_length"],
        )


def _pooling(folder: Path) -> str:
    """Read the pooling a sentence-transformers folder asks for; mean without one."""
    path = folder / "1_Pooling" / "config.json"
    if not path.is_file():
        return "mean"
    return "cls" if json.loads(path.read_text()).get("pooling_mode_cls_token") else "mean"
