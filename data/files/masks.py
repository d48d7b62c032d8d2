"""Images with masks: images/<name>.* and labels/<name>.png, 0 for background, 1..n the objects."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from data.files.columns import file_source
from data.files.folders import checked_folder, decode, images_in
from data.tables import SegmentationImages


def segmentation_from_folder(folder: str | Path) -> SegmentationImages:
    """Read images/ and the label images of the same names in labels/."""
    root = checked_folder(Path(folder))
    files = images_in(checked_folder(root / "images"))
    if not files:
        raise ValueError(f"{root / 'images'}: no image in it. Put the images there.")
    images, masks = [], []
    for file in files:
        label = root / "labels" / f"{file.stem}.png"
        if not label.is_file():
            raise ValueError(f"{file}: no {label}. Each image needs a label image of its name.")
        image, mask = decode(file), _decode_mask(label)
        if image.shape[:2] != mask.shape:
            raise ValueError(
                f"{label}: {mask.shape[1]} x {mask.shape[0]} pixels, its image has "
                f"{image.shape[1]} x {image.shape[0]}. Make them equal."
            )
        images.append(image)
        masks.append(mask)
    objects = sum(len(np.unique(mask[mask > 0])) for mask in masks)
    source = file_source((root,), rows=f"{len(images):,} images, {objects:,} objects", notice=None)
    return SegmentationImages(source, images, masks, tuple(file.stem for file in files))


def _decode_mask(path: Path) -> np.ndarray:
    from PIL import Image

    try:
        with Image.open(path) as image:
            mask = np.asarray(image)
    except (OSError, SyntaxError, ValueError) as error:
        raise ValueError(f"{path}: not a readable image ({error}). Save it again.") from error
    if mask.ndim != 2 or mask.dtype.kind not in "bui" or mask.max(initial=0) > 65535:
        raise ValueError(
            f"{path}: a label image has one channel of whole numbers up to 65535, this one is "
            f"{mask.dtype} {mask.shape}. Save it as an 8- or 16-bit grey PNG."
        )
    return mask.astype(np.uint16)
