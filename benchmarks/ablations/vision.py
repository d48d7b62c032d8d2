"""What augmentation, the network and pretraining are worth on two sets of images.

The grey one is Fashion-MNIST, the colour one crops of street scenes (`benchmarks.ablations.crops`).
Both are cut down to 4,000 images, so that a variant takes a minute or two: gains of augmentation
and of pretraining are larger on few images than on many. From scratch, every network takes 600
steps, twenty epochs; the pretrained one takes its own number. Every variant is
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
STEPS: Flags = ("--training.least-steps", "600")
PLAIN: Flags = (*STEPS, "--augment.crop", "0", "--augment.flip", "off", "--augment.erasing", "0")
MOVED: Flags = (*STEPS, "--augment.erasing", "0")
MOBILENET: Flags = (*STEPS, "--model", "mobilenet", "--mobilenet.weights", "none")
PRETRAINED: Flags = ("--model", "efficientnet-lite0")
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
    "all of the default": STEPS,
    "shift and mirror": MOVED,
    "none": PLAIN,
    "all, another seed": (*STEPS, "--seed", "1"),  # what chance alone changes
}
ABLATIONS = {
    "augmentation-fashion-mnist": _ablation(FASHION, AUGMENTATION, FASHION_SMOKE),
    "augmentation-crops": _ablation(CROPS, AUGMENTATION, CROPS_SMOKE),
    "networks-fashion-mnist": _ablation(
        FASHION,
        {
            "cnn, the default": STEPS,
            "resnet9": (*STEPS, "--model", "resnet9"),
            "mobilenet": MOBILENET,
            "efficientnet-lite0": PRETRAINED,
        },
        FASHION_SMOKE,
    ),
    "networks-crops": _ablation(
        CROPS,
        {
            "resnet9, the default": STEPS,
            "cnn": (*STEPS, "--model", "cnn"),
            "mobilenet": MOBILENET,
            "efficientnet-lite0": PRETRAINED,
        },
        CROPS_SMOKE,
    ),
}
