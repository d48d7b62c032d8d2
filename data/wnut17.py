"""WNUT-17, emerging and rare entities: posts of people, each word tagged with one of six types.

The public set of named-entity recognition. Training posts are from Twitter (2010 to 2013), the
validation part is comments on YouTube, the test part posts on StackExchange, Reddit and Twitter:
the names of one part hardly occur in another, which is the point of it. Word and tag with a tab
between, BIO2; between two posts of the training file stands a lone tab, of the others an empty
line.

Source: Derczynski et al., "Results of the WNUT2017 Shared Task on Novel and Emerging Entity
Recognition", 2017. The test part is read from the file with one tag a word,
`emerging.test.annotated`, which the shared task scored; the authors' other one joins the tags of
several people by commas.
"""

from __future__ import annotations

from pathlib import Path

import polars as pl

from data.cards import Card, Fetched, File, Form
from data.conll import entities_in, read_lines, types_of
from data.errors import Damaged
from data.tables import Source, TaggedTokens

_BASE = "https://raw.githubusercontent.com/leondz/emerging_entities_17/master/"
PARTS = {  # ours -> their file
    "train": "wnut17train.conll",
    "valid": "emerging.dev.conll",
    "test": "emerging.test.annotated",
}

CARD = Card(
    name="wnut17",
    folder="wnut17",
    title="WNUT-17 emerging and rare entities",
    task="named-entity recognition",
    homepage="https://noisy-text.github.io/2017/emerging-rare-entities.html",
    licence="CC BY 4.0",
    citation="Derczynski et al., Results of the WNUT2017 Shared Task on Novel and Emerging Entity"
    " Recognition, 2017",
    published={"train": 3394, "valid": 1009, "test": 1287, "types": 6,
               "entities_train": 1975, "entities_valid": 836, "entities_test": 1079},
    forms=(
        Form(
            "official",
            (
                File(
                    "wnut17train.conll",
                    493781,
                    "731820e13f71af324c6b55a1575ec2ce59fbaa2a0806f8f0400b98d56cd6a7a5",
                    urls=(_BASE + "wnut17train.conll",),
                ),
                File(
                    "emerging.dev.conll",
                    114749,
                    "e053b752b8155113ca66e7db08af5f2f5f43ab993694e4774f1ec5bad42312d8",
                    urls=(_BASE + "emerging.dev.conll",),
                ),
                File(
                    "emerging.test.annotated",
                    192425,
                    "2aa79b764e56ec9264a1b30fdd9b70195bd00ff400b62edd8f399d5f13c178f0",
                    urls=(_BASE + "emerging.test.annotated",),
                ),
            ),
        ),
    ),
)  # fmt: skip


def read(fetched: Fetched) -> TaggedTokens:
    """Read the split of the authors."""
    parts = {part: _read_part(fetched.paths[file]) for part, file in PARTS.items()}
    types = types_of(*parts.values())
    counts = ", ".join(f"{frame.height:,} {part}" for part, frame in parts.items())
    entities = sum(entities_in(frame) for frame in parts.values())
    source = Source(
        name=CARD.name,
        origin=fetched.origin,
        title=CARD.title,
        licence=CARD.licence,
        checksums=fetched.checksums,
        rows=f"{counts} posts, {entities:,} entities of {len(types)} types",
    )
    return TaggedTokens(source, parts["train"], types, parts["valid"], parts["test"])


def _read_part(path: Path) -> pl.DataFrame:
    # not splitlines: some words hold characters that it takes for line ends
    lines = path.read_text(encoding="utf-8").split("\n")

    def damaged(row: int, what: str) -> None:
        raise Damaged(f"{path}, row {row}: {what}. Delete the file and fetch it again.")

    return read_lines(enumerate(lines, start=1), fault=damaged).frame()
