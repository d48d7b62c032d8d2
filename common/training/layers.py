"""Rates by depth: what pretraining put low down survives, what is new learns fast.

    rate(layer) = rate · decay^(layers above it),   rate(new layer) = rate · factor

Howard & Ruder 2018, § 3.2, discriminative fine-tuning. Vectors (biases, norms) do not decay.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from torch import nn


def layer_groups(
    encoder: nn.Module,
    new: Iterable[nn.Parameter],
    *,
    learning_rate: float,
    layer_decay: float,
    head_factor: float,
    weight_decay: float,
) -> list[dict[str, Any]]:
    """Return the parameter groups of a pretrained `encoder` and of the `new` layers on it."""
    named = list(encoder.named_parameters())
    depth = 1 + max((layer_of(name) or 0) for name, _ in named)
    groups: dict[tuple[int, bool], list[nn.Parameter]] = {}
    for name, parameter in named:
        layer = layer_of(name)
        below = depth - 1 - layer if layer is not None else (depth if "embed" in name else 0)
        groups.setdefault((below, parameter.ndim >= 2), []).append(parameter)
    rated = [
        {
            "params": parameters,
            "lr": learning_rate * layer_decay**below,
            "weight_decay": weight_decay if matrix else 0.0,
        }
        for (below, matrix), parameters in sorted(groups.items(), key=lambda item: item[0])
    ]
    head = {"params": list(new), "lr": learning_rate * head_factor, "weight_decay": weight_decay}
    return [*rated, head]


def layer_of(name: str) -> int | None:
    """Return the number of the layer of a parameter (`encoder.layer.3.…`), if it has one."""
    found = re.search(r"(?:^|\.)(?:layers?|h|block)\.(\d+)\.", name)
    return int(found.group(1)) if found else None
