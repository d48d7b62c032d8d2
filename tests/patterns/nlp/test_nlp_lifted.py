"""The classifiers of texts work in a folder that holds the stages and what they import, alone."""

import json
from pathlib import Path

import pytest
from lifting import copy_stages, run_lifted
from planted import tiny_transformer

TEXTS = [f"{verb} the {thing}" for thing in "door box lid gate app".split() for verb in
         ("open", "close", "please open", "please close")]  # fmt: skip
STAGES = ("tfidf", "frozen", "features", "encoder", "onnx", "int8", "student")
SCRIPT = """
import json
from pathlib import Path

import numpy as np

from patterns.nlp.classification.entities.texts import Texts
from patterns.nlp.classification.stages.encoder import EncoderClassifier
from patterns.nlp.classification.stages.export import OnnxClassifier, export, parity
from patterns.nlp.classification.stages.features import FeatureClassifier
from patterns.nlp.classification.stages.frozen import FrozenClassifier
from patterns.nlp.classification.stages.quantisation import quantise
from patterns.nlp.classification.stages.student import Student
from patterns.nlp.classification.stages.tfidf import TfidfClassifier

texts = json.loads(Path("texts.json").read_text())
part = Texts(texts, np.array(["close" in text for text in texts], dtype=np.int64))
settings = {"epochs": 10, "learning_rate": 5e-3, "batch_size": 8, "precision": "fp32"}
encoder = EncoderClassifier(model="tiny", classes=2, **settings).fit(part, part)
trainee = EncoderClassifier(model="tiny", classes=2, **settings)
student = Student(trainee=trainee, layers=1).fit(encoder, part, part)
stages = {
    "tfidf": TfidfClassifier().fit(part, part),
    "frozen": FrozenClassifier(model="tiny", device="cpu").fit(part, part),
    "features": FeatureClassifier(classes=2, batch_size=8).fit(part, part),
    "encoder": encoder,
    "onnx": export(encoder),
    "int8": quantise(export(encoder)),
    "student": student.model_,
}
answers = {}
for name, stage in stages.items():
    Path(name).mkdir()
    stage.save(Path(name))
    loaded = type(stage).load(Path(name))
    answers[name] = loaded.predict(["open the lid", "close the box"]).argmax(axis=1).tolist()
print(json.dumps(answers))
"""


@pytest.mark.slow
def test_every_classifier_of_texts_can_leave(tmp_path: Path) -> None:
    copy_stages("nlp/classification", tmp_path)
    there = {path.name for path in (tmp_path / "patterns/nlp/classification").iterdir()}
    assert there == {"__init__.py", "entities", "stages"} and not (tmp_path / "data").exists()
    (tmp_path / "texts.json").write_text(json.dumps(TEXTS))
    (tmp_path / "tiny").mkdir()
    tiny_transformer(tmp_path / "tiny", TEXTS)
    answers = json.loads(run_lifted(tmp_path, SCRIPT).splitlines()[-1])
    assert answers == dict.fromkeys(STAGES, [0, 1])
