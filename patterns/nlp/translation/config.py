"""Configuration of machine translation, and the presets to start from.

`smoke` runs in seconds on a simulated language pair and is what the tests use. `default` is the run
the README reports: minutes on two cores. `large` has the sizes of Wu et al. 2021, for a GPU. The
defaults follow the literature and what a step costs on two cores; the test captions of Multi30k had
no say in them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Literal

from annotated_types import Interval, MultipleOf

from common.config import RunConfig
from common.own_files import TableOptions

NAME = "nlp/translation"


@dataclass(frozen=True)
class DataOptions(TableOptions):
    """Where your own parallel texts are."""

    path: Path | None = None
    """Folder of parts (train.en and train.de, or train.tsv; valid and test likewise), or a table
    with a column for each language."""
    source: Path | None = None
    """Training texts of the source language, one a line; needs `target`."""
    target: Path | None = None
    """Their translations, line by line."""
    train: Path | None = None
    """Training part, in place of `path`: a table, one of its two files, or what these are called
    before the ending of the language."""
    valid: Path | None = None
    """The same of the validation part; without it a share of the training pairs is drawn."""
    test: Path | None = None
    """The same of the test part; without it a tenth of the pairs is drawn."""


@dataclass(frozen=True)
class WorldOptions:
    """Size of the simulated world, if it is used."""

    texts: Annotated[int, Interval(ge=200, le=200_000)] = 20_000
    """Training and test sentences together."""


@dataclass(frozen=True)
class SplitOptions:
    """How the training pairs are split; the test pairs are the dataset's own."""

    valid_share: Annotated[float, Interval(ge=0.005, le=0.5)] = 0.05
    """Share of the training pairs that chooses epoch and model, up to 2,000 pairs; not used if the
    data has a validation part."""
    limit: Annotated[int, Interval(ge=0, le=10**9)] = 0
    """Use at most this many training pairs, drawn at random; 0 for all."""


@dataclass(frozen=True)
class SubwordsOptions:
    """How texts are cut into pieces."""

    kind: Literal["bpe", "sentencepiece"] = "bpe"
    """bpe (pairs of bytes, merged) or sentencepiece (a unigram model)."""
    vocabulary: Annotated[int, Interval(ge=300, le=100_000)] = 4000
    """Pieces of both languages together; fewer where the texts hold no more."""


@dataclass(frozen=True)
class TransformerOptions:
    """Size of the network."""

    width: Annotated[int, Interval(ge=8, le=4096), MultipleOf(2)] = 256
    """Entries of a token's vector."""
    heads: Annotated[int, Interval(ge=1, le=64)] = 4
    """Heads of attention; they divide the width."""
    encoder_layers: Annotated[int, Interval(ge=1, le=48)] = 3
    decoder_layers: Annotated[int, Interval(ge=1, le=48)] = 2
    hidden: Annotated[int, Interval(ge=8, le=16_384)] = 512
    """Width of the layers between."""
    dropout: Annotated[float, Interval(ge=0, le=0.9)] = 0.1
    """Share of entries dropped after embeddings and before each residual sum."""


@dataclass(frozen=True)
class TrainingOptions:
    """How the network is trained."""

    epochs: Annotated[int, Interval(ge=1, le=1000)] = 10
    batch_tokens: Annotated[int, Interval(ge=64, le=10**6)] = 3000
    """Tokens of a batch, source and target together."""
    learning_rate: Annotated[float, Interval(gt=0, le=1)] = 1.5e-3
    """Peak rate."""
    schedule: Literal["inverse-root", "linear", "cosine"] = "cosine"
    """How the rate falls after the warm-up: as 1 / √step, or to 0 at the last step."""
    warmup: Annotated[float, Interval(ge=0, le=0.9)] = 0.1
    """Share of the steps over which the rate rises."""
    weight_decay: Annotated[float, Interval(ge=0, le=10)] = 0.01
    label_smoothing: Annotated[float, Interval(ge=0, le=0.9)] = 0.1
    """Share of the target spread evenly over the vocabulary."""
    ema: Annotated[float, Interval(ge=0, le=0.99999)] = 0.995
    """Decay of the moving average of the weights, which is what is kept; 0 turns it off."""
    max_length: Annotated[int, Interval(ge=8, le=4096)] = 128
    """Tokens that a sentence is cut to, in training and in service."""
    precision: Literal["auto", "fp32", "bf16", "fp16"] = "auto"
    """auto uses bf16 if the processor supports it in hardware."""


@dataclass(frozen=True)
class SearchOptions:
    """How a translation is looked for."""

    beam: Annotated[int, Interval(ge=1, le=64)] = 4
    """Hypotheses kept at each step; 1 is greedy."""
    length_penalty: Annotated[float, Interval(ge=0, le=5)] = 1.0
    """The log-probability of a hypothesis is divided by its length to this power; 0 prefers short
    ones."""


@dataclass(frozen=True)
class Config(RunConfig):
    """Machine translation; `--dataset` takes multi30k, simulated-translation, or for your own
    parallel texts parallel.
    """

    own_datasets = ("parallel",)
    own_files = ("path", "source", "target", "train", "valid", "test")
    own_needed = ("path", "source", "train")

    pair: str = "auto"
    """Languages, the source first: en-de, de-en, en-fr; auto takes the dataset's first two."""
    data: DataOptions = field(default_factory=DataOptions)
    world: WorldOptions = field(default_factory=WorldOptions)
    split: SplitOptions = field(default_factory=SplitOptions)
    subwords: SubwordsOptions = field(default_factory=SubwordsOptions)
    transformer: TransformerOptions = field(default_factory=TransformerOptions)
    training: TrainingOptions = field(default_factory=TrainingOptions)
    search: SearchOptions = field(default_factory=SearchOptions)

    def __post_init__(self) -> None:
        """Check the fields, and what spans two of them."""
        super().__post_init__()
        training = {"path": self.data.path, "source": self.data.source, "train": self.data.train}
        given = [name for name, path in training.items() if path is not None]
        if len(given) > 1:
            raise ValueError(
                f"data.{given[0]}: data.{given[1]} names training texts too; leave out"
                f" --data.{given[0]} or --data.{given[1]}"
            )
        if (self.data.source is None) != (self.data.target is None):
            lacks, has = ("target", "source") if self.data.target is None else ("source", "target")
            raise ValueError(
                f"data.{lacks}: {self.data.source or self.data.target} has no translation; give"
                f" --data.{lacks} beside --data.{has}"
            )
        if self.pair != "auto" and not re.fullmatch(r"(\w+)-(?!\1$)\w+", self.pair):
            raise ValueError(
                f"pair: {self.pair!r} is no pair of two languages; give --pair en-de, the source"
                " first"
            )
        if self.transformer.width % self.transformer.heads:
            raise ValueError(
                f"transformer.heads: {self.transformer.heads} does not divide the width"
                f" {self.transformer.width}; give --transformer.heads one that does, such as 4"
            )


DEFAULT = Config()
PRESETS = {
    "smoke": replace(
        DEFAULT,
        dataset="simulated-translation",
        world=WorldOptions(texts=2000),
        subwords=SubwordsOptions(vocabulary=400),
        transformer=TransformerOptions(
            width=64, heads=4, encoder_layers=1, decoder_layers=1, hidden=128, dropout=0.0
        ),
        training=TrainingOptions(
            epochs=6, batch_tokens=1000, learning_rate=5e-3, ema=0.95, max_length=64
        ),
    ),
    "default": DEFAULT,
    "large": replace(
        DEFAULT,
        subwords=SubwordsOptions(vocabulary=10_000),
        transformer=TransformerOptions(
            width=128, heads=4, encoder_layers=4, decoder_layers=4, hidden=256, dropout=0.3
        ),
        training=TrainingOptions(
            epochs=80,
            batch_tokens=8192,
            learning_rate=5e-3,
            schedule="inverse-root",
            warmup=0.2,
            ema=0.999,
        ),
        search=SearchOptions(beam=5),
    ),  # fmt: skip
}
