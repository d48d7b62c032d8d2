"""Window features: hand cases, a slow reference, and the stream equal to the table on every row."""

from datetime import date

import numpy as np
import polars as pl
import pytest

import data
from common.units import DAY, HOUR
from data.simulated.transactions import generate
from patterns.fraud.entities.payment import Payment
from patterns.fraud.stages.features.definition import (
    CUSTOMER,
    HANDBOOK,
    TERMINAL,
    FeatureSet,
    Window,
    standard,
)
from patterns.fraud.stages.features.history import EMPTY, History
from patterns.fraud.stages.features.stream import FeatureStream
from patterns.fraud.stages.features.windows import compute

START = date(2018, 4, 1)  # a Sunday
EXTRA = ("device_id", "distance", "account_opened", "kind")
COLUMNS = {"time_seconds", "customer_id", "terminal_id", "amount"}


def table(rows):
    names = ["time_seconds", "customer_id", "terminal_id", "amount", "is_fraud"]
    frame = pl.DataFrame(rows, schema=names, orient="row").cast({"amount": pl.Float64})
    return frame.with_row_index("transaction_id").with_columns(
        (pl.col("time_seconds") // DAY).alias("day")
    )


def payments(frame, label=True):
    extra = [c for c in EXTRA if c in frame.columns]
    for row in frame.iter_rows(named=True):
        yield Payment(
            row["transaction_id"],
            row["time_seconds"],
            row["customer_id"],
            row["terminal_id"],
            row["amount"],
            row["is_fraud"] if label else 0,
            {c: row[c] for c in extra},
        )


@pytest.fixture(scope="module")
def world():
    return generate(seed=2, customers=150, terminals=100, days=90).frame


def test_customer_window_is_open_at_its_start_and_holds_the_current_payment():
    features = FeatureSet((), (Window(CUSTOMER, DAY),))
    frame = table([(0, 1, 0, 10, 0), (1, 1, 0, 20, 0), (DAY, 1, 0, 60, 0), (DAY + 1, 2, 0, 5, 0)])
    found = compute(features, frame, start=START)
    assert found.tolist() == [[1, 10], [2, 15], [2, 40], [1, 5]]  # second 0 has left at DAY


def test_terminal_risk_reads_labels_only_after_the_delay():
    features = FeatureSet((), (Window(TERMINAL, 2 * DAY, "label", 7 * DAY),))
    frame = table(
        [
            (0, 1, 5, 1, 1),
            (DAY, 1, 5, 1, 0),
            (7 * DAY - 1, 1, 5, 1, 0),  # the fraud is not known yet
            (7 * DAY, 1, 5, 1, 0),  # now it is
            (8 * DAY, 1, 5, 1, 0),  # with the genuine one
            (9 * DAY, 1, 5, 1, 0),  # the fraud has left
        ]
    )
    found = compute(features, frame, start=START)
    assert found.tolist() == [[0, 0], [0, 0], [0, 0], [1, 1], [2, 0.5], [1, 0]]


def test_ties_see_earlier_rows_only():
    features = FeatureSet((), (Window(CUSTOMER, HOUR),))
    frame = table([(9, 1, 0, 1, 0), (9, 1, 0, 3, 0), (9, 1, 0, 5, 0)])
    assert compute(features, frame, start=START).tolist() == [[1, 1], [2, 2], [3, 3]]


def test_calendar_and_empty_table():
    features = FeatureSet(("weekend", "night"), ())
    frame = table([(7 * HOUR - 1, 1, 0, 1, 0), (7 * HOUR, 1, 0, 1, 0), (DAY, 1, 0, 1, 0)])
    found = compute(features, frame, start=START)  # Sunday, Sunday, Monday
    assert found.tolist() == [[1, 1], [1, 0], [0, 1]]
    assert compute(HANDBOOK, frame.clear(), start=START).shape == (0, 15)


def test_the_past_of_a_customer_ends_after_thirty_days_and_is_their_own():
    features = FeatureSet(("hours_since_previous", "days_known", "amount_ratio"),
                          (Window(CUSTOMER, DAY), Window(CUSTOMER, 30 * DAY)))  # fmt: skip
    frame = table(
        [(0, 1, 0, 10, 0), (HOUR, 2, 0, 7, 0), (2 * HOUR, 1, 0, 30, 0), (2 * DAY, 1, 0, 60, 0)]
        + [(45 * DAY, 1, 0, 5, 0), (45 * DAY, 2, 0, 0.005, 0)]
    )
    found = compute(features, frame, start=START)[:, :3]
    expected = [[720, 0, 1], [720, 0, 1], [2, 2 / 24, 1.5], [46, 2, 1.8], [720, 30, 1]]
    assert found == pytest.approx(np.array([*expected, [720, 30, 0.5]]), rel=1e-6)


def test_batch_equals_a_slow_reference(world):
    found = compute(HANDBOOK, world, start=START)
    times, amounts, fraud = (world[c].to_numpy() for c in ("time_seconds", "amount", "is_fraud"))
    ids = {c: world[c].to_numpy() for c in ("customer_id", "terminal_id")}
    rows = np.random.default_rng(0).integers(len(times), size=300)
    names = HANDBOOK.names
    for row in rows:
        for window in HANDBOOK.windows:
            key = window.keys[0]
            until = times[row] - window.delay
            inside = (ids[key] == ids[key][row]) & (times <= until)
            inside &= times > until - window.seconds
            inside[row + 1 :] = False
            values = (fraud if window.value == "label" else amounts)[inside]
            count, mean = (names.index(name) for name in window.names)
            assert found[row, count] == inside.sum()
            assert found[row, mean] == pytest.approx(values.mean() if len(values) else 0, rel=1e-6)


def test_stream_equals_batch_to_the_bit_on_every_row(world):
    features = standard(columns=set(world.columns))
    batch = compute(features, world, start=START)
    stream = FeatureStream(features, start=START)
    streamed = np.stack([stream.update(payment) for payment in payments(world)])
    assert len(batch) > 20_000
    assert np.array_equal(batch, streamed)


def test_stream_equals_batch_on_ties_of_many_rows():
    rng = np.random.default_rng(1)
    times = np.sort(rng.integers(0, 60, 3_000)) * 12 * HOUR  # about 50 rows in each moment
    rows = zip(
        times.tolist(),
        rng.integers(0, 5, 3_000).tolist(),
        rng.integers(0, 5, 3_000).tolist(),
        np.round(rng.exponential(50, 3_000), 2).tolist(),
        rng.integers(0, 2, 3_000).tolist(),
        strict=True,
    )
    frame = table(list(rows))
    features = standard(columns=set(frame.columns))
    stream = FeatureStream(features, start=START)
    streamed = np.stack([stream.update(payment) for payment in payments(frame)])
    assert np.array_equal(compute(features, frame, start=START), streamed)


def test_snapshot_goes_on_where_the_table_ended(world, tmp_path):
    features = standard(columns=set(world.columns))
    cut = world.height * 2 // 3
    batch = compute(features, world, start=START)
    stream = FeatureStream.from_frame(features, world[:cut], start=START)
    stream.save(tmp_path)
    loaded = FeatureStream.load(tmp_path)
    assert loaded.features == features and loaded.start == START
    assert loaded.latest_time() == world["time_seconds"][cut - 1]
    assert np.array_equal(
        np.stack([loaded.update(payment) for payment in payments(world[cut:])]), batch[cut:]
    )


def test_windows_of_a_snapshot_stand_at_the_latest_payment(world):
    stream = FeatureStream.from_frame(standard(columns=set(world.columns)), world, start=START)
    for group in stream._groups:
        for history in group.entities.values():
            times, values, ids = history.times, history.values, history.ids
            before = History(times[:-1], values[:-1], ids[:-1], [EMPTY] * len(group.spans))
            found = before.moved(times[-1], values[-1], group.spans, group.delays)
            assert found == history.places


def test_peek_leaves_no_trace(world):
    features = standard(columns=set(world.columns))
    stream = FeatureStream.from_frame(features, world[:5_000], start=START)
    upcoming = list(payments(world[5_000:5_200]))
    for payment in upcoming:
        later = Payment(
            payment.transaction_id,
            payment.time_seconds + 40 * DAY,
            payment.customer_id,
            payment.terminal_id,
            1e6,
            1,
            payment.extras,
        )
        stream.peek(later)
        assert np.array_equal(stream.peek(payment), stream.update(payment))
    assert np.array_equal(
        stream.peek(upcoming[-1]),
        FeatureStream.from_frame(features, world[:5_200], start=START).peek(upcoming[-1]),
    )


def test_labels_confirmed_late_count_from_then_on(world):
    features = FeatureSet((), (Window(TERMINAL, 7 * DAY, "label", 7 * DAY),))
    batch = compute(features, world, start=START)
    stream = FeatureStream(features, start=START)
    waiting = []  # frauds, to be reported six days later
    for row, payment in enumerate(payments(world, label=False)):
        while waiting and waiting[0].time_seconds + 6 * DAY <= payment.time_seconds:
            fraud = waiting.pop(0)
            assert stream.confirm(fraud.terminal_id, fraud.transaction_id, True)
        assert np.array_equal(stream.update(payment), batch[row])
        if world["is_fraud"][row]:
            waiting.append(payment)


def test_a_label_is_corrected_inside_its_window():
    features = FeatureSet((), (Window(TERMINAL, 9 * DAY, "label", DAY),))
    stream = FeatureStream(features, start=START)
    stream.update(Payment(0, 0, 1, 5, 1.0))
    assert stream.update(Payment(1, 2 * DAY, 1, 5, 1.0)).tolist() == [1, 0]
    assert stream.confirm(5, 0, True)
    assert stream.update(Payment(2, 2 * DAY + 1, 1, 5, 1.0)).tolist() == [1, 1]
    assert not stream.confirm(5, 99, True) and not stream.confirm(6, 0, True)


def test_unknown_entities_and_late_payments_are_defined():
    features = standard(columns=COLUMNS)
    stream = FeatureStream(features, start=START)
    fresh = dict(zip(features.names, stream.update(Payment(0, DAY, 1, 5, 20.0)), strict=True))
    assert fresh["customer_count_30d"] == 1 and fresh["customer_mean_30d"] == 20
    assert fresh["terminal_count_30d"] == 0 and fresh["amount_ratio"] == 1
    assert fresh["hours_since_previous"] == 720 and fresh["days_known"] == 0
    row = stream.update(Payment(1, DAY - HOUR, 1, 5, 40.0))  # taken at the time of the first
    late = dict(zip(features.names, row, strict=True))
    assert late["customer_count_1h"] == 2 and late["hours_since_previous"] == 0
    assert stream.largest_id() == 1
    stream.update(Payment(2, DAY - HOUR, 2, 6, 40.0))
    assert stream.latest_time() == DAY


def test_definition_survives_json_and_refuses_to_read_the_future():
    features = standard(columns={*COLUMNS, "device_id"}, numbers=("distance",))
    assert FeatureSet.from_dict(features.to_dict()) == features
    with pytest.raises(AssertionError, match="delay"):
        Window(TERMINAL, DAY, "label", 0)


@pytest.mark.mirror
def test_published_table_streams_to_the_same_bits():
    found = data.load("handbook-fraud")
    frame = found.frame.filter(pl.col("day") < 45)
    frame = frame.filter(pl.col("terminal_id") < 1_500)
    batch = compute(HANDBOOK, frame, start=found.start)
    stream = FeatureStream(HANDBOOK, start=found.start)
    streamed = np.stack([stream.update(payment) for payment in payments(frame)])
    assert len(batch) > 60_000 and np.array_equal(batch, streamed)


def test_the_state_of_a_frame_is_in_one_order(world):
    features = standard(columns=set(world.columns))
    stream = FeatureStream.from_frame(features, world[:5_000], start=START)
    met = world[:5_000]["customer_id"].unique(maintain_order=True).to_list()
    assert list(stream._customers) == met
