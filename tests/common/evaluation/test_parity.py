"""What an export must keep before it may serve, and what is said of one that does not."""

import pytest

from common.evaluation.parity import Parity


@pytest.mark.parametrize(
    ("difference", "agreement", "holds"),
    [(9e-4, 0.9995, True), (2e-3, 1.0, False), (0.0, 0.998, False), (float("nan"), 1.0, False)],
)
def test_an_export_serves_if_scores_and_answers_are_the_same(
    difference: float, agreement: float, holds: bool
) -> None:
    found = Parity(max_difference=difference, agreement=agreement, cases=1200)
    assert found.holds is holds
    assert (found.notice is None) is holds
    (row,) = found.table().rows
    assert row.values["served"] == ("ONNX Runtime" if holds else "torch")


def test_the_notice_names_what_differs() -> None:
    found = Parity(max_difference=0.25, agreement=0.5, cases=1200, of="contexts")
    assert found.notice is not None
    assert all(each in found.notice for each in ("0.25", "0.5000", "1,200 contexts", "torch"))
    assert found.table().columns == ("max difference", "same answer", "contexts", "served")
    assert Parity(max_difference=0, agreement=0.995, cases=9, least_agreement=0.995).holds
