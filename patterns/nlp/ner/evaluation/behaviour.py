"""What must hold whatever the test says: names replaced, case changed, words misspelt, no name.

The cases are test sentences, changed; each is named by its number, since tables are published and
rows of a dataset are not. Ribeiro et al. 2020 (CheckList) have the kinds of checks.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from common.evaluation.behaviour import Check, Kind, checklist, with_typo
from common.evaluation.report import Table
from common.evaluation.spans import Span, spans
from patterns.nlp.ner.entities.sentences import Sentences, Words
from patterns.nlp.ner.evaluation.answers import Answers
from patterns.nlp.ner.pipeline import Pipeline

MOST = 200  # cases of a check
PLAIN = (
    "it was raining all day and we stayed at home .", "what time is it ?",
    "i do not know what to say about that .", "they were late because the road was closed .",
    "the old house needs a new roof .", "can you help me with this ?",
    "she went home and slept until noon .", "there are three apples on the table .",
)  # fmt: skip
PRONOUN = "something"
Case = tuple[str, list[str], Callable[[list[Span]], bool]]
"""What it is called, the changed words, and what must hold of the spans that are said."""


@dataclass
class _Checks:
    """Cases by check, all to be tagged at once."""

    cases: dict[tuple[str, Kind], list[Case]] = field(default_factory=dict)

    def add(self, name: str, kind: Kind, cases: Sequence[Case]) -> None:
        self.cases[name, kind] = list(cases[:MOST])

    def run(self, pipeline: Pipeline) -> list[Check]:
        every = [case for cases in self.cases.values() for case in cases]
        tagged = iter(pipeline.tag([words for _, words, _ in every]))
        made = []
        for (name, kind), cases in self.cases.items():
            passed = [holds(spans(next(tagged))) for _, _, holds in cases]
            made.append(Check(name, kind, np.array(passed, bool), [case[0] for case in cases]))
        return made


def behaviour_table(pipeline: Pipeline, answers: Answers, *, seed: int) -> Table:
    """Run the checks on what serves."""
    rng = np.random.default_rng(seed)
    test, found = answers.splits.test, answers.final
    hits = [
        (row, span)
        for row, (said, true) in enumerate(zip(found, answers.true, strict=True))
        for span in said
        if span in true
    ]
    hits = [hits[place] for place in rng.permutation(len(hits))[:MOST]]
    rows = [row for row, said in enumerate(found) if said]
    rows = [rows[place] for place in rng.permutation(len(rows))[:MOST]]
    checks = _Checks()
    checks.add("no name in plain words", "minimum functionality", [_plain(each) for each in PLAIN])
    checks.add(
        "training names in their own sentence", "minimum functionality",
        _own(answers.splits.train, rng),
    )  # fmt: skip
    names = _names(answers.splits.train)
    checks.add(
        "another name of the type is found", "invariance",
        [_renamed(test, row, span, names, rng) for row, span in hits if span[2] in names],
    )  # fmt: skip
    for name, change in (
        ("small letters keep the entities", str.lower),
        ("capitals keep the entities", str.upper),
    ):
        changed = [(row, [change(word) for word in test.words[row]]) for row in rows]
        checks.add(name, "invariance", [_kept(row, words, found[row]) for row, words in changed])
    changed = [(row, _misspelt(test.words[row], found[row], rng)) for row in rows]
    checks.add(
        "a typo beside the entities keeps them", "invariance",
        [_kept(row, words, found[row]) for row, words in changed if words],
    )  # fmt: skip
    checks.add(
        "a sentence in front keeps the entities", "invariance",
        [_kept(row, [*PLAIN[0].split(), *test.words[row]], _moved(found[row])) for row in rows],
    )  # fmt: skip
    checks.add(
        "without its name no entity is left", "direction",
        [_removed(test, row, span) for row, span in hits],
    )  # fmt: skip
    caption = (
        f"Up to {MOST} cases each, of test sentences; right entities for the names, all that were"
        " said for the others."
    )
    return checklist(checks.run(pipeline), caption=caption)


def _case(row: int) -> str:
    return f"test sentence {row + 1}"


def _plain(text: str) -> Case:
    return text, text.split(), lambda said: not said


def _own(train: Sentences, rng: np.random.Generator) -> list[Case]:
    """Return training sentences with one of their entities each."""
    rows = [row for row, found in enumerate(train.spans) if found]
    chosen = [rows[place] for place in rng.permutation(len(rows))[: MOST // 2]]
    found = train.spans
    return [
        (f"training sentence {row + 1}", list(train.words[row]), _holds(found[row][0]))
        for row in chosen
    ]


def _holds(span: Span) -> Callable[[list[Span]], bool]:
    return lambda said: span in said


def _names(train: Sentences) -> dict[str, list[Words]]:
    """Return the training names of each type."""
    names: dict[str, list[Words]] = {}
    for words, found in zip(train.words, train.spans, strict=True):
        for start, end, kind in found:
            names.setdefault(kind, []).append(words[start:end])
    return names


def _renamed(
    test: Sentences, row: int, span: Span, names: dict[str, list[Words]], rng: np.random.Generator
) -> Case:
    start, end, kind = span
    name = names[kind][int(rng.integers(len(names[kind])))]
    words = [*test.words[row][:start], *name, *test.words[row][end:]]
    return _case(row), words, _holds((start, start + len(name), kind))


def _kept(row: int, words: list[str], found: list[Span]) -> Case:
    return _case(row), words, lambda said: said == found


def _misspelt(words: Words, found: list[Span], rng: np.random.Generator) -> list[str]:
    """Return the words with a typo in one that is of no entity; none where no word can have one."""
    inside = {place for start, end, _ in found for place in range(start, end)}
    free = [
        place for place, word in enumerate(words) if place not in inside and len(word) > 4
        and word.isalpha()
    ]  # fmt: skip
    if not free:
        return []
    place = free[int(rng.integers(len(free)))]
    return [*words[:place], with_typo(words[place], rng), *words[place + 1 :]]


def _moved(found: list[Span]) -> list[Span]:
    """Return the spans behind the sentence that was put in front."""
    by = len(PLAIN[0].split())
    return [(start + by, end + by, kind) for start, end, kind in found]


def _removed(test: Sentences, row: int, span: Span) -> Case:
    start, end, _ = span
    words = [*test.words[row][:start], PRONOUN, *test.words[row][end:]]
    return _case(row), words, lambda said: not any(a <= start < b for a, b, _ in said)
