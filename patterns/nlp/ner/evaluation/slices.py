"""Where entities are found and where not: by type, seen or new, by length, and how they are missed.

Recall is told for true entities, precision for said ones: a name that was said has no truth of its
own to be sliced by.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from common.evaluation.report import Row, Table, Value
from common.evaluation.spans import Span, counts, of_type
from patterns.nlp.ner.entities.sentences import mentions, surface
from patterns.nlp.ner.evaluation.answers import Answers

LENGTHS = ((1, "1 word"), (2, "2 words"), (3, "3 words"), (99, "4 words or more"))


def by_type(answers: Answers) -> Table:
    """Give each type's figures, the lowest F1 first."""
    others = [name for name in answers.models if name != answers.served][:2]
    found: dict[str, dict[str, Value]] = {}
    for kind in answers.splits.types:
        true = of_type(answers.true, kind)
        ours = counts(true, of_type(answers.final, kind))
        theirs: dict[str, Value] = {
            f"{name} F1": counts(true, of_type(answers.said[name], kind)).f1 for name in others
        }
        found[kind] = theirs | {
            "F1": ours.f1,
            "precision": ours.precision,
            "recall": ours.recall,
            "entities": float(ours.true.sum()),
        }
    rows = sorted(found.items(), key=lambda item: _number(item[1]["F1"]))
    columns = (*(f"{name} F1" for name in others), "F1", "precision", "recall", "entities")
    return Table("by type", columns, tuple(Row(*each) for each in rows), "The hardest type first.")


def by_novelty(answers: Answers) -> Table:
    """Give the recall of names that training had, had as another type, and had not."""
    seen = set(mentions(answers.splits.train))
    names = {name for name, _ in seen}

    def group(row: int, span: Span) -> str:
        start, end, kind = span
        name = surface(answers.splits.test.words[row][start:end])
        if (name, kind) in seen:
            return "seen in training"
        return "seen as another type" if name in names else "new"

    order = ("seen in training", "seen as another type", "new")
    caption = "Recall of entities by whether their name, case aside, was one in training."
    return _recalls("seen and new names", answers, group, order, caption)


def by_length(answers: Answers) -> Table:
    """Give the recall by the number of words."""

    def group(row: int, span: Span) -> str:
        return next(name for most, name in LENGTHS if span[1] - span[0] <= most)

    order = tuple(name for _, name in LENGTHS)
    return _recalls("by length", answers, group, order, "Recall of entities by their words.")


def errors(answers: Answers) -> Table:
    """Count what is wrong, said entities and missed ones."""
    found = dict.fromkeys(
        ("right", "wrong type", "wrong words", "both wrong", "nothing there", "missed"), 0
    )
    for true, said in zip(answers.true, answers.final, strict=True):
        for span in said:
            found[_fault(span, true)] += 1
        found["missed"] += sum(not _overlapping(span, said) for span in true)
    total = sum(map(len, answers.final))
    rows = []
    for name, count in found.items():
        share = count / total if total and name != "missed" else None
        rows.append(Row(name, {"entities": float(count), "share of what was said": share}))
    caption = (
        "Said entities: right; the words of a true one under another type; overlapping one of the"
        " type or of another; where none is. Missed: true ones of which no word was said."
    )
    return Table("errors", ("entities", "share of what was said"), tuple(rows), caption)


def _fault(span: Span, true: list[Span]) -> str:
    if span in true:
        return "right"
    overlapping = list(_overlapping(span, true))
    if any(other[:2] == span[:2] for other in overlapping):
        return "wrong type"
    if any(other[2] == span[2] for other in overlapping):
        return "wrong words"
    return "both wrong" if overlapping else "nothing there"


def _overlapping(span: Span, others: list[Span]) -> list[Span]:
    return [each for each in others if each[0] < span[1] and span[0] < each[1]]


def _recalls(
    name: str,
    answers: Answers,
    group: Callable[[int, Span], str],
    order: tuple[str, ...],
    caption: str,
) -> Table:
    """Return the recall of each model in groups of the true entities."""
    groups: dict[str, list[tuple[int, Span]]] = {each: [] for each in order}
    for row, span in _every(answers.true):
        groups[group(row, span)].append((row, span))
    rows = []
    for each, members in groups.items():
        if not members:
            continue
        values: dict[str, Value] = {
            model: sum(span in said[row] for row, span in members) / len(members)
            for model, said in answers.said.items()
            if not model.startswith("+")
        }
        rows.append(Row(each, values | {"entities": float(len(members))}))
    models = [model for model in answers.said if not model.startswith("+")]
    return Table(name, (*models, "entities"), tuple(rows), caption)


def _every(found: list[list[Span]]) -> Iterator[tuple[int, Span]]:
    for row, of_sentence in enumerate(found):
        for span in of_sentence:
            yield row, span


def _number(value: Value) -> float:
    assert isinstance(value, float)
    return value
