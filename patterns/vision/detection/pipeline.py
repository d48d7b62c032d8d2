"""The boxes wired: letterbox -> network -> non-maximum suppression -> a threshold for each class.

The only place that turns the configuration into stages. `detect` is the verb, batch first; an
answer does not depend on the other pictures of its batch. A saved pipeline is `pipeline.json`
(names and thresholds), `yolo.json` and `yolo.safetensors` (the detector), the baseline's two files,
and `example.png` (a picture for trying the service).

The threshold of a class is the score at which F1 on the validation pictures is highest: with it, a
class that the network is timid about is not lost to one global number.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from common.atomic import write_json
from patterns.vision.detection.config import Config

if TYPE_CHECKING:
    from patterns.vision.detection.data import Part, Splits
    from patterns.vision.detection.stages.blobs import Blobs
    from patterns.vision.detection.stages.postprocess import Detections
    from patterns.vision.detection.stages.yolo import Yolo

FORMAT = 1
FLOOR = 0.01  # least score that counts for average precision
DEFAULT_CONFIDENCE = 0.25  # of a class that the validation pictures do not show


class Pipeline:
    """A detector with its baseline beside it."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.notices: list[str] = []
        self.label_names: tuple[str, ...] = ()
        self.thresholds: np.ndarray = np.zeros(0)  # (C,)
        self.baseline: Blobs | None = None
        self.detector: Yolo | None = None
        self.example: np.ndarray | None = None

    @classmethod
    def from_config(cls, config: Config) -> Pipeline:
        """Make an unfitted pipeline."""
        return cls(config)

    def fit_baseline(self, splits: Splits) -> Pipeline:
        """Fit the colour threshold and the class centres."""
        from patterns.vision.detection.stages.blobs import Blobs

        self.label_names, self.example = splits.label_names, splits.train.images[0]
        self.baseline = Blobs().fit(*splits.train.rows)
        return self

    def fit_detector(
        self, splits: Splits, *, checkpoint: Path | None = None, resume: bool = False
    ) -> Pipeline:
        """Train the network, keeping the epoch that is best on the validation pictures."""
        self.label_names, self.example = splits.label_names, splits.train.images[0]
        self.detector = self._build(len(splits.label_names))
        self.detector.fit(
            splits.train.rows, splits.valid.rows, checkpoint=checkpoint, resume=resume
        )
        return self

    def fit_thresholds(self, valid: Part) -> Pipeline:
        """Choose for each class the score at which F1 on the validation pictures is highest."""
        from patterns.vision.detection.stages.postprocess import best_thresholds

        given = self.config.postprocess.confidence
        if given > 0:
            self.thresholds = np.full(len(self.label_names), given)
            return self
        self.thresholds = best_thresholds(
            self.candidates(valid.images), valid.boxes, valid.labels,
            classes=len(self.label_names), default=DEFAULT_CONFIDENCE,
        )  # fmt: skip
        return self

    def candidates(self, images: Sequence[np.ndarray]) -> list[Detections]:
        """Return all detections from the floor up: what average precision is computed on."""
        assert self.detector is not None, "fit or load it first"
        return self.detector.predict(list(images), confidence=FLOOR)

    def detect(
        self, images: Sequence[np.ndarray], *, confidence: float | None = None
    ) -> list[Detections]:
        """Detections of pictures uint8 (h, w, 3), best first; `confidence` replaces thresholds."""
        assert self.detector is not None, "fit or load it first"
        limit = self.thresholds if confidence is None else confidence
        lowest = float(np.min(limit))
        found = self.detector.predict(list(images), confidence=lowest)
        return [each.above(limit) for each in found]

    def save(self, folder: Path) -> None:
        """Write all that `load` needs into an existing folder."""
        from PIL import Image

        assert self.detector is not None and self.example is not None, "fit it first"
        self.detector.save(folder)
        if self.baseline is not None:
            self.baseline.save(folder)
        content = {
            "format": FORMAT,
            "label_names": list(self.label_names),
            "thresholds": self.thresholds.tolist(),
            "notices": self.notices,
        }
        write_json(folder / "pipeline.json", content)
        Image.fromarray(self.example).save(folder / "example.png")

    @classmethod
    def load(cls, folder: Path) -> Pipeline:
        """Read a saved pipeline; it needs neither the data nor the run's configuration."""
        from patterns.vision.detection.stages.blobs import Blobs
        from patterns.vision.detection.stages.yolo import Yolo
        from patterns.vision.images import read_image

        content = json.loads((folder / "pipeline.json").read_text(encoding="utf-8"))
        pipeline = cls(Config(device="cpu"))
        pipeline.label_names = tuple(content["label_names"])
        pipeline.thresholds = np.array(content["thresholds"])
        pipeline.notices = content["notices"]
        pipeline.detector = Yolo.load(folder)
        if (folder / "blobs.json").is_file():
            pipeline.baseline = Blobs.load(folder)
        pipeline.example = read_image(folder / "example.png")
        return pipeline

    def _build(self, classes: int) -> Yolo:
        from patterns.vision.detection.stages.augment import Augmentation
        from patterns.vision.detection.stages.yolo import Yolo

        config = self.config
        network, training, augment = config.network, config.training, config.augment
        return Yolo(
            classes=classes,
            height=network.height,
            width=network.width,
            channels=network.channels,
            depth=network.depth,
            bins=network.bins,
            epochs=training.epochs,
            steps=training.steps,
            batch_size=training.batch_size,
            learning_rate=training.learning_rate,
            weight_decay=training.weight_decay,
            ema=training.ema,
            mosaic_share=augment.mosaic_until,
            augment=Augmentation(
                mosaic=augment.mosaic, zoom=augment.zoom, shift=augment.shift,
                colour=augment.colour, quarter_turns=augment.quarter_turns,
            ),
            overlap=config.postprocess.overlap,
            precision=training.precision,
            device=config.device,
            seed=config.seed,
        )  # fmt: skip
