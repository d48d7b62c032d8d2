"""Tables as users write them: delimiters, headers, quotes, encodings, compression, and faults."""

import bz2
import csv
import gzip
import io
import lzma
import re
import tempfile
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.own_files import TableOptions, TimedTableOptions
from data.files import Wanted, interactions_from_csv, texts_from_files, transactions_from_csv
from data.files.columns import read_columns
from data.files.reader import read_table

CELLS = [
    "",
    " ",
    "a",
    "é;|",
    "x,y",
    '"',
    '""',
    '5" disk',
    '"a"',
    "two\nlines",
    "\n",
    'a "b", "c"\n',
]
ROWS = [("a", "x 1"), ("b", "ÿ"), ("c", "")]


@pytest.fixture
def file(tmp_path):
    def write(content, name="own.csv", encoding="utf-8"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode(encoding))
        return path

    return write


def rows_of(path: Path, **options) -> list[tuple[str, ...]]:
    return read_table(path, TableOptions(**options)).frame.rows()


@pytest.mark.parametrize("sign", [",", ";", "\t", "::", "|"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_delimiters_line_ends_and_encodings_are_found(file, sign, end, encoding):
    lines = [f"id{sign}text", *(f"{key}{sign}{text}" for key, text in ROWS)]
    table = read_table(file(end.join(lines), encoding=encoding))
    assert table.frame.columns == ["id", "text"]
    assert table.frame.rows() == ROWS and table.rows.tolist() == [2, 3, 4] and not table.said


@pytest.mark.parametrize(
    ("content", "options"),
    [
        ("id  text\na   1\nb 2\n", {}),
        (" id text\n a 1\n b 2 \n", {"delimiter": "space"}),
        ("id text\na 1\nb 2\n", {"delimiter": " "}),
        ("id§text\na§1\nb§2\n", {"delimiter": "§"}),
        ("id^^text\na^^1\nb^^2\n", {"delimiter": "^^"}),
        ("id\ttext\na\t1\nb\t2\n", {"delimiter": "\\t"}),
        ("a;1\nb;2\n", {"columns": ("id", "text")}),
        ("a;1\nb;2\n", {"columns": ("id,text",)}),
        ("id;text\na;1\nb;2\n", {"columns": ("id", "text")}),
        ("id,text\n\na,1\n\n\nb,2\n\n", {}),
        ('"id","text"\n"a","1"\n"b","2"\n', {}),
        ('"id"\t"text"\n"a"\t"1"\n"b"\t"2"\n', {}),
        ('id, text\na, "1"\nb, 2\n', {}),
        ("sep=;\nid;text\na;1\nb;2\n", {}),
    ],
)
def test_ways_to_write_the_same_table(file, content, options):
    frame = read_table(file(content), TableOptions(**options)).frame
    assert frame.columns == ["id", "text"] and frame.rows() == [("a", "1"), ("b", "2")]


@pytest.mark.parametrize("name", ["own.tsv", "own.tab", "own.txt"])
def test_a_file_of_tabs_has_no_quoting(file, name):
    lines = [f"{'ab'[n % 2]}\tword{n}" for n in range(20)]
    lines[4], lines[7] = 'a\t"Hello, she said', 'b\tand then she left."'
    table = texts_from_files("csv", file("label\ttext\n" + "\n".join(lines), name), test_share=0.0)
    assert table.train.height == 20
    assert '"Hello, she said' in table.train["text"].to_list()


def test_quotes_and_line_breaks_inside_of_cells(file):
    path = file('id,text\na,"one\n\ntwo, ""three"""\nb,5" disk\n"c ",\n')
    table = read_table(path)
    assert table.frame.rows() == [("a", 'one\n\ntwo, "three"'), ("b", '5" disk'), ("c ", "")]
    assert table.rows.tolist() == [2, 3, 4]
    path = file('id,text\na,"one\n\ntwo, ""three"""\n\nb,"x"\n')
    table = read_table(path)
    assert table.frame.rows() == [("a", 'one\n\ntwo, "three"'), ("b", "x")]
    assert table.rows.tolist() == [2, 4]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('id,text\na,1\nb,"never\nc,3\n', r"own\.csv, row 3: a quotation mark .* never closed"),
        ('id,text\na,1\nb,"two" more\n', r"own\.csv, row 3: a quotation mark .* middle of a cell"),
        ('id,n,text\na,1,"x\nb,2,y\nc,3,z"\n', r"own\.csv, row 2: a quoted cell of 3 lines"),
        ("id,text\na,1\nb,2,3\n", r"own\.csv, row 3: 3 cells between commas, row 1 has 2: 'b,2,3'"),
        ("id,text\na,1\n\nb\nc\n", r"own\.csv, row 4: 1 cell between commas.*2 such rows.*: 'b'\."),
        (
            "id,id\na,1\n",
            r"own\.csv, row 1: the header names column 'id' twice, as columns 1 and 2",
        ),
        ("id, id\na,1\n", r"names column 'id' twice"),
        ("a::b\nc::d\ne::f::g\n", r"row 3: 3 cells between ::, row 1 has 2: 'e::f::g'"),
        ("\n  \n", r"own\.csv: the file is empty"),
        ("id,text\n", r"own\.csv: a header but no rows"),
        (b"PAR1\0\0", r"own\.csv: a Parquet file, not a table of rows"),
        (b"\x1f\x8b\x08broken", r"own\.csv: cannot be unpacked"),
        ("id\na,1\nb,2\n", r"own\.csv, row 1: 1 cell between commas, all other rows have 2: 'id'"),
        ('{"text": "a"}\n', r"own\.csv: JSON, not a table of rows"),
        ('[\n  {"text": "a"}\n]', r"own\.csv: JSON, not a table of rows"),
        ("<html></html>", r"own\.csv: a web page or XML, not a table of rows"),
        ("version https://git-lfs.github.com/spec/v1\n", r"own\.csv: a pointer of Git LFS"),
        ("__label__a x y\n", r"fastText writes them. Give --data.delimiter space --data.columns"),
        (b"a" * 257 + b"ustar", r"own\.csv: a tar archive"),
        ("id,text\na,1\nb,\0\n", r"own\.csv, row 3: it holds a NUL"),
    ],
)
def test_what_cannot_be_read_is_named_by_row(file, content, message):
    with pytest.raises(ValueError, match=message):
        read_table(file(content))


def test_compressed_files_are_unpacked(file, tmp_path):
    text = b"id,text\na,1\n"
    for name, pack in (("a.gz", gzip.compress), ("a.bz2", bz2.compress), ("a.xz", lzma.compress)):
        assert rows_of(file(pack(text), name)) == [("a", "1")]
    inside = io.BytesIO()
    with zipfile.ZipFile(inside, "w") as archive:
        archive.writestr("table.csv", text)
    assert rows_of(file(inside.getvalue(), "a.zip")) == [("a", "1")]
    with zipfile.ZipFile(inside, "a") as archive:
        archive.writestr("other.csv", text)
    with pytest.raises(ValueError, match=r"a\.zip: 2 files in one archive"):
        read_table(file(inside.getvalue(), "a.zip"))
    with pytest.raises(ValueError, match="a folder"):
        read_table(tmp_path)


def test_what_is_not_utf8_is_read_as_windows_1252_and_said(file):
    text = "id,text\na,plain\nb,déjà vu – naïve\n"
    table = read_table(file(text, encoding="cp1252"))
    assert table.frame.rows()[1] == ("b", "déjà vu – naïve")
    assert table.said == (
        "own.csv is not UTF-8; it was read as Windows-1252 (row 3: 'déjà'). If that is wrong, "
        "give --data.encoding.",
    )
    assert rows_of(file(text, encoding="cp1252"), encoding="cp1252") == table.frame.rows()


def test_an_encoding_that_cannot_be_told_is_asked_for(file):
    russian = "id,text\na,Привет мир\nb,до свидания\n"
    with pytest.raises(ValueError, match=r"row 2: neither UTF-8 nor Windows-1252.*--data\.encod"):
        read_table(file(russian, encoding="cp1251"))
    path = file(russian, encoding="cp1251")
    assert rows_of(path, encoding="cp1251")[0] == ("a", "Привет мир")
    with pytest.raises(ValueError, match=r"row 2: the byte 0xcf is not utf-8"):
        rows_of(path, encoding="utf-8")
    with pytest.raises(ValueError, match="encoding: 'latin-99' is not known"):
        rows_of(path, encoding="latin-99")
    mixed = "id,text\na,déjà\n".encode() + "b,né\n".encode("latin-1")
    with pytest.raises(ValueError, match="row 3: the byte 0xe9 is not UTF-8, though other rows"):
        read_table(file(mixed))


@pytest.mark.parametrize(
    ("content", "example"),
    [
        ("196\t242\t3\t881250949\n186\t302\t3\t891717742\n", "user_id item_id rating timestamp"),
        ("1::1193::5::97830::x\n1::661::3::97830::y\n", "user_id item_id rating timestamp other_5"),
        ("3,3\n4,5\n", "user_id item_id"),
    ],
)  # fmt: skip
def test_a_file_without_header_is_told_how_to_name_its_columns(file, content, example):
    path = file(content, "u.data")
    with pytest.raises(ValueError, match=r"row 1 looks like data") as error:
        interactions_from_csv(path, rating="rating", timestamp="timestamp")
    assert str(error.value).endswith(f"--data.columns {example}")
    if "other" not in example:
        named = TimedTableOptions(columns=tuple(example.split()))
        assert interactions_from_csv(path, options=named).interactions.height == 2
    with pytest.raises(ValueError, match=r"1 names of columns were given, row 1 has \d cells"):
        interactions_from_csv(path, options=TimedTableOptions(columns=("user_id",)))


def test_texts_without_header(file):
    path = file("ham\tsee you\nspam\twin now\nham\tok\n", "SMS")
    with pytest.raises(ValueError, match=r"row 1 looks like data.*--data\.columns label text"):
        texts_from_files("csv", path)
    options = TableOptions(columns=("label", "text"))
    table = texts_from_files("csv", path, test_share=0.0, wanted=Wanted(options=options))
    assert table.label_names == ("ham", "spam") and table.train.height == 3


def test_missing_columns_are_told_together_with_what_may_be_meant(file):
    path = file("when,customer,Terminal_ID,amount\n2024-01-01,c,t,1\n")
    with pytest.raises(ValueError) as error:
        transactions_from_csv(path, time="when")
    assert str(error.value) == (
        f"{path}: no column 'customer_id', did you mean 'customer'? (--data.customer); no column "
        "'terminal_id', did you mean 'Terminal_ID'? (--data.terminal); no column 'is_fraud' "
        "(--data.label). It has 'when', 'customer', 'Terminal_ID', 'amount'; name each by the "
        "flag behind it, or none where there is no such column. If row 1 is no header, give "
        "--data.columns."
    )


def test_all_faults_of_a_file_are_told_at_once(file):
    path = file(
        "time,customer_id,terminal_id,amount,is_fraud\n"
        "2024-01-01,c,t,1,0\n"
        "2024-01-02,c,,1,maybe\n"
        "yesterday,c,t,much,0\n"
        "2024-01-04,c,t,1e12,0\n"
    )
    with pytest.raises(ValueError) as error:
        transactions_from_csv(path)
    first, *faults = str(error.value).split("\n")
    assert first == f"{path}: 5 faults"
    words = (
        "row 3: column 'terminal_id' is empty. .* --data.terminal",
        "row 3: column 'is_fraud' holds 'maybe', .* --data.label",
        "row 4: column 'time' holds 'yesterday', .* --data.time",
        "row 4: column 'amount' holds 'much', not a number. .* --data.amount",
        "row 5: column 'amount' holds '1e12', outside -1e\\+09 to",
    )
    assert len(faults) == len(words)
    for fault, expected in zip(faults, words, strict=True):
        assert re.search(expected, fault), (expected, fault)


def test_ten_faults_are_listed_and_the_others_counted(file):
    names = {f"n{number}": f"n{number}" for number in range(12)}
    path = file(",".join(names) + "\n" + ",".join("x" * 12) + "\n")
    read = read_columns(path, names, TableOptions())
    for name in names:
        read.numbers(name)
    with pytest.raises(ValueError, match=r"12 faults(\n  row 2: .*){10}\n  and 2 more$"):
        read.check()


def test_none_null_and_nan_are_values(file):
    path = file("user_id,item_id,stars\nNone,null,1\nnan,NA,2\n")
    events = interactions_from_csv(path, rating="stars").interactions
    assert events["user_id"].to_list() == ["None", "nan"]
    assert events["item_id"].to_list() == ["null", "NA"]
    texts = texts_from_files("csv", file("text,label\nnull,NONE\nx,some\n"), test_share=0.0)
    assert texts.label_names == ("NONE", "some") and texts.train["text"].to_list() == ["null", "x"]


def test_columns_that_are_not_used_are_named_once(file):
    table = texts_from_files("csv", file("id,text,label,when\n1,x,a,2\n2,y,b,3\n"), test_share=0.0)
    assert table.source.notice == "Columns of own.csv that are not used: 'id', 'when'."


def test_rows_of_empty_cells_are_left_out_and_said(file):
    table = read_table(file("id,text\na,1\n , \nb,2\n,\n,x\n"))
    assert table.frame.rows() == [("a", "1"), ("b", "2"), ("", "x")]
    assert table.rows.tolist() == [2, 4, 6]
    assert table.said == ("2 rows with empty cells alone were left out.",)


def test_names_given_to_a_file_with_a_header_are_refused(file):
    options = TableOptions(columns=("text", "label"))
    with pytest.raises(ValueError, match=r"row 1 is a header: 'body', 'label'\. Leave out"):
        read_table(file("body,label\nx,a\n"), options)
    with pytest.raises(ValueError, match="columns: 'a' stands twice; give --data.columns each"):
        read_table(file("x,y\n"), TableOptions(columns=("a", "a")))


def test_the_last_of_given_columns_takes_the_rest_of_a_line_of_words(file):
    path = file("__label__a one  two\n __label__b x\n", "train.txt")
    options = {"delimiter": "space", "columns": ("label", "text")}
    assert rows_of(path, **options) == [("__label__a", "one  two"), ("__label__b", "x")]


def test_a_file_of_tabs_that_fits_with_quoting_alone_is_quoted(file):
    path = file('id\ttext\na\t"one\ttwo\nthree ""x"""\nb\t"y"\n', "own.tsv")
    assert rows_of(path) == [("a", 'one\ttwo\nthree "x"'), ("b", "y")]


def test_a_backslash_before_a_quotation_mark_is_read_and_said(file):
    table = read_table(file('id;text\na;"Peter: \\"Pan\\"; C:\\temp"\nb;"y"\n'))
    assert table.frame.rows() == [("a", 'Peter: "Pan"; C:\\temp'), ("b", "y")]
    assert table.said == ('In own.csv \\" was read as a quotation mark inside of a cell.',)


def test_rows_with_an_empty_cell_are_skipped_where_that_is_asked_for(file):
    path = file("user_id,item_id,on,extra\na,x,tv,\n,x,tv,\nb, ,,1\nc,y,,\n")
    with pytest.raises(
        ValueError, match="row 3: column 'user_id' is empty.*--data.incomplete skip"
    ):
        interactions_from_csv(path)
    options = TimedTableOptions(incomplete="skip")
    table = interactions_from_csv(path, device="on", options=options)
    assert table.interactions["user_id"].to_list() == ["a", "c"]
    assert table.interactions["device"].to_list() == ["tv", None]
    assert table.source.notice.startswith(
        "2 rows were skipped for an empty 'user_id' (1) or 'item_id' (1)."
    )
    with pytest.raises(ValueError, match="row 2: column 'user_id' is empty"):
        interactions_from_csv(file("user_id,item_id\n,x\n"), options=options)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.lists(st.sampled_from(CELLS), min_size=3, max_size=3), max_size=6))
def test_what_the_csv_module_writes_is_read_back(rows):
    rows = [["one", "two", "three"], ["x", "y", "z"], *rows]
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows(rows)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "own.csv"
        path.write_bytes(text.getvalue().encode())
        table = read_table(path)
    kept = [tuple(row) for row in rows[1:] if any(cell.strip() for cell in row)]
    assert table.frame.rows() == kept


def test_a_file_of_items_without_header_is_told_its_own_flag(file):
    events = file("user_id,item_id\na,1\nb,2\n")
    items = file("1::Film (1951)::Drama|War\n2::Other::\n", "movies.dat")
    with pytest.raises(ValueError, match=r"--data\.items-columns item_id title other_3$"):
        interactions_from_csv(events, items=items)
    columns = ("item_id", "title", "genres")
    table = interactions_from_csv(events, items=items, items_columns=columns)
    assert table.items["title"].to_list() == ["Film (1951)", "Other"]
    assert table.items["genres"].to_list() == [["Drama", "War"], []]
