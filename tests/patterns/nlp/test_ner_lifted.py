"""The taggers work in a folder that holds the stages and what they import, alone."""

import json
from pathlib import Path

import pytest
from lifting import copy_stages, run_lifted
from planted import tiny_transformer

PAIRS = [(name, place) for name in ("Ada", "Bob", "Eva") for place in ("Rome", "Oslo", "Lima")]
WORDS = [["we", "met", name, "in", place] for name, place in PAIRS]
SCRIPT = """
import json
from pathlib import Path

from patterns.nlp.ner.entities.sentences import Sentences
from patterns.nlp.ner.entities.tags import TagSet
from patterns.nlp.ner.stages.encoder import EncoderTagger
from patterns.nlp.ner.stages.export import OnnxTagger, export
from patterns.nlp.ner.stages.gazetteer import Gazetteer
from patterns.nlp.ner.stages.linear import LinearTagger

words = [tuple(each) for each in json.loads(Path("words.json").read_text())]
part = Sentences(words, [("O", "O", "B-per", "O", "B-loc")] * len(words))
tags = TagSet(("loc", "per"))
encoder = EncoderTagger(
    tags=tags, model="tiny", epochs=20, learning_rate=5e-3, batch_size=4, word_dropout=0.0,
    precision="fp32", max_length=32, overlap=4, decoder="crf",
).fit(part, part)
encoder.decoder_.fit(encoder.predict(part.words), part.tags)
stages = {
    "gazetteer": Gazetteer(tags=tags).fit(part, part),
    "linear": LinearTagger(tags=tags).fit(part, part),
    "encoder": encoder,
    "onnx": export(encoder),
}
answers = {}
for name, stage in stages.items():
    Path(name).mkdir()
    stage.save(Path(name))
    loaded = type(stage).load(Path(name))
    answers[name] = loaded.decoder_.decode(loaded.predict([("we", "met", "Ada", "in", "Rome")]))[0]
print(json.dumps(answers))
"""


@pytest.mark.slow
def test_every_tagger_can_leave(tmp_path: Path) -> None:
    copy_stages("nlp/ner", tmp_path)
    there = {path.name for path in (tmp_path / "patterns/nlp/ner").iterdir()}
    assert there == {"__init__.py", "entities", "stages"} and not (tmp_path / "data").exists()
    (tmp_path / "words.json").write_text(json.dumps(WORDS))
    (tmp_path / "tiny").mkdir()
    tiny_transformer(tmp_path / "tiny", [" ".join(words) for words in WORDS])
    answers = json.loads(run_lifted(tmp_path, SCRIPT).splitlines()[-1])
    expected = ["O", "O", "B-per", "O", "B-loc"]
    assert answers == dict.fromkeys(("gazetteer", "linear", "encoder", "onnx"), expected)
