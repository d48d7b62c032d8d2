"""Configuration of named-entity recognition, and the presets to start from.

`smoke` runs in seconds on simulated messages and is what the tests use. `default` is the run the
README reports: minutes on two cores. `large` is for an evening or a GPU. The defaults were chosen
on the validation part of WNUT-17, never on its test part.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Literal

from annotated_types import Interval

from common.config import RunConfig

NAME = "nlp/ner"


@dataclass(frozen=True)
class DataOptions:
    """Where your own tagged words are."""

    path: Path | None = None
    """File of all sentences, or a folder with files named train, valid (or dev) and test."""
    train: Path | None = None
    """Training sentences, in place of `path`."""
    valid: Path | None = None
    """Validation sentences; without them a share of the training documents is drawn."""
    test: Path | None = None
    """Test sentences; without them a share of the documents is drawn."""
    token: int = 1
    """Column of the word, counted from 1, or from the end by -1."""
    tag: int = -1
    """Column of the tag, counted so too."""
    encoding: str = "auto"
    """Encoding of the text, such as utf-8, cp1252 or utf-16."""


@dataclass(frozen=True)
class WorldOptions:
    """Size of the simulated world, if it is used."""

    sentences: Annotated[int, Interval(ge=100, le=20_000)] = 3000
    """Sentences of all parts together."""
    ambiguous: Annotated[float, Interval(ge=0, le=1)] = 0.2
    """Share of the training names that name something of another type too."""


@dataclass(frozen=True)
class SplitOptions:
    """How parts that the data lacks are drawn, by document where documents are marked."""

    valid_share: Annotated[float, Interval(ge=0.01, le=0.5)] = 0.1
    """Share of the training documents that chooses epoch and model and fits the decoder."""
    test_share: Annotated[float, Interval(ge=0.01, le=0.5)] = 0.2
    """Share of all documents that tests."""
    limit: Annotated[int, Interval(ge=0, le=10**9)] = 0
    """Use at most this many training sentences, drawn at random; 0 for all."""


@dataclass(frozen=True)
class EncoderOptions:
    """How the transformer is fine-tuned."""

    epochs: Annotated[int, Interval(ge=0, le=1000)] = 0
    """0 takes 4, more for few sentences, fewer where `budget` would be exceeded."""
    budget: Annotated[int, Interval(ge=1000, le=10**12)] = 900_000
    """Tokens to read in all epochs together, if `epochs` is 0. Where the training sentences hold
    more, a part of them is drawn."""
    batch_size: Annotated[int, Interval(ge=1, le=65_536)] = 32
    learning_rate: Annotated[float, Interval(ge=0, le=1)] = 0.0
    """Peak rate of the top layer; it warms up, then falls linearly to 0. 0 takes 5e-4 for encoders
    as narrow as MiniLM (384) and 5e-5 for wider ones."""
    head_factor: Annotated[float, Interval(ge=0.01, le=1000)] = 5.0
    """The new layers learn this many times faster."""
    layer_decay: Annotated[float, Interval(ge=0.01, le=1)] = 0.8
    """Each layer below the top learns this many times as fast as the one above it."""
    warmup: Annotated[float, Interval(ge=0, le=0.9)] = 0.1
    """Share of the steps over which the rate rises."""
    weight_decay: Annotated[float, Interval(ge=0, le=10)] = 0.01
    label_smoothing: Annotated[float, Interval(ge=0, le=0.9)] = 0.0
    """Share of the target spread evenly over all tags; not used by the CRF."""
    dropout: Annotated[float, Interval(ge=0, le=0.9)] = 0.1
    """Share of a piece's vector dropped before the last layer."""
    word_dropout: Annotated[float, Interval(ge=0, le=0.9)] = 0.1
    """Share of the training words replaced by the mask token, so that context is learned."""
    max_length: Annotated[int, Interval(ge=16, le=8192)] = 256
    """Tokens that are read at once; a longer sentence is read in windows."""
    overlap: Annotated[int, Interval(ge=0, le=4096)] = 64
    """Tokens that two neighbouring windows share."""
    precision: Literal["auto", "fp32", "bf16", "fp16"] = "auto"
    """auto uses bf16 if the processor supports it in hardware."""


@dataclass(frozen=True)
class Config(RunConfig):
    """Named-entity recognition; `--dataset` takes wnut17, wikigold, simulated-entities, or conll
    for your own tagged words.
    """

    own_datasets = ("conll",)
    own_files = ("path", "train", "valid", "test")
    own_needed = ("path", "train")

    model: str = "auto"
    """auto (all-MiniLM-L6-v2 if available, else the linear model), a hub name such as
    bert-base-cased, a folder, linear, or gazetteer (the baseline alone)."""
    decoder: Literal["viterbi", "crf"] = "viterbi"
    """How tags become a sequence: viterbi (the best that the scheme allows) or crf (with learned
    transitions)."""
    runtime: Literal["onnx", "torch"] = "onnx"
    """What serves a transformer: onnx (exported, checked against torch) or torch."""
    protocol: Literal["none", "wikigold-folds", "crossed"] = "none"
    """Run instead: wikigold cross-validated by article, or both domains trained and tested
    crosswise over the types they share."""
    data: DataOptions = field(default_factory=DataOptions)
    world: WorldOptions = field(default_factory=WorldOptions)
    split: SplitOptions = field(default_factory=SplitOptions)
    encoder: EncoderOptions = field(default_factory=EncoderOptions)

    def __post_init__(self) -> None:
        """Check the fields, and what spans two of them."""
        super().__post_init__()
        if self.data.path is not None and self.data.train is not None:
            raise ValueError(
                "data.train: path names training sentences too; leave out --data.train or"
                " --data.path"
            )
        if not self.model.strip():
            raise ValueError("model: it is empty; give --model auto, linear, or a hub name")
        if 2 * self.encoder.overlap > self.encoder.max_length:
            raise ValueError(
                f"encoder.overlap: {self.encoder.overlap} is more than half of encoder.max_length"
                f" ({self.encoder.max_length}); give a lower --encoder.overlap"
            )


DEFAULT = Config()
PRESETS = {
    "smoke": replace(
        DEFAULT,
        dataset="simulated-entities",
        runtime="torch",
        world=WorldOptions(sentences=600),
        encoder=EncoderOptions(epochs=2, batch_size=16, max_length=64, overlap=16),
    ),
    "default": DEFAULT,
    "large": replace(
        DEFAULT,
        model="bert-base-cased",
        decoder="crf",
        encoder=EncoderOptions(epochs=10, batch_size=32),
    ),
}
