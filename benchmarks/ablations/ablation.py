"""An ablation: one command with and without a part, compared on every row of the test.

What a part is worth is what is lost without it, all else equal. Two runs judged on the same test
rows are compared row by row (`paired_difference`): what is hard for both cancels, so the interval
of the difference is far narrower than the two intervals of the means suggest.

The intervals redraw the test rows and not the training: the variants of an ablation share their
seed, and a difference as small as that of two seeds says nothing, however narrow its interval.

Shapes: N test rows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache

import numpy as np

from common import console
from common.evaluation.bootstrap import interval, paired_difference
from common.evaluation.report import Estimate, Row, Table, Value

Flags = tuple[str, ...]


@dataclass(frozen=True)
class Ablation:
    """Variants of one train command; the first is what the others are compared to."""

    pattern: str
    """Folder of the README whose block `ablations` shows it."""
    command: str
    """What follows `python -m` in all variants."""
    variants: Mapping[str, Flags]
    """Name -> flags."""
    scores: Callable[[Flags], np.ndarray]
    """Trains the variant of these flags and gives the score of each test row (N,)."""
    metric: str
    """What the mean of the scores is."""
    unit: str
    """What a test row is, in plural."""
    smoke: Flags = ()
    """Flags that are added for a size of seconds."""

    def measure(self, name: str, *, smoke: bool = False) -> Table:
        """Train all variants and compare them; one whose extra is not installed is left out."""
        found: dict[str, np.ndarray] = {}
        absent: list[str] = []
        for variant, flags in self.variants.items():
            with console.stage(variant) as stage:
                try:
                    found[variant] = scored(self.scores, flags + (self.smoke if smoke else ()))
                    stage.note(f"{self.metric} {found[variant].mean():.4f}")
                except ImportError as problem:
                    absent.append(variant)
                    stage.note(f"left out: {problem}")
        return self._table(name, found, absent)

    def _table(self, name: str, found: Mapping[str, np.ndarray], absent: list[str]) -> Table:
        first = next(iter(self.variants))
        reference = found[first]
        rows = []
        for variant, scores in found.items():
            mean = Estimate(float(scores.mean()), *interval(scores))
            values: dict[str, Value] = {self.metric: mean}
            if variant != first:
                values["difference"] = Estimate(*paired_difference(scores, reference)[:3])
            rows.append(Row(variant, values, baseline=variant == first))
        caption = f"{len(reference):,} test {self.unit}; difference from {first}, row by row."
        if absent:
            caption += f" Left out, since not installed: {', '.join(absent)}."
        return Table(name, (self.metric, "difference"), tuple(rows), caption)

    def commands(self) -> dict[str, str]:
        """Return the command of each variant."""
        return {
            variant: " ".join(("python -m", self.command, *flags))
            for variant, flags in self.variants.items()
        }


@cache
def scored(scores: Callable[[Flags], np.ndarray], flags: Flags) -> np.ndarray:
    """Return the scores (N,) of a variant; ablations that share it run it once."""
    return scores(flags)
