"""What can be turned in fraud detection, and the presets to start from.

Defaults that were tuned were tuned on validation days; the others are plain starting values.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from common.config import RunConfig, check_range


@dataclass(frozen=True)
class DataConfig:
    """Where a file of your own lies and how its columns are called (`--dataset csv`)."""

    path: Path | None = None
    """CSV file of payments; needed with `--dataset csv`."""
    time: str = "time"
    """Column of the time: seconds, or ISO dates with a time."""
    customer: str = "customer_id"
    """Column of the customer or card."""
    terminal: str = "terminal_id"
    """Column of the terminal or merchant."""
    amount: str = "amount"
    """Column of the amount."""
    label: str = "is_fraud"
    """Column of the label, 0 or 1."""


@dataclass(frozen=True)
class WorldConfig:
    """Size of the simulated world, when it is used."""

    customers: int = 5_000
    """Customers; each pays about twice a day."""
    terminals: int = 10_000
    """Terminals."""
    days: int = 183
    """Days."""

    def __post_init__(self) -> None:
        """Check ranges."""
        check_range("world.customers", self.customers, 1, 10_000_000)
        check_range("world.terminals", self.terminals, 1, 10_000_000)
        check_range("world.days", self.days, 1, 10_000)


@dataclass(frozen=True)
class SplitConfig:
    """Days of each part, counted back from the last day: train, wait, validation, wait, test."""

    train_days: int = 60
    """Days of training; what lies before them only fills the windows."""
    valid_days: int = 14
    """Days for early stopping, calibration, the threshold and every choice."""
    test_days: int = 28
    """The last days, read once for the report."""
    label_delay_days: int = 7
    """Days until a fraud is reported: the wait between parts, and the delay of label windows."""

    def __post_init__(self) -> None:
        """Check ranges."""
        check_range("split.train_days", self.train_days, 1, 10_000)
        check_range("split.valid_days", self.valid_days, 1, 10_000)
        check_range("split.test_days", self.test_days, 1, 10_000)
        check_range("split.label_delay_days", self.label_delay_days, 1, 365)


@dataclass(frozen=True)
class ModelConfig:
    """The models."""

    serve: Literal["best", "xgboost", "logistic"] = "best"
    """The model to serve; `best` takes the highest average precision on validation."""
    imbalance: Literal["best", "none", "weight", "smote", "undersample"] = "best"
    """Rebalancing of the XGBoost to serve; all four are fitted and compared."""
    trees: int = 200
    """At most so many trees; early stopping may take fewer."""
    depth: int = 6
    """Depth of a tree."""
    learning_rate: float = 0.1
    """Shrinkage of a tree."""
    min_child_weight: float = 1.0
    """Least sum of hessians in a leaf: larger is smoother."""
    bins: int = 4096
    """Values that a feature is cut into; more separates rare values better and takes longer."""
    patience: int = 25
    """Trees without a better validation AP before fitting stops."""
    threads: int = 0
    """Threads that grow trees; 0 takes all cores."""
    calibration: Literal["platt", "isotonic", "none"] = "platt"
    """Map from scores to probabilities, fitted on validation."""

    def __post_init__(self) -> None:
        """Check ranges."""
        check_range("model.trees", self.trees, 1, 10_000)
        check_range("model.depth", self.depth, 1, 20)
        check_range("model.learning_rate", self.learning_rate, 1e-4, 1.0)
        check_range("model.min_child_weight", self.min_child_weight, 0.0, 1e6)
        check_range("model.threads", self.threads, 0, 1024)
        check_range("model.bins", self.bins, 2, 65_536)
        check_range("model.patience", self.patience, 1, 10_000)


@dataclass(frozen=True)
class DecisionConfig:
    """Costs and budgets."""

    false_positive_cost: float = 10.0
    """What declining a genuine payment costs, in the currency of the amounts; a fraud let through
    costs its amount."""
    policy: Literal["threshold", "expected-loss"] = "threshold"
    """Decline above one threshold, or wherever the expected loss exceeds the expected friction."""
    alerts: int = 100
    """Cards that investigators look at a day: the k of CP@k."""

    def __post_init__(self) -> None:
        """Check ranges."""
        check_range("decision.false_positive_cost", self.false_positive_cost, 0.0, 1e9)
        check_range("decision.alerts", self.alerts, 1, 1_000_000)


@dataclass(frozen=True)
class Config(RunConfig):
    """All of fraud detection; `--dataset` takes handbook-fraud, simulated-transactions or csv."""

    features: Literal["standard", "handbook"] = "standard"
    """standard: windows of 1 h, 1, 7 and 30 days, velocity, habit; handbook: its 15 features."""
    protocol: Literal["none", "handbook-single"] = "none"
    """Run a published protocol to the letter instead, and print it beside the published figures."""
    data: DataConfig = field(default_factory=DataConfig)
    """Your own file."""
    world: WorldConfig = field(default_factory=WorldConfig)
    """The simulated world."""
    split: SplitConfig = field(default_factory=SplitConfig)
    """The split in time."""
    model: ModelConfig = field(default_factory=ModelConfig)
    """Models."""
    decision: DecisionConfig = field(default_factory=DecisionConfig)
    """Costs and budgets."""


DEFAULT = Config()
PRESETS = {
    "smoke": replace(
        DEFAULT,
        dataset="simulated-transactions",
        world=WorldConfig(customers=400, terminals=800, days=100),
        split=SplitConfig(train_days=42, valid_days=14, test_days=14),
        model=ModelConfig(trees=60, depth=4, learning_rate=0.2, threads=1),
        decision=DecisionConfig(alerts=8),
    ),
    "default": DEFAULT,
    "large": replace(
        DEFAULT,
        dataset="simulated-transactions",  # the public data covers half a year
        world=WorldConfig(customers=25_000, terminals=50_000, days=365),
        split=SplitConfig(train_days=180, valid_days=28, test_days=56),
        model=ModelConfig(trees=1_500, depth=7, learning_rate=0.05, patience=60),
    ),
}
