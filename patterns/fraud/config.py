"""Configuration of fraud detection, and the presets to start from.

Defaults that were tuned were tuned on validation days; the others are plain starting values.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Literal

from annotated_types import Interval

from common.config import RunConfig
from common.own_files import TimedTableOptions

NAME = "fraud"


@dataclass(frozen=True)
class DataOptions(TimedTableOptions):
    """Your own file and the names of its columns (`--dataset csv`); `none` says there is none."""

    path: Path | None = None
    """CSV file of payments; this or `train` is needed with `--dataset csv`."""
    train: Path | None = None
    """CSV file of the training payments, if they are split already."""
    valid: Path | None = None
    """CSV file of the validation payments; without one they are taken from training."""
    test: Path | None = None
    """CSV file of the test payments."""
    time: tuple[str, ...] = ("time",)
    """Column of the time, or several that make it up, such as date and hour; none cuts by chance
    and leaves the windows out."""
    customer: str = "customer_id"
    """Column of the customer or card."""
    terminal: str = "terminal_id"
    """Column of the terminal or merchant."""
    amount: str = "amount"
    """Column of the amount; without amounts, decisions are counted instead of priced."""
    label: str = "is_fraud"
    """Column of the label, 0 or 1; empty where it is not known."""
    fraud_value: str | None = None
    """The label that marks fraud, if it is not 1, yes, true or fraud; all others are genuine."""
    device: str = "none"
    """Column of the device, which gets windows of its own."""
    weight: str = "none"
    """Column of how many payments a row stands for, in a sample: counted in calibration, costs and
    AP, not in training."""
    numbers: tuple[str, ...] = ("auto",)
    """Further columns of numbers that the models see, missing values allowed; auto or none."""
    categories: tuple[str, ...] = ("auto",)
    """Further columns of categories that the models see; auto or none."""


@dataclass(frozen=True)
class WorldOptions:
    """Size of the simulated world, if it is used."""

    customers: Annotated[int, Interval(ge=1, le=10_000_000)] = 5_000
    """Customers, who each pay about twice a day."""
    terminals: Annotated[int, Interval(ge=1, le=10_000_000)] = 10_000
    days: Annotated[int, Interval(ge=1, le=10_000)] = 183


@dataclass(frozen=True)
class SplitOptions:
    """Days of each part, counted back from the last day: train, wait, validation, wait, test.

    Where your own payments cover fewer days, they are cut by the shares of these.
    """

    train_days: Annotated[int, Interval(ge=1, le=10_000)] | None = None
    """Days of training; earlier days only fill the windows. Without a number 60, and in a file of
    your own all days before validation."""
    valid_days: Annotated[int, Interval(ge=1, le=10_000)] = 14
    """Days for early stopping, calibration, the threshold and every choice."""
    test_days: Annotated[int, Interval(ge=1, le=10_000)] = 28
    """The last days, read once for the report."""
    label_delay_days: Annotated[int, Interval(ge=1, le=365)] = 7
    """Days until a fraud is reported: the wait between parts, and the delay of label windows."""


@dataclass(frozen=True)
class FeatureOptions:
    """What a model sees of a payment."""

    kind: Literal["standard", "handbook"] = "standard"
    """standard: windows of 1 h, 1, 7 and 30 days, velocity, habit; handbook: the
    15 features of the Fraud Detection Handbook."""


@dataclass(frozen=True)
class ModelOptions:
    """The models, and the calibration of their scores."""

    serve: Literal["best", "xgboost", "logistic", "rules"] = "best"
    """The model to serve; `best` takes the highest average precision and money saved over `folds`
    expanding windows before the test."""
    imbalance: Literal["best", "none", "weight", "smote", "undersample"] = "best"
    """Rebalancing of the XGBoost model to serve; all four are fitted and compared, SMOTE only where
    no feature is a category or missing."""
    folds: Annotated[int, Interval(ge=1, le=10)] = 3
    """Expanding windows in which the models are compared."""
    trees: Annotated[int, Interval(ge=1, le=10_000)] = 200
    """Largest number of trees; early stopping may keep fewer."""
    depth: Annotated[int, Interval(ge=1, le=20)] = 6
    learning_rate: Annotated[float, Interval(ge=1e-4, le=1)] = 0.1
    """Shrinkage of the trees."""
    min_child_weight: Annotated[float, Interval(ge=0, le=1e6)] = 1.0
    """Smallest sum of hessians in a leaf; larger is smoother."""
    bins: Annotated[int, Interval(ge=2, le=65_536)] = 4096
    """Histogram bins per feature, fewer where there are more than 29 features; more bins separate
    rare values better and take longer."""
    patience: Annotated[int, Interval(ge=1, le=10_000)] = 25
    """Trees without a better validation AP before fitting stops."""
    threads: Annotated[int, Interval(ge=0, le=1024)] = 0
    """Threads that grow trees; 0 uses all cores."""
    calibration: Literal["platt", "isotonic", "none"] = "platt"
    """Map from scores to probabilities, fitted on validation."""


@dataclass(frozen=True)
class DecisionOptions:
    """Costs and budgets."""

    false_positive_cost: Annotated[float, Interval(ge=0, le=1e9)] = 10.0
    """What declining a genuine payment costs, in the currency of the amounts; a fraud let through
    costs its amount."""
    policy: Literal["best", "threshold", "expected-loss"] = "best"
    """Decline above one threshold, or wherever the expected loss exceeds the expected friction;
    `best` takes what saves more over the `folds` windows before the test."""
    alerts: Annotated[int, Interval(ge=1, le=1_000_000)] = 100
    """Cards that investigators check per day: the k of CP@k."""


@dataclass(frozen=True)
class Config(RunConfig):
    """Fraud detection; `--dataset` takes handbook-fraud, simulated-transactions or csv."""

    data: DataOptions = field(default_factory=DataOptions)
    world: WorldOptions = field(default_factory=WorldOptions)
    split: SplitOptions = field(default_factory=SplitOptions)
    features: FeatureOptions = field(default_factory=FeatureOptions)
    model: ModelOptions = field(default_factory=ModelOptions)
    decision: DecisionOptions = field(default_factory=DecisionOptions)
    own_files = ("path", "train", "valid", "test")
    own_needed = ("path", "train")

    protocol: Literal["none", "handbook-single"] = "none"
    """Run exactly a published protocol instead, and print its figures beside the published ones."""

    def __post_init__(self) -> None:
        """Check the fields; the training payments lie in one file."""
        super().__post_init__()
        if self.data.path is not None and self.data.train is not None:
            raise ValueError(
                "data.train: given beside data.path, which holds the training payments too; give"
                " one of --data.path and --data.train"
            )


DEFAULT = Config()
PRESETS = {
    "smoke": replace(
        DEFAULT,
        dataset="simulated-transactions",
        world=WorldOptions(customers=400, terminals=800, days=100),
        split=SplitOptions(train_days=42, valid_days=14, test_days=14),
        model=ModelOptions(trees=60, depth=4, learning_rate=0.2, threads=1),
        decision=DecisionOptions(alerts=8),
    ),
    "default": DEFAULT,
    "large": replace(
        DEFAULT,
        dataset="simulated-transactions",  # the public data covers half a year
        world=WorldOptions(customers=25_000, terminals=50_000, days=365),
        split=SplitOptions(train_days=180, valid_days=28, test_days=56),
        model=ModelOptions(trees=1_500, depth=7, learning_rate=0.05, patience=60),
    ),
}
