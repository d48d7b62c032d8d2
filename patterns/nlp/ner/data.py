"""What a row, a label and leakage mean in named-entity recognition: sentences split three ways.

A row is a sentence cut into words, its label a tag for each of them (BIO2). Parts that the
dataset's authors or the user made are kept, and the test sentences are read once. What is missing
is drawn: by document where documents are marked, since an article repeats its own names, else by
sentence. The validation part alone chooses the epoch, the model that serves and what the decoder
fits.

Leakage: posts are copied. Training sentences that also stand in the test or the validation part,
case aside, are dropped from training, and of those that equal each other only the first is kept. A
name that occurs in training and in the test is no leak but what happens in life; how well both
kinds are found is told apart in the report.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from common.evaluation.splits import grouped_k_fold, grouped_split
from patterns.nlp.ner.config import Config
from patterns.nlp.ner.entities.sentences import Sentences

if TYPE_CHECKING:
    from data.tables import Source, TaggedTokens

PUBLIC, OFFLINE = "wnut17", "simulated-entities"
LEAST_DOCUMENTS = 10  # with fewer, parts are drawn by sentence
SHARED_TYPES = {  # of both public sets, for the types that both have
    "person": "PER", "location": "LOC", "corporation": "ORG", "group": "ORG",
    "PER": "PER", "LOC": "LOC", "ORG": "ORG",
}  # fmt: skip


@dataclass(frozen=True)
class Splits:
    """The three parts, and the types of entities."""

    source: Source
    train: Sentences
    valid: Sentences
    test: Sentences
    types: tuple[str, ...]
    notices: tuple[str, ...] = ()


def load(config: Config) -> TaggedTokens:
    """Read the dataset that `config` names; auto falls back to `OFFLINE`, with a notice."""
    import data
    from data.tables import TaggedTokens

    if config.dataset in config.own_datasets:
        return _own_files(config)
    return data.load_table(
        TaggedTokens,
        config.dataset,
        public=PUBLIC,
        offline=OFFLINE,
        own=config.own_datasets,
        seed=config.seed,
        sentences=config.world.sentences,
        ambiguous=config.world.ambiguous,
    )


def split(table: TaggedTokens, config: Config) -> Splits:
    """Keep the parts that are given, draw those that are missing, and clean the training part.

    Raises `ValueError` where a part would be left without a sentence.
    """
    train, said = table.train, []
    valid, test = table.valid, table.test
    if test is None:
        train, test = _drawn(train, config.split.test_share, "test_share", config.seed)
        said.append(f"No test part was given: {test.height:,} sentences were drawn for it.")
    if valid is None:
        train, valid = _drawn(train, config.split.valid_share, "valid_share", config.seed + 1)
    train, valid, lost = _clean(train, valid, test)
    said += lost
    if 0 < config.split.limit < train.height:
        train = train.sample(config.split.limit, seed=config.seed, shuffle=True)
    for name, part in (("train", train), ("valid", valid), ("test", test)):
        if not part.height:
            raise ValueError(f"{name}: no sentence is left that no other part has; give others")
    return Splits(
        table.source,
        _sentences(train),
        _sentences(valid),
        _sentences(test),
        table.types,
        tuple(said),
    )


def folds(table: TaggedTokens, config: Config, count: int) -> list[Splits]:
    """Return the splits of a cross-validation by document over the training part.

    Of the training folds a validation part is drawn as in `split`.
    """
    documents = table.train["document"].to_numpy()
    found = []
    for rows, held_out in grouped_k_fold(documents, count, seed=config.seed):
        part = replace(table, train=table.train[rows], test=table.train[held_out])
        found.append(split(part, config))
    return found


def shared_types(table: TaggedTokens) -> TaggedTokens:
    """Return a table with the types of `SHARED_TYPES` alone; words of others become O."""
    tags = {
        f"{prefix}-{kind}": f"{prefix}-{SHARED_TYPES[kind]}" if kind in SHARED_TYPES else "O"
        for kind in table.types
        for prefix in "BI"
    }

    def part(frame: pl.DataFrame | None) -> pl.DataFrame | None:
        if frame is None:
            return None
        return frame.with_columns(tags=pl.col("tags").list.eval(pl.element().replace(tags)))

    train = part(table.train)
    assert train is not None
    types = tuple(sorted({SHARED_TYPES[each] for each in table.types if each in SHARED_TYPES}))
    return replace(table, train=train, valid=part(table.valid), test=part(table.test), types=types)


def _own_files(config: Config) -> TaggedTokens:
    from data.files import tags_from_conll

    options = config.data
    path = options.path or options.train
    assert path is not None
    return tags_from_conll(
        path,
        valid=options.valid,
        test=options.test,
        token=options.token,
        tag=options.tag,
        encoding=options.encoding,
    )


def _drawn(
    frame: pl.DataFrame, share: float, argument: str, seed: int
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Draw a part by document: return what is left and what was drawn."""
    documents = frame["document"].to_numpy()
    if frame["document"].n_unique() < LEAST_DOCUMENTS:
        documents = np.arange(frame.height)
    try:
        rows, drawn = grouped_split(documents, (1 - share, share), seed=seed)
    except ValueError as few:
        raise ValueError(
            f"split.{argument}: {frame.height} sentences are too few to draw {share:.0%} of them;"
            " give more, or a part of your own"
        ) from few
    return frame[rows], frame[drawn]


def _keyed(frame: pl.DataFrame) -> pl.DataFrame:
    """Add the sentence without case as its key."""
    return frame.with_columns(key=pl.col("tokens").list.join(" ").str.to_lowercase())


def _without(frame: pl.DataFrame, other: pl.DataFrame) -> pl.DataFrame:
    """Leave out the sentences that stand in the other part too."""
    keys = _keyed(other).select("key").unique()
    kept = _keyed(frame).join(keys, on="key", how="anti", maintain_order="left")
    return kept.drop("key")


def _clean(
    train: pl.DataFrame, valid: pl.DataFrame, test: pl.DataFrame
) -> tuple[pl.DataFrame, pl.DataFrame, list[str]]:
    """Leave out what stands in two parts, and repetitions in training; say how many."""
    kept_valid = _without(valid, test)
    kept = _without(_without(train, test), kept_valid)
    kept = _keyed(kept).unique("key", keep="first", maintain_order=True).drop("key")
    said = []
    if lost := train.height - kept.height:
        said.append(
            f"{lost:,} training sentences repeat another or stand in another part too: left out"
        )
    if lost := valid.height - kept_valid.height:
        said.append(f"{lost:,} validation sentences stand in the test part too: left out")
    return kept, kept_valid, said


def _sentences(frame: pl.DataFrame) -> Sentences:
    words, tags = frame["tokens"].to_list(), frame["tags"].to_list()
    return Sentences([tuple(each) for each in words], [tuple(each) for each in tags])
