"""Every choice of the segmentation pipeline, with its range, and the three presets.

`smoke` runs in seconds on simulated nuclei and is what the tests use. `default` is the run the
README reports: minutes on two cores. `large` is for an evening or a GPU.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from common.config import RunConfig, check_choice, check_range

MODELS = ("unet", "threshold")
PROTOCOLS = ("mosaic", "random", "dsb-96")
PRECISIONS = ("auto", "fp32", "bf16", "fp16")


@dataclass(frozen=True)
class DataOptions:
    """Where your own images lie, and how the images are split."""

    path: Path | None = None
    """Folder for `--dataset folder`: images/ and labels/ with equal file names."""
    test_share: float = 0.2
    """Share of the images that is tested on."""
    valid_share: float = 0.1
    """Share of the remaining images that chooses the epoch and the thresholds."""
    images: int = 200
    """How many images a simulated world makes."""

    def __post_init__(self) -> None:
        """Check the ranges."""
        check_range("data.test_share", self.test_share, 0.05, 0.5)
        check_range("data.valid_share", self.valid_share, 0.05, 0.5)
        check_range("data.images", self.images, 20, 100_000)


@dataclass(frozen=True)
class AugmentOptions:
    """Random changes of the training crops; mirroring and quarter turns are always on."""

    zoom: float = 0.25
    """Scale by a factor between 1 / (1 + zoom) and 1 + zoom."""
    brightness: float = 0.2
    """Deviation of a shift, in deviations of the image."""
    contrast: float = 0.2
    """Deviation of the logarithm of a factor; colour channels differ by half of it."""
    grey: float = 0.2
    """Share of the crops that lose their colour."""
    rarest: float = 0.33
    """Share that the rarer modality (grey or stained) has at least, by repeating its images."""

    def __post_init__(self) -> None:
        """Check the ranges."""
        check_range("augment.zoom", self.zoom, 0, 2)
        check_range("augment.brightness", self.brightness, 0, 2)
        check_range("augment.contrast", self.contrast, 0, 2)
        check_range("augment.grey", self.grey, 0, 1)
        check_range("augment.rarest", self.rarest, 0, 0.5)


@dataclass(frozen=True)
class UNetOptions:
    """The network's shape."""

    width: int = 16
    """Channels at full resolution; each level below has twice as many."""
    levels: int = 4
    """How often the resolution is halved."""

    def __post_init__(self) -> None:
        """Check the ranges."""
        check_range("unet.width", self.width, 2, 512)
        check_range("unet.levels", self.levels, 1, 6)


@dataclass(frozen=True)
class TrainingOptions:
    """How the network is trained."""

    epochs: int = 45
    """Passes over the training images, one random crop of each."""
    crop: int = 96
    """Side of the square crops, in pixels."""
    batch_size: int = 16
    """Crops a step."""
    learning_rate: float = 2e-3
    """Peak of the one-cycle schedule."""
    weight_decay: float = 0.01
    """Decoupled weight decay (AdamW)."""
    dice_weight: float = 1.0
    """Weight of the Dice loss beside the cross-entropy."""
    ema: float = 0.99
    """Decay of the moving average of the weights, which is what is kept; 0 for none."""
    precision: str = "auto"
    """auto, fp32, bf16 or fp16; auto takes bf16 where the processor computes it in hardware."""

    def __post_init__(self) -> None:
        """Check the ranges."""
        check_range("training.epochs", self.epochs, 1, 10_000)
        check_range("training.crop", self.crop, 32, 2048)
        check_range("training.batch_size", self.batch_size, 1, 4096)
        check_range("training.learning_rate", self.learning_rate, 1e-7, 1)
        check_range("training.weight_decay", self.weight_decay, 0, 10)
        check_range("training.dice_weight", self.dice_weight, 0, 100)
        check_range("training.ema", self.ema, 0, 0.99999)
        check_choice("training.precision", self.precision, PRECISIONS)


@dataclass(frozen=True)
class TilingOptions:
    """How images larger than a tile are taken apart and joined."""

    tile: int = 512
    """Side of a tile, in pixels; a multiple of 64."""
    overlap: int = 64
    """Pixels by which neighbouring tiles overlap."""

    def __post_init__(self) -> None:
        """Check the ranges."""
        check_range("tiling.tile", self.tile, 64, 4096)
        check_range("tiling.overlap", self.overlap, 0, self.tile // 2)
        if self.tile % 64:
            raise ValueError(
                f"tiling.tile: {self.tile} is not a multiple of 64; give --tiling.tile 512, say"
            )


@dataclass(frozen=True)
class Config(RunConfig):
    """Segmentation: preprocess, augment, U-Net, tiles, threshold, objects."""

    model: str = "unet"
    """unet, or threshold (the Otsu baseline alone)."""
    protocol: str = "mosaic"
    """mosaic (tiles of one slide stay together), random (images drawn one by one), or dsb-96 (the
    published one: random, all images scaled to 96 x 96)."""
    data: DataOptions = field(default_factory=DataOptions)
    augment: AugmentOptions = field(default_factory=AugmentOptions)
    unet: UNetOptions = field(default_factory=UNetOptions)
    training: TrainingOptions = field(default_factory=TrainingOptions)
    tiling: TilingOptions = field(default_factory=TilingOptions)

    def __post_init__(self) -> None:
        """Check the ranges."""
        super().__post_init__()
        check_choice("model", self.model, MODELS)
        check_choice("protocol", self.protocol, PROTOCOLS)
        if self.training.crop % 2**self.unet.levels:
            raise ValueError(
                f"training.crop: {self.training.crop} cannot be halved {self.unet.levels} times;"
                f" give --training.crop a multiple of {2**self.unet.levels}"
            )
        if self.dataset == "folder" and self.data.path is None:
            raise ValueError(
                "data.path: --dataset folder needs the folder's path; give --data.path FOLDER"
                " with images/ and labels/ in it"
            )


PRESETS = {
    "smoke": Config(
        dataset="simulated-nuclei",
        data=DataOptions(images=40),
        unet=UNetOptions(width=6, levels=2),
        training=TrainingOptions(epochs=12, crop=64, batch_size=8),
    ),
    "default": Config(),
    "large": Config(
        unet=UNetOptions(width=32),
        training=TrainingOptions(epochs=200, crop=192),
    ),
}
