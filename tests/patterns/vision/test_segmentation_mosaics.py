"""The slides hidden in the real nuclei images."""

import numpy as np
import pytest

from patterns.vision.segmentation.config import Config
from patterns.vision.segmentation.data import find_mosaics, load, modality, split


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
    assert " 0% of the test images" in split(table, Config(dataset="nuclei")).notice
    random = split(table, Config(dataset="nuclei", protocol="random"))
    shared = np.isin(random.test.groups, random.train.groups).mean()
    assert shared > 0.6
