"""A world of card payments with planted fraud of three kinds: the offline default of fraud.

Customers and terminals live in a square; a customer pays at the terminals within a radius, so
many times a day (Poisson), around noon (normal), amounts around a personal mean. Fraud is planted
on top, each scenario overwriting the one before:

    1  any amount above 220                         found by one threshold
    2  a terminal is compromised for 28 days        found by the terminal's recent fraud share
    3  a card is stolen for 14 days: a third of     found by spending above the card's habit
       its payments are multiplied by 5

An independent, vectorised implementation of the facts published for the simulator of Le Borgne et
al., "Reproducible Machine Learning for Credit Card Fraud Detection" (chapter 3.2); it reproduces
that world's distributions and rates (held by a test against the published table), not its rows.
What differs: worlds of other sizes keep a customer's choice of terminals and the fraud rate, and
each row has three more columns, drawn from a random stream of their own that moves nothing else:

    device_id        planted: 80 % of scenario 3 is on the thief's device, one for all their victims
    distance         decoy: home to terminal; where a card is used says nothing about fraud here
    account_opened   decoy: day on which the account was opened, never after day 0
"""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import polars as pl

from common.units import DAY
from data.tables import Source, Transactions

SIDE = 100.0
FULL_CUSTOMERS, FULL_TERMINALS, FULL_RADIUS = 5_000, 10_000, 5.0
AMOUNT_LIMIT = 220.0
COMPROMISED_TERMINALS_A_DAY, TERMINAL_DAYS = 2.0, 28
STOLEN_CARDS_A_DAY, CARD_DAYS, STOLEN_FACTOR = 3.0, 14, 5.0
THIEF_DEVICE_SHARE = 0.8


def generate(
    *,
    seed: int = 0,
    customers: int = FULL_CUSTOMERS,
    terminals: int = FULL_TERMINALS,
    days: int = 183,
    start: date = date(2018, 4, 1),
) -> Transactions:
    """The world as a table sorted by time; ties of a second are in the order of `transaction_id`.

    About 350 rows a customer in 183 days; the default sizes give 1.75 million rows.
    """
    for field, value in (("customers", customers), ("terminals", terminals), ("days", days)):
        if value < 1:
            raise ValueError(f"{field}={value} is out of range: give a number of at least 1")
    world, fraud, extra = (np.random.default_rng(s) for s in np.random.SeedSequence(seed).spawn(3))
    homes = world.uniform(0, SIDE, (customers, 2))
    places = world.uniform(0, SIDE, (terminals, 2))
    columns = _payments(world, homes, places, days)
    labels = _plant(fraud, columns, customers, terminals, days)
    columns |= _context(extra, columns, labels, homes, places)
    frame = pl.DataFrame(
        {
            "transaction_id": np.arange(len(columns["day"]), dtype=np.int64),
            "time_seconds": columns["time_seconds"],
            "day": columns["day"].astype(np.int16),
            "customer_id": columns["customer_id"].astype(np.int32),
            "terminal_id": columns["terminal_id"].astype(np.int32),
            "amount": columns["amount"],
            "is_fraud": (labels["scenario"] > 0).astype(np.int8),
            "scenario": labels["scenario"],
            "device_id": columns["device_id"],
            "distance": columns["distance"],
            "account_opened": columns["account_opened"],
        }
    )
    return Transactions(
        source=_source(frame, seed, start, days), frame=frame, start=start, numbers=("distance",)
    )


def _payments(
    rng: np.random.Generator, homes: np.ndarray, places: np.ndarray, days: int
) -> dict[str, np.ndarray]:
    """Genuine payments of all customers, sorted by time: the table without its labels."""
    from scipy.spatial import cKDTree

    customers, terminals = len(homes), len(places)
    mean = rng.uniform(5, 100, customers)
    rate = rng.uniform(0, 4, customers)  # payments a day
    # a sparser map gets a wider radius, so that a customer always has about 78 terminals
    radius = FULL_RADIUS * max(1.0, (FULL_TERMINALS / terminals) ** 0.5)
    reachable = cKDTree(places).query_ball_point(homes, radius, return_sorted=True)
    sizes = np.array([len(r) for r in reachable])
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    flat = np.concatenate([np.asarray(r, dtype=np.int64) for r in reachable])

    counts = rng.poisson(rate[:, None], (customers, days)).astype(np.int64)
    counts[sizes == 0] = 0  # nowhere to pay
    customer = np.repeat(np.arange(customers), counts.sum(1))
    day = np.repeat(np.tile(np.arange(days), customers), counts.ravel())
    second = rng.normal(DAY / 2, 20_000, len(day)).astype(np.int64)
    kept = (second > 0) & (second < DAY)  # the tails of the night are dropped, not moved
    customer, day, second = customer[kept], day[kept], second[kept]

    amount = rng.normal(mean[customer], mean[customer] / 2)
    negative = np.flatnonzero(amount < 0)
    amount[negative] = rng.uniform(0, 2 * mean[customer[negative]])
    pick = (rng.random(len(customer)) * sizes[customer]).astype(np.int64)
    terminal = flat[starts[customer] + pick]
    order = np.argsort(day * DAY + second, kind="stable")
    return {
        "time_seconds": (day * DAY + second)[order],
        "day": day[order],
        "customer_id": customer[order],
        "terminal_id": terminal[order],
        "amount": np.round(amount, 2)[order],
    }


def _plant(
    rng: np.random.Generator,
    columns: dict[str, np.ndarray],
    customers: int,
    terminals: int,
    days: int,
) -> dict[str, np.ndarray]:
    """Plant the three scenarios; multiplies amounts of stolen cards in place."""
    day, customer, amount = columns["day"], columns["customer_id"], columns["amount"]
    scenario = np.where(amount > AMOUNT_LIMIT, 1, 0).astype(np.int8)
    thief = np.full(len(day), -1, dtype=np.int64)  # the day on which the card was stolen

    compromised = np.zeros((terminals, days), dtype=bool)
    for first in range(days - 1):
        wanted = _count(rng, COMPROMISED_TERMINALS_A_DAY * terminals / FULL_TERMINALS)
        chosen = rng.choice(terminals, min(wanted, terminals), replace=False)
        compromised[chosen, first : first + TERMINAL_DAYS] = True
    scenario[compromised[columns["terminal_id"], day]] = 2

    by_customer = np.argsort(customer, kind="stable")  # rows of a customer, in time
    bounds = np.searchsorted(customer[by_customer], np.arange(customers + 1))
    for first in range(days - 1):
        wanted = _count(rng, STOLEN_CARDS_A_DAY * customers / FULL_CUSTOMERS)
        victims = rng.choice(customers, min(wanted, customers), replace=False)
        rows = [by_customer[bounds[v] : bounds[v + 1]] for v in victims]
        exposed = np.concatenate([*rows, np.empty(0, dtype=np.int64)])
        exposed = exposed[(day[exposed] >= first) & (day[exposed] < first + CARD_DAYS)]
        stolen = rng.choice(exposed, len(exposed) // 3, replace=False)
        amount[stolen] = np.round(amount[stolen] * STOLEN_FACTOR, 2)
        scenario[stolen] = 3
        thief[stolen] = first
    return {"scenario": scenario, "thief": thief}


def _count(rng: np.random.Generator, expected: float) -> int:
    """A whole number with this expectation: exactly it when it is whole."""
    return int(expected) + int(rng.random() < expected % 1)


def _context(
    rng: np.random.Generator,
    columns: dict[str, np.ndarray],
    labels: dict[str, np.ndarray],
    homes: np.ndarray,
    places: np.ndarray,
) -> dict[str, np.ndarray]:
    """Device, distance from home and account opening of every row."""
    customer, thief = columns["customer_id"], labels["thief"]
    customers = len(homes)
    # devices 2c and 2c + 1 belong to customer c; a third of the customers use both
    second_share = np.where(rng.random(customers) < 1 / 3, 0.3, 0.0)
    device = 2 * customer + (rng.random(len(customer)) < second_share[customer])
    foreign = (thief >= 0) & (rng.random(len(customer)) < THIEF_DEVICE_SHARE)
    device[foreign] = 2 * customers + thief[foreign]
    opened = -np.floor(rng.exponential(700, customers))
    distance = np.hypot(*(homes[customer] - places[columns["terminal_id"]]).T)
    return {
        "device_id": device.astype(np.int32),
        "distance": distance.astype(np.float32),
        "account_opened": opened[customer].astype(np.int32),
    }


def _source(frame: pl.DataFrame, seed: int, start: date, days: int) -> Source:
    rows, frauds = frame.height, int(frame["is_fraud"].sum())
    last = start + timedelta(days=days - 1)
    return Source(
        name="simulated-transactions",
        origin="simulated",
        title=f"Simulated card payments with three planted kinds of fraud (seed {seed})",
        licence="generated by this project, Apache-2.0",
        checksums={},
        rows=f"{rows:,} transactions, {frauds:,} frauds, {start} to {last}",
    )
