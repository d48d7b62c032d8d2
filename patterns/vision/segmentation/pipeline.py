"""The boxes wired: preprocess -> U-Net -> tiles joined -> threshold -> separate objects.

The only place that turns the configuration into stages. `segment` is the verb, batch first; an
answer does not depend on the other images of its batch. A saved pipeline is `pipeline.json` (what
to build), `unet.safetensors` (its weights) and `example.png` (an image for trying the service).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from common.atomic import write_json
from patterns.vision.segmentation.config import Config

if TYPE_CHECKING:
    from patterns.vision.segmentation.data import Splits
    from patterns.vision.segmentation.stages.postprocess import Postprocess
    from patterns.vision.segmentation.stages.threshold import OtsuThreshold
    from patterns.vision.segmentation.stages.training import Segmenter

FORMAT = 1


@dataclass(frozen=True)
class Answer:
    """The objects of one image."""

    mask: np.ndarray
    """uint16 label map (H, W): 0 background, 1..count the objects."""
    count: int
    coverage: float
    """Share of the image's pixels that belong to an object."""


class Pipeline:
    """A segmenter with its baseline beside it."""

    def __init__(self, config: Config) -> None:
        from patterns.vision.segmentation.stages.postprocess import Postprocess
        from patterns.vision.segmentation.stages.threshold import OtsuThreshold

        self.config = config
        self.notices: list[str] = []
        self.baseline: OtsuThreshold = OtsuThreshold()
        self.network: Segmenter | None = None
        self.postprocess: Postprocess = Postprocess()
        self.example: np.ndarray | None = None

    @classmethod
    def from_config(cls, config: Config) -> Pipeline:
        """Make an unfitted pipeline."""
        return cls(config)

    def fit_network(
        self, splits: Splits, *, checkpoint: Path | None = None, resume: bool = False
    ) -> Pipeline:
        """Fit the U-Net on random crops of the training images."""
        self.example = splits.train.images[0]
        if self.config.model == "threshold":
            return self
        self.network = make_segmenter(self.config).fit(
            (splits.train.images, splits.train.masks),
            (splits.valid.images, splits.valid.masks),
            repeats=repeats(splits.train.kinds, rarest=self.config.augment.rarest),
            checkpoint=checkpoint,
            resume=resume,
        )
        return self

    def fit_postprocess(self, splits: Splits) -> Pipeline:
        """Choose threshold, smoothing and smallest area on the validation images."""
        from patterns.vision.segmentation.stages.postprocess import Postprocess

        valid = splits.valid
        self.postprocess = Postprocess.fit(self.probabilities(valid.images), valid.masks)
        return self

    def probabilities(self, images: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Return the probability (H, W) that each pixel belongs to an object."""
        from patterns.vision.segmentation.stages.preprocess import as_colour

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

    def save(self, folder: Path) -> None:
        """Write all that `load` needs into an existing folder."""
        from PIL import Image

        config = self.config
        content = {
            "format": FORMAT,
            "model": config.model,
            "unet": asdict(config.unet),
            "tiling": asdict(config.tiling),
            "postprocess": asdict(self.postprocess),
            "notices": self.notices,
        }
        write_json(folder / "pipeline.json", content)
        if self.network is not None:
            self.network.save(folder)
        if self.example is not None:
            Image.fromarray(self.example).save(folder / "example.png")

    @classmethod
    def load(cls, folder: Path) -> Pipeline:
        """Read a saved pipeline; it needs neither the data nor the run's configuration."""
        from patterns.vision.images import read_image
        from patterns.vision.segmentation.config import TilingOptions, TrainingOptions, UNetOptions
        from patterns.vision.segmentation.stages.postprocess import Postprocess

        content = json.loads((folder / "pipeline.json").read_text(encoding="utf-8"))
        unet = UNetOptions(**content["unet"])
        config = Config(
            model=content["model"],
            device="cpu",
            unet=unet,
            tiling=TilingOptions(**content["tiling"]),
            training=TrainingOptions(crop=32 * 2**unet.levels),
        )
        pipeline = cls(config)
        pipeline.postprocess = Postprocess(**content["postprocess"])
        pipeline.notices = content["notices"]
        pipeline.example = read_image(folder / "example.png")
        if config.model == "unet":
            pipeline.network = make_segmenter(config).load(folder)
        return pipeline


def repeats(kinds: Sequence[str], *, rarest: float) -> np.ndarray:
    """Return how often each image is shown, so that the rarest modality has about that share."""
    names, place, counts = np.unique(kinds, return_inverse=True, return_counts=True)
    wanted = np.ones(len(names), np.int64)
    if len(names) > 1:
        least = int(counts.argmin())
        others = counts.sum() - counts[least]
        wanted[least] = max(1, round(rarest / (1 - rarest) * others / counts[least]))
    return wanted[place]


def make_segmenter(config: Config) -> Segmenter:
    """Make the network and its training from the configuration, with seeded weights."""
    import torch

    from patterns.vision.segmentation.stages.augment import CropAugment
    from patterns.vision.segmentation.stages.training import Segmenter
    from patterns.vision.segmentation.stages.unet import UNet

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        module = UNet(width=config.unet.width, levels=config.unet.levels)
    augment, training = config.augment, config.training
    return Segmenter(
        module,
        augment=CropAugment(
            crop=training.crop, zoom=augment.zoom, brightness=augment.brightness,
            contrast=augment.contrast, grey=augment.grey,
        ),
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
