"""The simulated card payments of the fraud-detection handbook: 1,754,155 rows, 183 days.

The fraud room's public set: 4,990 customers at 10,000 terminals from 2018-04-01 on, 0.84 % fraud
in three scenarios. Protocols published for it fix the days of training and test, so figures made
on it can be held against the book's.

Source: Le Borgne et al., "Reproducible Machine Learning for Credit Card Fraud Detection", 2022.
It differs from the official form in packing alone: the authors publish one pandas pickle a day,
and a pickle runs whatever code it holds when it is loaded, so none is ever loaded here. The reader
takes a Parquet file of the same rows from a mirror.
"""

from __future__ import annotations

from datetime import date

import polars as pl

from data.cards import Card, Fetched, File, Form
from data.tables import Source, Transactions

START = date(2018, 4, 1)

CARD = Card(
    name="handbook-fraud",
    folder="handbook-fraud",
    title="Fraud Detection Handbook, simulated transactions",
    task="fraud detection",
    homepage="https://fraud-detection-handbook.github.io/fraud-detection-handbook/",
    licence="none stated (its code: GPL v3)",
    citation="Le Borgne et al., Reproducible Machine Learning for Credit Card Fraud Detection, "
    "2022",
    published={
        "rows": 1754155,
        "frauds": 14681,
        "scenario_1": 973,
        "scenario_2": 9077,
        "scenario_3": 4631,
    },
    forms=(
        Form(
            "parquet",
            (
                File(
                    "transactions.parquet",
                    14087622,
                    "47fa902627ccfe1722a0018343a17c981cad3b902583b1559a45d1aa108b095f",
                ),
            ),
            note="All 183 day files in one Parquet file, values unchanged.",
        ),
    ),
    remedy=(
        "It is officially published as pandas pickles only, which can run code when loaded and "
        "are never loaded here. Set ML_PATTERNS_MIRROR to a folder with "
        "handbook-fraud/transactions.parquet, or use --dataset simulated-transactions, which "
        "follows the same recipe."
    ),
)


def read(fetched: Fetched) -> Transactions:
    """Read all rows in order of time; ties keep the order of the file."""
    raw = pl.read_parquet(fetched.paths["transactions.parquet"])
    frame = raw.select(
        pl.col("TRANSACTION_ID").cast(pl.Int64).alias("transaction_id"),
        pl.col("TX_TIME_SECONDS").cast(pl.Int64).alias("time_seconds"),
        pl.col("TX_TIME_DAYS").cast(pl.Int16).alias("day"),
        pl.col("CUSTOMER_ID").cast(pl.Int32).alias("customer_id"),
        pl.col("TERMINAL_ID").cast(pl.Int32).alias("terminal_id"),
        pl.col("TX_AMOUNT").alias("amount"),
        pl.col("TX_FRAUD").cast(pl.Int8).alias("is_fraud"),
        pl.col("TX_FRAUD_SCENARIO").cast(pl.Int8).alias("scenario"),
    )
    source = Source(
        name=CARD.name,
        origin=fetched.origin,
        title=CARD.title,
        licence=CARD.licence,
        checksums=fetched.checksums,
        rows=f"{frame.height:,} transactions, {int(frame['is_fraud'].sum()):,} frauds, "
        f"{frame['customer_id'].n_unique():,} customers, "
        f"{frame['terminal_id'].n_unique():,} terminals",
    )
    return Transactions(source, frame, START)
