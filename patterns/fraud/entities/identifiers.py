"""Ids of customers and terminals as callers write them, and the numbers that the windows count by.

A table of your own may name them in words; it numbers them, and keeps which number is whose. The
public and the simulated table hold numbers already, which stay as they are.
"""

from __future__ import annotations

LARGEST = 2**31 - 1


class Identifiers:
    """Numbers of `customer_id` and `terminal_id`."""

    def __init__(self, names: dict[str, dict[str, int]] | None = None) -> None:
        """`names` holds own ids -> numbers by column; a column without any is of plain numbers."""
        self.names = {column: dict(known) for column, known in (names or {}).items()}

    def number(self, column: str, identifier: int | str) -> int:
        """Return the number of an id; one never seen gets its own, above all others.

        Raises `ValueError` for what is no number from 0 to `LARGEST` in a column of plain numbers.
        """
        if column in self.names:
            known = self.names[column]
            return known.setdefault(str(identifier), len(known))
        number = int(identifier)
        if not 0 <= number <= LARGEST:
            raise ValueError(f"{number} is not from 0 to {LARGEST}")
        return number

    def name(self, column: str, number: int) -> int | str:
        """Return the id that has this number."""
        known = self.names.get(column, {})
        return next((name for name, other in known.items() if other == number), number)
