"""Vectors with planted neighbours, and every kind of index, for the tests of the vector stores."""

import numpy as np
import pytest

from common.vector_store import EXTRAS, KINDS, IndexKind, installed


def of_kind(kind: IndexKind) -> object:
    packages = " and ".join(EXTRAS.get(kind, ()))
    reason = f"{packages} not installed: pip install 'ml-system-patterns[{kind}]'"
    return pytest.param(kind, marks=pytest.mark.skipif(not installed(kind), reason=reason))


EVERY = [of_kind(kind) for kind in KINDS]
# Of the exact ten: codes order near neighbours loosely.
FLOOR = {"flat": 1.0, "ivf": 0.9, "hnsw": 0.9, "pq": 0.6, "ivf-pq": 0.6}
FLOOR |= {"milvus": 0.9, "scann": 0.85}


def world(count: int, width: int = 16, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Give clustered vectors of uneven length, as of factorisation, and queries near them."""
    rng = np.random.default_rng(seed)
    centers = rng.normal(size=(20, width))
    vectors = centers[rng.integers(20, size=count)] + 0.5 * rng.normal(size=(count, width))
    vectors *= rng.lognormal(sigma=0.3, size=(count, 1))
    queries = centers[rng.integers(20, size=40)] + 0.5 * rng.normal(size=(40, width))
    return vectors.astype(np.float32), queries.astype(np.float32)


def overlap(found: np.ndarray, exact: np.ndarray) -> float:
    pairs = zip(found.tolist(), exact.tolist(), strict=True)
    return float(np.mean([len(set(a) & set(b)) / len(b) for a, b in pairs]))
