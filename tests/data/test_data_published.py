"""Habits of public tables: each is read as it is meant, or told, and nothing is silently wrong."""

import polars as pl
import pytest

from common.own_files import TimedTableOptions
from data.files import interactions_from_csv, transactions_from_csv


@pytest.fixture
def file(tmp_path):
    def write(content, name="own.csv"):
        path = tmp_path / name
        path.write_text(content, encoding="utf-8")
        return path

    return write


# ---------------------------------------------------------------- times in several columns


def test_a_time_in_several_columns_is_read_as_one(file):
    path = file("day,hour,user_id,item_id\n2024-05-31, 13:30 ,a,x\n2024-06-01,09:00,b,y\n")
    table = interactions_from_csv(path, timestamp=("day", "hour"))
    moments = pl.from_epoch(table.interactions["timestamp"]).dt.strftime("%Y-%m-%d %H:%M")
    assert moments.to_list() == ["2024-05-31 13:30", "2024-06-01 09:00"]
    assert table.source.notice is None or "not used" not in table.source.notice


def test_several_columns_of_a_time_are_no_features_and_their_format_is_proposed(file):
    rows = "".join(
        f"{2018 + n % 2} {1 + n % 12} {1 + n % 28} 0{n % 9}:15 5 {n % 2}\n" for n in range(99)
    )
    path = file(f"Year Month Day Time amount fraud\n{rows}")
    given = {"customer": "none", "terminal": "none", "label": "fraud"}
    given["time"] = ("Year", "Month", "Day", "Time")
    with pytest.raises(ValueError, match="row 2.*'2018 1 1 00:15'.*--data.time") as error:
        transactions_from_csv(path, **given)
    assert "give --data.date-format '%Y %m %d %H:%M', or name" in str(error.value)
    options = TimedTableOptions(date_format="%Y %m %d %H:%M")
    table = transactions_from_csv(path, **given, options=options)
    assert table.numbers == table.categories == ()
    assert "from 2018-01-01 to 2019-12-" in table.source.rows


def test_one_of_several_columns_that_is_missing_is_named(file):
    path = file("day,hour,user_id,item_id\n2024-05-31,13,a,x\n")
    with pytest.raises(ValueError, match=r"no column 'our', did you mean 'hour'\? \(--data.timest"):
        interactions_from_csv(path, timestamp=("day", "our"))


def test_a_day_and_an_hour_alone(file):
    path = file("day,hour,user_id,item_id\n31/05/2024,13,a,x\n01/06/2024,9,a,y\n")
    options = TimedTableOptions(date_format="%d/%m/%Y %H")
    times = interactions_from_csv(path, timestamp=("day", "hour"), options=options).interactions
    assert times["timestamp"].to_list() == [1_717_160_400, 1_717_232_400]


# ---------------------------------------------------------------- payments


def payments(rows, header="time,customer_id,terminal_id,amount,is_fraud"):
    return header + "\n" + "\n".join(rows) + "\n"


def test_a_number_of_the_row_that_begins_anew_in_each_file_is_no_feature(file):
    header = ",time,customer_id,terminal_id,amount,is_fraud,score"
    row = "{0},2024-01-01 00:00:{1:02d},c{1},t,5,{2},{1}.5"
    paths = {
        part: file(payments([row.format(n, n % 60, n % 2) for n in range(count)], header), part)
        for part, count in (("train", 300), ("test", 200))
    }
    table = transactions_from_csv(paths)
    assert table.numbers == ("score",)
    assert "'column 1' (nearly every value differs)" in table.source.notice


def test_refunds_are_features_as_they_are_and_cost_nothing(file):
    rows = [
        f"2024-01-{1 + n % 28:02d},c,t,${'-' if n % 5 == 0 else ''}{n}.50,{n % 2}"
        for n in range(60)
    ]
    table = transactions_from_csv(file(payments(rows)))
    assert table.frame["amount"].min() < -50
    assert "12 amounts are below 0" in table.source.notice


def test_a_customer_of_every_payment_is_told(file):
    rows = [f"2024-01-{1 + n % 28:02d},c{n},t{n % 3},5,{n % 2}" for n in range(60)]
    said = transactions_from_csv(file(payments(rows))).source.notice
    assert "Column 'customer_id' differs in nearly every payment" in said
    assert "--data.customer none" in said and "'terminal_id' differs" not in said


# ---------------------------------------------------------------- ratings and counts


@pytest.mark.parametrize(("none", "said"), [("0", "50.0% of"), ("-1", "50.0% of")])
def test_ratings_that_say_there_is_none_are_told_and_left_out_if_named(file, none, said):
    rows = "".join(f"u{n},i{n},{none if n % 2 else 1 + n % 10}\n" for n in range(60))
    path = file(f"user_id,item_id,stars\n{rows}")
    told = interactions_from_csv(path, rating="stars")
    assert said in told.source.notice and f"--data.unrated {none}" in told.source.notice
    named = interactions_from_csv(path, rating="stars", unrated=float(none), rating_range=(1, 10))
    assert named.interactions["rating"].null_count() == 30 and named.interactions.height == 60
    assert f"30 ratings of {none} count as not given" in named.source.notice


@pytest.mark.parametrize("scale", [(0.5, 1, 2, 3, 4, 5), (0, 0.5, 1, 2), (-3, -1, 0, 2), (1, 5)])
def test_scales_that_begin_low_are_ratings(file, scale):
    rows = "".join(f"u{n},i{n},{scale[n % len(scale)]}\n" for n in range(60))
    path = file(f"user_id,item_id,stars\n{rows}")
    assert interactions_from_csv(path, rating="stars").source.notice is None


def test_counts_given_as_ratings_are_told(file):
    rows = "".join(f"u{n},i{n},{1 + n * n}\n" for n in range(60))
    said = interactions_from_csv(
        file(f"user_id,item_id,plays\n{rows}"), rating="plays"
    ).source.notice
    assert "go up to 3,482" in said and "--data.weight instead of --data.rating" in said


def test_counts_not_above_zero_are_refused_or_skipped(file):
    path = file("user_id,item_id,quantity\na,x,2\nb,y,-1\nc,z,0\n,w,3\n")
    with pytest.raises(
        ValueError, match=r"row 3.*'-1', not above 0; skip .*--data.incomplete skip"
    ):
        interactions_from_csv(path, weight="quantity", options=TimedTableOptions())
    options = TimedTableOptions(incomplete="skip")
    table = interactions_from_csv(path, weight="quantity", options=options)
    assert table.interactions["user_id"].to_list() == ["a"]
    assert "2 rows were skipped for a 'quantity' not above 0" in table.source.notice


# ---------------------------------------------------------------- what is known of users and items


def test_attributes_are_found_in_any_case_and_by_name(file):
    events = file("user_id,item_id\na,x\nb,y\n")
    users = file("user_id,Age\na,NULL\nb,239\n", "users.csv")
    items = file(
        "item_id,Book-Title,Runtime-Minutes,genres\nx,T,90,(no genres listed)\ny,U,,A|B\n", "i.csv"
    )
    table = interactions_from_csv(events, users=users, items=items, names={"title": "Book-Title"})
    assert table.users["age"].to_list() == [None, None]
    assert (
        "1 value is outside 0 to 150 in column 'Age' and not known (row 3: 239)"
        in table.source.notice
    )
    assert table.items["title"].to_list() == ["T", "U"]
    assert table.items["runtime_minutes"].to_list() == [90, None]
    assert table.items["genres"].to_list() == [[], ["A", "B"]]


# ---------------------------------------------------------------- rows that are no events


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("0 5 6 7\n1 2\n2 9 9\n", "It has one cell, and a row needs user_id and item_id"),
        ("1:\n5,3,2004-01-02\n6,4,2004-01-03\n2:\n7,3,2004-01-04\n8,1,2004-02-04\n9,1,2004-02-04\n",
         "row 1: 1 cell between commas, most other rows have 3: '1:'"),
        ("7,3,4.0,1168560000\n9,2,1.0,1168560001\n",
         "--data.columns user_id item_id rating timestamp --data.rating rating$"),
        ("151603712,game,play,1.0\n151603713,toy,play,2.0\n",
         "--data.columns user_id item_id other_3 other_4$"),
        (",".join("5" * 40) + "\n" + ",".join("6" * 40) + "\n", "other_12 … --data.rating"),
    ],
)  # fmt: skip
def test_a_file_that_is_no_table_of_events_or_has_no_header_is_told_so(file, content, message):
    with pytest.raises(ValueError, match=message):
        interactions_from_csv(file(content))
