"""A column of times as users write them -> whole seconds since 1970, in UTC.

Found without being told: ISO dates (2024-05-31T12:00:00+02:00, 2024-05-31, 20240531T120000), dates
of digits alone (20240531, 20240531120000), and seconds, milliseconds, microseconds or nanoseconds
since 1970, told apart by their size. What is written in another way needs `date_format`; a number
that counts something else, such as the hours of a simulation, needs `time_unit`. Two readings that
are both plausible are refused.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import polars as pl

from common.own_files import TimedTableOptions
from common.units import DAY
from data.files.faults import flag

_SIZES = (  # the least value, how many make a second, the name: each from 1973 on
    (1e17, 1e9, "nanoseconds"),
    (1e14, 1e6, "microseconds"),
    (1e11, 1e3, "milliseconds"),
)
_MILLISECONDS = {"milliseconds": 1, "seconds": 1000, "minutes": 60_000, "hours": 3_600_000}
_MILLISECONDS |= {"days": 1000 * DAY}
_EXCEL_ZERO = -25_569 * DAY  # 1899-12-30
_SMALL = 1e8  # in seconds since 1970: before March 1973
_OF_DIGITS = {  # digits -> format, how people write it, whether it can be nothing else
    8: ("%Y%m%d", "YYYYMMDD", True),
    10: ("%Y%m%d%H", "YYYYMMDDHH", False),  # as seconds: from 2033 on
    12: ("%Y%m%d%H%M", "YYYYMMDDHHMM", True),
    14: ("%Y%m%d%H%M%S", "YYYYMMDDHHMMSS", True),
}
YEARS = (1900, 2100)
_ISO: tuple[str, ...] = (
    "%Y-%m-%d",
    "%Y-%m-%d %H:%M",
    "%Y-%m-%d %H:%M:%S%.f",
    "%Y-%m-%dT%H:%M:%S%.f",
)
_ISO += ("%Y-%m-%d %H:%M:%S%.f%#z", "%Y-%m-%dT%H:%M:%S%.f%#z")
_ISO += ("%Y-%m-%d %H:%M:%S%.f UTC",)
_OTHERS = tuple(
    f"{day}{time}"
    for day in ("%d/%m/%Y", "%m/%d/%Y", "%d.%m.%Y", "%d-%m-%Y", "%m-%d-%Y", "%Y/%m/%d", "%d/%m/%y",
                "%m/%d/%y", "%d %b %Y", "%b %d, %Y", "%d-%b-%Y", "%a %b %d %Y",
                "%Y %m %d", "%d %m %Y", "%Y-%m-%d", "%Y%m%d")
    for time in ("", " %H", " %H:%M", " %H:%M:%S", " %I:%M %p", " %I:%M:%S %p")
)  # fmt: skip
_OTHERS += ("%a %b %d %H:%M:%S %z %Y", "%a, %d %b %Y %H:%M:%S %z", "%d/%b/%Y:%H:%M:%S %z")
_YEAR_1000 = -30_610_224_000  # the first of four digits


@dataclass(frozen=True)
class Times:
    """What was made of a column of times."""

    seconds: pl.Series
    """i64 since 1970; null where `fault` says that there is none."""
    fault: tuple[int, str] | None = None
    """Place of the first value that is no time, and what is wrong with it."""
    said: str | None = None
    """How the column was read, where that is not plain."""


def to_seconds(
    values: pl.Series, options: TimedTableOptions, *, years: tuple[int, int] = YEARS
) -> Times:
    """Convert texts, none of them empty; a time outside of `years`, both included, is a fault."""
    if options.date_format is not None and options.time_unit != "auto":
        raise ValueError(
            f"date_format: {options.date_format!r} and time_unit {options.time_unit} exclude each "
            f"other; give {flag('date_format')} for dates, or {flag('time_unit')} for numbers"
        )
    numbers = values.cast(pl.Float64, strict=False)
    if options.date_format is not None:
        times = _by_format(values, options.date_format)
    elif options.time_unit != "auto":
        times = _counted(values, numbers, options.time_unit)
    elif numbers.null_count():
        times = _iso(values, numbers)
    else:
        times = _of_digits(values) or _since_1970(numbers)
    return times if times.fault else _within(times, years)


def span_of(seconds: pl.Series) -> str:
    """Say from when to when, by days, or to the second if all lie in one day."""
    first, last = int(seconds.min()), int(seconds.max())  # type: ignore[arg-type]
    if first == last:
        return f"all at {datetime.fromtimestamp(first, UTC):%Y-%m-%d %H:%M:%S}"
    form = "%Y-%m-%d" if last // DAY > first // DAY else "%Y-%m-%d %H:%M:%S"
    begin, end = (datetime.fromtimestamp(each, UTC).strftime(form) for each in (first, last))
    return f"from {begin} to {end}"


def tiny_span(seconds: pl.Series, column: str) -> str | None:
    """Warn of times that lie within a day; None where they do not."""
    span = int(seconds.max()) - int(seconds.min())  # type: ignore[arg-type]
    if span >= DAY or len(seconds) < 2:
        return None
    if not span:
        return f"Column {column!r} holds one and the same time in all rows."
    amount = f"{span / 3600:.1f} hours" if span >= 3600 else f"{span / 60:.1f} minutes"
    return (
        f"All times in column {column!r} lie within {amount}. If it counts something else than "
        f"seconds, give {flag('time_unit')}."
    )


def _by_format(values: pl.Series, form: str) -> Times:
    """Read dates as the user says; UTC where the format has no offset."""
    seconds, wrong = _completed(values, _parsed(values, form), lambda v: datetime.strptime(v, form))
    if wrong is None:
        return Times(seconds)
    text = f"not a date written as {form}; correct it or give another {flag('date_format')}"
    if "%" not in form:
        text += " (%d is the day, %m the month, %Y the year, %H, %M and %S the time)"
    return Times(seconds, (wrong, text))


def _parsed(values: pl.Series, form: str) -> pl.Series:
    """Return i64 seconds, null where a value does not follow `form`."""
    if "%H" in form and "%M" not in form:  # an hour alone is no time to polars
        values, form = values + " 00", form + " %M"
    try:
        moments = values.str.to_datetime(form, time_unit="us", strict=False)
    except pl.exceptions.PolarsError:  # a format that only Python knows
        return pl.Series([None] * len(values), dtype=pl.Int64)
    seconds = moments.dt.epoch("s")
    return seconds.set(seconds < _YEAR_1000, None)  # polars takes 22 for a year of four digits


def _completed(
    values: pl.Series, seconds: pl.Series, parse: Callable[[str], datetime]
) -> tuple[pl.Series, int | None]:
    """Fill the nulls of `seconds` by `parse`; give the place of the first value it refuses too."""
    places = seconds.is_null().arg_true()
    found: list[int] = []
    for place in places:
        try:
            moment = parse(values[place])
        except ValueError:
            return seconds, place
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        found.append(math.floor(moment.timestamp()))
    return (seconds.scatter(places, found) if found else seconds), None


def _counted(values: pl.Series, numbers: pl.Series, unit: str) -> Times:
    """Read numbers that count a unit, from 1970 unless they are Excel's."""
    wrong = ~numbers.is_between(-1e15, 1e15).fill_null(False)
    if wrong.any():
        text = f"not a number of {unit}; correct it or leave out {flag('time_unit')}"
        return Times(numbers, (_first(wrong), text))
    if unit == "excel":
        # a second is no whole part of a day in binary, so the nearest one is meant
        return Times((numbers * DAY).round().cast(pl.Int64) + _EXCEL_ZERO)
    seconds = (numbers * _MILLISECONDS[unit] / 1000).floor().cast(pl.Int64)
    early = int(seconds.max()) < 10 * 365 * DAY  # type: ignore[arg-type]
    return Times(seconds, said=f"Times count {unit}; 0 is 1970-01-01." if early else None)


def _iso(values: pl.Series, numbers: pl.Series) -> Times:
    """Read ISO dates; a column may not mix them with numbers."""
    dates = numbers.is_null()
    if not dates.all():
        few = dates if dates.sum() <= len(dates) / 2 else ~dates
        other = _first(~few)
        text = f"unlike {values[other]!r} in other rows. Write all times in one way"
        return Times(numbers, (_first(few), text))
    start = values.head(1)
    form = next((form for form in _ISO if not _parsed(start, form).null_count()), _ISO[0])
    seconds, wrong = _completed(values, _parsed(values, form), datetime.fromisoformat)
    return Times(seconds, None if wrong is None else (wrong, _not_iso(values)))


def _not_iso(values: pl.Series) -> str:
    """Say that a value is no ISO date, and which format would read the whole column."""
    text = "neither a number of seconds nor an ISO date such as 2024-05-31T12:00:00"
    start = values.head(1000)
    fitting = [form for form in _OTHERS if not _parsed(start, form).null_count()]
    fitting = [form for form in fitting if not _parsed(values, form).null_count()]
    if not fitting:
        return f"{text}; correct it, or give {flag('date_format')}"
    readings = {tuple(_parsed(start, form)): form for form in reversed(fitting)}
    differing = [form for form in fitting if form in readings.values()]
    return f"{text}; give " + " or ".join(f"{flag('date_format')} {f!r}" for f in differing[:2])


def _of_digits(values: pl.Series) -> Times | None:
    """Read dates written with digits alone, where all values are such; else None."""
    if values.str.len_bytes().n_unique() != 1:
        return None
    form, words, sure = _OF_DIGITS.get(len(values[0]), ("", "", False))
    if not form or not values.str.contains(r"^\d+$").all():
        return None
    if not values.str.slice(0, 4).cast(pl.Int32).is_between(*YEARS).all():
        return None
    seconds = _parsed(values, form)
    missing = seconds.null_count()
    if not missing and sure:
        return Times(seconds, said=f"Times were read as dates {words}.")
    if missing > len(values) // 10:
        return None
    place = _first(seconds.is_null()) if missing else 0
    text = (
        f"a date {words} or a number of seconds; say which by {flag('date_format')} {form} or "
        f"{flag('time_unit')} seconds"
    )
    return Times(seconds, (place, text))


def _since_1970(numbers: pl.Series) -> Times:
    """Read seconds, or a smaller unit where all values are too large for seconds."""
    wrong = ~numbers.is_between(-1e20, 1e20)  # true of NaN too
    if wrong.any():
        return Times(numbers, (_first(wrong), "not a time; correct it"))
    least, most = float(numbers.min()), float(numbers.max())  # type: ignore[arg-type]
    per_second, name = next(((n, name) for low, n, name in _SIZES if low <= least), (1, "seconds"))
    seconds = (numbers / per_second).floor().cast(pl.Int64, strict=False)
    if per_second > 1:
        return Times(seconds, said=f"Times were read as {name} since 1970.")
    if not 0 <= least <= most < _SMALL:
        return Times(seconds)
    if 0 < most - least < DAY:
        text = (
            f"too small for seconds since 1970 (the column holds {least:g} to {most:g}); say what "
            f"it counts by {flag('time_unit')} hours, or by seconds, minutes, days, excel"
        )
        return Times(seconds, (0, text))
    return Times(
        seconds,
        said="Times were read as seconds, 0 as 1970-01-01. If they count something else, give "
        f"{flag('time_unit')}.",
    )


def _within(times: Times, years: tuple[int, int]) -> Times:
    """Refuse a time outside of `years`."""
    low = int(datetime(years[0], 1, 1, tzinfo=UTC).timestamp())
    high = int(datetime(years[1], 12, 31, 23, 59, 59, tzinfo=UTC).timestamp())
    wrong = ~times.seconds.is_between(low, high).fill_null(False)
    if not wrong.any():
        return times
    text = (
        f"not a time from year {years[0]} to {years[1]}; correct it, or say how times are written "
        f"by {flag('time_unit')} or {flag('date_format')}"
    )
    return Times(times.seconds, (_first(wrong), text))


def _first(wrong: pl.Series) -> int:
    """Return the place of the first that is true."""
    place = wrong.arg_max()
    assert place is not None
    return place
