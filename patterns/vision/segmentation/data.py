"""What a row, a label and leakage mean in segmentation: masks, and slides on one side only.

A row is an image; its label map numbers the objects, 0 is background. The published protocols draw
images at random. But microscope fields are cut into tiles, and the 2018 Data Science Bowl holds the
tiles: the last column of one image continues in the first column of another. Random drawing puts
neighbours of one slide, same stain, same cells, in train and test. So the default split first finds
these mosaics by their edges and keeps each of them together:

    j is right of i   if  corr(last column of i, first column of j) > .9
                      and mean |last of i − first of j| < 1.5 · (the change between neighbouring
                      columns inside i and j) + .5          and likewise for rows, below

Connected images are one group; a false edge only makes a group too large, which is the safe side.
What remains is similarity of slides from one laboratory, which edges cannot show. Grey and stained
images are split separately, so that both sides have their share.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from common.evaluation.splits import grouped_split
from patterns.vision.segmentation.config import Config
from patterns.vision.segmentation.entities.images import MaskedImages

if TYPE_CHECKING:
    from data.tables import SegmentationImages, Source

PUBLIC, OFFLINE = "nuclei", "simulated-nuclei"
CORRELATION, CHANGE, FLAT = 0.9, 1.5, 2.0


@dataclass(frozen=True)
class Splits:
    """The three parts; the notices say how much of the test part has a neighbour in training."""

    source: Source
    train: MaskedImages
    valid: MaskedImages
    test: MaskedImages
    notices: tuple[str, ...] = ()


def load(config: Config) -> SegmentationImages:
    """Read the dataset that `config` names; auto falls back to `OFFLINE`, with a notice."""
    import data
    from data.tables import SegmentationImages

    if config.dataset == "folder":
        from data.files import segmentation_from_folder

        assert config.data.path is not None
        return segmentation_from_folder(config.data.path)
    return data.load_table(
        SegmentationImages,
        config.dataset,
        public=PUBLIC,
        offline=OFFLINE,
        own=config.own_datasets,
        seed=config.seed,
        images=config.world.images,
    )


def split(table: SegmentationImages, config: Config) -> Splits:
    """Split into train, valid and test by slide or by image, each modality by itself."""
    images, masks = list(table.images), list(table.masks)
    mosaics = find_mosaics(images)
    kinds = [modality(image) for image in images]
    together = mosaics if config.split.by == "slide" else np.arange(len(kinds))
    test, valid = config.split.test_share, config.split.valid_share
    shares = ((1 - test) * (1 - valid), (1 - test) * valid, test)
    chosen, rare = _split_by_kind(together, kinds, shares, seed=config.seed)
    parts = [
        MaskedImages(
            [images[i] for i in rows],
            [masks[i] for i in rows],
            mosaics[rows],
            [kinds[i] for i in rows],
        )
        for rows in chosen
    ]
    seen = np.isin(parts[2].groups, np.concatenate([parts[0].groups, parts[1].groups]))
    notices = [
        f"split by {config.split.by}: {len(np.unique(mosaics))} slides in {len(kinds)} images;"
        f" {seen.mean():.0%} of the test images have a tile of their slide in training"
    ]
    notices += [
        f"the {kinds.count(kind)} {kind} images are too few groups to be in every part, so all of"
        " them are in training"
        for kind in rare
    ]
    return Splits(table.source, parts[0], parts[1], parts[2], tuple(notices))


def _split_by_kind(
    groups: np.ndarray, kinds: Sequence[str], shares: tuple[float, ...], *, seed: int
) -> tuple[list[np.ndarray], list[str]]:
    """Return rows of each part, and the modalities of too few groups to cut, all in the first.

    A group goes by the modality of its first image.
    """
    first = {group: kinds[row] for row, group in reversed(list(enumerate(groups)))}
    kind_of = np.array([first[group] for group in groups])
    parts: list[list[np.ndarray]] = [[] for _ in shares]
    modalities = [str(kind) for kind in np.unique(kind_of)]
    cut: dict[str, tuple[np.ndarray, ...]] = {}
    for kind in modalities:
        try:
            cut[kind] = grouped_split(groups[kind_of == kind], shares, seed=seed)
        except ValueError:  # too few groups: a part would be empty
            continue
    if not cut:
        raise ValueError(
            f"{len(np.unique(groups))} groups of images (tiles of one slide are one group) are too"
            f" few for {len(shares)} parts: add images of other slides"
        )
    for kind in modalities:
        rows = np.flatnonzero(kind_of == kind)
        if kind not in cut:
            parts[0].append(rows)
            continue
        for part, chosen in zip(parts, cut[kind], strict=True):
            part.append(rows[chosen])
    rare = [kind for kind in modalities if kind not in cut]
    return [np.sort(np.concatenate(part)) for part in parts], rare


def modality(image: np.ndarray) -> str:
    """Tell a grey image (fluorescence) from a stained one by its colours."""
    low, high = image.min(axis=2).astype(np.int16), image.max(axis=2).astype(np.int16)
    return "grey" if float((high - low).mean()) < 2 else "stained"


def find_mosaics(images: Sequence[np.ndarray]) -> np.ndarray:
    """Return the group (N,) of each image: tiles that continue each other share one."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    by_shape: dict[tuple[int, ...], list[int]] = defaultdict(list)
    for row, image in enumerate(images):
        if min(image.shape[:2]) > 1:  # a line has no neighbour to go on from
            by_shape[image.shape].append(row)
    left: list[np.ndarray] = [np.zeros(0, np.int64)]
    right: list[np.ndarray] = [np.zeros(0, np.int64)]
    for rows in by_shape.values():
        for axis in (0, 1):
            edges = [
                np.stack([np.take(images[row], place, axis).mean(axis=1) for row in rows])
                for place in (-1, -2, 0, 1)
            ]  # of grey levels, (n, L) each
            before, after = _continued(*edges)
            left.append(np.array(rows)[before])
            right.append(np.array(rows)[after])
    pairs = (np.concatenate(left), np.concatenate(right))
    graph = coo_matrix((np.ones(len(pairs[0])), pairs), shape=(len(images), len(images)))
    return connected_components(graph, directed=False)[1].astype(np.int64)


def _continued(
    last: np.ndarray, inner_last: np.ndarray, first: np.ndarray, inner_first: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Find pairs (i, j) where the first line of j continues the last of i; lines are (n, L)."""
    correlation = _standardised(last) @ _standardised(first).T / last.shape[1]  # (n, n)
    found = (correlation > CORRELATION) & (last.std(axis=1) > FLAT)[:, None]
    np.fill_diagonal(found, False)
    before, after = np.nonzero(found)
    jump = np.abs(last[before] - first[after]).mean(axis=1)
    change = (
        np.abs(last - inner_last).mean(axis=1)[before]
        + np.abs(first - inner_first).mean(axis=1)[after]
    ) / 2
    smooth = jump < CHANGE * change + 0.5
    return before[smooth], after[smooth]


def _standardised(edges: np.ndarray) -> np.ndarray:
    centred = edges - edges.mean(axis=1, keepdims=True)
    return centred / (centred.std(axis=1, keepdims=True) + 1e-6)
