"""Every choice of the classification pipeline, with its range, and the three presets.

`smoke` runs in seconds on the bundled digits and is what the tests use. `default` is the run the
README reports: minutes on two cores. `large` is for an evening or a GPU.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from common.config import RunConfig, check_choice, check_range

MODELS = ("cnn", "mobilenet", "linear")
FLIPS = ("auto", "on", "off")
PRECISIONS = ("auto", "fp32", "bf16", "fp16")


@dataclass(frozen=True)
class DataOptions:
    """Where your own images lie."""

    path: Path | None = None
    """Image folder for `--dataset folder`: one sub-folder per class."""
    valid_share: float = 0.1
    """Share of the training images kept for choosing the epoch and the temperature."""
    limit: int = 0
    """Use at most this many training images, drawn by class; 0 for all."""

    def __post_init__(self) -> None:
        """Check the ranges."""
        check_range("data.valid_share", self.valid_share, 0.01, 0.5)
        check_range("data.limit", self.limit, 0, 10**9)


@dataclass(frozen=True)
class AugmentOptions:
    """Random changes of the training images that leave their label true."""

    crop: float = 0.08
    """Shift by up to this share of the side in each direction, edges padded."""
    flip: str = "auto"
    """Mirror half of the images: on, off, or auto (off where a mirror image is another class)."""
    rotation: float = 0.0
    """Rotate by up to this many degrees to either side."""
    erasing: float = 0.25
    """Share of the images in which a random rectangle is blanked out."""
    mixup: float = 0.0
    """Blend pairs of images with weight Beta(a, a); 0 for none, .2 is usual."""

    def __post_init__(self) -> None:
        """Check the ranges."""
        check_range("augment.crop", self.crop, 0, 0.5)
        check_choice("augment.flip", self.flip, FLIPS)
        check_range("augment.rotation", self.rotation, 0, 180)
        check_range("augment.erasing", self.erasing, 0, 1)
        check_range("augment.mixup", self.mixup, 0, 10)


@dataclass(frozen=True)
class TrainingOptions:
    """How the network is trained."""

    epochs: int = 10
    """Passes over the training images."""
    least_steps: int = 1000
    """Small data sets get more epochs, until the network has taken this many steps."""
    batch_size: int = 128
    """Images a step."""
    learning_rate: float = 3e-3
    """Peak of the one-cycle schedule."""
    weight_decay: float = 0.05
    """Decoupled weight decay (AdamW)."""
    label_smoothing: float = 0.0
    """Share of the target spread evenly over all classes."""
    precision: str = "auto"
    """auto, fp32, bf16 or fp16; auto takes bf16 where the processor computes it in hardware."""

    def __post_init__(self) -> None:
        """Check the ranges."""
        check_range("training.epochs", self.epochs, 1, 10_000)
        check_range("training.least_steps", self.least_steps, 0, 10**9)
        check_range("training.batch_size", self.batch_size, 2, 65_536)
        check_range("training.learning_rate", self.learning_rate, 1e-7, 10)
        check_range("training.weight_decay", self.weight_decay, 0, 10)
        check_range("training.label_smoothing", self.label_smoothing, 0, 0.9)
        check_choice("training.precision", self.precision, PRECISIONS)


@dataclass(frozen=True)
class CnnOptions:
    """The small ResNet."""

    widths: tuple[int, ...] = (32, 64, 128)
    """Channels of each stage; every stage halves the resolution."""
    blocks: int = 1
    """Residual blocks a stage."""

    def __post_init__(self) -> None:
        """Check the ranges."""
        for width in self.widths:
            check_range("cnn.widths", width, 1, 4096)
        check_range("cnn.blocks", self.blocks, 1, 64)
        check_range("cnn.widths", len(self.widths), 1, 8)


@dataclass(frozen=True)
class MobileNetOptions:
    """MobileNetV3-small."""

    weights: str = "auto"
    """auto (ImageNet, from scratch where it cannot be had), none, or a safetensors file."""
    input_size: int = 64
    """Side in pixels that images are scaled to inside the network."""

    def __post_init__(self) -> None:
        """Check the ranges."""
        check_range("mobilenet.input_size", self.input_size, 32, 1024)


@dataclass(frozen=True)
class Config(RunConfig):
    """Image classification: preprocess, augment, network, temperature, top-k."""

    model: str = "cnn"
    """cnn (a small ResNet), mobilenet (MobileNetV3-small) or linear (the baseline alone)."""
    image_size: int = 0
    """Side that images are scaled to; 0 keeps the data's within 16 to 96 pixels, 64 in a folder."""
    k: int = 3
    """How many labels an answer carries."""
    data: DataOptions = field(default_factory=DataOptions)
    augment: AugmentOptions = field(default_factory=AugmentOptions)
    training: TrainingOptions = field(default_factory=TrainingOptions)
    cnn: CnnOptions = field(default_factory=CnnOptions)
    mobilenet: MobileNetOptions = field(default_factory=MobileNetOptions)

    def __post_init__(self) -> None:
        """Check the ranges."""
        super().__post_init__()
        check_choice("model", self.model, MODELS)
        check_range("image_size", self.image_size, 0, 1024)
        check_range("k", self.k, 1, 1000)
        if self.dataset == "folder" and self.data.path is None:
            raise ValueError(
                "data.path: --dataset folder needs the folder's path; give --data.path FOLDER"
                " with one sub-folder of images per class"
            )


PRESETS = {
    "smoke": Config(
        dataset="digits",
        image_size=8,
        training=TrainingOptions(epochs=1, least_steps=250, batch_size=64, learning_rate=1e-2),
        cnn=CnnOptions(widths=(16, 32)),
    ),
    "default": Config(),
    "large": Config(
        training=TrainingOptions(epochs=40),
        cnn=CnnOptions(widths=(64, 128, 256), blocks=2),
    ),
}
