"""The stand-in for a transformer: TF-IDF + SVD features and a small network on them.

    v = unit(V_D^T tfidf(text)) (D,),   logits = W₂ dropout(GELU(W₁ v + b₁)) + b₂

It needs no pretrained weights, so the pattern runs anywhere; it knows only the words of its
training texts and does not pass the TF-IDF baseline by much, if at all. The pipeline says on the
console and in the report that it stands in.

Shapes: B batch, D features, H hidden, C classes.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Self

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from common.atomic import write_json
from common.encoders import Encoder, load_encoder, load_saved
from common.training import History, Optimisation, TensorLoader, fit
from patterns.nlp.classification.entities.outputs import Outputs
from patterns.nlp.classification.entities.texts import Texts

WEIGHTS, FACTS = "head.safetensors", "head.json"


class FeatureClassifier:
    """Frozen text features, a two-layer network."""

    kind = "features"
    name = "TF-IDF + SVD + network"

    def __init__(
        self,
        *,
        classes: int = 2,
        dimension: int = 384,
        hidden: int = 512,
        epochs: int = 30,
        batch_size: int = 64,
        learning_rate: float = 3e-3,
        label_smoothing: float = 0.1,
        dropout: float = 0.3,
        device: str = "auto",
        seed: int = 0,
    ) -> None:
        self.classes, self.dimension, self.hidden = classes, dimension, hidden
        self.epochs, self.batch_size, self.learning_rate = epochs, batch_size, learning_rate
        self.label_smoothing, self.dropout = label_smoothing, dropout
        self.device, self.seed = device, seed
        self.encoder_: Encoder | None = None
        self.module_: nn.Module | None = None
        self.history_: History | None = None

    def fit(
        self,
        train: Texts,
        valid: Texts,
        *,
        checkpoint: Path | None = None,
        resume: bool = False,
    ) -> Self:
        """Fit features and network; the epoch with the lowest validation loss is kept."""
        self.encoder_ = load_encoder("tfidf-svd", dimension=self.dimension).fit(train.texts)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            self.module_ = self._network(self.encoder_.dimension)
        loader = TensorLoader(
            self.encoder_.encode(train.texts),
            train.labels,
            batch_size=self.batch_size,
            seed=self.seed,
        )
        valid_features = torch.from_numpy(self.encoder_.encode(valid.texts))  # (N, D)
        targets = torch.from_numpy(valid.labels)
        objective = nn.CrossEntropyLoss(label_smoothing=self.label_smoothing)

        def likelihood(module: nn.Module) -> float:
            device = next(module.parameters()).device
            return -float(objective(module(valid_features.to(device)), targets.to(device)))

        self.history_ = fit(
            self.module_,
            loader,
            lambda module, batch: objective(module(batch[0]), batch[1]),
            Optimisation(
                epochs=self.epochs,
                learning_rate=self.learning_rate,
                weight_decay=0.01,
                schedule="cosine",
                warmup=0.1,
                patience=10,
            ),
            validate=likelihood,
            device=self.device,
            seed=self.seed,
            checkpoint=checkpoint,
            resume=resume,
            label="head",
        )
        return self

    def predict(self, texts: Sequence[str]) -> np.ndarray:
        """Return logits (N, C)."""
        return self.outputs(texts).logits

    def outputs(self, texts: Sequence[str]) -> Outputs:
        """Return logits (N, C) and the features (N, D)."""
        assert self.module_ is not None and self.encoder_ is not None, "fit or load it first"
        device = next(self.module_.parameters()).device
        features = self.encoder_.encode(texts)  # (N, D)
        with torch.inference_mode():
            logits = self.module_(torch.from_numpy(features).to(device)).cpu().numpy()
        return Outputs(logits, features)

    def truncates(self, texts: Sequence[str]) -> list[bool]:
        """Return of each text whether its end is not read: never."""
        return [False] * len(texts)

    def save(self, folder: Path) -> None:
        """Write the features' and the network's files."""
        assert self.module_ is not None and self.encoder_ is not None, "fit it first"
        (folder / "features").mkdir()
        self.encoder_.save(folder / "features")
        save_file(self.module_.state_dict(), folder / WEIGHTS)
        facts = {"classes": self.classes, "hidden": self.hidden, "dropout": self.dropout}
        write_json(folder / FACTS, facts)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote."""
        stage = cls(**json.loads((folder / FACTS).read_text(encoding="utf-8")))
        stage.encoder_ = load_saved(folder / "features")
        stage.module_ = stage._network(stage.encoder_.dimension).eval()
        stage.module_.load_state_dict(load_file(folder / WEIGHTS))
        return stage

    def _network(self, features: int) -> nn.Module:
        return nn.Sequential(
            nn.Linear(features, self.hidden),
            nn.GELU(),
            nn.Dropout(self.dropout),
            nn.Linear(self.hidden, self.classes),
        )
