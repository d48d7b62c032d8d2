"""Training and running a network: the same four verbs whatever the architecture inside.

The objective is cross-entropy on the label, with label smoothing s spreading a share of the target
over all C classes:  L = −Σ_c q_c log softmax(z)_c,   q = (1 − s) · onehot + s / C.
AdamW on a one-cycle schedule (Smith & Topin 2018): the rate climbs for 30 % of the steps, then
falls to nearly nothing, which gets a small network close to its best in few epochs. The epoch with
the best validation accuracy is kept, of several the one with the lowest log loss.

Shapes: N images, B of them a batch, C channels, K classes.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional

from common.training import History, Optimisation, TensorLoader, choose_precision, fit
from patterns.vision.classification.stages.augment import Augment

WEIGHTS = "network.safetensors"
TIE = 1e-5  # below what one image of a hundred thousand weighs in the accuracy


class Network:
    """A classifier around any module that maps uint8 (B, C, H, W) to logits (B, K)."""

    def __init__(
        self,
        module: nn.Module,
        *,
        classes: int,
        epochs: int = 10,
        batch_size: int = 128,
        learning_rate: float = 3e-3,
        weight_decay: float = 0.05,
        label_smoothing: float = 0.0,
        augment: Augment | None = None,
        precision: str = "auto",
        device: str = "auto",
        seed: int = 0,
        label: str = "network",
    ) -> None:
        self.module, self.classes, self.augment = module, classes, augment
        self.epochs, self.batch_size, self.learning_rate = epochs, batch_size, learning_rate
        self.weight_decay, self.label_smoothing = weight_decay, label_smoothing
        self.precision, self.device, self.seed, self.label = precision, device, seed, label
        self.history_: History | None = None

    def fit(
        self,
        train: tuple[Tensor, Tensor],
        valid: tuple[Tensor, Tensor],
        *,
        checkpoint: Path | None = None,
        resume: bool = False,
    ) -> Network:
        """Train on (uint8 images, labels), keeping the epoch that is best on `valid`."""
        loader = TensorLoader(
            *train,
            batch_size=min(self.batch_size, len(train[0])),
            seed=self.seed,
            transform=self._transform,
            drop_last=True,  # a batch of one image has no variance to normalise by
        )
        self.history_ = fit(
            self.module,
            loader,
            self._loss,
            Optimisation(
                epochs=self.epochs,
                learning_rate=self.learning_rate,
                weight_decay=self.weight_decay,
                schedule="one-cycle",
                gradient_clip=5.0,
                precision=choose_precision(self.precision, self.device),
            ),
            device=self.device,
            seed=self.seed,
            validate=lambda _: self._score(*valid),
            checkpoint=checkpoint,
            resume=resume,
            label=self.label,
        )
        return self

    def _transform(
        self, batch: tuple[Tensor, ...], generator: torch.Generator
    ) -> tuple[Tensor, ...]:
        images, labels = batch
        targets = functional.one_hot(labels, self.classes).float()  # (B, K)
        return (
            (images, targets) if self.augment is None else self.augment(images, targets, generator)
        )

    def _loss(self, module: nn.Module, batch: tuple[Tensor, ...]) -> Tensor:
        images, targets = batch
        return functional.cross_entropy(
            module(images).float(), targets, label_smoothing=self.label_smoothing
        )

    def _score(self, images: Tensor, labels: Tensor) -> float:
        """Judge an epoch: accuracy, ties to the lower log loss, lest a lucky early one stays."""
        logits = torch.from_numpy(self.predict(images))
        hits = (logits.argmax(dim=1) == labels).float().mean()
        loss = functional.cross_entropy(logits, labels)
        return float(hits) - TIE * min(float(loss), 10.0)

    def accuracy(self, images: Tensor, labels: Tensor) -> float:
        """Return the share of images whose highest logit is their label."""
        return float((self.predict(images).argmax(axis=1) == labels.numpy()).mean())

    @torch.inference_mode()
    def predict(self, images: Tensor, *, batch_size: int = 512) -> np.ndarray:
        """Return float32 logits (N, K) of uint8 images (N, C, H, W)."""
        self.module.eval()
        device = next(self.module.parameters()).device
        logits = [self.module(part.to(device)).float().cpu() for part in images.split(batch_size)]
        return torch.cat(logits).numpy() if logits else np.zeros((0, self.classes), np.float32)

    def parameters(self) -> int:
        """Count the learned numbers."""
        return sum(parameter.numel() for parameter in self.module.parameters())

    def save(self, folder: Path) -> None:
        """Write the weights."""
        state = {
            name: value.detach().cpu().contiguous()
            for name, value in self.module.state_dict().items()
        }
        save_file(state, folder / WEIGHTS)

    def load(self, folder: Path) -> Network:
        """Read weights that `save` wrote into a module of the same shape."""
        self.module.load_state_dict(load_file(folder / WEIGHTS))
        self.module.eval()
        return self
