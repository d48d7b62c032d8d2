"""Training and running a network: the same four verbs whatever the architecture inside.

The objective is cross-entropy on the label, with label smoothing s spreading a share of the target
over all K classes:  L = −Σ_k q_k log softmax(z)_k,   q = (1 − s) · onehot + s / K.
AdamW on a one-cycle schedule (Smith & Topin 2018): the rate climbs for 30 % of the steps, then
falls to nearly nothing, which gets a small network close to its best in few epochs. The epoch with
the best validation accuracy is kept, of several the one with the lowest log loss.

A subclass says which network it is: `linear`, `cnn`, `resnet9`, `mobilenet`.

Shapes: N images, B of them a batch, C channels, K classes.
"""

from __future__ import annotations

import json
import math
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional

from common.atomic import write_json
from common.training import History, Optimisation, TensorLoader, choose_precision, fit
from patterns.vision.classification.entities.images import LabelledImages
from patterns.vision.classification.stages.augment import Augment
from patterns.vision.classification.stages.preprocess import Normalise

WEIGHTS, FACTS = "network.safetensors", "network.json"
TIE = 1e-5  # below what one image of a hundred thousand weighs in the accuracy


class NetworkClassifier(ABC):
    """A classifier around a module that maps uint8 (B, C, size, size) to logits (B, K)."""

    name: ClassVar[str]

    def __init__(
        self,
        *,
        classes: int,
        epochs: int = 10,
        least_steps: int = 1000,
        batch_size: int = 128,
        learning_rate: float = 3e-3,
        weight_decay: float = 0.05,
        label_smoothing: float = 0.0,
        augment: Augment | None = None,
        ema: float | None = None,
        precision: str = "auto",
        device: str = "auto",
        seed: int = 0,
    ) -> None:
        """Where `epochs` are fewer than `least_steps` steps, there are more of them."""
        self.classes, self.augment = classes, augment
        self.epochs, self.least_steps, self.batch_size = epochs, least_steps, batch_size
        self.learning_rate, self.weight_decay = learning_rate, weight_decay
        self.label_smoothing, self.precision = label_smoothing, precision
        self.ema, self.device, self.seed = ema, device, seed
        self.channels_, self.size_ = 0, 0  # of the images it was fitted on
        self.module_: nn.Module | None = None
        self.history_: History | None = None
        self.notice_: str | None = None  # what it lacked and went without

    @abstractmethod
    def build(self, *, channels: int, size: int) -> nn.Module:
        """Make the untrained module."""

    def architecture(self) -> dict[str, Any]:
        """Return the keyword arguments that `build` depends on, beyond the classes."""
        return {}

    def prepare(self, module: nn.Module) -> nn.Module:
        """Return a module just built as training starts from it, pretrained where it can be."""
        return module

    def fit(
        self,
        train: LabelledImages,
        valid: LabelledImages,
        *,
        checkpoint: Path | None = None,
        resume: bool = False,
    ) -> Self:
        """Train on images (N, C, size, size), keeping the epoch that is best on `valid`."""
        images, labels = torch.from_numpy(train.images), torch.from_numpy(train.labels)
        module = self.module_ = self._initial(images)
        loader = TensorLoader(
            images,
            labels,
            batch_size=min(self.batch_size, len(train)),
            seed=self.seed,
            transform=self._transform,
            drop_last=True,  # a batch of one image has no variance to normalise by
        )
        self.history_ = fit(
            module,
            loader,
            self._loss,
            self._optimisation(len(train)),
            device=self.device,
            seed=self.seed,
            validate=lambda _: self._score(valid),
            checkpoint=checkpoint,
            resume=resume,
            label=self.name,
        )
        return self

    @torch.inference_mode()
    def predict(self, images: np.ndarray, *, batch_size: int = 512) -> np.ndarray:
        """Return float32 logits (N, K) of uint8 images (N, C, size, size)."""
        assert self.module_ is not None, "fit or load it first"
        module = self.module_.eval()
        device = next(module.parameters()).device
        parts = torch.from_numpy(images).split(batch_size)
        logits = [module(part.to(device)).float().cpu() for part in parts]
        return torch.cat(logits).numpy() if len(images) else np.zeros((0, self.classes), np.float32)

    @property
    def valid_accuracy(self) -> float:
        """The best validation accuracy, of the epoch that was kept."""
        assert self.history_ is not None, "fit it first"
        return round(max(self.history_.valid), 4)

    def parameters(self) -> int:
        """Count the learned numbers."""
        assert self.module_ is not None, "fit or load it first"
        return sum(parameter.numel() for parameter in self.module_.parameters())

    def save(self, folder: Path) -> None:
        """Write the weights and what the module is built from."""
        assert self.module_ is not None, "fit it first"
        state = self.module_.state_dict()
        save_file(
            {name: value.detach().cpu().contiguous() for name, value in state.items()},
            folder / WEIGHTS,
        )
        facts = {
            "channels": self.channels_,
            "size": self.size_,
            "arguments": {"classes": self.classes, **self.architecture()},
        }
        write_json(folder / FACTS, facts)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote, to answer on the CPU."""
        facts = json.loads((folder / FACTS).read_text(encoding="utf-8"))
        stage = cls(**facts["arguments"], device="cpu")
        stage.channels_, stage.size_ = facts["channels"], facts["size"]
        stage.module_ = stage.build(channels=stage.channels_, size=stage.size_)
        stage.module_.load_state_dict(load_file(folder / WEIGHTS))
        stage.module_.eval()
        return stage

    def _initial(self, images: Tensor) -> nn.Module:
        """Make the module with seeded weights, normalising by the training images."""
        self.channels_, self.size_ = images.shape[1], images.shape[-1]
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            module = self.build(channels=self.channels_, size=self.size_)
        module = self.prepare(module)
        normalise = getattr(module, "normalise", None)
        if isinstance(normalise, Normalise):
            normalise.fit(images)
        return module

    def _optimisation(self, rows: int) -> Optimisation:
        steps = max(1, rows // self.batch_size)
        return Optimisation(
            epochs=max(self.epochs, math.ceil(self.least_steps / steps)),
            learning_rate=self.learning_rate,
            weight_decay=self.weight_decay,
            schedule="one-cycle",
            gradient_clip=5.0,
            ema=self.ema,
            precision=choose_precision(self.precision, self.device),
        )

    def _transform(
        self, batch: tuple[Tensor, ...], generator: torch.Generator
    ) -> tuple[Tensor, ...]:
        images, labels = batch
        targets = functional.one_hot(labels, self.classes).float()  # (B, K)
        if self.augment is None:
            return images, targets
        return self.augment(images, targets, generator)

    def _loss(self, module: nn.Module, batch: tuple[Tensor, ...]) -> Tensor:
        images, targets = batch
        return functional.cross_entropy(
            module(images).float(), targets, label_smoothing=self.label_smoothing
        )

    def _score(self, valid: LabelledImages) -> float:
        """Judge an epoch: accuracy, ties to the lower log loss, lest a lucky early one stays."""
        logits, targets = (
            torch.from_numpy(each) for each in (self.predict(valid.images), valid.labels)
        )
        hits = (logits.argmax(dim=1) == targets).float().mean()
        loss = functional.cross_entropy(logits, targets)
        return float(hits) - TIE * min(float(loss), 10.0)
