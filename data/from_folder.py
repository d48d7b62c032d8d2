"""Images, boxes, masks and search collections out of a user's own folder.

    images        <class>/<image>, or train/<class>/<image> and test/<class>/<image>
    boxes         Pascal VOC: JPEGImages/ and Annotations/, ImageSets/Main/ if there is a split
    masks         images/<name>.* and labels/<name>.png, 0 for background and 1..n for the objects
    search        BEIR: corpus.jsonl, queries.jsonl and qrels.tsv (or qrels/test.tsv)

Every image is decoded once while reading, so that a broken one is named now and not in the middle
of a training run.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from data.csv_columns import file_source
from data.from_csv import stratified_test_rows
from data.tables import (
    DetectionImages,
    EncodedImages,
    Images,
    SearchCollection,
    SegmentationImages,
    decode_image,
)
from data.voc import voc_objects

_SUFFIXES = {".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff"}
_LARGEST_GRADE = 127


def images_from_folder(
    path: str | Path, *, size: int | None = None, test_share: float = 0.2, seed: int = 0
) -> Images:
    """Read one class per sub-folder; without a train/ and a test/, the split is drawn by `seed`.

    All images must be of one size, or are made square by `size`. Grey if all of them are.
    """
    root = _folder(Path(path))
    names: tuple[str, ...]
    if (root / "train").is_dir() and (root / "test").is_dir():
        names = _classes(root / "train")
        unseen = sorted(set(_folders(root / "test")) - set(names))
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
    images = _one_size([_decode(file) for file in paths], paths, size)  # (N, H, W, 3)
    if (images == images[..., :1]).all():
        images = np.ascontiguousarray(images[..., 0])  # (N, H, W)
    rows = f"{len(paths) - int(in_test.sum()):,} train images, {int(in_test.sum()):,} test images, "
    source = file_source((root,), rows=rows + f"{len(names)} classes", notice=None)
    return Images(
        source, images[~in_test], labels[~in_test], images[in_test], labels[in_test], names
    )


def detection_from_voc(folder: str | Path, *, seed: int = 0) -> DetectionImages:
    """Read Pascal VOC; without ImageSets/Main, 70 / 10 / 20 % are drawn by `seed`.

    Boxes reaching out of the image are clipped, those without area dropped; both are said.
    """
    root = _folder(Path(folder))
    annotations = sorted(_folder(root / "Annotations").glob("*.xml"))
    if not annotations:
        raise ValueError(f"{root / 'Annotations'}: no .xml file. Each image needs one.")
    by_name = {file.stem: file for file in _images_in(_folder(root / "JPEGImages"))}
    objects = [voc_objects(file.read_bytes(), name=str(file)) for file in annotations]
    label_names = tuple(sorted({label for found in objects for label, _ in found}))
    files, boxes, labels, clipped, dropped = [], [], [], 0, 0
    for annotation, found in zip(annotations, objects, strict=True):
        if annotation.stem not in by_name:
            raise ValueError(f"{annotation}: no image of that name in {root / 'JPEGImages'}.")
        files.append(by_name[annotation.stem])
        height, width = _decode(files[-1]).shape[:2]
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
    split = _voc_split(root, names) or _drawn_split(len(names), seed)
    images = EncodedImages(files, names)
    return DetectionImages(source, images, boxes, labels, label_names, split)


def segmentation_from_folder(folder: str | Path) -> SegmentationImages:
    """Read images/ and the label images of the same names in labels/."""
    root = _folder(Path(folder))
    files = _images_in(_folder(root / "images"))
    if not files:
        raise ValueError(f"{root / 'images'}: no image in it. Put the images there.")
    images, masks = [], []
    for file in files:
        label = root / "labels" / f"{file.stem}.png"
        if not label.is_file():
            raise ValueError(f"{file}: no {label}. Each image needs a label image of its name.")
        image, mask = _decode(file), _decode_mask(label)
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


def search_from_beir(folder: str | Path, *, split: str = "test") -> SearchCollection:
    """Read a collection laid out as BEIR does; judgments of unknown ids are left out and said."""
    root = _folder(Path(folder))
    corpus = list(_json_lines(root / "corpus.jsonl", required=("_id", "text")))
    documents = pl.DataFrame(
        {
            "doc_id": [str(row["_id"]) for row in corpus],
            "title": [str(row.get("title") or "") for row in corpus],
            "text": [str(row["text"] or "") for row in corpus],
        }
    )
    _check_ids(root / "corpus.jsonl", documents["doc_id"])
    rows = list(_json_lines(root / "queries.jsonl", required=("_id", "text")))
    queries = pl.DataFrame(
        {"query_id": [str(row["_id"]) for row in rows], "query": [str(row["text"]) for row in rows]}
    )
    _check_ids(root / "queries.jsonl", queries["query_id"])
    qrels = next(
        (file for file in (root / "qrels.tsv", root / "qrels" / f"{split}.tsv") if file.is_file()),
        root / "qrels.tsv",
    )
    judgments = _read_qrels(qrels)
    known = judgments.join(documents, on="doc_id", how="semi").join(
        queries, on="query_id", how="semi"
    )
    unknown = judgments.height - known.height
    source = file_source(
        (root / "corpus.jsonl", root / "queries.jsonl", qrels),
        rows=f"{documents.height:,} documents, {queries.height:,} queries, {known.height:,} "
        "judgments",
        notice=f"{unknown:,} judgments name unknown ids and were left out." if unknown else None,
    )
    return SearchCollection(source, documents, queries, known)


def _check_ids(path: Path, ids: pl.Series) -> None:
    if not len(ids):
        raise ValueError(f"{path}: contains no rows. It needs one JSON object per line.")
    if not ids.is_unique().all():
        twice = ids.filter(ids.is_duplicated())[0]
        raise ValueError(f"{path}: the _id {twice!r} is on several rows. Give each row its own.")


def _read_qrels(path: Path) -> pl.DataFrame:
    if not path.is_file():
        raise ValueError(f"{path}: no such file. It should hold query id, document id and grade.")
    rows = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        fields = line.split("\t")
        grade = fields[-1].strip()
        if number == 1 and not grade.lstrip("-").isdigit():
            continue  # the header
        if len(fields) != 3 or not grade.lstrip("-").isdigit():
            raise ValueError(
                f"{path}, row {number}: {line[:60]!r} is not query id, document id and a whole "
                "grade between tabs. Correct it."
            )
        if int(grade) > _LARGEST_GRADE:
            raise ValueError(
                f"{path}, row {number}: the grade {grade} is above {_LARGEST_GRADE}. Correct it."
            )
        rows.append((fields[0], fields[1], max(int(grade), 0)))
    return pl.DataFrame(
        rows,
        schema={"query_id": pl.String, "doc_id": pl.String, "grade": pl.Int8},
        orient="row",
    )


def _json_lines(path: Path, *, required: tuple[str, ...]) -> Iterator[dict[str, Any]]:
    if not path.is_file():
        raise ValueError(f"{path}: no such file. It should hold one JSON object per line.")
    with path.open(encoding="utf-8") as stream:
        for number, line in enumerate(stream, start=1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except ValueError as error:
                raise ValueError(
                    f"{path}, row {number}: not JSON ({error}). Correct it."
                ) from error
            absent = [key for key in required if not isinstance(row, dict) or key not in row]
            if absent:
                raise ValueError(f"{path}, row {number}: no {absent[0]!r}. Add it.")
            yield row


def _folder(path: Path) -> Path:
    if not path.is_dir():
        raise ValueError(f"{path}: no such folder. Name an existing one.")
    return path


def _images_in(folder: Path) -> list[Path]:
    return sorted(
        file for file in folder.iterdir() if file.suffix.lower() in _SUFFIXES and file.is_file()
    )


def _folders(root: Path) -> tuple[str, ...]:
    found = (folder.name for folder in root.iterdir() if folder.is_dir())
    return tuple(sorted(name for name in found if not name.startswith(".")))


def _classes(root: Path) -> tuple[str, ...]:
    names = _folders(root)
    if len(names) < 2:
        raise ValueError(
            f"{root}: {len(names)} sub-folders; each class needs one, and two classes are needed."
        )
    return names


def _labelled(root: Path, names: tuple[str, ...]) -> tuple[list[Path], np.ndarray]:
    paths: list[Path] = []
    labels: list[int] = []
    for number, name in enumerate(names):
        found = _images_in(_folder(root / name))
        if not found:
            raise ValueError(f"{root / name}: no image in it. Add some or remove the folder.")
        paths += found
        labels += [number] * len(found)
    return paths, np.array(labels, np.int64)


def _decode(path: Path) -> np.ndarray:
    return decode_image(path.read_bytes(), name=str(path))


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


def _drawn_split(count: int, seed: int) -> dict[str, np.ndarray]:
    order = np.random.default_rng(seed).permutation(count)
    train, valid = round(0.7 * count), round(0.8 * count)
    return {
        "train": np.sort(order[:train]),
        "valid": np.sort(order[train:valid]),
        "test": np.sort(order[valid:]),
    }
