"""Colour photographs of 32 pixels in ten classes: crops of CamVid's street scenes.

    python -m benchmarks.ablations.crops crops      makes crops/train, crops/val and crops/test

A crop is a square around a pixel drawn from those of its class, of 20 to 44 pixels of the image,
that shows the class in three tenths of its inner half or more. The parts are those of the frames,
so a test crop is from a test frame; neighbouring frames of a drive are alike, and so are the crops
of one part. CamVid is for personal and research use only (CC BY-NC 4.0): the crops are made from
the fetched dataset, and are not part of the repository.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from data.tables import SemanticImages

COUNTS = {"train": 400, "valid": 60, "test": 300}  # crops of each class
FOLDERS = {"train": "train", "valid": "val", "test": "test"}
SIDE, WIDTHS = 32, (20, 44)  # pixels of the crop; of the image
LEFT_OUT = ("pole",)  # thinner than a crop
INNER_SHARE = 0.3
TRIES = 200  # for each crop


def main(arguments: Sequence[str]) -> int:
    """Write the crops of CamVid into a folder."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.ablations.crops",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("folder", type=Path)
    write_camvid(parser.parse_args(arguments).folder)
    return 0


def write_camvid(folder: Path) -> None:
    """Write the crops of CamVid."""
    import data

    write(data.load("camvid"), folder)


def write_simulated(folder: Path) -> None:
    """Write a few crops of simulated streets, for a run of seconds."""
    import data

    table = data.load("simulated-streets", images=12)
    parts = dict(zip(COUNTS, np.split(np.arange(12), [6, 9]), strict=True))
    write(replace(table, split=parts), folder, counts=dict.fromkeys(COUNTS, 8))


def write(
    table: SemanticImages, folder: Path, *, counts: dict[str, int] = COUNTS, seed: int = 0
) -> None:
    """Write `counts` crops of each class as `<part>/<class>/<number>.png`.

    A part that shows a class too rarely has fewer of it.
    """
    rng = np.random.default_rng(seed)
    for part, count in counts.items():
        for label, name in enumerate(table.class_names):
            if name in LEFT_OUT:
                continue
            home = folder / FOLDERS[part] / name
            home.mkdir(parents=True, exist_ok=True)
            _write_class(table, table.split[part], label, home, count=count, rng=rng)


def _write_class(
    table: SemanticImages,
    rows: np.ndarray,
    label: int,
    home: Path,
    *,
    count: int,
    rng: np.random.Generator,
) -> None:
    from PIL import Image

    rows = np.array([row for row in rows if (table.masks[row] == label).any()])
    written = 0
    for _ in range(count * TRIES if len(rows) else 0):
        row = int(rng.choice(rows))
        box = _box(table.masks[row], label, table.images[row].shape[0], rng)
        if box is not None:
            image = Image.fromarray(table.images[row])
            crop = image.resize((SIDE, SIDE), Image.Resampling.BOX, box=box)
            crop.save(home / f"{written:04d}.png")
            written += 1
        if written == count:
            return


def _box(
    mask: np.ndarray, label: int, image_height: int, rng: np.random.Generator
) -> tuple[float, float, float, float] | None:
    """Draw a square (x0, y0, x1, y1) in pixels of the image; None where it does not fit."""
    scale = mask.shape[0] / image_height  # masks may be finer than their images
    half = int(rng.integers(*WIDTHS) * scale / 2)
    ys, xs = np.nonzero(mask == label)
    pick = rng.integers(len(ys))
    y, x = int(ys[pick]), int(xs[pick])
    height, width = mask.shape
    if y < half or x < half or y + half > height or x + half > width:
        return None
    inner = mask[y - half // 2 : y + half // 2, x - half // 2 : x + half // 2]
    if (inner == label).mean() < INNER_SHARE:
        return None
    return (x - half) / scale, (y - half) / scale, (x + half) / scale, (y + half) / scale


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
