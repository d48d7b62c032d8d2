"""The training loop of every torch model: plain to read, exact to resume, on `accelerate`.

An epoch is: order the data, step through the batches, validate, keep the best. Around it stand
the things that otherwise get rewritten in each project: device and mixed precision (accelerate;
`accelerate launch` adds several processes), learning-rate schedule, gradient clipping, a moving
average of the weights, early stopping, checkpoints, a progress bar, and an error instead of NaN.

One step on batch b at step t:
    g = ∇ loss(model, b),  clipped to norm c;   θ ← AdamW(θ, g, rate(t));   shadow ← EMA(shadow, θ)

AdamW: Loshchilov & Hutter 2019, biases and norms without decay. Different from a framework's
trainer: no callbacks and no class to inherit from; a model is an `nn.Module`, its objective a
function `loss(model, batch) -> scalar`, its metric a function `validate(model) -> float`.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from common import console
from common.training import checkpoint as checkpoints
from common.training.averaging import MovingAverage
from common.training.schedule import rate_factor
from common.training.setup import (
    check_arguments,
    make_accelerator,
    make_optimizer,
    own_randomness,
    parameter_groups_of,
)

if TYPE_CHECKING:
    from accelerate import Accelerator

Loss = Callable[[nn.Module, Any], Tensor]
CHECK_EVERY = 50  # steps between two looks at the loss on an accelerator: each look waits for it
SAVE_SHARE = 30  # a checkpoint waits at least this many times the seconds the last one took


class TrainingDiverged(ValueError):
    """The loss became NaN or infinite."""


@dataclass
class History:
    """What training did: one loss (and one validation score) an epoch, the best epoch, the time."""

    train_loss: list[float] = field(default_factory=list)
    valid: list[float] = field(default_factory=list)
    best_epoch: int | None = None
    seconds: float = 0.0
    resumed_from: int | None = None  # the step the last checkpoint was taken at


@dataclass
class _Place:
    """Where a run is; all that changes while training and is not a tensor."""

    epoch: int = 0
    batch: int = 0  # batches of this epoch that are done
    step: int = 0  # optimiser steps since the start
    finished: bool = False


def fit(
    model: nn.Module,
    loader: Iterable[Any],
    loss: Loss,
    *,
    epochs: int,
    learning_rate: float,
    weight_decay: float = 0.0,
    schedule: str = "constant",
    warmup: float = 0.0,
    gradient_clip: float | None = None,
    ema: float | None = None,
    optimizer: str = "adamw",
    precision: str = "auto",
    device: str = "auto",
    seed: int = 0,
    parameter_groups: Sequence[dict[str, Any]] | None = None,
    validate: Callable[[nn.Module], float] | None = None,
    patience: int | None = None,
    on_epoch: Callable[[int], None] | None = None,
    checkpoint: Path | None = None,
    checkpoint_every_s: float = 30.0,
    resume: bool = False,
    label: str = "training",
) -> History:
    """Train `model` in place and leave it in eval mode, on its device, with the best weights.

    `loader`: re-iterable with a length; `set_epoch(e)` and `batches(start)` are used where it has
    them (`TensorLoader`, `LengthLoader`). `loss(model, batch)` gives a scalar. `validate(model)`,
    higher is better, runs after each epoch in eval mode without gradients; the best epoch's
    weights are restored at the end, and `patience` epochs without a better one end the run.
    `warmup` is a share of all steps. `parameter_groups`: dicts of `params` and, where they differ,
    `lr` and `weight_decay`. `ema` is a decay such as .999; validation and result then use the
    average. `on_epoch(e)` runs before each epoch and, on resume, again for the one under way.
    `precision` "auto" is fp32 on a CPU, bf16 (or fp16) on CUDA.

    With `checkpoint` (a folder), the run is saved about every `checkpoint_every_s` seconds
    (0: after every batch) and at the end; `resume` continues it exactly: on a CPU, the weights
    come out identical to those of a run never interrupted.

    Raises `TrainingDiverged` when the loss stops being finite, `ValueError` when an argument is
    out of range or a checkpoint is damaged or belongs to another run.
    """
    check_arguments(epochs=epochs, learning_rate=learning_rate, warmup=warmup, patience=patience)
    if not len(loader):  # type: ignore[arg-type]
        raise ValueError("loader: it has no batches; give at least one")
    home = next(model.parameters()).device
    accelerator = make_accelerator(device, precision)
    groups = parameter_groups_of(model, parameter_groups, learning_rate, weight_decay)
    with own_randomness(seed):
        run = _Run(
            model, loader, loss, accelerator, make_optimizer(optimizer, groups, learning_rate), ema,
            epochs=epochs, schedule=schedule, warmup=warmup, gradient_clip=gradient_clip,
            learning_rate=learning_rate, seed=seed, folder=checkpoint, label=label,
            every=checkpoint_every_s,
        )  # fmt: skip
        if resume and checkpoint is not None:
            run.restore()
        run.train(validate, patience, on_epoch)
    accelerator.unwrap_model(run.model, keep_fp32_wrapper=False)
    model.to(home).eval()
    return run.history


class _Run:
    """One call of `fit` under way: the model, its optimiser and the place it has come to."""

    def __init__(
        self, model: nn.Module, loader: Iterable[Any], loss: Loss, accelerator: Accelerator,
        optimizer: torch.optim.Optimizer, ema: float | None, *, epochs: int, schedule: str,
        warmup: float, gradient_clip: float | None, learning_rate: float, seed: int,
        folder: Path | None, every: float, label: str,
    ) -> None:  # fmt: skip
        self.raw, self.loader, self.loss, self.accelerator = model, loader, loss, accelerator
        self.model, self.optimizer = accelerator.prepare(model, optimizer)
        # Accelerate's wrapper is needed where gradients are scaled; around a plain step it is slow.
        self.stepper = self.optimizer if accelerator.scaler is not None else optimizer
        self.parameters = [p for group in self.optimizer.param_groups for p in group["params"]]
        self.rates = [group["lr"] for group in self.optimizer.param_groups]
        self.average = MovingAverage(model, ema) if ema is not None else None
        self.epochs, self.schedule, self.warmup, self.clip = epochs, schedule, warmup, gradient_clip
        self.batches = len(loader) // accelerator.num_processes  # type: ignore[arg-type]
        assert self.batches > 0, "fewer batches than processes"
        self.folder, self.every, self.label = folder, every, label
        self.saved_at, self.save_seconds = time.monotonic(), 0.0
        self.began = time.perf_counter()
        self.place, self.history = _Place(), History()
        self.total = torch.zeros((), dtype=torch.float64, device=accelerator.device)
        self.best: dict[str, Tensor] | None = None
        self.randomness: dict[str, Tensor] | None = None  # set by `restore` for the next epoch
        self.identity = {
            "epochs": epochs, "batches": self.batches, "learning_rate": learning_rate,
            "schedule": schedule, "warmup": warmup, "gradient_clip": gradient_clip, "ema": ema,
            "seed": seed, "precision": accelerator.mixed_precision,
            "weights": {name: list(value.shape) for name, value in model.state_dict().items()},
        }  # fmt: skip

    def train(
        self,
        validate: Callable[[nn.Module], float] | None,
        patience: int | None,
        on_epoch: Callable[[int], None] | None,
    ) -> None:
        """Go from the present place to the end."""
        left = self.epochs * self.batches - self.place.step
        ticks = console.progress(range(left), self.label, left)
        while self.place.epoch < self.epochs and not self.place.finished:
            self._epoch(ticks, on_epoch)
            self.history.train_loss.append(self.total.item() / self.batches)
            self.total.zero_()
            if validate is not None:
                self._judge(validate)
            self.place.epoch, self.place.batch = self.place.epoch + 1, 0
            self.place.finished = self.place.epoch == self.epochs or self._out_of_patience(patience)
            self._save_if_due()
        if hasattr(ticks, "close"):
            ticks.close()
        self._put_best_weights()
        self.history.seconds += time.perf_counter() - self.began

    def _epoch(self, ticks: Iterator[int], on_epoch: Callable[[int], None] | None) -> None:
        if hasattr(self.loader, "set_epoch"):
            self.loader.set_epoch(self.place.epoch)
        if on_epoch is not None:
            on_epoch(self.place.epoch)
        self.model.train()
        if self.randomness is not None:  # after `on_epoch`, which may have drawn from it
            checkpoints.load_random(self.randomness)
            self.randomness = None
        for batch in self._own_batches():
            self._step(batch)
            next(ticks, None)
            self._save_if_due()

    def _own_batches(self) -> Iterator[Any]:
        """Yield what is left of the epoch: of each round of batches, the one of this process."""
        count, rank = self.accelerator.num_processes, self.accelerator.process_index
        start, stop = self.place.batch * count, self.batches * count
        if hasattr(self.loader, "batches"):
            rest = islice(self.loader.batches(start), stop - start)
        else:
            rest = islice(self.loader, start, stop)
        return islice(rest, rank, None, count)

    def _step(self, batch: Any) -> None:
        place, device = self.place, self.accelerator.device
        factor = rate_factor(self.schedule, place.step, self.epochs * self.batches, self.warmup)
        for group, rate in zip(self.stepper.param_groups, self.rates, strict=True):
            group["lr"] = rate * factor
        if device.type != "cpu":
            from accelerate.utils import send_to_device

            batch = send_to_device(batch, device, non_blocking=True)
        with self.accelerator.autocast():
            value = self.loss(self.model, batch)
        if value.ndim:
            raise ValueError(f"loss: gave a tensor of shape {tuple(value.shape)}; give a scalar")
        self.accelerator.backward(value)
        if self.clip is not None:
            self.accelerator.clip_grad_norm_(self.parameters, self.clip)
        self.stepper.step()
        self.stepper.zero_grad()
        if self.average is not None:
            self.average.update(self.raw, place.step)
        self.total += value.detach()
        place.batch, place.step = place.batch + 1, place.step + 1
        if device.type == "cpu" or place.step % CHECK_EVERY == 0 or place.batch == self.batches:
            self._check_finite()

    def _check_finite(self) -> None:
        if not math.isfinite(self.total.item()):
            raise TrainingDiverged(
                f"{self.label}: the loss stopped being finite at epoch {self.place.epoch + 1}, "
                f"batch {self.place.batch} (learning rate {self.rates[0]:g}); look for NaN in the "
                "inputs, lower the learning rate, set gradient_clip, or use precision fp32"
            )

    def _judge(self, validate: Callable[[nn.Module], float]) -> None:
        """Validate with the weights that would be delivered now; keep them if they are the best."""
        state = self.raw.state_dict()
        live = None
        if self.average is not None:
            live = {name: value.detach().clone() for name, value in state.items()}
            self.raw.load_state_dict(self.average.shadow)
        self.raw.eval()
        with torch.no_grad():
            score = float(validate(self.raw))
        if math.isnan(score):
            raise ValueError(f"{self.label}: validate gave NaN after epoch {self.place.epoch + 1}")
        if not self.history.valid or score > max(self.history.valid):
            self.best = {name: v.detach().clone() for name, v in self.raw.state_dict().items()}
            self.history.best_epoch = self.place.epoch
        self.history.valid.append(score)
        if live is not None:
            self.raw.load_state_dict(live)

    def _out_of_patience(self, patience: int | None) -> bool:
        best = self.history.best_epoch
        return patience is not None and best is not None and self.place.epoch - 1 - best >= patience

    def _put_best_weights(self) -> None:
        if self.best is not None:
            self.raw.load_state_dict(self.best)
        elif self.average is not None:
            self.raw.load_state_dict(self.average.shadow)

    def _save_if_due(self) -> None:
        if self.folder is None or not self.accelerator.is_main_process:
            return
        wait = max(self.every, SAVE_SHARE * self.save_seconds) if self.every else 0.0
        if time.monotonic() - self.saved_at < wait and not self.place.finished:
            return
        began = time.monotonic()
        self._save(self.folder)
        self.saved_at = time.monotonic()
        self.save_seconds = self.saved_at - began

    def _save(self, folder: Path) -> None:
        optimizer = self.optimizer.optimizer  # the one that accelerate has wrapped
        parts: dict[str, dict[str, Tensor]] = {
            "model": self.raw.state_dict(),
            "optimizer": checkpoints.optimizer_tensors(optimizer),
            "average": self.average.shadow if self.average is not None else {},
            "best": self.best or {},
            "random": checkpoints.random_tensors(),
            "loss": {"total": self.total},
        }
        tensors = {f"{part}:{k}": v for part, values in parts.items() for k, v in values.items()}
        history = asdict(self.history)
        history["seconds"] += time.perf_counter() - self.began
        scaler = self.accelerator.scaler
        facts = {
            "identity": self.identity, "place": asdict(self.place), "history": history,
            "scaler": scaler.state_dict() if scaler is not None else {},
        }  # fmt: skip
        checkpoints.write(folder, tensors, facts)

    def restore(self) -> None:
        """Take up the checkpoint in the folder, if there is one."""
        assert self.folder is not None
        found = checkpoints.read(self.folder)
        if found is None:
            console.info(f"{self.label}: no checkpoint to resume, starting at the beginning")
            return
        tensors, facts = found
        _check_identity(self.folder, facts["identity"], self.identity)
        parts: dict[str, dict[str, Tensor]] = {}
        for key, value in tensors.items():
            part, name = key.split(":", 1)
            parts.setdefault(part, {})[name] = value
        self.raw.load_state_dict(parts["model"])
        checkpoints.load_optimizer(self.optimizer.optimizer, parts.get("optimizer", {}))
        if self.average is not None:
            self.average.load(parts["average"])
        device = self.accelerator.device
        self.best = {k: v.to(device) for k, v in parts["best"].items()} if "best" in parts else None
        self.total.copy_(parts["loss"]["total"])
        if self.accelerator.scaler is not None and facts["scaler"]:
            self.accelerator.scaler.load_state_dict(facts["scaler"])
        self.randomness = parts["random"]
        self.place, self.history = _Place(**facts["place"]), History(**facts["history"])
        self.history.resumed_from = self.place.step


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
