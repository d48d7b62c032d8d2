"""Three windows of events: to learn from, to choose on, to report.

    time    cut twice in time, for everyone at once: nothing later teaches about anything earlier
    user    of each user the last events, or random ones where no times are known
    given   as the data says in its column `part`

Without a cut in time there is no "before" within a window. So the times of such events are the
number of their window, 0 to 2: what is fitted on one window sees all its events as equally old, and
half-lives, recency and ages do nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import polars as pl

from common.evaluation.splits import temporal_split, within_groups_split

PARTS = ("train", "valid", "test")
NO_TIMES = "The events have no times that differ"
By = Literal["auto", "time", "user"]


@dataclass(frozen=True)
class Windows:
    """Events in order, and the rows of each window."""

    frame: pl.DataFrame
    rows: tuple[np.ndarray, ...]  # of train, valid, test, ascending
    timed: bool
    notices: tuple[str, ...] = ()


def cut(frame: pl.DataFrame, *, by: By, shares: tuple[float, float, float], seed: int) -> Windows:
    """Cut events into windows of `shares`; "auto" takes the times where there are any."""
    timed = _is_timed(frame, by)
    if "part" in frame.columns:
        return _given(frame, by=by, shares=shares, seed=seed, timed=timed)
    if by == "user" or not timed:
        return _by_user(frame, shares, seed, timed)
    frame = _in_order(frame)
    try:
        return Windows(frame, temporal_split(frame["timestamp"].to_numpy(), shares), timed=True)
    except ValueError as cause:
        raise ValueError(
            f"timestamp: {frame['timestamp'].n_unique():,} distinct times cannot be cut into"
            f" windows of {shares[0]:.2g}, {shares[1]:.2g} and {shares[2]:.2g} of the events;"
            " give events that are spread over time, other shares by --split.valid-share and"
            " --split.test-share, or cut each user's events by --split.by user"
        ) from cause


def _is_timed(frame: pl.DataFrame, by: By) -> bool:
    """Return whether events have times that differ; raise where only some have one."""
    times = frame["timestamp"]
    if 0 < times.null_count() < frame.height:
        raise ValueError(
            f"timestamp: {times.null_count():,} of {frame.height:,} events have none; fill them in,"
            " remove these rows, or give --split.by user"
        )
    timed = not times.null_count() and times.n_unique() > 1
    if by == "time" and not timed:
        what = "are all the same" if not times.null_count() else "are not known"
        raise ValueError(
            f"split.by: the times of the events {what}, so they cannot be cut in time; give"
            " --data.timestamp the column of the times, or --split.by user"
        )
    return timed


def _by_user(
    frame: pl.DataFrame, shares: tuple[float, float, float], seed: int, timed: bool
) -> Windows:
    """Cut each user's events by share, the latest last, or in random order without times."""
    frame = _in_order(frame) if timed else _shuffled(frame, seed)
    users = frame["user_id"].rank("dense").to_numpy()
    try:
        rows = within_groups_split(users, shares, seed=seed)
    except ValueError as cause:
        raise ValueError(
            f"user_id: {frame['user_id'].n_unique():,} users of {frame.height:,} events are too few"
            " events a user to hold some out of each; give users with at least 3, and check that"
            " --data.user names the column of the users"
        ) from cause
    drawn = "the latest" if timed else "random ones"
    why = "" if timed else f"{NO_TIMES} (--data.timestamp names their column). "
    notice = (
        f"{why}Of each user's events {shares[1]:.0%} are held out for validation and"
        f" {shares[2]:.0%} for test, {drawn}; half-lives, recency and the hour do nothing."
    )
    return Windows(_numbered(frame, rows), rows, timed=False, notices=(notice,))


def _given(
    frame: pl.DataFrame, *, by: By, shares: tuple[float, float, float], seed: int, timed: bool
) -> Windows:
    """Keep the parts of the data; without a validation part it is cut out of the training part."""
    said = []
    if not (frame["part"] == "valid").any():
        share = shares[1] / (shares[0] + shares[1])
        frame = _with_validation(frame, by, share, seed, timed)
        said.append(f"No validation part is given: it is cut out of train, {share:.0%} of it.")
    frame = _in_order(frame) if timed else _shuffled(frame, seed)
    rows = tuple(np.flatnonzero((frame["part"] == name).to_numpy()) for name in PARTS)
    for name, part in zip(PARTS, rows, strict=True):
        if not len(part):
            raise ValueError(f"part: {name} holds no event; give --data.{name} a file with rows")
    times = [frame["timestamp"].gather(part) for part in rows]
    if timed and all(a.max() <= b.min() for a, b in zip(times, times[1:], strict=False)):  # type: ignore[operator]
        return Windows(frame, rows, timed=True, notices=tuple(said))
    why = "The given parts do not follow each other in time" if timed else NO_TIMES
    said.append(f"{why}: half-lives, recency and the hour do nothing.")
    return Windows(_numbered(frame, rows), rows, timed=False, notices=tuple(said))


def _with_validation(
    frame: pl.DataFrame, by: By, share: float, seed: int, timed: bool
) -> pl.DataFrame:
    """Move a share of the training part to validation, the latest of all or of each user."""
    train = frame.filter(pl.col("part") == "train")
    train = _in_order(train) if timed else _shuffled(train, seed)
    if timed and by != "user":
        _, later = temporal_split(train["timestamp"].to_numpy(), (1 - share, share))
    else:
        users = train["user_id"].rank("dense").to_numpy()
        _, later = within_groups_split(users, (1 - share, share), seed=seed)
    moved = np.full(train.height, "train", dtype=object)
    moved[later] = "valid"
    train = train.with_columns(part=pl.Series(moved, dtype=pl.String))
    return pl.concat([train, frame.filter(pl.col("part") != "train")])


def _in_order(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.sort("timestamp", "user_id", "item_id")


def _shuffled(frame: pl.DataFrame, seed: int) -> pl.DataFrame:
    """Put events in a random order, which is the same for any order of the rows."""
    frame = frame.sort("user_id", "item_id")
    return frame[np.random.default_rng(seed).permutation(frame.height)]


def _numbered(frame: pl.DataFrame, rows: tuple[np.ndarray, ...]) -> pl.DataFrame:
    """Return the events with the number of their window for a time."""
    numbers = np.zeros(frame.height, dtype=np.int64)
    for number, part in enumerate(rows):
        numbers[part] = number
    return frame.with_columns(timestamp=pl.Series(numbers))
