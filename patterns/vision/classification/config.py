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
from common.own_files import PartOptions, TableOptions

NAME = "vision/classification"
Width = Annotated[int, Interval(ge=1, le=4096)]


@dataclass(frozen=True)
class DataOptions(TableOptions, PartOptions):
    """Where your own images are."""

    path: Path | None = None
    """Images for `--dataset folder`: a sub-folder per class, below train/, val/, test/ if any."""
    labels: Path | None = None
    """CSV that names the label of each image below `path`; columns split and group are used, or
    the column that `group` names."""
    file: str = "file"
    """Column of `labels` with the image's name, with or without its folder and ending."""
    label: str = "label"
    """Column of `labels` with its label."""


@dataclass(frozen=True)
class SplitOptions:
    """How the images are split where the dataset has no parts of its own."""

    valid_share: Annotated[float, Interval(ge=0.01, le=0.5)] = 0.1
    """Share of the training images that chooses the epoch and fits the temperature."""
    test_share: Annotated[float, Interval(ge=0.01, le=0.5)] = 0.2
    """Share of your own images that is the test, where they have no test part."""
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

    epochs: Annotated[int, Interval(ge=1, le=10_000)] | None = None
    """None is the model's own number: 10, efficientnet-lite0 5."""
    least_steps: Annotated[int, Interval(ge=0, le=10**9)] | None = None
    """Small data sets get more epochs, until the network has taken this many steps; None is the
    model's own number: 1000, resnet9 1500, efficientnet-lite0 200."""
    batch_size: Annotated[int, Interval(ge=2, le=65_536)] = 128
    learning_rate: Annotated[float, Interval(ge=1e-7, le=10)] | None = None
    """Peak of the schedule; None is the model's own: .003, efficientnet-lite0 .001."""
    weight_decay: Annotated[float, Interval(ge=0, le=10)] = 0.05
    label_smoothing: Annotated[float, Interval(ge=0, le=0.9)] = 0.0
    """Share of the target spread evenly over all classes."""
    precision: Literal["auto", "fp32", "bf16", "fp16"] = "auto"
    """auto uses bf16 if the processor supports it in hardware, but for efficientnet-lite0."""


@dataclass(frozen=True)
class CnnOptions:
    """The small ResNet."""

    widths: Annotated[tuple[Width, ...], Len(1, 8)] = (32, 64, 128)
    """Channels of each stage; every stage halves the resolution."""
    blocks: Annotated[int, Interval(ge=1, le=64)] = 1
    """Residual blocks a stage."""


@dataclass(frozen=True)
class ResNet9Options:
    """The network for small colour photographs."""

    width: Annotated[int, Interval(ge=1, le=1024)] = 32
    """Channels of the stem; the last layer has eight times as many."""


@dataclass(frozen=True)
class MobileNetOptions:
    """MobileNetV3-small."""

    weights: str = "auto"
    """auto (ImageNet's if available, else from scratch), none, or a safetensors file."""
    input_size: Annotated[int, Interval(ge=32, le=1024)] = 64
    """Side in pixels that images are scaled to inside the network."""


@dataclass(frozen=True)
class EfficientNetOptions:
    """EfficientNet-Lite0."""

    input_size: Annotated[int, Interval(ge=32, le=1024)] = 128
    """Side in pixels that images are scaled to inside the network."""


@dataclass(frozen=True)
class Config(RunConfig):
    """Image classification; `--dataset` takes fashion-mnist, digits or folder."""

    own_files = ("path", "train", "valid", "test", "labels", "group")
    own_needed = ("path", "train")
    own_datasets = ("folder",)

    model: Literal["auto", "cnn", "resnet9", "mobilenet", "efficientnet-lite0", "linear"] = "auto"
    """auto is resnet9 (a ResNet-9) for colour images, cnn (a small ResNet) for grey ones; mobilenet
    (MobileNetV3-small), efficientnet-lite0 (from ImageNet, extra lite0), linear (the baseline)."""
    image_size: Annotated[int, Interval(ge=0, le=1024)] = 0
    """Side that images are scaled to; 0 keeps the data's, or your images' median one, within 16 to
    96 pixels (128 for efficientnet-lite0)."""
    k: Annotated[int, Interval(ge=1, le=1000)] = 3
    """How many labels an answer carries."""
    data: DataOptions = field(default_factory=DataOptions)
    split: SplitOptions = field(default_factory=SplitOptions)
    augment: AugmentOptions = field(default_factory=AugmentOptions)
    training: TrainingOptions = field(default_factory=TrainingOptions)
    cnn: CnnOptions = field(default_factory=CnnOptions)
    efficientnet: EfficientNetOptions = field(default_factory=EfficientNetOptions)
    resnet9: ResNet9Options = field(default_factory=ResNet9Options)
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
