"""Fitting a network on masks: random crops, and a loss that looks at pixels and at overlap.

    L = BCE(z, y) + λ · (1 − Dice),    Dice = (2 Σ p y + 1) / (Σ p + Σ y + 1),   p = σ(z)

Cross-entropy gives every pixel a clean gradient but is content with background where objects are
few; Dice, computed per crop, is what is measured later and does not care how much background there
is (Milletari et al. 2016, "V-Net"; the 1 keeps an empty crop defined). An epoch takes one crop of
each training image; the epoch with the best mean IoU on whole validation images is kept.

Shapes: B crops of s x s pixels; images H x W.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Self

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.nn import functional

from common.atomic import write_json
from common.evaluation.segmentation import iou
from common.training import History, Optimisation, TensorLoader, choose_precision, fit
from patterns.vision.segmentation.stages.augment import CropAugment
from patterns.vision.segmentation.stages.preprocess import standardise
from patterns.vision.segmentation.stages.tiling import predict_tiled
from patterns.vision.segmentation.stages.unet import UNet

JUDGED_IMAGES = 48  # validation images looked at after each epoch


class Segmenter:
    """A U-Net that is fitted on images with label maps and gives a probability for each pixel."""

    def __init__(
        self,
        *,
        width: int = 16,
        levels: int = 4,
        augment: CropAugment | None = None,
        rarest: float = 0.33,
        epochs: int = 50,
        batch_size: int = 16,
        learning_rate: float = 2e-3,
        weight_decay: float = 0.01,
        dice_weight: float = 1.0,
        ema: float = 0.99,
        tile: int = 512,
        overlap: int = 64,
        precision: str = "auto",
        device: str = "auto",
        seed: int = 0,
    ) -> None:
        self.shape = {"width": width, "levels": levels, "tile": tile, "overlap": overlap}
        self.augment, self.rarest = augment or CropAugment(), rarest
        self.epochs, self.batch_size, self.learning_rate = epochs, batch_size, learning_rate
        self.weight_decay, self.dice_weight, self.ema = weight_decay, dice_weight, ema
        self.tile, self.overlap = tile, overlap
        self.precision, self.device, self.seed = precision, device, seed
        self.history_: History | None = None
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.module = UNet(width=width, levels=levels)
        self.module.eval()

    def fit(
        self,
        train: tuple[Sequence[np.ndarray], Sequence[np.ndarray]],
        valid: tuple[Sequence[np.ndarray], Sequence[np.ndarray]],
        *,
        kinds: Sequence[str] | None = None,
        checkpoint: Path | None = None,
        resume: bool = False,
    ) -> Self:
        """Train on (uint8 images (H, W, 3), label maps (H, W)), keeping the best on `valid`.

        An epoch takes one crop of each training image, more of the rarest of the `kinds`.
        """
        counts = repeats(kinds or [""] * len(train[0]), rarest=self.rarest)
        loader = self._loader(*train, torch.from_numpy(counts))
        judged = [part[:JUDGED_IMAGES] for part in valid]
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
                ema=self.ema or None,
                precision=choose_precision(self.precision, self.device),
            ),
            device=self.device,
            seed=self.seed,
            validate=lambda _: self.mean_iou(*judged),
            checkpoint=checkpoint,
            resume=resume,
            label="unet",
        )
        return self

    def _loader(
        self, images: Sequence[np.ndarray], masks: Sequence[np.ndarray], counts: Tensor
    ) -> TensorLoader:
        """Return batches of augmented crops; the images are standardised once."""
        cut = self.augment
        pixels = [standardise(image) for image in images]
        truth = [torch.from_numpy((labels > 0).astype(np.float32)) for labels in masks]

        def crops(batch: tuple[Tensor, ...], generator: torch.Generator) -> tuple[Tensor, ...]:
            rows = batch[0].tolist()
            return cut([pixels[row] for row in rows], [truth[row] for row in rows], generator)

        return TensorLoader(
            torch.arange(len(pixels)).repeat_interleave(counts),
            batch_size=min(self.batch_size, int(counts.sum())),
            seed=self.seed,
            transform=crops,
            drop_last=True,
        )

    def _loss(self, module: torch.nn.Module, batch: tuple[Tensor, ...]) -> Tensor:
        crops, masks = batch  # (B, 3, s, s), (B, s, s)
        logits = module(crops).float()  # (B, s, s)
        pixels = functional.binary_cross_entropy_with_logits(logits, masks)
        return pixels + self.dice_weight * dice_loss(torch.sigmoid(logits), masks)

    def mean_iou(self, images: Sequence[np.ndarray], masks: Sequence[np.ndarray]) -> float:
        """Return the mean IoU over images at a threshold of one half."""
        said = [probability > 0.5 for probability in self.predict(images)]
        return float(iou(said, [labels > 0 for labels in masks]).mean())

    @torch.inference_mode()
    def predict(self, images: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Return float32 probabilities (H, W) of each uint8 image (H, W, 3).

        One image after the other: they differ in size, and so no answer depends on its neighbours.
        """
        self.module.eval()
        device = next(self.module.parameters()).device
        return [
            predict_tiled(
                lambda part: self.module(part.to(device)),
                standardise(image),
                tile=self.tile,
                overlap=self.overlap,
                multiple=2**self.module.levels,
            ).numpy()
            for image in images
        ]

    def parameters(self) -> int:
        """Count the learned numbers."""
        return sum(parameter.numel() for parameter in self.module.parameters())

    def save(self, folder: Path) -> None:
        """Write `unet.json`, what to build, and `unet.safetensors`, its weights."""
        write_json(folder / "unet.json", self.shape)
        state = {
            name: value.detach().cpu().contiguous()
            for name, value in self.module.state_dict().items()
        }
        save_file(state, folder / "unet.safetensors")

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote."""
        segmenter = cls(**json.loads((folder / "unet.json").read_text(encoding="utf-8")))
        segmenter.module.load_state_dict(load_file(folder / "unet.safetensors"))
        return segmenter


def repeats(kinds: Sequence[str], *, rarest: float) -> np.ndarray:
    """Return how often each image is shown, so that the rarest modality has about that share."""
    names, place, counts = np.unique(kinds, return_inverse=True, return_counts=True)
    wanted = np.ones(len(names), np.int64)
    if len(names) > 1:
        least = int(counts.argmin())
        others = counts.sum() - counts[least]
        wanted[least] = max(1, round(rarest / (1 - rarest) * others / counts[least]))
    return wanted[place]


def dice_loss(probabilities: Tensor, masks: Tensor) -> Tensor:
    """Return 1 − Dice, averaged over crops; both (B, s, s)."""
    shared = (probabilities * masks).sum(dim=(1, 2))
    total = probabilities.sum(dim=(1, 2)) + masks.sum(dim=(1, 2))
    return 1 - ((2 * shared + 1) / (total + 1)).mean()
