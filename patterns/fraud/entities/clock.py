"""The clock of the feature state: seconds since the first day of the data, and dates.

A payment without a time takes the latest one known, so a slip into the future would move all of
them: times far beyond both the latest payment and the real clock are refused.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

AHEAD_OF_STATE, AHEAD_OF_CLOCK = timedelta(days=60), timedelta(days=1)


class Clock:
    """Counts from `zero`, midnight UTC of the day `start`."""

    def __init__(self, start: date) -> None:
        self.zero = datetime(start.year, start.month, start.day, tzinfo=UTC)

    def moment(self, seconds: int) -> datetime:
        """Return the time that is so many seconds after zero."""
        return self.zero + timedelta(seconds=seconds)

    def seconds(self, moment: datetime, *, latest: int) -> int:
        """Return the seconds from zero to `moment`, which is UTC where it has no zone.

        `latest` is the time of the newest payment. Raises `ValueError` for what cannot be counted.
        """
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        if moment < self.zero:
            raise ValueError(f"before {self.zero:%Y-%m-%d}, the state's first day")
        if moment > max(self.moment(latest) + AHEAD_OF_STATE, datetime.now(UTC) + AHEAD_OF_CLOCK):
            raise ValueError("in the future, where it would empty all windows")
        return int((moment - self.zero) / timedelta(seconds=1))
