"""Texts with one label each, split three ways.

A row is a text, its label the one thing it asks for. The test texts are the ones the dataset's
authors set aside and are read once. A stratified share of the training texts becomes the
validation part, which alone chooses the epoch, the baseline's strength and the temperature.

Leakage: people ask the same thing in the same words. Training texts that also stand in the test
part, case and punctuation aside, are dropped from training (25 of BANKING77's), and of training
texts that equal each other only the first is kept, so that none lies on both sides of the split.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

import data
from common.evaluation.splits import stratified_split
from patterns.nlp.classification.config import Config

if TYPE_CHECKING:
    from data.tables import Source, TextClassification

PUBLIC, SIMULATED = "banking77", "simulated-intents"


@dataclass(frozen=True)
class Splits:
    """Texts and int64 labels (N,) of each part."""

    source: Source
    train_texts: list[str]
    train_labels: np.ndarray
    valid_texts: list[str]
    valid_labels: np.ndarray
    test_texts: list[str]
    test_labels: np.ndarray
    label_names: tuple[str, ...]
    dropped: int
    """Training texts left out because they repeat another or stand in the test part."""


def load(config: Config) -> TextClassification:
    """Load the dataset that the configuration names; "auto" falls back, saying so."""
    from data.tables import TextClassification

    if config.dataset == "csv":
        return _own_file(config)
    world = config.world
    return data.load_table(
        TextClassification,
        config.dataset,
        public=PUBLIC,
        offline=SIMULATED,
        seed=config.seed,
        intents=world.intents,
        texts=world.texts,
        noise=world.noise,
    )


def split(table: TextClassification, config: Config) -> Splits:
    """Keep the test part; clean the training part and cut a validation part from it."""
    train = _without_repeats(table.train, table.test)
    labels = _labels(train)
    classes = len(table.label_names)
    counts = np.bincount(labels, minlength=classes)
    if counts.min() < 2:
        name = table.label_names[int(counts.argmin())]
        raise ValueError(
            f"label {name!r} has {counts.min()} training texts that neither repeat another nor "
            "stand in the test part; a class needs 2 or more: add some, or leave the class out"
        )
    share = max(config.data.valid_share, classes / len(labels))
    rows, valid = stratified_split(labels, (1 - share, share), seed=config.seed)
    limit = config.data.limit
    if classes <= limit < len(rows):
        part = limit / len(rows)
        kept, _ = stratified_split(labels[rows], (part, 1 - part), seed=config.seed)
        rows = rows[kept]
    texts = train["text"].to_list()
    return Splits(
        source=table.source,
        train_texts=[texts[row] for row in rows],
        train_labels=labels[rows],
        valid_texts=[texts[row] for row in valid],
        valid_labels=labels[valid],
        test_texts=table.test["text"].to_list(),
        test_labels=_labels(table.test),
        label_names=table.label_names,
        dropped=table.train.height - train.height,
    )


def input_profile(
    texts: list[str], label_names: tuple[str, ...], labels: np.ndarray
) -> pl.DataFrame:
    """Return what drift monitoring compares later: sizes of the texts and their labels, no text."""
    frame = pl.DataFrame({"text": texts})
    return frame.select(
        characters=pl.col("text").str.len_chars(),
        words=pl.col("text").str.split(" ").list.len(),
        digits=pl.col("text").str.count_matches(r"\d"),
        non_ascii=pl.col("text").str.count_matches(r"[^\x00-\x7f]"),
        label=pl.Series([label_names[label] for label in labels]),
    )


def _own_file(config: Config) -> TextClassification:
    from data.files import texts_from_csv

    assert config.data.path is not None
    return texts_from_csv(
        config.data.path,
        text=config.data.text,
        label=config.data.label,
        test_path=config.data.test_path,
        seed=config.seed,
    )


def _without_repeats(train: pl.DataFrame, test: pl.DataFrame) -> pl.DataFrame:
    plain = pl.col("text").str.to_lowercase().str.replace_all(r"[\W_]+", " ").str.strip_chars()
    # a text of signs alone has nothing left: it stands for itself
    key = pl.when(plain == "").then(pl.col("text")).otherwise(plain).alias("key")
    keyed = train.with_columns(key)
    kept = keyed.join(test.select(key).unique(), on="key", how="anti", maintain_order="left")
    return kept.unique("key", keep="first", maintain_order=True).drop("key")


def _labels(frame: pl.DataFrame) -> np.ndarray:
    return frame["label"].to_numpy().astype(np.int64)
