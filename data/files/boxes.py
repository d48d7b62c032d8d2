"""Images with boxes as Pascal VOC lays them out: JPEGImages/, Annotations/, ImageSets/Main/.

Every image is decoded once while reading, so that a broken one is named now.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from data.files.columns import file_source
from data.files.drawn import drawn_split
from data.files.folders import checked_folder, decode, images_in
from data.tables import DetectionImages, EncodedImages
from data.voc import voc_objects


def detection_from_voc(folder: str | Path, *, seed: int = 0) -> DetectionImages:
    """Read Pascal VOC; without ImageSets/Main, 70 / 10 / 20 % are drawn by `seed`.

    Boxes reaching out of the image are clipped, those without area dropped; both are said.
    """
    root = checked_folder(Path(folder))
    annotations = sorted(checked_folder(root / "Annotations").glob("*.xml"))
    if not annotations:
        raise ValueError(f"{root / 'Annotations'}: no .xml file. Each image needs one.")
    by_name = {file.stem: file for file in images_in(checked_folder(root / "JPEGImages"))}
    objects = [voc_objects(file.read_bytes(), name=str(file)) for file in annotations]
    label_names = tuple(sorted({label for found in objects for label, _ in found}))
    files, boxes, labels, clipped, dropped = [], [], [], 0, 0
    for annotation, found in zip(annotations, objects, strict=True):
        if annotation.stem not in by_name:
            raise ValueError(f"{annotation}: no image of that name in {root / 'JPEGImages'}.")
        files.append(by_name[annotation.stem])
        height, width = decode(files[-1]).shape[:2]
        box = np.array([corners for _, corners in found], np.float32).reshape(-1, 4)  # (n, 4)
        inside = np.clip(box, 0, np.array([width, height, width, height], np.float32))
        sound = (inside[:, 2] > inside[:, 0]) & (inside[:, 3] > inside[:, 1])  # (n,)
        clipped += int((inside != box)[sound].any(axis=1).sum())
        dropped += int((~sound).sum())
        boxes.append(inside[sound])
        number = [label_names.index(label) for label, _ in found]
        labels.append(np.array(number, np.int64)[sound])
    said = [f"{clipped} boxes were clipped to their image"] if clipped else []
    said += [f"{dropped} boxes without area were dropped"] if dropped else []
    source = file_source(
        (root,),
        rows=f"{len(files):,} images, {sum(map(len, boxes)):,} boxes, {len(label_names)} classes",
        notice="; ".join(said) + "." if said else None,
    )
    names = [file.stem for file in files]
    split = _voc_split(root, names) or drawn_split(len(names), seed)
    images = EncodedImages(files, names)
    return DetectionImages(source, images, boxes, labels, label_names, split)


def _voc_split(root: Path, names: list[str]) -> dict[str, np.ndarray] | None:
    """Read ImageSets/Main; None where it is not there."""
    sets = root / "ImageSets" / "Main"
    if not (sets / "train.txt").is_file():
        return None
    index = {name: number for number, name in enumerate(names)}
    split: dict[str, list[str]] = {}
    for ours, theirs in (("train", "train"), ("valid", "val"), ("test", "test")):
        path = sets / f"{theirs}.txt"
        listed = path.read_text(encoding="utf-8").split() if path.is_file() else []
        unknown = [name for name in listed if name not in index]
        if unknown:
            raise ValueError(
                f"{path}: {unknown[0]!r} has no annotation. Add one, or remove it from the list."
            )
        taken = {name: part for part, rows in split.items() for name in rows}
        twice = [name for name in listed if name in taken]
        if twice or len(set(listed)) < len(listed):
            name = twice[0] if twice else max(listed, key=listed.count)
            raise ValueError(f"{path}: {name!r} is listed twice. Keep it in one part, once.")
        split[ours] = listed
    return {part: np.array([index[name] for name in rows]) for part, rows in split.items()}
