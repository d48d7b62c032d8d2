"""Splits: a partition always, shares kept, groups whole, time never running backwards."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.evaluation import splits

FRACTIONS = [(0.7, 0.15, 0.15), (0.8, 0.2), (0.25, 0.25, 0.25, 0.25)]


def is_partition(parts, rows):
    return np.array_equal(np.sort(np.concatenate(parts)), np.arange(rows))


@given(rows=st.integers(20, 300), fractions=st.sampled_from(FRACTIONS), seed=st.integers(0, 99))
@settings(max_examples=40, deadline=None)
def test_random_split_is_a_seeded_partition_of_the_right_sizes(rows, fractions, seed):
    parts = splits.random_split(rows, fractions, seed=seed)
    assert is_partition(parts, rows)
    for part, fraction in zip(parts, fractions, strict=True):
        assert abs(len(part) - fraction * rows) <= 1 and np.all(np.diff(part) > 0)
    again = splits.random_split(rows, fractions, seed=seed)
    assert all(np.array_equal(a, b) for a, b in zip(parts, again, strict=True))


def test_another_seed_gives_another_split():
    a, b = (splits.random_split(100, (0.5, 0.5), seed=seed)[0] for seed in (0, 1))
    assert not np.array_equal(a, b)


@given(seed=st.integers(0, 999), classes=st.integers(1, 8), fractions=st.sampled_from(FRACTIONS))
@settings(max_examples=60, deadline=None)
def test_stratified_split_keeps_every_class_share(seed, classes, fractions):
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.repeat(np.arange(classes), rng.integers(6, 60, classes)))
    parts = splits.stratified_split(labels, fractions, seed=seed)
    assert is_partition(parts, len(labels))
    counts = np.bincount(labels)
    for part, fraction in zip(parts, fractions, strict=True):
        off = np.bincount(labels[part], minlength=classes) - fraction * counts
        assert np.abs(off).max() <= 2
        assert abs(len(part) - fraction * len(labels)) <= 2


def test_stratified_split_of_a_rare_class_is_fair_over_seeds():
    labels = np.array(["rare"] * 4 + ["common"] * 96)
    tested = [
        np.isin(splits.stratified_split(labels, (0.8, 0.2), seed=seed)[1], range(4)).sum()
        for seed in range(300)
    ]
    assert np.mean(tested) == pytest.approx(0.8, abs=0.1)


@given(seed=st.integers(0, 999), fractions=st.sampled_from(FRACTIONS))
@settings(max_examples=40, deadline=None)
def test_grouped_split_never_divides_a_group(seed, fractions):
    groups = np.random.default_rng(seed).integers(0, 40, 300).astype(str)
    parts = splits.grouped_split(groups, fractions, seed=seed)
    assert is_partition(parts, 300)
    members = [set(groups[part]) for part in parts]
    assert sum(map(len, members)) == len(set.union(*members))
    for part, fraction in zip(members, fractions, strict=True):
        assert abs(len(part) - fraction * len(set(groups))) <= 1


@given(
    seed=st.integers(0, 999),
    distinct=st.integers(30, 500),
    fractions=st.sampled_from(FRACTIONS),
)
@settings(max_examples=60, deadline=None)
def test_temporal_split_orders_parts_and_never_cuts_a_timestamp(seed, distinct, fractions):
    times = np.random.default_rng(seed).integers(0, distinct, 400)
    parts = splits.temporal_split(times, fractions)
    assert is_partition(parts, 400)
    for early, late in zip(parts[:-1], parts[1:], strict=True):
        assert times[early].max() < times[late].min()
    for part, fraction in zip(parts, fractions, strict=True):
        assert np.all(np.diff(times[part]) >= 0)
        assert abs(len(part) - fraction * 400) <= np.bincount(times).max() + 2


def test_temporal_split_moves_the_cut_to_the_nearest_change():
    train, test = splits.temporal_split([1, 2, 2, 2, 3, 4], (0.5, 0.5))
    assert (train.tolist(), test.tolist()) == ([0, 1, 2, 3], [4, 5])


def test_gap_leaves_out_rows_whose_labels_were_not_yet_known():
    times = np.arange(100)
    train, valid, test = splits.temporal_split(times, (0.6, 0.2, 0.2), gap=7)
    assert (train.max(), valid.min(), valid.max(), test.min()) == (52, 60, 72, 80)


def test_temporal_split_at_given_times():
    train, test = splits.temporal_split_at([5, 1, 3, 2, 3], [3])
    assert (train.tolist(), test.tolist()) == ([1, 3], [2, 4, 0])


@given(rows=st.integers(10, 200), folds=st.integers(2, 10), seed=st.integers(0, 99))
@settings(max_examples=40, deadline=None)
def test_k_fold_validates_each_row_once(rows, folds, seed):
    pairs = splits.k_fold(rows, folds, seed=seed)
    assert is_partition([valid for _, valid in pairs], rows)
    assert all(is_partition(pair, rows) for pair in pairs)
    sizes = [len(valid) for _, valid in pairs]
    assert max(sizes) - min(sizes) <= 1


def test_stratified_k_fold_spreads_each_class_to_within_one():
    labels = np.random.default_rng(0).permutation([0] * 50 + [1] * 13 + [2] * 7)
    pairs = splits.stratified_k_fold(labels, 5, seed=1)
    assert is_partition([valid for _, valid in pairs], 70)
    counts = np.array([np.bincount(labels[valid], minlength=3) for _, valid in pairs])
    assert np.all(np.ptp(counts, axis=0) <= 1) and np.ptp(counts.sum(axis=1)) <= 1


def test_grouped_k_fold_keeps_groups_whole_and_folds_alike():
    groups = np.random.default_rng(0).zipf(1.7, 2000) % 200
    pairs = splits.grouped_k_fold(groups, 4, seed=2)
    assert is_partition([valid for _, valid in pairs], 2000)
    for train, valid in pairs:
        assert not set(groups[train]) & set(groups[valid])
    even = splits.grouped_k_fold(np.repeat(np.arange(40), 5), 4)
    assert {len(valid) for _, valid in even} == {50}


def test_expanding_window_walks_forward():
    times = np.random.default_rng(0).integers(0, 60, 300)
    pairs = splits.expanding_window(times, 4)
    assert len(pairs) == 4
    for fold, (train, test) in enumerate(pairs):
        assert times[train].max() < times[test].min()
        assert len(train) == pytest.approx(60 * (fold + 1), abs=15)
        if fold:
            assert np.array_equal(train, np.concatenate(pairs[fold - 1]))
    for train, test in splits.expanding_window(times, 4, gap=5):
        assert times[train].max() < times[test].min() - 5


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: splits.random_split(100, (0.8, 0.3)), "sum to 1"),
        (lambda: splits.random_split(100, (1.0,)), "two or more"),
        (lambda: splits.random_split(100, (1.2, -0.2)), "positive shares"),
        (lambda: splits.random_split(3, (0.8, 0.1, 0.1)), "3 rows are too few"),
        (lambda: splits.random_split(0), "rows is 0"),
        (lambda: splits.stratified_split([0] * 50 + [1]), "class 1 has 1 row.*merge or drop"),
        (lambda: splits.stratified_split([0, 1, np.nan]), "labels holds 1 NaN"),
        (lambda: splits.grouped_split([1, 1, 2]), "2 groups are too few"),
        (lambda: splits.temporal_split([1, 2, np.nan]), "times holds 1 NaN"),
        (lambda: splits.temporal_split([1] * 50 + [2]), "too few distinct timestamps"),
        (lambda: splits.temporal_split([7] * 50), "too few distinct timestamps"),
        (lambda: splits.temporal_split(np.arange(50), gap=-1), "gap is -1"),
        (lambda: splits.temporal_split(np.arange(50), gap=20), "part 1 .* is empty.*shorten gap"),
        (lambda: splits.temporal_split_at([1, 2], [5, 3]), "ascending"),
        (lambda: splits.temporal_split_at([1, 2], [9]), "part 1 .* is empty"),
        (lambda: splits.k_fold(3, 5), "folds is 5, more than the 3 rows"),
        (lambda: splits.k_fold(30, 1), "folds is 1"),
        (lambda: splits.grouped_k_fold([1, 1, 2], 3), "more than the 2 groups"),
        (lambda: splits.stratified_k_fold([0, 0, 1], 2), "class 1 has 1 row"),
        (lambda: splits.expanding_window([], 3), "0 rows are too few"),
        (lambda: splits.expanding_window(np.arange(12), 3, gap=50), "no training row"),
    ],
)
def test_refusals_name_argument_and_remedy(call, words):
    with pytest.raises(ValueError, match=words):
        call()


def test_within_groups_the_last_rows_of_each_go_to_the_later_parts():
    rng = np.random.default_rng(0)
    groups = rng.permutation(np.repeat(np.arange(200), rng.integers(1, 12, size=200)))
    parts = splits.within_groups_split(groups, (0.7, 0.15, 0.15), seed=3)
    assert np.array_equal(np.sort(np.concatenate(parts)), np.arange(len(groups)))
    assert set(groups[parts[0]]) == set(range(200))  # everybody keeps a row in the first part
    for group in range(200):
        own = [part[groups[part] == group] for part in parts]
        flat = np.concatenate(own)
        assert np.array_equal(flat, np.sort(flat))
    shares = np.array([len(part) for part in parts]) / len(groups)
    assert np.abs(shares - [0.7, 0.15, 0.15]).max() < 0.04
    with pytest.raises(ValueError, match="too small"):
        splits.within_groups_split(np.arange(50), (0.7, 0.3))
