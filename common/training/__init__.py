"""The one training loop of every torch model, and the loaders and checkpoints it works with.

Read `loop.py` first (what an epoch is), then `data.py` (where batches come from), `schedule.py`,
`averaging.py`, and last `checkpoint.py` (what must be kept so that a killed run goes on as if
nothing had happened).
"""

from common.training.data import LengthLoader, TensorLoader
from common.training.loop import History, TrainingDiverged, fit
from common.training.setup import choose_precision, cpu_has_fast_bf16

__all__ = [
    "History",
    "LengthLoader",
    "TensorLoader",
    "TrainingDiverged",
    "choose_precision",
    "cpu_has_fast_bf16",
    "fit",
]
