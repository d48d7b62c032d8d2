"""The slides hidden in nuclei images, real ones and painted."""

import numpy as np
import pytest

from data.tables import SegmentationImages, Source
from patterns.vision.segmentation.config import Config, SplitOptions
from patterns.vision.segmentation.data import _split_by_kind, find_mosaics, load, modality, split


@pytest.mark.mirror
def test_half_of_the_nuclei_images_are_tiles_of_four() -> None:
    table = load(Config(dataset="nuclei"))
    images = list(table.images)
    groups = find_mosaics(images)
    sizes = np.unique(groups, return_counts=True)[1]
    assert 150 < len(sizes) < 190
    assert (sizes == 4).sum() > 45  # cut in two by two
    kinds = np.array([modality(image) for image in images])
    assert (kinds == "stained").sum() == 107
    mixed = [group for group in np.unique(groups) if len(set(kinds[groups == group])) > 1]
    assert not mixed


@pytest.mark.mirror
def test_a_random_split_leaks_slides_and_ours_does_not() -> None:
    table = load(Config(dataset="nuclei"))
    assert " 0% of the test images" in split(table, Config(dataset="nuclei")).notices[0]
    random = split(table, Config(dataset="nuclei", split=SplitOptions(by="image")))
    shared = np.isin(random.test.groups, random.train.groups).mean()
    assert shared > 0.6


def painted(stained: int, grey: int) -> SegmentationImages:
    rng = np.random.default_rng(0)
    images = [rng.integers(0, 255, (24, 24, 3), dtype=np.uint8) for _ in range(stained)]
    images += [image[..., :1].repeat(3, axis=2) for image in images[:1] for _ in range(grey)]
    masks = [np.zeros((24, 24), np.uint16) for _ in images]
    return SegmentationImages(Source("t", "file", "t", "t", {}, "t"), images, masks)


def test_a_lone_image_of_another_modality_goes_to_training_and_it_is_said() -> None:
    parts = split(painted(stained=12, grey=1), Config())
    assert "grey" in parts.train.kinds
    assert set(parts.valid.kinds) == set(parts.test.kinds) == {"colour"}
    assert "the 1 grey images are too few groups" in parts.notices[1]
    assert len(split(painted(stained=12, grey=0), Config()).notices) == 1


def test_a_modality_of_too_few_slides_for_the_shares_goes_to_training() -> None:
    kinds = np.repeat(["grey", "stained"], [20, 5]).tolist()  # a twelfth of five slides is none
    parts, rare = _split_by_kind(np.arange(25), kinds, (0.72, 0.08, 0.2), seed=0)
    assert rare == ["stained"] and set(range(20, 25)) <= set(parts[0])
    assert [len(part) for part in parts[1:]] == [2, 4]


def test_too_few_slides_for_three_parts_are_refused() -> None:
    with pytest.raises(ValueError, match="2 images of 2 groups .* too few for 3 parts"):
        split(painted(stained=2, grey=0), Config())
