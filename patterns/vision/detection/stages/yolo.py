"""The detector as a stage: fit, predict, save, load around the network.

Training images are shrunk to the input size once and stay in memory as bytes; every step warps
and recolours a fresh batch of them. The schedule is one cycle, validation and the weights delivered
are those of an exponential moving average, and mosaic ends for the last 15 % of the epochs. An
"epoch" here is `steps` batches, drawn by permutations of the training set one after another: two
hundred images make a pass too short to be worth a validation.

Prediction runs one image at a time by default, so that an answer cannot depend on the others in
its batch; validation during training takes batches, which is quicker.

Source of the recipe: YOLOX (arXiv:2107.08430), TOOD (arXiv:2108.07755); smaller, from scratch.

Shapes: B images, H x W pixels of the input, A cells, C classes, M boxes of an image.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Self

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from common.atomic import write_json
from common.evaluation.detection import mean_average_precision
from common.training import History, Optimisation, choose_precision, fit
from patterns.vision.detection.stages.assignment import DetectionLoss
from patterns.vision.detection.stages.augment import Augmentation
from patterns.vision.detection.stages.letterbox import Letterbox
from patterns.vision.detection.stages.network import Network, Predictions
from patterns.vision.detection.stages.postprocess import Detections, postprocess

Labelled = tuple[Sequence[np.ndarray], Sequence[np.ndarray], Sequence[np.ndarray]]
"""Images, boxes and labels."""


class AugmentedLoader:
    """Batches (images, boxes, labels); each a pure function of (seed, epoch, number)."""

    def __init__(
        self,
        data: Labelled,
        *,
        augment: Augmentation,
        size: tuple[int, int],
        batch_size: int,
        steps: int,
        mosaic_epochs: int,
        seed: int,
    ) -> None:
        self.data, self.augment, self.size = data, augment, size
        self.batch_size, self.steps, self.seed = batch_size, steps, seed
        self.mosaic_epochs, self.epoch = mosaic_epochs, 0

    def __len__(self) -> int:
        return self.steps

    def set_epoch(self, epoch: int) -> None:
        """Choose what the next iteration yields."""
        self.epoch = epoch

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        return self.batches()

    def batches(self, start: int = 0) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        """Yield the batches of the current epoch from number `start` on."""
        rows = len(self.data[0])
        order = np.random.default_rng((self.seed, self.epoch))
        passes = -(-self.steps * self.batch_size // rows)
        stream = np.concatenate([order.permutation(rows) for _ in range(passes)])
        for number in range(start, self.steps):
            chosen = stream[number * self.batch_size : (number + 1) * self.batch_size]
            rng = np.random.default_rng((self.seed, self.epoch, number))
            mosaic = self.epoch < self.mosaic_epochs
            yield self.augment(*self.data, chosen, size=self.size, rng=rng, mosaic=mosaic)


class Yolo:
    """A compact anchor-free detector; boxes in and out are pixels of the original images."""

    def __init__(
        self,
        *,
        classes: int,
        height: int = 256,
        width: int = 320,
        channels: int = 16,
        depth: int = 1,
        reg_max: int = 8,
        epochs: int = 20,
        steps: int = 60,
        batch_size: int = 16,
        learning_rate: float = 4e-3,
        weight_decay: float = 0.05,
        ema: float = 0.998,
        mosaic_until: float = 0.85,
        augment: Augmentation | None = None,
        loss: DetectionLoss | None = None,
        overlap: float = 0.6,
        precision: str = "auto",
        device: str = "auto",
        seed: int = 0,
    ) -> None:
        self.shape = {
            "classes": classes, "height": height, "width": width, "channels": channels,
            "depth": depth, "reg_max": reg_max, "overlap": overlap,
        }  # fmt: skip
        self.letterbox, self.overlap = Letterbox(height, width), overlap
        self.epochs, self.steps, self.batch_size = epochs, steps, batch_size
        self.learning_rate, self.weight_decay, self.ema = learning_rate, weight_decay, ema
        self.mosaic_until, self.seed = mosaic_until, seed
        self.precision, self.device = precision, device
        self.augment, self.loss = augment or Augmentation(), loss or DetectionLoss()
        self.history_: History | None = None
        self.median_side_: float | None = None  # of the training boxes, pixels of the input
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.network = Network(classes=classes, width=channels, depth=depth, reg_max=reg_max)
        self.network.eval()

    def fit(
        self,
        train: Labelled,
        valid: Labelled,
        *,
        checkpoint: Path | None = None,
        resume: bool = False,
    ) -> Self:
        """Train on images, boxes and labels; the epoch best on `valid` is kept."""
        shrunk = self._shrunk(train)
        sides = [np.sqrt((box[:, 2:] - box[:, :2]).prod(axis=1)) for box in shrunk[1]]
        self.median_side_ = float(np.median(np.concatenate(sides)))
        loader = AugmentedLoader(
            shrunk,
            augment=self.augment,
            size=(self.letterbox.height, self.letterbox.width),
            batch_size=self.batch_size,
            steps=self.steps,
            mosaic_epochs=round(self.mosaic_until * self.epochs),
            seed=self.seed,
        )
        small = self._shrunk(valid)
        self.history_ = fit(
            self.network,
            loader,
            lambda network, batch: self.loss(network(batch[0]), batch[1], batch[2]),
            Optimisation(
                epochs=self.epochs,
                learning_rate=self.learning_rate,
                weight_decay=self.weight_decay,
                schedule="one-cycle",
                gradient_clip=10.0,
                ema=self.ema,
                precision=choose_precision(self.precision, self.device),
            ),
            device=self.device,
            seed=self.seed,
            validate=lambda _: self._quality(small),
            checkpoint=checkpoint,
            resume=resume,
            label="yolo",
        )
        return self

    def predict(
        self, images: Sequence[np.ndarray], *, confidence: float = 0.01, batch_size: int = 1
    ) -> list[Detections]:
        """Return the detections of each image uint8 (h, w, 3), best first."""
        found = []
        for start in range(0, len(images), batch_size):
            part = images[start : start + batch_size]
            predictions = self.forward(self.letterbox.batch(part))
            for row, image in enumerate(part):
                each = self.select(predictions, row, confidence=confidence)
                boxes = self.letterbox.restore(each.boxes, image)
                found.append(Detections(boxes, each.scores, each.labels))
        return found

    @torch.inference_mode()
    def forward(self, batch: np.ndarray) -> Predictions:
        """Run the network on letterboxed images uint8 (B, H, W, 3)."""
        self.network.eval()
        device = next(self.network.parameters()).device
        images = torch.from_numpy(batch).to(device).permute(0, 3, 1, 2).float() / 255
        return self.network(images)

    def select(self, predictions: Predictions, row: int, *, confidence: float) -> Detections:
        """Post-process one image's predictions; boxes are pixels of the input."""
        scores = predictions.logits[row].sigmoid().cpu().numpy()  # (A, C)
        boxes = predictions.boxes[row].cpu().numpy()  # (A, 4)
        return postprocess(boxes, scores, confidence=confidence, overlap=self.overlap)

    def parameters(self) -> int:
        """Count the learned numbers."""
        return sum(parameter.numel() for parameter in self.network.parameters())

    def save(self, folder: Path) -> None:
        """Write `yolo.safetensors` and `yolo.json`."""
        state = {k: v.detach().cpu().contiguous() for k, v in self.network.state_dict().items()}
        save_file(state, folder / "yolo.safetensors")
        write_json(folder / "yolo.json", self.shape)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote."""
        yolo = cls(**json.loads((folder / "yolo.json").read_text(encoding="utf-8")))
        yolo.network.load_state_dict(load_file(folder / "yolo.safetensors"))
        return yolo

    def _shrunk(self, data: Labelled) -> Labelled:
        images, boxes, labels = data
        small = [self.letterbox.shrink(image) for image in images]
        scaled = [
            (box * self.letterbox.scale(image)).astype(np.float32)
            for image, box in zip(images, boxes, strict=True)
        ]
        return small, scaled, labels

    def _quality(self, data: Labelled) -> float:
        """Return mAP@.5 on images of the input's size: what training keeps the best epoch by."""
        images, boxes, labels = data
        found = self.predict(images, batch_size=16, confidence=0.02)
        if not any(map(len, labels)):
            raise ValueError("valid: no box in any validation image; label some")
        score = mean_average_precision(
            [each.boxes for each in found],
            [each.scores for each in found],
            [each.labels for each in found],
            boxes,
            labels,
            classes=int(self.shape["classes"]),
            thresholds=(0.5,),
        )
        return score.mean_average_precision
