"""Configuration of text classification, and the presets to start from.

`smoke` runs in seconds on simulated intents and is what the tests use. `default` is the run the
README reports: minutes on two cores. `large` is for an evening or a GPU. The defaults were chosen
on a validation part of BANKING77's training texts, never on its test texts.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Literal

from annotated_types import Interval

from common.config import RunConfig
from common.own_files import TableOptions

NAME = "nlp/classification"


@dataclass(frozen=True)
class DataOptions(TableOptions):
    """Where your own texts are."""

    path: Path | None = None
    """CSV file for `--dataset csv`, one text a row."""
    test_path: Path | None = None
    """CSV file of test texts; without one, a fifth of `path` is set aside."""
    text: str = "text"
    """Column of the text."""
    label: str = "label"
    """Column of the label, a word or a number."""


@dataclass(frozen=True)
class WorldOptions:
    """Size of the simulated world, if it is used."""

    intents: Annotated[int, Interval(ge=2, le=32)] = 20
    texts: Annotated[int, Interval(ge=20, le=16_000)] = 3000
    """Training and test texts together."""
    noise: Annotated[float, Interval(ge=0, le=0.9)] = 0.0
    """Share of the training labels that are wrong."""


@dataclass(frozen=True)
class SplitOptions:
    """How the training texts are split; the test texts are the dataset's own."""

    valid_share: Annotated[float, Interval(ge=0.01, le=0.5)] = 0.1
    """Share of the training texts that chooses the epoch and fits the temperature."""
    limit: Annotated[int, Interval(ge=0, le=10**9)] = 0
    """Use at most this many training texts, drawn by class; 0 for all."""


@dataclass(frozen=True)
class EncoderOptions:
    """How the transformer is fine-tuned."""

    epochs: Annotated[int, Interval(ge=1, le=1000)] = 6
    batch_size: Annotated[int, Interval(ge=1, le=65_536)] = 64
    learning_rate: Annotated[float, Interval(ge=0, le=1)] = 0.0
    """Peak rate of the top layer; it warms up, then falls linearly to 0. 0 takes 6e-4 for encoders
    as narrow as MiniLM (384) and 5e-5 for wider ones."""
    head_factor: Annotated[float, Interval(ge=0.01, le=1000)] = 5.0
    """The new classification layer learns this many times faster."""
    layer_decay: Annotated[float, Interval(ge=0.01, le=1)] = 0.8
    """Each layer below the top learns this many times as fast as the one above it."""
    warmup: Annotated[float, Interval(ge=0, le=0.9)] = 0.1
    """Share of the steps over which the rate rises."""
    weight_decay: Annotated[float, Interval(ge=0, le=10)] = 0.01
    label_smoothing: Annotated[float, Interval(ge=0, le=0.9)] = 0.1
    """Share of the target spread evenly over all classes."""
    dropout: Annotated[float, Interval(ge=0, le=0.9)] = 0.1
    """Share of the text vector's entries dropped before the classification layer."""
    max_length: Annotated[int, Interval(ge=4, le=8192)] = 128
    """Tokens a text is cut to."""
    precision: Literal["auto", "fp32", "bf16", "fp16"] = "auto"
    """auto uses bf16 if the processor supports it in hardware."""


@dataclass(frozen=True)
class Config(RunConfig):
    """Text classification; `--dataset` takes banking77, simulated-intents or csv."""

    own_files = ("path", "test_path")

    model: str = "auto"
    """auto (all-MiniLM-L6-v2 if available, else TF-IDF + SVD features), a hub name such as
    distilbert-base-uncased, a folder, tfidf-svd, or tfidf (the baseline alone)."""
    runtime: Literal["onnx", "torch"] = "onnx"
    """What serves a transformer: onnx (exported, checked against torch) or torch."""
    k: Annotated[int, Interval(ge=1, le=1000)] = 3
    """How many labels an answer carries."""
    data: DataOptions = field(default_factory=DataOptions)
    world: WorldOptions = field(default_factory=WorldOptions)
    split: SplitOptions = field(default_factory=SplitOptions)
    encoder: EncoderOptions = field(default_factory=EncoderOptions)

    def __post_init__(self) -> None:
        """Check the fields, and what spans two of them."""
        super().__post_init__()
        texts, intents = self.world.texts, self.world.intents
        if not 10 * intents <= texts <= 500 * intents:
            raise ValueError(
                f"world.texts: {texts} is out of range for {intents} intents; give --world.texts"
                f" a value from {10 * intents} to {500 * intents}"
            )
        if not self.model.strip():
            raise ValueError("model: it is empty; give --model auto, tfidf, or a hub name")


DEFAULT = Config()
PRESETS = {
    "smoke": replace(
        DEFAULT,
        dataset="simulated-intents",
        runtime="torch",
        world=WorldOptions(intents=8, texts=640),
        encoder=EncoderOptions(epochs=1, batch_size=32, max_length=32),
    ),
    "default": DEFAULT,
    "large": replace(
        DEFAULT,
        model="distilbert-base-uncased",
        encoder=EncoderOptions(epochs=10, batch_size=32),
    ),
}
