"""From probabilities to a map of classes: weigh the rare ones, scale to the image, take the best.

The most probable class maximises the accuracy of pixels, and a class of one pixel in a hundred is
then hardly ever chosen. The mean IoU counts every class alike, so a class is weighed by its rarity,

    class of a pixel = argmax_c  p(c | pixel) / prior(c)^balance

with the balance, 0 for none, chosen on the validation images by their mean IoU (the logit
adjustment of Menon et al. 2021, with the exponent fitted). Probabilities of a smaller copy of the
image are interpolated to its size before the best is taken: classes themselves cannot be averaged.

Shapes: C classes, h x w pixels of the network's answer, H x W of the image.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Self

import numpy as np
import torch
from torch.nn import functional

from common.atomic import write_json
from common.evaluation.segmentation import confusion_iou, pixel_confusion
from common.images import UNLABELLED, nearest
from patterns.vision.segmentation.entities.answers import Answer, ClassShare

BALANCES = (0.0, 0.1, 0.2, 0.3, 0.5)


class ClassMaps:
    """Turns probabilities into maps of classes; without a fit, the most probable class is taken."""

    def __init__(
        self,
        *,
        names: Sequence[str],
        values: Sequence[int],
        balance: float = 0.0,
        prior: Sequence[float] = (),
        score: float = 0.0,
    ) -> None:
        self.names, self.values = tuple(names), tuple(values)
        self.balance_ = balance
        self.prior_ = np.array(prior or [1 / len(names)] * len(names), np.float32)  # (C,)
        self.score_ = score  # mean IoU of the validation images

    def fit(self, probabilities: Iterable[np.ndarray], masks: Sequence[np.ndarray]) -> Self:
        """Choose the balance on validation images: float32 (C, h, w) and class maps (H, W).

        They are compared at the size of the probabilities.
        """
        count = len(self.names)
        pixels = sum(np.bincount(mask.ravel(), minlength=UNLABELLED + 1) for mask in masks)
        pixels = np.asarray(pixels)[:count]
        self.prior_ = ((pixels + 1) / (pixels.sum() + count)).astype(np.float32)
        found = {balance: np.zeros((count, count), np.int64) for balance in BALANCES}
        for each, mask in zip(probabilities, masks, strict=True):
            truth = [nearest(mask, each.shape[1:])]
            for balance in BALANCES:
                said = [self._best(each, balance)]
                found[balance] += pixel_confusion(said, truth, count, ignored=UNLABELLED)
        if pixels.any():
            scores = {each: float(np.nanmean(confusion_iou(found[each]))) for each in BALANCES}
            self.balance_ = max(scores, key=lambda balance: scores[balance])
            self.score_ = scores[self.balance_]
        return self

    def classes(
        self, probabilities: np.ndarray, size: tuple[int, ...], *, balanced: bool = True
    ) -> np.ndarray:
        """Return the class numbers uint8 (H, W) of `size` from float32 (C, h, w)."""
        return self._best(resized(probabilities, size), self.balance_ if balanced else 0.0)

    def answer(self, probabilities: np.ndarray, size: tuple[int, ...]) -> Answer:
        """Return the map, in the values of the files, and the share of each class that occurs."""
        classes = self.classes(probabilities, size)
        shares = np.bincount(classes.ravel(), minlength=len(self.names)) / max(classes.size, 1)
        order = [number for number in np.argsort(-shares, kind="stable") if shares[number] > 0]
        return Answer(
            np.array(self.values, np.uint16)[classes],
            classes=tuple(
                ClassShare(self.names[number], self.values[number], float(shares[number]))
                for number in order
            ),
        )

    def chosen(self) -> str:
        """Say what the fit chose."""
        return f"balance of rare classes {self.balance_}"

    def save(self, folder: Path) -> None:
        """Write `classes.json`."""
        content = {
            "names": self.names,
            "values": self.values,
            "balance": self.balance_,
            "prior": [float(share) for share in self.prior_],
            "score": self.score_,
        }
        write_json(folder / "classes.json", content)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote."""
        return cls(**json.loads((folder / "classes.json").read_text(encoding="utf-8")))

    def _best(self, probabilities: np.ndarray, balance: float) -> np.ndarray:
        weights = self.prior_**-balance
        return (probabilities * weights[:, None, None]).argmax(axis=0).astype(np.uint8)


def resized(probabilities: np.ndarray, size: tuple[int, ...]) -> np.ndarray:
    """Interpolate float32 (C, h, w) to (C, H, W), linearly."""
    if probabilities.shape[1:] == tuple(size):
        return probabilities
    given = torch.from_numpy(probabilities)[None]
    scaled = functional.interpolate(given, tuple(size), mode="bilinear", align_corners=False)
    return scaled[0].numpy()
