"""The boxes wired: letterbox -> network -> non-maximum suppression -> thresholds and counts.

The only place that turns the configuration into stages. `detect` is the verb, batch first; an
answer does not depend on the other images of its batch. A saved pipeline is `pipeline.json` (names
and seed), the files of its stages, and `example.png` (an image for trying the service).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from common.atomic import write_json
from common.preference import preferred
from patterns.vision.detection.config import Config
from patterns.vision.detection.data import Splits
from patterns.vision.detection.entities.images import BoxedImages
from patterns.vision.detection.stages.augment import Augmentation
from patterns.vision.detection.stages.blobs import Blobs
from patterns.vision.detection.stages.counts import LEVELS, Counts, count_labels
from patterns.vision.detection.stages.postprocess import (
    Detections,
    average_precision,
    without_ignored,
)
from patterns.vision.detection.stages.thresholds import Thresholds
from patterns.vision.detection.stages.yolo import Yolo
from patterns.vision.images import image_profile, read_image

if TYPE_CHECKING:
    import polars as pl


FLOOR = 0.01  # least score that counts for average precision
SMALL_SIDE = 12  # pixels of the input: one and a half cells of the finest grid
LARGEST_EXAMPLE = 640  # pixels of its longer side


class Pipeline:
    """A detector with its baseline beside it."""

    def __init__(
        self,
        *,
        baseline: Blobs,
        detector: Yolo,
        thresholds: Thresholds,
        counts: Counts,
        label_names: Sequence[str],
        example: np.ndarray,
        seed: int = 0,
    ) -> None:
        self.baseline, self.detector = baseline, detector
        self.thresholds, self.counts = thresholds, counts
        self.label_names, self.example, self.seed = tuple(label_names), example, seed
        self.notices: list[str] = []
        self.valid_map_: float | None = None  # mAP@.5 of the best epoch on validation
        self.served_ = "yolo"  # or blobs, where validation prefers the baseline
        self.limits_: np.ndarray = thresholds.values_  # (C,) least scores of what is served

    @classmethod
    def from_config(cls, config: Config, splits: Splits) -> Pipeline:
        """Make the unfitted stages for the classes of `splits`."""
        return cls(
            baseline=Blobs(),
            detector=_detector(config, len(splits.label_names)),
            thresholds=Thresholds(
                classes=len(splits.label_names), confidence=config.postprocess.confidence
            ),
            counts=Counts(classes=len(splits.label_names)),
            label_names=splits.label_names,
            example=_example(splits.train),
            seed=config.seed,
        )

    def fit_baseline(self, splits: Splits) -> Pipeline:
        """Fit the colour threshold and the class centres."""
        self.baseline.fit(*splits.train.rows)
        return self

    def fit_detector(
        self, splits: Splits, *, checkpoints: Path | None = None, resume: bool = False
    ) -> Pipeline:
        """Train the network, keeping the epoch that is best on the validation images."""
        self.detector.fit(
            splits.train.rows, splits.valid.rows, checkpoint=checkpoints, resume=resume
        )
        assert self.detector.history_ is not None
        self.valid_map_ = max(self.detector.history_.valid)
        side, letterbox = self.detector.median_side_, self.detector.letterbox
        if side is not None and side < SMALL_SIDE:
            self.notices.append(
                f"Half of the training boxes are smaller than {side:.0f} pixels on the network's "
                f"input of {letterbox.width} x {letterbox.height}: give --network.width and "
                "--network.height more, or cut the images up."
            )
        return self

    def fit_thresholds(self, splits: Splits) -> Pipeline:
        """Choose on the validation images the least scores, how to count, and what is served."""
        valid = splits.valid
        found = judged(self.candidates(valid.images), valid)
        self.thresholds.fit(found, valid.boxes, valid.labels)
        kept = self.thresholds.select(found)
        self.counts.fit(found, kept, valid.labels, valid.images)
        of_each = {"blobs": judged(self.baseline.predict(valid.images), valid), "yolo": found}
        scores = {
            name: average_precision(each, valid.boxes, valid.labels, len(self.label_names))
            for name, each in of_each.items()
        }
        self.served_, notice = preferred(
            {name: float(score.per_threshold[0]) for name, score in scores.items()},
            "yolo",
            measure=f"mAP@.5 on the {len(valid):,} validation images",
        )
        self.limits_ = self.thresholds.values_
        if self.served_ == "blobs":
            self.limits_ = np.full(len(self.label_names), self.thresholds.confidence)
        self.notices += [notice] if notice else []
        return self

    def candidates(self, images: Sequence[np.ndarray]) -> list[Detections]:
        """Return yolo's detections from the floor up: what average precision is computed on."""
        return self.detector.predict(images, confidence=FLOOR)

    def detect(
        self, images: Sequence[np.ndarray], *, confidence: float | None = None
    ) -> list[Detections]:
        """Find objects in images uint8 (h, w, 3), best first; `confidence` replaces thresholds."""
        return [found for found, _ in self.detect_and_count(images, confidence=confidence)]

    def detect_and_count(
        self, images: Sequence[np.ndarray], *, confidence: float | None = None
    ) -> list[tuple[Detections, np.ndarray]]:
        """Find objects as `detect` does; with them how many there are of each class (C,).

        The counts do not depend on `confidence`.
        """
        limit = self.limits_ if confidence is None else confidence
        if self.served_ == "blobs":
            found = self.baseline.predict(images)
            counts = count_labels([each.labels for each in found], len(self.label_names))
        else:
            floor = float(np.min([LEVELS[0], *self.limits_, np.min(limit)]))
            found = self.detector.predict(images, confidence=floor)
            counts = self.counts.predict(found, self.thresholds.select(found), images)
        return list(zip([each.above(limit) for each in found], counts, strict=True))

    def profile(self, splits: Splits) -> pl.DataFrame:
        """Describe the training images by a few numbers each, for drift monitoring."""
        return image_profile(splits.train.images)

    def save(self, folder: Path) -> None:
        """Write all that `load` needs into an existing folder."""
        from PIL import Image

        for stage in (self.baseline, self.detector, self.thresholds, self.counts):
            stage.save(folder)
        content = {
            "label_names": self.label_names,
            "seed": self.seed,
            "notices": self.notices,
            "served": self.served_,
            "limits": self.limits_.tolist(),
        }
        write_json(folder / "pipeline.json", content)
        Image.fromarray(self.example).save(folder / "example.png")

    @classmethod
    def load(cls, folder: Path) -> Pipeline:
        """Read what `save` wrote; neither the data nor the configuration is needed."""
        content = json.loads((folder / "pipeline.json").read_text(encoding="utf-8"))
        pipeline = cls(
            baseline=Blobs.load(folder),
            detector=Yolo.load(folder),
            thresholds=Thresholds.load(folder),
            counts=Counts.load(folder),
            label_names=content["label_names"],
            example=read_image(folder / "example.png"),
            seed=content["seed"],
        )
        pipeline.notices, pipeline.served_ = content["notices"], content["served"]
        pipeline.limits_ = np.array(content["limits"])
        return pipeline


def judged(found: Sequence[Detections], part: BoxedImages) -> list[Detections]:
    """Drop the detections of a part's images that are of ignored boxes: they count for nothing."""
    if not len(part.ignored_boxes):
        return list(found)
    truth = (part.boxes, part.labels, part.ignored_boxes, part.ignored_labels)
    return [without_ignored(*each) for each in zip(found, *truth, strict=True)]


def _example(part: BoxedImages) -> np.ndarray:
    """Take the first image that has a box, shrunk to a size that is quickly sent."""
    from PIL import Image

    image = next(part.images[row] for row, boxes in enumerate(part.boxes) if len(boxes))
    small = Image.fromarray(image)
    small.thumbnail((LARGEST_EXAMPLE, LARGEST_EXAMPLE))
    return np.asarray(small)


def _detector(config: Config, classes: int) -> Yolo:
    """Make the network and its training, with seeded weights."""
    network, training, augment = config.network, config.training, config.augment
    own = config.dataset in config.own_datasets
    turns = augment.quarter_turns == "on" or (augment.quarter_turns == "auto" and not own)
    return Yolo(
        classes=classes,
        height=network.height,
        width=network.width,
        channels=network.channels,
        depth=network.depth,
        reg_max=network.reg_max,
        epochs=training.epochs,
        steps=training.steps,
        batch_size=training.batch_size,
        learning_rate=training.learning_rate,
        weight_decay=training.weight_decay,
        ema=training.ema,
        mosaic_until=augment.mosaic_until,
        augment=Augmentation(
            mosaic=augment.mosaic, zoom=augment.zoom, shift=augment.shift,
            colour=augment.colour, quarter_turns=turns,
        ),
        overlap=config.postprocess.overlap,
        precision=training.precision,
        device=config.device,
        seed=config.seed,
    )  # fmt: skip
