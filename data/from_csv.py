"""Interactions, transactions and labelled texts out of a user's CSV file.

Every column is read as text and converted here, so that an id of "007" stays one and a value that
does not convert can be named with its row. Rows are counted as in a spreadsheet: the header is row
1. A file ending in .tsv or .tab is split at tabs.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import polars as pl

from data.cache import sha256_of
from data.tables import Interactions, Source, TextClassification, Transactions

_TRUE = ("1", "1.0", "true", "yes")
_FALSE = ("0", "0.0", "false", "no")
_MISSING = ("", "nan", "null", "none")
_DAY_S = 86_400
_CALENDAR_S = (-62_135_596_800, 253_402_300_799)  # years 1 to 9999
_MOST_DAYS = 32_767  # what an i16 holds


def interactions_from_csv(
    path: str | Path,
    *,
    user: str = "user_id",
    item: str = "item_id",
    rating: str | None = None,
    timestamp: str | None = None,
) -> Interactions:
    """Read who met what; `rating` and `timestamp` name columns, or None where there are none.

    A timestamp is seconds since 1970 or an ISO date; repeated rows are kept and said.
    """
    path = Path(path)
    raw = _read(path, {"user": user, "item": item, "rating": rating, "timestamp": timestamp})
    frame = pl.DataFrame(
        {
            "user_id": _filled(path, raw["user"], user),
            "item_id": _filled(path, raw["item"], item),
            "rating": (
                _numbers(path, raw["rating"], rating, low=-1e9).cast(pl.Float32)
                if rating
                else pl.Series([None] * raw.height, dtype=pl.Float32)
            ),
            "timestamp": (
                _seconds(path, raw["timestamp"], timestamp)
                if timestamp
                else pl.Series([None] * raw.height, dtype=pl.Int64)
            ),
        }
    )
    users = frame.select("user_id").unique(maintain_order=True)
    items = (
        frame.select("item_id")
        .unique(maintain_order=True)
        .with_columns(
            pl.col("item_id").alias("title"),
            pl.lit([], dtype=pl.List(pl.String)).alias("genres"),
            pl.lit(None, dtype=pl.Int32).alias("year"),
        )
    )
    rows = f"{frame.height:,} interactions, {users.height:,} users, {items.height:,} items"
    source = file_source((path,), rows=rows, notice=_repeated(frame))
    return Interactions(source, frame, users, items)


def transactions_from_csv(
    path: str | Path,
    *,
    time: str = "time",
    customer: str = "customer_id",
    terminal: str = "terminal_id",
    amount: str = "amount",
    label: str = "is_fraud",
) -> Transactions:
    """Read payments, sorted by time; ids become numbers, their names stand in `extra`.

    `time` is seconds since 1970 or an ISO date and time, taken as UTC; `label` is 0 or 1.
    """
    path = Path(path)
    columns = {
        "time": time,
        "customer": customer,
        "terminal": terminal,
        "amount": amount,
        "label": label,
    }
    raw = _read(path, columns)
    seconds = _seconds(path, raw["time"], time)
    times = seconds.to_numpy()
    first, last = int(times.argmin()), int(times.argmax())
    first_day = int(times[first]) // _DAY_S
    span = int(times[last]) // _DAY_S - first_day
    if span > _MOST_DAYS:
        raise ValueError(
            f"{path}, row {last + 2}: column {time!r} is {span:,} days after row {first + 2}; at "
            f"most {_MOST_DAYS:,} are taken. Correct the times."
        )
    customers, customer_names = _numbered(_filled(path, raw["customer"], customer), "customer_id")
    terminals, terminal_names = _numbered(_filled(path, raw["terminal"], terminal), "terminal_id")
    since_start = seconds - first_day * _DAY_S
    frame = pl.DataFrame(
        {
            "transaction_id": pl.int_range(raw.height, dtype=pl.Int64, eager=True),
            "time_seconds": since_start,
            "day": (since_start // _DAY_S).cast(pl.Int16),
            "customer_id": customers,
            "terminal_id": terminals,
            "amount": _numbers(path, raw["amount"], amount),
            "is_fraud": _flags(path, raw["label"], label),
        }
    ).with_columns(pl.lit(0, dtype=pl.Int8).alias("scenario"))
    rows = (
        f"{frame.height:,} transactions, {int(frame['is_fraud'].sum()):,} frauds, "
        f"{customer_names.height:,} customers, {terminal_names.height:,} terminals"
    )
    return Transactions(
        file_source((path,), rows=rows, notice=_repeated(frame.drop("transaction_id"))),
        frame.sort("time_seconds", maintain_order=True),
        datetime.fromtimestamp(first_day * _DAY_S, UTC).date(),
        {"customers": customer_names, "terminals": terminal_names},
    )


def texts_from_csv(
    path: str | Path,
    *,
    text: str = "text",
    label: str = "label",
    test_path: str | Path | None = None,
    test_share: float = 0.2,
    seed: int = 0,
) -> TextClassification:
    """Read labelled texts; labels are numbered in alphabetical order.

    Without `test_path`, `test_share` of each class is drawn by `seed` and set aside as the test.
    """
    path = Path(path)
    raw = _read_texts(path, text, label)
    names = tuple(sorted(raw["label"].unique().to_list()))
    if len(names) < 2:
        raise ValueError(
            f"{path}: column {label!r} holds one class ({names[0]!r}); two are needed."
        )
    paths = [path]
    if test_path is None:
        in_test = stratified_test_rows(raw["label"].to_numpy(), test_share=test_share, seed=seed)
        train, test = raw.filter(~in_test), raw.filter(in_test)
    else:
        paths.append(Path(test_path))
        train, test = raw, _read_texts(paths[1], text, label)
        for row, value in enumerate(test["label"]):
            if value not in names:
                raise ValueError(
                    f"{test_path}, row {row + 2}: label {value!r} does not occur in {path}. Add "
                    "examples of it there, or remove the row."
                )
    rows = f"{train.height:,} train texts, {test.height:,} test texts, {len(names)} classes"
    numbers = pl.col("label").replace_strict(
        {name: number for number, name in enumerate(names)}, return_dtype=pl.Int32
    )
    return TextClassification(
        file_source(paths, rows=rows, notice=None),
        train.with_columns(numbers),
        test.with_columns(numbers),
        names,
    )


def stratified_test_rows(labels: np.ndarray, *, test_share: float, seed: int) -> np.ndarray:
    """Draw the test rows of each class, (N,) bool; a class keeps at least one row for training."""
    if not 0 <= test_share < 1:
        raise ValueError(f"test_share: {test_share} is not in [0, 1). Choose, say, 0.2.")
    rng = np.random.default_rng(seed)
    in_test = np.zeros(len(labels), bool)
    for label in np.unique(labels):
        rows = np.flatnonzero(labels == label)
        count = min(round(test_share * len(rows)), len(rows) - 1)
        in_test[rng.permutation(rows)[:count]] = True
    if test_share and not in_test.any():
        raise ValueError(
            f"{len(labels)} rows are too few to set {test_share:.0%} of each class aside for the "
            "test. Add some, or give a test part of your own."
        )
    return in_test


def file_source(paths: list[Path] | tuple[Path, ...], *, rows: str, notice: str | None) -> Source:
    """Describe a table that came from the user's own files."""
    return Source(
        name=paths[0].name,
        origin="file",
        title=str(paths[0]),
        licence="the user's own",
        checksums={path.name: sha256_of(path) for path in paths if path.is_file()},
        rows=rows,
        notice=notice,
    )


def _read_texts(path: Path, text: str, label: str) -> pl.DataFrame:
    raw = _read(path, {"text": text, "label": label})
    return pl.DataFrame(
        {
            "text": _filled(path, raw["text"], text, missing=("",)),  # "none" can be a whole text
            "label": _filled(path, raw["label"], label),
        }
    )


def _read(path: Path, columns: Mapping[str, str | None]) -> pl.DataFrame:
    """Read the named columns as text, under our names for them."""
    if not path.is_file():
        raise ValueError(f"{path}: no such file. Name an existing CSV file.")
    separator = "\t" if path.suffix in (".tsv", ".tab") else ","
    try:
        frame = pl.read_csv(path, infer_schema=False, separator=separator)
    except pl.exceptions.NoDataError as error:
        raise ValueError(f"{path}: the file is empty. It needs a header and rows.") from error
    except pl.exceptions.PolarsError as error:
        first = str(error).splitlines()[0]
        raise ValueError(
            f"{path}: not a readable CSV file ({first}). Save it as UTF-8 with one header row."
        ) from error
    for name in columns.values():
        if name is not None and name not in frame.columns:
            raise ValueError(
                f"{path}: no column {name!r}; it has {', '.join(map(repr, frame.columns))}. Name "
                "the right one, or rename it in the file."
            )
    if not frame.height:
        raise ValueError(f"{path}: a header and no rows. It needs rows.")
    return frame.select(
        pl.col(name).str.strip_chars().alias(ours) for ours, name in columns.items() if name
    )


def _filled(
    path: Path, values: pl.Series, column: str, *, missing: tuple[str, ...] = _MISSING
) -> pl.Series:
    """Give the values, or raise for the first that is empty or NaN."""
    empty = values.is_null() | values.str.to_lowercase().is_in(list(missing))
    if empty.any():
        raise ValueError(
            f"{path}, row {_first(empty)}: column {column!r} is empty ({int(empty.sum()):,} such "
            "rows). Fill it in or remove the rows."
        )
    return values


def _numbers(
    path: Path, values: pl.Series, column: str | None, *, low: float = 0.0, high: float = 1e9
) -> pl.Series:
    """Convert to f64; what is empty, no number or outside low..high raises with its row."""
    assert column is not None
    numbers = _filled(path, values, column).cast(pl.Float64, strict=False)
    wrong = ~numbers.is_finite().fill_null(False)
    if wrong.any():
        row = _first(wrong)
        raise ValueError(
            f"{path}, row {row}: column {column!r} holds {values[row - 2]!r}, which is no number "
            f"({int(wrong.sum()):,} such rows). Correct or remove the rows."
        )
    wrong = ~numbers.is_between(low, high)
    if wrong.any():
        row = _first(wrong)
        raise ValueError(
            f"{path}, row {row}: column {column!r} holds {values[row - 2]!r}, outside {low:g} to "
            f"{high:g} ({int(wrong.sum()):,} such rows). Correct or remove the rows."
        )
    return numbers


def _seconds(path: Path, values: pl.Series, column: str | None) -> pl.Series:
    """Convert seconds since 1970, or ISO dates taken as UTC, to i64 seconds."""
    assert column is not None
    _filled(path, values, column)
    numbers = values.cast(pl.Float64, strict=False)
    dates = numbers.is_null()
    if dates.any():
        rows = range(2, len(values) + 2)
        moments = [
            _moment(path, row, value, column) if is_date else None
            for row, value, is_date in zip(rows, values, dates, strict=True)
        ]
        if not dates.all():
            row = _first(~dates)
            raise ValueError(
                f"{path}, row {row}: column {column!r} holds {values[row - 2]!r}, and row "
                f"{_first(dates)} an ISO date. Use seconds since 1970 or ISO dates in all rows."
            )
        numbers = pl.Series(moments, dtype=pl.Float64)
    wrong = ~numbers.is_between(*_CALENDAR_S)  # true of NaN too
    if wrong.any():
        row = _first(wrong)
        raise ValueError(
            f"{path}, row {row}: column {column!r} holds {values[row - 2]!r}, no time from year 1 "
            "to 9999 in seconds since 1970. Divide milliseconds by 1000, or correct the row."
        )
    return numbers.floor().cast(pl.Int64)


def _moment(path: Path, row: int, value: str, column: str) -> float:
    """Give the seconds since 1970 of an ISO date."""
    try:
        moment = datetime.fromisoformat(value)
    except ValueError as error:
        raise ValueError(
            f"{path}, row {row}: column {column!r} holds {value!r}, neither seconds since 1970 "
            "nor an ISO date such as 2024-05-31T12:00:00. Correct or remove the row."
        ) from error
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _flags(path: Path, values: pl.Series, column: str) -> pl.Series:
    """Convert 0/1, true/false or yes/no to i8."""
    lower = _filled(path, values, column).str.to_lowercase()
    wrong = ~lower.is_in([*_TRUE, *_FALSE])
    if wrong.any():
        row = _first(wrong)
        raise ValueError(
            f"{path}, row {row}: column {column!r} holds {values[row - 2]!r}; a label is 0 or 1. "
            "Correct or remove the row."
        )
    return lower.is_in(list(_TRUE)).cast(pl.Int8)


def _numbered(values: pl.Series, name: str) -> tuple[pl.Series, pl.DataFrame]:
    """Number distinct values in order of first appearance; give the numbers and the names."""
    names = values.unique(maintain_order=True)
    table = pl.DataFrame({"name": names}).with_row_index(name).cast({name: pl.Int32})
    numbers = pl.DataFrame({"name": values}).join(
        table, on="name", how="left", maintain_order="left"
    )
    return numbers[name], table.select(name, "name")


def _first(wrong: pl.Series) -> int:
    """Give the row, counted as in a spreadsheet, of the first that is true."""
    position = wrong.arg_max()
    assert position is not None
    return position + 2


def _repeated(frame: pl.DataFrame) -> str | None:
    count = int(frame.height - frame.n_unique())
    return f"{count:,} rows repeat another exactly; they were kept." if count else None
