"""What a row, a label and leakage mean in translation: pairs of texts split three ways.

A row is a text and its translation; of the languages of a dataset, `pair` names two, the source
first. The test pairs are the ones the dataset's authors or the user set aside and are read once. A
validation part that comes with the data is kept; else a share of the training pairs becomes it. It
chooses the epoch, and whether the model or the baseline serves.

Leakage: captions and sentences repeat. A training pair one side of which also stands in the test
or the validation part, case and punctuation aside, is dropped from training, and of pairs that are
equal on both sides only the first is kept. Sources that differ from a training source by one word
are kept and counted in a notice.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from common.evaluation.repeats import near_repeats
from patterns.nlp.translation.config import Config
from patterns.nlp.translation.entities.pairs import Pairs

if TYPE_CHECKING:
    from data.tables import ParallelTexts, Source

PUBLIC, OFFLINE = "multi30k", "simulated-translation"
MOST_VALID = 2000  # validation pairs that are drawn
UNEVEN = 4  # times as many words on one side as on the other, and at least
LONG = 8  # words on that side: such a pair may be beside the wrong line


@dataclass(frozen=True)
class Splits:
    """The three parts, the languages, and further test parts by name."""

    source: Source
    train: Pairs
    valid: Pairs
    test: Pairs
    languages: tuple[str, str]
    further: dict[str, Pairs] = field(default_factory=dict)
    notices: tuple[str, ...] = ()


def load(config: Config) -> ParallelTexts:
    """Read the dataset that `config` names; auto falls back to `OFFLINE`, with a notice."""
    import data
    from data.tables import ParallelTexts

    if config.dataset in config.own_datasets:
        return _own_files(config)
    return data.load_table(
        ParallelTexts,
        config.dataset,
        public=PUBLIC,
        offline=OFFLINE,
        own=config.own_datasets,
        seed=config.seed,
        texts=config.world.texts,
    )


def split(table: ParallelTexts, config: Config) -> Splits:
    """Keep the test part; clean the training part and cut a validation part from it if needed."""
    pair = _languages(table, config.pair)
    train, test = table.train.select(pair), table.test.select(pair)
    valid = None if table.valid is None else _without(table.valid.select(pair), [test], pair)
    held_out = [test] if valid is None else [test, valid]
    clean = _without(train, held_out, pair).unique(pair, keep="first", maintain_order=True)
    if clean.height < 2:
        raise ValueError(
            f"training part: {clean.height} pairs are left without those that stand in other parts;"
            " give more, or other test texts"
        )
    rng = np.random.default_rng(config.seed)
    if valid is None:
        count = max(1, min(round(config.split.valid_share * clean.height), MOST_VALID))
        order = rng.permutation(clean.height)
        clean, valid = (
            clean[np.sort(order[count:]).tolist()],
            clean[np.sort(order[:count]).tolist()],
        )
    if not valid.height:
        raise ValueError("valid: every validation pair stands in the test part; give others")
    if 0 < config.split.limit < clean.height:
        chosen = rng.permutation(clean.height)[: config.split.limit]
        clean = clean[np.sort(chosen).tolist()]
    parts = [_pairs(frame, pair) for frame in (clean, valid, test)]
    notices = (*_repeats(train, held_out, pair), *_uneven(parts[0]), *_near(parts[0], parts[2]))
    further = {name: _pairs(frame, pair) for name, frame in table.extra.items()}
    return Splits(table.source, *parts, pair, further, notices)


def _languages(table: ParallelTexts, wanted: str) -> tuple[str, str]:
    """Return source and target language."""
    if wanted == "auto":
        return table.languages[0], table.languages[1]
    source, _, target = wanted.partition("-")
    unknown = [each for each in (source, target) if each not in table.languages]
    if unknown:
        a, b = table.languages[:2]
        raise ValueError(
            f"pair: {table.source.name} has no {unknown[0]!r}, but {', '.join(table.languages)};"
            f" give --pair {a}-{b} or another two of them"
        )
    return source, target


def _own_files(config: Config) -> ParallelTexts:
    from data.files import parallel_from_files

    options = config.data
    named = {"train": options.path or options.train, "valid": options.valid, "test": options.test}
    files = (options.source, options.target)
    pair = None if config.pair == "auto" else config.pair.partition("-")
    return parallel_from_files(
        {part: path for part, path in named.items() if path is not None},
        files=(files[0], files[1]) if files[0] and files[1] else None,
        pair=None if pair is None else (pair[0], pair[2]),
        options=options,
        seed=config.seed,
    )


def _key(language: str) -> pl.Expr:
    """Return a text without case and punctuation, or itself where nothing is left."""
    text = pl.col(language)
    plain = text.str.to_lowercase().str.replace_all(r"[\W_]+", " ").str.strip_chars()
    return pl.when(plain == "").then(text).otherwise(plain)


def _without(
    frame: pl.DataFrame, others: list[pl.DataFrame], pair: tuple[str, str]
) -> pl.DataFrame:
    """Leave out the pairs one side of which stands in others too."""
    for language in pair:
        known = pl.concat([each.select(_key(language).alias("key")) for each in others]).unique()
        keyed = frame.with_columns(_key(language).alias("key"))
        frame = keyed.join(known, on="key", how="anti", maintain_order="left").drop("key")
    return frame


def _pairs(frame: pl.DataFrame, pair: tuple[str, str]) -> Pairs:
    return Pairs(frame[pair[0]].to_list(), frame[pair[1]].to_list())


def _repeats(train: pl.DataFrame, held_out: list[pl.DataFrame], pair: tuple[str, str]) -> list[str]:
    """Say which training pairs stand in another part or twice, and which are no translations."""
    said = []
    apart = _without(train, held_out, pair)
    repeats = train.height - apart.unique(pair).height
    if repeats:
        said.append(
            f"{repeats:,} training pairs repeat another, or stand in the validation or test part"
            " on one side: left out"
        )
    same = int((train[pair[0]] == train[pair[1]]).sum())
    if same:
        said.append(f"{same:,} training pairs have the same text on both sides; they were kept")
    return said


def _uneven(train: Pairs) -> list[str]:
    """Say how many pairs are so uneven in length that they may not belong together."""
    pairs = zip(train.sources, train.targets, strict=True)
    words = np.array([(len(a.split()), len(b.split())) for a, b in pairs])  # (N, 2)
    low, high = words.min(axis=1), words.max(axis=1)
    uneven = int(((high >= UNEVEN * np.maximum(low, 1)) & (high >= LONG)).sum())
    if not uneven:
        return []
    return [
        f"{uneven:,} training pairs have one side at least {UNEVEN} times as long as the other; see"
        " whether their lines belong together"
    ]


def _near(train: Pairs, test: Pairs) -> list[str]:
    """Say how many test sources are nearly training sources."""
    near = int(near_repeats(test.sources, train.sources).sum())
    if not near:
        return []
    return [
        f"{near:,} of {len(test):,} test texts ({near / len(test):.1%}) differ from a training text"
        " by one word: they are easier than new ones"
    ]
