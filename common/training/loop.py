"""The training loop of every torch model: plain to read, exact to resume, on `accelerate`.

An epoch is: order the data, step through the batches, validate, keep the best; `_train` says it in
ten lines. Everything that changes on the way is in one `State`, which is what a checkpoint holds.
Device and mixed precision are `accelerate`'s (`accelerate launch` adds several processes).

One step on batch b at step t:
    g = ∇ loss(model, b),  clipped to norm c;   θ ← AdamW(θ, g, rate(t));   shadow ← EMA(shadow, θ)

AdamW: Loshchilov & Hutter 2019, biases and norms without decay. Different from a framework's
trainer: no callbacks and no class to inherit from; a model is an `nn.Module`, its objective a
function `loss(model, batch) -> scalar`, its metric a function `validate(model) -> float`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from common import console
from common.training.data import Loader, rest_of_epoch
from common.training.optimisation import Optimisation
from common.training.schedule import rate_factor
from common.training.setup import begin, make_accelerator, same_randomness
from common.training.state import History, Saver, State

Loss = Callable[[nn.Module, Any], Tensor]
Validate = Callable[[nn.Module], float]
OnEpoch = Callable[[int], None]
CHECK_EVERY = 50  # steps between two looks at the loss on an accelerator: each look waits for it


class TrainingDiverged(ValueError):
    """The loss became NaN or infinite."""


def _train(
    state: State, loader: Loader, loss: Loss, validate: Validate | None, on_epoch: OnEpoch | None,
    saver: Saver,
) -> None:  # fmt: skip
    """Go from the present place of the run to its end."""
    steps_left = state.steps - state.step
    ticks = console.progress(range(steps_left), state.label, steps_left)
    while not state.finished:
        for batch in _start_epoch(state, loader, on_epoch):
            _step(state, loss, batch)
            next(ticks, None)
            saver.save_if_due(state)
        if validate is not None:
            _keep_if_best(state, validate)
        _end_epoch(state)
        saver.save_if_due(state)
    _put_best_weights(state)


def fit(
    model: nn.Module,
    loader: Loader,
    loss: Loss,
    optimisation: Optimisation,
    *,
    validate: Validate | None = None,
    parameter_groups: Sequence[dict[str, Any]] | None = None,
    on_epoch: OnEpoch | None = None,
    checkpoint: Path | None = None,
    checkpoint_every_s: float = 30.0,
    resume: bool = False,
    device: str = "auto",
    seed: int = 0,
    label: str = "training",
) -> History:
    """Train `model` in place and leave it in eval mode, on its device, with the best weights.

    `loader`: re-iterable with a length; `set_epoch(e)` and `batches(start)` are used where it has
    them (`TensorLoader`, `LengthLoader`). `loss(model, batch)` gives a scalar. `validate(model)`,
    higher is better, runs after each epoch in eval mode without gradients; the best epoch's
    weights are restored at the end. `parameter_groups`: dicts of `params` and, where they differ,
    `lr` and `weight_decay`. `on_epoch(e)` runs before each epoch and, on resume, again for the one
    under way.

    With `checkpoint` (a folder), the run is saved about every `checkpoint_every_s` seconds
    (0: after every batch) and at the end; `resume` continues it exactly: on a CPU, the weights
    come out identical to those of a run never interrupted.

    Raises `TrainingDiverged` when the loss stops being finite, `ValueError` when an argument is
    out of range or a checkpoint is damaged or belongs to another run.
    """
    home = next(model.parameters()).device
    accelerator = make_accelerator(device, optimisation.precision)
    with same_randomness():
        torch.manual_seed(seed)
        state = begin(model, loader, optimisation, accelerator, parameter_groups, seed, label)
        saver = Saver(checkpoint, checkpoint_every_s)
        if resume:
            saver.restore(state)
        _train(state, loader, loss, validate, on_epoch, saver)
    accelerator.unwrap_model(state.prepared, keep_fp32_wrapper=False)
    model.to(home).eval()
    state.clock()
    return state.history


def _start_epoch(state: State, loader: Loader, on_epoch: OnEpoch | None) -> Iterator[Any]:
    """Yield the batches that are left of the epoch for this process."""
    if hasattr(loader, "set_epoch"):
        loader.set_epoch(state.epoch)
    if on_epoch is not None:
        with same_randomness() if state.batch else nullcontext():  # what it drew, it has drawn
            on_epoch(state.epoch)
    state.model.train()
    processes, rank = state.accelerator.num_processes, state.accelerator.process_index
    return rest_of_epoch(loader, state.batch, state.batches, processes, rank)


def _step(state: State, loss: Loss, batch: Any) -> None:
    options, accelerator, optimizer = state.optimisation, state.accelerator, state.optimizer
    factor = rate_factor(options.schedule, state.step, state.steps, options.warmup)
    for group in optimizer.param_groups:
        group["lr"] = group["initial_lr"] * factor
    if accelerator.device.type != "cpu":
        from accelerate.utils import send_to_device

        batch = send_to_device(batch, accelerator.device, non_blocking=True)
    with accelerator.autocast():
        value = loss(state.prepared, batch)
    if value.ndim:
        raise ValueError(f"loss: gave a tensor of shape {tuple(value.shape)}; give a scalar")
    accelerator.backward(value)
    if options.gradient_clip is not None:
        learned = [each for group in optimizer.param_groups for each in group["params"]]
        accelerator.clip_grad_norm_(learned, options.gradient_clip)
    optimizer.step()
    optimizer.zero_grad()
    if state.average is not None:
        state.average.update(state.model, state.step)
    state.loss += value.detach()
    state.batch, state.step = state.batch + 1, state.step + 1
    _check_finite(state)


def _check_finite(state: State) -> None:
    on_cpu = state.accelerator.device.type == "cpu"
    if not (on_cpu or state.step % CHECK_EVERY == 0 or state.batch == state.batches):
        return
    if not math.isfinite(state.loss.item()):
        rate = state.optimizer.param_groups[0]["initial_lr"]
        raise TrainingDiverged(
            f"{state.label}: the loss stopped being finite at epoch {state.epoch + 1}, batch "
            f"{state.batch} (learning rate {rate:g}); look for NaN in the inputs, lower the "
            "learning rate, set gradient_clip, or use precision fp32"
        )


def _keep_if_best(state: State, validate: Validate) -> None:
    """Validate the weights that would be delivered now; keep them if they are the best so far."""
    history = state.history
    with state.delivered():
        state.model.eval()
        with torch.no_grad():
            score = float(validate(state.model))
        if math.isnan(score):
            raise ValueError(f"{state.label}: validate gave NaN after epoch {state.epoch + 1}")
        if not history.valid or score > max(history.valid):
            state.best = {k: v.detach().clone() for k, v in state.model.state_dict().items()}
            history.best_epoch = state.epoch
    history.valid.append(score)


def _end_epoch(state: State) -> None:
    """Note the mean loss, move to the next epoch and see whether it is the end."""
    options, best = state.optimisation, state.history.best_epoch
    state.history.train_loss.append(state.loss.item() / state.batches)
    state.loss.zero_()
    waited = state.epoch - best if best is not None else 0
    state.epoch, state.batch = state.epoch + 1, 0
    out_of_patience = options.patience is not None and waited >= options.patience
    state.finished = state.epoch == options.epochs or out_of_patience


def _put_best_weights(state: State) -> None:
    if state.best is not None:
        state.model.load_state_dict(state.best)
    elif state.average is not None:
        state.model.load_state_dict(state.average.shadow)
