"""How a training run begins: the accelerator, the optimiser, the seeds, and the first state of it.

`accelerate` decides where tensors live and in which precision they are multiplied; it is asked for
once per run. Everything else here turns the arguments of `fit` into torch's own objects and refuses
what cannot work with a message that names the argument.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from common.training.averaging import MovingAverage
from common.training.checkpoint import load_random, random_tensors
from common.training.data import Loader
from common.training.optimisation import Optimisation
from common.training.state import State

if TYPE_CHECKING:
    from accelerate import Accelerator


def cpu_has_fast_bf16() -> bool:
    """Whether this CPU multiplies bf16 matrices in hardware (AMX), which makes bf16 pay there."""
    probe = getattr(torch.cpu, "_is_amx_tile_supported", None)
    return bool(probe()) if probe is not None else False


def choose_precision(precision: str, device: str = "auto") -> str:
    """Turn "auto" into bf16 on a CPU that multiplies it in hardware; leave all else as it is.

    For networks of large matrix products or convolutions, where bf16 then takes half the time at
    equal accuracy; tiny ones lose more to casting than they win, so `fit` does not choose it alone.
    """
    on_cpu = device == "cpu" or not torch.cuda.is_available()
    return "bf16" if precision == "auto" and on_cpu and cpu_has_fast_bf16() else precision


def make_accelerator(device: str, precision: str) -> Accelerator:
    """Make the accelerator; its state is global to the process, so an older one is dropped."""
    from accelerate import Accelerator
    from accelerate.state import AcceleratorState, PartialState

    if device not in ("auto", "cpu", "cuda"):
        raise ValueError(f"device: {device!r} is not known; use auto, cpu or cuda")
    has_cuda = torch.cuda.is_available()
    if device == "cuda" and not has_cuda:
        raise ValueError("device: cuda was asked for, but torch sees no GPU; use auto or cpu")
    cpu = device == "cpu" or not has_cuda
    if precision == "fp16" and cpu:
        raise ValueError("precision: fp16 needs a GPU; use bf16 or fp32 on a CPU")
    if precision == "auto":
        on_gpu = "bf16" if has_cuda and torch.cuda.is_bf16_supported() else "fp16"
        precision = "fp32" if cpu else on_gpu
    AcceleratorState._reset_state()
    if PartialState._shared_state and PartialState().num_processes == 1:
        PartialState._reset_state()
    return Accelerator(cpu=cpu, mixed_precision="no" if precision == "fp32" else precision)


def begin(
    model: nn.Module,
    loader: Loader,
    optimisation: Optimisation,
    accelerator: Accelerator,
    parameter_groups: Sequence[dict[str, Any]] | None,
    seed: int,
    label: str,
) -> State:
    """Put the model on the device and return the state of a run that has done nothing yet."""
    batches = len(loader) // accelerator.num_processes
    if not batches:
        raise ValueError("loader: it has no batches; give at least one for each process")
    optimizer = _make_optimizer(model, optimisation, parameter_groups)
    prepared, wrapped = accelerator.prepare(model, optimizer)
    return State(
        optimisation=optimisation,
        accelerator=accelerator,
        prepared=prepared,
        batches=batches,
        seed=seed,
        label=label,
        model=model,
        # Accelerate's wrapper is needed where gradients are scaled; around a plain step it is slow.
        optimizer=wrapped if accelerator.scaler is not None else optimizer,
        average=MovingAverage(model, optimisation.ema) if optimisation.ema is not None else None,
        loss=torch.zeros((), dtype=torch.float64, device=accelerator.device),
    )


def _make_optimizer(
    model: nn.Module, optimisation: Optimisation, given: Sequence[dict[str, Any]] | None
) -> torch.optim.Optimizer:
    """Make AdamW, or SGD with Nesterov momentum .9; groups keep their rate as `initial_lr`."""
    rate = optimisation.learning_rate
    defaults = {"lr": rate, "weight_decay": optimisation.weight_decay}
    groups = [
        {**defaults, **group, "params": list(group["params"])}
        for group in (given if given is not None else _matrices_and_vectors(model))
    ]
    groups = [{**group, "initial_lr": group["lr"]} for group in groups if group["params"]]
    if optimisation.optimizer == "sgd":
        return torch.optim.SGD(groups, lr=rate, momentum=0.9, nesterov=True)
    return torch.optim.AdamW(groups, lr=rate, fused=True)


def _matrices_and_vectors(model: nn.Module) -> list[dict[str, Any]]:
    """Split the weights that learn: vectors do not decay."""
    learned = [p for p in model.parameters() if p.requires_grad]
    return [
        {"params": [p for p in learned if p.ndim >= 2]},
        {"params": [p for p in learned if p.ndim < 2], "weight_decay": 0.0},
    ]


@contextmanager
def same_randomness() -> Iterator[None]:
    """Put torch's generators back, after the block, to where they were before it."""
    before = random_tensors()
    try:
        yield
    finally:
        load_random(before)
