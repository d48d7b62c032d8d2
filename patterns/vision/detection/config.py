"""Every choice of the detection pipeline, with its range, and the three presets.

`smoke` runs in seconds on simulated cells and is what the tests use. `default` is the run the
README reports: under ten minutes on two cores. `large` is for an evening or a GPU.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from common.config import RunConfig, check_choice, check_range

PRECISIONS = ("auto", "fp32", "bf16", "fp16")


@dataclass(frozen=True)
class DataOptions:
    """Where your own labelled pictures lie, and how large the simulated world is."""

    path: Path | None = None
    """Pascal-VOC folder for `--dataset voc`: JPEGImages/, Annotations/, ImageSets/Main/."""
    simulated_images: int = 240
    """Pictures of the simulated world."""

    def __post_init__(self) -> None:
        """Check the ranges."""
        check_range("data.simulated_images", self.simulated_images, 10, 100_000)


@dataclass(frozen=True)
class NetworkOptions:
    """Size of the input and of the network."""

    height: int = 256
    """Input height in pixels, a multiple of 32."""
    width: int = 320
    """Input width in pixels, a multiple of 32."""
    channels: int = 16
    """Channels of the first layer; deeper ones are multiples of it."""
    depth: int = 1
    """Bottlenecks of each backbone block."""
    bins: int = 8
    """Integers over which the distance to a box's side is distributed."""

    def __post_init__(self) -> None:
        """Check the ranges."""
        for name, value in (("height", self.height), ("width", self.width)):
            check_range(f"network.{name}", value, 32, 2048)
            if value % 32:
                flag = f"--network.{name}"
                raise ValueError(
                    f"network.{name}: {value} is not a multiple of 32, the largest stride; give"
                    f" {flag} {round(value / 32) * 32 or 32}"
                )
        check_range("network.channels", self.channels, 4, 256)
        check_range("network.depth", self.depth, 1, 16)
        check_range("network.bins", self.bins, 4, 64)


@dataclass(frozen=True)
class AugmentOptions:
    """Random changes of the training pictures."""

    mosaic: float = 0.5
    """Share of pictures put together from four."""
    mosaic_until: float = 0.85
    """Share of the epochs after which mosaic ends."""
    zoom: tuple[float, float] = (0.6, 1.5)
    """Smallest and largest magnification."""
    shift: float = 0.2
    """Largest shift, as a share of the side."""
    colour: float = 0.25
    """Strength of the changes of brightness, contrast, saturation and tint."""
    quarter_turns: bool = True
    """Turn by quarters too; switch it off where up and down differ."""

    def __post_init__(self) -> None:
        """Check the ranges."""
        check_range("augment.mosaic", self.mosaic, 0, 1)
        check_range("augment.mosaic_until", self.mosaic_until, 0, 1)
        low, high = self.zoom
        check_range("augment.zoom", low, 0.05, 1)
        check_range("augment.zoom", high, 1, 20)
        check_range("augment.shift", self.shift, 0, 1)
        check_range("augment.colour", self.colour, 0, 1)


@dataclass(frozen=True)
class TrainingOptions:
    """How the network is trained."""

    epochs: int = 20
    """Rounds, each followed by a validation."""
    steps: int = 60
    """Batches a round; a detector from scratch that sees too few finds nothing at all."""
    batch_size: int = 16
    """Pictures a step."""
    learning_rate: float = 4e-3
    """Peak of the one-cycle schedule."""
    weight_decay: float = 0.05
    """Decoupled weight decay (AdamW)."""
    ema: float = 0.998
    """Decay of the moving average of the weights, per step."""
    precision: str = "auto"
    """auto, fp32, bf16 or fp16; auto takes bf16 where the processor computes it in hardware."""

    def __post_init__(self) -> None:
        """Check the ranges."""
        check_range("training.epochs", self.epochs, 1, 100_000)
        check_range("training.steps", self.steps, 1, 1_000_000)
        check_range("training.batch_size", self.batch_size, 2, 4096)
        check_range("training.learning_rate", self.learning_rate, 1e-7, 1)
        check_range("training.weight_decay", self.weight_decay, 0, 10)
        check_range("training.ema", self.ema, 0.5, 0.99999)
        check_choice("training.precision", self.precision, PRECISIONS)


@dataclass(frozen=True)
class PostprocessOptions:
    """From cells to a list of boxes."""

    overlap: float = 0.6
    """IoU above which two boxes of one class are taken for the same object."""
    confidence: float = 0.0
    """Least score of an answer; 0 chooses one for each class on the validation pictures."""

    def __post_init__(self) -> None:
        """Check the ranges."""
        check_range("postprocess.overlap", self.overlap, 0.05, 1)
        check_range("postprocess.confidence", self.confidence, 0, 1)


@dataclass(frozen=True)
class Config(RunConfig):
    """Object detection: letterbox, augment, network, non-maximum suppression, thresholds."""

    data: DataOptions = field(default_factory=DataOptions)
    network: NetworkOptions = field(default_factory=NetworkOptions)
    augment: AugmentOptions = field(default_factory=AugmentOptions)
    training: TrainingOptions = field(default_factory=TrainingOptions)
    postprocess: PostprocessOptions = field(default_factory=PostprocessOptions)

    def __post_init__(self) -> None:
        """Check the ranges."""
        super().__post_init__()
        if self.dataset == "voc" and self.data.path is None:
            raise ValueError(
                "data.path: --dataset voc needs the folder's path; give --data.path FOLDER with"
                " JPEGImages/ and Annotations/"
            )


PRESETS = {
    "smoke": Config(
        dataset="simulated-cells",
        data=DataOptions(simulated_images=60),
        network=NetworkOptions(height=96, width=128, channels=8),
        training=TrainingOptions(epochs=4, steps=25, batch_size=8, ema=0.95, learning_rate=8e-3),
    ),
    "default": Config(),
    "large": Config(
        network=NetworkOptions(height=480, width=640, channels=32, depth=2),
        training=TrainingOptions(epochs=100, steps=100, learning_rate=2e-3),
    ),
}
