"""A user's folders of images, boxes, masks and search collections."""

import numpy as np
import pytest
from PIL import Image

from data.files import (
    detection_from_voc,
    images_from_folder,
    segmentation_from_folder,
)


def save(path, *, size=(8, 6), color=(10, 20, 30)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, color).save(path)


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


@pytest.fixture
def classes(tmp_path):
    for number in range(10):
        save(tmp_path / "cat" / f"{number}.png", color=(number, 0, 0))
        save(tmp_path / "dög" / f"{number}.jpg", color=(0, number, 0))
    write(tmp_path / "cat" / "notes.txt", "no image")
    return tmp_path


def test_images_one_class_a_folder(classes):
    table = images_from_folder(classes, seed=4)
    assert table.label_names == ("cat", "dög")
    assert table.train_images.shape == (16, 6, 8, 3)
    assert table.train_images.dtype == np.uint8
    assert np.bincount(table.test_labels).tolist() == [2, 2]
    again = images_from_folder(classes, seed=4)
    assert (again.test_images == table.test_images).all()
    assert table.source.rows == "16 train images, 4 test images, 2 classes"


def test_grey_images_have_no_channels(tmp_path):
    for name in "ab":
        for number in range(3):
            save(tmp_path / name / f"{number}.png", color=(7 + number,) * 3)
    assert images_from_folder(tmp_path).train_images.shape[1:] == (6, 8)


def test_split_of_the_folders_is_kept(tmp_path):
    for part, count in (("train", 3), ("test", 2)):
        for name in "ab":
            for number in range(count):
                save(tmp_path / part / name / f"{number}.png", color=(number, 1, 2))
    table = images_from_folder(tmp_path)
    assert (len(table.train_images), len(table.test_images)) == (6, 4)


def test_a_class_of_the_test_alone_is_named(tmp_path):
    for folder in ("train/a", "train/b", "test/a", "test/b", "test/c"):
        save(tmp_path / folder / "1.png")
    with pytest.raises(ValueError, match="test/c: no class of that name"):
        images_from_folder(tmp_path)


def test_too_few_images_to_set_any_aside_and_folders_named_as_images(tmp_path):
    for name in "ab":
        save(tmp_path / name / "1.png")
        (tmp_path / name / "2.png").mkdir()
    with pytest.raises(ValueError, match="2 rows are too few to set 20% of each class aside"):
        images_from_folder(tmp_path)


def test_sizes_must_agree_or_be_given(classes):
    save(classes / "cat" / "wide.png", size=(20, 6))
    with pytest.raises(ValueError, match=r"wide\.png: 20 x 6 pixels, but .*0\.png has 8 x 6"):
        images_from_folder(classes)
    assert images_from_folder(classes, size=5).train_images.shape[1:] == (5, 5, 3)


def test_broken_image_is_named(classes):
    whole = (classes / "cat" / "3.png").read_bytes()
    (classes / "cat" / "3.png").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match=r"cat/3\.png: not a readable image \(of no known"):
        images_from_folder(classes)
    Image.fromarray(np.zeros((9, 9), np.float32)).save(classes / "cat" / "3.tif")
    (classes / "cat" / "3.png").unlink()
    with pytest.raises(ValueError, match=r"cat/3\.tif: .*floating-point"):
        images_from_folder(classes)


def test_folders_that_hold_nothing_are_named(classes, tmp_path):
    with pytest.raises(ValueError, match="none: no such folder"):
        images_from_folder(tmp_path / "none")
    with pytest.raises(ValueError, match="cat: 0 sub-folders"):
        images_from_folder(classes / "cat")
    (classes / "empty").mkdir()
    with pytest.raises(ValueError, match="empty: no image in it"):
        images_from_folder(classes)


def voc(*objects):
    boxes = "".join(
        f"<object><name>{name}</name><bndbox><xmin>{x0}</xmin><ymin>{y0}</ymin>"
        f"<xmax>{x1}</xmax><ymax>{y1}</ymax></bndbox></object>"
        for name, x0, y0, x1, y1 in objects
    )
    return f"<annotation>{boxes}</annotation>"


@pytest.fixture
def voc_folder(tmp_path):
    for number in range(10):
        save(tmp_path / "JPEGImages" / f"{number}.jpg", size=(40, 30))
        write(tmp_path / "Annotations" / f"{number}.xml", voc(("cell", 1, 2, 10, 12)))
    return tmp_path


def test_voc_folder(voc_folder):
    write(
        voc_folder / "Annotations" / "0.xml",
        voc(("virus", 30, 20, 45, 35), ("cell", 5, 5, 5, 9), ("cell", 0, 0, 4, 4)),
    )
    table = detection_from_voc(voc_folder, seed=0)
    assert table.label_names == ("cell", "virus")
    assert table.boxes[0].tolist() == [[30, 20, 40, 30], [0, 0, 4, 4]]
    assert table.labels[0].tolist() == [1, 0]
    assert table.images[0].shape == (30, 40, 3)
    assert [len(table.split[part]) for part in ("train", "valid", "test")] == [7, 1, 2]
    assert sorted(np.concatenate(list(table.split.values()))) == list(range(10))
    assert "1 boxes were clipped" in table.source.notice
    assert "1 boxes without area were dropped" in table.source.notice


def test_voc_split_of_the_folder_is_kept(voc_folder):
    write(voc_folder / "ImageSets" / "Main" / "train.txt", "1\n2\n")
    write(voc_folder / "ImageSets" / "Main" / "test.txt", "0\n")
    split = detection_from_voc(voc_folder).split
    assert {part: rows.tolist() for part, rows in split.items()} == {
        "train": [1, 2],
        "valid": [],
        "test": [0],
    }
    write(voc_folder / "ImageSets" / "Main" / "test.txt", "77\n")
    with pytest.raises(ValueError, match=r"test\.txt: '77' has no annotation"):
        detection_from_voc(voc_folder)


@pytest.mark.parametrize(("train", "test"), [("1 2", "0 2"), ("1 2 1", "0")])
def test_a_picture_listed_twice_is_named(voc_folder, train, test):
    write(voc_folder / "ImageSets" / "Main" / "train.txt", train)
    write(voc_folder / "ImageSets" / "Main" / "test.txt", test)
    with pytest.raises(ValueError, match="is listed twice"):
        detection_from_voc(voc_folder)


@pytest.mark.parametrize(
    ("xml", "message"),
    [
        ("<annotation><object>", "not a Pascal-VOC annotation"),
        ("<annotation><object><name>a</name></object></annotation>", "not a Pascal-VOC annotation"),
        (voc(("a", 1, 2, "nan", 9)), "is not finite"),
        (voc(("a", 1, 2, "inf", 9)), "is not finite"),
        (voc((" ", 1, 2, 8, 9)), "an object without a name"),
        ('<!DOCTYPE x [<!ENTITY a "b">]><annotation/>', "declares entities"),
    ],
)
def test_malformed_annotation_is_named(voc_folder, xml, message):
    write(voc_folder / "Annotations" / "4.xml", xml)
    with pytest.raises(ValueError, match=rf"4\.xml: .*{message}"):
        detection_from_voc(voc_folder)


def test_broken_or_absent_image_of_an_annotation_is_named(voc_folder):
    (voc_folder / "JPEGImages" / "5.jpg").write_bytes(b"\xff\xd8broken")
    with pytest.raises(ValueError, match=r"5\.jpg: not a readable image"):
        detection_from_voc(voc_folder)
    (voc_folder / "JPEGImages" / "5.jpg").unlink()
    with pytest.raises(ValueError, match=r"5\.xml: no image of that name"):
        detection_from_voc(voc_folder)


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
