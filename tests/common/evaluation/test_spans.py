"""Entities counted whole: by hand, and against seqeval on random tags, invalid ones among them."""

import warnings

import numpy as np
import pytest

from common.evaluation.spans import (
    Counts,
    counts,
    counts_of_tags,
    f1_gain,
    is_valid,
    of_type,
    spans,
)

NAMES = ("O", "B-per", "I-per", "B-loc", "I-loc")


@pytest.mark.parametrize(
    ("tags", "lenient", "strict"),
    [
        ("", [], []),
        ("O O", [], []),
        ("B-per", [(0, 1, "per")], [(0, 1, "per")]),
        ("B-per I-per O B-loc", [(0, 2, "per"), (3, 4, "loc")], [(0, 2, "per"), (3, 4, "loc")]),
        ("B-per B-per", [(0, 1, "per"), (1, 2, "per")], [(0, 1, "per"), (1, 2, "per")]),
        ("O I-per I-per", [(1, 3, "per")], []),
        ("B-per I-loc", [(0, 1, "per"), (1, 2, "loc")], [(0, 1, "per")]),
        ("I-per B-per I-per", [(0, 1, "per"), (1, 3, "per")], [(1, 3, "per")]),
        ("B-creative-work I-creative-work", [(0, 2, "creative-work")], [(0, 2, "creative-work")]),
    ],
)
def test_spans_by_hand(tags: str, lenient: list, strict: list) -> None:
    assert spans(tags.split()) == lenient
    assert spans(tags.split(), strict=True) == strict


def test_a_sequence_is_valid_if_each_inside_continues_its_type() -> None:
    assert is_valid("O B-per I-per I-per B-per".split()) and is_valid([])
    for tags in ("I-per", "O I-per", "B-per I-loc", "B-loc O I-loc"):
        assert not is_valid(tags.split()), tags


def random_tags(rng: np.random.Generator, count: int) -> list[list[str]]:
    return [[NAMES[n] for n in rng.integers(len(NAMES), size=rng.integers(1, 12))]
            for _ in range(count)]  # fmt: skip


@pytest.mark.parametrize("strict", [False, True])
def test_equal_to_seqeval_on_random_tags(strict: bool) -> None:
    from seqeval.metrics.sequence_labeling import precision_recall_fscore_support
    from seqeval.scheme import IOB2

    rng = np.random.default_rng(0)
    mode = {"mode": "strict", "scheme": IOB2} if strict else {}
    for _ in range(40):
        true = random_tags(rng, 6)
        said = [
            [tag if rng.random() < 0.6 else NAMES[rng.integers(len(NAMES))] for tag in tags]
            for tags in true
        ]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if strict:
                from seqeval.metrics.v1 import precision_recall_fscore_support as by_scheme

                expected = by_scheme(true, said, average="micro", **mode)
            else:
                expected = precision_recall_fscore_support(true, said, average="micro")
        found = counts_of_tags(true, said, strict=strict)
        assert (found.precision, found.recall, found.f1) == pytest.approx(expected[:3])
        kinds = {span[2] for tags in [*true, *said] for span in spans(tags, strict=strict)}
        for kind in kinds:
            ours = counts(
                of_type([spans(tags, strict=strict) for tags in true], kind),
                of_type([spans(tags, strict=strict) for tags in said], kind),
            )
            assert 0 <= ours.f1 <= 1 and ours.hits.sum() <= found.hits.sum()


def test_counts_by_hand_and_where_there_is_nothing() -> None:
    true = ["B-per I-per O B-loc".split(), "O O".split(), "B-loc".split()]
    said = ["B-per I-per O B-per".split(), "B-loc O".split(), "B-loc".split()]
    found = counts_of_tags(true, said)
    assert found.hits.tolist() == [1, 0, 1]
    assert found.said.tolist() == [2, 1, 1] and found.true.tolist() == [2, 0, 1]
    assert (found.precision, found.recall) == (0.5, pytest.approx(2 / 3))
    assert found.f1 == pytest.approx(4 / 7)
    nothing = counts([[]], [[]])
    assert (nothing.precision, nothing.recall, nothing.f1) == (0, 0, 0)
    assert counts([], []).f1 == 0
    twice = counts([[(0, 1, "per")]], [[(0, 1, "per"), (0, 1, "per")]])
    assert twice.said.tolist() == [1]


def test_intervals_hold_the_value_and_a_paired_gain_is_narrower() -> None:
    rng = np.random.default_rng(1)
    true = np.ones(300, dtype=int)
    base = (rng.random(300) < 0.4).astype(int)
    model = np.maximum(base, (rng.random(300) < 0.2).astype(int))  # right wherever the other is
    theirs, ours = (Counts(hits, true, true) for hits in (base, model))
    estimates = ours.estimates(seed=0)
    for name in ("precision", "recall", "F1"):
        each = estimates[name]
        assert each.low < each.value < each.high
        assert each.value == pytest.approx(model.mean())
    gain = f1_gain(theirs, ours)
    assert 0 < gain.low < gain.value < gain.high
    assert gain.value == pytest.approx(ours.f1 - theirs.f1)
    assert gain.high - gain.low < estimates["F1"].high - estimates["F1"].low
    assert f1_gain(ours, ours).value == f1_gain(ours, ours).low == 0
