"""The stages of question answering work in a folder that holds them and what they import, alone."""

import json
from pathlib import Path

import pytest
from lifting import copy_stages, run_lifted
from planted_questions import coloured, tiny_reader

SCRIPT = """
import json
from pathlib import Path

from common.encoders import load_encoder
from patterns.nlp.qa.entities.questions import Paragraph, Question, Questions
from patterns.nlp.qa.stages.answering import Answering, read_passages
from patterns.nlp.qa.stages.chunks import Chunker
from patterns.nlp.qa.stages.export import OnnxReader, export, parity
from patterns.nlp.qa.stages.overlap import OverlapReader
from patterns.nlp.qa.stages.reader import SpanReader
from patterns.nlp.qa.stages.retrieval import Retriever

paragraphs, questions = json.loads(Path("part.json").read_text())
part = Questions(
    [Paragraph(*each) for each in paragraphs],
    [Question(n, t, p, tuple(a), tuple(s)) for n, t, p, a, s in questions],
)
reader = SpanReader(
    model="tiny", epochs=4, learning_rate=5e-3, head_factor=1.0, batch_size=16, max_length=32,
    train_length=32, stride=8, max_question=8, max_answer=4, negatives=0.0, precision="fp32",
).fit(part, part)
readers = {"overlap": OverlapReader().fit(part), "reader": reader, "onnx": export(reader)}
retriever = Retriever(encoder=load_encoder("tfidf-svd", dimension=8))
retriever.index(Chunker().cut(part.paragraphs)).fit(part.texts, part.paragraph_ids)
answering = Answering()
asked, context = ["Which colour?"], ["On the old hill stands a green house."]
said = {}
for name, stage in readers.items():
    Path(name).mkdir()
    stage.save(Path(name))
    (found,) = type(stage).load(Path(name)).read(asked, context)
    said[name] = found.spans[0].text
for name, stage in {"retriever": retriever, "answering": answering}.items():
    Path(name).mkdir()
    stage.save(Path(name))
loaded = Retriever.load(Path("retriever"))
read = read_passages(reader, asked, loaded.passages_, loaded.retrieve(asked, 3))
answer = Answering.load(Path("answering")).answer(read, loaded.passages_, 0, k=3)
said["retrieved"] = len(answer.found)
print(json.dumps(said))
"""


@pytest.mark.slow
def test_every_stage_of_question_answering_can_leave(tmp_path: Path) -> None:
    copy_stages("nlp/qa", tmp_path)
    there = {path.name for path in (tmp_path / "patterns/nlp/qa").iterdir()}
    assert there == {"__init__.py", "entities", "stages"} and not (tmp_path / "data").exists()
    part = coloured(300, seed=1)
    rows = [
        [[each.id, each.title, each.text] for each in part.paragraphs],
        [[q.id, q.text, q.paragraph, q.answers, q.starts] for q in part.questions],
    ]
    (tmp_path / "part.json").write_text(json.dumps(rows))
    (tmp_path / "tiny").mkdir()
    tiny_reader(tmp_path / "tiny")
    said = json.loads(run_lifted(tmp_path, SCRIPT).splitlines()[-1])
    assert said["reader"] == said["onnx"] == "green" and said["retrieved"] == 3
    assert said["overlap"]
