"""The state of a run: one object, which a checkpoint holds and from which a resume goes on exactly.

What an exact resume needs: weights, optimiser moments, the moving average, the best weights so
far, the random generators, and the place in the run (epoch, batch). The learning rate and the order
of the data are functions of that place and need no state.
"""

from __future__ import annotations

import time
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from common import console
from common.training import checkpoint
from common.training.averaging import MovingAverage
from common.training.optimisation import Optimisation

if TYPE_CHECKING:
    from accelerate import Accelerator

SAVE_SHARE = 30  # a checkpoint waits at least this many times the seconds the last one took
PLACE = ("epoch", "batch", "step", "finished")


@dataclass
class History:
    """What training did: one loss (and one validation score) an epoch, the best epoch, the time."""

    train_loss: list[float] = field(default_factory=list)
    valid: list[float] = field(default_factory=list)
    best_epoch: int | None = None
    seconds: float = 0.0
    resumed_from: int | None = None  # the step the last checkpoint was taken at


@dataclass
class State:
    """A run under way: first what stays the same, then what changes while training."""

    optimisation: Optimisation
    accelerator: Accelerator
    prepared: nn.Module  # `model`, or its wrapper where several processes share the work
    batches: int  # of an epoch, in each process
    seed: int
    label: str

    model: nn.Module
    optimizer: torch.optim.Optimizer
    average: MovingAverage | None
    loss: Tensor  # (), the sum over the batches of this epoch that are done
    best: dict[str, Tensor] | None = None  # the weights of the best epoch
    epoch: int = 0
    batch: int = 0  # batches of this epoch that are done
    step: int = 0  # optimiser steps since the start
    finished: bool = False
    history: History = field(default_factory=History)
    since: float = field(default_factory=time.perf_counter)  # `history.seconds` count up to here

    @property
    def steps(self) -> int:
        """Return the number of steps of the whole run."""
        return self.optimisation.epochs * self.batches

    def delivered(self) -> AbstractContextManager[None]:
        """Give the model the weights it would be delivered with now, while the block runs."""
        return self.average.inside(self.model) if self.average is not None else nullcontext()

    def clock(self) -> None:
        """Count the time until now."""
        now = time.perf_counter()
        self.history.seconds += now - self.since
        self.since = now

    def identity(self) -> dict[str, Any]:
        """Return what two runs must share for one to go on where the other stopped."""
        weights = {name: list(value.shape) for name, value in self.model.state_dict().items()}
        return {
            **asdict(self.optimisation), "precision": self.accelerator.mixed_precision,
            "batches": self.batches, "seed": self.seed, "weights": weights,
        }  # fmt: skip

    def tensors(self) -> dict[str, Tensor]:
        """Return the tensors of the state: `<part>:<name>` -> tensor."""
        parts: dict[str, dict[str, Tensor]] = {
            "model": self.model.state_dict(),
            "optimizer": checkpoint.optimizer_tensors(self.optimizer),
            "average": self.average.shadow if self.average is not None else {},
            "best": self.best or {},
            "random": checkpoint.random_tensors(),
            "loss": {"total": self.loss},
        }
        return {f"{part}:{k}": v for part, values in parts.items() for k, v in values.items()}

    def facts(self) -> dict[str, Any]:
        """Return what of the state is not a tensor."""
        scaler = self.accelerator.scaler
        return {
            "identity": self.identity(),
            "place": {name: getattr(self, name) for name in PLACE},
            "history": asdict(self.history),
            "scaler": scaler.state_dict() if scaler is not None else {},
        }

    def restore(self, tensors: dict[str, Tensor], facts: dict[str, Any]) -> None:
        """Take over the tensors and facts of a checkpoint."""
        parts: dict[str, dict[str, Tensor]] = {}
        for key, value in tensors.items():
            part, name = key.split(":", 1)
            parts.setdefault(part, {})[name] = value
        self.model.load_state_dict(parts["model"])
        checkpoint.load_optimizer(self.optimizer, parts.get("optimizer", {}))
        if self.average is not None:
            self.average.load(parts["average"])
        if "best" in parts:
            self.best = {name: v.to(self.loss.device) for name, v in parts["best"].items()}
        self.loss.copy_(parts["loss"]["total"])
        checkpoint.load_random(parts["random"])
        if self.accelerator.scaler is not None and facts["scaler"]:
            self.accelerator.scaler.load_state_dict(facts["scaler"])
        for name in PLACE:
            setattr(self, name, facts["place"][name])
        self.history = History(**facts["history"])
        self.history.resumed_from = self.step


@dataclass
class Saver:
    """When and where a state is saved: about every `every_s` seconds, nowhere without a folder."""

    folder: Path | None
    every_s: float
    saved_at: float = field(default_factory=time.monotonic)
    seconds: float = 0.0  # that the last checkpoint took

    def save_if_due(self, state: State) -> None:
        """Write a checkpoint if it is time for one, or the run has ended."""
        if self.folder is None or not state.accelerator.is_main_process:
            return
        wait = max(self.every_s, SAVE_SHARE * self.seconds) if self.every_s else 0.0
        began = time.monotonic()
        if began - self.saved_at < wait and not state.finished:
            return
        state.clock()
        checkpoint.write(self.folder, state.tensors(), state.facts())
        self.saved_at = time.monotonic()
        self.seconds = self.saved_at - began

    def restore(self, state: State) -> None:
        """Put the checkpoint in the folder, if there is one, into `state`.

        Raises `ValueError` where it is damaged or belongs to another run.
        """
        if self.folder is None:
            return
        found = checkpoint.read(self.folder)
        if found is None:
            console.info(f"{state.label}: no checkpoint to resume, starting from the beginning")
            return
        tensors, facts = found
        _check_identity(self.folder, facts["identity"], state.identity())
        state.restore(tensors, facts)


def _check_identity(folder: Path, found: dict[str, Any], own: dict[str, Any]) -> None:
    differs = [name for name in own if found.get(name) != own[name]]
    if differs:
        named = ", ".join(
            "the model's weights" if n == "weights" else f"{n} ({found.get(n)}, now {own[n]})"
            for n in differs
        )
        raise ValueError(
            f"checkpoint {folder} belongs to another run: it differs in {named}; "
            "use the same settings, delete the folder, or run without --resume"
        )
