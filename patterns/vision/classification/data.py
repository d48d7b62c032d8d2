"""Images with one label each, split three ways.

A row is an image, its label the one thing it shows. The test images are the ones the dataset's
authors set aside and are read once. A stratified share of the training images becomes the
validation set, which alone chooses the epoch and fits the temperature.

Leakage: Fashion-MNIST and digits come with a fixed split, digits by writer. In a folder of your
own, near-duplicates (frames of one video, photos of one object) must lie in one class *and* be kept
together, or the test accuracy is that of a memory; the split of a folder is random and cannot know.
What else belongs to the labels: whether a mirror image still has its label (`mirror_safe`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

import data
from common.evaluation.splits import stratified_split
from data.errors import FetchError
from patterns.vision.classification.config import Config

if TYPE_CHECKING:
    from data.tables import Images, Source

PUBLIC, OFFLINE = "fashion-mnist", "digits"
MIRROR_SAFE = ("fashion-mnist",)


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
        return images_from_folder(config.data.path, seed=config.seed)
    if config.dataset != "auto":
        return _of_images(data.load(config.dataset, seed=config.seed), config.dataset)
    try:
        return data.load(PUBLIC)
    except FetchError as problem:
        images: Images = data.load(OFFLINE)
        notice = f"Running on {OFFLINE}, bundled, because {PUBLIC} is not to be had: {problem}"
        return replace(images, source=replace(images.source, notice=notice))


def _of_images(table: object, name: str) -> Images:
    from data.tables import Images

    if not isinstance(table, Images):
        raise ValueError(
            f"dataset: {name!r} does not hold labelled images; give --dataset {PUBLIC}, {OFFLINE},"
            " or folder with --data.path"
        )
    return table


def split(images: Images, config: Config) -> Splits:
    """Keep the test part, and take a stratified validation part out of the training part."""
    share = config.data.valid_share
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
