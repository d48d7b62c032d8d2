"""Multi30k: captions of photographs in English, German and French, each a translation of the first.

29,000 training captions, 1,014 to validate, and four test parts of WMT's shared tasks on multimodal
translation. `test_2016_flickr` is the one that most papers report and is the test here; the others
are `extra`: two later years, and captions of COCO with ambiguous verbs, which are harder. The texts
are raw: cased, with their punctuation attached to words.

The German captions are translations by people who saw the English one, and for the most part not
the photograph (Elliott et al. 2016); the French ones followed in 2017.
"""

from __future__ import annotations

import gzip
from pathlib import Path

import polars as pl

from data.cards import Card, Fetched, File, Form
from data.errors import Damaged
from data.tables import ParallelTexts, Source

LANGUAGES = ("en", "de", "fr")
TEST = "test_2016_flickr"
EXTRA = ("test_2017_flickr", "test_2017_mscoco", "test_2018_flickr")
_BASE = (
    "https://raw.githubusercontent.com/multi30k/dataset/"
    "a3d2e0d26b56f3846f66a952536ffed4e401d05a/data/task1/raw/"
)
# sha256, bytes, name
_FILES = """
d79cfa999dd4c51d2cb42499b6796d5a882c3a8a961923c25a898c90f8bbd56f 568929 train.en.gz
14f7d25ddd868909a9213e361768460edcacdd6ab9d1e77b92560dc10c10dc28 21650 val.en.gz
611d361c6334bc7246101d48097c13cf5c4413c5befc793cc629934359d532d9 21077 test_2016_flickr.en.gz
76a444ee25172e72695cddb13ae4a3bda59430617be88e0bb46b60504f054074 19138 test_2017_flickr.en.gz
aab300bfb4427697987e02cd0aacd44bfe8aa50456231b6474c08038bbed2b58 8844 test_2017_mscoco.en.gz
ef4f4844037d4c5dea75c9a8ed5fd78905967a26f67c255e230cc9780032654d 23514 test_2018_flickr.en.gz
726e39b2fa9eb9ffb6dc763fb35a179f80fae06ffc5d28b6ace5faa883de28a6 637044 train.de.gz
f0cba2f995189cf5770f29a8a9a537a3ad3f51657ad873405082ff6863a5e75a 24681 val.de.gz
9204244e408ccb38d2a55cfcd344df15005fc42a07a6e55ca6c52b6ababb8cc8 22890 test_2016_flickr.de.gz
a2c89666db00c495cd8513b9d708d5a3acc205d7de312ef2bf5fb7ebc1540aee 21471 test_2017_flickr.de.gz
799e4854c25d601cb6cb6be29eabe5667734c61ace2f495e03e429031a0bc338 10230 test_2017_mscoco.de.gz
ddd0130c7d97482dc5197a02141dae8dd79f20f03586c480d675c09a32daf608 26461 test_2018_flickr.de.gz
622e75069e9f4c577425c4f277116ce66e63a2401c0a2312d90073cb12379a3c 604242 train.fr.gz
ca3106f1a72390591d25f6c45cb4cd39dec4cd3f123e099748a3ce5256c160e9 23001 val.fr.gz
6d326e188d259fb1d04ac19eae3af956559b3a0b93d7635e56c90987c40c8b90 22310 test_2016_flickr.fr.gz
3ba671ceb2299f3304ffafefea7a833d08632fbaf0ba18546f8a2ec2391af496 20434 test_2017_flickr.fr.gz
754f3072ba9f124569ba5258b32730fc1d214bbf8e0c6dfb2b74401676220db0 9751 test_2017_mscoco.fr.gz
fb2b83fcceb937a4f7e3e93c1c51c22aba92f1e342391e6b5ba392b16a920501 25321 test_2018_flickr.fr.gz
"""


def _file(line: str) -> File:
    digest, size, name = line.split()
    return File(name, int(size), digest, urls=(_BASE + name,))


CARD = Card(
    name="multi30k",
    folder="multi30k",
    title="Multi30k, task 1",
    task="translation",
    homepage="https://github.com/multi30k/dataset",
    licence="no licence file; captions of Flickr30k: non-commercial research",
    restriction="The authors name no licence, and the captions come from Flickr30k: treat them as"
    " data for non-commercial research.",
    citation="Elliott et al., Multi30K: Multilingual English-German Image Descriptions, 2016",
    published={
        "train": 29000,
        "val": 1014,
        "test_2016_flickr": 1000,
        "test_2017_flickr": 1000,
        "test_2017_mscoco": 461,
        "test_2018_flickr": 1071,
    },
    forms=(Form("official", tuple(map(_file, _FILES.strip().splitlines()))),),
)


def read(fetched: Fetched) -> ParallelTexts:
    """Read all parts; line n of a part is the same caption in each language."""
    parts = {name: _part(fetched.paths, name) for name in fetched.card.published}
    for name, rows in fetched.card.published.items():
        if parts[name].height != rows:
            raise Damaged(
                f"multi30k: {name} has {parts[name].height:,} captions, published are {rows:,}."
                " Delete its files and fetch them again."
            )
    train, valid, test = parts["train"], parts["val"], parts[TEST]
    source = Source(
        name=CARD.name,
        origin=fetched.origin,
        title=CARD.title,
        licence=CARD.licence,
        checksums=fetched.checksums,
        rows=f"{train.height:,} train captions, {valid.height:,} validation captions,"
        f" {test.height:,} test captions, in {', '.join(LANGUAGES)}",
    )
    extra = {name: parts[name] for name in EXTRA}
    return ParallelTexts(source, train, test, LANGUAGES, valid, extra)


def _part(paths: dict[str, Path], name: str) -> pl.DataFrame:
    """Read a part: a column for each language."""
    columns = {language: _lines(paths[f"{name}.{language}.gz"]) for language in LANGUAGES}
    if len({len(lines) for lines in columns.values()}) > 1:
        counts = ", ".join(f"{each}: {len(lines):,}" for each, lines in columns.items())
        raise Damaged(f"multi30k: {name} has lines that do not pair up ({counts}). Fetch it again.")
    return pl.DataFrame(columns)


def _lines(path: Path) -> list[str]:
    """Return the captions; only a line feed ends one, whatever Unicode calls a line end."""
    text = gzip.decompress(path.read_bytes()).decode("utf-8")
    return [line.strip() for line in text.removesuffix("\n").split("\n")]
