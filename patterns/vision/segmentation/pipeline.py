"""The boxes wired: preprocess -> U-Net -> tiles joined -> separate objects, or classes.

The only place that turns the configuration into stages. The two tasks share all but the ends: the
network's objective, the baseline and the last stage, which have the same methods. `segment` is the
verb, batch first; an answer does not depend on the other images of its batch. A saved pipeline is
`pipeline.json` (task, model and seed), the files of its stages, and `example.png` (an image for
trying the service).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from copy import deepcopy
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from common.atomic import write_json
from common.config import as_flags
from common.images import shrunk
from common.preference import preferred
from patterns.vision.images import image_profile, read_image
from patterns.vision.segmentation.config import SUITED, Config
from patterns.vision.segmentation.data import Splits
from patterns.vision.segmentation.entities.answers import Answer
from patterns.vision.segmentation.entities.images import Classes, MaskedImages
from patterns.vision.segmentation.stages.augment import CropAugment
from patterns.vision.segmentation.stages.classes import ClassMaps
from patterns.vision.segmentation.stages.postprocess import Postprocess
from patterns.vision.segmentation.stages.preprocess import as_colour
from patterns.vision.segmentation.stages.prior import PlaceAndColour
from patterns.vision.segmentation.stages.threshold import OtsuThreshold
from patterns.vision.segmentation.stages.training import Segmenter

if TYPE_CHECKING:
    import polars as pl


LARGEST_EXAMPLE = 640  # pixels of its longer side
Baseline = OtsuThreshold | PlaceAndColour
BASELINES: dict[str, type[OtsuThreshold] | type[PlaceAndColour]] = {
    "objects": OtsuThreshold,
    "semantic": PlaceAndColour,
}
POSTPROCESSES: dict[str, type[Postprocess] | type[ClassMaps]] = {
    "objects": Postprocess,
    "semantic": ClassMaps,
}


class Pipeline:
    """A segmenter with its baseline beside it; without a network the baseline answers.

    `task` is objects or semantic and tells which baseline and which last stage there are. A network
    that validation likes less than the baseline ends in `rejected_` and is not saved.
    """

    def __init__(
        self,
        *,
        task: str,
        baseline: Baseline,
        network: Segmenter | None,
        postprocess: Postprocess | ClassMaps,
        example: np.ndarray,
        seed: int = 0,
    ) -> None:
        self.task = task
        self.baseline, self.network, self.postprocess = baseline, network, postprocess
        self.example, self.seed = example, seed
        self.notices: list[str] = []
        self.valid_iou_: float | None = None  # of the best epoch
        self.rejected_: tuple[Segmenter, Postprocess | ClassMaps] | None = None

    @classmethod
    def from_config(cls, config: Config, splits: Splits) -> Pipeline:
        """Make the unfitted stages; of `splits` they need the task and the classes alone."""
        classes = splits.classes
        return cls(
            task=splits.task,
            baseline=OtsuThreshold() if classes is None else PlaceAndColour(classes=len(classes)),
            network=_network(config, classes) if config.model == "unet" else None,
            postprocess=(
                Postprocess()
                if classes is None
                else ClassMaps(names=classes.names, values=classes.values)
            ),
            example=_example(splits.train),
            seed=config.seed,
        )

    def fit_baseline(self, splits: Splits) -> Pipeline:
        """Fit the baseline on the training images."""
        self.baseline.fit(splits.train.images, splits.train.masks)
        return self

    def fit_network(
        self, splits: Splits, *, checkpoints: Path | None = None, resume: bool = False
    ) -> Pipeline:
        """Fit the U-Net on random crops of the training images, if there is one."""
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
        """Choose threshold, smoothing and smallest area, or the balance of the classes.

        The network serves if the validation images prefer it to the baseline.
        """
        images, masks = splits.valid.images, splits.valid.masks
        self.postprocess.fit(self.probabilities(images), masks)
        if self.network is None:
            return self
        network, post = self.network, self.postprocess
        self.network, self.postprocess = None, deepcopy(post)
        self.postprocess.fit(self.probabilities(images), masks)
        of = "IoU" if self.task == "objects" else "mean IoU"
        served, notice = preferred(
            {self.baseline.name: self.postprocess.score_, network.name: post.score_},
            network.name,
            measure=f"{of} on the {len(images):,} validation images",
        )
        if served == network.name:
            self.network, self.postprocess = network, post
        else:
            self.rejected_ = network, post
        self.notices += [notice] if notice else []
        return self

    def probabilities(self, images: Sequence[np.ndarray]) -> Iterator[np.ndarray]:
        """Yield the probability (H, W) of an object for each pixel, or (C, h, w) of each class."""
        stage = self.network or self.baseline
        for image in images:
            (found,) = stage.predict([as_colour(image)])
            yield found.astype(np.float32)

    def learned(self) -> tuple[Segmenter | Baseline, Postprocess | ClassMaps]:
        """Return the network, served or not, and the last stage fitted for it."""
        return self.rejected_ or (self.network or self.baseline, self.postprocess)

    def segment(self, images: Sequence[np.ndarray]) -> list[Answer]:
        """Find the objects or classes of uint8 images of any size, (H, W) or (H, W, 3)."""
        return [
            self.postprocess.answer(found, image.shape[:2])
            for found, image in zip(self.probabilities(images), images, strict=True)
        ]

    def profile(self, splits: Splits) -> pl.DataFrame:
        """Describe the training images by a few numbers each, for drift monitoring."""
        return image_profile(splits.train.images)

    def save(self, folder: Path) -> None:
        """Write all that `load` needs into an existing folder."""
        from PIL import Image

        content = {
            "task": self.task,
            "model": "unet" if self.network else "baseline",
            "seed": self.seed,
            "notices": self.notices,
        }
        write_json(folder / "pipeline.json", content)
        self.baseline.save(folder)
        self.postprocess.save(folder)
        if self.network is not None:
            self.network.save(folder)
        Image.fromarray(self.example).save(folder / "example.png")

    @classmethod
    def load(cls, folder: Path) -> Pipeline:
        """Read what `save` wrote; neither the data nor the configuration is needed."""
        content = json.loads((folder / "pipeline.json").read_text(encoding="utf-8"))
        pipeline = cls(
            task=content["task"],
            baseline=BASELINES[content["task"]].load(folder),
            network=Segmenter.load(folder) if content["model"] == "unet" else None,
            postprocess=POSTPROCESSES[content["task"]].load(folder),
            example=read_image(folder / "example.png"),
            seed=content["seed"],
        )
        pipeline.notices = content["notices"]
        return pipeline


def _example(part: MaskedImages) -> np.ndarray:
    """Return the first image that has an object, shrunk to a size that is quickly sent."""
    pairs = zip(part.images, part.masks, strict=True)
    image = next((image for image, mask in pairs if mask.any()), part.images[0])
    return shrunk(image, LARGEST_EXAMPLE)


def _network(config: Config, classes: Classes | None) -> Segmenter:
    """Make the network and its training, with seeded weights; what is left out suits the task."""
    augment, training, unet = config.augment, config.training, config.unet
    suits = SUITED["objects" if classes is None else "semantic"]
    with as_flags(crop="training.crop"):
        return Segmenter(
            classes=None if classes is None else len(classes),
            longest_side=None if classes is None else config.data.longest_side,
            width=unet.width or suits.width,
            levels=unet.levels or suits.levels,
            stem=unet.stem or suits.stem,
            augment=CropAugment(
                crop=training.crop or suits.crop, zoom=augment.zoom, brightness=augment.brightness,
                contrast=augment.contrast, grey=given(augment.grey, suits.grey),
                turn=given(augment.turn, suits.turn),
            ),
            rarest=augment.rarest,
            epochs=training.epochs or suits.epochs,
            batch_size=training.batch_size or suits.batch_size,
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


T = TypeVar("T")


def given(value: T | None, suited: T) -> T:
    """Return the value if it is given, else what suits the task."""
    return suited if value is None else value
