"""Images of one class a folder: <class>/<image>, or below train/ and test/.

Every image is decoded once while reading, so that a broken one is named now and not in the middle
of a training run.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from data.files.columns import file_source
from data.files.drawn import stratified_test_rows
from data.files.folders import checked_folder, decode, folders, images_in
from data.tables import Images


def images_from_folder(
    path: str | Path, *, size: int | None = None, test_share: float = 0.2, seed: int = 0
) -> Images:
    """Read one class per sub-folder; without a train/ and a test/, the split is drawn by `seed`.

    All images must be of one size, or are made square by `size`. Grey if all of them are.
    """
    root = checked_folder(Path(path))
    names: tuple[str, ...]
    if (root / "train").is_dir() and (root / "test").is_dir():
        names = _classes(root / "train")
        unseen = sorted(set(folders(root / "test")) - set(names))
        if unseen:
            raise ValueError(
                f"{root / 'test' / unseen[0]}: no class of that name in {root / 'train'}. Add "
                "images of it there, or remove the folder."
            )
        parts = [_labelled(root / part, names) for part in ("train", "test")]
        paths = parts[0][0] + parts[1][0]
        labels = np.concatenate([parts[0][1], parts[1][1]])
        in_test = np.arange(len(paths)) >= len(parts[0][0])
    else:
        names = _classes(root)
        paths, labels = _labelled(root, names)
        in_test = stratified_test_rows(labels, test_share=test_share, seed=seed)
    images = _one_size([decode(file) for file in paths], paths, size)  # (N, H, W, 3)
    if (images == images[..., :1]).all():
        images = np.ascontiguousarray(images[..., 0])  # (N, H, W)
    rows = f"{len(paths) - int(in_test.sum()):,} train images, {int(in_test.sum()):,} test images, "
    source = file_source((root,), rows=rows + f"{len(names)} classes", notice=None)
    return Images(
        source, images[~in_test], labels[~in_test], images[in_test], labels[in_test], names
    )


def _classes(root: Path) -> tuple[str, ...]:
    names = folders(root)
    if len(names) < 2:
        raise ValueError(
            f"{root}: {len(names)} sub-folders; each class needs one, and two classes are needed."
        )
    return names


def _labelled(root: Path, names: tuple[str, ...]) -> tuple[list[Path], np.ndarray]:
    paths: list[Path] = []
    labels: list[int] = []
    for number, name in enumerate(names):
        found = images_in(checked_folder(root / name))
        if not found:
            raise ValueError(f"{root / name}: no image in it. Add some or remove the folder.")
        paths += found
        labels += [number] * len(found)
    return paths, np.array(labels, np.int64)


def _one_size(images: list[np.ndarray], paths: list[Path], size: int | None) -> np.ndarray:
    """Stack to (N, H, W, 3), resized to a square if `size` is given."""
    if size is not None:
        from PIL import Image

        square = (size, size)
        images = [
            np.asarray(Image.fromarray(image).resize(square, Image.Resampling.BILINEAR))
            for image in images
        ]
    for image, path in zip(images, paths, strict=True):
        if image.shape != images[0].shape:
            raise ValueError(
                f"{path}: {image.shape[1]} x {image.shape[0]} pixels, but {paths[0]} has "
                f"{images[0].shape[1]} x {images[0].shape[0]}. Give a size to resize all to."
            )
    return np.stack(images)
