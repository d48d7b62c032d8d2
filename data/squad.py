"""SQuAD 1.1: 98,169 questions about 20,963 paragraphs of Wikipedia, answered by spans of them.

The question-answering room's public set. The authors' development part, whose questions have three
answers and more, is the test here, as everywhere: their own test part was never published.

It is read in two forms. `official` is the authors' two files. `pages` is the same texts rebuilt
from the authors' page of each article, which does not say where an answer begins: there the first
occurrence is taken, so training questions whose answer occurs more than once in its paragraph are
left out (9,438); scores do not look at places. Training ids of this form are its maker's own.

Source: Rajpurkar et al., "SQuAD: 100,000+ Questions for Machine Comprehension of Text", 2016.
"""

from __future__ import annotations

from urllib.parse import unquote

import polars as pl

from data.cards import Card, Fetched, File, Form
from data.files.squad_json import SquadJson
from data.tables import QuestionAnswers, Source

_BASE = "https://rajpurkar.github.io/SQuAD-explorer/dataset/"
PAGES = "pages"

CARD = Card(
    name="squad",
    folder="squad_v1.1",
    title="SQuAD 1.1",
    task="question answering",
    homepage="https://rajpurkar.github.io/SQuAD-explorer/",
    licence="CC BY-SA 4.0",
    citation="Rajpurkar et al., SQuAD: 100,000+ Questions for Machine Comprehension of Text, 2016",
    published={
        "train articles": 442, "train paragraphs": 18896, "train questions": 87599,
        "test articles": 48, "test paragraphs": 2067, "test questions": 10570,
    },
    forms=(
        Form(
            "official",
            (
                File(
                    "train-v1.1.json",
                    30288272,
                    "3527663986b8295af4f7fcdff1ba1ff3f72d07d61a20f487cb238a6ef92fd955",
                    urls=(_BASE + "train-v1.1.json",),
                ),
                File(
                    "dev-v1.1.json",
                    4854279,
                    "95aa6a52d5d6a735563366753ca50492a658031da74f301ac5238b03966972c9",
                    urls=(_BASE + "dev-v1.1.json",),
                ),
            ),
        ),
        Form(
            PAGES,
            (
                File(
                    "train-v1.1.from_pages.json",
                    28430387,
                    "06e7795aa562e16507b5cfb26c2a744371efa04c105f446bb0c2c80401bf794e",
                ),
                File(
                    "dev-v1.1.from_pages.json",
                    4644643,
                    "6ae6045d68b272b381f84b19c289b7506d6bd16870fd1cec25e619fa5e7ad997",
                ),
            ),
            note="rebuilt from the authors' pages: answers begin at their first occurrence",
        ),
    ),
)  # fmt: skip


def read(fetched: Fetched) -> QuestionAnswers:
    """Read both parts; the development part is the test."""
    files = {"train": "train", "dev": "test"}
    found = SquadJson()
    for name, path in fetched.paths.items():
        found.read(path, files[name.partition("-")[0]])
    paragraphs, questions = found.frames()
    paragraphs = paragraphs.with_columns(
        pl.col("title").map_elements(unquote, return_dtype=pl.String)
    )
    notice = None
    if fetched.form.name == PAGES:
        questions, notice = _without_guessed(paragraphs, questions)
    parts = questions.join(paragraphs.select("paragraph_id", "part"), on="paragraph_id")
    train = parts.filter(pl.col("part") == "train").height
    source = Source(
        name=CARD.name,
        origin=fetched.origin,
        title=CARD.title,
        licence=CARD.licence,
        checksums=fetched.checksums,
        rows=f"{train:,} train questions, {questions.height - train:,} test questions,"
        f" {paragraphs.height:,} paragraphs, {paragraphs['title'].n_unique():,} articles",
        notice=notice,
    )
    return QuestionAnswers(source, paragraphs, questions)


def _without_guessed(paragraphs: pl.DataFrame, questions: pl.DataFrame) -> tuple[pl.DataFrame, str]:
    """Leave out training questions whose answer could begin elsewhere too, and say so."""
    texts = {
        name: text
        for name, text, part in paragraphs.select("paragraph_id", "text", "part").iter_rows()
        if part == "train"
    }
    several = [
        any(_occurs_again(texts[name], answer) for answer in answers) if name in texts else False
        for name, answers in questions.select("paragraph_id", "answers").iter_rows()
    ]
    kept = questions.filter(~pl.Series(several))
    return kept, (
        f"This form of SQuAD does not say where an answer begins: {sum(several):,} training"
        " questions whose answer occurs more than once in its paragraph are left out. Test"
        " questions are whole; scores do not look at places."
    )


def _occurs_again(text: str, answer: str) -> bool:
    first = text.find(answer)
    return first >= 0 and text.find(answer, first + 1) >= 0
