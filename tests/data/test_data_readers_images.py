"""Readers of the public images on tiny files of the same format, made up here."""

import gzip
import io
import struct

import numpy as np
import pytest
from PIL import Image
from tiny_dataset import fetched, zipped

from data import bccd, fashion_mnist, nuclei


def png(array, **options):
    packed = io.BytesIO()
    Image.fromarray(array).save(packed, "PNG", **options)
    return packed.getvalue()


def jpeg(height, width):
    packed = io.BytesIO()
    Image.new("RGB", (width, height), (200, 10, 10)).save(packed, "JPEG")
    return packed.getvalue()


def idx(array):
    header = b"\x00\x00\x08" + bytes([array.ndim]) + struct.pack(f">{array.ndim}i", *array.shape)
    return gzip.compress(header + array.astype(np.uint8).tobytes())


def test_fashion_mnist(tmp_path):
    rng = np.random.default_rng(0)
    images, labels = rng.integers(0, 256, (5, 4, 3)), np.arange(5)
    names = list(fashion_mnist._FILES)
    contents = dict(zip(names, map(idx, (images, labels, images[:2], labels[:2])), strict=True))
    table = fashion_mnist.read(fetched(fashion_mnist.CARD, tmp_path, contents))
    assert table.train_images.dtype == np.uint8
    assert (table.train_images == images).all()
    assert table.train_labels.dtype == np.int64
    assert table.test_images.shape == (2, 4, 3)


@pytest.mark.parametrize("raw", [b"", b"\x00\x00\x0d\x01", b"\x00\x00\x08\x01\x00\x00\x00\x09ab"])
def test_idx_that_is_none_is_named(tmp_path, raw):
    (tmp_path / "x.gz").write_bytes(gzip.compress(raw))
    with pytest.raises(ValueError, match=r"x\.gz: "):
        fashion_mnist.read_idx(tmp_path / "x.gz")


def voc(*objects):
    boxes = "".join(
        f"<object><name>{name}</name><bndbox><xmin>{x0}</xmin><ymin>{y0}</ymin>"
        f"<xmax>{x1}</xmax><ymax>{y1}</ymax></bndbox></object>"
        for name, x0, y0, x1, y1 in objects
    )
    return f"<annotation>{boxes}</annotation>"


@pytest.mark.parametrize("wrap", ["", "BCCD_Dataset-d272fb1/"])
def test_bccd_in_either_form_drops_boxes_without_area(tmp_path, wrap):
    members = {
        f"{wrap}README.md": "x",
        f"{wrap}BCCD/Annotations/b.xml": voc(("RBC", 1, 2, 30, 40), ("RBC", 5, 5, 5, 5)),
        f"{wrap}BCCD/Annotations/a.xml": voc(("WBC", 1, 2, 3, 4), ("Platelets", 0, 0, 9, 9)),
        f"{wrap}BCCD/JPEGImages/b.jpg": jpeg(48, 64),
        f"{wrap}BCCD/JPEGImages/a.jpg": jpeg(48, 64),
        f"{wrap}BCCD/ImageSets/Main/train.txt": "b\n",
        f"{wrap}BCCD/ImageSets/Main/val.txt": "",
        f"{wrap}BCCD/ImageSets/Main/test.txt": "a\n",
    }
    table = bccd.read(fetched(bccd.CARD, tmp_path, {"set.zip": zipped(members)}, form=bool(wrap)))
    assert [image.shape for image in table.images] == [(48, 64, 3)] * 2
    assert table.images[0].dtype == np.uint8
    assert [box.tolist() for box in table.boxes] == [[[1, 2, 3, 4], [0, 0, 9, 9]], [[1, 2, 30, 40]]]
    assert [label.tolist() for label in table.labels] == [[1, 2], [0]]
    assert {part: rows.tolist() for part, rows in table.split.items()} == {
        "train": [1],
        "valid": [],
        "test": [0],
    }


def test_bccd_annotation_of_an_unknown_class_is_named(tmp_path):
    members = {
        "BCCD/Annotations/a.xml": voc(("Alien", 1, 2, 3, 4)),
        "BCCD/JPEGImages/a.jpg": jpeg(8, 8),
    }
    with pytest.raises(
        ValueError, match=r"a\.xml: object 'Alien' is not one of RBC, WBC, Platelets"
    ):
        bccd.read(fetched(bccd.CARD, tmp_path, {"set.zip": zipped(members)}))


def test_nuclei_official_form_is_converted(tmp_path):
    gray = np.full((6, 8, 4), 255, np.uint8)
    gray[..., :3] = 40
    stained = gray.copy()
    stained[..., 0] = 90
    first, second = np.zeros((2, 6, 8), np.uint8)
    first[1:3, 1:3] = 255
    second[2:5, 2:6] = 255  # shares pixel (2, 2) with the first
    members = {
        "stage1_train/bb/images/bb.png": png(gray),
        "stage1_train/bb/masks/2.png": png(second),
        "stage1_train/bb/masks/1.png": png(first),
        "aa/images/aa.png": png(stained),  # the archive has no folder around it in some copies
        "aa/masks/m.png": png(first),
        "aa/masks/n.png": png(first),  # wholly covered: no label of its own
        "big/images/big.png": png(np.zeros((400, 10, 4), np.uint8)),
        "big/masks/m.png": png(np.full((400, 10), 255, np.uint8)),
    }
    table = nuclei.read(
        fetched(
            nuclei.CARD,
            tmp_path,
            {"stage1_train.zip": zipped(members)},
            form=1,
            published={"official_images": 3},
        )
    )
    assert table.names == ("aa", "bb")
    assert table.kinds == ("stained_rgb", "fluorescence_gray")
    assert table.images[1].shape == (6, 8, 3)
    assert table.masks[1].dtype == np.uint16
    assert table.masks[1][2, 2] == 1
    assert (table.masks[1] == 2).sum() == 3 * 4 - 1
    assert table.masks[0].max() == 1
    assert "without the community's corrections" in table.source.notice


def test_nuclei_official_form_with_images_missing_is_refused(tmp_path):
    archive = zipped({"aa/images/aa.png": png(np.zeros((4, 4, 4), np.uint8))})
    with pytest.raises(ValueError, match="holds 1 images of 670"):
        nuclei.read(fetched(nuclei.CARD, tmp_path, {"stage1_train.zip": archive}, form=1))


def test_nuclei_repack(tmp_path):
    import tarfile

    mask = np.zeros((5, 7), np.uint16)
    mask[1, 1], mask[3, 3] = 1, 300
    webp = io.BytesIO()
    Image.new("L", (7, 5), 99).save(webp, "WEBP", lossless=True)
    members = {
        "images/aa.webp": webp.getvalue(),
        "labels/aa.png": png(mask),
        "index.csv": b"image_id,width,height,kind,nuclei,kept\naa,7,5,fluorescence_gray,2,1\n",
    }
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    table = nuclei.read(fetched(nuclei.CARD, tmp_path, {"set.tar": packed.getvalue()}))
    assert (table.masks[0] == mask).all()
    assert table.images[0].shape == (5, 7, 3)
    assert table.kinds == ("fluorescence_gray",)
