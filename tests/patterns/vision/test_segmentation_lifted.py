"""The stages of segmentation, copied alone into an empty folder, still find planted discs."""

from pathlib import Path

from lifting import copy_stages, run_lifted

SCRIPT = """
from pathlib import Path

import numpy as np
import torch

from patterns.vision.segmentation.stages.augment import CropAugment
from patterns.vision.segmentation.stages.postprocess import Postprocess
from patterns.vision.segmentation.stages.threshold import OtsuThreshold
from patterns.vision.segmentation.stages.training import Segmenter

torch.set_num_threads(1)
rows, columns = np.mgrid[:64, :64]
discs = [(rows - 20) ** 2 + (columns - x) ** 2 < 100 for x in range(20, 44, 3)]
images = [np.where(disc[..., None], 220, 30).repeat(3, axis=2).astype(np.uint8) for disc in discs]
masks = [disc.astype(np.uint16) for disc in discs]
assert np.array_equal(OtsuThreshold().predict(images), discs)

segmenter = Segmenter(
    width=4, levels=2, augment=CropAugment(crop=32), epochs=2, batch_size=4, precision="fp32"
)
segmenter.fit((images, masks), (images, masks)).save(Path())
found, again = segmenter.predict(images), Segmenter.load(Path()).predict(images)
assert np.array_equal(found, again)
post = Postprocess().fit([mask.astype(np.float32) for mask in masks], masks)
print([int(post.instances(disc.astype(np.float32)).max()) for disc in discs])
"""


def test_the_stages_run_when_copied_alone(tmp_path: Path) -> None:
    copy_stages("vision/segmentation", tmp_path)
    assert not (tmp_path / "patterns/vision/segmentation/config.py").exists()
    assert run_lifted(tmp_path, SCRIPT).strip() == str([1] * 8)
