"""The boxes wired: preprocess -> U-Net -> tiles joined -> threshold -> separate objects.

The only place that turns the configuration into stages. `segment` is the verb, batch first; an
answer does not depend on the other images of its batch. A saved pipeline is `pipeline.json` (which
model, and the seed), the files of its stages, and `example.png` (an image for trying the service).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from common.atomic import write_json
from patterns.vision.images import image_profile, read_image
from patterns.vision.segmentation.config import Config
from patterns.vision.segmentation.data import Splits
from patterns.vision.segmentation.stages.augment import CropAugment
from patterns.vision.segmentation.stages.postprocess import Postprocess
from patterns.vision.segmentation.stages.preprocess import as_colour
from patterns.vision.segmentation.stages.threshold import OtsuThreshold
from patterns.vision.segmentation.stages.training import Segmenter

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True)
class Answer:
    """The objects of one image."""

    mask: np.ndarray
    """uint16 label map (H, W): 0 background, 1..count the objects."""
    count: int
    coverage: float
    """Share of the image's pixels that belong to an object."""


class Pipeline:
    """A segmenter with its baseline beside it; without a network the baseline answers."""

    def __init__(
        self,
        *,
        baseline: OtsuThreshold,
        network: Segmenter | None,
        postprocess: Postprocess,
        example: np.ndarray,
        seed: int = 0,
    ) -> None:
        self.baseline, self.network, self.postprocess = baseline, network, postprocess
        self.example, self.seed = example, seed
        self.notices: list[str] = []
        self.valid_iou_: float | None = None  # of the best epoch

    @classmethod
    def from_config(cls, config: Config, splits: Splits) -> Pipeline:
        """Make the unfitted stages; no size of theirs depends on `splits`."""
        return cls(
            baseline=OtsuThreshold(),
            network=_network(config) if config.model == "unet" else None,
            postprocess=Postprocess(),
            example=splits.train.images[0],
            seed=config.seed,
        )

    def fit_network(
        self, splits: Splits, *, checkpoints: Path | None = None, resume: bool = False
    ) -> Pipeline:
        """Fit the U-Net on random crops of the training images; the baseline learns nothing."""
        if self.network is None:
            return self
        train, valid = splits.train, splits.valid
        self.network.fit(
            (train.images, train.masks),
            (valid.images, valid.masks),
            kinds=train.kinds,
            checkpoint=checkpoints,
            resume=resume,
        )
        assert self.network.history_ is not None
        self.valid_iou_ = max(self.network.history_.valid)
        return self

    def fit_postprocess(self, splits: Splits) -> Pipeline:
        """Choose threshold, smoothing and smallest area on the validation images."""
        self.postprocess.fit(self.probabilities(splits.valid.images), splits.valid.masks)
        return self

    def probabilities(self, images: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Return the probability (H, W) that each pixel belongs to an object."""
        colour = [as_colour(image) for image in images]
        if self.network is None:
            return [mask.astype(np.float32) for mask in self.baseline.predict(colour)]
        return self.network.predict(colour)

    def segment(self, images: Sequence[np.ndarray]) -> list[Answer]:
        """Find the objects of uint8 images of any size, (H, W) or (H, W, 3)."""
        answers = []
        for probability in self.probabilities(images):
            labels = self.postprocess.instances(probability)
            answers.append(Answer(labels, int(labels.max(initial=0)), float((labels > 0).mean())))
        return answers

    def profile(self, splits: Splits) -> pl.DataFrame:
        """Describe the training images by a few numbers each, for drift monitoring."""
        return image_profile(splits.train.images)

    def save(self, folder: Path) -> None:
        """Write all that `load` needs into an existing folder."""
        from PIL import Image

        content = {
            "model": "unet" if self.network else "threshold",
            "seed": self.seed,
            "notices": self.notices,
        }
        write_json(folder / "pipeline.json", content)
        self.postprocess.save(folder)
        if self.network is not None:
            self.network.save(folder)
        Image.fromarray(self.example).save(folder / "example.png")

    @classmethod
    def load(cls, folder: Path) -> Pipeline:
        """Read what `save` wrote; neither the data nor the configuration is needed."""
        content = json.loads((folder / "pipeline.json").read_text(encoding="utf-8"))
        pipeline = cls(
            baseline=OtsuThreshold(),
            network=Segmenter.load(folder) if content["model"] == "unet" else None,
            postprocess=Postprocess.load(folder),
            example=read_image(folder / "example.png"),
            seed=content["seed"],
        )
        pipeline.notices = content["notices"]
        return pipeline


def _network(config: Config) -> Segmenter:
    """Make the network and its training, with seeded weights."""
    augment, training = config.augment, config.training
    return Segmenter(
        width=config.unet.width,
        levels=config.unet.levels,
        augment=CropAugment(
            crop=training.crop, zoom=augment.zoom, brightness=augment.brightness,
            contrast=augment.contrast, grey=augment.grey,
        ),
        rarest=augment.rarest,
        epochs=training.epochs,
        batch_size=training.batch_size,
        learning_rate=training.learning_rate,
        weight_decay=training.weight_decay,
        dice_weight=training.dice_weight,
        ema=training.ema,
        tile=config.tiling.tile,
        overlap=config.tiling.overlap,
        precision=training.precision,
        device=config.device,
        seed=config.seed,
    )  # fmt: skip
