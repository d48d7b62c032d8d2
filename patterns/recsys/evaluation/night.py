"""Are tonight's pages fit to be shown, and what has changed since last night?

Shapes: `U` users.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from common.artifacts import Run
from common.evaluation.report import Row, Table
from common.retrieval import MISSING
from patterns.recsys.entities.pages import FILE

if TYPE_CHECKING:
    from patterns.recsys.pipeline import Pipeline

PAGE = 10
PROFILED = 500  # users whose candidates describe what the ranker will see


def night_table(
    pipeline: Pipeline, pages: pl.DataFrame, *, top: int, least_full: float, before: Run
) -> Table:
    """Describe the pages; raise where less than the share `least_full` of users has a whole one.

    `before` is the run whose ranker stays.
    """
    lengths = pages["items"].list.len().to_numpy()
    full = float((lengths >= reachable(pipeline, top)).mean())
    if full < least_full:
        raise ValueError(
            f"least_full: only {full:.1%} of the users got a whole page; nothing was published"
            " and the older run stays. Look into the data, or lower --least-full"
        )
    shown = pages["items"].list.head(PAGE).explode().drop_nulls()
    cells: dict[str, Any] = {
        "users": f"{pages.height:,}",
        "whole pages": full,
        "items shown@10": f"{shown.n_unique():,} of {len(pipeline.catalogue.item_ids):,}",
        "kept from last night@10": _kept(pages, before.pipeline / FILE),
    }
    pairs = pipeline.histories_.seen.nnz
    caption = f"Sources on {pairs:,} pairs, ranker of run {before.version}."
    return Table("nightly", tuple(cells), (Row("tonight", cells),), caption)


def reachable(pipeline: Pipeline, top: int) -> np.ndarray:
    """Return the longest page that each user can get (U,), of what is not seen yet."""
    barred = pipeline.catalogue.barred(pipeline.histories_.seen)
    unseen = len(pipeline.catalogue.item_ids) - np.diff(barred.indptr)
    return np.minimum(min(top, pipeline.sources.keep), unseen)


def _kept(pages: pl.DataFrame, before: Path) -> float | None:
    """Return the share of last night's first ten items that stayed; None without a last night."""
    if not before.is_file():
        return None
    both = pages.join(pl.read_parquet(before), on="user_id", suffix="_before")
    ten, old = (both[name].list.head(PAGE) for name in ("items", "items_before"))
    share = ten.list.set_intersection(old).list.len() / old.list.len()
    return float(share.fill_nan(None).mean() or 0.0)  # type: ignore[arg-type]


def profile_of_users(pipeline: Pipeline, seed: int) -> pl.DataFrame:
    """Return the features of some users' candidates, as the ranker is about to see them."""
    users = np.random.default_rng(seed).permutation(len(pipeline.catalogue.user_ids))[:PROFILED]
    requests = pipeline.requests_for(users, [[]] * len(users))
    merged = pipeline.retrieve(requests)
    real = merged.candidates.item_ids != MISSING
    features = pipeline.describe(requests, merged)[real]
    return pl.DataFrame(features, schema=pipeline.feature_names())
