"""The one training loop of every torch model, and the loaders and checkpoints it works with.

Read `loop.py` first (what an epoch is), then `optimisation.py` (the knobs), `data.py` (where
batches come from), `schedule.py`, `averaging.py`, and last `state.py` and `checkpoint.py` (what
must be kept so that a killed run goes on as if nothing had happened).
"""

from common.training.data import LengthLoader, TensorLoader
from common.training.loop import TrainingDiverged, fit
from common.training.optimisation import Optimisation
from common.training.setup import choose_precision, cpu_has_fast_bf16
from common.training.state import History

__all__ = [
    "History",
    "LengthLoader",
    "Optimisation",
    "TensorLoader",
    "TrainingDiverged",
    "choose_precision",
    "cpu_has_fast_bf16",
    "fit",
]
