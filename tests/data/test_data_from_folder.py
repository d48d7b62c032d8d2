"""A user's folders of masks."""

import numpy as np
import pytest
from PIL import Image

from data.files import segmentation_from_folder


def save(path, *, size=(8, 6), color=(10, 20, 30)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, color).save(path)


def test_masks(tmp_path):
    mask = np.zeros((6, 8), np.uint16)
    mask[0, 0], mask[5, 5] = 1, 700
    save(tmp_path / "images" / "ü.jpg")
    (tmp_path / "labels").mkdir()
    Image.fromarray(mask).save(tmp_path / "labels" / "ü.png")
    table = segmentation_from_folder(tmp_path)
    assert table.names == ("ü",)
    assert table.masks[0].dtype == np.uint16 and (table.masks[0] == mask).all()
    assert table.source.rows == "1 images, 2 objects"


def test_masks_that_do_not_fit_are_named(tmp_path):
    save(tmp_path / "images" / "a.png")
    with pytest.raises(ValueError, match=r"a\.png: no .*labels/a\.png"):
        segmentation_from_folder(tmp_path)
    save(tmp_path / "labels" / "a.png")
    with pytest.raises(ValueError, match="a label image has one channel"):
        segmentation_from_folder(tmp_path)
    Image.new("L", (3, 3)).save(tmp_path / "labels" / "a.png")
    with pytest.raises(ValueError, match="3 x 3 pixels, its image has 8 x 6"):
        segmentation_from_folder(tmp_path)
    (tmp_path / "labels" / "a.png").write_bytes(b"no png")
    with pytest.raises(ValueError, match=r"labels/a\.png: not a readable image"):
        segmentation_from_folder(tmp_path)
