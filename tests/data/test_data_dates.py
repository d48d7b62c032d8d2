"""Times as users write them: the same moments in each way, or the flag that is needed."""

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from common.own_files import TimedTableOptions
from data.files import interactions_from_csv, transactions_from_csv
from data.files.dates import span_of, tiny_span, to_seconds

MOMENTS = [datetime(2023, 1, 31, 10, 15, tzinfo=UTC) + timedelta(days=40 * n) for n in range(5)]
SECONDS = [int(moment.timestamp()) for moment in MOMENTS]
DAYS = [second // 86_400 * 86_400 for second in SECONDS]


def read(values, **options):
    return to_seconds(pl.Series(values, dtype=pl.String), TimedTableOptions(**options))


def written(form):
    return [moment.strftime(form) for moment in MOMENTS]


@pytest.mark.parametrize(
    "form",
    ["%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M", "%Y%m%dT%H%M%S", "%Y-%m-%dT%H:%M:%S.250Z"],
)
def test_iso_times_are_found(form):
    times = read(written(form))
    assert times.seconds.to_list() == SECONDS and times.fault is None and times.said is None


def test_offsets_are_taken_off_and_forms_of_iso_may_be_mixed():
    values = ["2023-01-31T12:15:00+02:00", "2023-01-31 10:15:00", "20230131T101500Z", "2023-01-31"]
    assert read(values).seconds.to_list() == [SECONDS[0]] * 3 + [DAYS[0]]


@pytest.mark.parametrize(
    ("form", "words"),
    [("%Y%m%d", "YYYYMMDD"), ("%Y%m%d%H%M", "YYYYMMDDHHMM"), ("%Y%m%d%H%M%S", "YYYYMMDDHHMMSS")],
)
def test_dates_of_digits_are_found_and_said(form, words):
    times = read(written(form))
    assert times.seconds.to_list() == (DAYS if form == "%Y%m%d" else SECONDS)
    assert times.said == f"Times were read as dates {words}."


@pytest.mark.parametrize("power", [0, 3, 6, 9])
def test_smaller_units_are_found_by_their_size_and_said(power):
    times = read([str(second * 10**power + 10**power // 2) for second in SECONDS])
    assert times.seconds.to_list() == SECONDS
    names = {0: None, 3: "milliseconds", 6: "microseconds", 9: "nanoseconds"}
    assert times.said == (power and f"Times were read as {names[power]} since 1970." or None)


@pytest.mark.parametrize("form", ["%d/%m/%Y %H:%M", "%d.%m.%y %H:%M:%S", "%b %d, %Y %I:%M %p"])
def test_other_dates_need_their_format_which_is_named_where_it_is_sure(form):
    assert read(written(form), date_format=form).seconds.to_list() == SECONDS
    place, text = read(written(form)).fault
    assert place == 0 and "--data.date-format" in text
    if form != "%d.%m.%y %H:%M:%S":
        assert repr(form) in text


def test_day_and_month_that_cannot_be_told_apart_are_both_named():
    place, text = read(["01/02/2023", "03/04/2023"]).fault
    assert place == 0 and "'%d/%m/%Y' or --data.date-format '%m/%d/%Y'" in text
    place, text = read(["2023-01-01", "31/12/2023"], date_format="%Y-%m-%d").fault
    assert place == 1 and "not a date written as %Y-%m-%d" in text
    assert "%d is the day" in read(["31/12/2023"], date_format="DD/MM/YYYY").fault[1]


@pytest.mark.parametrize(
    ("unit", "factor"), [("seconds", 1), ("minutes", 60), ("hours", 3600), ("days", 86_400)]
)
def test_a_counter_is_read_by_its_unit(unit, factor):
    times = read(["1", "2.5", "743"], time_unit=unit)
    assert times.seconds.to_list() == [factor, int(2.5 * factor), 743 * factor]
    assert times.said == f"Times count {unit}; 0 is 1970-01-01."


def test_excel_dates_are_read_where_asked_for():
    assert read(["44957.42708333333", "44957"], time_unit="excel").seconds.to_list() == [
        SECONDS[0],
        DAYS[0],
    ]
    place, text = read(["x"], time_unit="excel").fault
    assert place == 0 and "not a number of excel" in text


@pytest.mark.parametrize(
    ("values", "place", "words"),
    [
        (["1", "743"], 0, "too small for seconds since 1970 (the column holds 1 to 743)"),
        (["44957", "44958"], 0, "--data.time-unit"),
        (["20230101", "20231301", *["20230102"] * 20], 1, "--data.date-format %Y%m%d"),
        (["2023010110", "2023010111"], 0, "%Y%m%d%H or --data.time-unit seconds"),
        (["1600000000", "x", "1600000000"], 1, "unlike '1600000000' in other rows"),
        (["2023-01-01", "7", "2023-01-02"], 1, "unlike '2023-01-01' in other rows"),
        (["2023-02-30"], 0, "neither a number of seconds nor an ISO date"),
        (["nan", "1600000000"], 0, "not a time"),
        (["1e300"], 0, "not a time"),
    ],
)  # fmt: skip
def test_what_is_no_time_is_named_with_the_flag(values, place, words):
    found, text = read(values).fault
    assert found == place and words in text


def test_a_counter_in_seconds_over_days_is_read_and_said():
    times = read(["0", "172792"])
    assert times.seconds.to_list() == [0, 172_792]
    assert times.said.startswith("Times were read as seconds, 0 as 1970-01-01.")


def test_the_span_is_told_and_a_tiny_one_is_warned_of():
    span = pl.Series([SECONDS[0], SECONDS[-1]])
    assert span_of(span) == "from 2023-01-31 to 2023-07-10"
    assert span_of(pl.Series([5, 5])) == "all at 1970-01-01 00:00:05"
    assert tiny_span(span, "when") is None
    assert tiny_span(pl.Series([5, 5]), "when").startswith("Column 'when' holds one and the same")
    assert "'when' lie within 1.5 minutes" in tiny_span(pl.Series([10, 100]), "when")


def test_readers_give_the_same_table_from_either_way_to_write_a_date(tmp_path):
    frames = []
    for form in ("%Y-%m-%d", "%Y%m%d"):
        rows = "".join(f"u{n % 2},i{n},{day}\n" for n, day in enumerate(written(form)))
        (tmp_path / "own.csv").write_text("user_id,item_id,timestamp\n" + rows)
        table = interactions_from_csv(tmp_path / "own.csv", timestamp="timestamp")
        frames.append(table.interactions)
        assert table.source.rows.endswith("from 2023-01-31 to 2023-07-10")
    assert frames[0].equals(frames[1])


def test_payments_by_the_hour(tmp_path):
    rows = "".join(f"{n},c,t,1,0\n" for n in range(1, 50))
    (tmp_path / "own.csv").write_text("time,customer_id,terminal_id,amount,is_fraud\n" + rows)
    with pytest.raises(ValueError, match=r"row 2: column 'time' holds '1'.*--data\.time-unit"):
        transactions_from_csv(tmp_path / "own.csv")
    options = TimedTableOptions(time_unit="hours")
    table = transactions_from_csv(tmp_path / "own.csv", options=options)
    assert table.frame["day"].to_list() == [n // 24 for n in range(1, 50)]
    assert "Times count hours" in table.source.notice


def test_a_format_and_a_unit_exclude_each_other():
    with pytest.raises(ValueError, match="date_format: '%Y' and time_unit days exclude each other"):
        read(["2020"], date_format="%Y", time_unit="days")


@pytest.mark.parametrize("form", ["", "%", "%Q", "%Y-%m-%d %H"])
def test_a_format_that_is_none_is_refused_and_one_of_hours_is_read(form):
    times = read(["2023-01-31 10"], date_format=form)
    if form.endswith("H"):
        assert times.seconds.to_list() == [SECONDS[0] // 3600 * 3600]
    else:
        assert times.fault[0] == 0 and "--data.date-format" in times.fault[1]
