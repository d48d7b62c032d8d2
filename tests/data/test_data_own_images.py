"""A user's own images: class folders, given parts, a CSV of labels, groups, what is refused."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from common.own_files import PartOptions
from data.files import images_from_folder
from data.files.parts import groups_by_name, stem_of
from data.tables import Images


def save(path: Path, *, size: tuple[int, int] = (8, 6), color: tuple[int, ...] = (10, 20, 30)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, color).save(path)


def fill(root: Path, count: int, *classes: str, name: str = "{}.png", start: int = 0) -> None:
    """Save images of one colour each, of which no two are alike."""
    for number, label in enumerate(classes or ("cat", "dög")):
        for each in range(start, start + count):
            save(root / label / name.format(each), color=(each, 100 * number, 200))


def sizes(table: Images) -> list[int]:
    assert table.valid_images is not None
    return [len(part) for part in (table.train_images, table.valid_images, table.test_images)]


def said(table: Images) -> str:
    return table.source.notice or ""


def test_one_class_a_folder_is_split_by_class(tmp_path: Path) -> None:
    fill(tmp_path, 20)
    table = images_from_folder(tmp_path, seed=4)
    assert table.label_names == ("cat", "dög") and sizes(table) == [28, 4, 8]
    assert table.train_images.shape[1:] == (8, 8, 3) and table.train_images.dtype == np.uint8
    assert np.bincount(table.test_labels).tolist() == [4, 4]
    again = images_from_folder(tmp_path, seed=4)
    assert (again.test_images == table.test_images).all()
    assert table.source.rows == "28 train, 4 valid, 8 test images of 8 x 8, 2 classes"
    assert said(table).startswith("The split was drawn, each class by its share.")


def test_labels_stay_with_their_images(tmp_path: Path) -> None:
    fill(tmp_path, 12, "dark", "middle", "light")
    table = images_from_folder(tmp_path)
    shade = {"dark": 0, "middle": 100, "light": 200}
    for images, labels in (
        (table.train_images, table.train_labels),
        (table.test_images, table.test_labels),
    ):
        assert [shade[table.label_names[label]] for label in labels] == images[:, 0, 0, 1].tolist()


def test_grey_images_have_no_channels(tmp_path: Path) -> None:
    for name in "ab":
        for number in range(10):
            save(tmp_path / name / f"{number}.png", color=(7 + number,) * 3)
    assert images_from_folder(tmp_path).train_images.shape[1:] == (8, 8)
    save(tmp_path / "a" / "99.png", color=(1, 2, 3))
    assert images_from_folder(tmp_path).train_images.shape[1:] == (8, 8, 3)


@pytest.mark.parametrize("name", ["val", "valid", "validation", "Val"])
def test_the_parts_of_the_folders_are_kept(tmp_path: Path, name: str) -> None:
    fill(tmp_path / "train", 3)
    fill(tmp_path / name, 2, start=10)
    fill(tmp_path / "test", 4, start=20)
    table = images_from_folder(tmp_path)
    assert sizes(table) == [6, 4, 8] and said(table) == ""
    assert table.valid_images is not None
    assert set(table.valid_images[:, 0, 0, 0].tolist()) == {10, 11}


def test_what_is_missing_is_drawn_from_train_and_said(tmp_path: Path) -> None:
    fill(tmp_path / "train", 20)
    fill(tmp_path / "test", 4, start=20)
    table = images_from_folder(tmp_path)
    assert sizes(table) == [36, 4, 8]
    assert said(table).startswith("The valid part was drawn from the training images.")
    (tmp_path / "test").rename(tmp_path / "val")  # held out by its maker: it is the test
    table = images_from_folder(tmp_path)
    assert sizes(table) == [36, 4, 8] and "the validation part is the test" in said(table)


def test_parts_are_given_one_by_one(tmp_path: Path) -> None:
    fill(tmp_path / "mine", 10)
    fill(tmp_path / "theirs", 4, start=20)
    own = PartOptions(train=tmp_path / "mine", test=tmp_path / "theirs")
    assert sizes(images_from_folder(own=own)) == [18, 2, 8]


def test_a_class_that_is_called_train(tmp_path: Path) -> None:
    fill(tmp_path, 10, "bus", "car", "train")
    with pytest.raises(ValueError, match=r"'bus' lies beside 'train'. If 'train' is a class too"):
        images_from_folder(tmp_path)
    table = images_from_folder(own=PartOptions(train=tmp_path))
    assert table.label_names == ("bus", "car", "train")


def test_a_csv_without_images_and_a_test_without_training_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"labels.csv: give the folder of its images by --data.p"):
        images_from_folder(labels=tmp_path / "labels.csv")
    with pytest.raises(ValueError, match=r"the images of training are missing: give --data.train"):
        images_from_folder(own=PartOptions(test=tmp_path))


@pytest.mark.parametrize("train", ["seg_train/seg_train", "training_set", "train/only"])
def test_parts_are_told_by_a_word_and_below_a_wrapper(tmp_path: Path, train: str) -> None:
    fill(tmp_path / train, 10)
    fill(tmp_path / train.replace("train", "test"), 4, start=20)
    save(tmp_path / "seg_pred" / "seg_pred" / "1.png")
    table = images_from_folder(tmp_path)
    assert sizes(table) == [18, 2, 8] and table.label_names == ("cat", "dög")
    assert "seg_pred/: its 1 images lie in no class folder of a part" in said(table)


def test_a_class_with_the_word_train_in_its_name(tmp_path: Path) -> None:
    fill(tmp_path, 6, "airport", "train_station/day", "train_station/night")
    assert images_from_folder(tmp_path).label_names == ("airport", "train_station")


def test_images_without_class_folders_are_no_classes(tmp_path: Path) -> None:
    for part in ("train", "test1"):
        save(tmp_path / part / "cat.1.png")
    with pytest.raises(ValueError, match=r"train: 0 sub-folders with images; .*--data.labels\.$"):
        images_from_folder(tmp_path)
    (tmp_path / "train.csv").write_text("id,label\n")
    with pytest.raises(ValueError, match=r"--data.labels; .*train.csv may be it, whose columns"):
        images_from_folder(tmp_path)


def test_classes_beside_folders_of_other_files_and_an_unread_split_is_said(tmp_path: Path) -> None:
    fill(tmp_path / "images", 10)
    (tmp_path / "meta").mkdir()
    lists = {"train": range(7), "test": range(7, 10)}
    for part, rows in lists.items():
        names = [f"{label}/{row}" for label in ("cat", "dög") for row in rows]
        (tmp_path / "meta" / f"{part}.txt").write_text("\n".join(names), encoding="utf-8")
    table = images_from_folder(tmp_path)
    assert table.label_names == ("cat", "dög") and sum(sizes(table)) == 20
    assert "test.txt, train.txt may hold labels or a split and was not read" in said(table)
    own = PartOptions(**{part: tmp_path / "meta" / f"{part}.txt" for part in lists})
    table = images_from_folder(tmp_path / "images", own)
    assert sorted(table.test_images[:, 0, 0, 0].tolist()) == [7, 7, 8, 8, 9, 9]
    (tmp_path / "meta" / "test.txt").write_text("cat/1\nbird/1.png\n")
    with pytest.raises(ValueError, match=r"test.txt, row 2: 'bird/1.png' is no image in a class"):
        images_from_folder(tmp_path / "images", own)
    (tmp_path / "meta" / "test.txt").write_text("cat/1\n")
    with pytest.raises(ValueError, match=r"1.png: it is listed twice, in train and in test"):
        images_from_folder(tmp_path / "images", own)


def test_trees_of_the_same_class_folders_are_not_guessed_at(tmp_path: Path) -> None:
    for tree in ("art", "photo"):
        fill(tmp_path / tree, 4)
    with pytest.raises(
        ValueError, match=r"art/ and photo/ hold folders of the same names \(cat, d"
    ):
        images_from_folder(tmp_path)
    own = PartOptions(train=tmp_path)
    assert images_from_folder(own=own).label_names == ("art", "photo")


def test_a_class_of_the_test_alone_is_named(tmp_path: Path) -> None:
    fill(tmp_path / "train", 3, "a", "b")
    fill(tmp_path / "test", 3, "a", "b", "c")
    with pytest.raises(ValueError, match="test/c: no class of that name in .*train"):
        images_from_folder(tmp_path)


def test_a_class_too_small_for_all_parts_is_named(tmp_path: Path) -> None:
    fill(tmp_path, 10)
    fill(tmp_path, 2, "rare")
    with pytest.raises(ValueError, match=r"class 'rare' has 2 images for training; 3 or more"):
        images_from_folder(tmp_path)


def test_images_are_read_at_their_median_size_up_to_the_largest(tmp_path: Path) -> None:
    fill(tmp_path, 10)
    save(tmp_path / "cat" / "wide.jpg", size=(400, 6))
    assert images_from_folder(tmp_path).train_images.shape[1:] == (8, 8, 3)
    assert images_from_folder(tmp_path, size=5).train_images.shape[1:] == (5, 5, 3)
    assert images_from_folder(tmp_path, sizes=(1, 7)).train_images.shape[1:] == (7, 7, 3)
    assert images_from_folder(tmp_path, sizes=(16, 96)).train_images.shape[1:] == (16, 16, 3)


def test_all_broken_files_are_named_at_once(tmp_path: Path) -> None:
    fill(tmp_path, 15)
    for number in range(12):
        (tmp_path / "cat" / f"{number}.png").write_bytes(b"\x89PNG broken")
    Image.fromarray(np.zeros((9, 9), np.float32)).save(tmp_path / "cat" / "deep.tif")
    with pytest.raises(ValueError, match=r"13 of 31 images cannot be read") as refused:
        images_from_folder(tmp_path)
    assert str(refused.value).count(".png (of no known format)") >= 7
    assert "more" in str(refused.value)


def test_other_files_inner_folders_and_hidden_ones(tmp_path: Path) -> None:
    fill(tmp_path, 10)
    save(tmp_path / "cat" / "indoors" / "tom.png", color=(1, 1, 9))
    (tmp_path / "cat" / "._tom.png").write_bytes(b"resource fork")
    (tmp_path / "dög" / "notes.txt").write_text("no image")
    table = images_from_folder(tmp_path)
    assert sum(sizes(table)) == 21
    assert "1 files of other kinds were not read (notes.txt)." in said(table)
    assert "1 images lie in folders inside their class folder." in said(table)


def test_equal_images_in_two_parts_are_counted(tmp_path: Path) -> None:
    fill(tmp_path / "train", 5)
    fill(tmp_path / "val", 2, start=10)
    fill(tmp_path / "test", 2, start=4)
    assert said(images_from_folder(tmp_path)) == (
        "2 test images equal a training image pixel for pixel; they were kept."
    )


def test_folders_that_hold_nothing_are_named(tmp_path: Path) -> None:
    fill(tmp_path / "inner", 10)
    with pytest.raises(ValueError, match="none: no such folder"):
        images_from_folder(tmp_path / "none")
    assert "The classes are the folders in inner/." in said(images_from_folder(tmp_path))
    (tmp_path / "inner" / "empty").mkdir()
    with pytest.raises(ValueError, match="empty: no image in it. Add"):
        images_from_folder(tmp_path / "inner")
    (tmp_path / "inner" / "empty" / "1.heic").write_bytes(b"of a phone")
    with pytest.raises(ValueError, match=r"empty: no image in it, only \.heic: save them as PNG"):
        images_from_folder(tmp_path / "inner")


def test_another_layout_is_named(tmp_path: Path) -> None:
    save(tmp_path / "images" / "a.jpg")
    save(tmp_path / "masks" / "a.png")
    with pytest.raises(ValueError, match=r"this is images with label images"):
        images_from_folder(tmp_path)


@pytest.fixture
def videos(tmp_path: Path) -> Path:
    """Twelve videos of five frames each, six a class, a colour a video."""
    for video in range(12):
        for frame in range(5):
            path = tmp_path / ("walk", "run")[video % 2] / f"clip{video}_{frame:03}.png"
            save(path, color=(20 * video, frame, 0))
    return tmp_path


def test_a_group_is_never_in_two_parts(videos: Path) -> None:
    table = images_from_folder(videos, PartOptions(group="prefix"))
    assert table.valid_images is not None
    of_part = [
        set(part[:, 0, 0, 0].tolist())
        for part in (table.train_images, table.valid_images, table.test_images)
    ]
    assert sum(map(len, of_part)) == 12 and all(of_part)
    assert {0, 1} == set(table.train_labels.tolist())
    assert "12 groups kept whole" in said(table) and "--data.group" not in said(table)
    other = images_from_folder(videos, PartOptions(group=r"^(clip\d+)"))
    assert (other.test_images == table.test_images).all()


def test_a_numbered_series_without_groups_is_told(videos: Path, tmp_path: Path) -> None:
    assert "give --data.group prefix" in said(images_from_folder(videos))


def test_groups_that_cannot_be_split_are_refused(videos: Path) -> None:
    with pytest.raises(ValueError, match=r"--data.group '\[' is no regular expression"):
        images_from_folder(videos, PartOptions(group="["))
    with pytest.raises(ValueError, match=r"--data.group 'dog' does not match 'clip11_000.png'"):
        images_from_folder(videos, PartOptions(group="dog"))
    with pytest.raises(ValueError, match=r"class 'run' has 1 groups for training; 3 or more"):
        images_from_folder(videos, PartOptions(group="clip"))


def test_what_a_prefix_is() -> None:
    names = {"walk_0012.png": "walk", "a-b (3).jpg": "a-b", "p1/7.png": "p1/", "x9y.png": "x9y"}
    assert {name: stem_of(name) for name in names} == names
    assert groups_by_name(["p1/a.png", "p1/b.png"], r"^[^/]+") == ["p1", "p1"]


def table_of(path: Path, rows: list[str]) -> Path:
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return path


def test_a_csv_of_labels(tmp_path: Path) -> None:
    rows = ["file,label,split"]
    for number in range(9):
        save(tmp_path / "photos" / f"{number}.png", color=(number, 0, 9))
        name = f"{number}.png" if number % 2 else str(number)
        rows.append(
            f"{name},{'odd' if number % 2 else 'even'},{('train', 'val', 'test')[number // 3]}"
        )
    table = images_from_folder(tmp_path / "photos", labels=table_of(tmp_path / "l.csv", rows))
    assert sizes(table) == [3, 3, 3] and table.label_names == ("even", "odd") and not said(table)
    assert (table.test_images[:, 0, 0, 0] % 2 == table.test_labels).all()
    save(tmp_path / "photos" / "more.png")
    table = images_from_folder(tmp_path / "photos", labels=tmp_path / "l.csv")
    assert said(table) == f"1 images below {tmp_path / 'photos'} are not listed."


def test_a_csv_names_images_without_their_folder_and_a_column_of_groups(tmp_path: Path) -> None:
    rows = ["image_id,dx,lesion"]
    for number in range(24):
        save(tmp_path / f"part_{number % 2}" / f"ISIC_{number}.jpg", color=(number, 9, 9))
        rows.append(f"ISIC_{number},{('mel', 'nv')[number // 2 % 2]},L{number // 2}")
    labels = table_of(tmp_path / "meta.csv", rows)
    how = {"labels": labels, "file": "image_id", "label": "dx"}
    table = images_from_folder(tmp_path, PartOptions(group="lesion"), **how)
    assert "12 groups kept whole" in said(table) and sum(sizes(table)) == 24
    save(tmp_path / "part_0" / "ISIC_1.jpg")
    with pytest.raises(ValueError, match="holds 'ISIC_1', which names no image below"):
        images_from_folder(tmp_path, **how)


def test_a_csv_with_groups_and_other_names_of_columns(videos: Path, tmp_path: Path) -> None:
    rows = ["image,kind,group"]
    for path in sorted(videos.rglob("*.png")):
        rows.append(f"{path.relative_to(videos)},{path.parent.name},{path.name.split('_')[0]}")
    labels = table_of(tmp_path / "labels.csv", rows)
    table = images_from_folder(videos, labels=labels, file="image", label="kind")
    assert "12 groups kept whole" in said(table)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("1.png,even,train", r"column 'label' holds one class; two are needed"),
        ("77.png,odd,train", r"row 3: column 'file' holds '77.png', which names no image below"),
        ("1.png,,train", r"row 3: column 'label' is empty"),
        ("1.png,odd,holdout", r"row 3: column 'split' holds 'holdout', not train"),
        ("0.png,even,train", r"row 3: column 'file' holds '0.png', as row 2 does"),
    ],
)
def test_a_wrong_row_of_a_csv_is_named(tmp_path: Path, row: str, message: str) -> None:
    for number in range(2):
        save(tmp_path / f"{number}.png")
    labels = table_of(tmp_path / "labels.csv", ["file,label,split", "0.png,even,train", row])
    with pytest.raises(ValueError, match=message):
        images_from_folder(tmp_path, labels=labels)
