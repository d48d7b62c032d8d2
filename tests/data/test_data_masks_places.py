"""A user's own images with masks, where published sets have them: parts, lists, sizes, edges."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from masks_on_disk import SIDE, discs, photo, save, street, write
from PIL import Image

from common.own_files import FolderOptions
from data.files import objects_from_folder, semantic_from_folder


@pytest.mark.parametrize("kind", ["jpg", "png"])
def test_smoothed_edges_of_black_and_white_are_cut(tmp_path, kind):
    rows, columns = np.mgrid[:96, :96]
    disc = ((rows - 40) ** 2 + (columns - 50) ** 2 < 500).astype(np.uint8) * 255
    seen = Image.fromarray(disc).resize((93, 93), Image.Resampling.BICUBIC)
    for number in range(3):
        save(tmp_path / "images" / f"{number}.png", np.asarray(seen.convert("RGB")))
        save(tmp_path / "masks" / f"{number}.{kind}", seen)
    table = objects_from_folder(tmp_path)
    assert [int(mask.max()) for mask in table.masks] == [1] * 3
    assert abs((table.masks[0] > 0).mean() - (disc > 0).mean()) < 0.01
    assert "cut at half brightness" in table.source.notice


def test_a_palette_of_greys_is_grey(tmp_path):
    """A tool that shrinks PNGs numbers the greys anew: white can be the first."""
    shrunk = Image.fromarray((discs(3) == 0).astype(np.uint8))
    shrunk.putpalette([255] * 3 + [0] * 3)
    table = objects_from_folder(write(tmp_path, [shrunk, shrunk]))
    assert [int(mask.max()) for mask in table.masks] == [3, 3]
    assert "covers most" not in table.source.notice


def test_parts_of_the_user_are_kept(tmp_path):
    for part, count in (("train", 5), ("val", 2), ("test", 3)):
        write(tmp_path / "a", [discs(2)] * count, images=f"{part}/images", labels=f"{part}/labels")
        write(tmp_path / "b", [discs(2)] * count, images=f"images/{part}", labels=f"labels/{part}")
        write(tmp_path / "c", [discs(2)] * count, images=part, labels=f"{part}annot")
    for root in ("a", "b", "c"):
        split = objects_from_folder(tmp_path / root).split
        assert {part: len(rows) for part, rows in split.items()} == {
            "train": 5,
            "valid": 2,
            "test": 3,
        }
    table = objects_from_folder(
        None, FolderOptions(train=tmp_path / "a/train", test=tmp_path / "a/test")
    )
    assert sorted(table.split) == ["test", "train"] and len(table.images) == 8
    table = objects_from_folder(tmp_path / "a", FolderOptions(train="train", test="val"))
    assert len(table.split["test"]) == 2


def test_lists_of_pascal_voc_are_kept(tmp_path):
    root = write(
        tmp_path, [street(n, void=255) for n in range(6)], images="JPEGImages",
        labels="SegmentationClass", names="2007_{:06d}",
    )  # fmt: skip
    folder = root / "ImageSets" / "Segmentation"
    folder.mkdir(parents=True)
    (folder / "train.txt").write_text("2007_000000\n2007_000003\n")
    (folder / "val.txt").write_text("2007_000001\n")
    table = semantic_from_folder(root)
    assert table.split["train"].tolist() == [0, 2] and table.split["test"].tolist() == [1]
    assert "3 images are in no list and were left out" in table.source.notice
    assert "the validation part is the test" in table.source.notice
    own = FolderOptions(train=folder / "train.txt", valid=folder / "val.txt")
    assert sorted(semantic_from_folder(root, own).split) == ["train", "valid"]
    (folder / "val.txt").write_text("2007_000003\n")
    with pytest.raises(ValueError, match="'2007_000003' is in two lists"):
        semantic_from_folder(root)


def test_a_mask_for_each_object_in_the_folder_of_its_image(tmp_path):
    for name in ("a", "b", "c"):
        save(tmp_path / name / "images" / f"{name}.png", photo())
        for number in range(2):
            save(
                tmp_path / name / "masks" / f"{number}x.png",
                np.where(discs(2) == number + 1, 255, 0).astype(np.uint8),
            )
    table = objects_from_folder(tmp_path)
    assert table.names == ("a", "b", "c")
    assert all(np.array_equal(mask, discs(2)) for mask in table.masks)
    with pytest.raises(ValueError, match="a mask for each object.*--task objects"):
        semantic_from_folder(tmp_path)


def test_a_part_without_masks_is_left_out_and_said(tmp_path):
    for part in ("train", "val"):
        write(tmp_path, [discs(2)] * 3, images=f"{part}/images", labels=f"{part}/labels")
    save(tmp_path / "test" / "images" / "x.png", photo())
    table = objects_from_folder(tmp_path)
    assert sorted(table.split) == ["test", "train"]
    assert "1 images have no masks; left out" in table.source.notice


@pytest.mark.parametrize(
    ("images", "masks"),
    [
        ("stage1_{}/images", "stage1_{}/masks"),
        ("set_{}_Input", "set_{}_GroundTruth"),
        ("{}", "{}_masks"),
        ("{}Images", "{}Masks"),
        ("images/{}", "annotations/{}"),
    ],
)
def test_parts_are_told_by_a_word(tmp_path, images, masks):
    for part, count in (("Training", 5), ("Test", 2)):
        write(tmp_path, [discs(2)] * count, images=images.format(part), labels=masks.format(part))
    save(tmp_path / images.format("Val") / "lone.png", photo())
    split = objects_from_folder(tmp_path).split
    assert {part: len(rows) for part, rows in split.items()} == {"train": 5, "test": 2}
    shutil.rmtree(tmp_path / masks.format("Test"))
    assert objects_from_folder(tmp_path).split == {}  # train alone: parts are drawn


def test_the_masks_of_the_task_are_taken_where_both_lie_beside_boxes(tmp_path):
    """As in Pascal VOC itself."""
    write(tmp_path, [street(n) for n in range(4)], images="JPEGImages", labels="SegmentationClass")
    objects = [discs(n) for n in (2, 5, 3, 4)]
    write(tmp_path, objects, images="JPEGImages", labels="SegmentationObject")
    (tmp_path / "Annotations").mkdir()
    (tmp_path / "Annotations" / "000.xml").write_text("<annotation/>")
    assert semantic_from_folder(tmp_path).values == (0, 1, 2)
    assert [int(mask.max()) for mask in objects_from_folder(tmp_path).masks] == [2, 5, 3, 4]


@pytest.mark.parametrize(
    ("images", "masks"), [("PNGImages", "PedMasks"), ("Original", "Ground Truth")]
)
def test_two_folders_of_which_one_is_named_as_that_of_masks(tmp_path, images, masks):
    write(tmp_path, [discs(n) for n in (2, 5, 3, 4)], images=images, labels=masks)
    assert len(objects_from_folder(tmp_path).images) == 4


@pytest.mark.parametrize(
    ("image", "mask"),
    [
        ("{}_img", "{}_img"),
        ("{}_img", "{}_img_mask"),
        ("{}_sat", "{}_mask"),
        ("{}_test", "{}_manual1"),
    ],
)
def test_what_pairs_an_image_with_its_mask(tmp_path, image, mask):
    for number in range(3):
        save(tmp_path / "images" / f"{image.format(number)}.png", photo(number))
        save(tmp_path / "1st_manual" / f"{mask.format(number)}.png", discs(number + 2))
    table = objects_from_folder(tmp_path, FolderOptions(labels=Path("1st_manual")))
    assert [int(each.max()) for each in table.masks] == [2, 3, 4]


def test_folders_given_by_name_lie_in_each_part(tmp_path):
    for part in ("training", "test"):
        write(tmp_path, [discs(2)] * 3, images=f"{part}/images", labels=f"{part}/by hand")
        write(tmp_path, [discs(0)] * 3, images=f"{part}/images", labels=f"{part}/mask")
    table = objects_from_folder(tmp_path, FolderOptions(labels=Path("by hand")))
    assert sorted(table.split) == ["test", "train"] and int(table.masks[0].max()) == 2
    for root in (tmp_path, tmp_path / "test"):  # a typing error is not passed over
        with pytest.raises(ValueError, match="masc: no such folder"):
            objects_from_folder(root, FolderOptions(labels=Path("masc")))


def test_masks_beside_their_images_in_a_folder_a_patient(tmp_path):
    for patient in ("p1", "p2"):
        for number in range(2):
            save(tmp_path / "all" / patient / f"{patient}_{number}.tif", photo(number))
            save(tmp_path / "all" / patient / f"{patient}_{number}_mask.tif", discs(number + 2))
    table = objects_from_folder(tmp_path, FolderOptions(group=r"^(p\d)"))
    assert table.names[0] == "p1/p1_0" and table.groups == ("p1", "p1", "p2", "p2")


def test_numbers_in_the_red_channel_are_read(tmp_path):
    red = [np.dstack([discs(n), discs(0), discs(0)]) for n in (2, 5, 3)]
    assert [int(mask.max()) for mask in objects_from_folder(write(tmp_path, red)).masks] == [
        2,
        5,
        3,
    ]


def test_masks_deeper_than_their_images_and_lists_beside_them(tmp_path):
    write(tmp_path, [street(n) for n in range(6)], labels="annotations/trimaps", names="cat_{}")
    lists = {"trainval": range(4), "test": range(4, 6)}
    for part, rows in lists.items():
        text = "# image class\n" + "".join(f"cat_{row} 1 1\n" for row in rows)
        (tmp_path / "annotations" / f"{part}.txt").write_text(text)
    table = semantic_from_folder(tmp_path)
    assert table.split["test"].tolist() == [4, 5] and len(table.split["train"]) == 4
    own = FolderOptions(test=tmp_path / "annotations" / "test.txt")
    (tmp_path / "annotations" / "test.txt").write_text("cat_9\n")
    with pytest.raises(ValueError, match="test.txt, row 1: no image with a mask is called 'cat_9'"):
        semantic_from_folder(tmp_path, own)


def test_a_test_without_labels_is_left_out_and_said(tmp_path):
    for part, mask in (("train", street(0)), ("val", street(1)), ("test", discs(0))):
        write(tmp_path, [mask] * 3, images=f"images/{part}", labels=f"labels/{part}")
    table = semantic_from_folder(tmp_path)
    assert sorted(table.split) == ["test", "train"]
    assert "test part was left out: its masks hold the value 0 alone" in table.source.notice


def test_masks_of_another_size_of_the_same_shape(tmp_path):
    large = [street(n).repeat(2, axis=0).repeat(2, axis=1) for n in range(3)]
    table = semantic_from_folder(write(tmp_path, large))
    assert table.masks[0].shape == (48, 48) and table.images[0].shape == (24, 24, 3)
    assert "3 masks have another size than their image" in table.source.notice
    objects = objects_from_folder(tmp_path, certain=True)
    assert np.array_equal(objects.masks[0], street(0))


def test_masks_are_turned_with_their_image(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    for number in range(3):
        mask = np.zeros((16, SIDE), np.uint8)
        mask[2:6, 4:9] = 1
        stored = np.repeat(mask[..., None] * 200, 3, axis=2)
        save(tmp_path / "images" / f"{number}.png", stored, exif=exif)
        save(tmp_path / "labels" / f"{number}.png", mask)
    table = objects_from_folder(tmp_path)
    assert np.array_equal(table.masks[0] > 0, table.images[0][..., 0] > 0)
    assert "3 masks have the size of the image as stored" in table.source.notice


def test_an_image_of_one_object_in_the_folder_of_its_own(tmp_path):
    for name in "ab":
        save(tmp_path / name / "images" / f"{name}.png", photo())
        save(tmp_path / name / "masks" / "x1.png", discs(1) * 255)
    assert [int(mask.max()) for mask in objects_from_folder(tmp_path).masks] == [1, 1]


def test_sparse_labels_are_not_taken_for_smoothed_edges(tmp_path):
    mask = np.full((64, 64), 255, np.uint8)
    mask[10:13] = np.arange(64) // 3
    table = semantic_from_folder(write(tmp_path, [mask] * 2, side=64))
    assert len(table.class_names) == 22 and "half brightness" not in table.source.notice
