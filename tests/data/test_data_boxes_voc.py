"""A user's folder of Pascal VOC: folders, lists, names, and what is wrong in an annotation."""

import pytest
from boxes_on_disk import names_in, save, voc, write

from common.own_files import FolderOptions
from data.files import detection_from_voc

NAMES = [f"photo {letter}" for letter in "abcdefghijkl"]


def fill(images, annotations, names, *, suffix=".jpg", **options):
    for number, name in enumerate(names):
        save(images / f"{name}{suffix}", seed=number)
        write(annotations / f"{name}.xml", voc(("cell", 1, 2, 10, 12), **options))


@pytest.fixture
def folder(tmp_path):
    fill(tmp_path / "JPEGImages", tmp_path / "Annotations", NAMES)
    return tmp_path


def parts(table):
    return {part: names_in(table, part) for part in ("train", "valid", "test")}


def lists(folder, **names):
    for part, of_part in names.items():
        write(folder / "ImageSets" / "Main" / f"{part}.txt", "\n".join(of_part) + "\n")


def test_a_split_of_names_of_several_words_is_kept(folder):
    lists(folder, train=NAMES[:8], val=[f"{NAMES[8]}.jpg"], test=[f"JPEGImages/{NAMES[9]}.jpg"])
    lists(folder, cell_train=[f"{NAMES[11]} -1"])  # a list of one class
    table = detection_from_voc(folder)
    assert parts(table) == {"train": NAMES[:8], "valid": NAMES[8:9], "test": NAMES[9:10]}
    assert table.source.notice == (
        "2 annotated images are in none of train.txt, val.txt, test.txt and were left out."
    )


def test_the_test_list_beside_trainval_is_never_trained_on(folder):
    lists(folder, trainval=NAMES[:9], test=NAMES[9:])
    table = detection_from_voc(folder)
    assert parts(table)["test"] == NAMES[9:]
    assert sorted(parts(table)["train"] + parts(table)["valid"]) == NAMES[:9]
    assert len(table.split["valid"]) == 1
    assert "Of the training images given, 10% for the valid part" in table.source.notice


def test_without_a_test_list_that_of_validation_is_the_test(folder):
    lists(folder, train=NAMES[:10], val=NAMES[10:], trainval=NAMES)
    table = detection_from_voc(folder)
    assert parts(table)["test"] == NAMES[10:] and len(table.split["valid"]) == 1
    assert "Of the training images given, 10% for the valid part" in table.source.notice
    where = folder / "ImageSets" / "Main"
    own = FolderOptions(train=where / "train.txt", valid=where / "val.txt")
    table = detection_from_voc(folder, own)  # a flag means what it says
    assert parts(table)["valid"] == NAMES[10:] and len(table.split["test"]) == 2


def test_images_of_a_kind_that_is_not_read_are_named(folder):
    photo = next(folder.rglob("*.jpg"))
    photo.rename(photo.with_suffix(".heic"))
    assert "(.heic files are not read: save them as PNG or JPEG); they were left out" in (
        detection_from_voc(folder).source.notice
    )


def test_parts_are_told_by_a_word_of_their_folders(tmp_path):
    for part, names in (("train", NAMES[:10]), ("test", NAMES[10:])):
        for number, name in enumerate(names):
            save(tmp_path / f"{part}_zip" / part / f"{name}.png", seed=number)
            write(tmp_path / f"{part}_zip" / part / f"{name}.xml", voc(("cat", 1, 1, 9, 9)))
    assert parts(detection_from_voc(tmp_path))["test"] == NAMES[10:]


def test_a_list_may_hold_more_than_the_name(folder):
    lists(
        folder, train=[f"{name.replace(' ', '_')}.jpg  1" for name in NAMES[:10]], test=NAMES[10:]
    )
    for path in [*folder.rglob("*.jpg"), *folder.rglob("*.xml")]:
        if path.stem in NAMES[:10]:
            path.rename(path.with_name(path.name.replace(" ", "_")))
    assert parts(detection_from_voc(folder))["test"] == NAMES[10:]


def test_lists_given_by_hand_come_first(folder):
    lists(folder, train=NAMES[:6], test=NAMES[6:])
    write(folder / "mine.txt", "\n".join(NAMES[:8]))
    write(folder / "held.txt", "\n".join(NAMES[8:]))
    table = detection_from_voc(folder, FolderOptions(train=folder / "mine.txt", test="held.txt"))
    assert parts(table)["test"] == NAMES[8:]


@pytest.mark.parametrize(
    ("train", "test", "message"),
    [
        (NAMES[:3], ["photo z"], r"test\.txt, row 1: 'photo z' has no annotation"),
        (NAMES[:3], NAMES[2:4], r"photo c\.jpg: it is listed twice, in train and in test"),
        ([*NAMES[:3], NAMES[0]], NAMES[4:], r"photo a\.jpg: it is listed twice, in train"),
    ],
)
def test_lists_that_cannot_be_kept_are_named(folder, train, test, message):
    lists(folder, train=train, test=test)
    with pytest.raises(ValueError, match=message):
        detection_from_voc(folder)


def test_only_a_test_list_is_refused(folder):
    lists(folder, test=NAMES[:3])
    with pytest.raises(ValueError, match="The parts given are test: name the images to train on"):
        detection_from_voc(folder)


@pytest.mark.parametrize(
    ("images", "annotations"),
    [
        ("images", "annotations"),
        ("Images", "annotations/xmls"),
        ("img", "labels"),
        (".", "."),
        ("VOCdevkit/VOC2007/JPEGImages", "VOCdevkit/VOC2007/Annotations"),
    ],
)
def test_folders_under_other_usual_names(tmp_path, images, annotations):
    fill(tmp_path / images, tmp_path / annotations, NAMES, suffix=".png")
    write(tmp_path / annotations / "._photo a.xml", "no annotation: a file of a Mac")
    assert len(detection_from_voc(tmp_path).images) == 12


def test_folders_given_by_hand(tmp_path):
    fill(tmp_path / "scans", tmp_path / "truth", NAMES)
    (tmp_path / "other").mkdir()
    with pytest.raises(ValueError, match=r"no image|no \.xml"):
        detection_from_voc(tmp_path / "other")
    assert (
        len(
            detection_from_voc(
                tmp_path, FolderOptions(images="scans", labels=tmp_path / "truth")
            ).images
        )
        == 12
    )


@pytest.mark.parametrize("inner", ["{part}", "{kind}/{part}", "{part}/{kind}"])
def test_folders_of_parts_are_a_split(tmp_path, inner):
    given = {"train": NAMES[:8], "valid": NAMES[8:10], "test": NAMES[10:]}
    for part, names in given.items():
        own, theirs = (tmp_path / inner.format(part=part, kind=kind) for kind in ("images", "xml"))
        fill(own, theirs, names)
    assert parts(detection_from_voc(tmp_path)) == given


def test_a_part_without_annotations_is_said(tmp_path):
    fill(tmp_path / "train", tmp_path / "train", NAMES)
    save(tmp_path / "test" / "new.jpg")
    assert "test: its images have no .xml files and were left out." in (
        detection_from_voc(tmp_path).source.notice
    )


def test_images_without_annotation_are_said_and_empty_ones_are_background(folder):
    save(folder / "JPEGImages" / "extra.jpg")
    write(folder / "Annotations" / f"{NAMES[0]}.xml", voc())
    table = detection_from_voc(folder)
    assert len(table.images) == 12 and table.boxes[0].shape == (0, 4)
    assert "1 images in" in table.source.notice and "no .xml file and" in table.source.notice


def test_a_filename_inside_finds_the_image(folder):
    (folder / "JPEGImages" / f"{NAMES[0]}.jpg").rename(folder / "JPEGImages" / "DSC_1.JPG")
    xml = voc(("cell", 1, 2, 10, 12), filename="C:\\photos\\DSC_1.JPG")
    write(folder / "Annotations" / f"{NAMES[0]}.xml", xml)
    assert names_in(detection_from_voc(folder), "train") != []
    write(folder / "Annotations" / "again.xml", xml)
    with pytest.raises(ValueError, match=r"photo a\.xml: again\.xml is of the same image, DSC_1"):
        detection_from_voc(folder)


def test_a_filename_of_another_image_is_said(folder):
    write(folder / "Annotations" / f"{NAMES[0]}.xml", voc(filename=f"{NAMES[1]}.jpg"))
    assert "the image of their own name was taken (first: photo a.xml)" in (
        detection_from_voc(folder).source.notice
    )


def test_absent_images_are_named_and_refused_if_they_are_many(folder):
    (folder / "JPEGImages" / f"{NAMES[0]}.jpg").unlink()
    table = detection_from_voc(folder)
    assert len(table.images) == 11
    assert "1 of 12 images of" in table.source.notice and "photo a.xml" in table.source.notice
    (folder / "JPEGImages" / f"{NAMES[1]}.jpg").unlink()
    with pytest.raises(
        ValueError, match=r"2 of 12 images .* or name their folder by --data.images"
    ):
        detection_from_voc(folder)


def test_two_images_of_one_name_are_refused(folder):
    save(folder / "JPEGImages" / f"{NAMES[0]}.png")
    with pytest.raises(ValueError, match=r"photo a\.jpg and photo a\.png both answer to the name"):
        detection_from_voc(folder)


def test_difficult_boxes_are_kept_apart(folder):
    for name in NAMES[:2]:
        write(
            folder / "Annotations" / f"{name}.xml",
            voc(("cell", 1, 2, 10, 12), extra="<difficult>1</difficult>"),
        )
    table = detection_from_voc(folder)
    assert [len(boxes) for boxes in table.boxes] == [0, 0, *[1] * 10]
    assert [len(boxes) for boxes in table.ignored_boxes] == [1, 1, *[0] * 10]
    assert table.ignored_boxes[0].tolist() == [[1, 2, 10, 12]]
    assert "2 boxes are marked as difficult or as crowds" in table.source.notice


@pytest.mark.parametrize(
    ("xml", "message"),
    [
        ("<annotation><object>", "not a Pascal-VOC annotation"),
        ("", "not a Pascal-VOC annotation"),
        ("<annotations><image/></annotations>", "its root is <annotations>"),
        ("<annotation><object><name>a</name></object></annotation>", "xmin is None, not a number"),
        (voc(("a", 1, 2, 5, 5), ("a", 1, 2, "nan", 9)), "object 2: the box .* is not finite"),
        (voc(("a", 1, 2, "inf", 9)), "is not finite"),
        (voc((" ", 1, 2, 8, 9)), "object 1 is an object without a name"),
        ('<!DOCTYPE x [<!ENTITY a "b">]><annotation/>', "declares entities"),
    ],
)
def test_malformed_annotation_is_named(folder, xml, message):
    write(folder / "Annotations" / f"{NAMES[4]}.xml", xml)
    with pytest.raises(ValueError, match=rf"photo e\.xml: .*{message}"):
        detection_from_voc(folder)


def test_a_set_below_other_files_brings_its_lists(tmp_path):
    inner = tmp_path / "download" / "VOC2012"
    fill(inner / "JPEGImages", inner / "Annotations", NAMES)
    lists(inner, train=NAMES[:8], val=NAMES[8:10], test=NAMES[10:])
    write(tmp_path / "download" / "README.md", "A set.")
    (tmp_path / "download" / "weights").mkdir()
    assert parts(detection_from_voc(tmp_path))["test"] == NAMES[10:]
    lists(tmp_path / "download" / "VOC2007", train=NAMES)
    with pytest.raises(ValueError, match="it holds several sets: .*VOC2007 and .*VOC2012"):
        detection_from_voc(tmp_path)
