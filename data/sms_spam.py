"""SMS Spam Collection: 5,574 messages in English, 747 of them spam.

No split is published, so one is drawn here, always the same: a fifth of the messages is the test.
Spam repeats itself with another number or another prize, and a message that was sent on is there
twice, so messages that are equal but for case, punctuation and digits form a group, and whole
groups are drawn: otherwise a tenth of the test would be a copy of a training message.

Source: Almeida et al., "Contributions to the Study of SMS Spam Filtering", 2011. One line a
message, label and text with a tabulator between; line ends are those of Windows in one of the two
packings, and count for nothing.
"""

from __future__ import annotations

import polars as pl

from common.evaluation.splits import grouped_split
from data.cards import Archive, Card, Fetched, File, Form
from data.tables import Source, TextClassification

LABEL_NAMES = ("ham", "spam")
TEST_SHARE = 0.2
SPLIT_NOTICE = (
    "No split is published for sms_spam: a fifth is drawn as the test, messages that are equal but "
    "for case, punctuation and digits all to one part."
)
_FILE = "SMSSpamCollection"

CARD = Card(
    name="sms_spam",
    folder="sms_spam",
    title="SMS Spam Collection",
    task="text classification",
    homepage="https://archive.ics.uci.edu/dataset/228/sms+spam+collection",
    licence="CC BY 4.0",
    citation="Almeida et al., Contributions to the Study of SMS Spam Filtering, 2011",
    published={"messages": 5574, "ham": 4827, "spam": 747},
    forms=(
        Form(
            "official",
            (
                File(
                    f"official/{_FILE}",
                    477907,
                    "7d039a24a6083ed9ef0f806ebad56bbb976e3aeb8de05669173bfdc4996c239d",
                    archive=Archive(
                        ("https://archive.ics.uci.edu/static/public/228/sms+spam+collection.zip",),
                        "zip",
                        2_000_000,
                    ),
                    member=_FILE,
                ),
            ),
        ),
        Form(
            "windows",
            (
                File(
                    _FILE,
                    483481,
                    "55341228082b25b832a5868a5ab4b038142a57f70c676c123280af6ff457fe46",
                    urls=(
                        "https://raw.githubusercontent.com/krishnaik06/Huggingfacetransformer/"
                        f"8e97d009508252d1a31ac1fdbd2722f310d99d92/{_FILE}",
                    ),
                ),
            ),
            note="The same text with the line ends of Windows.",
        ),
    ),
)


def read(fetched: Fetched) -> TextClassification:
    """Read the messages and draw the test."""
    (path,) = fetched.paths.values()
    lines = path.read_text(encoding="utf-8").split("\n")
    pairs = [line.split("\t", 1) for line in lines if line]
    frame = pl.DataFrame(
        {
            "text": [text for _, text in pairs],
            "label": [LABEL_NAMES.index(label) for label, _ in pairs],
        },
        schema={"text": pl.String, "label": pl.Int32},
    )
    shape = pl.col("text").str.to_lowercase().str.replace_all(r"\d+", "0")
    shape = shape.str.replace_all(r"[\W_]+", " ").str.strip_chars()
    groups = frame.select(shape).to_series().to_numpy()
    train, test = grouped_split(groups, (1 - TEST_SHARE, TEST_SHARE), seed=0)
    source = Source(
        name=CARD.name,
        origin=fetched.origin,
        title=CARD.title,
        licence=CARD.licence,
        checksums=fetched.checksums,
        rows=f"{len(train):,} train messages, {len(test):,} test messages",
        notice=SPLIT_NOTICE,
    )
    return TextClassification(source, frame[train], frame[test], LABEL_NAMES)
