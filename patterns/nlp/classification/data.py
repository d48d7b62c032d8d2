"""What a row, a label and leakage mean in text classification: texts split three ways.

A row is a text, its label the one thing it asks for. The test texts are the ones the dataset's
authors or the user set aside and are read once. A validation part that comes with the data is
kept; else a stratified share of the training texts becomes it. It alone chooses the epoch, the
baseline's strength, the model that serves and the temperature.

Leakage: people ask the same thing in the same words. Training texts that also stand in the test or
the validation part, case and punctuation aside, are dropped from training (25 of BANKING77's), and
of training texts that equal each other only the first is kept, so that none is on both sides of the
split. Texts that differ by one word are kept and counted in a notice.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from common.evaluation.repeats import near_repeats
from common.evaluation.splits import stratified_split
from patterns.nlp.classification.config import Config
from patterns.nlp.classification.entities.texts import Texts

if TYPE_CHECKING:
    from data.tables import Source, TextClassification

PUBLIC, OFFLINE = "banking77", "simulated-intents"
MOST_VALID = 5000  # validation texts that are drawn
MOST_LABELS = 10  # that a message names


@dataclass(frozen=True)
class Splits:
    """The three parts, and the names of the labels."""

    source: Source
    train: Texts
    valid: Texts
    test: Texts
    label_names: tuple[str, ...]
    notices: tuple[str, ...] = ()


def load(config: Config) -> TextClassification:
    """Read the dataset that `config` names; auto falls back to `OFFLINE`, with a notice."""
    import data
    from data.tables import TextClassification

    if config.dataset in config.own_datasets:
        return _own_files(config)
    return data.load_table(
        TextClassification,
        config.dataset,
        public=PUBLIC,
        offline=OFFLINE,
        own=config.own_datasets,
        seed=config.seed,
        intents=config.world.intents,
        texts=config.world.texts,
        noise=config.world.noise,
    )


def split(table: TextClassification, config: Config) -> Splits:
    """Keep the test part; clean the training part and cut a validation part from it.

    Raises `ValueError` where a class has too few training texts for two parts.
    """
    held_out = [table.test] if table.valid is None else [table.test, table.valid]
    clean = _without(table.train, held_out).unique("key", keep="first", maintain_order=True)
    train = _texts(clean)
    if table.valid is None:
        _check_counts(train, table.label_names, least=2)
        train, valid = _drawn_valid(train, config, classes=len(table.label_names))
    else:
        _check_counts(train, table.label_names, least=1)
        valid = _texts(_without(table.valid, [table.test]))
        if not len(valid):
            raise ValueError("valid: every validation text stands in the test part; give others")
    train = _limited(train, config, classes=len(table.label_names))
    test = _texts(table.test)
    return Splits(
        source=table.source,
        train=train,
        valid=valid,
        test=test,
        label_names=table.label_names,
        notices=(*_notices(table, clean.height), *_near(train, test)),
    )


def _own_files(config: Config) -> TextClassification:
    from data.files import Wanted, texts_from_files

    options = config.data
    path = options.path or options.train
    assert path is not None
    return texts_from_files(
        config.dataset,
        path,
        valid=options.valid,
        test=options.test,
        wanted=Wanted(options.text, options.label, options.split, options),
        seed=config.seed,
    )


def _drawn_valid(train: Texts, config: Config, *, classes: int) -> tuple[Texts, Texts]:
    """Draw the validation part by class, about one text of each at least."""
    share = min(config.split.valid_share, MOST_VALID / len(train))
    share = max(share, classes / len(train))
    rows, valid = stratified_split(train.labels, (1 - share, share), seed=config.seed)
    return _chosen(train, rows), _chosen(train, valid)


def _limited(train: Texts, config: Config, *, classes: int) -> Texts:
    """Draw `split.limit` of the training texts by class, if there are more."""
    limit = config.split.limit
    if not classes <= limit < len(train):
        return train
    part = limit / len(train)
    kept, _ = stratified_split(train.labels, (part, 1 - part), seed=config.seed)
    return _chosen(train, kept)


def _keyed(frame: pl.DataFrame) -> pl.DataFrame:
    """Add the text without case and punctuation as its key."""
    plain = pl.col("text").str.to_lowercase().str.replace_all(r"[\W_]+", " ").str.strip_chars()
    # a text of signs alone has nothing left: it stands for itself
    return frame.with_columns(
        pl.when(plain == "").then(pl.col("text")).otherwise(plain).alias("key")
    )


def _without(frame: pl.DataFrame, others: list[pl.DataFrame]) -> pl.DataFrame:
    """Leave out the texts that stand in others too."""
    keys = pl.concat([_keyed(each).select("key") for each in others]).unique()
    return _keyed(frame).join(keys, on="key", how="anti", maintain_order="left")


def _texts(frame: pl.DataFrame) -> Texts:
    return Texts(frame["text"].to_list(), frame["label"].to_numpy().astype(np.int64))


def _chosen(part: Texts, rows: np.ndarray) -> Texts:
    return Texts([part.texts[row] for row in rows], part.labels[rows])


def _check_counts(train: Texts, label_names: tuple[str, ...], *, least: int) -> None:
    """Raise for all labels that have too few training texts."""
    counts = np.bincount(train.labels, minlength=len(label_names))
    rare = np.flatnonzero(counts < least)
    if not len(rare):
        return
    listed = ", ".join(
        f"{label_names[label]!r} has {counts[label]}" for label in rare[:MOST_LABELS]
    )
    more = f" and {len(rare) - MOST_LABELS:,} labels more" if len(rare) > MOST_LABELS else ""
    raise ValueError(
        f"training texts that neither repeat another nor stand in the test part: label {listed}"
        f"{more}; a label needs {least} or more: add some, or leave those labels out"
    )


def _notices(table: TextClassification, kept: int) -> list[str]:
    """Say which training texts repeat others, and under how many labels."""
    said = []
    repeats = table.train.height - kept
    if repeats:
        said.append(
            f"{repeats:,} training texts repeat another or stand in the test part too: left out"
        )
    labels = _keyed(table.train).group_by("key").agg(pl.col("label").n_unique())
    torn = int((labels["label"] > 1).sum())
    if torn:
        said.append(f"{torn:,} times the same text has different labels; the first counts")
    return said


def _near(train: Texts, test: Texts) -> list[str]:
    """Say how many test texts are nearly training texts."""
    near = int(near_repeats(test.texts, train.texts).sum())
    if not near:
        return []
    return [
        f"{near:,} of {len(test):,} test texts ({near / len(test):.1%}) differ from a training text"
        " by one word: they are easier than new ones"
    ]
