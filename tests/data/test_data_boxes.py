"""What VOC, COCO and YOLO share: one table, where the boxes lie, the split, all faults at once."""

from pathlib import Path

import numpy as np
import pytest
from boxes_on_disk import coco, names_in, save, voc, write, write_coco, yolo
from PIL import Image, ImageOps

import data
from common.own_files import FolderOptions
from data.files import detection_from_coco, detection_from_voc, detection_from_yolo
from data.files.boxes.fitting import turned

NAMES = [f"{word}_cell" for word in "one two three four five six seven eight nine ten".split()]


@pytest.fixture
def folder(tmp_path):
    """Ten images of 40 x 30 pixels with a cell each."""
    for number, name in enumerate(NAMES):
        save(tmp_path / "JPEGImages" / f"{name}.jpg", seed=number)
        write(tmp_path / "Annotations" / f"{name}.xml", voc(("cell", 1, 2, 10, 12)))
    return tmp_path


def test_the_three_layouts_give_the_same_table(tmp_path):
    world = data.load("simulated-cells", images=20, seed=3)
    size = (320, 240)
    boxes = [
        [(world.label_names[label], *box) for box, label in zip(b.tolist(), t, strict=True)]
        for b, t in zip(world.boxes, world.labels, strict=True)
    ]
    files = [f"{number:02d}.png" for number in range(20)]
    for root in ("voc/JPEGImages", "coco/images", "yolo/images"):
        for name, image in zip(files, world.images, strict=True):
            (tmp_path / root).mkdir(parents=True, exist_ok=True)
            Image.fromarray(image).save(tmp_path / root / name)
    for name, inner in zip(files, boxes, strict=True):
        stem = Path(name).stem
        write(tmp_path / "voc/Annotations" / f"{stem}.xml", voc(*inner, size=size))
        write(tmp_path / "yolo/labels" / f"{stem}.txt", yolo(inner, world.label_names, size=size))
    write(tmp_path / "yolo/data.yaml", "names: [RBC, WBC, Platelets]\nnc: 3\n")
    write_coco(tmp_path / "coco/annotations.json", coco(files, boxes, size=size))

    tables = [
        detection_from_voc(tmp_path / "voc", seed=1),
        detection_from_coco(tmp_path / "coco", seed=1),
        detection_from_yolo(tmp_path / "yolo", seed=1),
    ]
    for table in tables:
        assert table.label_names == ("Platelets", "RBC", "WBC")
        assert [Path(name).name for name in table.images.names] == files
        assert all(np.array_equal(a, b) for a, b in zip(table.images, world.images, strict=True))
        assert all(
            np.allclose(a, b, atol=1e-3) for a, b in zip(table.boxes, world.boxes, strict=True)
        )
        theirs = [[world.label_names[label] for label in labels] for labels in world.labels]
        assert [[table.label_names[label] for label in labels] for labels in table.labels] == theirs
        assert names_in(table, "test") == names_in(tables[0], "test")
        assert table.source.notice == tables[0].source.notice
    assert [len(tables[0].split[part]) for part in ("train", "valid", "test")] == [14, 2, 4]


def test_repairs_are_said_with_their_first_place(folder):
    write(
        folder / "Annotations" / "one_cell.xml",
        voc(("virus", 30, 20, 45, 35), ("cell", 5, 5, 5, 9), ("cell", 4, 4, 0, 0)),
    )
    table = detection_from_voc(folder)
    row = [Path(name).stem for name in table.images.names].index("one_cell")
    assert table.label_names == ("cell", "virus")
    assert table.boxes[row].tolist() == [[30, 20, 40, 30], [0, 0, 4, 4]]
    assert table.labels[row].tolist() == [1, 0]
    for said in (
        "1 boxes were clipped to their image (first: one_cell.xml, object 1)",
        "1 boxes without area in their image were dropped (first: one_cell.xml, object 2)",
        "1 boxes had their corners swapped and were put right (first: one_cell.xml, object 3)",
    ):
        assert said in table.source.notice


def test_coordinates_below_one_are_shares_of_the_image(folder):
    for name in NAMES:
        write(folder / "Annotations" / f"{name}.xml", voc(("cell", 0.1, 0.2, 0.5, 1)))
    table = detection_from_voc(folder)
    assert np.allclose(table.boxes[0], [[4, 6, 20, 30]])
    assert "All coordinates are below 1 and were taken as shares" in table.source.notice


@pytest.mark.parametrize("orientation", [5, 6, 7, 8])
def test_boxes_turn_as_the_image_does(orientation):
    stored = np.zeros((7, 11, 3), np.uint8)
    stored[2:5, 1:9] = 255
    image = Image.fromarray(stored)
    image.getexif()[0x0112] = orientation
    seen = np.asarray(ImageOps.exif_transpose(image))[..., 0]
    rows, columns = np.nonzero(seen)
    expected = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
    (corners,) = turned(np.array([[1.0, 2, 9, 5]]), orientation, (11, 7))
    assert [
        *np.minimum(corners[:2], corners[2:]),
        *np.maximum(corners[:2], corners[2:]),
    ] == expected


@pytest.mark.parametrize(
    ("size", "box", "said"),
    [
        ((30, 40), [[1, 2, 10, 12]], None),  # as a viewer shows it
        ((40, 30), [[18, 1, 28, 10]], "1 annotations state the size of the image as stored"),
        ((60, 80), [[0.5, 1, 5, 6]], "1 annotations state another size than their image has, of"),
        ((33, 37), [[1, 2, 10, 12]], "1 annotations state another size than their image has; the"),
    ],
)
def test_the_stated_size_tells_which_pixels_a_box_counts(folder, size, box, said):
    exif = Image.Exif()
    exif[0x0112] = 6
    save(folder / "JPEGImages" / "one_cell.jpg", exif=exif)
    write(folder / "Annotations" / "one_cell.xml", voc(("cell", 1, 2, 10, 12), size=size))
    table = detection_from_voc(folder)
    row = [Path(name).stem for name in table.images.names].index("one_cell")
    assert table.images[row].shape[:2] == (40, 30)
    assert table.boxes[row].tolist() == box
    assert (said or "Of the images") in table.source.notice


def test_a_turned_image_without_a_stated_size_is_said(folder):
    exif = Image.Exif()
    exif[0x0112] = 3
    save(folder / "JPEGImages" / "one_cell.jpg", exif=exif)
    table = detection_from_voc(folder)
    assert "1 images are turned by EXIF, and no stated size tells" in table.source.notice


def test_boxes_of_another_image_are_refused(folder):
    write(folder / "Annotations" / "one_cell.xml", voc(("cell", 1, 2, 500, 12), size=(640, 700)))
    with pytest.raises(
        ValueError, match=r"one_cell\.xml: it states 640 x 700 pixels, but .*40 x 30"
    ):
        detection_from_voc(folder)


def test_ten_faults_of_many_files_are_told_at_once(folder):
    for name in NAMES[:9]:
        write(folder / "Annotations" / f"{name}.xml", "<annotation><object>")
    for number in range(3):
        save(folder / "JPEGImages" / f"other{number}.jpg")
        write(folder / "Annotations" / f"other{number}.xml", voc(("cell", "x", 2, 10, 12)))
    with pytest.raises(ValueError) as fault:
        detection_from_voc(folder)
    lines = str(fault.value).splitlines()
    assert lines[0] == "12 faults in the files:" and len(lines) == 12
    assert all(".xml: not a Pascal-VOC annotation" in line for line in lines[1:11])
    assert lines[11].strip() == "… and 2 more"


def test_faults_of_annotations_and_of_images_come_together(folder):
    (folder / "JPEGImages" / "one_cell.jpg").write_bytes(b"\xff\xd8broken")
    write(folder / "Annotations" / "two_cell.xml", voc(("cell", "x", 2, 10, 12)))
    with pytest.raises(
        ValueError, match=r"(?s)2 faults.*object 1: xmin is 'x', not a.*one_cell\.jpg"
    ):
        detection_from_voc(folder)


def test_nine_images_are_too_few(folder):
    (folder / "Annotations" / "one_cell.xml").unlink()
    with pytest.raises(ValueError, match=r"9 images with boxes; at least 10 are needed"):
        detection_from_voc(folder)


def test_images_in_no_part_do_not_count(folder):
    write(folder / "train.txt", "\n".join(NAMES[:5]))
    write(folder / "test.txt", "\n".join(NAMES[5:9]))
    with pytest.raises(ValueError, match=r"9 images with boxes; at least 10 are needed"):
        detection_from_voc(folder)


def test_a_part_without_boxes_is_left_out_and_drawn(folder):
    for name in ("new", "newer"):
        save(folder / "JPEGImages" / f"{name}.jpg")
        write(folder / "Annotations" / f"{name}.xml", voc())
    write(folder / "train.txt", "\n".join(NAMES))
    write(folder / "test.txt", "new\nnewer")
    table = detection_from_voc(folder)
    assert "The test part given has no box; it was left out." in table.source.notice
    assert len(table.split["test"]) == 2 and set(names_in(table, "test")) < set(NAMES)


def test_one_class_is_enough_and_classes_alike_but_for_case_are_said(folder):
    assert detection_from_voc(folder).source.rows == "10 images, 10 boxes, 1 class"
    write(folder / "Annotations" / "one_cell.xml", voc(("Cell", 1, 2, 10, 12)))
    assert "'Cell', 'cell' differ in case or space" in detection_from_voc(folder).source.notice


def test_frames_of_one_film_go_to_one_part(tmp_path):
    for film in "abcdefgh":
        for number in range(4):
            save(tmp_path / "images" / f"{film}_{number:03d}.png", size=(8, 8), seed=ord(film))
            write(tmp_path / "labels" / f"{film}_{number:03d}.txt", "0 .5 .5 .5 .5")
    films = {}
    for option in (None, "prefix", r"^(\w)_"):
        table = detection_from_yolo(tmp_path, FolderOptions(group=option))
        parts = {part: {name[0] for name in names_in(table, part)} for part in table.split}
        films[option] = sum(map(len, parts.values()))
        assert ("neighbours look alike" in table.source.notice) == (option is None)
    assert films == {None: films[None], "prefix": 8, r"^(\w)_": 8} and films[None] > 8
    assert "8 groups kept whole" in table.source.notice
    with pytest.raises(ValueError, match="of 1 groups, but 3 parts need one each"):
        detection_from_yolo(tmp_path, FolderOptions(group="_"))


def test_copies_of_one_image_stay_together_and_equal_files_are_said(tmp_path):
    for number in range(12):
        for copy in "abc":
            name = f"photo{number}_jpg.rf.{copy * 32}"
            save(tmp_path / "train" / f"{name}.jpg", seed=number, size=(8, 8))
            write(tmp_path / "train" / f"{name}.txt", "0 .5 .5 .5 .5")
    table = detection_from_yolo(tmp_path)
    parts = [{name.split("_")[0] for name in names_in(table, part)} for part in table.split]
    assert sum(map(len, parts)) == 12
    assert "copies that Roboflow made of one image kept together" in table.source.notice
    for number in range(6):
        save(tmp_path / "test" / f"{number}.jpg", seed=number, size=(8, 8))
        write(tmp_path / "test" / f"{number}.txt", "0 .5 .5 .5 .5")
    assert "test images are the file of a training image; they" in (
        detection_from_yolo(tmp_path).source.notice
    )


def test_groups_in_two_parts_of_a_given_split_are_said(tmp_path):
    for part, films in (("train", "abcdefghij"), ("val", "a"), ("test", "b")):
        for film in films:
            number = {"train": 1, "val": 2, "test": 3}[part]
            save(tmp_path / "images" / part / f"{film}_{number}.png", size=(8, 8))
            write(tmp_path / "labels" / part / f"{film}_{number}.txt", "0 .5 .5 .5 .5")
    table = detection_from_yolo(tmp_path, FolderOptions(group="prefix"))
    assert [len(table.split[part]) for part in ("train", "valid", "test")] == [10, 1, 1]
    assert "2 groups lie in more than one of the parts given." in table.source.notice


def test_another_layout_is_named(folder, tmp_path):
    for reader in (detection_from_coco, detection_from_yolo):
        with pytest.raises(ValueError, match="this is Pascal VOC .*--dataset voc"):
            reader(folder)
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match=r"empty: no \.xml file"):
        detection_from_voc(tmp_path / "empty")
