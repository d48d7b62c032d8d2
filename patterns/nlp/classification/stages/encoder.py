"""The model: a pretrained transformer, mean-pooled (`pooled`), all of whose layers are fine-tuned.

What makes a few epochs enough:

- the new layer learns `head_factor` times faster, layers below the top ever more slowly
  (rate · decay^depth, Howard & Ruder 2018), so that what pretraining put low down survives;
- the rate warms up, then falls linearly to 0 (Mosbach et al. 2021 on the stability of it);
- targets are smoothed, since neighbouring intents are labelled inconsistently;
- what a frozen encoder already knew is kept, if it was asked before (`guide`).

Batches hold texts of similar length: random ones of BANKING77 would be 69 % padding, these are 6 %.

How long it trains follows from how much there is to read (`common/training/finetuning.py`).

Shapes: N texts, L tokens, D hidden size, C classes.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from torch import nn

from common.atomic import write_json
from common.encoders import Tokens, length_batches, load_transformer
from common.encoders.network import bare_encoder, load_weights, save_network
from common.training import History, LengthLoader, choose_precision, fit
from common.training.finetuning import (
    Length,
    falling,
    plain_attention,
    rows_within,
    usual_rate,
)
from common.training.layers import layer_groups
from common.training.loop import Loss
from patterns.nlp.classification.entities.guides import Guide
from patterns.nlp.classification.entities.outputs import Outputs
from patterns.nlp.classification.entities.texts import Texts
from patterns.nlp.classification.stages.guide import blend, soft_loss, start_head
from patterns.nlp.classification.stages.pooled import PooledClassifier, WithVectors
from patterns.nlp.classification.stages.score import score

WEIGHTS, FACTS = "encoder.safetensors", "encoder.json"
NARROW_RATE = 6e-4
LENGTH = Length(epochs=6, steps=200, most_epochs=30)
SAMPLE, MOST_BLENDED = 512, 2000  # texts that tell the length of vectors, and the blend
TOKENS = 48  # a text, on average over a batch; batches of longer texts hold fewer, to bound memory


class EncoderClassifier:
    """A fine-tuned transformer, any that `AutoModel` knows and that has a fast tokenizer."""

    kind = "encoder"

    def __init__(
        self,
        *,
        model: str = "auto",
        classes: int = 2,
        epochs: int = 0,
        budget: int = 900_000,
        batch_size: int = 64,
        learning_rate: float = 0.0,
        head_factor: float = 5.0,
        layer_decay: float = 0.8,
        warmup: float = 0.1,
        weight_decay: float = 0.01,
        label_smoothing: float = 0.05,
        guidance: float = 0.15,
        dropout: float = 0.1,
        max_length: int = 256,
        precision: str = "auto",
        device: str = "auto",
        seed: int = 0,
        guide: Guide | None = None,
    ) -> None:
        """`epochs` 0 takes as many as `budget` and the training texts ask for; `guide` is what
        logistic regression found on the encoder as it comes, to begin with.
        """
        self.model, self.classes, self.dropout = model, classes, dropout
        self.epochs, self.budget = epochs, budget
        self.batch_size, self.learning_rate = batch_size, learning_rate
        self.head_factor, self.layer_decay, self.warmup = head_factor, layer_decay, warmup
        self.weight_decay, self.label_smoothing = weight_decay, label_smoothing
        self.guidance, self.guide = guidance, guide
        self.max_length, self.device, self.seed = max_length, device, seed
        self.precision = choose_precision(precision, device)
        short = "MiniLM" if model == "auto" else model.rsplit("/", 1)[-1]
        self.name = f"{short} fine-tuned"  # what tables call it
        self.learning_rate_ = learning_rate
        self.epochs_ = epochs
        self.blend_ = 1.0  # share of the tuned weights in those that are kept
        self.read_share_ = 1.0  # of the training texts
        self.cut_share_ = 0.0  # of the training texts, whose end is not read
        self.tokens_: Tokens | None = None
        self.module_: PooledClassifier | None = None
        self.history_: History | None = None

    def fit(
        self,
        train: Texts,
        valid: Texts,
        *,
        checkpoint: Path | None = None,
        resume: bool = False,
    ) -> Self:
        """Fine-tune; the weights of the epoch with the best validation score are kept.

        Raises `EncoderUnavailable` where the pretrained model is not available.
        """
        tokenizer, encoder = load_transformer(self.model)
        tokens = Tokens.of_transformer(tokenizer, max_length=self.max_length)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            module = PooledClassifier(encoder, classes=self.classes, dropout=self.dropout)
        plain = nn.CrossEntropyLoss(label_smoothing=self.label_smoothing)
        loss: Loss = lambda model, batch: plain(model(batch[0], batch[1]), batch[2])  # noqa: E731
        if self.guide is None:
            return self.tune(
                module, tokens, train, valid, loss=loss, checkpoint=checkpoint, resume=resume
            )
        self.module_, self.tokens_ = module, tokens
        vectors = self.outputs(train.texts[:SAMPLE]).vectors
        assert vectors is not None
        start_head(module.head, self.guide, vectors)
        start = {name: value.clone() for name, value in module.state_dict().items()}
        taught = [] if self.guide.held_out is None else [self.guide.held_out]
        if taught:
            loss = soft_loss(label_smoothing=self.label_smoothing, guidance=self.guidance)
        self.tune(
            module, tokens, train, valid, *taught, loss=loss, checkpoint=checkpoint, resume=resume
        )
        few = Texts(valid.texts[:MOST_BLENDED], valid.labels[:MOST_BLENDED])
        self.blend_ = blend(module, start, lambda: self.predict(few.texts), few.labels)
        return self

    def tune(
        self,
        module: PooledClassifier,
        tokens: Tokens,
        train: Texts,
        valid: Texts,
        *more: np.ndarray,
        loss: Loss,
        checkpoint: Path | None = None,
        resume: bool = False,
    ) -> Self:
        """Train a network that is given; `loss(module, (ids, mask, labels, *more))` of a batch.

        `more` has a row for each training text.
        """
        self.module_, self.tokens_ = module, tokens
        self.learning_rate_ = self.learning_rate or usual_rate(module.encoder, NARROW_RATE)
        ids = tokens(train.texts)
        lengths = np.array([len(sequence) for sequence in ids])
        full = np.flatnonzero(lengths == tokens.max_length)
        self.cut_share_ = tokens.cut([train.texts[row] for row in full]) / len(ids)
        rows = self._plan(lengths, train.labels)
        loader = LengthLoader(
            [ids[row] for row in rows],
            train.labels[rows],
            *(each[rows] for each in more),
            batch_size=self.batch_size,
            tokens=TOKENS * self.batch_size,
            pad=tokens.pad,
            seed=self.seed,
        )
        valid_ids = tokens(valid.texts)
        plan = falling(self.epochs_, self.learning_rate_, self.warmup, self.precision)
        with plain_attention(module.encoder, device=self.device):
            self.history_ = fit(
                module,
                loader,
                loss,
                plan,
                parameter_groups=self.parameter_groups(module),
                device=self.device,
                seed=self.seed,
                validate=lambda model: score(
                    valid.labels, _outputs(model, valid_ids, tokens.pad).logits.argmax(axis=1)
                ),
                checkpoint=checkpoint,
                resume=resume,
                label="fine-tuning",
            )
        return self

    def unread(self) -> dict[str, str]:
        """Say what of the training texts was not read, by the argument that limits it."""
        assert self.tokens_ is not None, "fit it first"
        said = {}
        if self.cut_share_:
            said["max_length"] = (
                f"{self.cut_share_:.1%} of the training texts are longer than"
                f" {self.tokens_.max_length} tokens; {self.name} reads only their beginning"
            )
        if self.read_share_ < 1:
            said["budget"] = (
                f"{self.name} was trained on {self.read_share_:.0%} of the training texts, drawn"
                f" at random: all of them hold more than {self.budget:,} tokens"
            )
        return said

    def _plan(self, lengths: np.ndarray, labels: np.ndarray) -> np.ndarray:
        """Set `epochs_` for texts of these lengths (N,), and return the rows to train on."""
        budget = 10**15 if self.epochs else self.budget
        rows = rows_within(budget, lengths, seed=self.seed)
        if len(rows) < len(lengths):
            rows = np.union1d(rows, np.unique(labels, return_index=True)[1])  # no label is lost
        self.read_share_ = len(rows) / len(lengths)
        batches = -(-len(rows) // self.batch_size)
        fitting = LENGTH.within(budget, tokens=int(lengths[rows].sum()), batches=batches)
        self.epochs_ = self.epochs or fitting
        return rows

    def parameter_groups(self, module: PooledClassifier) -> list[dict[str, Any]]:
        """Return each depth its rate: the head fastest, embeddings slowest; no vector decays."""
        return layer_groups(
            module.encoder,
            module.head.parameters(),
            learning_rate=self.learning_rate_,
            layer_decay=self.layer_decay,
            head_factor=self.head_factor,
            weight_decay=self.weight_decay,
        )

    def predict(self, texts: Sequence[str], *, batch_size: int = 64) -> np.ndarray:
        """Return logits (N, C) in fp32."""
        return self.outputs(texts, batch_size=batch_size).logits

    def outputs(self, texts: Sequence[str], *, batch_size: int = 64) -> Outputs:
        """Return logits (N, C) and the vectors (N, D) below the head, in fp32."""
        assert self.module_ is not None and self.tokens_ is not None, "fit or load it first"
        self.module_.eval()
        return _outputs(self.module_, self.tokens_(texts), self.tokens_.pad, batch_size)

    def truncates(self, texts: Sequence[str]) -> list[bool]:
        """Return of each text whether its end is not read."""
        assert self.tokens_ is not None, "fit or load it first"
        return self.tokens_.truncates(texts)

    def save(self, folder: Path) -> None:
        """Write weights, the encoder's configuration and the tokenizer."""
        assert self.module_ is not None and self.tokens_ is not None, "fit it first"
        self.tokens_.save(folder)
        save_network(self.module_, self.module_.encoder, folder / WEIGHTS)
        facts = {
            "model": self.model, "classes": self.classes, "dropout": self.dropout,
            "pad": self.tokens_.pad, "max_length": self.tokens_.max_length,
        }  # fmt: skip
        write_json(folder / FACTS, facts)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read a saved classifier; nothing is looked up elsewhere."""
        facts = json.loads((folder / FACTS).read_text(encoding="utf-8"))
        stage = cls(
            model=facts["model"], classes=facts["classes"], dropout=facts["dropout"], device="cpu"
        )
        length = facts["max_length"]
        stage.tokens_ = Tokens.load(folder, pad=facts["pad"], max_length=length)
        encoder = bare_encoder(folder)
        stage.module_ = PooledClassifier(
            encoder, classes=facts["classes"], dropout=facts["dropout"]
        )
        load_weights(stage.module_, folder / WEIGHTS)
        return stage


@torch.inference_mode()
def _outputs(
    module: nn.Module, sequences: Sequence[Sequence[int]], pad: int, batch_size: int = 64
) -> Outputs:
    assert isinstance(module, PooledClassifier)
    device, both = next(module.parameters()).device, WithVectors(module)
    logits = np.zeros((len(sequences), module.head.out_features), dtype=np.float32)
    vectors = np.zeros((len(sequences), module.head.in_features), dtype=np.float32)
    for rows, ids, mask in length_batches(sequences, batch_size=batch_size, pad=pad):
        said = both(torch.from_numpy(ids).to(device), torch.from_numpy(mask).to(device))
        logits[rows], vectors[rows] = (each.float().cpu().numpy() for each in said)
    return Outputs(logits, vectors)
