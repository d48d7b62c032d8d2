"""A smaller transformer cut out of a trained one: fewer layers, and fewer neurons in each.

Whole layers and whole neurons are taken out, so that the matrices get smaller and the model quicker
on any machine; single weights set to zero would leave the time as it is.

- Layers are kept at even steps, the first and the last among them (Sanh et al. 2019, "DistilBERT",
  § 3, keep every other one).
- Of the neurons between the two matrices of a layer's feed-forward part those with the largest
  |w_in| · |w_out| are kept, the same number in each layer: the product bounds what a neuron adds
  (structured magnitude pruning, Li et al. 2017, "Pruning Filters for Efficient ConvNets").

What is cut out answers badly as it is; it is a start for the training that follows (`student`).

Shapes: D hidden size, I neurons.
"""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import torch
from torch import nn

SIZES = ("intermediate_size", "hidden_dim")  # what configurations call the number of neurons


def shrunk(encoder: Any, *, layers: int, neurons: float) -> Any:
    """Return a copy of a transformer with `layers` of its layers and a share of the `neurons`."""
    small = copy.deepcopy(encoder)
    keep_layers(small, layers)
    if neurons < 1:
        prune_neurons(small, neurons)
    return small


def keep_layers(encoder: Any, layers: int) -> None:
    """Keep `layers` layers in place, at even steps from the first to the last."""
    depth = encoder.config.num_hidden_layers
    if not 1 <= layers <= depth:
        raise ValueError(f"layers: {layers} is out of range; the model has {depth}: give 1 to it")
    kept = np.unique(np.linspace(0, depth - 1, layers).round().astype(int))
    if layers == 1:
        kept = np.array([depth - 1])  # the layer that the head has learned to read
    for owner in encoder.modules():
        for name, child in owner.named_children():
            if isinstance(child, nn.ModuleList) and len(child) == depth:
                setattr(owner, name, nn.ModuleList(child[int(place)] for place in kept))
    encoder.config.num_hidden_layers = layers


@torch.no_grad()
def prune_neurons(encoder: Any, share: float) -> None:
    """Keep this share of the neurons of every layer in place, the strongest of each."""
    size = next((name for name in SIZES if hasattr(encoder.config, name)), None)
    width = getattr(encoder.config, size) if size else 0
    pairs = _pairs(encoder, width)
    if size is None or len(pairs) != encoder.config.num_hidden_layers:
        raise ValueError(
            f"neurons: {type(encoder).__name__} has no pair of matrices in each layer that could be"
            " pruned; give 1 to keep all"
        )
    kept = max(1, round(share * width))
    for inner, outer in pairs:
        strength = inner.weight.norm(dim=1) * outer.weight.norm(dim=0)  # (I,)
        chosen = strength.topk(kept).indices.sort().values
        inner.weight = nn.Parameter(inner.weight[chosen])  # (kept, D)
        inner.bias = nn.Parameter(inner.bias[chosen])
        outer.weight = nn.Parameter(outer.weight[:, chosen])  # (D, kept)
        inner.out_features = outer.in_features = kept
    setattr(encoder.config, size, kept)


def _pairs(encoder: nn.Module, width: int) -> list[tuple[nn.Linear, nn.Linear]]:
    """Return the two matrices of each feed-forward part: D -> I and I -> D."""
    linear = [module for module in encoder.modules() if isinstance(module, nn.Linear)]
    inner = [module for module in linear if module.out_features == width]
    outer = [module for module in linear if module.in_features == width]
    return list(zip(inner, outer, strict=True)) if len(inner) == len(outer) else []
