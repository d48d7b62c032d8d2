"""A user's own YOLO: folders, lists and data.yaml, names of classes, and rows that are wrong."""

import numpy as np
import pytest
from boxes_on_disk import names_in, save, write

from common.own_files import FolderOptions
from data.files import detection_from_yolo

NAMES = [f"{letter}" for letter in "abcdefghijkl"]
ROW = "1 0.5 0.5 0.25 0.2\n"


def fill(images, labels, names, row=ROW):
    for number, name in enumerate(names):
        save(images / f"{name}.png", seed=number)
        write(labels / f"{name}.txt", row)


@pytest.fixture
def folder(tmp_path):
    fill(tmp_path / "images", tmp_path / "labels", NAMES)
    write(tmp_path / "data.yaml", "names:\n  0: cat\n  1: dog\n")
    return tmp_path


def test_rows_are_centre_and_size(folder):
    table = detection_from_yolo(folder)
    assert np.allclose(table.boxes[0], [[15, 12, 25, 18]])
    assert table.label_names == ("dog",) and "without a box were left out: cat." in (
        table.source.notice
    )
    assert names_in(detection_from_yolo(folder / "data.yaml"), "test") == names_in(table, "test")


@pytest.mark.parametrize("inner", ["{kind}/{part}", "{part}/{kind}", "{part}"])
@pytest.mark.parametrize("described", [False, True])
def test_parts_by_folders_or_by_data_yaml(tmp_path, inner, described):
    given = {"train": NAMES[:8], "val": NAMES[8:10], "test": NAMES[10:]}
    entries = []
    for part, names in given.items():
        own, theirs = (inner.format(part=part, kind=kind) for kind in ("images", "labels"))
        fill(tmp_path / own, tmp_path / theirs, names)
        entries.append(f"{part}: ../{own}\n")  # as Roboflow writes them
    yaml = "".join(entries if described else []) + "names: [cat, dog]\nnc: 2\n"
    write(tmp_path / "data.yaml", yaml)
    table = detection_from_yolo(tmp_path)
    found = [names_in(table, part) for part in ("train", "valid", "test")]
    assert found == list(given.values())


def test_paths_of_another_machine_are_said_and_the_folders_found(tmp_path):
    fill(tmp_path / "images/train", tmp_path / "labels/train", NAMES[:10])
    fill(tmp_path / "images/val", tmp_path / "labels/val", NAMES[10:])
    yaml = "path: /content/set\ntrain: pictures/train\nval: pictures/val\nnames: [cat, dog]\n"
    write(tmp_path / "data.yaml", yaml)
    table = detection_from_yolo(tmp_path)
    assert names_in(table, "test") == NAMES[10:]
    assert "names train: pictures/train, val: pictures/val, which is not there" in (
        table.source.notice
    )


def test_training_images_named_as_validation_too_are_said(folder):
    write(folder / "data.yaml", "train: images\nval: images\nnames: [cat, dog]\n")
    table = detection_from_yolo(folder)
    assert "The valid part given is that of training; it was not used." in table.source.notice
    assert not set(names_in(table, "train")) & set(names_in(table, "valid"))


def test_lists_of_images_and_names_beside_them(tmp_path):
    fill(tmp_path / "obj_train_data", tmp_path / "obj_train_data", NAMES)
    write(tmp_path / "obj.names", "cat\ndog\n")
    write(
        tmp_path / "train.txt", "\n".join(f"data/obj_train_data/{name}.png" for name in NAMES[:9])
    )
    write(tmp_path / "test.txt", "\n".join(f"obj_train_data/{name}.png" for name in NAMES[9:]))
    table = detection_from_yolo(tmp_path)
    assert names_in(table, "test") == NAMES[9:] and table.label_names == ("dog",)
    write(tmp_path / "test.txt", "obj_train_data/none.png\nnor.png\n")
    with pytest.raises(ValueError, match=r"(?s)2 faults.*test\.txt, row 1: no image .*none\.png"):
        detection_from_yolo(tmp_path)


def test_parts_given_by_hand(folder):
    fill(folder / "Held" / "Images" / "may", folder / "Held" / "Labels" / "may", ["x", "y"])
    table = detection_from_yolo(folder, FolderOptions(train="images", test="Held/Images"))
    assert names_in(table, "test") == ["x", "y"] and len(table.split["train"]) == 11


def test_folders_given_by_hand(tmp_path):
    fill(tmp_path / "scans", tmp_path / "truth", NAMES)
    assert (
        len(detection_from_yolo(tmp_path, FolderOptions(images="scans", labels="truth")).images)
        == 12
    )


def test_classes_without_names_have_their_number(folder):
    (folder / "data.yaml").unlink()
    table = detection_from_yolo(folder)
    assert table.label_names == ("class 1",) and "Nothing names the classes" in table.source.notice
    write(folder / "labels" / "classes.txt", "cat\ndog\n")
    assert detection_from_yolo(folder).label_names == ("dog",)


def test_images_without_rows_are_background(folder):
    (folder / "labels" / "a.txt").unlink()
    write(folder / "labels" / "b.txt", "\n")
    table = detection_from_yolo(folder)
    assert len(table.images) == 12 and [len(boxes) for boxes in table.boxes[:3]] == [0, 0, 1]
    assert "1 images have no .txt file and count as images without an object." in (
        table.source.notice
    )


def test_outlines_are_boxed_and_poses_cut(folder):
    for name in NAMES:
        write(folder / "labels" / f"{name}.txt", "1 0.1 0.5 0.4 0.2 0.3 0.9\n")
    table = detection_from_yolo(folder)
    assert np.allclose(table.boxes[0], [[4, 6, 16, 27]])
    assert "12 outlines of objects were boxed (first: a.txt, row 1)" in table.source.notice
    write(folder / "data.yaml", "names: [cat, dog]\nkpt_shape: [1, 2]\n")
    table = detection_from_yolo(folder)
    assert np.allclose(table.boxes[0], [[0, 12, 12, 18]]) and "boxed" not in table.source.notice


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("1 0.5 0.5 0.25 0.2 0.9", "six columns, so the last is a score"),
        ("1 0.5 0.5 0.25", "4 columns. A box has five"),
        ("1 20 15 10 6", "20 is not between 0 and 1. Divide x and width by the image's width"),
        ("1 nan 0.5 0.25 0.2", "nan is not between 0 and 1"),
        ("1 -0.5 0.5 0.25 0.2", "-0.5 is not between 0 and 1"),
        ("dog 0.5 0.5 0.25 0.2", "'dog 0.5 0.5 0.25 0.2' is not a class number and shares"),
        ("1,0.5,0.5,0.25,0.2", "is not a class number and shares"),
        ("7 0.5 0.5 0.25 0.2", "the class is '7', but only 2 are named, from 0"),
        ("1.5 0.5 0.5 0.25 0.2", "the class is '1.5', not a whole number"),
    ],
)
def test_wrong_rows_are_named(folder, row, message):
    write(folder / "labels" / "c.txt", f"{ROW}{row}\n")
    with pytest.raises(ValueError, match=rf"c\.txt, row 2: .*{message}"):
        detection_from_yolo(folder)


@pytest.mark.parametrize(
    ("yaml", "message"),
    [
        ("names: [cat, dog]\nnc: 3\n", "nc is 3, but names has 2"),
        ("names: dog\n", "names is 'dog', not a list"),
        ("names: [dog, dog]\n", "two classes are called 'dog'"),
        ("names: {a: dog}\n", "a key of names is not a whole number|keys of names are not whole"),
        ("names: [dog\n", r"not a readable \.yaml file"),
    ],
)
def test_a_wrong_description_is_named(folder, yaml, message):
    write(folder / "data.yaml", yaml)
    with pytest.raises(ValueError, match=rf"data\.yaml: .*({message})"):
        detection_from_yolo(folder)


def test_a_folder_without_labels_is_named(tmp_path):
    save(tmp_path / "images" / "a.png")
    with pytest.raises(ValueError, match=r"no \.txt file of the name of an image"):
        detection_from_yolo(tmp_path)


def test_labels_without_an_image_are_named_and_refused_if_they_are_many(folder):
    write(folder / "labels" / "other.txt", ROW)
    assert "1 of 13 images of" in detection_from_yolo(folder).source.notice
    write(folder / "labels" / "more.txt", ROW)
    with pytest.raises(ValueError, match=r"2 of 14 images of .*: more, other\. Put them there"):
        detection_from_yolo(folder)
