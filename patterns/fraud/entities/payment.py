"""A payment as it arrives, one at a time; a table of them is a polars frame of the same columns."""

from __future__ import annotations

from dataclasses import dataclass, field

HOUR, DAY = 3_600, 86_400  # seconds


@dataclass(frozen=True, slots=True)
class Payment:
    """One transaction; `extras` holds further columns, such as `device_id`."""

    transaction_id: int
    time_seconds: int
    customer_id: int
    terminal_id: int
    amount: float
    label: int = 0
    extras: dict[str, float] = field(default_factory=dict)

    def key(self, keys: tuple[str, ...]) -> tuple[int, ...]:
        """Return the ids that name the entity of a window."""
        known = {"customer_id": self.customer_id, "terminal_id": self.terminal_id}
        return tuple(known[k] if k in known else int(self.extras[k]) for k in keys)
