"""Every choice of the text classifier, with its range, and the three presets.

`smoke` runs in seconds on simulated intents and is what the tests use. `default` is the run the
README reports: minutes on two cores. `large` is for an evening or a GPU. The defaults were chosen
on a validation part of BANKING77's training texts; its test texts had no say.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from common.config import RunConfig, check_choice, check_range

PRECISIONS = ("auto", "fp32", "bf16", "fp16")
RUNTIMES = ("onnx", "torch")


@dataclass(frozen=True)
class DataOptions:
    """Where your own texts lie, and how the training texts are split."""

    path: Path | None = None
    """CSV file for `--dataset csv`, one text a row."""
    test_path: Path | None = None
    """CSV file of test texts; without one, a fifth of `path` is set aside."""
    text: str = "text"
    """Column of the text."""
    label: str = "label"
    """Column of the label, a word or a number."""
    valid_share: float = 0.1
    """Share of the training texts that chooses the epoch and fits the temperature."""
    limit: int = 0
    """Use at most this many training texts, drawn by class; 0 for all."""

    def __post_init__(self) -> None:
        """Check the ranges."""
        check_range("data.valid_share", self.valid_share, 0.01, 0.5)
        check_range("data.limit", self.limit, 0, 10**9)


@dataclass(frozen=True)
class WorldOptions:
    """Size of the simulated world, where it is used."""

    intents: int = 20
    """How many intents."""
    texts: int = 3000
    """How many texts, training and test together."""
    noise: float = 0.0
    """Share of the training labels that are wrong."""

    def __post_init__(self) -> None:
        """Check the ranges."""
        check_range("world.intents", self.intents, 2, 32)
        check_range("world.texts", self.texts, 20, 16_000)
        check_range("world.noise", self.noise, 0, 0.9)


@dataclass(frozen=True)
class EncoderOptions:
    """How the transformer is fine-tuned."""

    epochs: int = 6
    """Passes over the training texts."""
    batch_size: int = 64
    """Texts a step."""
    learning_rate: float = 0.0
    """Peak rate of the top layer; it warms up, then falls linearly to 0. 0 takes 6e-4 for encoders
    as narrow as MiniLM (384) and 5e-5 for wider ones."""
    head_factor: float = 5.0
    """The new classification layer learns this many times faster."""
    layer_decay: float = 0.8
    """Each layer below the top learns this many times as fast as the one above it."""
    warmup: float = 0.1
    """Share of the steps over which the rate rises."""
    weight_decay: float = 0.01
    """Decoupled weight decay (AdamW)."""
    label_smoothing: float = 0.1
    """Share of the target spread evenly over all classes."""
    dropout: float = 0.1
    """Share of the text vector's entries dropped before the classification layer."""
    max_length: int = 128
    """Tokens a text is cut to."""
    precision: str = "auto"
    """auto, fp32, bf16 or fp16; auto takes bf16 where the processor computes it in hardware."""

    def __post_init__(self) -> None:
        """Check the ranges."""
        check_range("encoder.epochs", self.epochs, 1, 1000)
        check_range("encoder.batch_size", self.batch_size, 1, 65_536)
        check_range("encoder.learning_rate", self.learning_rate, 0, 1)
        check_range("encoder.head_factor", self.head_factor, 0.01, 1000)
        check_range("encoder.layer_decay", self.layer_decay, 0.01, 1)
        check_range("encoder.warmup", self.warmup, 0, 0.9)
        check_range("encoder.weight_decay", self.weight_decay, 0, 10)
        check_range("encoder.label_smoothing", self.label_smoothing, 0, 0.9)
        check_range("encoder.dropout", self.dropout, 0, 0.9)
        check_range("encoder.max_length", self.max_length, 4, 8192)
        check_choice("encoder.precision", self.precision, PRECISIONS)


@dataclass(frozen=True)
class Config(RunConfig):
    """Text classification; `--dataset` takes banking77, simulated-intents or csv."""

    model: str = "auto"
    """auto (all-MiniLM-L6-v2, or TF-IDF + SVD features where it cannot be had), a hub name such as
    distilbert-base-uncased, a folder, tfidf-svd, or tfidf (the baseline alone)."""
    runtime: str = "onnx"
    """What serves a transformer: onnx (exported, checked against torch) or torch."""
    k: int = 3
    """How many labels an answer carries."""
    data: DataOptions = field(default_factory=DataOptions)
    world: WorldOptions = field(default_factory=WorldOptions)
    encoder: EncoderOptions = field(default_factory=EncoderOptions)

    def __post_init__(self) -> None:
        """Check the ranges."""
        super().__post_init__()
        check_choice("runtime", self.runtime, RUNTIMES)
        check_range("k", self.k, 1, 1000)
        if not self.model.strip():
            raise ValueError("model: it is empty; give --model auto, tfidf, or a hub name")
        if self.dataset == "csv" and self.data.path is None:
            raise ValueError(
                "data.path: --dataset csv needs the file's path; give --data.path FILE, and"
                " --data.text and --data.label if its columns are called otherwise"
            )


PRESETS = {
    "smoke": Config(
        dataset="simulated-intents",
        runtime="torch",
        world=WorldOptions(intents=8, texts=640),
        encoder=EncoderOptions(epochs=1, batch_size=32, max_length=32),
    ),
    "default": Config(),
    "large": Config(
        model="distilbert-base-uncased",
        encoder=EncoderOptions(epochs=10, batch_size=32),
    ),
}
