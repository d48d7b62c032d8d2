"""What a row, a label and leakage mean in detection: images with boxes, split three ways.

A row is an image; its labels are all the boxes in it, so an image goes to one part whole. BCCD
brings its authors' split (205 / 87 / 72), which is kept: training learns from the first, the epoch
and the confidence thresholds are chosen on the second, the third is read once.

Leakage: neighbouring fields of one slide look alike, and one pair of BCCD (00037 in validation,
00038 in training) nearly is. It lies outside the test part, so the figures reported are not touched
by it. Boxes without area are nothing to find and are dropped by the reader. Many red cells of BCCD
are unlabelled: what looks like a false alarm may be a missing label, and true precision is higher.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from patterns.vision.detection.config import Config
from patterns.vision.detection.entities.images import BoxedImages

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

    if config.dataset == "voc":
        from data.files import detection_from_voc

        assert config.data.path is not None
        return detection_from_voc(config.data.path, seed=config.seed)
    return data.load_table(
        DetectionImages,
        config.dataset,
        public=PUBLIC,
        offline=OFFLINE,
        own=config.own_datasets,
        seed=config.seed,
        images=config.world.images,
    )


def split(table: DetectionImages, config: Config) -> Splits:
    """Take the split that the dataset brings; nothing of it is to be configured.

    A part without any box raises `ValueError`.
    """
    parts = {}
    for name in ("train", "valid", "test"):
        rows = table.split[name]
        part = BoxedImages(
            [table.images[row] for row in rows],
            [table.boxes[row] for row in rows],
            [table.labels[row] for row in rows],
        )
        if not sum(map(len, part.boxes)):
            raise ValueError(
                f"{name}: none of its {len(part)} images has a box; label some, or move labelled"
                " images there (ImageSets/Main)"
            )
        parts[name] = part
    return Splits(table.source, parts["train"], parts["valid"], parts["test"], table.label_names)
