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

Shapes: `N` payments of a part.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from patterns.fraud.config import Config, DataOptions, SplitOptions
from patterns.fraud.entities.payments import Payments

if TYPE_CHECKING:
    from data.tables import Source, Transactions

PUBLIC, OFFLINE = "handbook-fraud", "simulated-transactions"


@dataclass(frozen=True)
class Splits:
    """The parts, and the table of all payments in order of time, whose windows need the past."""

    source: Source
    train: Payments
    valid: Payments
    test: Payments
    frame: pl.DataFrame
    start: date  # of day 0
    names: dict[str, dict[str, int]]  # own ids of customers and terminals -> numbers, if any
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
    """Cut the days of `table`; a part without a fraud is an error, since nothing can be learned."""
    days = table.frame["day"].to_numpy()
    parts = {}
    for name, (first, end) in _bounds(days, config.split).items():
        part = _payments(table.frame, np.flatnonzero((days >= first) & (days < end)))
        frauds = int(part.labels.sum())
        if not 0 < frauds < len(part):
            raise ValueError(
                f"split: the {name} days {first} to {end - 1} hold {frauds} frauds among"
                f" {len(part):,} payments; both kinds are needed, give --split.{name}-days more"
            )
        parts[name] = part
    return Splits(
        source=table.source,
        train=parts["train"],
        valid=parts["valid"],
        test=parts["test"],
        frame=table.frame,
        start=table.start,
        names=_names(table),
    )


def _bounds(days: np.ndarray, config: SplitOptions) -> dict[str, tuple[int, int]]:
    """Return the first day of each part and the day after its last, counted from the end."""
    delay = config.label_delay_days
    last = int(days.max()) + 1
    test = last - config.test_days
    valid = test - delay - config.valid_days
    train = valid - delay - config.train_days
    if train < int(days.min()):
        needed = config.train_days + config.valid_days + config.test_days + 2 * delay
        raise ValueError(
            f"split: its parts and two label delays take {needed} days, the payments cover"
            f" {last - int(days.min())}; lower --split.train-days or --split.test-days"
        )
    return {
        "train": (train, train + config.train_days),
        "valid": (valid, valid + config.valid_days),
        "test": (test, last),
    }


def _payments(frame: pl.DataFrame, rows: np.ndarray) -> Payments:
    chosen = frame[rows]
    return Payments(
        rows=rows,
        labels=chosen["is_fraud"].to_numpy(),
        amounts=chosen["amount"].to_numpy(),
        days=chosen["day"].to_numpy(),
        customers=chosen["customer_id"].to_numpy(),
        scenarios=chosen["scenario"].to_numpy(),
    )


def _names(table: Transactions) -> dict[str, dict[str, int]]:
    """Return the own names of customers and terminals by column, where the table numbered them."""
    names = {}
    for kind, column in (("customers", "customer_id"), ("terminals", "terminal_id")):
        if kind in table.extra:
            known = table.extra[kind]
            names[column] = dict(zip(known["name"].to_list(), known[column].to_list(), strict=True))
    return names


def _own_file(config: DataOptions) -> Transactions:
    from data.files import transactions_from_csv

    assert config.path is not None
    return transactions_from_csv(
        config.path,
        time=config.time,
        customer=config.customer,
        terminal=config.terminal,
        amount=config.amount,
        label=config.label,
        options=config,
    )
