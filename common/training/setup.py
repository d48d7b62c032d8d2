"""What a training run is set up with: the accelerator, the parameter groups, the optimiser, seeds.

`accelerate` decides where tensors live and in which precision they are multiplied; it is asked for
once per run. Everything else here turns the arguments of `fit` into torch's own objects and refuses
what cannot work with a message that names the argument.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from common.training.checkpoint import load_random, random_tensors

if TYPE_CHECKING:
    from accelerate import Accelerator

PRECISIONS = {"fp32": "no", "bf16": "bf16", "fp16": "fp16"}
OPTIMIZERS = ("adamw", "sgd")


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


def check_arguments(
    *, epochs: int, learning_rate: float, warmup: float, patience: int | None
) -> None:
    """Refuse what is out of range."""
    if epochs < 1:
        raise ValueError(f"epochs: {epochs} is out of range; give 1 or more")
    if not 0 < learning_rate < math.inf:
        raise ValueError(f"learning_rate: {learning_rate} is out of range; give one above 0")
    if not 0 <= warmup < 1:
        raise ValueError(f"warmup: {warmup} is out of range; give a share of the steps in [0, 1)")
    if patience is not None and patience < 1:
        raise ValueError(f"patience: {patience} is out of range; give 1 or more, or None")


def make_accelerator(device: str, precision: str) -> Accelerator:
    """Make the accelerator; its state is global to the process, so an older one is dropped."""
    from accelerate import Accelerator
    from accelerate.state import AcceleratorState, PartialState

    if device not in ("auto", "cpu", "cuda"):
        raise ValueError(f"device: {device!r} is not known; use auto, cpu or cuda")
    has_cuda = torch.cuda.is_available()
    if device == "cuda" and not has_cuda:
        raise ValueError("device: cuda was asked for, but torch sees no GPU; use auto or cpu")
    if precision != "auto" and precision not in PRECISIONS:
        raise ValueError(f"precision: {precision!r} is not known; use auto, fp32, bf16 or fp16")
    cpu = device == "cpu" or not has_cuda
    if precision == "fp16" and cpu:
        raise ValueError("precision: fp16 needs a GPU; use bf16 or fp32 on a CPU")
    if precision == "auto":
        on_gpu = "bf16" if has_cuda and torch.cuda.is_bf16_supported() else "fp16"
        precision = "fp32" if cpu else on_gpu
    AcceleratorState._reset_state()
    if PartialState._shared_state and PartialState().num_processes == 1:
        PartialState._reset_state()
    return Accelerator(cpu=cpu, mixed_precision=PRECISIONS[precision])


def parameter_groups_of(
    model: nn.Module,
    given: Sequence[dict[str, Any]] | None,
    learning_rate: float,
    weight_decay: float,
) -> list[dict[str, Any]]:
    """Fill in the caller's groups, or split the weights: decay for matrices, none for vectors."""
    if given is not None:
        defaults = {"lr": learning_rate, "weight_decay": weight_decay}
        return [{**defaults, **group, "params": list(group["params"])} for group in given]
    learned = [p for p in model.parameters() if p.requires_grad]
    split = [
        {"params": [p for p in learned if p.ndim >= 2], "weight_decay": weight_decay},
        {"params": [p for p in learned if p.ndim < 2], "weight_decay": 0.0},
    ]
    return [{**group, "lr": learning_rate} for group in split if group["params"]]


def make_optimizer(
    name: str, groups: list[dict[str, Any]], learning_rate: float
) -> torch.optim.Optimizer:
    """Make AdamW, or SGD with Nesterov momentum .9."""
    if name not in OPTIMIZERS:
        raise ValueError(f"optimizer: {name!r} is not known; use one of {', '.join(OPTIMIZERS)}")
    if name == "sgd":
        return torch.optim.SGD(groups, lr=learning_rate, momentum=0.9, nesterov=True)
    return torch.optim.AdamW(groups, lr=learning_rate, fused=True)


@contextmanager
def own_randomness(seed: int) -> Iterator[None]:
    """Seed torch's generators inside the block and put them back after it."""
    before = random_tensors()
    torch.manual_seed(seed)
    try:
        yield
    finally:
        load_random(before)
