"""Published protocols, so that our model stands beside those of the literature.

dsb-96   Nuclei of the 2018 Data Science Bowl drawn image by image, 80/20, all scaled to 96 x 96
         pixels, and judged by the mean IoU. Drawing at random puts tiles of one slide on both
         sides, so the figures compare models with others of this protocol and say little of a new
         slide: that is what the split by slide is for. Published (on all 670 images, the epoch
         chosen on the tested images): U-Net .839, U-Net++ .842.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from common.evaluation.report import Row, Table
from patterns.vision.segmentation.config import Config, SplitOptions
from patterns.vision.segmentation.data import split
from patterns.vision.segmentation.entities.images import MaskedImages
from patterns.vision.segmentation.evaluation.accuracy import headline
from patterns.vision.segmentation.evaluation.found import compare
from patterns.vision.segmentation.pipeline import Pipeline

if TYPE_CHECKING:
    from patterns.vision.segmentation.data import ImageTable


@dataclass(frozen=True)
class Dsb96:
    """Images drawn one by one and scaled to a small square; trained as the configuration says."""

    name: str = "dsb-96"
    dataset: str = "nuclei"
    side: int = 96
    test_share: float = 0.2
    published: tuple[tuple[str, float], ...] = (("U-Net", 0.839), ("U-Net++", 0.842))

    def run(self, table: ImageTable, config: Config) -> list[Table]:
        """Train on the small images; our rows stand beside the published ones."""
        shares = SplitOptions("image", self.test_share, config.split.valid_share)
        drawn = split(table, replace(config, split=shares))
        splits = replace(
            drawn,
            train=self._small(drawn.train),
            valid=self._small(drawn.valid),
            test=self._small(drawn.test),
        )
        pipeline = Pipeline.from_config(config, splits).fit_network(splits)
        pipeline.fit_postprocess(splits)
        ours = headline(pipeline, splits, *compare(pipeline, splits.test))
        published = [Row(f"{name}, published", {"IoU": value}) for name, value in self.published]
        caption = (
            f"{self.side} x {self.side} pixels. {ours.caption} The published figures are of 670"
            f" images, ours of {len(table.images)}. {'; '.join(splits.notices)}."
        )
        return [replace(ours, name=self.name, rows=(*ours.rows, *published), caption=caption)]

    def _small(self, part: MaskedImages) -> MaskedImages:
        pairs = [
            shrink(image, mask, side=self.side)
            for image, mask in zip(part.images, part.masks, strict=True)
        ]
        return replace(part, images=[each for each, _ in pairs], masks=[each for _, each in pairs])


PROTOCOLS = {protocol.name: protocol for protocol in (Dsb96(),)}


def run(name: str, table: ImageTable, config: Config) -> list[Table]:
    """Run the protocol of that name on the dataset that it is defined on."""
    protocol = PROTOCOLS[name]
    if table.source.name != protocol.dataset:
        raise ValueError(
            f"dataset: protocol {name} is defined on {protocol.dataset}, not on"
            f" {table.source.name}; give --dataset {protocol.dataset}"
        )
    return protocol.run(table, config)


def shrink(image: np.ndarray, mask: np.ndarray, *, side: int) -> tuple[np.ndarray, np.ndarray]:
    """Scale uint8 (H, W, 3) and its label map (H, W) to a square, bilinear and nearest."""
    from PIL import Image

    size = (side, side)
    small = np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BILINEAR))
    labels = Image.fromarray(mask.astype(np.int32)).resize(size, Image.Resampling.NEAREST)
    return small, np.asarray(labels).astype(np.uint16)
