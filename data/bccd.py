"""BCCD: 364 microscope photographs of blood smears with boxes of three kinds of cell.

The detection room's public set: 640 x 480 JPEGs and Pascal-VOC annotations, 4,155 red cells, 372
white cells and 361 platelets, with the authors' split of 205 / 87 / 72 images. Two boxes have no
area (one each in BloodImage_00338 and BloodImage_00343) and are dropped. Red cells at the rim are
often unlabelled, so precision is understated for every detector.

Source: the BCCD Dataset, 2017. Either the authors' archive at a pinned commit (zip) or a tar of
the same members is read; both are verified by a digest over their members, because the bytes of an
archive that a host makes on request may change while its content does not. Images stay encoded
and are decoded at each look.
"""

from __future__ import annotations

import numpy as np

from data.archives import read_members
from data.cards import Card, Content, Fetched, File, Form
from data.tables import DetectionImages, EncodedImages, Source
from data.voc import parse_voc

_COMMIT = "d272fb14cdff6e473fafeeeba32aba5f560e9e43"
_FOLDERS = ("BCCD/JPEGImages", "BCCD/Annotations", "BCCD/ImageSets/Main")
_CONTENT = Content("3e8c757e7046d96547ca7956d5ad5b4d108e6e47a73934de0ebcaec04158a800", _FOLDERS)
LABEL_NAMES = ("RBC", "WBC", "Platelets")
CARD = Card(
    name="bccd",
    folder="bccd",
    title="BCCD (Blood Cell Count and Detection)",
    task="object detection",
    homepage="https://github.com/Shenggan/BCCD_Dataset",
    licence="MIT",
    citation="Shenggan, BCCD Dataset, 2017",
    published={"images": 364, "RBC": 4155, "WBC": 372, "Platelets": 361, "zero_area": 2},
    forms=(
        Form(
            "repack",
            (
                File(
                    "bccd_voc.tar.gz",
                    7385994,
                    "00f924e24cb1093401595f47819520651cf5e0d8749495dbb4777964b594c449",
                    content=_CONTENT,
                ),
            ),
            note="The images, annotations and splits of the repository in a tar.gz, unchanged.",
        ),
        Form(
            "official",
            (
                File(
                    f"BCCD_Dataset-{_COMMIT[:12]}.zip",
                    None,
                    None,
                    urls=(f"https://github.com/Shenggan/BCCD_Dataset/archive/{_COMMIT}.zip",),
                    content=_CONTENT,
                ),
            ),
            note="The repository at a pinned commit, packed by its host on request.",
        ),
    ),
)


def read(fetched: Fetched) -> DetectionImages:
    """Read images (encoded), boxes and the authors' split."""
    (path,) = fetched.paths.values()
    members = read_members(path, folders=_FOLDERS)
    names = sorted(
        name.split("/")[-1].removesuffix(".jpg") for name in members if name.endswith(".jpg")
    )
    index = {name: number for number, name in enumerate(names)}
    boxes, labels = [], []
    for name in names:
        annotation = members[f"BCCD/Annotations/{name}.xml"]
        box, label = parse_voc(annotation, label_names=LABEL_NAMES, name=f"{name}.xml")
        sound = (box[:, 2] > box[:, 0]) & (box[:, 3] > box[:, 1])  # (n,)
        boxes.append(box[sound])
        labels.append(label[sound])
    split = {
        ours: np.array(
            [index[n] for n in members[f"BCCD/ImageSets/Main/{theirs}.txt"].decode().split()],
            dtype=np.int64,
        )
        for ours, theirs in (("train", "train"), ("valid", "val"), ("test", "test"))
    }
    images = EncodedImages([members[f"BCCD/JPEGImages/{name}.jpg"] for name in names], names)
    source = Source(
        name=CARD.name,
        origin=fetched.origin,
        title=CARD.title,
        licence=CARD.licence,
        checksums=fetched.checksums,
        rows=f"{len(names)} images, {sum(map(len, boxes)):,} boxes, {len(LABEL_NAMES)} classes",
    )
    return DetectionImages(source, images, boxes, labels, LABEL_NAMES, split)
