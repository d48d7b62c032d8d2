"""Published protocols, run to the letter, so that our features and models stand beside the book's.

`handbook-single`: Le Borgne et al., Fraud Detection Handbook, chapters 3.4 and 4: train on 25 to 31
July 2018, wait 7 days for the labels, test on 8 to 14 August. From the test set are taken the cards
known to be compromised: those with a fraud in the training week, and on test day d those with one
up to day d - 8.

Every model is used as the book used it: defaults, on the 15 standardised features. For XGBoost the
defaults of that time are set explicitly; today's stand in a row of their own. Half of the
difference is `tree_method`: "hist" cuts a feature into 256 bins, too few
for the rare values that matter (with `max_bin=4096` it gives .644, better than "exact"). Half is
`base_score`: boosting used to start at 0.5 and now starts at the share of fraud, 0.9 %.

Shapes: `N` payments of the test week.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from common.evaluation.classification import average_precision, roc_auc
from common.evaluation.report import Row, Table
from patterns.fraud.config import Config
from patterns.fraud.stages.decision import card_precision
from patterns.fraud.stages.features.definition import HANDBOOK
from patterns.fraud.stages.features.windows import compute

if TYPE_CHECKING:
    from data.tables import Transactions

METRICS = ("AUC", "AP", "CP@100")
NOT_PUBLISHED = (None,) * len(METRICS)
COLUMNS = (*METRICS, *(f"published {metric}" for metric in METRICS))


@dataclass(frozen=True)
class HandbookSingle:
    """One training week, one week of delay, one test week."""

    name: str
    dataset: str
    published: Mapping[str, tuple[float, ...]]  # `METRICS` by model
    train_start: date = date(2018, 7, 25)
    week: int = 7
    delay: int = 7
    alerts: int = 100

    def run(self, table: Transactions, config: Config) -> list[Table]:
        """Fit and test the book's models; returns one table."""
        frame = table.frame
        train, test = self.split(frame, first=self._first_day(table))
        features = compute(HANDBOOK, frame, start=table.start)  # (all rows, 15)
        known = features[train]
        mean, std = known.mean(0, dtype=np.float64), known.std(0, dtype=np.float64)
        inputs = [(features[rows] - mean) / std for rows in (train, test)]
        labels = frame["is_fraud"].to_numpy()
        rows: list[Row] = []
        for name, make in _models(config.seed).items():
            scores = make().fit(inputs[0], labels[train]).predict_proba(inputs[1])[:, 1]
            found = (*self._metrics(frame[test], scores), *self.published.get(name, NOT_PUBLISHED))
            rows.append(Row(name, dict(zip(COLUMNS, found, strict=True)), baseline=not rows))
        caption = (
            f"Train {train.size:,} payments ({int(labels[train].sum())} frauds), test {test.size:,}"
            f" ({int(labels[test].sum())}); published: Fraud Detection Handbook, chapters 3.4 and"
            " 4."
        )
        return [Table(self.name, COLUMNS, tuple(rows), caption)]

    def split(self, frame: pl.DataFrame, *, first: int) -> tuple[np.ndarray, np.ndarray]:
        """Return rows of the training week from day `first`, and the test week's less known cards.

        The rows are those of `frame`.
        """
        days, cards = frame["day"].to_numpy(), frame["customer_id"].to_numpy()
        fraud = frame["is_fraud"].to_numpy() == 1
        train = np.flatnonzero((days >= first) & (days < first + self.week))
        known = set(cards[train][fraud[train]].tolist())
        start = first + self.week + self.delay
        test = []
        for day in range(start, start + self.week):
            known |= set(cards[fraud & (days == day - self.delay - 1)].tolist())
            rows = np.flatnonzero(days == day)
            test.append(rows[~np.isin(cards[rows], list(known))])
        return train, np.concatenate(test)

    def _first_day(self, table: Transactions) -> int:
        """Return the day of the table at which training starts, if it has all days needed."""
        first = (self.train_start - table.start).days
        last = first + 2 * self.week + self.delay - 1
        if first < 0 or int(table.frame["day"].to_numpy().max(initial=0)) < last:
            raise ValueError(
                f"protocol {self.name!r} needs the handbook's days from {self.train_start} on,"
                f" which this table does not have; use --dataset {self.dataset}"
            )
        return first

    def _metrics(self, test: pl.DataFrame, scores: np.ndarray) -> Iterator[float]:
        """Yield `METRICS` of scores (N,)."""
        labels = test["is_fraud"].to_numpy()
        yield roc_auc(labels, scores)
        yield average_precision(labels, scores)
        by_day = card_precision(
            days=test["day"].to_numpy(),
            customers=test["customer_id"].to_numpy(),
            labels=labels,
            scores=scores,
            k=self.alerts,
            remove_found=True,
        )
        yield float(by_day.mean())


DEFAULT = HandbookSingle(
    "handbook-single",
    "handbook-fraud",
    published={
        "logistic regression": (0.871, 0.606, 0.291),
        "decision tree, depth 2": (0.763, 0.496, 0.241),
        "random forest": (0.867, 0.658, 0.287),
        "XGBoost": (0.862, 0.639, 0.273),
    },
)
PROTOCOLS = {each.name: each for each in (DEFAULT,)}


def run(name: str, table: Transactions, config: Config) -> list[Table]:
    """Run one of `PROTOCOLS` on the table that it is defined on."""
    if name not in PROTOCOLS:
        raise ValueError(f"protocol: {name!r} is not known; give one of {', '.join(PROTOCOLS)}")
    return PROTOCOLS[name].run(table, config)


def _models(seed: int) -> dict[str, Callable[[], Any]]:
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.tree import DecisionTreeClassifier
    from xgboost import XGBClassifier

    return {
        "logistic regression": lambda: LogisticRegression(random_state=seed),
        "decision tree, depth 2": lambda: DecisionTreeClassifier(max_depth=2, random_state=seed),
        "random forest": lambda: RandomForestClassifier(random_state=seed, n_jobs=-1),
        "XGBoost": lambda: XGBClassifier(random_state=seed, tree_method="exact", base_score=0.5),
        "XGBoost, today's defaults": lambda: XGBClassifier(random_state=seed),
    }
