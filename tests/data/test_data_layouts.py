"""Which layout a folder has, told by its files, so that a wrong door names the right one."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from data.files.layouts import check_layout, layout_of


def put(root: Path, *names: str, text: str = "") -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix in (".png", ".jpg"):
            Image.fromarray(np.zeros((2, 2), np.uint8)).save(path)
        else:
            path.write_text(text, encoding="utf-8")


def found(root: Path) -> str | None:
    layout = layout_of(root)
    return layout.name if layout else None


@pytest.mark.parametrize("top", ["", "VOCdevkit/VOC2012/"])
def test_voc(tmp_path: Path, top: str) -> None:
    put(tmp_path, f"{top}JPEGImages/a.jpg", f"{top}SegmentationClass/a.png")
    put(tmp_path, f"{top}Annotations/a.xml", text="<annotation><object/></annotation>")
    assert found(tmp_path) == "voc"


def test_coco(tmp_path: Path) -> None:
    put(tmp_path, "train2017/a.jpg", "val2017/b.jpg")
    put(tmp_path, "annotations/captions.json", text="{}")
    put(tmp_path, "annotations/instances.json", text='{"images": [], "annotations": []}')
    assert found(tmp_path) == "coco"


@pytest.mark.parametrize("labels", ["labels/train/a.txt", "train/labels/a.txt", "a.txt"])
def test_yolo(tmp_path: Path, labels: str) -> None:
    put(tmp_path, labels.replace("labels", "images").replace(".txt", ".jpg"))
    put(tmp_path, "classes.txt", text="cat\ndog\n")
    put(tmp_path, labels, text="0 0.5 0.5 0.25 0.1\n3 0.1 0.2 0.1 0.1\n")
    assert found(tmp_path) == "yolo"


@pytest.mark.parametrize(
    ("image", "mask"),
    [
        ("images/a.jpg", "labels/a.png"),
        ("images/train/a.jpg", "masks/train/a_mask.png"),
        ("train/images/a.png", "train/labels/a.png"),
        ("train/a.png", "trainannot/a.png"),
        ("train/a.jpg", "train_masks/a_mask.png"),
    ],
)
def test_masks(tmp_path: Path, image: str, mask: str) -> None:
    put(tmp_path, image, mask)
    assert found(tmp_path) == "masks"


def test_masks_of_single_objects(tmp_path: Path) -> None:
    for name in ("x", "y"):
        put(tmp_path, f"stage1_train/{name}/images/{name}.png", f"stage1_train/{name}/masks/1.png")
    put(tmp_path, "stage1_test/z/images/z.png")
    assert found(tmp_path) == "masks"


@pytest.mark.parametrize(
    "files",
    [
        ("cat/0.png", "dog/0.png"),
        ("with_mask/0.png", "without_mask/0.png"),  # of faces: the same names on both sides
        ("train/cat/0.png", "train/dog/1.png", "test/cat/0.png", "test/dog/1.png"),
        ("cat/indoors/0.png", "dog/outdoors/0.png"),
    ],
)
def test_a_folder_per_class(tmp_path: Path, files: tuple[str, ...]) -> None:
    put(tmp_path, *files)
    put(tmp_path, "readme.txt", "cat/0.json", text='{"title": "0.png", "annotations": 0}')
    put(tmp_path, "sizes.txt", text="640 480 3 0 1\n")
    assert found(tmp_path) == "classes"


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("train.csv", "image_id,width,height,bbox,source\n", "train.csv is a table of boxes"),
        ("data/a.csv", "filename,width,class,xmin,ymin\n", "data/a.csv is a table of boxes"),
        ("a.json", '{"version": "5.0.1", "shapes": []}', "a.json is boxes of LabelMe"),
        ("label_2/0.txt", "Car 0.0 0 -1.6 9 9 9 9 1 1 1 1 1 1 1\n", "0.txt is boxes of KITTI"),
        (
            "Annotation/n0_1",
            "<annotation></annotation>",
            "n0_1 is an annotation of P",
        ),
    ],
)
def test_boxes_that_no_door_reads_are_named(
    tmp_path: Path, name: str, text: str, said: str
) -> None:
    put(tmp_path, "training/image_2/a.png", "testing/image_2/a.png")
    put(tmp_path, name, text=text)
    check_layout(tmp_path, "classes")  # a table beside class folders is no reason to refuse them
    for door in ("voc", "coco", "yolo", "masks"):
        with pytest.raises(ValueError, match=f"{said}.*write the boxes as COCO"):
            check_layout(tmp_path, door)


def test_none_of_them(tmp_path: Path) -> None:
    put(tmp_path, "a.png", "b.png")
    put(tmp_path, "empty.json", "empty.txt", ".git/labels/a.txt")
    assert layout_of(tmp_path) is None
    check_layout(tmp_path, "voc")


def test_another_layout_is_refused_with_the_command_that_reads_it(tmp_path: Path) -> None:
    put(tmp_path, "images/a.jpg", "labels/a.png")
    check_layout(tmp_path, "masks", "classes")
    said = (
        r"this is images with label images, by labels; use python -m patterns\.vision\.train "
        r"segmentation --dataset folder --data\.path"
    )
    with pytest.raises(ValueError, match=said):
        check_layout(tmp_path, "classes")
