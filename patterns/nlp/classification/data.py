"""What a row, a label and leakage mean in text classification: texts split three ways.

A row is a text, its label the one thing it asks for. The test texts are the ones the dataset's
authors set aside and are read once. A stratified share of the training texts becomes the
validation part, which alone chooses the epoch, the baseline's strength and the temperature.

Leakage: people ask the same thing in the same words. Training texts that also stand in the test
part, case and punctuation aside, are dropped from training (25 of BANKING77's), and of training
texts that equal each other only the first is kept, so that none is on both sides of the split.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from common.evaluation.splits import stratified_split
from patterns.nlp.classification.config import Config
from patterns.nlp.classification.entities.texts import Texts

if TYPE_CHECKING:
    from data.tables import Source, TextClassification

PUBLIC, OFFLINE = "banking77", "simulated-intents"


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

    if config.dataset == "csv":
        return _own_file(config)
    return data.load_table(
        TextClassification,
        config.dataset,
        public=PUBLIC,
        offline=OFFLINE,
        seed=config.seed,
        intents=config.world.intents,
        texts=config.world.texts,
        noise=config.world.noise,
    )


def split(table: TextClassification, config: Config) -> Splits:
    """Keep the test part; clean the training part and cut a validation part from it.

    Raises `ValueError` where a class has too few training texts for two parts.
    """
    clean = _without_repeats(table.train, table.test)
    train, classes = _texts(clean), len(table.label_names)
    _check_counts(train, table.label_names)
    share = max(config.split.valid_share, classes / len(train))
    rows, valid = stratified_split(train.labels, (1 - share, share), seed=config.seed)
    limit = config.split.limit
    if classes <= limit < len(rows):
        part = limit / len(rows)
        kept, _ = stratified_split(train.labels[rows], (part, 1 - part), seed=config.seed)
        rows = rows[kept]
    return Splits(
        source=table.source,
        train=_chosen(train, rows),
        valid=_chosen(train, valid),
        test=_texts(table.test),
        label_names=table.label_names,
        notices=_notices(table.train.height - len(train)),
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
        options=config.data,
    )


def _without_repeats(train: pl.DataFrame, test: pl.DataFrame) -> pl.DataFrame:
    plain = pl.col("text").str.to_lowercase().str.replace_all(r"[\W_]+", " ").str.strip_chars()
    # a text of signs alone has nothing left: it stands for itself
    key = pl.when(plain == "").then(pl.col("text")).otherwise(plain).alias("key")
    keyed = train.with_columns(key)
    kept = keyed.join(test.select(key).unique(), on="key", how="anti", maintain_order="left")
    return kept.unique("key", keep="first", maintain_order=True).drop("key")


def _texts(frame: pl.DataFrame) -> Texts:
    return Texts(frame["text"].to_list(), frame["label"].to_numpy().astype(np.int64))


def _chosen(part: Texts, rows: np.ndarray) -> Texts:
    return Texts([part.texts[row] for row in rows], part.labels[rows])


def _check_counts(train: Texts, label_names: tuple[str, ...]) -> None:
    counts = np.bincount(train.labels, minlength=len(label_names))
    if counts.min() < 2:
        name = label_names[int(counts.argmin())]
        raise ValueError(
            f"label {name!r} has {counts.min()} training texts that neither repeat another nor "
            "stand in the test part; a class needs 2 or more: add some, or leave the class out"
        )


def _notices(repeats: int) -> tuple[str, ...]:
    if not repeats:
        return ()
    return (f"{repeats:,} training texts repeat another or stand in the test part too: left out",)
