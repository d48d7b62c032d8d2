"""Simulated questions to a bank, each with one intent: the offline stand-in for banking77.

An intent is an action on an object (`card_cancel`, `card_replace`, `transfer_cancel`, …), so that
intents share words with their neighbours in both directions and neither word alone decides. A text
is one of the ways to say the action, one of the ways to say the object, and small talk around it.

Planted, so that tests know the right answer:

- `move_to_savings` and `move_from_savings` are said with the same words in another order. A model
  of single words is at chance between the two; one that sees order is not.
- `noise` is the share of training labels replaced by another intent at random; test labels are
  all true. A sound model loses little, one that memorises loses the share.
- `typos` is the share of texts with two letters swapped in one word.
- class sizes fall off from the first intent to the last by `imbalance`, as they do in practice.

No text occurs twice, neither within a part nor across train and test.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from data.tables import Source, TextClassification

OBJECTS: dict[str, tuple[str, ...]] = {
    "card": ("card", "debit card", "bank card", "plastic card", "visa"),
    "transfer": ("transfer", "wire", "bank transfer", "money transfer", "remittance"),
    "account": ("account", "profile", "bank account", "current account", "login"),
    "top_up": ("top up", "deposit", "cash deposit", "top-up", "payment into my balance"),
    "subscription": ("subscription", "standing order", "direct debit", "monthly plan"),
}
ACTIONS: dict[str, tuple[str, ...]] = {
    "cancel": ("cancel {}", "stop {}", "call off {}", "undo {}", "revoke {}"),
    "replace": ("get a new one for {}", "replace {}", "renew {}", "swap {} for another"),
    "track": ("see where {} is", "track {}", "find out the status of {}", "know when {} arrives"),
    "fee": ("know why there is a fee on {}", "avoid the charge for {}", "see what {} costs"),
    "limit": ("raise the limit of {}", "know the maximum for {}", "change how much {} allows"),
    "problem": ("report that {} is not working", "fix {} that failed", "say {} was declined"),
}
ORDERED: dict[str, tuple[str, ...]] = {
    "move_to_savings": (
        "move money from checking to savings", "send funds from current to savings",
        "shift cash from checking into savings", "put euros from checking to savings",
    ),
    "move_from_savings": (
        "move money from savings to checking", "send funds from savings to current",
        "shift cash from savings into checking", "put euros from savings to checking",
    ),
}  # fmt: skip
OPENINGS = (
    "i want to {}", "how do i {}", "can you help me {}", "please {}", "i need to {}",
    "is there a way to {}", "i would like to {}", "what should i do to {}", "tell me how to {}",
    "{}", "trying to {}", "could i {}", "my partner and i want to {}", "where can i {}",
)  # fmt: skip
GREETINGS = ("", "", "", "hi, ", "hello, ", "good morning, ", "hey there, ", "quick question: ")
ENDINGS = (
    "", "", "", "?", " please", " today", " as soon as possible", ", thanks", " in the app",
    " from abroad", " before friday", " without calling", ", it is urgent", " on my phone",
)  # fmt: skip
OWNERS = ("my", "the", "this", "a", "my wife's", "our")
MOST_INTENTS = len(OBJECTS) * len(ACTIONS) + len(ORDERED)


@dataclass(frozen=True)
class _Intent:
    name: str
    phrases: tuple[str, ...]
    objects: tuple[str, ...]  # empty where the phrase is whole


def generate(
    *,
    seed: int = 0,
    intents: int = 20,
    texts: int = 3000,
    test_share: float = 0.25,
    noise: float = 0.0,
    typos: float = 0.1,
    imbalance: float = 0.5,
) -> TextClassification:
    """Draw `texts` texts of `intents` intents; `imbalance` 0 makes all classes equally large."""
    _check("intents", intents, 2, MOST_INTENTS)
    _check("texts", texts, 10 * intents, 500 * intents)
    for name, value in (("test_share", test_share), ("noise", noise), ("typos", typos)):
        _check(name, value, 0.0, 0.9)
    _check("imbalance", imbalance, 0.0, 3.0)
    rng = np.random.default_rng(seed)
    chosen = _intents()[:intents]
    weights = np.linspace(1.0, 1.0 / (1.0 + imbalance), intents)
    counts = np.maximum(8, np.floor(texts * weights / weights.sum())).astype(int)
    rows = {"train": ([], []), "test": ([], [])}  # type: dict[str, tuple[list[str], list[int]]]
    seen: set[str] = set()
    for label, (intent, count) in enumerate(zip(chosen, counts, strict=True)):
        drawn = _texts(intent, int(count), rng, seen, typos)
        held_out = max(2, round(test_share * len(drawn))) if test_share else 0
        for part, some in (("test", drawn[:held_out]), ("train", drawn[held_out:])):
            rows[part][0].extend(some)
            rows[part][1].extend([label] * len(some))
    train = _frame(*rows["train"], rng)
    test = _frame(*rows["test"], rng)
    train = _with_noise(train, noise, intents, rng)
    options = f"intents={intents} texts={texts} noise={noise} typos={typos} imbalance={imbalance}"
    source = Source(
        name="simulated-intents",
        origin="simulated",
        title=f"Simulated questions to a bank ({options})",
        licence="Apache-2.0, generated by this project",
        checksums={"train": _digest(train), "test": _digest(test)},
        rows=f"{train.height:,} train texts, {test.height:,} test texts, {intents} intents",
    )
    return TextClassification(source, train, test, tuple(intent.name for intent in chosen))


def _intents() -> list[_Intent]:
    """List the intents, the ordered pair first, then object by object within each action."""
    listed = [_Intent(name, phrases, ()) for name, phrases in ORDERED.items()]
    for action, phrases in ACTIONS.items():
        for object_name, objects in OBJECTS.items():
            listed.append(_Intent(f"{object_name}_{action}", phrases, objects))
    return listed


def plainly(label_names: Sequence[str]) -> list[tuple[str, int]]:
    """Return every phrase of each intent with its first object, as (text, label): the simplest
    questions that there are.
    """
    known = {intent.name: intent for intent in _intents()}
    found = []
    for label, name in enumerate(label_names):
        intent = known[name]
        thing = f"my {intent.objects[0]}" if intent.objects else ""
        found += [(phrase.format(thing), label) for phrase in intent.phrases]
    return found


def _texts(
    intent: _Intent, count: int, rng: np.random.Generator, seen: set[str], typos: float
) -> list[str]:
    """Draw `count` new texts; fewer only if the ways to say it run out."""
    drawn: list[str] = []
    for _ in range(50 * count):
        if len(drawn) == count:
            break
        text = _text(intent, rng)
        if rng.random() < typos:
            text = _swapped(text, rng)
        if text not in seen:
            seen.add(text)
            drawn.append(text)
    return drawn


def _text(intent: _Intent, rng: np.random.Generator) -> str:
    phrase = _pick(intent.phrases, rng)
    if intent.objects:
        phrase = phrase.format(f"{_pick(OWNERS, rng)} {_pick(intent.objects, rng)}")
    opening = _pick(OPENINGS, rng).format(phrase)
    text = _pick(GREETINGS, rng) + opening + _pick(ENDINGS, rng)
    return text[0].upper() + text[1:] if rng.random() < 0.5 else text


def _swapped(text: str, rng: np.random.Generator) -> str:
    """Swap two neighbouring letters inside one of the longer words."""
    words = text.split(" ")
    long = [i for i, word in enumerate(words) if len(word) > 4]
    if not long:
        return text
    i = long[int(rng.integers(len(long)))]
    at = int(rng.integers(1, len(words[i]) - 2))
    word = words[i]
    words[i] = word[:at] + word[at + 1] + word[at] + word[at + 2 :]
    return " ".join(words)


def _with_noise(
    frame: pl.DataFrame, noise: float, intents: int, rng: np.random.Generator
) -> pl.DataFrame:
    """Replace a share of the labels by another intent."""
    labels = frame["label"].to_numpy().copy()
    wrong = rng.random(len(labels)) < noise
    shift = rng.integers(1, intents, size=len(labels))
    labels[wrong] = ((labels + shift) % intents)[wrong]
    return frame.with_columns(pl.Series("label", labels, dtype=pl.Int32))


def _frame(texts: list[str], labels: list[int], rng: np.random.Generator) -> pl.DataFrame:
    order = rng.permutation(len(texts))
    return pl.DataFrame(
        {"text": [texts[i] for i in order], "label": [labels[i] for i in order]},
        schema={"text": pl.String, "label": pl.Int32},
    )


def _pick(options: tuple[str, ...], rng: np.random.Generator) -> str:
    return options[int(rng.integers(len(options)))]


def _digest(frame: pl.DataFrame) -> str:
    return hashlib.sha256(frame.write_json().encode()).hexdigest()


def _check(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise ValueError(f"{name}: {value} is out of range; give a value from {low:g} to {high:g}")
