"""What one method found in the test images, compared with the truth image by image.

Shapes: N images of H x W pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from common.evaluation import segmentation as metrics
from patterns.vision.segmentation.entities.images import MaskedImages
from patterns.vision.segmentation.pipeline import Pipeline
from patterns.vision.segmentation.stages.postprocess import Postprocess


@dataclass(frozen=True)
class Found:
    """What one method found in the test images, one entry an image."""

    labels: list[np.ndarray]
    iou: np.ndarray
    dice: np.ndarray
    objects: np.ndarray
    """TP / (TP + FP + FN) at an IoU of one half."""
    counts: np.ndarray
    pooled_iou: float


def compare(pipeline: Pipeline, test: MaskedImages) -> tuple[Found, Found, Found]:
    """Judge the baseline, the network without splitting touching objects, and what is served."""
    stage, post = pipeline.learned()
    served = pipeline.postprocess
    assert isinstance(post, Postprocess) and isinstance(served, Postprocess)
    otsu = pipeline.baseline.predict(test.images)
    masks = [post.mask(stage.predict([image])[0].astype(np.float32)) for image in test.images]
    final = masks if pipeline.rejected_ is None else otsu
    return (
        judge(test, [post.separate(mask, split=False) for mask in otsu]),
        judge(test, [post.separate(mask, split=False) for mask in masks]),
        judge(test, [served.separate(mask) for mask in final]),
    )


def judge(test: MaskedImages, labels: list[np.ndarray]) -> Found:
    """Compare label maps with the truth, image by image."""
    said = [each > 0 for each in labels]
    true = [each > 0 for each in test.masks]
    return Found(
        labels,
        metrics.iou(said, true),
        metrics.dice(said, true),
        metrics.instance_precision(labels, test.masks)[:, 0],
        count_objects(labels),
        metrics.pooled_iou(said, true),
    )


def count_objects(labels: Sequence[np.ndarray]) -> np.ndarray:
    """Return the number of objects in each label map (N,), gaps in the numbering allowed."""
    return np.array([len(np.unique(each[each > 0])) for each in labels])
