"""Images with one label each, split three ways.

A row is an image, its label the one thing it shows. The test images are the ones the dataset's
authors set aside and are read once. A stratified share of the training images becomes the
validation set, which alone chooses the epoch and fits the temperature.

Leakage: Fashion-MNIST and digits come with a fixed split. Digits lie in the order of their writers,
so their validation part is the last of the training part: its writers are new, as in the test part,
where a random draw would flatter. In a folder of your own, near-duplicates (frames of one video,
photos of one object) must be kept on one side, or the test accuracy is that of a memory; the split
of a folder is random and cannot know.
What else belongs to the labels: whether a mirror image still has its label (`mirror_safe`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

import data
from common.evaluation.splits import stratified_split
from data.tables import Images, Source
from patterns.vision.classification.config import Config

PUBLIC, OFFLINE = "fashion-mnist", "digits"
MIRROR_SAFE = ("fashion-mnist",)
BY_WRITER = ("digits",)
FOLDER_SIZE = 64  # photos of a folder are of all sizes, so they are brought to one


@dataclass(frozen=True)
class Splits:
    """uint8 images (N, H, W) or (N, H, W, 3) and int64 labels (N,) of each part."""

    source: Source
    train_images: np.ndarray
    train_labels: np.ndarray
    valid_images: np.ndarray
    valid_labels: np.ndarray
    test_images: np.ndarray
    test_labels: np.ndarray
    label_names: tuple[str, ...]
    mirror_safe: bool
    """Whether a mirror image keeps its label, as a shoe does and a letter does not."""


def load(config: Config) -> Images:
    """Load the dataset that the configuration names; "auto" falls back to digits, saying so."""
    if config.dataset == "folder":
        from data.files import images_from_folder

        assert config.data.path is not None
        size = config.image_size or FOLDER_SIZE
        return images_from_folder(config.data.path, size=size, seed=config.seed)
    return data.load_table(Images, config.dataset, public=PUBLIC, offline=OFFLINE, seed=config.seed)


def split(images: Images, config: Config) -> Splits:
    """Keep the test part, and take a validation part out of the training part, by class if it may.

    Images in the order of who made them are cut instead of drawn.
    """
    counts = np.bincount(images.train_labels, minlength=len(images.label_names))
    if counts.min() < 2:
        raise ValueError(
            f"class {images.label_names[int(counts.argmin())]!r} has {counts.min()} training "
            "images; a class needs 2 or more: add some, or leave the class out"
        )
    share = config.data.valid_share
    if images.source.name in BY_WRITER:
        rows = np.arange(len(images.train_labels))
        cut = round(len(rows) * (1 - share))
        train, valid = rows[:cut], rows[cut:]
    else:
        train, valid = stratified_split(images.train_labels, (1 - share, share), seed=config.seed)
    limit = config.data.limit
    if limit and limit < len(train):
        kept, _ = stratified_split(
            images.train_labels[train], (limit / len(train), 1 - limit / len(train)),
            seed=config.seed,
        )  # fmt: skip
        train = train[kept]
    return Splits(
        source=images.source,
        train_images=images.train_images[train],
        train_labels=images.train_labels[train],
        valid_images=images.train_images[valid],
        valid_labels=images.train_labels[valid],
        test_images=images.test_images,
        test_labels=images.test_labels,
        label_names=images.label_names,
        mirror_safe=images.source.name in MIRROR_SAFE,
    )
