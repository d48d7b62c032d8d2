"""What a feature is: one definition that the batch and the stream both carry out.

A `Window` looks at the payments of one entity (a customer, a terminal, a customer on a device) in

    (t - delay - seconds,  t - delay]

and gives two numbers: how many there were, and the mean of `value` over them (0 where none were).
`value` is the amount, or the fraud label; a label window must be delayed by the time a fraud takes
to be reported, else it reads the future. Where payments have no amount the window counts alone. The
current payment belongs to its own undelayed windows; one without a label counts as genuine.

Beside them stand the table's further columns: numbers as they are (NaN where missing), categories
as codes, 1 for the most frequent value of the training payments, 0 for rare and new ones. A code
is made without the label, so nothing of it can leak.

Order, ties included: payments are taken in the order (time, position in the table); of two payments
in the same second the later row sees the earlier one and not the other way round.

Amounts are summed as whole ten-thousandths: integer sums do not depend on the order of additions,
which is what makes the two computations equal to the last bit rather than nearly so.

Windows and delay of `HANDBOOK`: Le Borgne et al., Fraud Detection Handbook, chapter 3.3. The
textbook's 1 h / 24 h / 7 d are the same definition with other lengths (`standard`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

from common.units import DAY, HOUR

LABEL_DELAY = 7 * DAY
UNITS = 10_000  # amounts are summed in ten-thousandths
UNIT_OF = {"amount": UNITS, "label": 1, "count": 0}  # what a window's sum is divided by; 0: no mean
MEMORY = 30 * DAY  # "since" features look back no further: older is all the same to them

CUSTOMER, TERMINAL, DEVICE = ("customer_id",), ("terminal_id",), ("device_id",)
PAIR = ("customer_id", "terminal_id")
OWNED = ("customer_id", "device_id")

# row features, of the payment itself and of the customer's past, and the columns they read
ROW_FEATURES = {
    "amount": {"amount"},
    "weekend": {"time_seconds"},
    "night": {"time_seconds"},
    "hour": {"time_seconds"},
    "amount_ratio": {"time_seconds", "customer_id", "amount"},  # to the mean of the longest window
    "hours_since_previous": {"time_seconds", "customer_id"},  # of the customer; at most 30 days
    "days_known": {"time_seconds", "customer_id"},  # since opened or first seen; at most 30
}
CALENDAR = ("weekend", "night")  # need a date; a counter of seconds has none


@dataclass(frozen=True)
class Window:
    """A span of time over the payments of one entity; see the module's formula."""

    keys: tuple[str, ...]
    seconds: int
    value: str = "amount"
    delay: int = 0

    def __post_init__(self) -> None:
        """Refuse to read a label before it could be known."""
        assert self.value in ("amount", "label", "count"), self.value
        assert self.value != "label" or self.delay > 0, "a label window needs a delay"

    @property
    def names(self) -> tuple[str, ...]:
        """Return its columns, such as `terminal_count_7d` and `terminal_risk_7d`."""
        entity = "_".join(key.removesuffix("_id") for key in self.keys)
        span = f"{self.seconds // DAY}d" if self.seconds % DAY == 0 else f"{self.seconds // HOUR}h"
        count = f"{entity}_count_{span}"
        if self.value == "count":
            return (count,)
        mean = "risk" if self.value == "label" else "mean"
        return count, f"{entity}_{mean}_{span}"


@dataclass(frozen=True)
class Category:
    """A further column of categories: the values that have a code of their own, frequent first."""

    column: str
    values: tuple[str, ...]


@dataclass(frozen=True)
class FeatureSet:
    """The columns of a model's input: row features, windows, further numbers and categories."""

    rows: tuple[str, ...]
    windows: tuple[Window, ...]
    numbers: tuple[str, ...] = ()
    categories: tuple[Category, ...] = ()
    optional: tuple[str, ...] = ()  # further columns that payments of the table lack
    refunds: bool = False  # whether amounts of the table are below 0

    def __post_init__(self) -> None:
        """Hold the row features to the known ones, and names to be unique."""
        assert set(self.rows) <= set(ROW_FEATURES), self.rows
        assert len(set(self.names)) == len(self.names), "two features share a name"

    @property
    def names(self) -> tuple[str, ...]:
        """Return the column names of the feature matrix, in order."""
        return self._computed + self.further

    @property
    def further(self) -> tuple[str, ...]:
        """Return the names of the table's own columns; one that is taken is marked as a column."""
        own = (*self.numbers, *(category.column for category in self.categories))
        return tuple(f"{name} (column)" if name in self._computed else name for name in own)

    @property
    def codes(self) -> tuple[int, ...]:
        """Return the positions of the features that hold codes of categories."""
        end = len(self.names)
        return tuple(range(end - len(self.categories), end))

    def position(self, category: Category) -> int:
        """Return the position of the codes of a category."""
        return self.codes[self.categories.index(category)]

    def shown(self, name: str, value: float) -> str:
        """Return the value of a feature in words: of a category the text, not its code."""
        place = self.names.index(name) - (len(self.names) - len(self.categories))
        if place < 0:
            return "missing" if value != value else f"{value:g}"
        if value == 0:
            return "rare or new"
        return self.categories[place].values[int(value) - 1] or "missing"

    @property
    def _computed(self) -> tuple[str, ...]:
        return self.rows + tuple(name for window in self.windows for name in window.names)

    def start(self, position: int) -> int:
        """Return the column of a window's count; its mean, if any, stands to the right of it."""
        return len(self.rows) + sum(len(window.names) for window in self.windows[:position])

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
        """Return the columns that the features read of a payment."""
        found = {key for window in self.windows for key in window.keys}
        found |= {column for name in self.rows for column in ROW_FEATURES[name]}
        found |= {"time_seconds"} if self.windows else set()
        found |= {"amount"} if any(window.value == "amount" for window in self.windows) else set()
        return found | {*self.numbers, *(category.column for category in self.categories)}

    def to_dict(self) -> dict[str, Any]:
        """Return the definition as JSON values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """Read what `to_dict` gave."""
        windows = (Window(**{**w, "keys": tuple(w["keys"])}) for w in values["windows"])
        categories = (Category(c["column"], tuple(c["values"])) for c in values["categories"])
        return cls(
            rows=tuple(values["rows"]),
            windows=tuple(windows),
            numbers=tuple(values["numbers"]),
            categories=tuple(categories),
            optional=tuple(values["optional"]),
            refunds=values["refunds"],
        )


def customer_windows(*seconds: int, value: str = "amount") -> tuple[Window, ...]:
    """Return windows of how often and how much the customer paid lately."""
    return tuple(Window(CUSTOMER, span, value) for span in seconds)


def terminal_windows(*seconds: int, delay: int = LABEL_DELAY) -> tuple[Window, ...]:
    """Return windows of the terminal's payments and frauds, up to the last labels known."""
    return tuple(Window(TERMINAL, span, "label", delay) for span in seconds)


HANDBOOK = FeatureSet(
    rows=("amount", "weekend", "night"),
    windows=customer_windows(DAY, 7 * DAY, 30 * DAY) + terminal_windows(DAY, 7 * DAY, 30 * DAY),
)


def standard(
    *,
    columns: set[str],
    delay: int = LABEL_DELAY,
    calendar: bool = True,
    numbers: tuple[str, ...] = (),
    categories: Mapping[str, tuple[str, ...]] | None = None,
    optional: tuple[str, ...] = (),
    refunds: bool = False,
) -> FeatureSet:
    """Return the default features that `columns`, those of the table, allow.

    Windows need the time and an id; the night and the weekend a `calendar`. `categories` gives the
    frequent values of each column, see `columns`. A `delay` of 0 leaves the label windows out.
    """
    rows = tuple(
        name
        for name, read in ROW_FEATURES.items()
        if read <= columns and (calendar or name not in CALENDAR)
    )
    return FeatureSet(
        rows=rows,
        windows=_windows(columns, delay) if "time_seconds" in columns else (),
        numbers=numbers,
        categories=tuple(Category(*each) for each in (categories or {}).items()),
        optional=optional,
        refunds=refunds,
    )


def _windows(columns: set[str], delay: int) -> tuple[Window, ...]:
    """Return the windows of the ids among `columns`."""
    value = "amount" if "amount" in columns else "count"
    spans = (HOUR, DAY, 7 * DAY, 30 * DAY)
    windows: tuple[Window, ...] = ()
    if "customer_id" in columns:
        windows += customer_windows(*spans, value=value)
    if "terminal_id" in columns and delay:
        windows += terminal_windows(*spans[1:], delay=delay)
    owned = ((PAIR, 30 * DAY), (OWNED, 30 * DAY), (DEVICE, 7 * DAY))
    return windows + tuple(Window(k, span, value) for k, span in owned if set(k) <= columns)
