"""The stages of detection, copied alone into an empty folder, still find planted cells."""

from pathlib import Path

from lifting import copy_stages, run_lifted

SCRIPT = """
from pathlib import Path

import numpy as np
import torch

from patterns.vision.detection.stages.blobs import Blobs
from patterns.vision.detection.stages.counts import Counts
from patterns.vision.detection.stages.thresholds import Thresholds
from patterns.vision.detection.stages.yolo import Yolo

torch.set_num_threads(1)
rng = np.random.default_rng(0)


def square(x, y):
    image = np.full((64, 64, 3), 230, np.uint8)
    image[y : y + 24, x : x + 24] = (150, 40, 90)
    return image, np.array([[x, y, x + 24, y + 24]], np.float32), np.zeros(1, np.int64)


part = [list(each) for each in zip(*(square(*rng.integers(0, 40, 2)) for _ in range(12)))]
found = Blobs().fit(*part).predict(part[0])
assert all(len(each.boxes) == 1 for each in found)
assert np.allclose([each.boxes[0] for each in found], [boxes[0] for boxes in part[1]], atol=1)

detector = Yolo(
    classes=1, height=64, width=64, channels=4, epochs=1, steps=4, batch_size=4, precision="fp32"
)
detector.fit(tuple(part), tuple(part)).save(Path())
found = detector.predict(part[0])
again = Yolo.load(Path()).predict(part[0])
assert all(np.array_equal(a.boxes, b.boxes) for a, b in zip(found, again))
counts = Counts(classes=1).fit(found, found, part[2], part[0])
assert counts.predict(found, found, part[0]).shape == (12, 1)
print(Thresholds(classes=1).fit(found, part[1], part[2]).values_)
"""


def test_the_stages_run_when_copied_alone(tmp_path: Path) -> None:
    copy_stages("vision/detection", tmp_path)
    assert not (tmp_path / "patterns/vision/detection/config.py").exists()
    assert run_lifted(tmp_path, SCRIPT)
