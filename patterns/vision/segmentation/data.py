"""What a row, a label and leakage mean in segmentation: masks, and neighbours on one side only.

A row is an image. Its mask numbers the objects, 0 for background, or holds a class for each pixel.
Published protocols often draw images at random. But microscope fields are cut into tiles, and the
2018 Data Science Bowl holds the tiles: the last column of one image continues in the first column
of another. Random drawing puts neighbours of one slide, same stain, same cells, in train and test.
So the default split first finds these mosaics by their edges and keeps each of them together:

    j is right of i   if  corr(last column of i, first column of j) > .9
                      and mean |last of i − first of j| < 1.5 · (the change between neighbouring
                      columns inside i and j) + .5          and likewise for rows, below

Connected images are one group; a false edge only makes a group too large, which is the safe side.
What remains is similarity of slides from one laboratory, which edges cannot show. The frames of a
film are a group too, where names have a counter and neighbours look alike. A split that the source
has is kept. Objects are split by modality, grey or coloured, so that both sides have their share.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from common.evaluation.splits import grouped_split
from patterns.vision.parts import lacking, repeated
from patterns.vision.segmentation.config import Config
from patterns.vision.segmentation.entities.images import Classes, MaskedImages

if TYPE_CHECKING:
    from data.tables import SegmentationImages, SemanticImages, Source

    ImageTable = SegmentationImages | SemanticImages

PUBLIC, OFFLINE = "nuclei", "simulated-nuclei"
SEMANTIC_PUBLIC, SEMANTIC_OFFLINE = "camvid", "simulated-streets"
OF_THE_TASK = "simulated"  # the offline world of the task
CORRELATION, CHANGE, FLAT = 0.9, 1.5, 2.0
FEWEST_GROUPS = 3  # to hold out whole ones


@dataclass(frozen=True)
class Splits:
    """The three parts; the notices say how much of the test part has a neighbour in training."""

    source: Source
    train: MaskedImages
    valid: MaskedImages
    test: MaskedImages
    classes: Classes | None = None
    """Of the pixels; None where masks number objects."""
    units: str = "images"
    """What is independent of each other, such as slides."""
    notices: tuple[str, ...] = ()

    @property
    def task(self) -> str:
        """Return objects or semantic."""
        return "objects" if self.classes is None else "semantic"


def load(config: Config) -> ImageTable:
    """Read the dataset that `config` names; auto falls back to the offline one, with a notice."""
    if config.dataset == "folder":
        return _own(config)
    import data
    from data.tables import SegmentationImages, SemanticImages

    objects = _task(config) == "objects"
    kind: type[SegmentationImages] | type[SemanticImages]
    kind = SegmentationImages if objects else SemanticImages
    offline = OFFLINE if objects else SEMANTIC_OFFLINE
    return data.load_table(
        kind,
        offline if config.dataset == OF_THE_TASK else config.dataset,
        public=PUBLIC if objects else SEMANTIC_PUBLIC,
        offline=offline,
        own=config.own_datasets,
        seed=config.seed,
        images=config.world.images,
    )


def _task(config: Config) -> str:
    """Return the task of the dataset that is named, or raise if another one was asked for."""
    of = {PUBLIC: "objects", OFFLINE: "objects"}
    of |= {SEMANTIC_PUBLIC: "semantic", SEMANTIC_OFFLINE: "semantic"}
    if config.dataset in ("auto", OF_THE_TASK):
        return "objects" if config.task == "auto" else config.task
    if config.dataset not in of:
        known = ", ".join(f"{name} ({task})" for name, task in of.items())
        raise ValueError(
            f"dataset: segmentation does not take {config.dataset!r}; give --dataset one of"
            f" {known}, or folder with --data.path for your own images and masks"
        )
    task = of[config.dataset]
    if config.task not in ("auto", task):
        what = "numbered objects" if task == "objects" else "a class for each pixel"
        raise ValueError(
            f"task: {config.dataset} holds {what}; give --task {task}, or another --dataset"
        )
    return task


def _own(config: Config) -> ImageTable:
    """Read the user's own folder, as classes if `task` says so."""
    from data.files import objects_from_folder, semantic_from_folder

    own = config.data
    if config.task == "semantic":
        return semantic_from_folder(
            own.path, own, names=own.names, palette=own.palette, ignore=own.ignore,
            longest_side=own.longest_side,
        )  # fmt: skip
    return objects_from_folder(own.path, own, certain=config.task == "objects")


@dataclass(frozen=True)
class Grouping:
    """Which images belong together, int64 (N,), and the words for it."""

    groups: np.ndarray
    noun: str
    plural: str
    neighbour: str

    def seen(self, rows: Sequence[np.ndarray]) -> str:
        """Say how many of the test images have a neighbour in training."""
        known = self.groups[np.concatenate(rows[:2])]
        share = np.isin(self.groups[rows[2]], known).mean()
        return f"{share:.0%} of the test images have {self.neighbour} in training"


def split(table: ImageTable, config: Config) -> Splits:
    """Split into train, valid and test: as the source has it, else by group or by image."""
    from data.tables import SemanticImages

    classes = None
    if isinstance(table, SemanticImages):
        classes = Classes(table.class_names, table.values)
    images = list(table.images)
    coloured = "stained" if getattr(table, "kinds", ()) else "colour"
    kinds = ["" if classes else modality(image, coloured) for image in images]
    grouping = _grouping(table, images)
    groups = np.arange(len(images)) if grouping is None else grouping.groups
    if table.split:
        rows, notices = _kept(table.split, groups, grouping, config)
    else:
        rows, notices = _drawn(groups, grouping, kinds, config)
    parts = [
        MaskedImages(
            [images[i] for i in part],
            [table.masks[i] for i in part],
            groups[part],
            [kinds[i] for i in part],
        )
        for part in rows
    ]
    if classes is not None:
        occur = {name: np.unique(np.concatenate([np.unique(mask) for mask in part.masks]))
                 for name, part in zip(("train", "valid", "test"), parts, strict=True)}  # fmt: skip
        notices += lacking(occur, classes.names, unit="a pixel")
    notices += repeated(parts[0].images, parts[2].images)
    units = "images" if grouping is None else grouping.plural
    return Splits(table.source, parts[0], parts[1], parts[2], classes, units, tuple(notices))


def _grouping(table: ImageTable, images: Sequence[np.ndarray]) -> Grouping | None:
    """Find which images belong together: as the source says, by their names, by their edges."""
    from data.files import are_neighbours_alike, series_groups, series_of, thumbnail
    from data.tables import SegmentationImages

    if table.groups:
        groups = np.unique(table.groups, return_inverse=True)[1].astype(np.int64)
        return Grouping(groups, "group", "groups", "an image of their group")
    series = series_of(table.names)
    if are_neighbours_alike(np.stack([thumbnail(image) for image in images]), series):
        groups = series_groups(table.names, series)
        return Grouping(groups, "series", "series", "an image of their series")
    if not isinstance(table, SegmentationImages):
        return None
    mosaics = find_mosaics(images)
    if table.kinds:
        return Grouping(mosaics, "slide", "slides", "a tile of their slide")
    found = len(np.unique(mosaics)) < len(images)
    return Grouping(mosaics, "mosaic", "mosaics", "a tile of their mosaic") if found else None


def _kept(
    given: Mapping[str, np.ndarray],
    groups: np.ndarray,
    grouping: Grouping | None,
    config: Config,
) -> tuple[list[np.ndarray], list[str]]:
    """Return the rows of the source's own parts; what is missing of them is drawn from train."""
    if "train" not in given or len(given) < 2:
        raise ValueError(
            f"split: the data has the parts {', '.join(given)} alone; give train and test, or"
            " images without parts, of which they are drawn"
        )
    rows, said = dict(given), "the split is the data's own"
    shares = {"test": config.split.test_share, "valid": config.split.valid_share}
    for part in [part for part in shares if part not in given]:
        rest, held = _held_out(groups[rows["train"]], shares[part], seed=config.seed)
        rows[part], rows["train"] = rows["train"][held], rows["train"][rest]
        said += f"; {len(held):,} images of train were drawn for the {part} part"
    parts = [rows["train"], rows["valid"], rows["test"]]
    if grouping is not None:
        said += f"; {grouping.seen(parts)}"
    return parts, [said]


def _drawn(
    groups: np.ndarray, grouping: Grouping | None, kinds: Sequence[str], config: Config
) -> tuple[list[np.ndarray], list[str]]:
    """Draw the rows of the parts, by group or one by one, each modality by itself."""
    test, valid = config.split.test_share, config.split.valid_share
    shares = ((1 - test) * (1 - valid), (1 - test) * valid, test)
    together = groups if config.split.by == "group" else np.arange(len(groups))
    try:
        rows, rare = _split_by_kind(together, kinds, shares, seed=config.seed)
    except ValueError:
        if grouping is None or grouping.noun != "series":
            raise
        rest, held = _held_out(groups, test, seed=config.seed)
        inner, chosen = _held_out(groups[rest], valid, seed=config.seed)
        rows, rare = [rest[inner], rest[chosen], held], []
    count = len(groups)
    if grouping is None:
        said = (
            f"the {count:,} images were drawn one by one: neither tiles of one image nor neighbours"
            " that look alike were found among them"
        )
    else:
        by = grouping.noun if config.split.by == "group" else "image"
        said = f"split by {by}: {len(np.unique(groups))} {grouping.plural} in {count} images"
        said += f"; {grouping.seen(rows)}"
    return rows, [said] + [
        f"the {kinds.count(kind)} {kind} images are too few groups to be in every part, so all of"
        " them are in training"
        for kind in rare
    ]


def _held_out(groups: np.ndarray, share: float, *, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows that stay and those held out: whole groups, or the end of each long one.

    With too few groups, the last of the images of each go, so that neighbours meet at one cut only.
    """
    count = len(np.unique(groups))
    if count >= FEWEST_GROUPS and round((1 - share) * count) < count:
        rest, held = grouped_split(groups, (1 - share, share), seed=seed)
        if len(held) < 2 * share * len(groups):
            return rest, held
    late = np.zeros(len(groups), bool)
    for group in np.unique(groups):
        rows = np.flatnonzero(groups == group)
        late[rows[len(rows) - round(share * len(rows)) :]] = True
    if not late.any() or late.all():
        raise ValueError(f"{len(groups)} images are too few to hold {share:.0%} out: add some")
    return np.flatnonzero(~late), np.flatnonzero(late)


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
            f"{len(groups)} images of {len(np.unique(groups))} groups (tiles of one slide are one"
            f" group) are too few for {len(shares)} parts; add images of other groups"
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


def modality(image: np.ndarray, coloured: str = "stained") -> str:
    """Tell a grey image (fluorescence) from a coloured one by its colours."""
    low, high = image.min(axis=2).astype(np.int16), image.max(axis=2).astype(np.int16)
    return "grey" if float((high - low).mean()) < 2 else coloured


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
