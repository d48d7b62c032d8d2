"""Why the served model was chosen: each candidate over the expanding windows before the test."""

from __future__ import annotations

import numpy as np

from common.evaluation.report import Row, Table, Value
from patterns.fraud.pipeline import Pipeline
from patterns.fraud.stages.decision import POLICY_NAMES
from patterns.fraud.stages.variants import RULES


def choice(pipeline: Pipeline) -> Table | None:
    """Return AP in each fold and the money saved under each policy; None if none was compared."""
    judged = pipeline.choice.judged_
    if not judged:
        return None
    folds = len(next(iter(judged.values())).ap)
    by_fold = [f"AP {fold}" for fold in range(1, folds + 1)]
    policies = list(next(iter(judged.values())).saved)
    money = {policy: f"saved, {POLICY_NAMES[policy]}" for policy in policies}
    columns = (*by_fold, "mean AP", *money.values(), *(("value",) if money else ()), "served")
    rows: list[Row] = []
    for name, each in judged.items():
        cells: dict[str, Value] = dict(zip(by_fold, each.ap, strict=True))
        cells["mean AP"] = float(np.mean(each.ap))
        cells |= {money[policy]: float(np.mean(by)) for policy, by in each.saved.items()}
        cells |= {"value": each.value} if money else {}
        cells["served"] = "yes" if name == pipeline.served_.name else ""
        rows.append(Row(name, cells, baseline=name == RULES))
    by = "value, the mean of AP and money saved by its better policy" if money else "mean AP"
    caption = (
        f"{folds} expanding windows of the payments before the test: fitted (in a large table on"
        " all frauds and a part of the genuine payments), tuned on what follows, judged on all"
        f" after that. Served: the highest {by}."
    )
    return Table("what is served", columns, tuple(rows), caption)
