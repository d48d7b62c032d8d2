"""AG News: 127,600 news articles, title and first sentences, in four topics.

The official form is the authors' two tables. Where only the test table can be had, as on a mirror
without the large one, the "subset" form trains on rows that others drew from the training table for
their own experiments, about a fifth of it; figures on it are told as such.

The subsets overlap, and one of them leaves the titles out, so an article is known by its last
LAST words: of equal ones the first is kept, and none is kept whose end is a test article's. Of the
subset with noisy labels the true ones are taken.

Source: Zhang et al., "Character-level Convolutional Networks for Text Classification", 2015;
Huang et al., "NoisyAG-News", 2024; Yuan et al., "ALPS", 2020, for two of the subsets.
"""

from __future__ import annotations

from pathlib import Path

import polars as pl

from data.cards import Card, Fetched, File, Form
from data.tables import Source, TextClassification

LABEL_NAMES = ("World", "Sports", "Business", "Sci/Tech")
LAST = 12
SUBSET_NOTICE = (
    "ag_news: trained on {rows:,} of the 120,000 training articles, those that others drew for "
    "their experiments; fetch train.csv for all of them."
)
_BASE = (
    "https://raw.githubusercontent.com/mhjabreel/CharCnn_Keras/"
    "555590db4219b1243abb1918effd6a7425a2d75f/data/ag_news_csv/"
)
_ALPS = (
    "https://raw.githubusercontent.com/forest-snow/alps/3c7ef2c98249fc975a897b27f275695f97d5b7a9"
)
_NOISY = (
    "https://raw.githubusercontent.com/hhf-hd/NoisyAG-News/"
    "94f5e5b24d49a64c0128caf90247869f991bd7c0/dataset/samples10000valMed.csv"
)
_LST = (
    "https://raw.githubusercontent.com/lst11111/bert-text-classification/"
    "d52bf84e15f59794226916f08e74702b3f70389c/data/ag_news/train.csv"
)
_TEST = File(
    "test.csv",
    1857427,
    "521465c2428ed7f02f8d6db6ffdd4b5447c1c701962353eb2c40d548c3c85699",
    urls=(_BASE + "test.csv",),
)

CARD = Card(
    name="ag_news",
    folder="ag_news",
    title="AG News",
    task="text classification",
    homepage="https://github.com/mhjabreel/CharCnn_Keras",
    licence="for research, not for commerce",
    citation="Zhang et al., Character-level Convolutional Networks for Text Classification, 2015",
    restriction="its readme allows research and other use that is not commercial.",
    published={"train": 120000, "test": 7600, "classes": 4},
    forms=(
        Form(
            "official",
            (
                File(
                    "train.csv",
                    29470338,
                    "76a0a2d2f92b286371fe4d4044640910a04a803fdd2538e0f3f29a5c6f6b672e",
                    urls=(_BASE + "train.csv",),
                ),
                _TEST,
            ),
        ),
        Form(
            "subset",
            (
                _TEST,
                File(
                    "train_noisyagnews.csv",
                    2499311,
                    "b8d073074344b16bcf53357ba236bc832abe125fe4ce9dea4e5a72371f6265f7",
                    urls=(_NOISY,),
                ),
                File(
                    "train_lst.csv",
                    1207718,
                    "23ff4a798bef4c6f1bab4018f491757b87e124901515e4e208461e022a163401",
                    urls=(_LST,),
                ),
                File(
                    "train_alps.tsv",
                    2030410,
                    "7a0811e0006080bf4de17752c5466450ff3db778be71bc5bcf3c4e99b5f0803d",
                    urls=(f"{_ALPS}/data/agnews/dev.tsv",),
                ),
            ),
            note="About a fifth of the training articles, the official test; figures are lower.",
        ),
    ),
)


def read(fetched: Fetched) -> TextClassification:
    """Read either form; titles and descriptions are joined."""
    paths = fetched.paths
    official = fetched.form.name == "official"
    test = _official(paths["test.csv"])
    train = _official(paths["train.csv"]) if official else _subset(paths, test)
    source = Source(
        name=CARD.name,
        origin=fetched.origin,
        title=CARD.title,
        licence=CARD.licence,
        checksums=fetched.checksums,
        rows=f"{train.height:,} train articles, {test.height:,} test articles, 4 topics",
        notice=None if official else SUBSET_NOTICE.format(rows=train.height),
    )
    return TextClassification(source, train, test, LABEL_NAMES)


def _official(path: Path) -> pl.DataFrame:
    """Read rows of a class from 1 to 4, a title and a description."""
    names = ["class", "title", "description"]
    frame = pl.read_csv(path, has_header=False, new_columns=names)
    return _frame(frame, pl.concat_str("title", "description", separator=" "), pl.col("class") - 1)


def _subset(paths: dict[str, Path], test: pl.DataFrame) -> pl.DataFrame:
    """Put the subsets together, each article once and none of the test's."""
    noisy = pl.read_csv(paths["train_noisyagnews.csv"])
    titled = pl.read_csv(paths["train_lst.csv"], has_header=False, new_columns=["text", "label"])
    bare = pl.read_csv(
        paths["train_alps.tsv"], separator="\t", quote_char=None, has_header=False,
        new_columns=["text", "name"],
    ).filter(pl.col("name").is_in(LABEL_NAMES))  # fmt: skip
    numbers = {name: number for number, name in enumerate(LABEL_NAMES)}
    parts = [
        _frame(noisy, pl.col("text"), pl.col("gt")),  # `label` is the noisy one
        _frame(titled, pl.col("text"), pl.col("label")),
        _frame(bare, pl.col("text"), pl.col("name").replace_strict(numbers)),
    ]
    ends = _ends(test).select("end").unique()
    train = _ends(pl.concat(parts)).unique("end", keep="first", maintain_order=True)
    return train.join(ends, on="end", how="anti", maintain_order="left").drop("end")


def _frame(frame: pl.DataFrame, text: pl.Expr, label: pl.Expr) -> pl.DataFrame:
    """Return text and label; a backslash stands for a line end of the source."""
    plain = text.str.replace_all("\\", " ", literal=True).str.strip_chars()
    return frame.select(text=plain, label=label.cast(pl.Int32))


def _ends(frame: pl.DataFrame) -> pl.DataFrame:
    """Add the last words of each text, case and punctuation aside, as `end`."""
    words = pl.col("text").str.to_lowercase().str.replace_all(r"[\W_]+", " ").str.strip_chars()
    return frame.with_columns(end=words.str.split(" ").list.tail(LAST).list.join(" "))
