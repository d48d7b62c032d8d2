"""BANKING77: 13,083 questions to a bank, each with one of 77 intents.

The text-classification room's public set. Two CSV files with a header (`text,category`) and the
list of intents, whose order gives the labels their numbers.

Source: Casanueva et al., "Efficient Intent Detection with Dual Sentence Encoders", 2020. The
authors' split is kept; texts are kept as published, with a stray line end inside some of them.
"""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl

from data.cards import Card, Fetched, File, Form
from data.tables import Source, TextClassification

_BASE = (
    "https://raw.githubusercontent.com/PolyAI-LDN/task-specific-datasets/"
    "57ec275d8078af65b7731c2a98be812d844a6d6b/banking_data/"
)

CARD = Card(
    name="banking77",
    folder="banking77",
    title="BANKING77",
    task="text classification",
    homepage="https://github.com/PolyAI-LDN/task-specific-datasets",
    licence="CC BY 4.0",
    citation="Casanueva et al., Efficient Intent Detection with Dual Sentence Encoders, 2020",
    published={"train": 10003, "test": 3080, "classes": 77},
    forms=(
        Form(
            "official",
            (
                File(
                    "train.csv",
                    839073,
                    "b06e26ac675513959a63135f11b94ea7786ed02da65db93a5650d8838cbc664b",
                    urls=(_BASE + "train.csv",),
                ),
                File(
                    "test.csv",
                    239961,
                    "d12d6e3bc4c3103966ae786dc435913c0c563dfa328f5a3646d0e62cfeeb474d",
                    urls=(_BASE + "test.csv",),
                ),
                File(
                    "categories.json",
                    2036,
                    "53261da888122daf2d120d925458631d9619e15d82e56052e7a42e535ce32b63",
                    urls=(_BASE + "categories.json",),
                ),
            ),
        ),
    ),
)


def read(fetched: Fetched) -> TextClassification:
    """Read the split of the authors."""
    names = tuple(json.loads(fetched.paths["categories.json"].read_text(encoding="utf-8")))
    train = _read_split(fetched.paths["train.csv"], names)
    test = _read_split(fetched.paths["test.csv"], names)
    source = Source(
        name=CARD.name,
        origin=fetched.origin,
        title=CARD.title,
        licence=CARD.licence,
        checksums=fetched.checksums,
        rows=f"{train.height:,} train texts, {test.height:,} test texts, {len(names)} intents",
    )
    return TextClassification(source, train, test, names)


def _read_split(path: Path, names: tuple[str, ...]) -> pl.DataFrame:
    numbers = {name: number for number, name in enumerate(names)}
    return pl.read_csv(path).select(
        pl.col("text"),
        pl.col("category").replace_strict(numbers, return_dtype=pl.Int32).alias("label"),
    )
