"""Temperature and top-k, on planted logits and by hand."""

import numpy as np
import pytest

from common.probabilities import Answer, answers, fit_temperature, softmax, top_k


def test_temperature_calibrates_confidence_and_changes_no_decision() -> None:
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(4000, 4))
    true = softmax(logits)
    labels = (true.cumsum(axis=1) > rng.random((4000, 1))).argmax(axis=1)
    assert fit_temperature(logits * 3.0, labels) == pytest.approx(3.0, rel=0.08)
    assert (softmax(logits, 3.0).argmax(1) == logits.argmax(1)).all()
    assert np.allclose(softmax(np.array([[1000.0, 0.0]])), [[1.0, 0.0]])
    assert softmax(np.zeros((0, 3))).shape == (0, 3)


def test_temperature_of_a_faultless_validation_set_stays_humble() -> None:
    logits = np.eye(3)[[0, 1, 2] * 10] * 2.0
    labels = np.array([0, 1, 2] * 10)
    sure = softmax(logits, fit_temperature(logits, labels))[np.arange(30), labels]
    assert sure.mean() == pytest.approx(31 / 32, abs=0.005)


def test_top_k_orders_and_breaks_ties_by_the_lower_label() -> None:
    labels, shares = top_k(np.array([[0.2, 0.5, 0.2, 0.1]]), 3)
    assert labels.tolist() == [[1, 0, 2]] and shares.tolist() == [[0.5, 0.2, 0.2]]
    assert top_k(np.array([[0.4, 0.6]]), 9)[0].shape == (1, 2)


def test_answers_name_the_likeliest_labels() -> None:
    probabilities = np.array([[0.2, 0.5, 0.3], [0.6, 0.0, 0.4]])
    first, second = answers(probabilities, ("a", "b", "c"), 2)
    assert first == Answer(["b", "c"], [0.5, 0.3])
    assert second == Answer(["a", "c"], [0.6, 0.4])
    assert len(answers(probabilities, ("a", "b", "c"), 9)[0].labels) == 3
    assert answers(np.zeros((0, 3)), ("a", "b", "c"), 2) == []
