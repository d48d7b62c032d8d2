"""A user's CSV files: what is read, and that what is wrong is named with its row."""

import time
from datetime import date

import polars as pl
import pytest

from data.files import interactions_from_csv, transactions_from_csv


@pytest.fixture
def csv(tmp_path):
    def write(content, name="own.csv", encoding="utf-8"):
        path = tmp_path / name
        path.write_bytes(content.encode(encoding))
        return path

    return write


def test_interactions_keep_ids_as_they_are_written(csv):
    path = csv("who,what,stars,when\n007,naïve café ☕,4.5,100\n李,2,3,200000.9\n")
    table = interactions_from_csv(path, user="who", item="what", rating="stars", timestamp="when")
    assert table.interactions.rows() == [
        ("007", "naïve café ☕", 4.5, 100),
        ("李", "2", 3.0, 200_000),
    ]
    assert table.interactions.schema == {
        "user_id": pl.String,
        "item_id": pl.String,
        "rating": pl.Float32,
        "timestamp": pl.Int64,
    }
    assert table.items.schema == {
        "item_id": pl.String,
        "title": pl.String,
        "genres": pl.List(pl.String),
        "year": pl.Int32,
    }
    assert table.source.origin == "file"
    assert table.source.rows == ("2 interactions, 2 users, 2 items, from 1970-01-01 to 1970-01-03")
    assert len(table.source.checksums["own.csv"]) == 64


def test_rating_and_timestamp_may_be_absent(csv):
    table = interactions_from_csv(csv("user_id,item_id\na,x\nb,y\n"))
    assert table.interactions["rating"].null_count() == 2
    assert table.interactions["timestamp"].dtype == pl.Int64


def test_a_column_that_is_named_twice_is_said(csv):
    table = interactions_from_csv(csv("user_id,x\na,1\nb,2\n"), item="user_id")
    assert table.source.notice.startswith("Column 'user_id' is read as user and as item.")


def test_repeated_rows_are_kept_and_said(csv):
    table = interactions_from_csv(csv("user_id,item_id\na,x\na,x\na,x\nb,y\n"))
    assert table.interactions.height == 4
    assert table.source.notice == "2 rows repeat another exactly; they were kept."


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            "user_id,film\na,x\n",
            r"own\.csv: no column 'item_id' \(--data.item\). It has 'user_id', 'film'",
        ),
        ("user_id,item_id\na,x\n,y\n", r"own\.csv, row 3: column 'user_id' is empty"),
        ("user_id,item_id\na,x\nb, \n", r"row 3: column 'item_id' is empty"),
        ("user_id,item_id\n", r"own\.csv: a header but no rows"),
        ("", r"own\.csv: the file is empty"),
    ],
)
def test_what_is_wrong_is_named(csv, content, message):
    with pytest.raises(ValueError, match=message):
        interactions_from_csv(csv(content))


@pytest.mark.parametrize("value", ["good", "inf", "", "nan", "1,5,0"])
def test_rating_that_is_no_number_is_named_with_its_row(csv, value):
    path = csv(f'user_id,item_id,rating\na,x,1\nb,y,"{value}"\n')
    with pytest.raises(ValueError, match=r"own\.csv, row 3: column 'rating'"):
        interactions_from_csv(path, rating="rating")


@pytest.mark.parametrize(
    ("moment", "message"),
    [
        ("inf", "row 2: column 'when' holds 'inf', not a time"),
        (
            "1600000000000",
            "row 2: column 'when' holds '1600000000000', not a time from year 1970 to",
        ),
        ("-1", "row 2: column 'when' holds '-1', not a time from year 1970 to 2100"),
        (
            "4133980800",
            "row 2: column 'when' holds '4133980800', not a time from year 1970 to 2100",
        ),
        ("nan", "row 2: column 'when' holds 'nan', not a time"),
        ("", r"row 2: column 'when' is empty\. Fill"),
        ("yesterday", "row 2: column 'when' holds 'yesterday', unlike '1600000000' in other rows"),
        ("2024-05-31", "row 2: column 'when' holds '2024-05-31', unlike '1600000000'"),
    ],
)
def test_time_that_is_none_is_named_with_its_row(csv, moment, message):
    path = csv(f"user_id,item_id,when\na,x,{moment}\nb,y,1600000000\nb,y,1600000009\n")
    with pytest.raises(ValueError, match=message):
        interactions_from_csv(path, timestamp="when")


def test_rating_beyond_what_it_can_mean_is_named_with_its_row(csv):
    path = csv("user_id,item_id,stars\na,x,3\nb,y,1e300\n")
    with pytest.raises(ValueError, match="row 3: column 'stars' holds '1e300', outside"):
        interactions_from_csv(path, rating="stars")


def test_iso_dates_outside_of_1970_to_2100_are_refused_and_the_ends_are_not(csv):
    path = csv("user_id,item_id,when\na,x,1970-01-01\nb,y,2100-12-31T23:59:59\n")
    table = interactions_from_csv(path, timestamp="when")
    assert table.interactions["timestamp"].to_list() == [0, 4_133_980_799]
    for day in ("1969-12-31T23:59:59", "2101-01-01"):
        path = csv(f"user_id,item_id,when\na,x,2000-01-01\nb,y,{day}\n")
        with pytest.raises(
            ValueError, match=f"row 3: column 'when' holds '{day}', not a time from"
        ):
            interactions_from_csv(path, timestamp="when")


@pytest.mark.parametrize("value", ["0.5", "5.5", "-inf", "nan"])
def test_rating_outside_of_the_range_given_is_named(csv, value):
    path = csv(f"user_id,item_id,stars\na,x,1\nb,y,5\nc,y,{value}\n")
    with pytest.raises(ValueError, match=rf"own\.csv, row 4: column 'stars' .*'{value}'"):
        interactions_from_csv(path, rating="stars", rating_range=(1, 5))
    with pytest.raises(ValueError, match="rating_range: 5, 1 is not a range"):
        interactions_from_csv(path, rating="stars", rating_range=(5, 1))


def test_ids_are_kept_byte_for_byte(csv):
    composed, decomposed = "caf\u00e9", "cafe\u0301"
    ids = [composed, decomposed, "a", "a ", "A", "👩‍🚀", "٣", "0x1F", "1e3", "true", '"quoted"']
    rows = "".join('"{}",x\r\n'.format(name.replace('"', '""')) for name in ids)
    table = interactions_from_csv(csv("user_id,item_id\r\n" + rows))
    assert table.interactions["user_id"].to_list() == ids == table.users["user_id"].to_list()
    assert table.interactions["item_id"].unique().to_list() == ["x"]


def test_device_and_watch_time_are_read_where_named(csv):
    path = csv("user_id,item_id,on,watched\na,x,tv,12.5\nb,y,,\n")
    events = interactions_from_csv(path, device="on", watch_seconds="watched").interactions
    assert events.schema["device"] == pl.String and events.schema["watch_seconds"] == pl.Float32
    assert events["device"].to_list() == ["tv", None]
    assert events["watch_seconds"].to_list() == [12.5, None]
    assert "device" not in interactions_from_csv(path).interactions.columns
    for value in ("nan", "-1", "long"):
        wrong = csv(f"user_id,item_id,watched\na,x,1\nb,y,{value}\n")
        with pytest.raises(ValueError, match=f"row 3: column 'watched' holds '{value}'"):
            interactions_from_csv(wrong, watch_seconds="watched")


def test_users_and_items_of_their_own_files(csv):
    events = csv("who,what\nu1,b\nu2,a\nu1,零\n")
    items = csv(
        "what,title,genres,year,plot,runtime_minutes\n"
        "a,Amélie,Comedy| Romance |Comedy,2001,A waitress.,122\n"
        "b,,,,,\n"
        "cold,New,Drama,2024.0,,\n",
        "items.csv",
    )
    users = csv("gender,who,age,shoe\nF,u2,31,38\n,u1,,\n", "users.csv")
    table = interactions_from_csv(
        events,
        user="who",
        item="what",
        users=users,
        items=items,
        names={"text": "plot"},
    )
    assert table.items.schema == {
        "item_id": pl.String,
        "title": pl.String,
        "genres": pl.List(pl.String),
        "year": pl.Int32,
        "text": pl.String,
        "runtime_minutes": pl.Int32,
    }
    assert table.items.rows() == [
        ("a", "Amélie", ["Comedy", "Romance"], 2001, "A waitress.", 122),
        ("b", "b", [], None, None, None),
        ("cold", "New", ["Drama"], 2024, None, None),
        ("零", "零", [], None, None, None),
    ]
    assert table.users.schema == {"user_id": pl.String, "age": pl.Int32, "gender": pl.String}
    assert table.users.rows() == [("u2", 31, "F"), ("u1", None, None)]
    assert table.source.rows == "3 interactions, 2 users, 4 items"
    assert table.source.notice == (
        "Columns of users.csv that are not used: 'shoe'. "
        "1 of 3 what of the events are not in items.csv; nothing else is known of them."
    )
    assert set(table.source.checksums) == {"own.csv", "items.csv", "users.csv"}


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("users", "user_id,age\na,3\nb,4\na,5\n", "row 4: column 'user_id' holds 'a', as row 2"),
        ("items", "item_id\nx\nx\n", "row 3: column 'item_id' holds 'x', as row 2 does"),
        ("users", "id,age\na,3\n", r"users\.csv: no column 'user_id', did you mean 'id'\?"),
        ("users", "user_id,age\na,old\n", r"users\.csv, row 2: column 'age' holds 'old', not"),
        ("items", "item_id,year\nx,1999.5\n", "row 2: column 'year' holds '1999.5', not a whole"),
        ("items", "item_id,title\n,T\n", r"items\.csv, row 2: column 'item_id' is empty"),
        ("items", "item_id\n", r"items\.csv: a header but no rows"),
    ],
)
def test_what_is_wrong_in_the_other_files_is_named(csv, name, content, message):
    events = csv("user_id,item_id\na,x\nb,y\n")
    with pytest.raises(ValueError, match=message):
        interactions_from_csv(events, **{name: csv(content, f"{name}.csv")})


def test_a_mapping_without_effect_is_refused(csv):
    events, items = csv("user_id,item_id\na,x\n"), csv("item_id,plot\nx,t\n", "items.csv")
    for columns, message in (
        ({"plot": "text"}, r"names: 'plot' is not known\. Choose from age"),
        ({"age": "years"}, r"names: 'age' is in a separate file\. Give --data\.users too"),
        ({"text": "overview"}, r"items\.csv: no column 'overview'\. It has 'item_id', 'plot'"),
    ):
        with pytest.raises(ValueError, match=message):
            interactions_from_csv(events, items=items, names=columns)


def test_a_million_events_of_one_user_take_seconds(csv):
    rows = "".join(f"u,i{n % 5000},{n % 5 + 1},{1_600_000_000 + n}\n" for n in range(1_000_000))
    path = csv("user_id,item_id,rating,timestamp\n" + rows)
    begin = time.process_time()
    table = interactions_from_csv(path, rating="rating", timestamp="timestamp")
    assert time.process_time() - begin < 10  # about one second
    assert (table.interactions.height, table.users.height) == (1_000_000, 1)


def test_absent_file_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"none\.csv: no such file"):
        interactions_from_csv(tmp_path / "none.csv")


def test_transactions_are_sorted_and_their_ids_numbered(csv):
    path = csv(
        "time,customer_id,terminal_id,amount,is_fraud\n"
        "2024-03-02 01:00:00,b,t2,20.5,no\n"
        "2024-03-01T00:00:05,ä,t1,10,1\n"
        "2024-03-02T01:00:00+01:00,b,t1,3,false\n"
    )
    table = transactions_from_csv(path)
    assert table.start == date(2024, 3, 1)
    assert table.frame["time_seconds"].to_list() == [5, 86_400, 90_000]
    assert table.frame["day"].to_list() == [0, 1, 1]
    assert table.frame["customer_id"].to_list() == [1, 0, 0]
    assert table.frame["terminal_id"].to_list() == [1, 1, 0]
    assert table.frame["is_fraud"].to_list() == [1, 0, 0]
    assert table.frame["amount"].to_list() == [10, 3, 20.5]
    assert table.extra["customer_id"].rows() == [(0, "b"), (1, "ä")]
    assert table.calendar and table.numbers == table.categories == ()
    assert table.frame.schema == {
        "transaction_id": pl.Int64,
        "time_seconds": pl.Int64,
        "day": pl.Int16,
        "customer_id": pl.Int32,
        "terminal_id": pl.Int32,
        "amount": pl.Float64,
        "is_fraud": pl.Int8,
        "terminal": pl.String,  # a few are kept by name too
    }


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("5,a,t,,0", "row 3: column 'amount' is empty"),
        ("5,,t,1,0", "row 3: column 'customer_id' is empty"),
        ("5,a,t,1,2", "row 3: column 'is_fraud' holds '2', and a label is 0 or 1"),
        ("5,a,t,much,0", "row 3: column 'amount' holds 'much', not a number"),
        ("noon,a,t,1,0", "row 3: column 'time' holds 'noon', unlike '1' in other rows"),
    ],
)
def test_transaction_that_is_wrong_is_named(csv, row, message):
    path = csv(f"time,customer_id,terminal_id,amount,is_fraud\n1,a,t,1,0\n{row}\n")
    with pytest.raises(ValueError, match=message):
        transactions_from_csv(path)
