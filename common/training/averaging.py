"""An exponential moving average of a model's weights: smoother than the last step's, often better.

    shadow ← d_t · shadow + (1 − d_t) · weights,    d_t = min(decay, (1 + t) / (10 + t))

The rising d_t (as in TensorFlow's ExponentialMovingAverage) lets the average forget the random
start quickly. Floating-point buffers (running means of batch normalisation) are averaged too,
integer ones copied. Polyak & Juditsky 1992 for the idea.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn


class MovingAverage:
    """The shadow of a model's `state_dict`, updated after every step."""

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.decay = decay
        self.shadow = {name: value.detach().clone() for name, value in model.state_dict().items()}
        state = model.state_dict()
        averaged = [name for name, value in state.items() if value.is_floating_point()]
        self._live = [state[name].detach() for name in averaged]
        self._averaged = [self.shadow[name] for name in averaged]
        self._copied = [name for name in state if name not in set(averaged)]

    @torch.no_grad()
    def update(self, model: nn.Module, step: int) -> None:
        """Take one step of the average; `step` counts from 0."""
        weight = 1 - min(self.decay, (1 + step) / (10 + step))
        torch._foreach_lerp_(self._averaged, self._live, weight)
        if self._copied:
            state = model.state_dict()
            for name in self._copied:
                self.shadow[name].copy_(state[name])

    @contextmanager
    def inside(self, model: nn.Module) -> Iterator[None]:
        """Give the model the average's weights while the block runs."""
        live = {name: value.detach().clone() for name, value in model.state_dict().items()}
        model.load_state_dict(self.shadow)
        try:
            yield
        finally:
            model.load_state_dict(live)

    def load(self, shadow: dict[str, Tensor]) -> None:
        """Take over a saved shadow, in place."""
        for name, value in shadow.items():
            self.shadow[name].copy_(value)
