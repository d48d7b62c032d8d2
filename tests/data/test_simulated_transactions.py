"""The simulated payments: planted truth, seeds, sizes, and the published world as the oracle."""

import time

import numpy as np
import polars as pl
import pytest

import data
from common.units import DAY
from data.simulated.transactions import TERMINAL_DAYS, generate


@pytest.fixture(scope="module")
def world():
    return generate(seed=3, customers=600, terminals=1_200, days=120)


def test_table_is_sorted_typed_and_within_the_days(world):
    frame = world.frame
    assert frame["time_seconds"].is_sorted()
    assert frame["transaction_id"].to_list() == list(range(frame.height))
    assert frame.schema["amount"] == pl.Float64 and frame.schema["customer_id"] == pl.Int32
    assert (frame["day"] == frame["time_seconds"] // DAY).all()
    second = frame["time_seconds"] % DAY
    assert second.min() > 0 and frame["day"].max() == 119
    assert frame["amount"].min() >= 0
    assert (frame["is_fraud"] == (frame["scenario"] > 0)).all()


def test_same_seed_same_world_other_seed_other_world():
    first, again = (generate(seed=5, customers=50, terminals=100, days=20) for _ in range(2))
    other = generate(seed=6, customers=50, terminals=100, days=20)
    assert first.frame.equals(again.frame)
    assert not first.frame.equals(other.frame)


def test_amounts_over_the_limit_are_fraud_and_genuine_ones_never_are(world):
    over = world.frame.filter(pl.col("amount") > 220)
    assert over.height > 0 and (over["is_fraud"] == 1).all()


def test_a_compromised_terminal_takes_only_fraud_for_its_days(world):
    marked = world.frame.filter(pl.col("scenario") == 2)
    terminal = int(marked["terminal_id"].mode()[0])
    rows = world.frame.filter(pl.col("terminal_id") == terminal)
    first = int(rows.filter(pl.col("scenario") == 2)["day"].min())
    exposed = rows.filter(pl.col("day").is_between(first + 1, first + TERMINAL_DAYS - 2))
    assert (exposed["is_fraud"] == 1).mean() > 0.95


def test_stolen_cards_spend_five_times_their_habit(world):
    genuine = world.frame.filter(pl.col("scenario") == 0)
    habit = genuine.group_by("customer_id").agg(pl.col("amount").mean().alias("habit"))
    stolen = world.frame.filter(pl.col("scenario") == 3).join(habit, on="customer_id")
    ratio = (stolen["amount"] / stolen["habit"]).mean()
    assert 4.4 < ratio < 5.6


def test_thieves_devices_are_planted_and_distance_is_a_decoy(world):
    frame = world.frame
    foreign = frame["device_id"] >= 2 * 600
    assert (frame.filter(foreign)["scenario"] == 3).all()
    share = (frame.filter(pl.col("scenario") == 3)["device_id"] >= 1_200).mean()
    assert 0.7 < share < 0.9
    means = frame.group_by("is_fraud").agg(pl.col("distance").mean()).sort("is_fraud")
    assert abs(means["distance"][0] / means["distance"][1] - 1) < 0.05


@pytest.mark.parametrize("sizes", [{"customers": 0}, {"terminals": -1}, {"days": 0}])
def test_impossible_sizes_are_refused(sizes):
    with pytest.raises(ValueError, match="out of range"):
        generate(**sizes)


def test_the_smallest_world_is_one(world):
    frames = [generate(seed=seed, customers=1, terminals=1, days=1).frame for seed in range(10)]
    assert all(frame.schema == world.frame.schema for frame in frames)
    paid = pl.concat(frames)
    assert paid.height >= 5 and set(paid["day"]) == {0}
    assert set(paid["customer_id"]) == set(paid["terminal_id"]) == {0}


@pytest.mark.mirror
def test_distributions_and_rates_are_those_of_the_published_world():
    began = time.process_time()
    ours = generate(seed=0).frame
    assert time.process_time() - began < 10  # about one second
    published = data.load("handbook-fraud").frame
    assert ours.height == pytest.approx(published.height, rel=0.03)
    assert ours["is_fraud"].mean() == pytest.approx(published["is_fraud"].mean(), rel=0.06)
    for scenario, tolerance in ((1, 0.15), (2, 0.08), (3, 0.08)):
        wanted = (published["scenario"] == scenario).sum()
        assert (ours["scenario"] == scenario).sum() == pytest.approx(wanted, rel=tolerance)
    grid = [0.05, 0.25, 0.5, 0.75, 0.95]
    for table, column in ((0, "amount"), (0, "second"), (1, "amount")):
        a, b = (
            f.with_columns((pl.col("time_seconds") % DAY).alias("second"))
            .filter(pl.col("is_fraud") == table)[column]
            .to_numpy()
            for f in (ours, published)
        )
        assert np.allclose(np.quantile(a, grid), np.quantile(b, grid), rtol=0.12)
    for key in ("customer_id", "terminal_id"):
        a, b = (f[key].value_counts()["count"].to_numpy() for f in (ours, published))
        assert len(a) == pytest.approx(len(b), rel=0.01)
        assert np.allclose(np.quantile(a, grid[1:]), np.quantile(b, grid[1:]), rtol=0.08)
