"""Configuration of image segmentation, and the presets to start from.

`smoke` runs in seconds on simulated nuclei and is what the tests use. `default` is the run the
README reports: minutes on two cores. `large` is for an evening or a GPU.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Literal

from annotated_types import Interval, MultipleOf

from common.config import RunConfig

NAME = "vision/segmentation"
Share = Annotated[float, Interval(ge=0.05, le=0.5)]
Strength = Annotated[float, Interval(ge=0, le=2)]


@dataclass(frozen=True)
class DataOptions:
    """Your own images."""

    path: Path | None = None
    """Folder for `--dataset folder`: images/ and labels/ with equal file names."""


@dataclass(frozen=True)
class WorldOptions:
    """Size of the simulated world, if it is used."""

    images: Annotated[int, Interval(ge=20, le=100_000)] = 200


@dataclass(frozen=True)
class SplitOptions:
    """How the images are split."""

    by: Literal["slide", "image"] = "slide"
    """slide keeps the tiles of one slide together; image splits them one by one, which leaks."""
    test_share: Share = 0.2
    """Share of the images used for the test."""
    valid_share: Share = 0.1
    """Share of the remaining images, used to choose the epoch and the thresholds."""


@dataclass(frozen=True)
class AugmentOptions:
    """Random changes of the training crops; mirroring and quarter turns are always on."""

    zoom: Strength = 0.25
    """Scale by a factor between 1 / (1 + zoom) and 1 + zoom."""
    brightness: Strength = 0.2
    """Standard deviation of a random shift, in standard deviations of the image."""
    contrast: Strength = 0.2
    """Standard deviation of the logarithm of a random factor; half of it between channels."""
    grey: Annotated[float, Interval(ge=0, le=1)] = 0.2
    """Share of the crops that lose their colour."""
    rarest: Annotated[float, Interval(ge=0, le=0.5)] = 0.33
    """Smallest share of the rarer modality (grey or stained), reached by repeating its images."""


@dataclass(frozen=True)
class UNetOptions:
    """The network's shape."""

    width: Annotated[int, Interval(ge=2, le=512)] = 16
    """Channels at full resolution; each level below has twice as many."""
    levels: Annotated[int, Interval(ge=1, le=6)] = 4
    """How often the resolution is halved."""


@dataclass(frozen=True)
class TrainingOptions:
    """How the network is trained."""

    epochs: Annotated[int, Interval(ge=1, le=10_000)] = 45
    """Passes over the training images, one random crop of each."""
    crop: Annotated[int, Interval(ge=32, le=2048)] = 96
    """Side of the square crops, in pixels."""
    batch_size: Annotated[int, Interval(ge=1, le=4096)] = 16
    learning_rate: Annotated[float, Interval(ge=1e-7, le=1)] = 2e-3
    """Peak of the one-cycle schedule."""
    weight_decay: Annotated[float, Interval(ge=0, le=10)] = 0.01
    """Decoupled weight decay (AdamW)."""
    dice_weight: Annotated[float, Interval(ge=0, le=100)] = 1.0
    """Weight of the Dice loss beside the cross-entropy."""
    ema: Annotated[float, Interval(ge=0, le=0.99999)] = 0.99
    """Decay of the moving average of the weights, which is what is saved; 0 turns it off."""
    precision: Literal["auto", "fp32", "bf16", "fp16"] = "auto"
    """auto uses bf16 if the processor supports it in hardware."""


@dataclass(frozen=True)
class TilingOptions:
    """How images larger than a tile are split and joined."""

    tile: Annotated[int, Interval(ge=64, le=4096), MultipleOf(64)] = 512
    """Side in pixels; a multiple of 64."""
    overlap: Annotated[int, Interval(ge=0, le=2048)] = 64
    """Pixels by which neighbouring tiles overlap; half a tile at most."""


@dataclass(frozen=True)
class Config(RunConfig):
    """Segmentation: preprocess, augment, U-Net, tiles, threshold, objects."""

    own_datasets = ("folder",)

    model: Literal["unet", "threshold"] = "unet"
    """threshold is the baseline alone: Otsu's threshold."""
    data: DataOptions = field(default_factory=DataOptions)
    world: WorldOptions = field(default_factory=WorldOptions)
    split: SplitOptions = field(default_factory=SplitOptions)
    augment: AugmentOptions = field(default_factory=AugmentOptions)
    unet: UNetOptions = field(default_factory=UNetOptions)
    training: TrainingOptions = field(default_factory=TrainingOptions)
    tiling: TilingOptions = field(default_factory=TilingOptions)
    protocol: Literal["none", "dsb-96"] = "none"
    """dsb-96: run the published protocol instead (nuclei, split by image, 96 x 96 pixels)."""

    def __post_init__(self) -> None:
        """Check the fields, and what spans two of them."""
        super().__post_init__()
        if self.training.crop % 2**self.unet.levels:
            raise ValueError(
                f"training.crop: {self.training.crop} cannot be halved {self.unet.levels} times;"
                f" give --training.crop a multiple of {2**self.unet.levels}"
            )
        if self.tiling.overlap > self.tiling.tile // 2:
            raise ValueError(
                f"tiling.overlap: {self.tiling.overlap} is more than half a tile; give"
                f" --tiling.overlap a value from 0 to {self.tiling.tile // 2}"
            )


DEFAULT = Config()
PRESETS = {
    "smoke": replace(
        DEFAULT,
        dataset="simulated-nuclei",
        world=WorldOptions(images=40),
        unet=UNetOptions(width=6, levels=2),
        training=TrainingOptions(epochs=12, crop=64, batch_size=8),
    ),
    "default": DEFAULT,
    "large": replace(
        DEFAULT,
        unet=UNetOptions(width=32),
        training=TrainingOptions(epochs=200, crop=192),
    ),
}
