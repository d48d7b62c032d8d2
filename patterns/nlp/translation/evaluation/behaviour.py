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
    rng = np.random.default_rng(pipeline.seed)
    checks = [
        _check("something is said", "minimum functionality", [bool(each.strip()) for each in said]),
        _check(
            f"no word {REPEATS} times in a row", "minimum functionality",
            [not _stutters(each) for each in said],
        ),
        _check(
            "a sentence that ends in a sign is translated to one that does",
            "minimum functionality",
            [
                each[-1:] in SIGNS
                for text, each in zip(texts, said, strict=True)
                if text[-1:] in SIGNS
            ],
        ),
        _same(pipeline, texts, said, "blanks around it change nothing", lambda t: f"  {t} \n"),
        _same(
            pipeline, texts, said, "blanks doubled inside change nothing",
            lambda t: t.replace(" ", "  "),
        ),
        _same(
            pipeline, texts, said, "decomposed letters (NFD) change nothing",
            lambda t: unicodedata.normalize("NFD", t),
        ),
        _check(
            "alone or among others, the same answer", "invariance",
            [
                pipeline.translate([text])[0].translation == each
                for text, each in zip(texts, said, strict=True)
            ],
        ),
        _check(
            "a typo keeps half of the words", "invariance",
            [
                _kept(each, changed) >= ALIKE
                for each, changed in zip(
                    said, _answers(pipeline, [with_typo(text, rng) for text in texts]), strict=True
                )
            ],
        ),
        _check(
            "two sentences give more than the first", "direction",
            [
                len(both) > len(each)
                for each, both in zip(
                    said, _answers(pipeline, _doubled(texts)), strict=True
                )
            ],
        ),
        *_reads_the_source(pipeline, test),
    ]  # fmt: skip
    caption = f"Cases are the first {len(texts):,} test sentences, asked of what serves."
    return checklist(checks, caption=caption)


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


def _same(
    pipeline: Pipeline, texts: Sequence[str], said: Sequence[str], name: str, change: Change
) -> Check:
    changed = _answers(pipeline, [change(text) for text in texts])
    passed = [a.split() == b.split() for a, b in zip(said, changed, strict=True)]
    return _check(name, "invariance", passed)


def _check(name: str, kind: str, passed: Sequence[bool]) -> Check:
    cases = [f"test sentence {number}" for number in range(1, len(passed) + 1)]
    return Check(name, kind, np.array(passed, bool), cases)  # type: ignore[arg-type]


def _answers(pipeline: Pipeline, texts: Sequence[str]) -> list[str]:
    return [answer.translation for answer in pipeline.translate(texts)]


def _doubled(texts: Sequence[str]) -> list[str]:
    return [f"{text}\n{text}" for text in texts]


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
