"""A smaller, quicker model that learns from the larger one: distillation (Hinton et al. 2015).

The student is cut out of its teacher (`pruning`) and trained on what the teacher says as well as
on the labels, at a temperature T that shows which wrong labels the teacher finds nearly right:

    loss = a · T² · KL(softmax(z_teacher / T) ‖ softmax(z / T)) + (1 − a) · CE(label, softmax(z))

T² keeps the gradient of the first term as large as that of the second. The teacher needs no labels:
`copies` of each training text with words left out, or changed places, teach the student what the
teacher does beside the data (Tang et al. 2019, § 3.2, augment so); there the first term is alone.

Shapes: N texts, C classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Self

import numpy as np
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, kl_div, log_softmax, softmax

from patterns.nlp.classification.entities.texts import Texts
from patterns.nlp.classification.stages.encoder import EncoderClassifier
from patterns.nlp.classification.stages.pooled import PooledClassifier
from patterns.nlp.classification.stages.pruning import shrunk

UNLABELLED = -1
LEFT_OUT, MOVED = 0.1, 0.1  # shares of the words of a copy


class Student:
    """What the distillation is; `trainee` holds the settings of its training, and becomes it."""

    def __init__(
        self,
        *,
        trainee: EncoderClassifier,
        layers: int = 3,
        neurons: float = 0.5,
        temperature: float = 2.0,
        soft_share: float = 0.7,
        copies: int = 0,
    ) -> None:
        """`soft_share` is a; `neurons` the share kept in each of the `layers` kept."""
        self.trainee, self.layers, self.neurons = trainee, layers, neurons
        self.temperature, self.soft_share, self.copies = temperature, soft_share, copies
        self.model_: EncoderClassifier | None = None

    def fit(
        self,
        teacher: EncoderClassifier,
        train: Texts,
        valid: Texts,
        *,
        checkpoint: Path | None = None,
        resume: bool = False,
    ) -> Self:
        """Cut the student out of the teacher and train it; its best epoch is kept."""
        assert teacher.module_ is not None and teacher.tokens_ is not None, "fit the teacher first"
        encoder = shrunk(teacher.module_.encoder, layers=self.layers, neurons=self.neurons)
        module = PooledClassifier(encoder, classes=teacher.classes, dropout=teacher.dropout)
        module.head.load_state_dict(teacher.module_.head.state_dict())
        more = reworded(train.texts, self.copies, np.random.default_rng(self.trainee.seed))
        labels = np.concatenate([train.labels, np.full(len(more), UNLABELLED)])
        texts = Texts([*train.texts, *more], labels)
        self.trainee.name = f"{teacher.name.removesuffix(' fine-tuned')} student"
        self.model_ = self.trainee.tune(
            module, teacher.tokens_, texts, valid, teacher.predict(texts.texts),
            loss=self._loss, checkpoint=checkpoint, resume=resume,
        )  # fmt: skip
        return self

    def judged(self, reached: float, taught: float, *, least: float, measure: str) -> str | None:
        """Return why the student may not serve, if it keeps less than `least` of its teacher."""
        kept = reached / max(taught, 1e-9)
        if kept >= least:
            return None
        return (
            f"{self.trainee.name} is not served: it keeps {kept:.1%} of its teacher's {measure},"
            f" less than {least:.1%}."
        )

    def _loss(self, module: nn.Module, batch: tuple[Tensor, ...]) -> Tensor:
        ids, mask, labels, taught = batch
        logits = module(ids, mask)  # (B, C)
        hot = self.temperature
        soft = kl_div(
            log_softmax(logits / hot, dim=1), softmax(taught / hot, dim=1), reduction="batchmean"
        )
        hard = cross_entropy(
            logits, labels, ignore_index=UNLABELLED, reduction="sum",
            label_smoothing=self.trainee.label_smoothing,
        ) / (labels != UNLABELLED).sum().clamp(min=1)  # fmt: skip
        return self.soft_share * hot**2 * soft + (1 - self.soft_share) * hard


def reworded(texts: Sequence[str], copies: int, rng: np.random.Generator) -> list[str]:
    """Return `copies` of each text with some words left out and some in each other's place."""
    found = []
    for text in texts:
        words = text.split()
        for _ in range(copies):
            kept = [word for word in words if rng.random() >= LEFT_OUT] or list(words)
            for place in np.flatnonzero(rng.random(len(kept) - 1) < MOVED):
                kept[place], kept[place + 1] = kept[place + 1], kept[place]
            found.append(" ".join(kept))
    return found


def parameters(model: EncoderClassifier) -> int:
    """Return how many weights a model has."""
    assert model.module_ is not None, "fit it first"
    return sum(each.numel() for each in model.module_.parameters())
