"""What a row, a label and leakage mean in text classification: texts split three ways.

A row is a text, its label the one thing it asks for. The test texts are the ones the dataset's
authors or the user set aside and are read once. A validation part that comes with the data is
kept; else a stratified share of the training texts becomes it. It alone chooses the epoch, the
baseline's strength, the model that serves and the temperature.

Leakage: people ask the same thing in the same words. Training texts that also stand in the test or
the validation part, case and punctuation aside, are dropped from training (25 of BANKING77's), and
of training texts that equal each other only the first is kept, so that none is on both sides of the
split. Texts that differ by one word are kept and counted in a notice.

With `split.unknown` whole labels are held out: the pipeline sees them in no part, and their texts
are those that no label fits. The training texts of one half of them choose the score of being out
of scope, the test texts of the other half tell how good it is.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
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
    """The three parts, the names of the labels, and what else there is to ask a model."""

    source: Source
    train: Texts
    valid: Texts
    test: Texts
    label_names: tuple[str, ...]
    notices: tuple[str, ...] = ()
    unknown_valid: Texts | None = None
    """Texts of labels that were held out, to choose by; like those below they have no label."""
    unknown_test: Texts | None = None
    """Texts of other labels that were held out, to report on."""
    simple: Texts | None = None
    """Of a simulated world, one text for each plain way to say what a label asks for."""


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
    """Keep the test part; clean the training part and cut a validation part from it if needed.

    Raises `ValueError` where a label has too few training texts, unless `split.rare` drops it.
    """
    said: list[str] = []
    if config.split.rare == "leave-out":
        table, said = _without_rare(table)
    table, unknown = _without_unknown(table, config)
    clean = _clean(table)
    train, classes = _texts(clean), len(table.label_names)
    _check_counts(train, table)
    if table.valid is None:
        train, valid = _drawn_valid(train, config, classes=classes)
    else:
        valid = _texts(_without(table.valid, [table.test]))
        if not len(valid):
            raise ValueError("valid: every validation text stands in the test part; give others")
    train = _limited(train, config, classes=classes)
    test = _texts(table.test)
    notices = (*said, *_repeats(table, len(clean), len(valid)), *_near(train, test))
    return Splits(
        table.source, train, valid, test, table.label_names, notices, *unknown, _simple(table)
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
        wanted=Wanted(options.text, options.label, options.split, options=options),
        unknown=config.split.rare,
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


def _without_unknown(
    table: TextClassification, config: Config
) -> tuple[TextClassification, tuple[Texts | None, Texts | None]]:
    """Hold whole labels out, if asked for: the texts to choose by, and those to report on."""
    labels = len(table.label_names)
    count = round(config.split.unknown * labels)
    if not config.split.unknown:
        return table, (None, None)
    if count < 2 or labels - count < 2:
        raise ValueError(
            f"split.unknown: {config.split.unknown} of {labels} labels are {count}; at least two"
            " must be held out, and two stay: give another share, or 0 to hold out none"
        )
    order = np.random.default_rng(config.seed).permutation(labels).tolist()
    held, kept = order[:count], sorted(order[count:])
    few = count // 2
    valid = _without(table.train, [table.test]).filter(pl.col("label").is_in(held[:few]))
    test = table.test.filter(pl.col("label").is_in(held[few:]))
    parts = (valid.unique("key", keep="first", maintain_order=True), test)
    unknown = [Texts(part["text"].to_list(), np.full(part.height, -1)) for part in parts]
    return _with_labels(table, kept), (unknown[0], unknown[1])


def _simple(table: TextClassification) -> Texts | None:
    if table.source.name != OFFLINE:
        return None
    from data.simulated.intents import plainly

    pairs = plainly(table.label_names)
    return Texts([text for text, _ in pairs], np.array([label for _, label in pairs], np.int64))


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


def _clean(table: TextClassification) -> pl.DataFrame:
    """Return the training texts that stand in no other part, each once."""
    held_out = [table.test] if table.valid is None else [table.test, table.valid]
    return _without(table.train, held_out).unique("key", keep="first", maintain_order=True)


def _rare(train: Texts, table: TextClassification) -> np.ndarray:
    """Return the labels with too few training texts: one must learn, and one may be needed more."""
    counts = np.bincount(train.labels, minlength=len(table.label_names))
    return np.flatnonzero(counts < (2 if table.valid is None else 1))


def _check_counts(train: Texts, table: TextClassification) -> None:
    """Raise for all labels that have too few training texts."""
    rare = _rare(train, table)
    if not len(rare):
        return
    counts = np.bincount(train.labels, minlength=len(table.label_names))
    named = (f"{table.label_names[label]!r} has {counts[label]}" for label in rare[:MOST_LABELS])
    more = f" and {len(rare) - MOST_LABELS:,} labels more" if len(rare) > MOST_LABELS else ""
    raise ValueError(
        "training texts that neither repeat another nor stand in the test part: label"
        f" {', '.join(named)}{more}; a label needs {2 if table.valid is None else 1} or more: add"
        " some, or leave such labels out by --split.rare leave-out"
    )


def _without_rare(table: TextClassification) -> tuple[TextClassification, list[str]]:
    """Leave the labels that are too rare out of every part, and say which."""
    rare = _rare(_texts(_clean(table)), table)
    kept = [label for label in range(len(table.label_names)) if label not in set(rare.tolist())]
    if not len(rare) or len(kept) < 2:
        return table, []
    names = [table.label_names[label] for label in rare]
    listed = ", ".join(map(repr, names[:MOST_LABELS])) + ("…" if len(names) > MOST_LABELS else "")
    before = table.train.height + table.test.height
    table = _with_labels(table, kept)
    left = before - table.train.height - table.test.height
    return table, [f"{len(names):,} rare labels and their {left:,} texts are left out: {listed}"]


def _with_labels(table: TextClassification, kept: list[int]) -> TextClassification:
    """Return the table with these labels alone, numbered anew."""
    numbers = {label: number for number, label in enumerate(kept)}

    def part(frame: pl.DataFrame) -> pl.DataFrame:
        label = pl.col("label").replace_strict(numbers, return_dtype=pl.Int32)
        return frame.filter(pl.col("label").is_in(kept)).with_columns(label)

    return replace(
        table,
        train=part(table.train),
        valid=None if table.valid is None else part(table.valid),
        test=part(table.test),
        label_names=tuple(table.label_names[label] for label in kept),
    )


def _repeats(table: TextClassification, kept: int, valid: int) -> list[str]:
    """Say which texts stand in two parts or twice, and under how many labels."""
    said = []
    repeats = table.train.height - kept
    if repeats:
        said.append(
            f"{repeats:,} training texts repeat another or stand in the test part too: left out"
        )
    if table.valid is not None and valid < table.valid.height:
        lost = table.valid.height - valid
        said.append(f"{lost:,} validation texts stand in the test part too: left out")
    labels = _keyed(table.train).group_by("key").agg(pl.col("label").n_unique())
    torn = int((labels["label"] > 1).sum())
    if torn:
        said.append(f"texts that have more than one label: {torn:,}; the first label counts")
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
