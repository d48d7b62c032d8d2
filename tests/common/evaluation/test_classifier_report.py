"""What all reports of classifiers ask, on cases small enough to count by hand."""

import numpy as np
import pytest

from common.evaluation.classifier import (
    HEADLINE,
    confused_pairs,
    headline,
    per_class,
    surest_mistakes,
)
from common.evaluation.classifier_figures import draw_reliability, draw_training
from common.evaluation.report import Estimate, Report

NAMES = ("cat", "dog", "owl")
LABELS = np.array([0, 0, 0, 1, 1, 2])
BASE = np.eye(3)[[0, 0, 0, 0, 0, 0]]  # always cat
FINAL = np.array(
    [[0.8, 0.1, 0.1], [0.2, 0.7, 0.1], [0.3, 0.6, 0.1], [0.1, 0.9, 0.0], [0.0, 0.1, 0.9],
     [0.1, 0.1, 0.8]]
)  # fmt: skip
# predicted: cat, dog, dog, dog, owl, owl


def test_the_headline_holds_accuracy_with_its_interval_and_f1() -> None:
    values = headline(LABELS, FINAL, seed=3)
    assert tuple(values) == HEADLINE
    accuracy = values["accuracy"]
    assert isinstance(accuracy, Estimate) and accuracy.value == pytest.approx(3 / 6)
    assert accuracy.low is not None and accuracy.high is not None
    assert accuracy.low < 0.5 < accuracy.high
    f1 = np.mean([2 / 4, 2 / 5, 2 / 3])  # 2 TP / (true + predicted) of each class
    assert values["macro F1"] == pytest.approx(f1)
    said = np.array([0.8, 0.2, 0.3, 0.9, 0.1, 0.8])
    assert values["log loss"] == pytest.approx(-np.log(said).mean())


def test_macro_f1_has_an_interval_where_samples_are_asked_for() -> None:
    f1 = headline(LABELS, FINAL, f1_samples=50, seed=3)["macro F1"]
    assert isinstance(f1, Estimate) and f1.low is not None and f1.high is not None
    assert f1.low < f1.value < f1.high
    assert f1 == headline(LABELS, FINAL, f1_samples=50, seed=3)["macro F1"]
    assert f1 != headline(LABELS, FINAL, f1_samples=50, seed=4)["macro F1"]


def test_the_hardest_class_comes_first_beside_the_baseline() -> None:
    columns = ("linear recall", "F1", "mean confidence", "animals")
    table = per_class(
        LABELS, BASE, FINAL, NAMES, columns=columns, caption="c", baseline="linear", unit="animals"
    )
    assert table.columns == columns and [row.name for row in table.rows] == ["dog", "cat", "owl"]
    assert tuple(table.rows[1].values) == columns
    assert table.rows[1].values["linear recall"] == 1.0
    assert table.rows[0].values["linear recall"] == 0.0
    assert table.rows[1].values["animals"] == 3.0
    assert table.rows[1].values["mean confidence"] == pytest.approx((0.8 + 0.7 + 0.6) / 3)
    one = per_class(LABELS, BASE, FINAL, NAMES, columns=("F1",), caption="c", most=1)
    assert [row.name for row in one.rows] == ["dog"]


def test_a_class_without_rows_has_no_confidence() -> None:
    table = per_class(
        LABELS[:5], BASE[:5], FINAL[:5], NAMES, columns=("mean confidence", "rows"), caption="c"
    )
    owl = next(row for row in table.rows if row.name == "owl")
    assert owl.values == {"mean confidence": None, "rows": 0.0}


def test_pairs_are_listed_by_how_often_they_are_confused() -> None:
    table = confused_pairs(LABELS, FINAL.argmax(axis=1), NAMES, unit="animals", most=8)
    assert [row.name for row in table.rows] == ["cat → dog", "dog → owl"]
    assert table.rows[0].values == {"animals": 2.0, "share of the class": pytest.approx(2 / 3)}
    assert len(confused_pairs(LABELS, FINAL.argmax(1), NAMES, unit="animals", most=1).rows) == 1
    assert not confused_pairs(LABELS, LABELS, NAMES, unit="animals", most=8).rows


def test_the_surest_mistakes_come_first() -> None:
    assert surest_mistakes(LABELS, FINAL, most=9).tolist() == [4, 1, 2]
    assert surest_mistakes(LABELS, FINAL, most=2).tolist() == [4, 1]
    assert surest_mistakes(FINAL.argmax(axis=1), FINAL, most=9).tolist() == []


class Somewhere:
    name, origin, title, licence, rows, notice = "d", "file", "d", "l", "1 row", None
    checksums: dict[str, str] = {}


def test_figures_join_the_report_and_one_epoch_is_no_curve() -> None:
    report = Report("r", Somewhere())
    draw_reliability(report, LABELS, {"before": FINAL, "after": BASE}, bins=5)
    draw_training(report, [0.5])
    assert [each.name for each in report.figures] == ["reliability"]
    draw_training(report, [0.5, 0.7])
    assert [each.name for each in report.figures] == ["reliability", "training"]
    assert report.figures[1].caption.startswith("Validation accuracy after each epoch")
