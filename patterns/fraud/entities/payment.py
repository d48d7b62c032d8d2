"""A payment as it arrives, one at a time; a table of them is a polars frame of the same columns."""

from __future__ import annotations

from dataclasses import dataclass, field

MISSING = -1  # the label of a payment that nobody has judged


@dataclass(frozen=True, slots=True)
class Payment:
    """One transaction; what its table lacks stays 0, and no feature reads it.

    `label` is `MISSING` where it is not known; `extras` holds further columns, such as `device_id`.
    """

    transaction_id: int
    time_seconds: int = 0
    customer_id: int = 0
    terminal_id: int = 0
    amount: float = 0.0
    label: int = 0
    extras: dict[str, float | str | None] = field(default_factory=dict)

    def key(self, keys: tuple[str, ...]) -> tuple[int, ...]:
        """Return the ids that name the entity of a window."""
        known = {"customer_id": self.customer_id, "terminal_id": self.terminal_id}
        return tuple(known[k] if k in known else int(self.extras[k] or 0) for k in keys)
