"""What can go wrong on the way to a dataset, each a ValueError that names the remedy.

    Missing, Unreachable, Damaged    one place cannot give the file: the next one is asked
    FetchError                       no place can, or something else is in the way (a full disk,
                                     a cache that cannot be written): the user has to act

A caller that can do without the dataset, as `data.choose` can, catches FetchError alone.
"""

from __future__ import annotations


class FetchError(ValueError):
    """A dataset is not available; the message says why and what to do."""


class Missing(FetchError):
    """A place does not hold the file: the next place is asked."""


class Unreachable(FetchError):
    """A host cannot be reached: the next place is asked, this host not again."""


class Damaged(FetchError):
    """A file is not the one that the card describes."""
