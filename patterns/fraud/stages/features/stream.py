"""The same windows fed one payment at a time: the online side, with a state that can be saved.

Box "features", online side, and the in-process feature cache of the textbook. Each entity keeps its
payments of the longest window in a list; each window keeps two positions in that list and an
integer sum, moved forward when the entity's next payment arrives. So an event costs O(1)
amortised, and the values equal those of `windows.compute` to the last bit, on every row.

    stream.update(payment)              features of the payment, which then belongs to the past
    stream.peek(payment)                the same features, nothing recorded
    stream.confirm(terminal, id, True)  a label that arrived days later

An unknown customer or terminal has an empty past: counts and means start at 0 before it, exactly
as in the table that training saw. A payment that arrives late (older than the latest of one of its
entities) is taken at the time of that latest one, since windows only move forward.

Shapes: `F` features.
"""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Self

import numpy as np
import polars as pl

from common.units import DAY
from patterns.fraud.entities.payment import Payment
from patterns.fraud.stages.features.definition import MEMORY, FeatureSet
from patterns.fraud.stages.features.history import Group, History, Place
from patterns.fraud.stages.features.windows import row_features


class FeatureStream:
    """Feature state of a running service; not thread-safe, its owner holds a lock."""

    def __init__(self, features: FeatureSet, *, start: date) -> None:
        """`start` is the date of second 0, which fixes the weekday."""
        self.features = features
        self.start = start
        self._weekday = start.weekday()
        self._groups = [
            Group(keys, value, positions, features)
            for (keys, value), positions in features.groups.items()
        ]
        self._codes = [
            {value: code for code, value in enumerate(category.values, start=1)}
            for category in features.categories
        ]
        self._by_customer = "customer_id" in features.columns
        self._habit = None if features.habit is None else features.start(features.habit) + 1
        self._customers: dict[int, tuple[int, int]] = {}  # first and latest time
        self._latest = 0

    def update(self, payment: Payment) -> np.ndarray:
        """Return the features (F,) of the payment, and record it."""
        row, time, found = self._row(payment)
        for group, (history, places) in zip(self._groups, found, strict=True):
            group.record(payment, time, history, places)
        if self._by_customer:
            first, _ = self._customers.get(payment.customer_id, (time, time))
            self._customers[payment.customer_id] = (first, time)
        self._latest = max(self._latest, time)
        return row

    def peek(self, payment: Payment) -> np.ndarray:
        """Return the features (F,) of the payment, without recording it."""
        return self._row(payment)[0]

    def confirm(self, terminal_id: int, transaction_id: int, is_fraud: bool) -> bool:
        """Record a label that became known; return False if its payment is no longer kept."""
        found = False
        for group in self._groups:
            if group.value == "label":
                known = group.entities.get((terminal_id,))
                found |= known is not None and known.relabel(transaction_id, int(is_fraud))
        return found

    def knows(self, key: str, identifier: int) -> bool:
        """Return whether a customer or terminal has a past here."""
        if key == "customer_id":
            return identifier in self._customers
        return any((identifier,) in g.entities for g in self._groups if g.keys == (key,))

    def some(self, key: str) -> int:
        """Return a known customer or terminal; 0 if there is none."""
        if key == "customer_id":
            return next(iter(self._customers), 0)
        return next((k[0] for g in self._groups if g.keys == (key,) for k in g.entities), 0)

    def latest_time(self) -> int:
        """Return the time of the newest payment, in seconds since `start`; 0 if there is none."""
        return self._latest

    def largest_id(self) -> int:
        """Return the highest transaction id that is kept; -1 if there is none."""
        return max((max(h.ids) for g in self._groups for h in g.entities.values()), default=-1)

    def _row(self, payment: Payment) -> tuple[np.ndarray, int, list[tuple[History, list[Place]]]]:
        """Return the payment's features, when it is taken, and of each group history and windows.

        Nothing is recorded.
        """
        histories = [group.history(payment) for group in self._groups]
        seen = [history.times[-1] for history in histories if history.times]
        time = max([payment.time_seconds, *seen])  # windows only move forward
        row = np.empty(len(self.features.names), dtype=np.float32)  # (F,)
        found = [
            (history, group.write(payment, time, history, row))
            for group, history in zip(self._groups, histories, strict=True)
        ]
        first, previous = self._customers.get(payment.customer_id, (time, time - MEMORY))
        if "account_opened" in payment.extras:
            first = min(first, int(payment.extras["account_opened"] or 0) * DAY)
        amount = np.float64(payment.amount)
        columns = row_features(
            amount=amount,
            time=np.int64(time),
            start_weekday=self._weekday,
            habit=amount if self._habit is None else row[self._habit],
            previous=np.int64(previous),
            opened=np.int64(first),
        )
        for position, name in enumerate(self.features.rows):
            row[position] = columns[name]
        if self.features.further:
            row[-len(self.features.further) :] = self._further(payment)
        return row, time, found

    def _further(self, payment: Payment) -> list[float]:
        """Return the payment's own columns: numbers, NaN where missing, and codes of categories."""
        extras, known = payment.extras, zip(self.features.categories, self._codes, strict=True)
        values = [extras.get(column) for column in self.features.numbers]
        numbers = [float("nan") if value is None else float(value) for value in values]
        names = [(extras.get(category.column), codes) for category, codes in known]
        return numbers + [codes.get("" if name is None else str(name), 0) for name, codes in names]

    @classmethod
    def from_frame(cls, features: FeatureSet, frame: pl.DataFrame, *, start: date) -> Self:
        """Build the state after all payments of `frame`, which is sorted by time."""
        stream = cls(features, start=start)
        if frame.height == 0 or "time_seconds" not in frame.columns:
            return stream
        if stream._by_customer:
            ends = frame.group_by("customer_id", maintain_order=True).agg(
                pl.col("time_seconds").first().alias("first"),
                pl.col("time_seconds").last().alias("last"),
            )
            stream._customers = {c: (first, last) for c, first, last in ends.iter_rows()}
        stream._latest = int(frame["time_seconds"][-1])
        for group in stream._groups:
            group.fill(frame)
        return stream

    def save(self, folder: Path) -> None:
        """Write the state as `state.npz`, numbers without objects."""
        arrays: dict[str, np.ndarray] = {}
        for position, group in enumerate(self._groups):
            arrays |= {f"{position}.{name}": column for name, column in group.to_arrays().items()}
        seen = [(customer, *times) for customer, times in self._customers.items()]
        arrays["latest"] = np.array(self._latest, dtype=np.int64)
        arrays["customers"] = np.array(seen, dtype=np.int64).reshape(-1, 3)
        text = json.dumps({"features": self.features.to_dict(), "start": self.start.isoformat()})
        arrays["definition"] = np.frombuffer(text.encode(), dtype=np.uint8)
        np.savez_compressed(folder / "state.npz", allow_pickle=False, **arrays)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote; the definition of the features comes with it."""
        with np.load(folder / "state.npz", allow_pickle=False) as arrays:
            definition = json.loads(arrays["definition"].tobytes().decode())
            features = FeatureSet.from_dict(definition["features"])
            stream = cls(features, start=date.fromisoformat(definition["start"]))
            for customer, first, last in arrays["customers"].tolist():
                stream._customers[customer] = (first, last)
            stream._latest = int(arrays["latest"])
            for position, group in enumerate(stream._groups):
                names = ("keys", "sizes", "times", "values", "ids")
                group.from_arrays({name: arrays[f"{position}.{name}"] for name in names})
        return stream
