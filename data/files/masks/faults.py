"""All faults of a user's files in one message, so that one run is enough to see and mend them."""

from __future__ import annotations

SHOWN = 10


def stop(faults: list[str]) -> None:
    """Raise one ValueError with the first `SHOWN` faults, if there are any."""
    if not faults:
        return
    if len(faults) == 1:
        raise ValueError(faults[0])
    more = [f"… and {len(faults) - SHOWN:,} more"] if len(faults) > SHOWN else []
    raise ValueError("\n  ".join([f"{len(faults):,} faults in the files:", *faults[:SHOWN], *more]))
