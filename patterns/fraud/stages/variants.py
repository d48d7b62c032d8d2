"""The variants that are compared, by name: what they are called, and how several are saved."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from patterns.fraud.stages.variant import Variant

RULES, LOGISTIC = "rules", "logistic regression"
XGBOOST = {  # by the rebalancing of its training set
    "none": "XGBoost",
    "weight": "XGBoost, class weight",
    "smote": "XGBoost, SMOTE",
    "undersample": "XGBoost, undersampling",
}


def save_variants(variants: Iterable[Variant], folder: Path) -> list[str]:
    """Write each variant once, into a folder of its own, and return their names in order."""
    kept = {variant.name: variant for variant in variants}
    for place, variant in enumerate(kept.values()):
        (folder / f"variant{place}").mkdir()
        variant.save(folder / f"variant{place}")
    return list(kept)


def load_variants(names: Sequence[str], folder: Path) -> dict[str, Variant]:
    """Read what `save_variants` wrote, by name."""
    return {name: Variant.load(folder / f"variant{place}") for place, name in enumerate(names)}
