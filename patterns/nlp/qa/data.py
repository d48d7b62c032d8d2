"""What a row, a label and leakage mean in question answering: questions split by article.

A row is a question about one paragraph; its label is the spans of that paragraph that answer it,
or none where it does not tell. The test part is the one the dataset's authors or the user set aside
and its questions are read once. Validation questions that come with the data are kept; else whole
articles are cut from training. They choose the epoch, the reader that serves, the fusion of the two
sources, the weight of the re-ranking and both thresholds.

Leakage: paragraphs of one article tell of the same people in the same words, and a paragraph has
several questions. So articles are split, not questions, and training paragraphs that also stand in
another part, case and punctuation aside, are left out with their questions. That the paragraphs of
the test part are indexed for retrieval is no leak: a corpus is known before it is asked.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from common.evaluation.splits import grouped_split
from patterns.nlp.qa.config import Config
from patterns.nlp.qa.entities.questions import Paragraph, Question, Questions

if TYPE_CHECKING:
    from data.tables import QuestionAnswers, Source

PUBLIC, OFFLINE = "squad", "simulated-questions"
PARTS = ("train", "valid", "test")


@dataclass(frozen=True)
class Splits:
    """The three parts."""

    source: Source
    train: Questions
    valid: Questions
    test: Questions
    notices: tuple[str, ...] = ()


def load(config: Config) -> QuestionAnswers:
    """Read the dataset that `config` names; auto falls back to `OFFLINE`, with a notice."""
    import data
    from data.tables import QuestionAnswers

    if config.dataset in config.own_datasets:
        return _own_files(config)
    return data.load_table(
        QuestionAnswers,
        config.dataset,
        public=PUBLIC,
        offline=OFFLINE,
        own=config.own_datasets,
        seed=config.seed,
        articles=config.world.articles,
        unanswerable=config.world.unanswerable,
    )


def split(table: QuestionAnswers, config: Config) -> Splits:
    """Keep the test part, cut validation articles if there are none, and drop repeats.

    Raises `ValueError` where a part has no question left.
    """
    paragraphs = table.paragraphs
    if not (paragraphs["part"] == "valid").any():
        paragraphs = _with_drawn_valid(paragraphs, config)
    paragraphs, notices = _without_repeats(paragraphs)
    parts = {
        part: _questions(paragraphs.filter(pl.col("part") == part), table.questions)
        for part in PARTS
    }
    for part, found in parts.items():
        if not len(found):
            raise ValueError(f"{part}: no questions are left in this part; give more articles")
    if not any(each.answerable for each in parts["train"].questions):
        raise ValueError("train: no training question has an answer; give some that have")
    parts["train"] = _limited(parts["train"], config)
    notices += _shared_titles(paragraphs)
    return Splits(table.source, parts["train"], parts["valid"], parts["test"], tuple(notices))


def _own_files(config: Config) -> QuestionAnswers:
    from data.files import questions_from_squad_json

    options = config.data
    path = options.path or options.train
    assert path is not None
    return questions_from_squad_json(
        path,
        valid=options.valid,
        test=options.test,
        incomplete=options.incomplete,
        seed=config.seed,
    )


def _with_drawn_valid(paragraphs: pl.DataFrame, config: Config) -> pl.DataFrame:
    """Make some training articles the validation part, or paragraphs of a single article."""
    train = paragraphs.filter(pl.col("part") == "train")
    unit = "title" if train["title"].n_unique() > 1 else "paragraph_id"
    groups = train[unit].to_list()
    if len(set(groups)) < 2:
        raise ValueError(
            "train: one paragraph alone leaves none for validation; add paragraphs, or give"
            " validation questions by --data.valid"
        )
    share = max(config.split.valid_share, 1 / len(set(groups)))
    _, valid = grouped_split(groups, (1 - share, share), seed=config.seed)
    drawn = train["paragraph_id"].gather(valid)
    part = pl.when(pl.col("paragraph_id").is_in(drawn.to_list())).then(pl.lit("valid"))
    return paragraphs.with_columns(part.otherwise(pl.col("part")).alias("part"))


def _without_repeats(paragraphs: pl.DataFrame) -> tuple[pl.DataFrame, list[str]]:
    """Leave out paragraphs of training that stand in another part too, of validation likewise."""
    plain = pl.col("text").str.to_lowercase().str.replace_all(r"[\W_]+", " ").str.strip_chars()
    keyed = paragraphs.with_columns(key=plain)
    keys = {part: keyed.filter(pl.col("part") == part)["key"].to_list() for part in PARTS}
    repeated = (
        (pl.col("part") == "train") & pl.col("key").is_in(keys["valid"] + keys["test"])
        | (pl.col("part") == "valid") & pl.col("key").is_in(keys["test"])
    ) & (pl.col("key") != "")
    kept = keyed.filter(~repeated).drop("key")
    lost = paragraphs.height - kept.height
    if not lost:
        return kept, []
    return kept, [
        f"{lost:,} paragraphs of training or validation stand in a later part too: left out with"
        " their questions"
    ]


def _questions(paragraphs: pl.DataFrame, questions: pl.DataFrame) -> Questions:
    """Gather the questions of these paragraphs."""
    rows = {name: row for row, name in enumerate(paragraphs["paragraph_id"])}
    named = ("question_id", "question", "paragraph_id", "answers", "starts")
    asked = [
        Question(name, text, rows[paragraph], tuple(answers), tuple(starts))
        for name, text, paragraph, answers, starts in questions.select(named).iter_rows()
        if paragraph in rows
    ]
    texts = paragraphs.select("paragraph_id", "title", "text").iter_rows()
    return Questions([Paragraph(*each) for each in texts], asked)


def _limited(train: Questions, config: Config) -> Questions:
    """Draw `split.limit` of the training questions, if there are more."""
    limit = config.split.limit
    if not 0 < limit < len(train):
        return train
    drawn = np.random.default_rng(config.seed).permutation(len(train))[:limit]
    return train.some(np.sort(drawn).tolist())


def _shared_titles(paragraphs: pl.DataFrame) -> list[str]:
    """Say how many articles the user's own parts have on both sides."""
    named = paragraphs.filter(pl.col("title") != "").group_by("title")
    shared = named.agg(pl.col("part").n_unique().alias("parts")).filter(pl.col("parts") > 1)
    if not shared.height:
        return []
    return [
        f"{shared.height:,} articles have paragraphs in more than one part: their test questions"
        " are easier than those of new articles"
    ]
