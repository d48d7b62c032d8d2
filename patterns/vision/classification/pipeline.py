"""The boxes wired: preprocess -> network -> temperature -> top-k.

The only place that turns the configuration into stages. `classify` is the verb, batch first; an
answer does not depend on the other images of its batch. A saved pipeline is `pipeline.json` (what
to build), the network's files and `example.png` (an image for trying the service).

Shapes: N images, K classes.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from common.atomic import write_json
from common.probabilities import Answer, answers, fit_temperature, softmax
from patterns.vision.classification.config import Config
from patterns.vision.classification.data import Splits
from patterns.vision.classification.entities.images import LabelledImages
from patterns.vision.classification.stages.augment import Augment
from patterns.vision.classification.stages.cnn import CnnClassifier
from patterns.vision.classification.stages.efficientnet import EfficientNetClassifier, weights_file
from patterns.vision.classification.stages.linear import LinearClassifier
from patterns.vision.classification.stages.mobilenet import MobileNetClassifier
from patterns.vision.classification.stages.network import NetworkClassifier
from patterns.vision.classification.stages.preprocess import Preprocess
from patterns.vision.classification.stages.resnet9 import ResNet9Classifier
from patterns.vision.images import image_profile, read_image

if TYPE_CHECKING:
    import polars as pl


PROFILED = 5000  # training images
LEAST = 1e-3  # a probability, lest one sure mistake decides

Images = np.ndarray | Sequence[np.ndarray]
"""uint8 (N, H, W) or (N, H, W, 3), or a list of images of any sizes."""


class Pipeline:
    """An image classifier with its baseline beside it while it is being trained."""

    def __init__(
        self,
        *,
        label_names: Sequence[str],
        preprocess: Preprocess,
        network: NetworkClassifier,
        example: np.ndarray,
        k: int = 3,
        baseline: LinearClassifier | None = None,
        mirrored: LinearClassifier | None = None,
        seed: int = 0,
    ) -> None:
        """`network` may be the baseline itself; `example` is an image for trying the service.

        `mirrored`, a second baseline that sees mirror images too, decides if the network does.
        """
        self.label_names, self.k, self.seed = tuple(label_names), k, seed
        self.preprocess, self.baseline, self.network = preprocess, baseline, network
        self.mirrored, self.example = mirrored, example
        self.rejected_: NetworkClassifier | None = None  # the network, where the baseline is served
        self.notices: list[str] = []
        self.valid_accuracy_ = 0.0
        self.temperature_ = 1.0

    @classmethod
    def from_config(cls, config: Config, splits: Splits) -> Pipeline:
        """Make the unfitted stages; size and channels are the training images'."""
        own: dict[str, Any] = {
            "classes": len(splits.label_names),
            "batch_size": config.training.batch_size,
            "device": config.device,
            "seed": config.seed,
            **_given(least_steps=config.training.least_steps),
        }
        baseline = LinearClassifier(**own)
        undecided = splits.mirror_safe is None and config.augment.flip == "auto"
        return cls(
            label_names=splits.label_names,
            preprocess=Preprocess.like(splits.train.images, size=_size(config, splits)),
            network=baseline if config.model == "linear" else _network(config, splits),
            example=splits.train.images[0],
            k=config.k,
            baseline=baseline,
            mirrored=LinearClassifier(augment=Augment(crop=0, flip=True), **own)
            if undecided and config.model != "linear"
            else None,
            seed=config.seed,
        )

    def fit_baseline(self, splits: Splits) -> Pipeline:
        """Fit the linear baseline, and where nobody said it, find out if mirroring is right."""
        assert self.baseline is not None
        if self.mirrored is not None:
            self._fit(self.mirrored, splits)
        self._fit(self.baseline, splits)
        if self.mirrored is not None:
            self._settle_mirroring(splits)
        return self

    def fit_network(
        self, splits: Splits, *, checkpoints: Path | None = None, resume: bool = False
    ) -> Pipeline:
        """Fit the network, if it is not the baseline itself, and serve what is better on valid."""
        if self.network is self.baseline:
            return self
        assert self.baseline is not None
        base = self.baseline.valid_accuracy
        self._fit(self.network, splits, checkpoint=checkpoints, resume=resume)
        if self.network.notice_:
            self.notices.append(self.network.notice_)
        if base > self.network.valid_accuracy:
            self.notices.append(
                f"The linear baseline is served: on validation it is right {base:.3f} of the time,"
                f" {self.network.name} {self.network.valid_accuracy:.3f}."
            )
            self.rejected_, self.network = self.network, self.baseline
        return self

    def fit_temperature(self, splits: Splits) -> Pipeline:
        """Fit the calibration on the validation images."""
        self.temperature_ = fit_temperature(self.logits(splits.valid.images), splits.valid.labels)
        return self

    def logits(self, images: Images) -> np.ndarray:
        """Return the network's raw outputs (N, K)."""
        return self.network.predict(self.preprocess.batch(images))

    def probabilities(self, images: Images) -> np.ndarray:
        """Return calibrated probabilities (N, K) of uint8 images of any size, grey or colour."""
        return softmax(self.logits(images), self.temperature_)

    def classify(self, images: Images, *, k: int | None = None) -> list[Answer]:
        """Return the k likeliest labels of each image; all labels where k exceeds them."""
        return answers(self.probabilities(images), self.label_names, k or self.k)

    def profile(self, splits: Splits) -> pl.DataFrame:
        """Describe training images by a few numbers each, for drift monitoring."""
        return image_profile(list(splits.train.images[:PROFILED]))

    def save(self, folder: Path) -> None:
        """Write all that `load` needs into an existing folder."""
        from PIL import Image

        self.network.save(folder)
        content = {
            "model": self.network.name,
            "size": self.preprocess.size,
            "channels": self.preprocess.channels,
            "label_names": list(self.label_names),
            "k": self.k,
            "seed": self.seed,
            "temperature": self.temperature_,
            "notices": self.notices,
        }
        write_json(folder / "pipeline.json", content)
        Image.fromarray(self.example).save(folder / "example.png")

    @classmethod
    def load(cls, folder: Path) -> Pipeline:
        """Read what `save` wrote; neither the data nor the configuration is needed."""
        content = json.loads((folder / "pipeline.json").read_text(encoding="utf-8"))
        pipeline = cls(
            label_names=content["label_names"],
            preprocess=Preprocess(size=content["size"], channels=content["channels"]),
            network=_stage(content["model"]).load(folder),
            example=read_image(folder / "example.png"),
            k=content["k"],
            seed=content["seed"],
        )
        pipeline.temperature_, pipeline.notices = content["temperature"], content["notices"]
        return pipeline

    def _fit(
        self,
        network: NetworkClassifier,
        splits: Splits,
        *,
        checkpoint: Path | None = None,
        resume: bool = False,
    ) -> Pipeline:
        train, valid = self._ready(splits.train), self._ready(splits.valid)
        network.fit(train, valid, checkpoint=checkpoint, resume=resume)
        self.valid_accuracy_ = network.valid_accuracy
        return self

    def _settle_mirroring(self, splits: Splits) -> None:
        """Mirror training images if validation allows it: `mirroring`."""
        assert self.baseline is not None and self.mirrored is not None
        images, labels = self.preprocess.batch(splits.valid.images), splits.valid.labels
        plain, mirrored = (
            softmax(stage.predict(images))[np.arange(len(labels)), labels]
            for stage in (self.baseline, self.mirrored)
        )  # (V,) each
        flip = mirroring(plain, mirrored, colour=self.preprocess.channels == 3)
        assert self.network.augment is not None
        self.network.augment.flip = flip
        self.notices.append(
            f"Training images are {'' if flip else 'not '}mirrored: the baseline's log loss on"
            f" validation is {_loss(mirrored):.3f} with mirror images, {_loss(plain):.3f} without"
            f" (--augment.flip {'off' if flip else 'on'} overrides)."
        )

    def _ready(self, part: LabelledImages) -> LabelledImages:

        return LabelledImages(self.preprocess.batch(part.images), part.labels)


def _size(config: Config, splits: Splits) -> int:
    """Return the side to scale to, 0 for that of the data; a user's own images have it already."""
    read = splits.train.images.shape[1] if splits.source.origin == "file" else 0
    return config.image_size or read


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


def _stage(model: str) -> type[NetworkClassifier]:

    stages: tuple[type[NetworkClassifier], ...] = (
        LinearClassifier,
        CnnClassifier,
        ResNet9Classifier,
        MobileNetClassifier,
        EfficientNetClassifier,
    )
    return {stage.name: stage for stage in stages}[model]


def _network(config: Config, splits: Splits) -> NetworkClassifier:
    """Make the unfitted network that `config.model` names; auto is the one for colour or grey."""
    model = config.model
    if model == "auto":
        model = "resnet9" if splits.train.images.ndim == 4 else "cnn"
    if model == "efficientnet-lite0":
        weights_file()  # raises now and not after the baseline
    cnn, mobilenet, training = config.cnn, config.mobilenet, config.training
    every: dict[str, dict[str, Any]] = {
        "cnn": {"widths": cnn.widths, "blocks": cnn.blocks},
        "resnet9": {"width": config.resnet9.width},
        "efficientnet-lite0": {"input_size": config.efficientnet.input_size},
        "mobilenet": {"input_size": mobilenet.input_size, "weights": mobilenet.weights},
    }
    return _stage(model)(
        classes=len(splits.label_names),
        batch_size=training.batch_size,
        weight_decay=training.weight_decay,
        label_smoothing=training.label_smoothing,
        augment=_augment(config, mirror_safe=bool(splits.mirror_safe)),
        device=config.device,
        seed=config.seed,
        **_given(
            epochs=training.epochs,
            least_steps=training.least_steps,
            learning_rate=training.learning_rate,
            precision=None if training.precision == "auto" else training.precision,
        ),
        **every[model],
    )


def _given(**options: Any) -> dict[str, Any]:
    """Leave out what is None, so that the stage's own default holds."""
    return {name: value for name, value in options.items() if value is not None}


def _augment(config: Config, *, mirror_safe: bool) -> Augment:

    options = config.augment
    return Augment(
        crop=options.crop,
        flip=mirror_safe if options.flip == "auto" else options.flip == "on",
        rotation=options.rotation,
        erasing=options.erasing,
        mixup=options.mixup,
    )
