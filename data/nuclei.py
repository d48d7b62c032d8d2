"""DSB2018 nuclei: microscope images of cell nuclei, one mask a nucleus.

The segmentation room's public set: images of many microscopes, grey fluorescence and stained
tissue, with instance masks. The mirrored form is a repack of the community-corrected stage-1
training set: the 538 images of at most 360 pixels a side as WebP (stained ones with slight loss)
and one uint16 label PNG each. Published figures of ours come from that repack.

Source: Caicedo et al., "Nucleus segmentation across imaging experiments: the 2018 Data Science
Bowl", 2019 (BBBC038). The official zip holds 670 images, RGBA, with one PNG a nucleus; the reader
converts it: alpha dropped, images above 360 pixels left out, masks merged in order of file name,
where a pixel of two masks goes to the first. Its masks lack the corrections, so figures differ a
little.
"""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np

from data.archives import read_members
from data.cards import Card, Fetched, File, Form
from data.errors import Damaged
from data.tables import SegmentationImages, Source, decode_image

LARGEST_SIDE = 360
OFFICIAL_NOTICE = (
    "These are the organisers' own masks, without the community's corrections: figures differ a "
    "little from those published here, which come from the corrected repack."
)
_Parts = tuple[list[str], list[np.ndarray], list[np.ndarray], list[str]]

CARD = Card(
    name="nuclei",
    folder="dsb2018_nuclei",
    title="Data Science Bowl 2018 nuclei",
    task="instance segmentation",
    homepage="https://bbbc.broadinstitute.org/BBBC038",
    licence="CC0 1.0",
    citation="Caicedo et al., Nucleus segmentation across imaging experiments, 2019",
    published={"images": 538, "nuclei": 16667, "official_images": 670},
    forms=(
        Form(
            "repack",
            (
                File(
                    "dsb2018_stage1_le360.tar",
                    12359680,
                    "86f4a107776785930dd3c8a31c6397d4da898cea73d4306fc100019fb6c3b209",
                ),
            ),
            note="Corrected masks, images of at most 360 pixels; our figures come from this form.",
        ),
        Form(
            "official",
            (
                File(
                    "stage1_train.zip",
                    None,
                    None,
                    urls=("https://data.broadinstitute.org/bbbc/BBBC038/stage1_train.zip",),
                ),
            ),
            note="The organisers' masks, uncorrected, converted when read; no checksum is "
            "published, so the number of images is checked. Figures differ a little.",
        ),
    ),
)


def read(fetched: Fetched) -> SegmentationImages:
    """Read either form, images in order of their names."""
    (path,) = fetched.paths.values()
    official = fetched.form.name == "official"
    names, images, masks, kinds = (
        _read_official(path, fetched.card.published["official_images"])
        if official
        else _read_repack(path)
    )
    source = Source(
        name=CARD.name,
        origin=fetched.origin,
        title=CARD.title,
        licence=CARD.licence,
        checksums=fetched.checksums,
        rows=f"{len(images)} images, {sum(int(mask.max()) for mask in masks):,} nuclei",
        notice=OFFICIAL_NOTICE if official else None,
    )
    return SegmentationImages(source, images, masks, tuple(names), tuple(kinds))


def _read_repack(path: Path) -> _Parts:
    members = read_members(path)
    table = [line.split(",") for line in members["index.csv"].decode().splitlines()[1:]]
    kind_of = {row[0]: row[3] for row in table}
    names = sorted(
        name.split("/")[-1].removesuffix(".webp") for name in members if name.endswith(".webp")
    )
    images = [decode_image(members[f"images/{name}.webp"], name=name) for name in names]
    masks = [_decode_labels(members[f"labels/{name}.png"]) for name in names]
    return names, images, masks, [kind_of[name] for name in names]


def _read_official(path: Path, expected: int) -> _Parts:
    """Convert the organisers' archive: `<id>/images/<id>.png` and `<id>/masks/*.png`."""
    members = read_members(path)
    encoded: dict[str, bytes] = {}
    masks_of: dict[str, list[str]] = {}
    for member in sorted(members):
        name, _, rest = member.removeprefix("stage1_train/").partition("/")
        if rest.startswith("images/") and rest.endswith(".png"):
            encoded[name] = members[member]
        elif rest.startswith("masks/") and rest.endswith(".png"):
            masks_of.setdefault(name, []).append(member)
    if len(encoded) != expected:
        raise Damaged(
            f"{path} holds {len(encoded)} images of {expected}. Delete it and fetch it again."
        )
    names: list[str] = []
    images: list[np.ndarray] = []
    masks: list[np.ndarray] = []
    kinds: list[str] = []
    for name in sorted(encoded.keys() & masks_of.keys()):
        image = decode_image(encoded[name], name=name)  # (H, W, 3)
        if max(image.shape[:2]) > LARGEST_SIDE:
            continue
        names.append(name)
        images.append(image)
        masks.append(merge_masks([_decode_labels(members[mask]) for mask in masks_of[name]]))
        gray = bool((image == image[..., :1]).all())
        kinds.append("fluorescence_gray" if gray else "stained_rgb")
    return names, images, masks, kinds


def merge_masks(masks: list[np.ndarray]) -> np.ndarray:
    """Merge one mask a nucleus, each (H, W), to labels 1..n; a shared pixel goes to the first.

    A mask that others cover wholly leaves no label, so that labels stay without gaps.
    """
    merged = np.zeros(masks[0].shape, np.uint16)
    label = 0
    for mask in masks:
        free = (mask > 0) & (merged == 0)
        if free.any():
            label += 1
            merged[free] = label
    return merged


def _decode_labels(encoded: bytes) -> np.ndarray:
    from PIL import Image

    with Image.open(io.BytesIO(encoded)) as image:
        return np.asarray(image).astype(np.uint16)  # (H, W)
