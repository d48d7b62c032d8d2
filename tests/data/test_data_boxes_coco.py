"""A user's own COCO: files of parts, ids and names, images, and what is wrong in a file."""

import json

import pytest
from boxes_on_disk import coco, names_in, save, write, write_coco

from common.own_files import FolderOptions
from data.files import detection_from_coco

FILES = [f"{letter}.jpg" for letter in "abcdefghijkl"]
BOX = ("cell", 1, 2, 10, 12)


def images(folder, files=FILES):
    for name in files:
        save(folder / name, seed=ord(name[0]))


def content(files=FILES, **options):
    return coco(files, [[BOX]] * len(files), **options)


@pytest.fixture
def folder(tmp_path):
    images(tmp_path / "images")
    write_coco(tmp_path / "annotations.json", content())
    return tmp_path


def test_one_file_from_its_folder_or_by_its_name(folder):
    for path in (folder, folder / "annotations.json"):
        table = detection_from_coco(path)
        assert len(table.images) == 12 and table.boxes[0].tolist() == [[1, 2, 10, 12]]
        assert [len(table.split[part]) for part in ("train", "valid", "test")] == [8, 2, 2]


def test_a_relative_path_is_not_looked_for_inside_itself(folder, monkeypatch):
    monkeypatch.chdir(folder.parent)
    inner = folder / folder.name
    write_coco(inner / "annotations.json", content(FILES[:3]))
    with pytest.raises(ValueError, match=r"several \.json files"):
        detection_from_coco(folder.name)
    (inner / "annotations.json").unlink()
    assert len(detection_from_coco(folder.name).images) == 12


def test_the_layout_of_the_data_set_itself(tmp_path):
    images(tmp_path / "train2017", FILES[:10])
    images(tmp_path / "val2017", FILES[:2])
    annotations = tmp_path / "annotations"
    write_coco(annotations / "instances_train2017.json", content(FILES[:10]))
    write_coco(annotations / "instances_val2017.json", content(FILES[:2], first=500))
    write_coco(annotations / "person_keypoints_val2017.json", content(FILES[:2]))
    table = detection_from_coco(tmp_path)
    assert names_in(table, "test") == ["a", "b"]
    assert len(table.split["train"]) == 9 and len(table.split["valid"]) == 1
    assert "the validation part is the test and is never trained on" in table.source.notice
    assert len(detection_from_coco(annotations / "instances_train2017.json").images) == 10
    assert table.images.names[10].endswith("val2017/a.jpg")


def test_an_export_of_parts_beside_their_images(tmp_path):
    for part, files in (("train", FILES[:8]), ("valid", FILES[8:10]), ("test", FILES[10:])):
        images(tmp_path / part, files)
        exported = content(files)
        exported["categories"].insert(0, {"id": 0, "name": "cells", "supercategory": "none"})
        write_coco(tmp_path / part / "_annotations.coco.json", exported)
    table = detection_from_coco(tmp_path)
    assert names_in(table, "test") == ["k", "l"] and names_in(table, "valid") == ["i", "j"]
    assert table.label_names == ("cell",)
    assert table.source.notice == "Classes without a box were left out: cells."


def test_parts_given_by_hand_and_classes_told_by_name(folder):
    write_coco(folder / "mine.json", content(FILES[:9]))
    other = coco(FILES[9:], [[("virus", 0, 0, 5, 5)], [BOX], [BOX]])
    other["categories"] = other["categories"][::-1]
    write_coco(folder / "held.json", other)
    with pytest.raises(ValueError, match=r"several \.json files .*--data\.train, --data\.valid"):
        detection_from_coco(folder)
    table = detection_from_coco(folder, FolderOptions(train="mine.json", test=folder / "held.json"))
    assert names_in(table, "test") == ["j", "k", "l"]
    assert [table.labels[row].tolist() for row in table.split["test"]] == [[1], [0], [0]]


def test_an_image_in_two_parts_is_refused(folder):
    write_coco(folder / "test.json", content(FILES[:2]))
    (folder / "annotations.json").rename(folder / "train.json")
    with pytest.raises(ValueError, match=r"a\.jpg: it is listed twice, in train and in test"):
        detection_from_coco(folder)


def test_crowds_are_kept_apart(folder):
    crowded = content()
    crowded["annotations"][0]["iscrowd"] = 1
    write_coco(folder / "annotations.json", crowded)
    table = detection_from_coco(folder)
    assert len(table.boxes[0]) == 0 and table.ignored_boxes[0].tolist() == [[1, 2, 10, 12]]


def test_images_elsewhere_and_unlisted(folder, tmp_path):
    (folder / "images").rename(folder / "scans of may")
    save(folder / "scans of may" / "m.jpg")
    table = detection_from_coco(folder, FolderOptions(images="scans of may"))
    assert len(table.images) == 12
    assert "1 images in" in table.source.notice and "in no .json file" in table.source.notice


def test_absent_images_are_named_and_refused_if_they_are_many(folder):
    (folder / "images" / "c.jpg").unlink()
    assert "1 of 12 images of" in detection_from_coco(folder).source.notice
    (folder / "images" / "d.jpg").unlink()
    with pytest.raises(ValueError, match=r"2 of 12 images .*: c\.jpg, d\.jpg\. Put them there"):
        detection_from_coco(folder)


def test_corners_in_place_of_sizes_are_refused(folder):
    wrong = content()
    for row in wrong["annotations"]:
        row["bbox"] = [25, 15, 39, 29]
    write_coco(folder / "annotations.json", wrong)
    with pytest.raises(ValueError, match="12 of 12 bbox reach out .*as x0, y0, x1, y1 none does"):
        detection_from_coco(folder)


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        (("annotations", 3, "bbox"), [1, 2, 3], r"annotation of id 300: bbox is \[1, 2, 3\], not"),
        (("annotations", 3, "bbox"), None, "annotation of id 300: bbox is None"),
        (("annotations", 3, "bbox"), [1, 2, 3, "x"], "not four numbers"),
        (("annotations", 3, "bbox"), [1, 2, 3, float("nan")], "not four numbers"),
        (("annotations", 3, "image_id"), 99, "image_id is 99, which is not in 'images'"),
        (("annotations", 3, "category_id"), 99, "category_id is 99, which is not in 'categories'"),
        (("annotations", 3), "text", "annotation 4: image_id is None"),
        (("images", 1, "file_name"), "", "entry 2 of images has no id or no file_name"),
        (("images", 1, "id"), 1, "two images have the id 1"),
        (("categories",), {}, "no list 'categories'"),
    ],
)
def test_what_is_wrong_in_a_file_is_named(folder, place, value, message):
    wrong = content()
    inner = wrong
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = value
    write_coco(folder / "annotations.json", wrong)
    with pytest.raises(ValueError, match=rf"annotations\.json.*{message}"):
        detection_from_coco(folder)


@pytest.mark.parametrize("text", ["", "{", "[]", json.dumps({"shapes": []})])
def test_a_file_that_is_not_coco_is_named(tmp_path, text):
    write(tmp_path / "boxes.json", text)
    with pytest.raises(ValueError, match=r"boxes\.json: not "):
        detection_from_coco(tmp_path / "boxes.json")
    with pytest.raises(ValueError, match=r"no \.json file with the lists"):
        detection_from_coco(tmp_path)
    with pytest.raises(ValueError, match="no such file or folder"):
        detection_from_coco(tmp_path / "none")
