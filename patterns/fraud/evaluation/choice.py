"""Why the served model was chosen: each candidate over the expanding windows before the test."""

from __future__ import annotations

import numpy as np

from common.evaluation.report import Row, Table, Value
from patterns.fraud.pipeline import Pipeline
from patterns.fraud.stages.variants import RULES


def choice(pipeline: Pipeline) -> Table | None:
    """Return AP and money saved of each candidate in each fold; None if nothing was compared."""
    judged = pipeline.choice.judged_
    if not judged:
        return None
    folds = len(next(iter(judged.values())).ap)
    by_fold = [f"AP {fold}" for fold in range(1, folds + 1)]
    priced = any(each.saved for each in judged.values())
    columns = (*by_fold, "mean AP", *(("money saved", "value") if priced else ()))
    rows: list[Row] = []
    for name, each in judged.items():
        cells: dict[str, Value] = dict(zip(by_fold, each.ap, strict=True))
        cells["mean AP"] = float(np.mean(each.ap))
        if priced:
            cells |= {"money saved": f"{np.mean(each.saved):.1%}", "value": each.value}
        served = " (served)" if name == pipeline.served_.name else ""
        rows.append(Row(name + served, cells, baseline=name == RULES))
    by = "value, the mean of AP and money saved" if priced else "mean AP"
    caption = (
        f"{folds} expanding windows of the payments before the test: fitted (in a large table on"
        " all frauds and a part of the genuine payments), tuned on what follows, judged on all"
        f" after that. Served: the highest {by}."
    )
    return Table("choice", columns, tuple(rows), caption)
