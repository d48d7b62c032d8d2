"""Payments out of a user's CSV files; `columns` converts and refuses, `further` reads the rest."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import polars as pl

from common.own_files import TimedTableOptions
from common.units import DAY
from data.files.columns import Columns, Name, file_source, numbered, read_columns, repeated
from data.files.dates import span_of
from data.files.faults import flag
from data.files.further import NONE, further_columns
from data.tables import Transactions

_MOST_DAYS = 32_767  # what an i16 holds
_COUNTER_DAYS = 3_650  # times that begin before 1980 count from somewhere else than 1970
FEW_TERMINALS = 254
_MOST_IDS = 0.9  # of the payments: an id of more says nothing of the past
_IDS = {"customer": "customer_id", "terminal": "terminal_id", "device": "device_id"}
_OURS = frozenset(
    {"transaction_id", "time_seconds", "day", "amount", "is_fraud", "weight", "part"}
    | {*_IDS.values(), "terminal", "scenario", "account_opened"}
    | {"time", "confirmed", "record"}  # fields of a request
)
_NO_LABEL = ("", "nan", "null", "none", "na", "n/a", "?")
_FRAUD = ("1", "1.0", "true", "yes", "t", "y", "fraud", "fraudulent")
_GENUINE = ("0", "0.0", "false", "no", "f", "n", "legit", "legitimate", "genuine", "normal",
            "non-fraud", "not fraud", "nonfraud", "non fraud", "not_fraud")  # fmt: skip


def transactions_from_csv(
    paths: Path | str | Mapping[str, Path],
    *,
    time: str | tuple[str, ...] = "time",
    customer: str = "customer_id",
    terminal: str = "terminal_id",
    amount: str = "amount",
    label: str = "is_fraud",
    device: str = NONE,
    weight: str = NONE,
    fraud_value: str | None = None,
    numbers: tuple[str, ...] = ("auto",),
    categories: tuple[str, ...] = ("auto",),
    options: TimedTableOptions | None = None,
) -> Transactions:
    """Read payments, sorted by time; ids become numbers, their names stand in `extra`.

    A few terminals are kept by name too, in the column `terminal`: each may be a case of its own.
    "none" says that there is no such column; several columns of the `time` are read as one, with a
    space between. `paths` may be one file, or files by their part:
    train, valid, test. `label` is 0 or 1, or `fraud_value` and others; an empty one is not known.
    Times are read as `options` say, in UTC.
    """
    given = {"": Path(paths)} if isinstance(paths, str | Path) else paths
    names: dict[str, Name] = {"time": time, "customer": customer, "terminal": terminal}
    names |= {"amount": amount, "label": label, "device": device, "weight": weight}
    roles = {role: name for role, name in names.items() if name not in (NONE, (NONE,))}
    options = options or TimedTableOptions()
    files = [_read(path, roles, options) for path in given.values()]
    further = further_columns(files, numbers=numbers, categories=categories, reserved=_OURS)
    frames = [_converted(columns, options, fraud_value) for columns in files]
    for columns in files:
        columns.check()
    frame = pl.concat([_joined(frames, list(given)), further.frame], how="horizontal")
    frame, extra = _numbered(frame)
    first_day = _first_day(files[0].table.path, frame, files[0].names.get("time", ""))
    frame = _in_order(frame, first_day)
    said = [each for columns in files for each in columns.said]
    said += [further.notice or "", repeated(frame.drop("transaction_id")) or ""]
    said += _odd(frame, extra, files[0].names)
    notice = " ".join(dict.fromkeys(filter(None, said))) or None
    return Transactions(
        file_source(tuple(given.values()), rows=_rows(frame, extra, first_day), notice=notice),
        frame,
        datetime.fromtimestamp(first_day * DAY, UTC).date(),
        numbers=further.numbers,
        categories=further.categories,
        calendar=first_day >= _COUNTER_DAYS,
        extra=extra,
    )


def _read(path: Path, roles: Mapping[str, Name], options: TimedTableOptions) -> Columns:
    """Read a file; a label may be empty, and a column absent if it is named none."""
    none = f", or {NONE} where there is no such column"
    return read_columns(path, roles, options, optional=("label",), alternative=none)


def _converted(
    columns: Columns, options: TimedTableOptions, fraud_value: str | None
) -> pl.DataFrame:
    """Return the columns with a role; ids as text, times as seconds since 1970."""
    found: dict[str, pl.Series] = {}
    if "time" in columns:
        found["time_seconds"] = columns.seconds("time", options)
    for role, name in _IDS.items():
        if role in columns:
            found[name] = columns.filled(role)
    if "amount" in columns:
        found["amount"] = columns.numbers("amount", low=-1e9)
    found["is_fraud"] = _labels(columns, fraud_value)
    if "weight" in columns:
        found["weight"] = columns.numbers("weight", low=1e-9)
    return pl.DataFrame(found)


def _joined(frames: list[pl.DataFrame], parts: list[str]) -> pl.DataFrame:
    """Put the files one below the other; where there are several each is a part."""
    if len(frames) == 1:
        return frames[0]
    marked = zip(frames, parts, strict=True)
    return pl.concat(frame.with_columns(pl.lit(part).alias("part")) for frame, part in marked)


def _labels(columns: Columns, fraud_value: str | None) -> pl.Series:
    """Return 1 for fraud, 0 for genuine, -1 where the label is empty, as i8."""
    lower = columns.texts["label"].str.to_lowercase()
    if fraud_value is not None:
        fraud = lower == fraud_value.strip().lower()
        if not fraud.any():
            columns.faults.add(
                None,
                f"no row of column {columns.names['label']!r} holds {fraud_value!r}; give"
                f" {flag('fraud_value')} one of"
                f" {', '.join(map(repr, lower.unique(maintain_order=True).head(5)))}.",
            )
    else:
        fraud = lower.is_in(list(_FRAUD))
        known = lower.is_in([*_FRAUD, *_GENUINE, *_NO_LABEL])
        columns.fault(
            "label",
            ~known,
            "and a label is 0 or 1 (or yes or no, fraud or legit); if another value marks fraud,"
            f" give {flag('fraud_value')}",
        )
    return fraud.cast(pl.Int8).set(lower.is_in(list(_NO_LABEL)), -1)


def _numbered(frame: pl.DataFrame) -> tuple[pl.DataFrame, dict[str, pl.DataFrame]]:
    """Put numbers in the place of ids, a few terminals named beside; give the names by column."""
    extra = {}
    if "terminal_id" in frame.columns and frame["terminal_id"].n_unique() <= FEW_TERMINALS:
        frame = frame.with_columns(pl.col("terminal_id").alias("terminal"))
    for column in (name for name in _IDS.values() if name in frame.columns):
        codes, extra[column] = numbered(frame[column], column)
        frame = frame.with_columns(codes.alias(column))
    return frame, extra


def _odd(
    frame: pl.DataFrame, extra: Mapping[str, pl.DataFrame], names: Mapping[str, str]
) -> list[str]:
    """Say of amounts below 0, and of ids that are too many for windows over them."""
    said = []
    if "amount" in frame.columns and (below := int((frame["amount"] < 0).sum())):
        said.append(
            f"{below:,} amounts are below 0: as features they count as they are, in money as 0."
        )
    for role, column in _IDS.items():
        if column in extra and extra[column].height > _MOST_IDS * frame.height:
            said.append(
                f"Column {names[role]!r} differs in nearly every payment, so its windows see that"
                f" payment alone; give {flag(role)} {NONE} if it is no {role}."
            )
    return said


def _in_order(frame: pl.DataFrame, first_day: int) -> pl.DataFrame:
    """Count seconds and days from `first_day`, and sort by time, if there is any."""
    frame = frame.with_row_index("transaction_id").cast({"transaction_id": pl.Int64})
    if "time_seconds" not in frame.columns:
        return frame
    since = pl.col("time_seconds") - first_day * DAY
    frame = frame.with_columns(since, (since // DAY).cast(pl.Int16).alias("day"))
    first = ("transaction_id", "time_seconds", "day")
    frame = frame.select(*first, pl.exclude(*first))
    return frame.sort("time_seconds", maintain_order=True)


def _rows(frame: pl.DataFrame, extra: Mapping[str, pl.DataFrame], first_day: int) -> str:
    """Describe the table in a line."""
    said = [f"{frame.height:,} transactions", f"{int((frame['is_fraud'] == 1).sum()):,} frauds"]
    said += [f"{names.height:,} {column.removesuffix('_id')}s" for column, names in extra.items()]
    if "time_seconds" in frame.columns and first_day < _COUNTER_DAYS:
        span = int(frame["time_seconds"][-1]) - int(frame["time_seconds"][0])
        said.append(f"{span / DAY:,.1f} days")
    elif "time_seconds" in frame.columns:
        said.append(span_of(frame["time_seconds"] + first_day * DAY))
    return ", ".join(said)


def _first_day(path: Path, frame: pl.DataFrame, column: str) -> int:
    """Return the day since 1970 of the earliest time, 0 without any; refuse too long a span."""
    if "time_seconds" not in frame.columns:
        return 0
    times = frame["time_seconds"]
    first_day, last_day = (int(each) // DAY for each in (times.min(), times.max()))  # type: ignore[arg-type]
    if last_day - first_day > _MOST_DAYS:
        raise ValueError(
            f"{path}: column {column!r} spans {last_day - first_day:,} days; at most"
            f" {_MOST_DAYS:,} are allowed. Correct the times, or say how they are written by"
            f" {flag('date_format')} or {flag('time_unit')}."
        )
    return first_day
