"""SST-2: 67,349 phrases and 872 sentences of film reviews, each negative or positive.

GLUE's form of the Stanford Sentiment Treebank: the training part holds phrases, often a few words
of a sentence, the dev part whole sentences. GLUE keeps the labels of its test part back, so dev is
the test here, as in most published figures, and a validation part has to be drawn from training.

Source: Socher et al., "Recursive Deep Models for Semantic Compositionality", 2013; Wang et al.,
"GLUE", 2019. Two packings are read: the tables of a public repository, whose columns are
`label, sentence` or `label, content`, and GLUE's own archive, `sentence, label`.
"""

from __future__ import annotations

from pathlib import Path

import polars as pl

from data.cards import Archive, Card, Fetched, File, Form
from data.errors import Damaged
from data.tables import Source, TextClassification

LABEL_NAMES = ("negative", "positive")
_BASE = (
    "https://raw.githubusercontent.com/awake020/pytorch_Bert_sst2/"
    "ce2ab1719d32182e6233b24b2de246bd32814fde/SST-2/"
)
_GLUE = Archive(("https://dl.fbaipublicfiles.com/glue/data/SST-2.zip",), "zip", 50_000_000)

CARD = Card(
    name="sst2",
    folder="sst2",
    title="SST-2, film reviews",
    task="text classification",
    homepage="https://nlp.stanford.edu/sentiment/",
    licence="none stated; for research",
    citation="Socher et al., Recursive Deep Models for Semantic Compositionality, 2013",
    published={"train": 67349, "dev": 872},
    forms=(
        Form(
            "tables",
            (
                File(
                    "train.tsv",
                    3806081,
                    "e981ceb4fe6c9acd1c79851d0d091b9e78103f1f2a399ca83dda27915d41c56c",
                    urls=(_BASE + "train.tsv",),
                ),
                File(
                    "dev.tsv",
                    94414,
                    "84207e6be5873fb18db798cc6faec86871f5a426554650ff64a1c34e87665f6f",
                    urls=(_BASE + "dev.tsv",),
                ),
            ),
        ),
        Form(
            "glue",
            tuple(
                File(f"SST-2/{part}.tsv", None, None, archive=_GLUE, member=f"SST-2/{part}.tsv")
                for part in ("train", "dev")
            ),
            note="GLUE's archive; no checksum is published, so the number of rows is checked.",
        ),
    ),
)


def read(fetched: Fetched) -> TextClassification:
    """Read the training part, and dev as the test."""
    parts = {Path(name).stem: _read_part(path) for name, path in fetched.paths.items()}
    counts = {part: frame.height for part, frame in parts.items()}
    if counts != {part: fetched.card.published[part] for part in counts}:
        folder = next(iter(fetched.paths.values())).parent
        raise Damaged(f"{folder} holds {counts} rows. Delete it and fetch it again.")
    source = Source(
        name=CARD.name,
        origin=fetched.origin,
        title=CARD.title,
        licence=CARD.licence,
        checksums=fetched.checksums,
        rows=f"{counts['train']:,} train phrases, {counts['dev']:,} test sentences (GLUE's dev)",
    )
    return TextClassification(source, parts["train"], parts["dev"], LABEL_NAMES)


def _read_part(path: Path) -> pl.DataFrame:
    """Read a table of a label and a text; quotation marks in it are part of the text."""
    frame = pl.read_csv(path, separator="\t", quote_char=None)
    (text,) = (column for column in frame.columns if column != "label")
    return frame.select(
        pl.col(text).str.strip_chars().alias("text"), pl.col("label").cast(pl.Int32)
    )
