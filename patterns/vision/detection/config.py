"""Configuration of object detection, and the presets to start from.

`smoke` runs in seconds on simulated cells and is what the tests use. `default` is the run the
README reports: under ten minutes on two cores. `large` is for an evening or a GPU.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Literal

from annotated_types import Interval, MultipleOf

from common.config import RunConfig
from common.own_files import FolderOptions

NAME = "vision/detection"
Side = Annotated[int, Interval(ge=32, le=2048), MultipleOf(32)]
Share = Annotated[float, Interval(ge=0, le=1)]


@dataclass(frozen=True)
class DataOptions(FolderOptions):
    """Your own labelled images."""

    path: Path | None = None
    """Folder of your images and labels for `--dataset voc`, `coco` or `yolo`; for coco also one
    .json file, for yolo also its data.yaml."""
    train: Path | None = None
    """Training part by hand: a list of images (voc, yolo), a folder (yolo) or a .json (coco)."""


@dataclass(frozen=True)
class WorldOptions:
    """Size of the simulated world, if it is used."""

    images: Annotated[int, Interval(ge=10, le=100_000)] = 240


@dataclass(frozen=True)
class AugmentOptions:
    """Random changes of the training images."""

    mosaic: Share = 0.5
    """Share of images put together from four."""
    mosaic_until: Share = 0.85
    """Share of the epochs after which mosaic ends."""
    zoom: tuple[
        Annotated[float, Interval(ge=0.05, le=1)], Annotated[float, Interval(ge=1, le=20)]
    ] = (0.6, 1.5)
    """Smallest and largest magnification."""
    shift: Share = 0.2
    """Largest shift, as a share of the side."""
    colour: Share = 0.25
    """Strength of the changes of brightness, contrast, saturation and tint."""
    quarter_turns: Literal["auto", "on", "off"] = "auto"
    """Also rotate by quarter turns; auto does so for cells, which have no up and no down, and not
    for your own images."""


@dataclass(frozen=True)
class NetworkOptions:
    """Size of the input and of the network."""

    height: Side = 256
    """Height of the input in pixels, a multiple of 32."""
    width: Side = 320
    """Width of the input in pixels, a multiple of 32."""
    channels: Annotated[int, Interval(ge=4, le=256)] = 16
    """Channels of the first layer; deeper ones are multiples of it."""
    depth: Annotated[int, Interval(ge=1, le=16)] = 1
    """Bottlenecks of each backbone block."""
    reg_max: Annotated[int, Interval(ge=4, le=64)] = 8
    """Number of integers over which the distance to a box's side is distributed."""


@dataclass(frozen=True)
class TrainingOptions:
    """How the network is trained."""

    epochs: Annotated[int, Interval(ge=1, le=100_000)] = 20
    """Epochs, each followed by a validation."""
    steps: Annotated[int, Interval(ge=1, le=1_000_000)] = 60
    """Batches per epoch; a detector trained from scratch on too few finds nothing."""
    batch_size: Annotated[int, Interval(ge=2, le=4096)] = 16
    learning_rate: Annotated[float, Interval(ge=1e-7, le=1)] = 4e-3
    """Peak of the one-cycle schedule."""
    weight_decay: Annotated[float, Interval(ge=0, le=10)] = 0.05
    """Decoupled weight decay (AdamW)."""
    ema: Annotated[float, Interval(ge=0.5, le=0.99999)] = 0.998
    """Decay of the moving average of the weights, per step."""
    precision: Literal["auto", "fp32", "bf16", "fp16"] = "auto"
    """auto uses bf16 if the processor supports it in hardware."""


@dataclass(frozen=True)
class PostprocessOptions:
    """From grid cells to a list of boxes."""

    overlap: Annotated[float, Interval(ge=0.05, le=1)] = 0.6
    """IoU above which two boxes of one class count as the same object."""
    confidence: Share = 0.0
    """Smallest score of a detection; 0 chooses one per class on the validation images."""


@dataclass(frozen=True)
class Config(RunConfig):
    """Object detection: letterbox, augment, network, non-maximum suppression, thresholds."""

    own_datasets = ("voc", "coco", "yolo")
    own_files = ("path", "images", "labels", "train", "valid", "test", "group")

    data: DataOptions = field(default_factory=DataOptions)
    world: WorldOptions = field(default_factory=WorldOptions)
    augment: AugmentOptions = field(default_factory=AugmentOptions)
    network: NetworkOptions = field(default_factory=NetworkOptions)
    training: TrainingOptions = field(default_factory=TrainingOptions)
    postprocess: PostprocessOptions = field(default_factory=PostprocessOptions)


DEFAULT = Config()
PRESETS = {
    "smoke": replace(
        DEFAULT,
        dataset="simulated-cells",
        world=WorldOptions(images=60),
        network=NetworkOptions(height=96, width=128, channels=8),
        training=TrainingOptions(epochs=4, steps=25, batch_size=8, ema=0.95, learning_rate=8e-3),
    ),
    "default": DEFAULT,
    "large": replace(
        DEFAULT,
        network=NetworkOptions(height=480, width=640, channels=32, depth=2),
        training=TrainingOptions(epochs=100, steps=100, learning_rate=2e-3),
    ),
}
