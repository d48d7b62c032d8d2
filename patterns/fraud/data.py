"""What a row, a label and leakage mean in card fraud: time is cut into days, labels come late.

A row is a payment; its label says whether it was a fraud, which the bank learns days later, when
the customer complains. So between the parts lies the label delay:

    fill the windows | train | wait | valid | wait | test
                                                     read once

At the first payment of a part, every label of the parts before it was known, and no training time
is after a test time. Label features (a terminal's fraud share) end one delay before the payment, in
the table and in the stream alike, so nothing that a live system could not know enters a feature.
Accounts go on living through the cut: the same customers pay in all parts, as they would in
production.

Your own table may lack some of this, and nothing is made up for it. Fewer days than the parts need
are cut by the same shares; a table without times is cut by chance, with as much fraud in each part;
parts that you give are kept. Payments that nobody has judged fill the windows, and are neither
trained on nor judged.

Shapes: `N` payments of a part, `M` payments of the table.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from common.evaluation.splits import stratified_split, temporal_split
from common.units import DAY
from patterns.fraud.config import Config, DataOptions, SplitOptions
from patterns.fraud.entities.payments import Payments

if TYPE_CHECKING:
    from data.tables import Source, Transactions

PUBLIC, OFFLINE = "handbook-fraud", "simulated-transactions"
TRAIN_DAYS = 60  # unless `split.train_days` says otherwise
PARTS = ("train", "valid", "test")
SHIFT = 1.5  # of the share of fraud between two parts, from which it is said
Rows = dict[str, np.ndarray]  # of the table, by part


@dataclass(frozen=True)
class Splits:
    """The parts, and the table of all payments in order of time, whose windows need the past."""

    source: Source
    train: Payments
    valid: Payments
    test: Payments
    frame: pl.DataFrame
    start: date  # of day 0
    calendar: bool = True  # whether `start` is a date that is known
    numbers: tuple[str, ...] = ()  # further columns of `frame` for the models
    categories: tuple[str, ...] = ()
    names: dict[str, dict[str, int]] | None = None  # own ids -> numbers, by column
    notices: tuple[str, ...] = ()


def load(config: Config) -> Transactions:
    """Read the dataset that `config` names; auto falls back to `OFFLINE`, with a notice."""
    import data
    from data.tables import Transactions

    if config.dataset == "csv":
        return _own_file(config.data)
    return data.load_table(
        Transactions,
        config.dataset,
        public=PUBLIC,
        offline=OFFLINE,
        own=config.own_datasets,
        seed=config.seed,
        customers=config.world.customers,
        terminals=config.world.terminals,
        days=config.world.days,
    )


def split(table: Transactions, config: Config) -> Splits:
    """Cut `table`; a part without a fraud is an error, since nothing can be learned from it."""
    labels = table.frame["is_fraud"].to_numpy()
    known = np.flatnonzero(labels >= 0)
    if len(np.unique(labels[known])) < 2:
        kind = "fraud" if labels[known].any() else "genuine"
        raise ValueError(f"split: every labelled payment is {kind}; both kinds are needed")
    rows, notices = _rows(table, known, config)
    parts = {name: Payments.from_frame(table.frame, rows[name]) for name in PARTS}
    for name, part in parts.items():
        _check_part(name, part, table.frame)
    if len(known) < len(labels):
        notices.append(
            f"{len(labels) - len(known):,} of {len(labels):,} payments have no label: they fill the"
            " windows, and are neither trained on nor judged."
        )
    return Splits(
        source=table.source,
        train=parts["train"],
        valid=parts["valid"],
        test=parts["test"],
        frame=table.frame,
        start=table.start,
        calendar=table.calendar,
        numbers=table.numbers,
        categories=table.categories,
        names=_names(table),
        notices=(*notices, *_shift(parts)),
    )


def _rows(table: Transactions, known: np.ndarray, config: Config) -> tuple[Rows, list[str]]:
    """Return the labelled rows `known` by part, and how they were cut if not by days."""
    frame, options = table.frame, config.split
    if "part" in frame.columns:
        return _given_parts(frame, known, options, config.seed)
    if "day" not in frame.columns:
        return _by_chance(frame, known, options, config.seed)
    days = frame["day"].to_numpy()
    parts = (options.train_days or TRAIN_DAYS) + options.valid_days + options.test_days
    if int(days.max()) - int(days.min()) + 1 < parts + 2 * options.label_delay_days:
        return _by_shares(frame, known, options)
    return _by_days(days, known, options, own=table.source.origin == "file")


def _by_chance(
    frame: pl.DataFrame, known: np.ndarray, options: SplitOptions, seed: int
) -> tuple[Rows, list[str]]:
    """Cut payments without a time, with the same share of fraud in each part."""
    labels, shares = frame["is_fraud"].to_numpy()[known], _shares(options)
    found = stratified_split(labels, shares, seed=seed)
    return dict(zip(PARTS, (known[rows] for rows in found), strict=True)), [
        f"The payments have no time, so they were cut by chance into {_in_percent(shares)} % for"
        " training, validation and test, with the same share of fraud: no windows, no label delay,"
        " and no test of the future."
    ]


def _by_days(
    days: np.ndarray, known: np.ndarray, options: SplitOptions, *, own: bool
) -> tuple[Rows, list[str]]:
    """Count the days of each part back from the last of `days` (M,).

    Training takes every earlier day of the user's `own` file, unless told how many.
    """
    first, last = int(days.min()), int(days.max()) + 1
    test = last - options.test_days
    valid = test - options.label_delay_days - options.valid_days
    end = valid - options.label_delay_days
    begin = end - (options.train_days or TRAIN_DAYS)
    if own and options.train_days is None:
        begin = first
    bounds = {
        "train": (begin, end),
        "valid": (valid, valid + options.valid_days),
        "test": (test, last),
    }
    of_known, notices = days[known], []
    if own and begin > first:
        notices.append(
            f"Of {last - first:,} days the first {begin - first:,} only fill the windows;"
            " --split.train-days takes more of them to train on."
        )
    return {
        name: known[(of_known >= start) & (of_known < stop)]
        for name, (start, stop) in bounds.items()
    }, notices


def _by_shares(
    frame: pl.DataFrame, known: np.ndarray, options: SplitOptions
) -> tuple[Rows, list[str]]:
    """Cut by time with the shares of the days wanted, where there are fewer days than those."""
    times = frame["time_seconds"].to_numpy()
    days = (int(times.max()) - int(times.min())) / DAY
    wait = options.label_delay_days / max(days, 1e-9)  # as a share of the time there is
    wait = wait if wait <= 1 / 8 else 0.0
    if len(np.unique(times[known])) < 3:
        raise ValueError(
            "split: the payments have fewer than three different times, too few to cut by; give"
            " --data.time none"
        )
    shares = _shares(options)
    first, second, third = ((1 - 2 * wait) * share for share in shares)
    gap = options.label_delay_days * DAY if wait else 0
    found = temporal_split(times[known], (first + wait, second + wait, third), gap=gap)
    said = f"a wait of {options.label_delay_days} days" if wait else "no wait for labels"
    return dict(zip(PARTS, (known[rows] for rows in found), strict=True)), [
        f"The payments cover {days:,.1f} days, fewer than the parts need: they were cut in order of"
        f" time into {_in_percent(shares)} % for training, validation and test, with {said} between"
        " them."
    ]


def _given_parts(
    frame: pl.DataFrame, known: np.ndarray, options: SplitOptions, seed: int
) -> tuple[Rows, list[str]]:
    """Keep the parts of the user; without one for validation it is taken from training."""
    part = frame["part"].to_numpy()[known]
    rows = {name: known[part == name] for name in PARTS}
    notices = []
    if not len(rows["valid"]):
        whole, (first, second, _) = rows["train"], _shares(options)
        shares = (first / (first + second), second / (first + second))
        if "time_seconds" in frame.columns:
            times = frame["time_seconds"].to_numpy()[whole]
            cut, how = temporal_split(times, shares), "the last"
        else:
            labels = frame["is_fraud"].to_numpy()[whole]
            cut, how = stratified_split(labels, shares, seed=seed), "drawn by chance:"
        rows["train"], rows["valid"] = (np.sort(whole[each]) for each in cut)
        notices.append(
            f"For validation, {how} {shares[1]:.0%} of the training payments were set aside."
        )
    if "time_seconds" in frame.columns:
        times = frame["time_seconds"].to_numpy()
        if times[rows["train"]].max() > times[rows["test"]].min():
            notices.append(
                "The parts that were given overlap in time: training payments are later than some"
                " of the test, so the figures tell little of the future."
            )
    return rows, notices


def _shares(options: SplitOptions) -> tuple[float, float, float]:
    """Return the shares of train, validation and test that the days wanted would have."""
    days = (options.train_days or TRAIN_DAYS, options.valid_days, options.test_days)
    return tuple(each / sum(days) for each in days)  # type: ignore[return-value]


def _in_percent(shares: tuple[float, ...]) -> str:
    return ", ".join(f"{share:.0%}".removesuffix("%") for share in shares)


def _check_part(name: str, part: Payments, frame: pl.DataFrame) -> None:
    """Raise unless the part holds frauds and genuine payments."""
    frauds = int(part.labels.sum())
    if 0 < frauds < len(part):
        return
    when = ""
    if part.days is not None and len(part):
        when = f" of days {part.days.min()} to {part.days.max()}"
    remedy = f"give --split.{name}-days another number of days"
    if "part" in frame.columns:
        remedy = f"give other payments by --data.{name}"
    elif "day" not in frame.columns:
        remedy = "add payments of the kind that is missing"
    raise ValueError(
        f"split: the {name} part{when} holds {frauds} frauds among {len(part):,} payments; both"
        f" kinds are needed, {remedy}"
    )


def _shift(parts: dict[str, Payments]) -> list[str]:
    """Say where the share of fraud moves by more than chance between the parts."""
    share = {name: part.fraud_share for name, part in parts.items()}
    low, high = (min(share, key=share.__getitem__), max(share, key=share.__getitem__))
    error = np.sqrt(sum(share[name] * (1 - share[name]) / len(parts[name]) for name in (low, high)))
    if share[high] < SHIFT * share[low] or share[high] - share[low] < 4 * error:
        return []
    said = ", ".join(f"{value:.2%} in {name}" for name, value in share.items())
    return [
        f"The share of fraud moves between the parts: {said}. Probabilities and thresholds are"
        " fitted to validation, so watch them."
    ]


def _names(table: Transactions) -> dict[str, dict[str, int]]:
    """Return the user's own ids by column, where the table numbered them."""
    return {
        column: dict(zip(known["name"].to_list(), known[column].to_list(), strict=True))
        for column, known in table.extra.items()
    }


def _own_file(config: DataOptions) -> Transactions:
    from data.files import transactions_from_csv

    given = {"train": config.train or config.path, "valid": config.valid, "test": config.test}
    paths = {name: path for name, path in given.items() if path is not None}
    return transactions_from_csv(
        paths,
        time=config.time,
        customer=config.customer,
        terminal=config.terminal,
        amount=config.amount,
        label=config.label,
        device=config.device,
        weight=config.weight,
        fraud_value=config.fraud_value,
        numbers=config.numbers,
        categories=config.categories,
        options=config,
    )
