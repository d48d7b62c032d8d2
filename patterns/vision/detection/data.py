"""What a row, a label and leakage mean in detection: images with boxes, split three ways.

A row is an image; its labels are all the boxes in it, so an image goes to one part whole. BCCD
brings its authors' split (205 / 87 / 72), which is kept: training learns from the first, the epoch
and the confidence thresholds are chosen on the second, the third is read once.

Leakage: neighbouring fields of one slide look alike, and one pair of BCCD (00037 in validation,
00038 in training) nearly is. It lies outside the test part, so the figures reported are not touched
by it. Boxes without area are nothing to find and are dropped by the reader. Many red cells of BCCD
are unlabelled: what looks like a false alarm may be a missing label, and true precision is higher.

Your own images keep your own split; what it lacks is drawn, whole groups of images at a time. Boxes
marked as difficult or as crowds are left out of training and ignored where detections are judged.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from patterns.vision.detection.config import Config
from patterns.vision.detection.entities.images import BoxedImages, Rows
from patterns.vision.parts import lacking

if TYPE_CHECKING:
    from data.tables import DetectionImages, Source

PUBLIC, OFFLINE = "bccd", "simulated-cells"


@dataclass(frozen=True)
class Splits:
    """The three parts and what they are made of."""

    source: Source
    train: BoxedImages
    valid: BoxedImages
    test: BoxedImages
    label_names: tuple[str, ...]
    notices: tuple[str, ...] = ()


def load(config: Config) -> DetectionImages:
    """Read the dataset that `config` names; auto falls back to `OFFLINE`, with a notice."""
    import data
    from data.tables import DetectionImages

    if config.dataset in config.own_datasets:
        return _own(config)
    return data.load_table(
        DetectionImages,
        config.dataset,
        public=PUBLIC,
        offline=OFFLINE,
        own=config.own_datasets,
        seed=config.seed,
        images=config.world.images,
    )


def _own(config: Config) -> DetectionImages:
    """Read the user's own images in the layout that `config` names."""
    from data import files

    readers = {
        "voc": files.detection_from_voc,
        "coco": files.detection_from_coco,
        "yolo": files.detection_from_yolo,
    }
    own = config.data
    assert own.path is not None
    return readers[config.dataset](own.path, own, seed=config.seed)


def split(table: DetectionImages, config: Config) -> Splits:
    """Take the split that the table brings; nothing of it is to be configured here.

    A part without any box raises `ValueError`; classes that a part lacks are said.
    """
    parts = {name: _part(table, table.split[name]) for name in ("train", "valid", "test")}
    for name, part in parts.items():
        if not sum(map(len, part.boxes)):
            raise ValueError(
                f"{name}: none of its {len(part)} images has a box; label some, or move labelled"
                " images there"
            )
    labels = {name: np.concatenate(part.labels) for name, part in parts.items()}
    notices = tuple(lacking(labels, table.label_names, unit="a box"))
    return Splits(
        table.source, parts["train"], parts["valid"], parts["test"], table.label_names, notices
    )


def _part(table: DetectionImages, rows: np.ndarray) -> BoxedImages:
    """Take some rows; images that are kept encoded are decoded when looked at."""
    chosen: list[Sequence[np.ndarray]] = [table.boxes, table.labels]
    if len(table.ignored_boxes):
        chosen += [table.ignored_boxes, table.ignored_labels]
    return BoxedImages(
        Rows(table.images, rows),
        *([values[row] for row in rows] for values in chosen),
    )
