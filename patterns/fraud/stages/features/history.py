"""The recent past of every entity: what the stream's windows run over.

A `History` is one entity's payments of the longest window, in order, with two positions and an
integer sum for each window. A `Group` holds the histories of all entities of one kind
(all customers, all terminals) and turns them into flat arrays for the snapshot and back. Windows
are not saved but found again, with equal sums, since sums of integers do not depend on their order.
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
Place = tuple[int, int, int]  # of a window: its first payment, the one after its last, their sum
EMPTY: Place = (0, 0, 0)


@dataclass(slots=True)
class History:
    """The recent payments of one entity, and where each window stands in them."""

    times: list[int] = field(default_factory=list)
    values: list[int] = field(default_factory=list)
    ids: list[int] = field(default_factory=list)
    places: list[Place] = field(default_factory=list)  # of each window

    def moved(self, time: int, value: int, spans: list[int], delays: list[int]) -> list[Place]:
        """Return where (time - delay - span, time - delay] stands, with a payment made at `time`.

        That payment would be the last; nothing is recorded.
        """
        times, values, size = self.times, self.values, len(self.times)
        found = []
        for (head, tail, total), span, delay in zip(self.places, spans, delays, strict=True):
            until = time - delay
            while tail < size and times[tail] <= until:
                total += values[tail]
                tail += 1
            since = until - span
            while head < tail and times[head] <= since:
                total -= values[head]
                head += 1
            found.append((head, tail, total) if delay else (head, tail + 1, total + value))
        return found

    def record(self, time: int, value: int, identifier: int, places: list[Place]) -> None:
        """Add a payment, and leave the windows where `moved` found them."""
        self.times.append(time)
        self.values.append(value)
        self.ids.append(identifier)
        self.places = places
        oldest = min(head for head, _, _ in places)
        if oldest > COMPACT_AFTER and 2 * oldest > len(self.times):
            for column in (self.times, self.values, self.ids):
                del column[:oldest]
            self.places = [(head - oldest, tail - oldest, total) for head, tail, total in places]

    def relabel(self, identifier: int, value: int) -> bool:
        """Replace the value of a payment, in the windows that already hold it as well."""
        position = next(
            (i for i in range(len(self.ids) - 1, -1, -1) if self.ids[i] == identifier), -1
        )
        if position < 0:
            return False
        change = value - self.values[position]
        self.values[position] = value
        self.places = [
            (head, tail, total + change if head <= position < tail else total)
            for head, tail, total in self.places
        ]
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
        return self.entities.get(payment.key(self.keys)) or self._empty()

    def record(self, payment: Payment, time: int, history: History, places: list[Place]) -> None:
        """Let the payment, taken at `time`, enter `history`, which is then the entity's."""
        history.record(time, self.value_of(payment), payment.transaction_id, places)
        self.entities[payment.key(self.keys)] = history

    def _empty(self) -> History:
        return History(places=[EMPTY] * len(self.spans))

    def value_of(self, payment: Payment) -> int:
        """Return what the windows sum: the label, or the amount in whole units."""
        if self.value == "label":
            return max(payment.label, 0)  # an unlabelled payment counts as genuine
        return round(payment.amount * UNITS) if self.value == "amount" else 0

    def write(self, payment: Payment, time: int, history: History, row: np.ndarray) -> list[Place]:
        """Write counts and means of the windows at `time`; return where those then stand."""
        places = history.moved(time, self.value_of(payment), self.spans, self.delays)
        for (head, tail, total), column in zip(places, self.starts, strict=True):
            count = tail - head
            row[column] = count
            if self.unit:
                row[column + 1] = total / count / self.unit if count else 0.0
        return places

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
        """Rebuild the histories, with the windows as each entity's latest payment left them."""
        times, values, ids = (arrays[name].tolist() for name in ("times", "values", "ids"))
        sizes = arrays["sizes"].astype(np.int64)
        ends = np.cumsum(sizes)
        begins = (ends - sizes).tolist()
        places = self._places(arrays["times"], arrays["values"], sizes, ends)
        for key, own, begin, end in zip(arrays["keys"].tolist(), places, begins, ends, strict=True):
            self.entities[tuple(key)] = History(
                times[begin:end], values[begin:end], ids[begin:end], own
            )

    def _places(
        self, times: np.ndarray, values: np.ndarray, sizes: np.ndarray, ends: np.ndarray
    ) -> list[list[Place]]:
        """Return of E entities the windows at the latest payment; it is theirs unless delayed."""
        if not len(times):
            return []
        entities, latest = np.arange(len(sizes)), times[ends - 1]
        stride = times.max() + 1
        rising = np.repeat(entities, sizes) * stride + times  # by entity, then time
        sums = np.append(0, np.cumsum(values))
        found = []
        for span, delay in zip(self.spans, self.delays, strict=True):
            head, tail = (
                np.searchsorted(rising, entities * stride + np.maximum(until, -1), side="right")
                for until in (latest - delay - span, latest - delay)
            )
            begin = ends - sizes
            found.append(np.stack([head - begin, tail - begin, sums[tail] - sums[head]], axis=1))
        windows = np.stack(found, axis=1)  # (E, windows, 3)
        return [[(h, t, s) for h, t, s in own] for own in windows.tolist()]
