"""What a feature is: one definition that the batch and the stream both carry out.

A `Window` looks at the payments of one entity (a customer, a terminal, a customer on a device) in

    (t - delay - seconds,  t - delay]

and gives two numbers: how many there were, and the mean of `value` over them (0 where none were).
`value` is the amount, or the fraud label; a label window must be delayed by the time a fraud takes
to be reported, else it reads the future. The current payment belongs to its own undelayed windows.

Order, ties included: payments are taken in the order (time, position in the table); of two payments
in the same second the later row sees the earlier one and not the other way round.

Amounts are summed as whole ten-thousandths: integer sums do not depend on the order of additions,
which is what makes the two computations equal to the last bit rather than nearly so.

Windows and delay of `HANDBOOK`: Le Borgne et al., Fraud Detection Handbook, chapter 3.3. The
textbook's 1 h / 24 h / 7 d are the same definition with other lengths (`standard`).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Self

from patterns.fraud.entities.payment import DAY, HOUR

LABEL_DELAY = 7 * DAY
UNITS = 10_000  # amounts are summed in ten-thousandths
MEMORY = 30 * DAY  # "since" features look back no further: older is all the same to them

CUSTOMER, TERMINAL, DEVICE = ("customer_id",), ("terminal_id",), ("device_id",)
PAIR = ("customer_id", "terminal_id")
OWNED = ("customer_id", "device_id")

# row features: of the payment itself, and of the customer's past
ROW_FEATURES = (
    "amount",
    "weekend",
    "night",
    "hour",
    "amount_ratio",  # to the customer's mean over the longest window, this payment included
    "hours_since_previous",  # of the customer; at most 30 days
    "days_known",  # since the account was opened or first seen; at most 30
    "distance",
)


@dataclass(frozen=True)
class Window:
    """A span of time over the payments of one entity; see the module's formula."""

    keys: tuple[str, ...]
    seconds: int
    value: str = "amount"
    delay: int = 0

    def __post_init__(self) -> None:
        """Refuse to read a label before it could be known."""
        assert self.value in ("amount", "label"), self.value
        assert self.value == "amount" or self.delay > 0, "a label window needs a delay"

    @property
    def names(self) -> tuple[str, str]:
        """Return its two columns, such as `terminal_count_7d` and `terminal_risk_7d`."""
        entity = "_".join(key.removesuffix("_id") for key in self.keys)
        span = f"{self.seconds // DAY}d" if self.seconds % DAY == 0 else f"{self.seconds // HOUR}h"
        mean = "risk" if self.value == "label" else "mean"
        return f"{entity}_count_{span}", f"{entity}_{mean}_{span}"


@dataclass(frozen=True)
class FeatureSet:
    """The columns of a model's input: row features first, then two a window."""

    rows: tuple[str, ...]
    windows: tuple[Window, ...]

    def __post_init__(self) -> None:
        """Hold the row features to the known ones, and names to be unique."""
        assert set(self.rows) <= set(ROW_FEATURES), self.rows
        assert len(set(self.names)) == len(self.names), "two windows share a name"

    @property
    def names(self) -> tuple[str, ...]:
        """Return the column names of the feature matrix, in order."""
        return self.rows + tuple(name for window in self.windows for name in window.names)

    @property
    def groups(self) -> dict[tuple[tuple[str, ...], str], list[int]]:
        """Return the positions of windows that share an entity and a value, hence one history."""
        groups: dict[tuple[tuple[str, ...], str], list[int]] = {}
        for position, window in enumerate(self.windows):
            groups.setdefault((window.keys, window.value), []).append(position)
        return groups

    @property
    def habit(self) -> int | None:
        """Return the position of the customer's longest amount window, for `amount_ratio`."""
        own = [i for i, w in enumerate(self.windows) if w.keys == CUSTOMER and w.value == "amount"]
        return max(own, key=lambda i: self.windows[i].seconds, default=None)

    @property
    def columns(self) -> set[str]:
        """Return the columns that the features read beside time, customer and amount."""
        keys = {key for window in self.windows for key in window.keys}
        return keys | ({"distance"} & set(self.rows))

    def to_dict(self) -> dict[str, Any]:
        """Return the definition as JSON values."""
        return {"rows": list(self.rows), "windows": [asdict(window) for window in self.windows]}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """Read what `to_dict` gave."""
        windows = (Window(**{**w, "keys": tuple(w["keys"])}) for w in values["windows"])
        return cls(rows=tuple(values["rows"]), windows=tuple(windows))


def customer_windows(*seconds: int) -> tuple[Window, ...]:
    """Return windows of how often and how much the customer paid lately."""
    return tuple(Window(CUSTOMER, span) for span in seconds)


def terminal_windows(*seconds: int, delay: int = LABEL_DELAY) -> tuple[Window, ...]:
    """Return windows of the terminal's payments and frauds, up to the last labels known."""
    return tuple(Window(TERMINAL, span, "label", delay) for span in seconds)


HANDBOOK = FeatureSet(
    rows=("amount", "weekend", "night"),
    windows=customer_windows(DAY, 7 * DAY, 30 * DAY) + terminal_windows(DAY, 7 * DAY, 30 * DAY),
)


def standard(*, columns: set[str], delay: int = LABEL_DELAY) -> FeatureSet:
    """Return the default features: all windows, velocity, habit, device, distance.

    `columns` are those of the table; device and distance are used only where it has them.
    """
    spans = (HOUR, DAY, 7 * DAY, 30 * DAY)
    windows = customer_windows(*spans) + terminal_windows(*spans[1:], delay=delay)
    windows += (Window(PAIR, 30 * DAY),)
    rows = tuple(name for name in ROW_FEATURES if name != "distance" or name in columns)
    if "device_id" in columns:
        windows += (Window(OWNED, 30 * DAY), Window(DEVICE, 7 * DAY))
    return FeatureSet(rows=rows, windows=windows)
