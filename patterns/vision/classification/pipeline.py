"""The boxes wired: preprocess -> network -> temperature -> top-k.

The only place that turns the configuration into stages. `classify` is the verb, batch first; an
answer does not depend on the other images of its batch. A saved pipeline is `pipeline.json` (what
to build), `network.safetensors` (its weights) and `example.png` (an image for trying the service).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from common.atomic import write_json
from patterns.vision.classification.config import Config

if TYPE_CHECKING:
    from torch import Tensor, nn

    from patterns.vision.classification.data import Splits
    from patterns.vision.classification.stages.augment import Augment
    from patterns.vision.classification.stages.network import Network
    from patterns.vision.classification.stages.preprocess import Preprocess

FORMAT = 1
LINEAR = {"learning_rate": 5e-3, "weight_decay": 0.0, "epochs": 6}


@dataclass(frozen=True)
class Answer:
    """The likeliest labels of one image, best first, and their calibrated probabilities."""

    labels: list[str]
    probabilities: list[float]


class Pipeline:
    """An image classifier with its baseline beside it while it is being trained."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.notices: list[str] = []
        self.label_names: tuple[str, ...] = ()
        self.temperature = 1.0
        self.preprocess: Preprocess | None = None
        self.baseline: Network | None = None
        self.network: Network | None = None
        self.architecture: dict[str, Any] = {}
        self.example: np.ndarray | None = None

    @classmethod
    def from_config(cls, config: Config) -> Pipeline:
        """Make an unfitted pipeline."""
        return cls(config)

    def fit_baseline(self, splits: Splits) -> Pipeline:
        """Fit preprocessing and the linear baseline."""
        train, valid = self._tensors(splits)
        module, _, _ = self._build("linear", train[0])
        self.baseline = self._trainer(module, len(train[0]), linear=True).fit(train, valid)
        if self.config.model == "linear":
            self.network = self.baseline
            self.architecture = {"model": "linear"}
        return self

    def fit_network(
        self, splits: Splits, *, checkpoint: Path | None = None, resume: bool = False
    ) -> Pipeline:
        """Fit the network that `config.model` names."""
        if self.config.model == "linear":
            return self
        train, valid = self._tensors(splits)
        module, self.architecture, notice = self._build(self.config.model, train[0])
        if notice:
            self.notices.append(notice)
        network = self._trainer(module, len(train[0]), mirror_safe=splits.mirror_safe)
        self.network = network.fit(train, valid, checkpoint=checkpoint, resume=resume)
        return self

    def fit_temperature(self, splits: Splits) -> Pipeline:
        """Fit the calibration on the validation images."""
        from common.probabilities import fit_temperature

        self.temperature = fit_temperature(self.logits(splits.valid_images), splits.valid_labels)
        return self

    def logits(self, images: np.ndarray | Sequence[np.ndarray]) -> np.ndarray:
        """Return the network's raw outputs (N, K)."""
        assert self.network is not None and self.preprocess is not None, "fit or load it first"
        return self.network.predict(self.preprocess.batch(images))

    def probabilities(self, images: np.ndarray | Sequence[np.ndarray]) -> np.ndarray:
        """Return calibrated probabilities (N, K) of uint8 images of any size, grey or colour."""
        from common.probabilities import softmax

        return softmax(self.logits(images), self.temperature)

    def classify(
        self, images: np.ndarray | Sequence[np.ndarray], *, k: int | None = None
    ) -> list[Answer]:
        """Return the k likeliest labels of each image; all labels where k exceeds them."""
        from common.probabilities import top_k

        labels, shares = top_k(self.probabilities(images), k or self.config.k)
        return [
            Answer([self.label_names[label] for label in row], share.tolist())
            for row, share in zip(labels, shares, strict=True)
        ]

    def save(self, folder: Path) -> None:
        """Write all that `load` needs into an existing folder."""
        from PIL import Image

        assert self.network is not None and self.preprocess is not None, "fit it first"
        self.network.save(folder)
        content = {
            "format": FORMAT,
            "architecture": self.architecture,
            "size": self.preprocess.size,
            "channels": self.preprocess.channels,
            "label_names": list(self.label_names),
            "temperature": self.temperature,
            "k": self.config.k,
            "notices": self.notices,
        }
        write_json(folder / "pipeline.json", content)
        if self.example is not None:
            Image.fromarray(self.example).save(folder / "example.png")

    @classmethod
    def load(cls, folder: Path) -> Pipeline:
        """Read a saved pipeline; it needs neither the data nor the run's configuration."""
        import json

        from patterns.vision.classification.stages.network import Network
        from patterns.vision.classification.stages.preprocess import Preprocess
        from patterns.vision.images import read_image

        content = json.loads((folder / "pipeline.json").read_text(encoding="utf-8"))
        pipeline = cls(Config(k=content["k"], device="cpu"))
        pipeline.preprocess = Preprocess(size=content["size"], channels=content["channels"])
        pipeline.label_names = tuple(content["label_names"])
        pipeline.temperature, pipeline.notices = content["temperature"], content["notices"]
        pipeline.architecture = content["architecture"]
        module, _ = build(
            pipeline.architecture, size=content["size"], channels=content["channels"],
            classes=len(pipeline.label_names),
        )  # fmt: skip
        pipeline.network = Network(module, classes=len(pipeline.label_names)).load(folder)
        pipeline.example = read_image(folder / "example.png")
        return pipeline

    def _tensors(self, splits: Splits) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
        """Return (uint8 images, labels) of train and valid, fitting the preprocessing once."""
        import torch

        from patterns.vision.classification.stages.preprocess import Preprocess

        if self.preprocess is None:
            self.preprocess = Preprocess.like(splits.train_images, size=self.config.image_size)
            self.label_names, self.example = splits.label_names, splits.train_images[0]
        return (
            (self.preprocess.batch(splits.train_images), torch.as_tensor(splits.train_labels)),
            (self.preprocess.batch(splits.valid_images), torch.as_tensor(splits.valid_labels)),
        )

    def _build(self, model: str, images: Tensor) -> tuple[nn.Module, dict[str, Any], str | None]:
        """Make the module `model` with seeded weights, normalising by the training images."""
        import torch

        from patterns.vision.classification.stages.preprocess import Normalise

        config = self.config
        architecture: dict[str, Any] = {"model": model}
        if model == "cnn":
            architecture |= {"widths": list(config.cnn.widths), "blocks": config.cnn.blocks}
        if model == "mobilenet":
            architecture |= {"input_size": config.mobilenet.input_size}
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(config.seed)
            module, notice = build(
                architecture, size=images.shape[-1], channels=images.shape[1],
                classes=len(self.label_names), weights=config.mobilenet.weights,
            )  # fmt: skip
        normalise = getattr(module, "normalise", None)
        if isinstance(normalise, Normalise):
            normalise.fit(images)
        return module, architecture, notice

    def _trainer(
        self, module: nn.Module, rows: int, *, linear: bool = False, mirror_safe: bool = False
    ) -> Network:
        from patterns.vision.classification.stages.network import Network

        config, training = self.config, self.config.training
        settings: dict[str, Any] = dict(LINEAR)
        if not linear:
            settings = {
                "learning_rate": training.learning_rate,
                "weight_decay": training.weight_decay,
                "label_smoothing": training.label_smoothing,
                "epochs": training.epochs,
                "augment": self._augment(mirror_safe),
            }
        steps = max(1, rows // training.batch_size)
        settings["epochs"] = max(settings["epochs"], math.ceil(training.least_steps / steps))
        return Network(
            module,
            classes=len(self.label_names),
            batch_size=training.batch_size,
            precision="fp32" if linear else training.precision,
            device=config.device,
            seed=config.seed,
            label="linear" if linear else config.model,
            **settings,
        )

    def _augment(self, mirror_safe: bool) -> Augment:
        from patterns.vision.classification.stages.augment import Augment

        assert self.preprocess is not None
        options = self.config.augment
        return Augment(
            crop=round(options.crop * self.preprocess.size),
            flip=mirror_safe if options.flip == "auto" else options.flip == "on",
            rotation=options.rotation,
            erasing=options.erasing,
            mixup=options.mixup,
        )


def build(
    architecture: dict[str, Any], *, size: int, channels: int, classes: int, weights: str = "none"
) -> tuple[nn.Module, str | None]:
    """Make the untrained module that `architecture` describes, and a notice if something lacked."""
    model = architecture["model"]
    if model == "linear":
        from patterns.vision.classification.stages.linear import Linear

        return Linear(channels=channels, size=size, classes=classes), None
    if model == "cnn":
        from patterns.vision.classification.stages.cnn import ResNet

        return (
            ResNet(
                channels=channels, classes=classes, widths=architecture["widths"],
                blocks=architecture["blocks"],
            ),
            None,
        )  # fmt: skip
    from patterns.vision.classification.stages import mobilenet

    return mobilenet.build(classes=classes, input_size=architecture["input_size"], weights=weights)
