"""Configuration of image segmentation, and the presets to start from.

`smoke` runs in seconds on a simulated world and is what the tests use. `default` is the run the
README reports: minutes on two cores. `large` is for an evening or a GPU. Both tasks have the same
flags; what suits them differs, and a flag left out takes what `SUITED` has for the task.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Literal

from annotated_types import Interval, MultipleOf

from common.config import RunConfig
from common.own_files import FolderOptions

NAME = "vision/segmentation"
Share = Annotated[float, Interval(ge=0.05, le=0.5)]
Strength = Annotated[float, Interval(ge=0, le=2)]


@dataclass(frozen=True)
class SuitedOptions:
    """What a flag that is left out stands for."""

    turn: bool
    grey: float
    width: int
    levels: int
    stem: int
    epochs: int
    crop: int
    batch_size: int


SUITED = {
    "objects": SuitedOptions(
        turn=True, grey=0.2, width=16, levels=4, stem=1,
        epochs=45, crop=96, batch_size=16,
    ),
    "semantic": SuitedOptions(
        turn=False, grey=0.0, width=32, levels=3, stem=2,
        epochs=50, crop=176, batch_size=8,
    ),
}  # fmt: skip


@dataclass(frozen=True)
class DataOptions(FolderOptions):
    """Your own images."""

    path: Path | None = None
    """Folder for `--dataset folder`: images/ and labels/ with equal file names, or one folder of
    those for train, val and test each; other usual names are found."""
    names: Path | None = None
    """Classes: a text file with a name a line, the first of value 0, or with value and name."""
    palette: Path | None = None
    """Classes: a text file with `name r g b` a line, for masks saved as colours."""
    ignore: Annotated[int, Interval(ge=0, le=65535)] = 255
    """Classes: the value of pixels that have no label; they are left out everywhere."""
    longest_side: Annotated[int, Interval(ge=32, le=4096)] = 256
    """For classes: images whose longest side has more pixels are scaled down to it for the network;
    answers and figures are at the full size of the masks."""


@dataclass(frozen=True)
class WorldOptions:
    """Size of the simulated world, if it is used."""

    images: Annotated[int, Interval(ge=20, le=100_000)] = 200


@dataclass(frozen=True)
class SplitOptions:
    """How the images are split."""

    by: Literal["group", "image"] = "group"
    """group keeps together what belongs together: tiles of one slide, frames of one film, or what
    --data.group says; image draws one by one, which leaks. A split of your own is kept."""
    test_share: Share = 0.2
    """Share of the images used for the test."""
    valid_share: Share = 0.1
    """Share of the remaining images, used to choose the epoch and the thresholds."""


@dataclass(frozen=True)
class AugmentOptions:
    """Random changes of the training crops, beside mirroring left and right."""

    turn: bool | None = None
    """Turn by quarters and mirror up and down; by default on for objects, off for classes."""
    zoom: Strength = 0.25
    """Scale by a factor between 1 / (1 + zoom) and 1 + zoom."""
    brightness: Strength = 0.2
    """Standard deviation of a random shift, in standard deviations of the image."""
    contrast: Strength = 0.2
    """Standard deviation of the logarithm of a random factor; half of it between channels."""
    grey: Annotated[float, Interval(ge=0, le=1)] | None = None
    """Share of the crops that lose their colour; by default .2 for objects, 0 for classes."""
    rarest: Annotated[float, Interval(ge=0, le=0.5)] = 0.33
    """Smallest share of the rarer modality (grey or stained), reached by repeating its images."""


@dataclass(frozen=True)
class UNetOptions:
    """The network's shape."""

    width: Annotated[int, Interval(ge=2, le=512)] | None = None
    """Channels of the first level; each level below has twice as many. By default 16 for objects,
    32 for classes."""
    levels: Annotated[int, Interval(ge=1, le=6)] | None = None
    """How often the resolution is halved; by default 4 for objects, 3 for classes."""
    stem: Literal[1, 2, 4] | None = None
    """Pixels a side that are joined before the first level: 1 keeps the full resolution, 2 takes a
    quarter of the time. By default 1 for objects, 2 for classes."""


@dataclass(frozen=True)
class TrainingOptions:
    """How the network is trained."""

    epochs: Annotated[int, Interval(ge=1, le=10_000)] | None = None
    """Passes over the training images, one random crop of each; by default 45 for objects, 50 for
    classes."""
    crop: Annotated[int, Interval(ge=32, le=2048)] | None = None
    """Side of the square crops, in pixels; by default 96 for objects, 176 for classes."""
    batch_size: Annotated[int, Interval(ge=1, le=4096)] | None = None
    """Crops a step; by default 16 for objects, 8 for classes."""
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
    """Segmentation: preprocess, augment, U-Net, tiles, then objects or classes."""

    own_datasets = ("folder",)
    own_files = ("path", "train", "valid", "test", "images", "labels", "names", "palette", "group")
    own_needed = ("path", "train")

    task: Literal["auto", "objects", "semantic"] = "auto"
    """objects: separate things of one kind, numbered and counted; semantic: a class for each pixel.
    auto is what the dataset holds, and objects for your own folder."""
    model: Literal["unet", "baseline"] = "unet"
    """baseline alone: Otsu's threshold for objects, place and colour for classes."""
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
        for name in ("names", "palette"):
            if getattr(self.data, name) is not None and self.task != "semantic":
                raise ValueError(f"data.{name}: it is of classes; give --task semantic with it")
        suits = SUITED["semantic" if self.task == "semantic" else "objects"]
        levels, stem = self.unet.levels or suits.levels, self.unet.stem or suits.stem
        crop, multiple = self.training.crop or suits.crop, 2**levels * stem
        if crop % multiple:
            raise ValueError(
                f"training.crop: {crop} cannot be halved as often as the network does; give"
                f" --training.crop a multiple of {multiple}"
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
        dataset="simulated",
        world=WorldOptions(images=40),
        unet=UNetOptions(width=6, levels=2, stem=1),
        training=TrainingOptions(epochs=20, crop=64, batch_size=4, learning_rate=1e-2),
    ),
    "default": DEFAULT,
    "large": replace(
        DEFAULT,
        unet=UNetOptions(width=32),
        training=TrainingOptions(epochs=200, crop=192),
    ),
}
