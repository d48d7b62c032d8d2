"""The classifiers of images work in a folder that holds the stages and what they import, alone."""

import json
from pathlib import Path

from lifting import copy_stages, run_lifted

SCRIPT = """
import json
from pathlib import Path

import numpy as np

from patterns.vision.classification.entities.images import LabelledImages
from patterns.vision.classification.stages.augment import Augment
from patterns.vision.classification.stages.cnn import CnnClassifier
from patterns.vision.classification.stages.linear import LinearClassifier
from patterns.vision.classification.stages.mobilenet import MobileNetClassifier
from patterns.vision.classification.stages.preprocess import Preprocess
from patterns.vision.classification.stages.resnet9 import ResNet9Classifier

rng = np.random.default_rng(0)
labels = np.arange(64) % 2
images = (rng.integers(0, 100, (64, 10, 10)) + 150 * labels[:, None, None]).astype(np.uint8)
preprocess = Preprocess(size=8, channels=1)
part = LabelledImages(preprocess.batch(images), labels)
common = {"classes": 2, "epochs": 10, "least_steps": 0, "batch_size": 16}
common["augment"] = Augment(flip=True)
stages = (
    LinearClassifier(**common),
    CnnClassifier(widths=(4, 8), **common),
    ResNet9Classifier(width=4, **common),
    MobileNetClassifier(weights="none", input_size=32, **common | {"epochs": 1}),
)
asked = preprocess.batch(images)
found = {}
for stage in stages:
    Path(stage.name).mkdir()
    stage.fit(part, part).save(Path(stage.name))
    answers = type(stage).load(Path(stage.name)).predict(asked)
    assert np.array_equal(answers, stage.predict(asked))
    found[stage.name] = float((answers.argmax(axis=1) == labels).mean())
print(json.dumps(found))
"""


def test_every_classifier_of_images_can_leave(tmp_path: Path) -> None:
    copy_stages("vision/classification", tmp_path)
    there = {path.name for path in (tmp_path / "patterns/vision/classification").iterdir()}
    assert there == {"__init__.py", "entities", "stages"} and not (tmp_path / "data").exists()
    accuracy = json.loads(run_lifted(tmp_path, SCRIPT).splitlines()[-1])
    assert set(accuracy) == {"linear", "cnn", "resnet9", "mobilenet"}
    assert min(accuracy["linear"], accuracy["cnn"], accuracy["resnet9"]) > 0.9
