"""What a network on a pretrained encoder leaves behind: its weights, and how its encoder is built.

`save_network` writes both, so that loading looks nothing up elsewhere: `bare_encoder` builds the
encoder from its configuration, and `load_weights` fills the whole network.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from safetensors.torch import load_file, save_file
from torch import nn


def save_network(network: nn.Module, encoder: Any, path: Path) -> None:
    """Write the weights to `path`, and the configuration of its encoder beside them."""
    state = {name: value.contiguous() for name, value in network.state_dict().items()}
    save_file(state, path)
    encoder.config.save_pretrained(path.parent)


def bare_encoder(folder: Path) -> Any:
    """Build the encoder of a saved network, with random weights."""
    from transformers import AutoConfig, AutoModel

    return AutoModel.from_config(AutoConfig.from_pretrained(folder, local_files_only=True))


def load_weights(network: nn.Module, path: Path) -> None:
    """Fill a network from `path`, and leave it in eval mode."""
    network.load_state_dict(load_file(path))
    network.eval()
