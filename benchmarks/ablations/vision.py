"""What augmentation, the network and pretraining are worth on two sets of images.

The grey one is Fashion-MNIST, the colour one crops of street scenes (`benchmarks.ablations.crops`).
Both are cut down so that a variant takes a minute, and 1,000 steps are many epochs: gains of
augmentation and of pretraining are larger on few images than on all of them. Every variant is
trained as the pattern's own command trains it; what is scored is its network, whether or not
validation would serve it.

Shapes: N test images.
"""

from __future__ import annotations

import atexit
import shutil
import tempfile
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np

from benchmarks.ablations.ablation import Ablation, Flags
from benchmarks.ablations.crops import write_camvid, write_simulated

FASHION: Flags = (
    "--dataset", "fashion-mnist", "--split.limit", "4000", "--split.valid-share", "0.02",
)  # fmt: skip
CROPS: Flags = ("--dataset", "folder", "--data.path", "crops")
SMOKE: Flags = (
    "--preset", "smoke", "--split.limit", "100", "--training.least-steps", "2",
)  # fmt: skip
FASHION_SMOKE: Flags = (*SMOKE, "--dataset", "digits")
CROPS_SMOKE: Flags = (*SMOKE, "--data.path", "simulated-crops", "--image-size", "16")
PLAIN: Flags = ("--augment.crop", "0", "--augment.flip", "off", "--augment.erasing", "0")
MOVED: Flags = ("--augment.erasing", "0")
SCRATCH: Flags = ("--model", "mobilenet", "--mobilenet.weights", "none")
MADE = {"crops": write_camvid, "simulated-crops": write_simulated}
"""What makes the folder of each name that a command may give."""


def correct(flags: Flags) -> np.ndarray:
    """Train a classifier and tell which test images it gets right (N,), 1 or 0."""
    from common.config import parse
    from patterns.vision.classification.config import PRESETS
    from patterns.vision.classification.data import load, split
    from patterns.vision.classification.pipeline import Pipeline

    config = parse(PRESETS, description="", argv=flags)
    if (folder := str(config.data.path)) in MADE:
        config = replace(config, data=replace(config.data, path=crops(folder)))
    splits = split(load(config), config)
    pipeline = Pipeline.from_config(config, splits).fit_baseline(splits).fit_network(splits)
    images = pipeline.preprocess.batch(splits.test.images)
    found = pipeline.network.predict(images).argmax(axis=1)
    return (found == splits.test.labels).astype(float)


@cache
def crops(name: str) -> Path:
    """Make the colour images once for all variants; `name` is what the command calls the folder."""
    folder = Path(tempfile.mkdtemp())
    atexit.register(shutil.rmtree, folder)
    MADE[name](folder)
    return folder


def _ablation(data: Flags, variants: dict[str, Flags], smoke: Flags) -> Ablation:
    return Ablation(
        pattern="vision/classification",
        command="patterns.vision.classification.train",
        variants={name: (*data, *flags) for name, flags in variants.items()},
        scores=correct,
        metric="accuracy",
        unit="images",
        smoke=smoke,
    )


AUGMENTATION: dict[str, Flags] = {
    "all of the default": (),
    "shift and mirror": MOVED,
    "none": PLAIN,
}
PRETRAINED: Flags = ("--model", "efficientnet-lite0")
ABLATIONS = {
    "augmentation-fashion-mnist": _ablation(FASHION, AUGMENTATION, FASHION_SMOKE),
    "augmentation-crops": _ablation(CROPS, AUGMENTATION, CROPS_SMOKE),
    "networks-fashion-mnist": _ablation(
        FASHION,
        {
            "cnn, the default": (),
            "resnet9": ("--model", "resnet9"),
            "mobilenet": SCRATCH,
            "efficientnet-lite0, pretrained": PRETRAINED,
        },
        FASHION_SMOKE,
    ),
    "networks-crops": _ablation(
        CROPS,
        {
            "resnet9, the default": (),
            "cnn": ("--model", "cnn"),
            "mobilenet": SCRATCH,
            "efficientnet-lite0, pretrained": PRETRAINED,
        },
        CROPS_SMOKE,
    ),
}
