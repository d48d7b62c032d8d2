"""Units of time that several packages count in."""

from __future__ import annotations

HOUR, DAY = 3_600, 86_400  # seconds
