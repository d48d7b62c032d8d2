"""The boxes wired: preprocess -> network -> temperature -> top-k.

The only place that turns the configuration into stages. `classify` is the verb, batch first; an
answer does not depend on the other images of its batch. What serves is what the validation images
prefer, the baseline included; of equals the simpler one. What is saved is what serves: the files of
its network, `pipeline.json` and `example.png` (an image for trying the service).

Shapes: N images, K classes.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from common.atomic import write_json
from common.preference import preferred
from common.probabilities import Answer, answers, fit_temperature, softmax
from patterns.vision.classification.config import Config
from patterns.vision.classification.data import Splits
from patterns.vision.classification.entities.images import LabelledImages
from patterns.vision.classification.stages.augment import Augment
from patterns.vision.classification.stages.efficientnet import weights_file
from patterns.vision.classification.stages.linear import LinearClassifier
from patterns.vision.classification.stages.mirroring import Mirroring
from patterns.vision.classification.stages.network import NetworkClassifier
from patterns.vision.classification.stages.preprocess import Preprocess
from patterns.vision.classification.stages.servable import SERVABLE
from patterns.vision.images import image_profile, read_image

if TYPE_CHECKING:
    import polars as pl

PROFILED = 5000  # training images

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
        mirroring: Mirroring | None = None,
        seed: int = 0,
    ) -> None:
        """`network` may be the baseline itself; `example` is an image for trying the service.

        `mirroring` finds out if the network may see mirror images; without it, `network` knows.
        """
        self.label_names, self.k, self.seed = tuple(label_names), k, seed
        self.preprocess, self.baseline, self.network = preprocess, baseline, network
        self.mirroring, self.example = mirroring, example
        self.notices: list[str] = []
        self.served_ = network  # or the baseline, where validation prefers it
        self.valid_scores_: dict[str, float] = {}  # name -> accuracy on the validation images
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
        baseline, alone = LinearClassifier(**own), config.model == "linear"
        undecided = splits.mirror_safe is None and config.augment.flip == "auto"
        return cls(
            label_names=splits.label_names,
            preprocess=Preprocess.like(splits.train.images, size=_size(config, splits)),
            network=baseline if alone else _network(config, splits),
            example=splits.train.images[0],
            k=config.k,
            baseline=baseline,
            mirroring=Mirroring(**own) if undecided and not alone else None,
            seed=config.seed,
        )

    def fit_baseline(self, splits: Splits) -> Pipeline:
        """Fit the linear baseline, and where nobody said it, find out if mirroring is right."""
        assert self.baseline is not None
        train, valid = self._prepared(splits)
        self.baseline.fit(train, valid)
        self.valid_scores_[self.baseline.name] = self.baseline.valid_accuracy
        if self.mirroring is not None and self.network.augment is not None:
            flip = self.mirroring.fit(train, valid, plain=self.baseline).flip_
            self.network.augment.flip = flip
            remedy = f"--augment.flip {'off' if flip else 'on'} overrides"
            self.notices.append(f"{self.mirroring.notice_} ({remedy}).")
        return self

    def fit_network(
        self, splits: Splits, *, checkpoints: Path | None = None, resume: bool = False
    ) -> Pipeline:
        """Fit the network, if it is not the baseline itself.

        It serves if the validation images prefer it to the baseline.
        """
        network, baseline = self.network, self.baseline
        if network is baseline:
            return self
        assert baseline is not None
        network.fit(*self._prepared(splits), checkpoint=checkpoints, resume=resume)
        self.valid_scores_[network.name] = network.valid_accuracy
        measure = f"accuracy on the {len(splits.valid):,} validation images"
        served, notice = preferred(self.valid_scores_, network.name, measure=measure)
        self.served_ = network if served == network.name else baseline
        self.notices += [said for said in (network.notice_, notice) if said]
        return self

    def fit_temperature(self, splits: Splits) -> Pipeline:
        """Fit the calibration on the validation images."""
        self.temperature_ = fit_temperature(self.logits(splits.valid.images), splits.valid.labels)
        return self

    def logits(self, images: Images) -> np.ndarray:
        """Return raw outputs (N, K) of what serves."""
        return self.served_.predict(self.preprocess.batch(images))

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

        self.served_.save(folder)
        content = {
            "model": self.served_.name,
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
            network=SERVABLE[content["model"]].load(folder),
            example=read_image(folder / "example.png"),
            k=content["k"],
            seed=content["seed"],
        )
        pipeline.temperature_, pipeline.notices = content["temperature"], content["notices"]
        return pipeline

    @property
    def valid_score_(self) -> float:
        """The validation accuracy of the stage fitted last."""
        return list(self.valid_scores_.values())[-1]

    def _prepared(self, splits: Splits) -> tuple[LabelledImages, LabelledImages]:
        """Return the training and the validation images as networks take them."""
        train, valid = (
            LabelledImages(self.preprocess.batch(part.images), part.labels)
            for part in (splits.train, splits.valid)
        )
        return train, valid


def _size(config: Config, splits: Splits) -> int:
    """Return the side to scale to, 0 for that of the data; a user's own images have it already."""
    read = splits.train.images.shape[1] if splits.source.origin == "file" else 0
    return config.image_size or read


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
    return SERVABLE[model](
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
