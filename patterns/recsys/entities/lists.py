"""Lists that leave the pipeline: pages for users, and ranked lists with what is right.

Shapes: `B` requests, `N` items, `K` candidates.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from common.retrieval import Candidates
from patterns.recsys.entities.requests import Requests

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix


@dataclass(frozen=True)
class Recommendations:
    """Pages of `B` requests with where each item came from and what each stage took."""

    items: Candidates
    found_by: np.ndarray  # (B, k) int64, a bit per source that proposed the item
    propensities: np.ndarray  # (B, k) with which exploration showed the item; 1 elsewhere
    milliseconds: dict[str, float]  # by stage


@dataclass(frozen=True)
class JudgedLists:
    """Lists of the validation window as they are served.

    They are by a ranker that had not seen the user, or as the sources gave them.
    """

    requests: Requests
    ranked: Candidates
    answers: csr_matrix  # (B, N) 0 or 1
