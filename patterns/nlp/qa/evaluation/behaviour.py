"""What must hold whatever the test set says: a checklist of the reader that serves.

The cases are made of test questions that it answers rightly, so that what is checked is the change
and not the question; they are named by their ids, since a table holds no text of a dataset. The
simple cases are written here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from common.evaluation.behaviour import Check, Kind, checklist, with_typo
from common.evaluation.report import Table
from patterns.nlp.qa.entities.answers import Reading
from patterns.nlp.qa.evaluation.asked import Asked
from patterns.nlp.qa.stages.sentences import sentences
from patterns.nlp.qa.stages.servable import Reader

CASES = 40
OTHER = "The weather that day was mild, and nobody remembered the rain."
PEOPLE = ("Anna", "Bruno", "Clara", "David", "Edith")
PLACES = ("Bergen", "Lima", "Osaka", "Tunis", "Quebec")
JOBS = ("baker", "nurse", "pilot", "teacher", "sailor")
Pair = tuple[str, str]  # question, context


def behaviour_table(reader: Reader, asked: Asked, *, seed: int) -> Table:
    """Return the checklist of a reader."""
    rng = np.random.default_rng(seed)
    right = np.flatnonzero(asked.final.em == 1)
    right = right[[asked.part.questions[row].answerable for row in right]] if len(right) else right
    rows = rng.permutation(right)[:CASES].tolist()
    part = asked.part.some(rows)
    pairs = list(zip(part.texts, part.contexts, strict=True))
    ids = [each.id for each in part.questions]
    checks = _simple(reader)
    if pairs:
        before = _read(reader, pairs)
        checks += _invariant(reader, pairs, before, ids, rng)
        checks += _directed(reader, pairs, before, ids)
    caption = (
        f"Simple sentences, and up to {CASES} test questions that are answered rightly, changed so"
        " that the answer must stay, or the confidence must fall."
    )
    return checklist(checks, caption=caption)


def _simple(reader: Reader) -> list[Check]:
    """Facts in one sentence each: who, where, what."""
    people = list(zip(PEOPLE, PLACES, JOBS, strict=True))
    told = " ".join(f"{name} lives in {place} and works as a {job}." for name, place, job in people)
    kinds: dict[str, Callable[[str, str, str], Pair]] = {
        "finds where somebody lives": lambda name, place, job: (f"Where does {name} live?", place),
        "finds who lives somewhere": lambda name, place, job: (f"Who lives in {place}?", name),
        "finds who has a profession": lambda name, place, job: (f"Who is the {job}?", name),
    }
    checks = []
    for check, ask in kinds.items():
        cases = [ask(*each) for each in people]
        found = _read(reader, [(question, told) for question, _ in cases])
        passed = [
            bool(each.spans) and answer in each.spans[0].text
            and not any(other in each.spans[0].text for _, other in cases if other != answer)
            for each, (_, answer) in zip(found, cases, strict=True)
        ]  # fmt: skip
        checks.append(_check(check, "minimum functionality", passed, [case[0] for case in cases]))
    return checks


def _invariant(
    reader: Reader,
    pairs: Sequence[Pair],
    before: Sequence[Reading],
    ids: Sequence[str],
    rng: np.random.Generator,
) -> list[Check]:
    """Change what does not matter; the answer must stay the same text."""
    changes: dict[str, Callable[[str, str], Pair]] = {
        "a question in small letters": lambda q, c: (q.lower(), c),
        "a question without its mark": lambda q, c: (q.rstrip("? "), c),
        "a typo in the question": lambda q, c: (with_typo(q, rng), c),
        "a sentence added before": lambda q, c: (q, f"{OTHER} {c}"),
        "a sentence added behind": lambda q, c: (q, f"{c} {OTHER}"),
        "spaces doubled": lambda q, c: (q, c.replace(" ", "  ")),
    }
    checks = []
    for name, change in changes.items():
        changed = [change(*pair) for pair in pairs]
        after = _read(reader, changed)
        passed = [_same(old, new) for old, new in zip(before, after, strict=True)]
        checks.append(_check(name, "invariance", passed, ids))
    return checks


def _directed(
    reader: Reader, pairs: Sequence[Pair], before: Sequence[Reading], ids: Sequence[str]
) -> list[Check]:
    """Take the answer away; how sure the reader is must fall."""
    others = [pairs[(row + 1) % len(pairs)][1] for row in range(len(pairs))]
    changes = {
        "surer of its own context than of another": [
            (question, other) for (question, context), other in zip(pairs, others, strict=True)
        ],
        "surer with the sentence that tells than without": [
            (question, _without(context, reading))
            for (question, context), reading in zip(pairs, before, strict=True)
        ],
    }
    checks = []
    for name, changed in changes.items():
        kept = [
            row for row, (pair, new) in enumerate(zip(pairs, changed, strict=True))
            if new[1].strip() and new[1] != pair[1]
        ]  # fmt: skip
        after = _read(reader, [changed[row] for row in kept])
        passed = [before[row].margin > new.margin for row, new in zip(kept, after, strict=True)]
        checks.append(_check(name, "direction", passed, [ids[row] for row in kept]))
    return checks


def _without(context: str, reading: Reading) -> str:
    """Return the context without the sentence of the best span."""
    place = reading.spans[0].start
    for start, end in sentences(context):
        if start <= place < end:
            return context[:start] + context[end:]
    return context


def _same(old: Reading, new: Reading) -> bool:
    if not old.spans or not new.spans:
        return old.spans == new.spans
    return " ".join(old.spans[0].text.split()) == " ".join(new.spans[0].text.split())


def _read(reader: Reader, pairs: Sequence[Pair]) -> list[Reading]:
    return reader.read([question for question, _ in pairs], [context for _, context in pairs])


def _check(name: str, kind: Kind, passed: Sequence[bool], cases: Sequence[str]) -> Check:
    return Check(name, kind, np.array(passed, dtype=bool), cases)
