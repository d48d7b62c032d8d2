"""An exported model against the one it came from: may it serve?

An export can go wrong without an error (a traced branch, a mask that became a constant), so both
answer the same cases, padded in batches and alone, and the export serves only where

    max |s_exported − s_trained| ≤ 1e-3    and    nearly all answers are the same.
"""

from __future__ import annotations

from dataclasses import dataclass

from common.evaluation.report import Row, Table, Value

MOST_DIFFERENCE = 1e-3


@dataclass(frozen=True, kw_only=True)
class Parity:
    """How far the exported model is from the trained one."""

    max_difference: float
    """Of any score."""
    agreement: float
    """The share of the cases with the same answer."""
    cases: int
    of: str = "texts"
    """What the cases are."""
    least_agreement: float = 0.999

    @property
    def holds(self) -> bool:
        """Whether the export may serve."""
        return self.max_difference <= MOST_DIFFERENCE and self.agreement >= self.least_agreement

    @property
    def notice(self) -> str | None:
        """What to say if the export may not serve."""
        if self.holds:
            return None
        return (
            f"The ONNX export is not served: scores differ by {self.max_difference:.2g}, answers"
            f" agree on {self.agreement:.4f} of {self.cases:,} {self.of}; torch serves instead."
        )

    def table(self) -> Table:
        """Tell how far the export is from the trained model, and which of them serves."""
        values: dict[str, Value] = {
            "max difference": f"{self.max_difference:.1e}",
            "same answer": self.agreement,
            self.of: float(self.cases),
            "served": "ONNX Runtime" if self.holds else "torch",
        }
        caption = f"The exported model against the trained one, on validation {self.of}."
        return Table("export", tuple(values), (Row("ONNX against torch", values),), caption)
