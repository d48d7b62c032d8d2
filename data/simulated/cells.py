"""A world of microscope images with boxes and instance masks: the offline default of vision.

One renderer, two worlds. `generate` imitates a stained blood smear with three kinds of cell, for
detection; `generate_nuclei` imitates nuclei, bright on black or purple on pale, for segmentation.
A cell is a blob whose edge wobbles with the angle,

    r(angle) = radius · (1 + Σ_h amplitude_h · cos(h · angle + phase_h))        h = 2, 3, 5

painted through a soft edge; what is inside the edge is its mask, the extent of the mask its box.
So the truth is exact, unlike that of people who draw boxes. Planted: red cells are pink rings with
a pale centre, white cells large with a dark purple lobed nucleus, platelets small purple dots, of
the relative sizes and counts of real smears. Cells may overlap a little: the later one is on top,
a mask holds what is visible, a box the whole cell, cut at the image's edge.

Shapes: I images, H x W pixels, n cells of an image.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from data.tables import DetectionImages, SegmentationImages, Source

LABEL_NAMES = ("RBC", "WBC", "Platelets")
HARMONICS = np.array([2.0, 3.0, 5.0])
SPLIT = (0.6, 0.2, 0.2)
TRIES = 30  # places tried for a cell before it is left out

# Shares of the image's height, and cells a image; as in photographs of real smears.
RADIUS = np.array([0.105, 0.20, 0.045])
SPREAD = np.array([0.10, 0.12, 0.25])
WOBBLE = np.array([0.05, 0.06, 0.10])
FEWEST, MOST = np.array([6, 1, 0]), np.array([14, 1, 3])


@dataclass(frozen=True)
class Cells:
    """The cells of one image, in the order of painting; each array has n rows."""

    centres: np.ndarray  # (n, 2) x, y in pixels
    radii: np.ndarray  # (n,)
    amplitudes: np.ndarray  # (n, 3) of each harmonic
    phases: np.ndarray  # (n, 3)
    labels: np.ndarray  # (n,) int64


def generate(
    *, seed: int = 0, images: int = 240, height: int = 240, width: int = 320
) -> DetectionImages:
    """A smear of `images` images with boxes of three kinds of cell, split 60 / 20 / 20."""
    _check(images=images, height=height, width=width)
    pictures, boxes, labels = [], [], []
    for rng in np.random.default_rng(seed).spawn(images):
        counts = rng.integers(FEWEST, MOST + 1)  # (3,)
        kinds = np.repeat(np.arange(3), counts)
        radii = height * RADIUS[kinds] * np.exp(SPREAD[kinds] * rng.standard_normal(len(kinds)))
        cells = _place(rng, kinds, radii, WOBBLE[kinds], height, width, overlap=0.25)
        image, _, box = _paint_smear(rng, cells, height, width)
        seen = _large_enough(box)
        pictures.append(image)
        boxes.append(box[seen].astype(np.float32))
        labels.append(cells.labels[seen])
    order = np.random.default_rng(seed).permutation(images)
    first, second = int(SPLIT[0] * images), int((SPLIT[0] + SPLIT[1]) * images)
    parts = np.split(order, [first, second])
    return DetectionImages(
        source=_source(
            "simulated-cells",
            f"{images:,} images, {sum(map(len, boxes)):,} boxes, {len(LABEL_NAMES)} classes",
        ),
        images=pictures,
        boxes=boxes,
        labels=labels,
        label_names=LABEL_NAMES,
        split={
            name: np.sort(part)
            for name, part in zip(("train", "valid", "test"), parts, strict=True)
        },
    )


def generate_nuclei(
    *, seed: int = 0, images: int = 120, height: int = 128, width: int = 128
) -> SegmentationImages:
    """Images of nuclei with a mask for each: three quarters fluorescent, the others stained."""
    _check(images=images, height=height, width=width)
    pictures, masks, kinds = [], [], []
    for number, rng in enumerate(np.random.default_rng(seed).spawn(images)):
        kind = "stained" if number % 4 == 3 else "fluorescence"
        count = int(rng.integers(6, 22))
        radii = min(height, width) * 0.065 * np.exp(0.3 * rng.standard_normal(count))
        labels = np.zeros(count, dtype=np.int64)
        cells = _place(rng, labels, radii, np.full(count, 0.08), height, width, overlap=0.1)
        image, mask = _paint_nuclei(rng, cells, height, width, stained=kind == "stained")
        pictures.append(image)
        masks.append(mask)
        kinds.append(kind)
    total = sum(int(mask.max(initial=0)) for mask in masks)
    return SegmentationImages(
        source=_source("simulated-nuclei", f"{images:,} images, {total:,} nuclei"),
        images=pictures,
        masks=masks,
        names=tuple(f"simulated-{number:05d}" for number in range(images)),
        kinds=tuple(kinds),
    )


def _place(
    rng: np.random.Generator,
    labels: np.ndarray,
    radii: np.ndarray,
    wobble: np.ndarray,
    height: int,
    width: int,
    *,
    overlap: float,
) -> Cells:
    """Put cells where they overlap others by at most that share of a radius; drop the rest."""
    order = np.argsort(-radii)  # the large first, while there is room
    tried = rng.uniform(0, 1, (len(order), TRIES, 2)) * (width, height)
    centres = np.zeros((0, 2))
    kept: list[int] = []
    for cell in order:
        gap = np.linalg.norm(tried[cell][:, None] - centres[None], axis=2)  # (TRIES, placed)
        wanted = radii[cell] + radii[kept] - overlap * np.minimum(radii[cell], radii[kept])
        free = np.flatnonzero((gap >= wanted).all(axis=1))
        if len(free):
            centres = np.vstack([centres, tried[cell][free[0]]])
            kept.append(int(cell))
    shape = (len(labels), len(HARMONICS))
    amplitudes = wobble[:, None] * rng.standard_normal(shape) / HARMONICS * 2
    phases = rng.uniform(0, 2 * np.pi, shape)
    shuffled = rng.permutation(len(kept))  # who lies on top is chance
    chosen = np.array(kept, dtype=np.int64)[shuffled]
    return Cells(
        centres[shuffled], radii[chosen], amplitudes[chosen], phases[chosen], labels[chosen]
    )


def _window(cells: Cells, cell: int, height: int, width: int) -> tuple[slice, slice]:
    """The part of the image that a cell can reach."""
    reach = 1.6 * cells.radii[cell] + 4
    x, y = cells.centres[cell]
    return (
        slice(int(max(0, y - reach)), int(min(height, y + reach + 1))),
        slice(int(max(0, x - reach)), int(min(width, x + reach + 1))),
    )


def _depth(cells: Cells, cell: int, window: tuple[slice, slice]) -> tuple[np.ndarray, np.ndarray]:
    """Pixels inside the edge (> 0) or outside it (< 0), and distance to the centre in radii."""
    y, x = np.mgrid[window] + 0.5
    dx, dy = x - cells.centres[cell, 0], y - cells.centres[cell, 1]
    distance, angle = np.hypot(dx, dy), np.arctan2(dy, dx)
    waves = np.cos(HARMONICS * angle[..., None] + cells.phases[cell])  # (h, w, 3)
    edge = cells.radii[cell] * (1 + waves @ cells.amplitudes[cell])
    return edge - distance, distance / edge


def _paint_smear(
    rng: np.random.Generator, cells: Cells, height: int, width: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Image uint8 (H, W, 3), visible masks uint16 (H, W), whole boxes (n, 4)."""
    canvas = np.empty((height, width, 3))
    canvas[:] = np.array([228, 222, 214]) + rng.normal(0, 6, 3)
    mask = np.zeros((height, width), dtype=np.uint16)
    boxes = np.zeros((len(cells.labels), 4))
    tone = rng.normal(0, 8, 3)
    for cell, label in enumerate(cells.labels):
        window = _window(cells, cell, height, width)
        depth, relative = _depth(cells, cell, window)
        if label == 1:
            centre = cells.centres[cell] - (window[1].start, window[0].start)
            colour = _white(rng, depth.shape, centre, cells.radii[cell])
        else:
            colour = (_platelet if label == 2 else _red)(rng, relative)
        colour = colour + tone
        _blend(canvas[window], colour, depth)
        inside = depth > 0
        mask[window][inside] = cell + 1
        boxes[cell] = _extent(inside, window)
    return _photograph(rng, canvas), mask, boxes


def _red(rng: np.random.Generator, relative: np.ndarray) -> np.ndarray:
    """Pink, with the pale centre of a biconcave disc."""
    pale = np.exp(-((relative / rng.uniform(0.35, 0.6)) ** 4))[..., None]  # (h, w, 1)
    return np.array([205, 150, 152]) + pale * np.array([18, 50, 46]) + rng.normal(0, 4, 3)


def _white(
    rng: np.random.Generator, shape: tuple[int, int], centre: np.ndarray, radius: float
) -> np.ndarray:
    """Lilac, with a dark nucleus of two or three lobes around the centre (x, y)."""
    colour = np.empty((*shape, 3))
    colour[:] = [196.0, 178.0, 206.0]
    y, x = np.mgrid[: shape[0], : shape[1]] + 0.5
    for _ in range(rng.integers(2, 4)):
        lobe = centre + rng.uniform(-0.3, 0.3, 2) * radius
        depth = 0.5 * radius - np.hypot(x - lobe[0], y - lobe[1])
        _blend(colour, np.array([98.0, 62.0, 140.0]) + rng.normal(0, 5, 3), depth)
    return colour


def _platelet(rng: np.random.Generator, relative: np.ndarray) -> np.ndarray:
    """Purple, darker towards the centre."""
    shade = 35 * (1 - np.clip(relative, 0, 1))[..., None]  # (h, w, 1)
    return np.array([170, 130, 178]) - shade + rng.normal(0, 4, 3)


def _paint_nuclei(
    rng: np.random.Generator, cells: Cells, height: int, width: int, *, stained: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Image uint8 (H, W, 3) and masks uint16 (H, W) numbered 1..n without a gap."""
    ground = [226, 208, 222] if stained else [12, 12, 12]
    canvas = np.full((height, width, 3), ground, dtype=np.float64)
    mask = np.zeros((height, width), dtype=np.uint16)
    exposure = rng.uniform(0.5, 1.0)
    for cell in range(len(cells.labels)):
        window = _window(cells, cell, height, width)
        depth, relative = _depth(cells, cell, window)
        shade = rng.normal(1.0, 0.15)
        if stained:
            colour = np.array([120.0, 70.0, 140.0]) * np.clip(shade, 0.6, 1.4)
        else:
            glow = (1 - 0.3 * np.clip(relative, 0, 1) ** 2)[..., None]  # (h, w, 1)
            colour = 190.0 * exposure * np.clip(shade, 0.5, 1.3) * glow * np.ones(3)
        _blend(canvas[window], colour, depth)
        mask[window][depth > 0] = cell + 1
    _, numbered = np.unique(mask, return_inverse=True)  # a cell wholly covered leaves a gap
    numbered = numbered.reshape(mask.shape) + (0 if (mask == 0).any() else 1)
    return _photograph(rng, canvas, grey=not stained), numbered.astype(np.uint16)


def _blend(canvas: np.ndarray, colour: np.ndarray, depth: np.ndarray) -> None:
    """Paint a colour through a soft edge, in place."""
    alpha = (1 / (1 + np.exp(-np.clip(1.5 * depth, -30, 30))))[..., None]  # (h, w, 1)
    canvas += alpha * (colour - canvas)


def _extent(inside: np.ndarray, window: tuple[slice, slice]) -> np.ndarray:
    """Box x0, y0, x1, y1 of the true pixels, x1 and y1 exclusive; zeros if there are none."""
    rows, columns = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
    if not len(rows):
        return np.zeros(4)
    top, left = window[0].start, window[1].start
    return np.array(
        [left + columns[0], top + rows[0], left + columns[-1] + 1, top + rows[-1] + 1], dtype=float
    )


def _large_enough(boxes: np.ndarray) -> np.ndarray:
    """Boxes with at least 4 pixels a side: a sliver at the edge is nothing to find."""
    return ((boxes[:, 2:] - boxes[:, :2]) >= 4).all(axis=1)


def _photograph(rng: np.random.Generator, canvas: np.ndarray, *, grey: bool = False) -> np.ndarray:
    """Uneven light and sensor noise; uint8."""
    height, width = canvas.shape[:2]
    slope = rng.normal(0, 0.04, 2)
    y, x = np.ogrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    light = 1 + slope[0] * x + slope[1] * y
    noise = rng.normal(0, 3, (height, width, 1 if grey else 3))
    return np.clip(canvas * light[..., None] + noise, 0, 255).astype(np.uint8)


def _check(**sizes: int) -> None:
    for name, value in sizes.items():
        least = 5 if name == "images" else 48
        if value < least:
            raise ValueError(f"{name}={value} is out of range: give at least {least}")


def _source(name: str, rows: str) -> Source:
    return Source(
        name=name,
        origin="simulated",
        title="Simulated microscope images",
        licence="Generated by this project, Apache-2.0",
        checksums={},
        rows=rows,
    )
