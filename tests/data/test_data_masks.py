"""A user's own images with masks: folders, kinds of files, objects told from classes."""

import numpy as np
import pytest
from masks_on_disk import SIDE, discs, photo, save, street, write
from PIL import Image

from common.own_files import FolderOptions
from data.files import (
    are_neighbours_alike,
    objects_from_folder,
    semantic_from_folder,
    series_of,
    thumbnail,
)
from data.files.masks.kinds import pieces_of, use_of


def test_numbered_objects(tmp_path):
    table = objects_from_folder(write(tmp_path, [discs(2), discs(5), discs(3)]))
    assert [int(mask.max()) for mask in table.masks] == [2, 5, 3]
    assert table.source.rows == "3 images, 10 objects" and table.source.notice is None
    assert table.names == ("000", "001", "002") and not table.split
    deep = discs(2).astype(np.uint16)
    deep[0, 0] = 700
    assert int(objects_from_folder(write(tmp_path / "ü", [deep])).masks[0].max()) == 700


@pytest.mark.parametrize("value", [1, 255, 7])
def test_one_foreground_value_becomes_its_pieces_and_the_value_is_said(tmp_path, value):
    masks = [discs(n, values=[value] * n) for n in (2, 4)]
    table = objects_from_folder(write(tmp_path, masks))
    assert [int(mask.max()) for mask in table.masks] == [2, 4]
    said = table.source.notice
    assert f"0 and {value} alone: {value} is taken as the object" in said
    assert "6 connected pieces" in said and "covers most" not in said
    inverted = [np.where(mask, 0, value).astype(np.uint8) for mask in masks]
    table = objects_from_folder(write(tmp_path / "inverted", inverted))
    assert "covers most of the images: if it is the background" in table.source.notice


def test_a_foreground_alone_is_two_classes_of_semantic(tmp_path):
    masks = [discs(n, values=[255] * n) for n in (2, 4)]
    table = semantic_from_folder(write(tmp_path, masks))
    assert table.values == (0, 255) and set(np.unique(table.masks[0])) == {0, 1}
    assert "255 is taken as a class, not as unlabelled" in table.source.notice


def test_classes_are_not_taken_for_objects(tmp_path):
    root = write(tmp_path, [street(seed) for seed in range(6)])
    with pytest.raises(ValueError, match=r"look like classes.*2 values \(1, 2\).*--task semantic"):
        objects_from_folder(root)
    table = objects_from_folder(root, certain=True)
    assert "of the objects lie in several pieces" in table.source.notice
    assert semantic_from_folder(root).class_names == ("0", "1", "2")


def test_classes_with_gaps_in_one_piece_are_not_taken_for_objects(tmp_path):
    masks = [discs(3, values=values) for values in ([4, 8, 9], [8, 9, 4], [9, 4, 8], [2, 8, 9])]
    with pytest.raises(ValueError, match="look like classes"):
        objects_from_folder(write(tmp_path, masks))


def test_objects_are_not_taken_for_classes(tmp_path):
    root = write(tmp_path, [discs(n) for n in (2, 5, 9, 3, 7)])
    assert objects_from_folder(root).source.notice is None
    with pytest.raises(ValueError, match=r"look like numbered objects.*9|--task objects"):
        semantic_from_folder(root)
    names = tmp_path / "names.txt"
    names.write_text("\n".join(f"kind {n}" for n in range(10)))
    assert len(semantic_from_folder(root, names=names).class_names) == 10


def test_unlabelled_pixels_and_names(tmp_path):
    root = write(tmp_path, [street(seed, void=255) for seed in range(3)])
    names = tmp_path / "names.txt"
    names.write_text("sky\nroad\ncar\n")
    table = semantic_from_folder(root, names=names)
    assert table.class_names == ("sky", "road", "car") and table.values == (0, 1, 2)
    assert table.masks[0][0, 0] == 255
    assert "Pixels of value 255 (0.7%) are unlabelled" in table.source.notice
    names.write_text("0 sky\n2: car\n")
    with pytest.raises(ValueError, match=r"000\.png: the value 1 has no name.*--data\.ignore 1"):
        semantic_from_folder(root, names=names)
    with pytest.raises(ValueError, match=r"the value 255 has no name.*--data\.ignore 255"):
        semantic_from_folder(root, names=names, ignore=1)


def test_large_images_are_kept_small_and_masks_as_they_are(tmp_path):
    root = write(tmp_path, [street(seed) for seed in range(3)])
    table = semantic_from_folder(root, longest_side=12)
    assert table.images[0].shape == (12, 12, 3) and table.masks[0].shape == (SIDE, SIDE)


def test_a_palette_gives_indices_and_colours_need_a_list(tmp_path):
    drawn = Image.fromarray(street(0))
    drawn.putpalette([0, 0, 0, 200, 10, 10, 10, 200, 10] + [0] * 759)
    root = write(tmp_path, [drawn, drawn])
    assert set(np.unique(semantic_from_folder(root).masks[0])) == {0, 1, 2}
    coloured = write(tmp_path / "colours", [drawn.convert("RGB")] * 2)
    with pytest.raises(ValueError, match=r"(?s)2 faults.*3 colours.*200 10 10.*--data\.palette"):
        semantic_from_folder(coloured)
    palette = tmp_path / "palette.csv"
    palette.write_text("name,r,g,b\nsky,0,0,0\nroad,200,10,10\n")
    with pytest.raises(ValueError, match="1 colours are not in the palette .10 200 10"):
        semantic_from_folder(coloured, palette=palette)
    palette.write_text("0 0 0 sky\n200 10 10 road\n10 200 10 car\n")
    table = semantic_from_folder(coloured, palette=palette)
    assert table.class_names == ("sky", "road", "car")
    assert np.array_equal(table.masks[0], street(0))


def test_grey_saved_as_colour_and_one_bit_are_read_and_jpeg_is_not(tmp_path):
    grey = Image.fromarray(discs(4)).convert("RGB")
    bit = Image.fromarray(discs(3) > 0)
    table = objects_from_folder(write(tmp_path, [grey, discs(2)]))
    assert int(table.masks[0].max()) == 4
    table = objects_from_folder(write(tmp_path / "bits", [bit, bit]))
    assert int(table.masks[0].max()) == 3
    root = write(tmp_path / "lossy", [discs(2)])
    (root / "labels" / "000.png").unlink()
    save(root / "labels" / "000.jpg", discs(2))
    with pytest.raises(ValueError, match=r"000\.jpg: a JPEG changes the values.*not of black and"):
        objects_from_folder(root)


def test_all_faults_are_told_at_once(tmp_path):
    root = write(tmp_path, [discs(2) for _ in range(14)])
    for number in range(12):
        save(root / "labels" / f"{number:03d}.png", np.zeros((5, 6), np.uint8))
    (root / "labels" / "012.png").write_bytes(b"no image")
    with pytest.raises(ValueError) as refused:
        objects_from_folder(root)
    lines = str(refused.value).splitlines()
    assert lines[0] == "13 faults in the files:" and len(lines) == 12
    assert "000.png: 6 x 5 pixels, its image has 24 x 24, of another shape" in lines[1]
    assert lines[-1].strip() == "… and 3 more"


def test_images_without_masks_are_left_out_and_said(tmp_path):
    root = write(tmp_path, [discs(2), discs(3)])
    save(root / "images" / "extra.png", photo())
    save(root / "labels" / "lone.png", discs(1))
    notice = objects_from_folder(root).source.notice
    assert "1 images have no mask and were left out (first: extra.png)" in notice
    assert "1 masks have no image and were left out (first: lone.png)" in notice
    with pytest.raises(ValueError, match="no mask has the name of an image"):
        other = write(tmp_path / "other", [discs(1)])
        (other / "labels" / "000.png").rename(other / "labels" / "b.png")
        objects_from_folder(other)


@pytest.mark.parametrize(
    ("images", "labels", "names"),
    [
        ("JPEGImages", "SegmentationObject", "{}"),
        ("img", "masks", "{}"),
        ("VOC/Images", "VOC/annotations", "{}"),
    ],
)
def test_usual_names_of_folders(tmp_path, images, labels, names):
    root = write(tmp_path, [discs(2), discs(3)], images=images, labels=labels, names=names)
    assert len(objects_from_folder(root).images) == 2


def test_masks_with_a_mark_in_their_names(tmp_path):
    for number in (1, 2):
        save(tmp_path / f"cell_{number}.jpg", photo(number))
        save(tmp_path / f"cell_{number}_mask.png", discs(number + 1))
    assert objects_from_folder(tmp_path).names == ("cell_1", "cell_2")


def test_another_layout_is_named(tmp_path):
    save(tmp_path / "a.jpg", photo())
    (tmp_path / "a.xml").write_text("<annotation/>")
    with pytest.raises(ValueError, match="Pascal VOC .boxes"):
        objects_from_folder(tmp_path)
    (tmp_path / "a.xml").unlink()
    with pytest.raises(ValueError, match=r"no images with masks found.*--data\.labels"):
        objects_from_folder(tmp_path)


def test_groups_of_names_are_kept(tmp_path):
    root = write(tmp_path, [discs(2)] * 4, names="{:03d}_x")
    table = objects_from_folder(root, FolderOptions(group=r"^(\d\d)"))
    assert table.groups == ("00",) * 4


def test_masks_without_objects_or_with_one_value_are_refused(tmp_path):
    with pytest.raises(ValueError, match="all masks are 0 everywhere"):
        objects_from_folder(write(tmp_path / "a", [discs(0)]))
    with pytest.raises(ValueError, match="all masks are 3 everywhere"):
        objects_from_folder(write(tmp_path / "b", [np.full((SIDE, SIDE), 3, np.uint8)]))
    with pytest.raises(ValueError, match="the value 0 alone"):
        semantic_from_folder(write(tmp_path / "c", [discs(0)]))


def test_pieces_by_hand():
    mask = np.zeros((9, 9), np.uint8)
    mask[:2, :2] = mask[6:8, 6:8] = 1
    mask[3:5, 3:5] = 2
    mask[2, 2] = 1  # touches at a corner
    assert pieces_of(mask) == {0: 1, 1: 2, 2: 1}
    image = np.where(mask == 2, 200, 40)[..., None].repeat(3, axis=2).astype(np.uint8)
    use = use_of([image, image], [mask, mask])
    assert use.values == (1, 2) and use.in_pieces == 0.5 and use.same and use.recurring == 1
    assert use.coloured and not use_of([0 * image] * 2, [mask, mask]).coloured


def test_one_piece_of_each_value_in_every_mask_is_told_by_colour(tmp_path):
    root = write(tmp_path, [discs(3)] * 6)
    assert objects_from_folder(root).source.notice is None  # all of one colour
    for number in range(6):
        values = discs(3)[..., None].repeat(3, axis=2) * np.array([60, 30, 80], np.uint8)
        save(root / "images" / f"{number:03d}.jpg", values)
    with pytest.raises(ValueError, match="look like classes"):
        objects_from_folder(root)


def test_series_are_told_by_names_and_pixels():
    names = [f"a_{n}" for n in range(12)] + ["b1", "lone", "b3", "b2"]
    series = series_of(names)
    assert [rows.tolist() for rows in series] == [[*range(12)], [12, 15, 14]]
    film = [np.full((20, 20, 3), 9 * n, np.uint8) for n in range(12)] * 2
    assert are_neighbours_alike(np.stack([*map(thumbnail, film[:12])]), series[:1])
    unlike = [np.full((20, 20, 3), 9 * n + 120 * (n % 2), np.uint8) for n in range(12)]
    assert not are_neighbours_alike(np.stack([*map(thumbnail, unlike)]), series[:1])
