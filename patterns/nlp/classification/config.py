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
    """File or folder of all texts, or a folder with parts named train, valid and test."""
    train: Path | None = None
    """Training texts, in place of `path`."""
    valid: Path | None = None
    """Validation texts; without them a share of the training texts is drawn."""
    test: Path | None = None
    """Test texts; without them a fifth of each label is drawn."""
    text: tuple[str, ...] = ("text",)
    """Column of the text; several are joined, such as title description."""
    label: str = "label"
    """Column of the label, a word or a number."""
    split: str | None = None
    """Column that says of each text whether it is train, valid or test; without it, one whose
    values name parts alone is found."""


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
    """Share of the training texts that chooses epoch and model and fits the temperature, up to
    5,000 texts; not used if the data has a validation part."""
    rare: Literal["refuse", "leave-out"] = "refuse"
    """Labels with fewer than two training texts, or none: refuse the data, or leave them out of
    all parts."""
    limit: Annotated[int, Interval(ge=0, le=10**9)] = 0
    """Use at most this many training texts, drawn by class; 0 for all."""
    unknown: Annotated[float, Interval(ge=0, le=0.5)] = 0.0
    """Share of the labels to hold out whole, as texts that no label fits: how many such texts are
    turned away is then in the report. A half of these labels chooses `scope.method` if that is
    auto, the other half is reported on."""


@dataclass(frozen=True)
class EncoderOptions:
    """How the transformer is fine-tuned."""

    epochs: Annotated[int, Interval(ge=0, le=1000)] = 0
    """0 takes 6, more for few texts, fewer where `budget` would be exceeded."""
    budget: Annotated[int, Interval(ge=1000, le=10**12)] = 900_000
    """Tokens to read in all epochs together, if `epochs` is 0; 900,000 take MiniLM about seven
    minutes on two cores. Where the training texts hold more, a part of them is drawn."""
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
    label_smoothing: Annotated[float, Interval(ge=0, le=0.9)] = 0.05
    """Share of the target spread evenly over all classes."""
    guidance: Annotated[float, Interval(ge=0, le=0.9)] = 0.15
    """Share of the target that logistic regression on the encoder as it comes says of the text."""
    dropout: Annotated[float, Interval(ge=0, le=0.9)] = 0.1
    """Share of the text vector's entries dropped before the classification layer."""
    max_length: Annotated[int, Interval(ge=4, le=8192)] = 256
    """Tokens a text is cut to; shorter texts cost only what they need."""
    precision: Literal["auto", "fp32", "bf16", "fp16"] = "auto"
    """auto uses bf16 if the processor supports it in hardware."""


@dataclass(frozen=True)
class StudentOptions:
    """How a smaller model is taught by the fine-tuned one; it serves if it keeps `keep` of it."""

    layers: Annotated[int, Interval(ge=0, le=1000)] = 0
    """Layers of the student, kept of its teacher's at even steps; 0 trains none."""
    neurons: Annotated[float, Interval(ge=0.01, le=1)] = 0.5
    """Share of the feed-forward neurons that each layer keeps."""
    temperature: Annotated[float, Interval(ge=0.1, le=100)] = 2.0
    """Of the teacher's answers that it learns from."""
    soft_share: Annotated[float, Interval(ge=0, le=1)] = 0.7
    """Weight of the teacher's answers in the loss, against that of the labels."""
    copies: Annotated[int, Interval(ge=0, le=100)] = 0
    """Copies of each text with words left out or moved, which only the teacher labels."""
    keep: Annotated[float, Interval(ge=0, le=1)] = 0.97
    """Least share of the teacher's validation score with which the student serves."""


@dataclass(frozen=True)
class ScopeOptions:
    """How texts that no label fits are told from the others."""

    method: Literal[
        "auto", "max-probability", "max-logit", "energy", "entropy", "mahalanobis", "neighbours",
        "combined",
    ] = "auto"  # fmt: skip
    """What is compared with the threshold; auto takes combined (entropy if a model without vectors
    serves), or with `split.unknown` the best on the labels held out for choosing."""
    keep: Annotated[float, Interval(ge=0.5, le=0.9999)] = 0.95
    """Share of the validation texts that the threshold keeps; the others are turned away."""


@dataclass(frozen=True)
class Config(RunConfig):
    """Text classification; `--dataset` takes banking77, sst2, sms_spam, ag_news, simulated-intents,
    or for your own texts csv, jsonl, fasttext or folder.
    """

    own_datasets = ("csv", "jsonl", "fasttext", "folder")
    own_files = ("path", "train", "valid", "test")
    own_needed = ("path", "train")

    model: str = "auto"
    """auto (all-MiniLM-L6-v2 if available, else TF-IDF + SVD features), a hub name such as
    distilbert-base-uncased, a folder, tfidf-svd, or tfidf (the baseline alone)."""
    runtime: Literal["onnx", "onnx-int8", "torch"] = "onnx"
    """What serves a transformer: onnx (exported, checked against torch), onnx-int8 (a quarter of
    the size and quicker, checked against onnx) or torch."""
    k: Annotated[int, Interval(ge=1, le=1000)] = 3
    """How many labels an answer carries."""
    data: DataOptions = field(default_factory=DataOptions)
    world: WorldOptions = field(default_factory=WorldOptions)
    split: SplitOptions = field(default_factory=SplitOptions)
    encoder: EncoderOptions = field(default_factory=EncoderOptions)
    student: StudentOptions = field(default_factory=StudentOptions)
    scope: ScopeOptions = field(default_factory=ScopeOptions)

    def __post_init__(self) -> None:
        """Check the fields, and what spans two of them."""
        super().__post_init__()
        if self.data.path is not None and self.data.train is not None:
            raise ValueError(
                "data.train: path names training texts too; leave out --data.train or --data.path"
            )
        texts, intents = self.world.texts, self.world.intents
        if not 10 * intents <= texts <= 500 * intents:
            raise ValueError(
                f"world.texts: {texts} is out of range for {intents} intents; give --world.texts"
                f" a value from {10 * intents} to {500 * intents}"
            )
        soft = self.encoder.guidance + self.encoder.label_smoothing
        if soft >= 1:
            raise ValueError(
                f"encoder.guidance: with encoder.label_smoothing it is {soft:g}, which leaves"
                " nothing for the label; give values whose sum is below 1"
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
