"""How the translator behaves: a checklist of what must hold for every language pair.

The cases are made of test sentences, and the table names them by number, since rows of a dataset
are not published with the code.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Sequence

import numpy as np

from common.evaluation.behaviour import Check, checklist, with_typo
from common.evaluation.report import Table
from patterns.nlp.translation.entities.pairs import Pairs
from patterns.nlp.translation.pipeline import Pipeline

CASES = 40
REPEATS = 4  # times a word in a row is too often
ALIKE = 0.5  # of the words of a translation that must stay when a letter is wrong
SIGNS = ".!?"

Change = Callable[[str], str]


def behaviour_table(pipeline: Pipeline, test: Pairs) -> Table:
    """Ask what serves, one change at a time."""
    texts = test.sources[:CASES]
    said = _answers(pipeline, texts)
    checks = [
        *_minimum(texts, said),
        *_invariant(pipeline, texts, said),
        *_directed(pipeline, test, texts, said),
    ]
    caption = f"Cases are the first {len(texts):,} test sentences, asked of what serves."
    return checklist(checks, caption=caption)


def _minimum(texts: Sequence[str], said: Sequence[str]) -> list[Check]:
    """Check what must hold of any translation."""
    kind = "minimum functionality"
    signed = [each for text, each in zip(texts, said, strict=True) if text[-1:] in SIGNS]
    return [
        _check("something is said", kind, [bool(each.strip()) for each in said]),
        _check(
            f"no word {REPEATS} times in a row", kind, [not _stutters(each) for each in said]
        ),
        _check(
            "a source that ends in a sign gives a translation that does", kind,
            [each[-1:] in SIGNS for each in signed],
        ),
    ]  # fmt: skip


def _invariant(pipeline: Pipeline, texts: Sequence[str], said: Sequence[str]) -> list[Check]:
    """Check changes that do not change what a text means."""
    changes: dict[str, Change] = {
        "blanks around it change nothing": lambda text: f"  {text} \n",
        "blanks doubled inside change nothing": lambda text: text.replace(" ", "  "),
        "decomposed letters (NFD) change nothing": lambda text: unicodedata.normalize("NFD", text),
    }
    checks = []
    for name, change in changes.items():
        changed = _answers(pipeline, [change(text) for text in texts])
        passed = [a.split() == b.split() for a, b in zip(said, changed, strict=True)]
        checks.append(_check(name, "invariance", passed))
    alone = [_answers(pipeline, [text])[0] for text in texts]
    same = [a == b for a, b in zip(alone, said, strict=True)]
    rng = np.random.default_rng(pipeline.seed)
    typos = _answers(pipeline, [with_typo(text, rng) for text in texts])
    kept = [_kept(a, b) >= ALIKE for a, b in zip(said, typos, strict=True)]
    return [
        *checks,
        _check("alone or among others, the same answer", "invariance", same),
        _check("a typo keeps half of the words", "invariance", kept),
    ]


def _directed(
    pipeline: Pipeline, test: Pairs, texts: Sequence[str], said: Sequence[str]
) -> list[Check]:
    """Check changes that must move the answer one way."""
    doubled = _answers(pipeline, [f"{text}\n{text}" for text in texts])
    longer = [len(b) > len(a) for a, b in zip(said, doubled, strict=True)]
    return [
        _check("two sentences give more than one", "direction", longer),
        *_reads_the_source(pipeline, test),
    ]


def _reads_the_source(pipeline: Pipeline, test: Pairs) -> list[Check]:
    """Check that a reference is likelier given its own source than given that of the next one."""
    if pipeline.translator is None or pipeline.served_ != pipeline.translator.name:
        return []
    targets, own = test.targets[:CASES], test.sources[:CASES]
    wrong = [*own[1:], *own[:1]]
    right = pipeline.translator.likelihood(Pairs(own, targets))
    other = pipeline.translator.likelihood(Pairs(wrong, targets))
    passed = (right > other) | np.array([a == b for a, b in zip(own, wrong, strict=True)])
    return [_check("the reference is likelier given its own source", "direction", passed.tolist())]


def _check(name: str, kind: str, passed: Sequence[bool]) -> Check:
    cases = [f"test sentence {number}" for number in range(1, len(passed) + 1)]
    return Check(name, kind, np.array(passed, bool), cases)  # type: ignore[arg-type]


def _answers(pipeline: Pipeline, texts: Sequence[str]) -> list[str]:
    return [answer.translation for answer in pipeline.translate(texts)]


def _stutters(text: str) -> bool:
    words = text.split()
    runs = zip(*(words[start:] for start in range(REPEATS)), strict=False)
    return any(len(set(run)) == 1 for run in runs)


def _kept(before: str, after: str) -> float:
    """Return the share of the words of `before` that are in `after`."""
    words, left = before.split(), after.split()
    kept = 0
    for word in words:
        if word in left:
            left.remove(word)
            kept += 1
    return kept / max(len(words), 1)
