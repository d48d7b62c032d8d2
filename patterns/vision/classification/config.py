"""Configuration of image classification, and the presets to start from.

`smoke` runs in seconds on the bundled digits and is what the tests use. `default` is the run the
README reports: minutes on two cores. `large` is for an evening or a GPU.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Literal

from annotated_types import Interval, Len

from common.config import RunConfig

NAME = "vision/classification"
Width = Annotated[int, Interval(ge=1, le=4096)]


@dataclass(frozen=True)
class DataOptions:
    """Where your own images are."""

    path: Path | None = None
    """Image folder for `--dataset folder`: one sub-folder per class."""


@dataclass(frozen=True)
class SplitOptions:
    """How the training images are split; the test images are the dataset's own."""

    valid_share: Annotated[float, Interval(ge=0.01, le=0.5)] = 0.1
    """Share of the training images that chooses the epoch and fits the temperature."""
    limit: Annotated[int, Interval(ge=0, le=10**9)] = 0
    """Use at most this many training images, drawn by class; 0 for all."""


@dataclass(frozen=True)
class AugmentOptions:
    """Random changes of the training images that leave their label right."""

    crop: Annotated[float, Interval(ge=0, le=0.5)] = 0.08
    """Shift by up to this share of the side in each direction, edges padded."""
    flip: Literal["auto", "on", "off"] = "auto"
    """Mirror half of the images; auto does not where a mirror image is another class."""
    rotation: Annotated[float, Interval(ge=0, le=180)] = 0.0
    """Rotate by up to this many degrees to either side."""
    erasing: Annotated[float, Interval(ge=0, le=1)] = 0.25
    """Share of the images in which a random rectangle is blanked out."""
    mixup: Annotated[float, Interval(ge=0, le=10)] = 0.0
    """Blend pairs of images with weight Beta(a, a); 0 for none, .2 is usual."""


@dataclass(frozen=True)
class TrainingOptions:
    """How the network is trained."""

    epochs: Annotated[int, Interval(ge=1, le=10_000)] = 10
    least_steps: Annotated[int, Interval(ge=0, le=10**9)] = 1000
    """Small data sets get more epochs, until the network has taken this many steps."""
    batch_size: Annotated[int, Interval(ge=2, le=65_536)] = 128
    learning_rate: Annotated[float, Interval(ge=1e-7, le=10)] = 3e-3
    """Peak of the one-cycle schedule."""
    weight_decay: Annotated[float, Interval(ge=0, le=10)] = 0.05
    label_smoothing: Annotated[float, Interval(ge=0, le=0.9)] = 0.0
    """Share of the target spread evenly over all classes."""
    precision: Literal["auto", "fp32", "bf16", "fp16"] = "auto"
    """auto uses bf16 if the processor supports it in hardware."""


@dataclass(frozen=True)
class CnnOptions:
    """The small ResNet."""

    widths: Annotated[tuple[Width, ...], Len(1, 8)] = (32, 64, 128)
    """Channels of each stage; every stage halves the resolution."""
    blocks: Annotated[int, Interval(ge=1, le=64)] = 1
    """Residual blocks a stage."""


@dataclass(frozen=True)
class MobileNetOptions:
    """MobileNetV3-small."""

    weights: str = "auto"
    """auto (ImageNet's if available, else from scratch), none, or a safetensors file."""
    input_size: Annotated[int, Interval(ge=32, le=1024)] = 64
    """Side in pixels that images are scaled to inside the network."""


@dataclass(frozen=True)
class Config(RunConfig):
    """Image classification; `--dataset` takes fashion-mnist, digits or folder."""

    own_datasets = ("folder",)

    model: Literal["cnn", "mobilenet", "linear"] = "cnn"
    """cnn (a small ResNet), mobilenet (MobileNetV3-small) or linear (the baseline alone)."""
    image_size: Annotated[int, Interval(ge=0, le=1024)] = 0
    """Side that images are scaled to; 0 keeps the data's within 16 to 96 pixels, 64 in a folder."""
    k: Annotated[int, Interval(ge=1, le=1000)] = 3
    """How many labels an answer carries."""
    data: DataOptions = field(default_factory=DataOptions)
    split: SplitOptions = field(default_factory=SplitOptions)
    augment: AugmentOptions = field(default_factory=AugmentOptions)
    training: TrainingOptions = field(default_factory=TrainingOptions)
    cnn: CnnOptions = field(default_factory=CnnOptions)
    mobilenet: MobileNetOptions = field(default_factory=MobileNetOptions)


DEFAULT = Config()
PRESETS = {
    "smoke": replace(
        DEFAULT,
        dataset="digits",
        image_size=8,
        training=TrainingOptions(epochs=1, least_steps=250, batch_size=64, learning_rate=1e-2),
        cnn=CnnOptions(widths=(16, 32)),
    ),
    "default": DEFAULT,
    "large": replace(
        DEFAULT,
        training=TrainingOptions(epochs=40),
        cnn=CnnOptions(widths=(64, 128, 256), blocks=2),
    ),
}
