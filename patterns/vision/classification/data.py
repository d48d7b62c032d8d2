"""What a row, a label and leakage mean in image classification: images split three ways.

A row is an image, its label the one thing it shows. The test images are the ones the dataset's
authors set aside and are read once. The validation part, their own or a stratified share of the
training images, alone chooses the epoch, what is served, and the temperature.

Leakage: Fashion-MNIST and digits come with a fixed split. Digits are in the order of their writers,
so their validation part is the last of the training part: its writers are new, as in the test part,
where a random draw would flatter. Parts of your own are kept; what is missing is drawn by class.
Near-duplicates (frames of one video, photos of one object) on both sides make the test accuracy
that of a memory: `data.group` keeps them together, since a draw cannot know.
What else belongs to the labels: whether a mirror image still has its label (`mirror_safe`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from common.evaluation.splits import stratified_split
from patterns.vision.classification.config import Config
from patterns.vision.classification.entities.images import LabelledImages
from patterns.vision.parts import lacking

if TYPE_CHECKING:
    from data.tables import Images, Source

PUBLIC, OFFLINE = "fashion-mnist", "digits"
MIRROR_SAFE = ("fashion-mnist",)
BY_WRITER = ("digits",)
SIZES = {"scratch": (16, 96), "efficientnet-lite0": (16, 128)}  # pixels a side of own images


@dataclass(frozen=True)
class Splits:
    """The three parts, and the names of the labels."""

    source: Source
    train: LabelledImages
    valid: LabelledImages
    test: LabelledImages
    label_names: tuple[str, ...]
    mirror_safe: bool | None
    """Whether a mirror image keeps its label, as a shoe does and a letter does not; None where
    nobody said, and validation tells."""
    notices: tuple[str, ...] = ()


def load(config: Config) -> Images:
    """Read the dataset that `config` names; auto falls back to `OFFLINE`, with a notice."""
    import data
    from data.tables import Images

    if config.dataset == "folder":
        return _own_folder(config)
    return data.load_table(
        Images,
        config.dataset,
        public=PUBLIC,
        offline=OFFLINE,
        own=config.own_datasets,
        seed=config.seed,
    )


def split(table: Images, config: Config) -> Splits:
    """Keep the parts that the table has, and take a validation part out of the training part.

    Images in the order of who made them are cut, all others drawn by class. Raises `ValueError`
    where a class has too few training images for two parts.
    """
    train, valid = _train_and_valid(table, config)
    limit = config.split.limit
    if limit and limit < len(train):
        part = limit / len(train)
        kept, _ = stratified_split(train.labels, (part, 1 - part), seed=config.seed)
        train = _chosen(train, kept)
    public = table.source.origin != "file"
    labels = {"train": train.labels, "test": table.test_labels}
    return Splits(
        source=table.source,
        train=train,
        valid=valid,
        test=LabelledImages(table.test_images, table.test_labels),
        label_names=table.label_names,
        mirror_safe=table.source.name in MIRROR_SAFE if public else None,
        notices=tuple(lacking(labels, table.label_names, unit="an image")),
    )


def _own_folder(config: Config) -> Images:
    from data.files import images_from_folder

    own = config.data
    return images_from_folder(
        own.path,
        own,
        labels=own.labels,
        file=own.file,
        label=own.label,
        size=config.image_size,
        sizes=SIZES["efficientnet-lite0" if config.model == "efficientnet-lite0" else "scratch"],
        valid_share=config.split.valid_share,
        test_share=config.split.test_share,
        seed=config.seed,
        options=own,
    )


def _train_and_valid(table: Images, config: Config) -> tuple[LabelledImages, LabelledImages]:
    everything = LabelledImages(table.train_images, table.train_labels)
    if table.valid_images is not None and table.valid_labels is not None:
        return everything, LabelledImages(table.valid_images, table.valid_labels)
    _check_counts(table)
    share = config.split.valid_share
    if table.source.name in BY_WRITER:
        train, valid = np.split(np.arange(len(everything)), [round(len(everything) * (1 - share))])
    else:
        train, valid = stratified_split(everything.labels, (1 - share, share), seed=config.seed)
    return _chosen(everything, train), _chosen(everything, valid)


def _chosen(part: LabelledImages, rows: np.ndarray) -> LabelledImages:
    return LabelledImages(part.images[rows], part.labels[rows])


def _check_counts(table: Images) -> None:
    counts = np.bincount(table.train_labels, minlength=len(table.label_names))
    if counts.min() < 2:
        raise ValueError(
            f"class {table.label_names[int(counts.argmin())]!r} has {counts.min()} training "
            "images; a class needs 2 or more: add some, or leave the class out"
        )
