"""The cache folder: what was fetched or converted once, and may be deleted at any time."""

from __future__ import annotations

import os
from pathlib import Path

HOME_VARIABLE = "ML_PATTERNS_HOME"


def home() -> Path:
    """Return the cache folder: ML_PATTERNS_HOME, or the user's own cache folder."""
    named = os.environ.get(HOME_VARIABLE)
    if named:
        return Path(named).expanduser()
    from platformdirs import user_cache_path

    return user_cache_path("ml-system-patterns")
