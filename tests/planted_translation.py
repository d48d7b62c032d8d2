"""A made-up language to learn, and a translator small enough for a test."""

from functools import cache
from typing import Any

from data.simulated.translation import generate
from patterns.nlp.translation.entities.pairs import Pairs
from patterns.nlp.translation.stages.subwords import Subwords
from patterns.nlp.translation.stages.translator import Translator

WORLD = 1500  # sentences
ODD = [
    "",
    "日本語 🎬 👩‍👧",
    "</s> <pad> ▁▂ a",
    "tab\tline\n end ",
    "e\u0301 ﬁ",
    "\ud800x",
    "\x00\x1b",
]


def world(texts: int = WORLD) -> tuple[Pairs, Pairs]:
    """Give pairs for training and for judging."""
    table = generate(texts=texts)
    train, test = (
        Pairs(frame["en"].to_list(), frame["toy"].to_list()) for frame in (table.train, table.test)
    )
    return train, test


@cache
def learned() -> Translator:
    """Give one translator of that language for all tests of a process; they must not change it."""
    return small_translator(*world(), epochs=5)


def small_translator(train: Pairs, valid: Pairs, **options: Any) -> Translator:
    """Train a small Transformer for seconds."""
    fitting = {name: options.pop(name) for name in ("checkpoint", "resume") if name in options}
    sizes: dict[str, Any] = {
        "width": 48, "heads": 4, "encoder_layers": 1, "decoder_layers": 1, "hidden": 96,
        "dropout": 0.0, "epochs": 8, "batch_tokens": 800, "learning_rate": 6e-3, "ema": 0.9,
        "max_length": 64, "precision": "fp32", "device": "cpu", **options,
    }  # fmt: skip
    subwords = Subwords(vocabulary=400).fit([*train.sources, *train.targets])
    return Translator(**sizes).fit(train, valid, subwords, **fitting)
