"""MobileNetV3-small: transfer from ImageNet in 1.5 million weights, made for phones.

Its blocks replace a k x k convolution by a depthwise one and a 1x1 one, k²C + C·C' instead of
k²C·C' multiplications a pixel, with squeeze-and-excitation between (Howard et al. 2019, "Searching
for MobileNetV3"). The architecture is torchvision's. What is added here: grey images are repeated
to three channels, small ones scaled up (the network halves its input five times), and the
classifier is new.

Weights pretrained on ImageNet are used if available: a safetensors file given by name,
else torchvision's own (from the torch hub cache or its download, sha-checked and read by the
restricted loader that accepts tensors only). Otherwise the network starts from scratch, and
`notice_` says so.

Shapes: B images, C channels, H x W pixels, K classes.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.error import URLError

import torch
from torch import Tensor, nn
from torch.nn import functional

from patterns.vision.classification.stages.network import NetworkClassifier

if TYPE_CHECKING:
    from collections.abc import Mapping

IMAGENET_MEAN, IMAGENET_DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
LAST = "classifier.3."  # the layer that is new


class MobileNetClassifier(NetworkClassifier):
    """MobileNetV3-small, from ImageNet weights if available.

    `weights`: "auto", "none", or the path of a safetensors file (which must exist).
    """

    name = "mobilenet"

    def __init__(self, *, input_size: int = 64, weights: str = "auto", **training: Any) -> None:
        """`training` is the keywords of `NetworkClassifier`."""
        super().__init__(**training)
        self.input_size, self.weights = input_size, weights

    def build(self, *, channels: int, size: int) -> MobileNet:
        """Make the untrained network; it takes images of any size, grey or colour."""
        return MobileNet(classes=self.classes, input_size=self.input_size)

    def architecture(self) -> dict[str, Any]:
        """Return the keyword arguments that `build` depends on."""
        return {"input_size": self.input_size}

    def prepare(self, module: nn.Module) -> nn.Module:
        """Put ImageNet weights in; where there are none, `notice_` says why."""
        assert isinstance(module, MobileNet)
        self.notice_ = None
        if self.weights == "none":
            return module
        try:
            module.take_backbone(
                _from_torchvision() if self.weights == "auto" else _from_file(Path(self.weights))
            )
        except OSError as problem:
            reason = f"{type(problem).__name__}: {problem}"
            self.notice_ = (
                "MobileNetV3 was trained from scratch: ImageNet weights are not available"
                f" ({reason}); give `weights` a FILE.safetensors to use your own copy"
            )
        return module


class MobileNet(nn.Module):
    """Logits of uint8 images (B, C, H, W), by torchvision's MobileNetV3-small."""

    mean: Tensor
    deviation: Tensor

    def __init__(self, *, classes: int, input_size: int = 64) -> None:
        from torchvision.models import mobilenet_v3_small

        super().__init__()
        self.input_size = input_size
        self.register_buffer("mean", torch.tensor(IMAGENET_MEAN)[:, None, None])
        self.register_buffer("deviation", torch.tensor(IMAGENET_DEVIATION)[:, None, None])
        self.network = mobilenet_v3_small(weights=None, num_classes=classes)
        for layer in self.network.modules():
            if isinstance(layer, nn.BatchNorm2d):
                layer.momentum = 0.1  # torchvision's .01 needs thousands of steps to settle

    def forward(self, images: Tensor) -> Tensor:
        """(B, 1 or 3, H, W) -> (B, K)."""
        x = (images / 255).expand(-1, 3, -1, -1)
        if x.shape[-1] != self.input_size:
            x = functional.interpolate(
                x, (self.input_size, self.input_size), mode="bilinear", antialias=False
            )
        x = (x - self.mean) / self.deviation
        return self.network(x.contiguous(memory_format=torch.channels_last))

    def take_backbone(self, weights: Mapping[str, Tensor]) -> None:
        """Take everything but the last layer from ImageNet weights with torchvision's names."""
        own = self.network.state_dict()
        new = {name: value for name, value in weights.items() if not name.startswith(LAST)}
        missing = [name for name in own if name not in new and not name.startswith(LAST)]
        if missing:
            raise ValueError(
                f"mobilenet.weights: {missing[0]} and {len(missing) - 1} more are not in the file;"
                " give the state dict of torchvision's mobilenet_v3_small as safetensors"
            )
        self.network.load_state_dict(new, strict=False)


def _from_file(path: Path) -> dict[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    if not path.is_file():
        raise ValueError(
            f"mobilenet.weights: {path} does not exist; give a safetensors file, auto or none"
        )
    try:
        return load_file(path)
    except SafetensorError as problem:
        raise ValueError(
            f"mobilenet.weights: {path} is not a safetensors file ({problem});"
            " convert the state dict with safetensors.torch.save_file"
        ) from problem


def _from_torchvision() -> Mapping[str, Tensor]:
    """Read torchvision's weights from the hub cache or the network; `OSError` if neither has."""
    from torchvision.models import MobileNet_V3_Small_Weights as Weights

    weights = Weights.IMAGENET1K_V1
    name = weights.url.rpartition("/")[2]
    cached = Path(torch.hub.get_dir()) / "checkpoints" / name
    if os.environ.get("HF_HUB_OFFLINE") == "1" and not cached.is_file():
        raise OSError("HF_HUB_OFFLINE is set")
    try:
        return weights.get_state_dict(progress=False, check_hash=True, weights_only=True)
    except (URLError, RuntimeError) as problem:  # RuntimeError: the hash of the download is wrong
        raise OSError(str(problem)) from problem
