"""Fitting a network on masks: random crops, one-cycle learning rate, the best epoch kept.

What is learned, objects or classes, is the objective's matter (`objectives`). An epoch takes one
crop of each training image; the epoch with the best mean IoU on whole validation images is kept.
Images above `longest_side` are scaled down first, and their masks with them.

Shapes: B crops of s x s pixels; images H x W; C classes, 1 for objects against background.
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

from common.atomic import write_json
from common.images import nearest, shrunk
from common.training import History, Optimisation, TensorLoader, choose_precision, fit
from patterns.vision.segmentation.stages.augment import CropAugment
from patterns.vision.segmentation.stages.objectives import Classes, Foreground, Objective
from patterns.vision.segmentation.stages.preprocess import standardise
from patterns.vision.segmentation.stages.tiling import predict_tiled
from patterns.vision.segmentation.stages.unet import UNet

JUDGED_IMAGES = 48  # validation images looked at after each epoch


class Segmenter:
    """A U-Net that is fitted on images with masks and gives probabilities for each pixel.

    Without `classes` it tells objects from background; masks then number the objects.
    """

    name = "unet"

    def __init__(
        self,
        *,
        classes: int | None = None,
        longest_side: int | None = None,
        width: int = 16,
        levels: int = 4,
        stem: int = 1,
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
        self.shape = {
            "classes": classes, "longest_side": longest_side, "width": width, "levels": levels,
            "stem": stem, "tile": tile, "overlap": overlap,
        }  # fmt: skip
        self.objective: Objective = (
            Foreground(dice_weight=dice_weight)
            if classes is None
            else Classes(classes=classes, dice_weight=dice_weight)
        )
        self.longest_side = longest_side
        self.augment, self.rarest = augment or CropAugment(), rarest
        if self.augment.crop % (stem * 2**levels):
            raise ValueError(
                f"crop: {self.augment.crop} is not a multiple of {stem * 2**levels}, which stem"
                " and levels ask for"
            )
        self.epochs, self.batch_size, self.learning_rate = epochs, batch_size, learning_rate
        self.weight_decay, self.ema = weight_decay, ema
        self.tile, self.overlap = tile, overlap
        self.precision, self.device, self.seed = precision, device, seed
        self.history_: History | None = None
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.module = UNet(
                width=width, levels=levels, stem=stem, classes=self.objective.channels
            )
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
        """Train on (uint8 images (H, W, 3), masks (H, W)), keeping the best on `valid`.

        An epoch takes one crop of each training image, more of the rarest of the `kinds`.
        """
        counts = repeats(kinds or [""] * len(train[0]), rarest=self.rarest)
        loader = self._loader(*train, torch.from_numpy(counts))
        judged = _spread(valid[0]), _spread(valid[1])
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
            validate=lambda _: self.score(*judged),
            checkpoint=checkpoint,
            resume=resume,
            label=self.name,
        )
        return self

    def _loader(
        self, images: Sequence[np.ndarray], masks: Sequence[np.ndarray], counts: Tensor
    ) -> TensorLoader:
        """Return batches of augmented crops; the images are standardised once."""
        cut = self.augment
        images = [shrunk(image, self.longest_side) for image in images]
        pixels = [standardise(image) for image in images]
        truth = [
            self.objective.targets(nearest(mask, image.shape[:2]))
            for image, mask in zip(images, masks, strict=True)
        ]

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
        crops, targets = batch  # (B, 3, s, s), (B, s, s)
        return self.objective.loss(module(crops).float(), targets)

    def score(self, images: Sequence[np.ndarray], masks: Sequence[np.ndarray]) -> float:
        """Return the mean IoU of whole images, over images or over classes."""
        found = (self.predict([image])[0] for image in images)
        sizes = (shrunk(image, self.longest_side).shape[:2] for image in images)
        scaled = [nearest(mask, size) for mask, size in zip(masks, sizes, strict=True)]
        return self.objective.score(found, scaled)

    @torch.inference_mode()
    def predict(self, images: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Return float32 probabilities of each uint8 image (H, W, 3), shrunk if it is large.

        They are (H, W) for objects, (C, H, W) for classes. One image after the other:
        they differ in size, and so no answer depends on its neighbours.
        """
        self.module.eval()
        return [self._predict(shrunk(image, self.longest_side)) for image in images]

    def _predict(self, image: np.ndarray) -> np.ndarray:
        device = next(self.module.parameters()).device
        found = predict_tiled(
            lambda part: self.objective.probabilities(self.module(part.to(device)).float()),
            standardise(image),
            tile=self.tile,
            overlap=self.overlap,
            multiple=self.module.multiple,
        ).numpy()  # (C, H, W)
        return found[0] if self.shape["classes"] is None else found

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


def _spread(rows: Sequence[np.ndarray]) -> Sequence[np.ndarray]:
    """Return the validation images that are looked at after each epoch, evenly spread."""
    chosen = np.linspace(0, len(rows) - 1, min(JUDGED_IMAGES, len(rows))).round().astype(int)
    return [rows[row] for row in chosen]


def repeats(kinds: Sequence[str], *, rarest: float) -> np.ndarray:
    """Return how often each image is shown, so that the rarest modality has about that share."""
    names, place, counts = np.unique(kinds, return_inverse=True, return_counts=True)
    wanted = np.ones(len(names), np.int64)
    if len(names) > 1:
        least = int(counts.argmin())
        others = counts.sum() - counts[least]
        wanted[least] = max(1, round(rarest / (1 - rarest) * others / counts[least]))
    return wanted[place]
