"""The first sentence of a report is true, whatever came out."""

import pytest
from toy_report import report

from common.cost import Cost
from common.evaluation.latency import Latency
from common.evaluation.reached import large_figures, sentence
from common.evaluation.report import Estimate, Report, Value

NAN = float("nan")
BASE = Estimate(0.2, 0.1, 0.3)
OURS = Estimate(0.5, 0.4, 0.6)
SERVED = "What is served, “model”, reaches NDCG@10"


@pytest.mark.parametrize(
    ("gain", "said"),
    [
        (Estimate(0.3, 0.2, 0.4), "0.3000 [0.2000, 0.4000] above the baseline, “popularity” (0.2"),
        (Estimate(-0.3, -0.4, -0.2), "0.3000 [0.2000, 0.4000] below the baseline, “popularity”"),
        (Estimate(0.1, -0.1, 0.3), "not clearly above the baseline, “popularity” (0.2000): by 0.1"),
        (Estimate(-0.1, -0.3, 0.1), "not clearly below the baseline, “popularity” (0.2000): by 0"),
        (Estimate(0.0, 0.0, 0.0), "as much as the baseline, “popularity”"),
    ],
)
def test_a_paired_difference_says_how_sure_it_is(gain: Estimate, said: str) -> None:
    text = sentence(report({"popularity": BASE, "model": OURS}, gain=gain))
    assert text.startswith(f"{SERVED} 0.5000 [0.4000, 0.6000], {said}") and text.endswith(".")


def test_an_interval_below_zero_is_told_from_its_smaller_end() -> None:
    text = sentence(report({"popularity": BASE, "model": OURS}, gain=Estimate(-0.1, -0.3, 0.1)))
    assert "by 0.1000 [-0.1000, 0.3000]" in text


@pytest.mark.parametrize(
    ("base", "ours", "said"),
    [
        (BASE, OURS, "0.3000 above the baseline, “popularity” (0.2000 [0.1000, 0.3000]); the two"),
        (BASE, OURS, "the two intervals are apart."),
        (BASE, Estimate(0.25, 0.15, 0.35), "the two intervals overlap."),
        (0.2, 0.1, "0.1000 below the baseline, “popularity” (0.2000), without an interval."),
        (BASE, Estimate(0.5, NAN, 0.6), "reaches NDCG@10 0.5000, 0.3000 above"),
        (0.2, 0.2, "as much as the baseline"),
    ],
)
def test_without_a_paired_difference_the_rows_are_compared(
    base: Value, ours: Value, said: str
) -> None:
    assert said in sentence(report({"popularity": base, "model": ours}))


def test_a_difference_that_is_no_figure_is_taken_from_the_rows() -> None:
    made = report({"popularity": 0.2, "model": 0.5}, gain=Estimate(NAN, NAN, NAN))
    assert "0.3000 above the baseline, “popularity” (0.2000), without" in sentence(made)
    assert [each.figure for each in large_figures(made)] == ["0.5000", "+0.3000"]


def test_a_baseline_that_serves_is_not_compared_with_itself() -> None:
    text = sentence(report({"popularity": BASE, "model": 0.1}, served="popularity"))
    assert text == (
        "The baseline, “popularity”, is what is served: it reaches NDCG@10 0.2000 [0.1000, 0.3000]."
    )


def test_a_run_without_a_baseline_says_so() -> None:
    text = sentence(report({"model": OURS}))
    assert text.endswith("[0.4000, 0.6000], with no baseline to compare it with.")


@pytest.mark.parametrize("value", [NAN, None, "much", Estimate(NAN, 0.1, 0.2)])
def test_what_is_no_figure_is_not_compared(value: Value) -> None:
    made = report({"popularity": BASE, "model": value})
    assert sentence(made) == "toy has no figure to compare with a baseline."
    assert large_figures(made) == []
    assert sentence(Report("toy", made.source)) == "toy measured nothing."


def test_time_and_cost_end_the_sentence_and_have_large_figures() -> None:
    made = report({"popularity": BASE, "model": OURS}, gain=Estimate(0.3, 0.2, 0.4))
    made.latency = [Latency("one", 9, 9, 9, 9, 1), Latency("all", 2.5, 3, 4, 20, 10)]
    made.cost = Cost(68.2, 1.23)
    assert sentence(made).endswith(
        "; it answers in 2.50 ms (median); the command took 68 s and 1.2 GiB of memory."
    )
    large = large_figures(made)
    assert [each.figure for each in large][:2] == ["0.5000", "+0.3000"]
    assert [each.beside for each in large] == ["[0.4000, 0.6000]", "[0.2000, 0.4000]", "ms", "s"]
    assert large[3].figure == "68" and large[3].note == "1.2 GiB of memory"
