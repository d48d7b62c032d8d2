"""Whether training images may be mirrored: where nobody said it, the linear baseline tells.

Whether a mirror image keeps its label, as a shoe does and a letter does not, is a fact about the
labels. To try the network both ways costs minutes, so the baseline is fitted a second time, on
mirror images too, and its log loss on validation is compared with that of the first:

    d_i = log p_i without mirror images − log p_i with them,   p_i that of the true label

Weak evidence where the baseline is hardly above chance: `docs/decisions/0019`.

Shapes: V validation images.
"""

from __future__ import annotations

from typing import Any, Self

import numpy as np

from common.probabilities import softmax
from patterns.vision.classification.entities.images import LabelledImages
from patterns.vision.classification.stages.augment import Augment
from patterns.vision.classification.stages.linear import LinearClassifier

LEAST = 1e-3  # a probability, lest one sure mistake decides


class Mirroring:
    """Compares the baseline with one like it that sees mirror images too."""

    def __init__(self, **training: Any) -> None:
        """`training` is the keywords of the baseline, a `LinearClassifier`."""
        self.mirrored = LinearClassifier(augment=Augment(crop=0, flip=True), **training)
        self.flip_ = False  # whether to mirror
        self.notice_ = ""

    def fit(self, train: LabelledImages, valid: LabelledImages, *, plain: LinearClassifier) -> Self:
        """Fit the second baseline and decide; `plain` is the first, already fitted."""
        self.mirrored.fit(train, valid)
        true = np.arange(len(valid)), valid.labels
        without = softmax(plain.predict(valid.images))[true]  # (V,)
        mirrored = softmax(self.mirrored.predict(valid.images))[true]  # (V,)
        self.flip_ = mirroring(without, mirrored, colour=train.images.shape[1] == 3)
        self.notice_ = (
            f"Training images are {'' if self.flip_ else 'not '}mirrored: the baseline's log loss"
            f" on validation is {_loss(mirrored):.3f} with mirror images, {_loss(without):.3f}"
            " without"
        )
        return self


def mirroring(plain: np.ndarray, mirrored: np.ndarray, *, colour: bool) -> bool:
    """Tell whether to mirror, from the probability of the true label (V,) without and with it.

    Colour photographs are mirrored unless the log loss is worse by two standard errors of its
    difference: a template of a letter breaks when it is mirrored, one of a landscape does not. Grey
    images, often of signs, only if it is better by two.
    """
    difference = np.log(np.maximum(plain, LEAST)) - np.log(np.maximum(mirrored, LEAST))  # (V,)
    margin = 2 * difference.std() / np.sqrt(len(difference))
    return bool(difference.mean() <= margin if colour else difference.mean() < -margin)


def _loss(probabilities: np.ndarray) -> float:
    return float(-np.log(np.maximum(probabilities, LEAST)).mean())
