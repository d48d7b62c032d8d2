"""A generator in the pipeline: its table, its artifact, and what the service says in pieces."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
from lifting import copy_stages, run_lifted
from planted_facts import facts, tiny_causal
from toy_report import check_whole

from common import artifacts
from common.artifacts import open_run
from patterns.nlp.qa.config import (
    NAME,
    PRESETS,
    Config,
    GptOptions,
    LoraOptions,
    RetrievalOptions,
    WorldOptions,
    WritingOptions,
)
from patterns.nlp.qa.data import Splits, load, split
from patterns.nlp.qa.entities.answers import Answer, Found
from patterns.nlp.qa.evaluate import evaluate
from patterns.nlp.qa.evaluation.generation import elsewhere
from patterns.nlp.qa.pipeline import Pipeline
from patterns.nlp.qa.serve import QuestionService
from patterns.nlp.qa.stages.answering import written

SCRIPT = """
import json
from pathlib import Path

from patterns.nlp.qa.entities.questions import Paragraph, Question, Questions
from patterns.nlp.qa.stages.generator import CausalGenerator
from patterns.nlp.qa.stages.gpt_generator import GptGenerator

part = Questions(
    [Paragraph(str(n), "people", f"Ada lives in {town} .") for n, town in enumerate("ABCD")],
    [Question(str(n), "Where does Ada live ?", n, (town,), (13,)) for n, town in enumerate("ABCD")],
)
small = {"max_length": 256, "max_new_tokens": 4, "precision": "fp32"}
gpt = GptGenerator(vocabulary=300, width=16, layers=1, heads=2, epochs=1, **small).fit(part, part)
tuned = CausalGenerator(model="tiny", rank=2, budget=1000, **small).fit(part, part)
same = {}
for name, stage in {"gpt": gpt, "tuned": tuned}.items():
    Path(name).mkdir()
    stage.save(Path(name))
    loaded = type(stage).load(Path(name))
    answers = [each.answer(part.texts, part.contexts) for each in (stage, loaded)]
    same[name] = answers[0] == answers[1]
print(json.dumps(same))
"""
TINY = dataclasses.replace(
    PRESETS["smoke"],
    model="overlap",
    world=WorldOptions(articles=12),
    retrieval=RetrievalOptions(encoder="tfidf-svd"),
    generator="gpt",
    gpt=GptOptions(vocabulary=400, width=16, layers=1, heads=2, epochs=1),
    writing=WritingOptions(max_length=256, max_new_tokens=6),
)


@pytest.fixture(scope="module")
def splits() -> Splits:
    return split(load(TINY), TINY)


@pytest.fixture(scope="module")
def pipeline(splits: Splits) -> Pipeline:
    pipeline = Pipeline.from_config(TINY, splits).fit_baseline(splits).fit_threshold(splits)
    pipeline.fit_retrieval(splits).fit_answering(splits).fit_index(splits)
    return pipeline.fit_generator(splits)


@pytest.fixture(scope="module")
def service(pipeline: Pipeline, splits: Splits, tmp_path_factory: Any) -> QuestionService:
    config = dataclasses.replace(TINY, runs=tmp_path_factory.mktemp("runs"))
    report = evaluate(pipeline, splits)
    run = artifacts.save(pipeline, report, config, name=NAME, profile=pipeline.profile(splits))
    return QuestionService(open_run(run, name=NAME))


def test_generated_answers_have_tables(pipeline: Pipeline, splits: Splits) -> None:
    report = evaluate(pipeline, splits)
    check_whole(report)
    tables = {table.name: table for table in report.tables}
    names = [row.name for row in tables["generated answers"].rows]
    assert names == [
        "reader, right context", "small GPT, right context",
        "reader, retrieved", "small GPT, retrieved",
    ]  # fmt: skip
    assert [row.name for row in tables["cache"].rows] == [
        "reading all again", "keys and values kept",
    ]  # fmt: skip
    assert json.dumps(report.to_dict(), allow_nan=False)


def test_what_is_generated_is_served_whole_and_in_pieces(
    service: QuestionService, pipeline: Pipeline, splits: Splits
) -> None:
    assert service.streams
    spoken = 0
    for context in (splits.test.contexts[0], None):
        request = service.Request(question=splits.test.texts[0], context=context)
        (whole,) = service.predict([request])
        pieces, streamed = drained(service.stream(request))
        assert "".join(pieces) == (streamed.answer or "")
        spoken += len(pieces)
        assert strip(streamed) == strip(whole)
        contexts = None if context is None else [context]
        (answer,) = pipeline.answer([request.question], contexts, k=request.k)
        assert (whole.answer or "") == answer.text
    assert spoken


def drained(stream: Generator[str, None, Any]) -> tuple[list[str], Any]:
    pieces = []
    while True:
        try:
            pieces.append(next(stream))
        except StopIteration as end:
            return pieces, end.value


def strip(response: Any) -> dict[str, Any]:
    return {key: value for key, value in response.model_dump().items() if key != "stage_ms"}


def test_a_caller_may_do_without_generation(service: QuestionService, splits: Splits) -> None:
    question, context = splits.test.texts[0], splits.test.contexts[0]
    requests = [
        service.Request(question=question, context=context, generate=generate)
        for generate in (False, True, False)
    ]
    plain, generated, again = service.predict(requests)
    assert strip(plain) == strip(again)
    first = plain.answers[0]
    assert context[first.start : first.end] == plain.answer
    pieces, streamed = drained(service.stream(requests[0]))
    assert pieces == [plain.answer] and strip(streamed) == strip(plain)
    assert plain.answer != generated.answer


def test_generated_words_are_placed_where_the_passage_holds_them() -> None:
    answer = Answer("Oslo", 0.7, False, (Found("Oslo", 8, 12, 0.7),))
    text = "Ada saw Oslo and ROME ."
    placed = written(answer, "Rome", text)
    assert (placed.text, placed.found[0].start, placed.found[0].end) == ("Rome", 17, 21)
    assert written(answer, "Paris", text).found[0].start == -1
    assert written(answer, "", text).abstained
    withheld = dataclasses.replace(answer, text="", abstained=True)
    assert written(withheld, "Rome", text).abstained and not written(withheld, "Rome", text).text


def test_questions_are_put_beside_paragraphs_that_do_not_tell() -> None:
    part = facts(30)
    found = elsewhere(part, seed=0)
    assert len(found) == 60
    for row, text in found.items():
        (town,) = part.answers[row]
        assert town not in text and text != part.contexts[row]


@pytest.mark.parametrize(
    ("make", "named"),
    [
        (lambda: Config(generator="bert"), "generator"),
        (lambda: Config(writing=WritingOptions(top_p=0.0)), "writing.top_p"),
        (lambda: Config(writing=WritingOptions(temperature=-1.0)), "writing.temperature"),
        (lambda: Config(lora=LoraOptions(rank=0)), "lora.rank"),
        (lambda: Config(lora=LoraOptions(model=" ")), "lora.model"),
        (lambda: Config(gpt=GptOptions(layers=0)), "gpt.layers"),
        (lambda: Config(gpt=GptOptions(heads=7)), "gpt.heads"),
    ],
)
def test_a_value_out_of_range_is_named(make: Any, named: str) -> None:
    with pytest.raises(ValueError, match=rf"^{named}: "):
        make()


def test_a_service_without_a_generator_does_not_stream(splits: Splits, tmp_path: Path) -> None:
    config = dataclasses.replace(TINY, generator="none")
    pipeline = Pipeline.from_config(config, splits).fit_baseline(splits).fit_threshold(splits)
    pipeline.fit_retrieval(splits).fit_answering(splits).fit_index(splits).fit_generator(splits)
    assert pipeline.generator_ is None
    service = QuestionService.__new__(QuestionService)
    service.pipeline = pipeline
    assert not service.streams


@pytest.mark.slow
def test_generators_can_leave(tmp_path: Path) -> None:
    copy_stages("nlp/qa", tmp_path)
    (tmp_path / "tiny").mkdir()
    tiny_causal(tmp_path / "tiny", facts(20).texts)
    assert json.loads(run_lifted(tmp_path, SCRIPT).splitlines()[-1]) == {"gpt": True, "tuned": True}
