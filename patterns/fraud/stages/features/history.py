"""The recent past of every entity: what the stream's windows run over.

A `History` is one entity's payments of the longest window, in order, with two positions, a running
count and an integer sum for each window. A `Group` holds the histories of all entities of one kind
(all customers, all terminals) and turns them into flat arrays for the snapshot and back. Windows
are not saved: rebuilt from an empty start they catch up at the next payment, to equal sums,
since sums of integers do not depend on how they were reached.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl

from patterns.fraud.entities.payment import Payment
from patterns.fraud.stages.features.definition import UNIT_OF, UNITS, FeatureSet
from patterns.fraud.stages.features.windows import values_of

COMPACT_AFTER = 64  # outdated payments of an entity before its list is cut


@dataclass(slots=True)
class History:
    """The recent payments of one entity, and where each window stands in them."""

    windows: int
    times: list[int] = field(default_factory=list)
    values: list[int] = field(default_factory=list)
    ids: list[int] = field(default_factory=list)
    heads: list[int] = field(default_factory=list)
    tails: list[int] = field(default_factory=list)
    totals: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Let windows start empty at the list's beginning."""
        self.heads, self.tails = [0] * self.windows, [0] * self.windows
        self.totals = [0] * self.windows

    def append(self, time: int, value: int, identifier: int) -> None:
        """Add a payment; it enters a window when `advance` says so."""
        self.times.append(time)
        self.values.append(value)
        self.ids.append(identifier)

    def advance(self, now: int, spans: list[int], delays: list[int]) -> None:
        """Move every window to (now - delay - span, now - delay]."""
        times, values, heads, tails = self.times, self.values, self.heads, self.tails
        size = len(times)
        for w, span in enumerate(spans):
            until = now - delays[w]
            head, tail, total = heads[w], tails[w], self.totals[w]
            while tail < size and times[tail] <= until:
                total += values[tail]
                tail += 1
            since = until - span
            while head < tail and times[head] <= since:
                total -= values[head]
                head += 1
            heads[w], tails[w], self.totals[w] = head, tail, total
        oldest = min(heads)
        if oldest > COMPACT_AFTER and 2 * oldest > size:
            self._drop(oldest)

    def _drop(self, oldest: int) -> None:
        for column in (self.times, self.values, self.ids):
            del column[:oldest]
        self.heads = [head - oldest for head in self.heads]
        self.tails = [tail - oldest for tail in self.tails]

    def copy(self) -> History:
        """Return an independent copy, windows included."""
        other = History(self.windows, self.times[:], self.values[:], self.ids[:])
        other.heads, other.tails = self.heads[:], self.tails[:]
        other.totals = self.totals[:]
        return other

    def relabel(self, identifier: int, value: int) -> bool:
        """Replace the value of a payment, in the windows that already hold it as well."""
        position = next(
            (i for i in range(len(self.ids) - 1, -1, -1) if self.ids[i] == identifier), -1
        )
        if position < 0:
            return False
        change = value - self.values[position]
        self.values[position] = value
        for w in range(self.windows):
            if self.heads[w] <= position < self.tails[w]:
                self.totals[w] += change
        return True


class Group:
    """The histories of all entities of one kind, and the windows over them."""

    def __init__(
        self, keys: tuple[str, ...], value: str, positions: list[int], features: FeatureSet
    ) -> None:
        self.keys, self.value, self.positions = keys, value, positions
        self.spans = [features.windows[i].seconds for i in positions]
        self.delays = [features.windows[i].delay for i in positions]
        self.starts = [features.start(i) for i in positions]
        self.unit = UNIT_OF[value]
        self.entities: dict[tuple[int, ...], History] = {}

    def history(self, payment: Payment) -> History:
        """Return the entity's own history; if unknown, an empty one that is not yet kept."""
        return self.entities.get(payment.key(self.keys)) or History(len(self.spans))

    def keep(self, payment: Payment, history: History) -> None:
        """Make `history` the entity's."""
        self.entities[payment.key(self.keys)] = history

    def value_of(self, payment: Payment) -> int:
        """Return what the windows sum: the label, or the amount in whole units."""
        if self.value == "label":
            return max(payment.label, 0)  # an unlabelled payment counts as genuine
        return round(payment.amount * UNITS) if self.value == "amount" else 0

    def write(self, history: History, time: int, row: np.ndarray) -> None:
        """Advance the windows of `history` to `time` and write their counts and means."""
        history.advance(time, self.spans, self.delays)
        for w, column in enumerate(self.starts):
            count = history.tails[w] - history.heads[w]
            row[column] = count
            if self.unit:
                row[column + 1] = history.totals[w] / count / self.unit if count else 0.0

    def fill(self, frame: pl.DataFrame) -> None:
        """Take over the payments of `frame` that a later one could still need."""
        newest = int(frame["time_seconds"].max())  # type: ignore[arg-type]
        reach = max(span + delay for span, delay in zip(self.spans, self.delays, strict=True))
        recent = frame.filter(pl.col("time_seconds") > newest - reach)
        recent = recent.sort(*self.keys, maintain_order=True)
        runs = recent.group_by(*self.keys, maintain_order=True).len()
        self.from_arrays(
            {
                "keys": runs.select(self.keys).to_numpy(),
                "sizes": runs["len"].to_numpy(),
                "times": recent["time_seconds"].to_numpy(),
                "values": values_of(recent, self.value),
                "ids": recent["transaction_id"].to_numpy(),
            }
        )

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Return all histories as flat arrays: E entities, their payments one after another."""
        kept = list(self.entities.values())
        keys = np.array(list(self.entities), dtype=np.int64).reshape(-1, len(self.keys))
        return {
            "keys": keys,
            "sizes": np.array([len(h.times) for h in kept], dtype=np.int64),  # (E,)
            "times": np.array([t for h in kept for t in h.times], dtype=np.int64),
            "values": np.array([v for h in kept for v in h.values], dtype=np.int64),
            "ids": np.array([i for h in kept for i in h.ids], dtype=np.int64),
        }

    def from_arrays(self, arrays: dict[str, Any]) -> None:
        """Rebuild the histories; windows start empty and catch up at the next payment."""
        times, values, ids = (arrays[name].tolist() for name in ("times", "values", "ids"))
        begin = 0
        for key, size in zip(arrays["keys"].tolist(), arrays["sizes"].tolist(), strict=True):
            history = History(len(self.spans))
            end = begin + size
            history.times, history.values = times[begin:end], values[begin:end]
            history.ids = ids[begin:end]
            self.entities[tuple(key)] = history
            begin = end
