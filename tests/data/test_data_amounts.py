"""Numbers as people write them, a column that could mean two things, a delimiter among others."""

import polars as pl
import pytest

from common.own_files import TableOptions
from data.files import transactions_from_csv
from data.files.amounts import to_numbers
from data.files.reader import read_table


@pytest.mark.parametrize(
    ("values", "numbers", "how"),
    [
        (["1", "-2.5", "1e3"], [1, -2.5, 1000], None),
        (["$1.50", "-$2", "$ 3"], [1.5, -2, 3], "without currency signs"),
        (["1,234.50", "7"], [1234.5, 7], "without commas for thousands and currency signs"),
        (["€7,24", "1.234"], [7.24, 1234], "with commas as decimal points"),
        (["1.234,50 €", "-1 000", None], [1234.5, -1000, None], "with commas as decimal points"),
        (["1,234", "12"], [None, 12], None),  # one thousand or one point two?
        (["7,24", "n/a"], [None, None], None),
        (["1,2,3"], [None], None),
    ],
)
def test_numbers_are_read_in_one_way_that_fits_all(values, numbers, how):
    found, said = to_numbers(pl.Series(values, dtype=pl.String))
    assert found.to_list() == numbers and said == how


def test_a_continental_file_is_read_and_said(tmp_path):
    path = tmp_path / "own.csv"
    path.write_text(
        "time;customer_id;terminal_id;amount;is_fraud\n2024-01-01;c;t;7,24;0\n2024-02-01;c;t;8,5;1\n"
    )
    table = transactions_from_csv(path)
    assert table.frame["amount"].to_list() == [7.24, 8.5]
    assert table.source.notice == (
        "Numbers in column 'amount' were read with commas as decimal points."
    )


def test_the_delimiter_is_the_sign_that_all_lines_have_equally_often(tmp_path):
    path = tmp_path / "items.csv"
    path.write_text("1,Film,Drama|War|Crime|Noir\n2,Other,Comedy\n")
    table = read_table(path, TableOptions(columns=("item_id", "title", "genres")))
    assert table.frame.row(1) == ("2", "Other", "Comedy")
