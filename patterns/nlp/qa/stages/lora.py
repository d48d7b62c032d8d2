r"""LoRA: a large model is tuned by small matrices beside its own, which stay as they are.

    h = W x + (alpha / r) · B A x,    A (r, I) random,  B (O, r) zero,  r much smaller than I and O

Hu et al. 2022. Of a linear layer with O · I weights only r · (O + I) are learned, and at first the
model answers as before, since B is zero. Three things follow. Gradients and optimiser moments are
kept for the small matrices alone. What is saved is small: many tasks share one base model. And as
B A has the shape of W, it can be added to it once trained, so that serving costs nothing extra.

Here all linear layers of the blocks are adapted, as Dettmers et al. 2023 found it needs; the layer
of the output tokens is not. The base model is not rebuilt: a hook adds what an adapter says.

Shapes: I inputs, O outputs of a linear layer, r rank.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

FILE = "adapters.safetensors"


class LowRank(nn.Module):
    """One adapter: what is added to the output of a linear layer."""

    def __init__(
        self, inputs: int, outputs: int, *, rank: int, alpha: float, dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.scale = alpha / rank
        self.dropout = nn.Dropout(dropout)
        self.down = nn.Linear(inputs, rank, bias=False)  # A
        self.up = nn.Linear(rank, outputs, bias=False)  # B
        nn.init.zeros_(self.up.weight)

    def forward(self, x: Tensor) -> Tensor:
        """Return (…, O) for `x` (…, I)."""
        return self.scale * self.up(self.down(self.dropout(x)))

    def product(self) -> Tensor:
        """Return (alpha / r) · B A (O, I), which merging adds to the layer's weights."""
        return self.scale * (self.up.weight @ self.down.weight)


class Lora(nn.Module):
    """All adapters of a frozen model; its parameters are those that learn, and no others."""

    def __init__(
        self,
        model: nn.Module,
        *,
        rank: int = 16,
        alpha: float = 32.0,
        dropout: float = 0.0,
        targets: Sequence[str] = (),
    ) -> None:
        """`targets` are endings of layer names, such as q_proj; none adapts all but the output's.

        Raises `ValueError` where no linear layer of the model has such a name.
        """
        super().__init__()
        if rank < 1:
            raise ValueError(f"rank: {rank} is out of range; give 1 or more")
        model.requires_grad_(False)
        layers = _chosen(model, targets)
        # A dict hides the layers from this module, whose parameters and state are the adapters'.
        self._layers = dict(layers)
        self._originals: dict[str, Tensor] = {}
        self.merged = False
        self._hooks: list[Any] = []
        self.adapters = nn.ModuleDict()
        for name, layer in layers.items():
            adapter = LowRank(
                layer.in_features, layer.out_features, rank=rank, alpha=alpha, dropout=dropout
            )
            self.adapters[_key(name)] = adapter
        self.attach()

    @property
    def size(self) -> int:
        """How many weights are learned."""
        return sum(parameter.numel() for parameter in self.parameters())

    def attach(self) -> None:
        """Let the adapters add to what their layers say."""
        assert not self.merged and not self._hooks, "attached or merged already"
        self._hooks = [
            layer.register_forward_hook(partial(_added, self.adapter(name)))
            for name, layer in self._layers.items()
        ]

    def detach(self) -> None:
        """Leave the model as it came."""
        for hook in self._hooks:
            hook.remove()
        self._hooks = []

    @torch.no_grad()
    def merge(self, *, for_good: bool = False) -> None:
        """Add the adapters to the weights; the model then costs what it cost before.

        Merged `for_good`, the weights that were there are not kept.
        """
        self.detach()
        for name, layer in self._layers.items():
            if not for_good:
                self._originals[name] = layer.weight.detach().clone()
            layer.weight += self.adapter(name).product().to(layer.weight)
        self.merged = True

    @torch.no_grad()
    def unmerge(self) -> None:
        """Put the weights back, bit for bit: a sum rounds, so they are kept and not subtracted."""
        assert self._originals, "merged for good, or not merged"
        for name, original in self._originals.items():
            self._layers[name].weight.copy_(original)
        self._originals, self.merged = {}, False
        self.attach()

    def adapter(self, name: str) -> LowRank:
        """Return the adapter of a layer, by its name in the model."""
        adapter = self.adapters[_key(name)]
        assert isinstance(adapter, LowRank)
        return adapter

    def save(self, folder: Path) -> None:
        """Write the adapters alone."""
        state = {name: value.contiguous() for name, value in self.adapters.state_dict().items()}
        save_file(state, folder / FILE)

    def restore(self, folder: Path) -> None:
        """Take over what `save` wrote, for the same layers of the same base model."""
        self.adapters.load_state_dict(load_file(folder / FILE))


def _added(adapter: LowRank, layer: nn.Module, inputs: tuple[Tensor], output: Tensor) -> Tensor:
    return output + adapter(inputs[0])


def _key(name: str) -> str:
    """Return a name as a `ModuleDict` takes it: without dots."""
    return name.replace(".", "/")


def _chosen(model: nn.Module, targets: Sequence[str]) -> dict[str, nn.Linear]:
    """Return the linear layers to adapt, by name."""
    output = getattr(model, "get_output_embeddings", lambda: None)()
    linear = {
        name: layer
        for name, layer in model.named_modules()
        if isinstance(layer, nn.Linear) and layer is not output
    }
    chosen = {
        name: layer
        for name, layer in linear.items()
        if not targets or name.rsplit(".", 1)[-1] in targets
    }
    if not chosen:
        known = ", ".join(sorted({name.rsplit(".", 1)[-1] for name in linear})) or "none"
        raise ValueError(
            f"targets: {', '.join(targets) or 'all'} name no linear layer of the model; it has"
            f" {known}"
        )
    return chosen
