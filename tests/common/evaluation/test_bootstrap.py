"""Bootstrap: intervals cover the truth as often as they say, pairs narrow, seeds repeat them."""

import numpy as np
import pytest

from common.evaluation import bootstrap
from common.evaluation.classification import roc_auc


def test_interval_covers_the_truth_about_as_often_as_it_says():
    rng = np.random.default_rng(0)
    covered = 0
    for repeat in range(300):
        low, high = bootstrap.interval(
            rng.exponential(2.0, 60), samples=400, seed=repeat, level=0.9
        )
        covered += low <= 2.0 <= high
    assert 0.83 <= covered / 300 <= 0.94


def test_interval_of_a_mean_comes_near_the_normal_one():
    values = np.random.default_rng(1).normal(5, 2, 4000)
    low, high = bootstrap.interval(values, samples=4000, seed=0)
    half = 1.96 * values.std() / np.sqrt(4000)
    assert low == pytest.approx(values.mean() - half, abs=0.005)
    assert high == pytest.approx(values.mean() + half, abs=0.005)


def test_seed_level_and_chunks(monkeypatch):
    values = np.random.default_rng(2).random(50)
    assert bootstrap.interval(values, seed=3) == bootstrap.interval(values, seed=3)
    assert bootstrap.interval(values, seed=3) != bootstrap.interval(values, seed=4)
    narrow, wide = (bootstrap.interval(values, level=level) for level in (0.5, 0.99))
    assert wide[0] < narrow[0] < narrow[1] < wide[1]
    whole = bootstrap.interval(values, seed=3)
    monkeypatch.setattr(bootstrap, "_CELLS", 170)
    assert bootstrap.interval(values, seed=3) == pytest.approx(whole, abs=0.03)


def test_other_statistics_and_a_single_value():
    values = np.append(np.zeros(99), 1000.0)
    assert bootstrap.interval(values, statistic=np.median) == (0, 0)
    assert bootstrap.interval([4.0]) == (4, 4)


def test_paired_difference_is_narrower_than_unpaired():
    rng = np.random.default_rng(0)
    hardness = rng.random(200)
    a, b = hardness + 0.05 + rng.normal(0, 0.02, 200), hardness + rng.normal(0, 0.02, 200)
    difference = bootstrap.paired_difference(a, b)
    assert difference.value == pytest.approx(np.mean(a - b))
    assert 0 < difference.low < difference.value < difference.high
    assert difference.above == 1
    low, high = bootstrap.interval(a)
    assert difference.high - difference.low < (high - low) / 5
    same = bootstrap.paired_difference(a, a)
    assert same == (0, 0, 0, 0.5)


def test_interval_of_keeps_rows_together():
    rng = np.random.default_rng(0)
    labels = rng.random(300) < 0.3
    scores = labels + rng.normal(0, 1, 300)
    low, high = bootstrap.interval_of(roc_auc, labels, scores, samples=200)
    assert low < roc_auc(labels, scores) < high < low + 0.2
    again, other = (
        bootstrap.interval_of(roc_auc, labels, scores, samples=200, seed=seed) for seed in (0, 1)
    )
    assert again == (low, high) != other
    assert bootstrap.interval_of(lambda a, b: float(np.abs(a - b).max()), scores, scores) == (0, 0)


def test_strata_keep_a_rare_class_alive():
    labels, scores = np.array([1] + [0] * 30), np.linspace(1, 0, 31)
    with pytest.raises(ValueError, match="only class 0"):
        bootstrap.interval_of(roc_auc, labels, scores, samples=50)
    assert bootstrap.interval_of(roc_auc, labels, scores, samples=50, strata=labels) == (1, 1)


def test_groups_are_resampled_whole_and_widen_the_interval():
    rng = np.random.default_rng(0)
    groups = rng.permutation(np.repeat(np.arange(30), rng.integers(1, 20, 30)))
    values = rng.normal(0, 1, 30)[groups]
    sizes = np.bincount(groups)

    def whole_groups(drawn):
        return float(np.all(np.bincount(drawn, minlength=30) % sizes == 0))

    assert bootstrap.interval_of(whole_groups, groups, groups=groups, samples=50) == (1, 1)
    by_row = bootstrap.interval_of(np.mean, values, samples=300)
    by_group = bootstrap.interval_of(np.mean, values, samples=300, groups=groups)
    assert by_group[1] - by_group[0] > 2 * (by_row[1] - by_row[0])


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: bootstrap.interval([]), "values is empty"),
        (lambda: bootstrap.interval([1, np.nan]), "values holds 1 NaN"),
        (lambda: bootstrap.interval([1, 2], samples=0), "samples is 0"),
        (lambda: bootstrap.interval([1, 2], level=95), "level is 95"),
        (lambda: bootstrap.paired_difference([1, 2], [1]), "a 2, b 1"),
        (lambda: bootstrap.interval_of(np.mean), "at least one array"),
        (lambda: bootstrap.interval_of(np.mean, []), "array 0 is empty"),
        (lambda: bootstrap.interval_of(np.mean, [1], groups=[1], strata=[1]), "one of them"),
        (lambda: bootstrap.interval_of(np.mean, [1, 2], groups=[1]), "groups 1"),
    ],
)
def test_refusals_name_argument_and_remedy(call, words):
    with pytest.raises(ValueError, match=words):
        call()
