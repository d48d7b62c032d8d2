"""How good generated answers are: beside the reader's, and where the passage does not tell.

The same questions are answered with their right context by the reader, by the generator and, where
that was tuned, by its model as it comes; then from the passage that was retrieved; then beside
another paragraph of their article, which does not tell, so that the right answer is none.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from common.evaluation.bootstrap import interval
from common.evaluation.report import Estimate, Row, Table, Value
from patterns.nlp.qa.data import Splits
from patterns.nlp.qa.entities.questions import Questions
from patterns.nlp.qa.evaluation.end_to_end import Retrieved
from patterns.nlp.qa.pipeline import Pipeline
from patterns.nlp.qa.stages.decoding import CausalModel, Uncached, Writer
from patterns.nlp.qa.stages.score import exact_matches, f1_scores, holds
from patterns.nlp.qa.stages.servable import Generator


@dataclass(frozen=True)
class Written:
    """Answers to the questions of a part, the texts they were read from, and the speed."""

    texts: list[str]
    contexts: list[str]
    token_ms: float | None = None

    def values(self, part: Questions, *, seed: int) -> dict[str, Value]:
        """Return how right the answers are, and how many stand in the text they were read from."""
        em, f1 = exact_matches(self.texts, part.answers), f1_scores(self.texts, part.answers)
        given = [bool(text) for text in self.texts]
        supported = [
            holds(context, text)
            for text, context in zip(self.texts, self.contexts, strict=True)
            if text
        ]
        return {
            "EM": Estimate(float(em.mean()), *interval(em, seed=seed)),
            "F1": Estimate(float(f1.mean()), *interval(f1, seed=seed)),
            "answered": float(np.mean(given)),
            "supported": float(np.mean(supported)) if supported else None,
            "token ms": self.token_ms,
        }


def generation_tables(pipeline: Pipeline, splits: Splits, found: Retrieved) -> list[Table]:
    """Return the tables of the generator; none without one."""
    if pipeline.generator_ is None:
        return []
    most = pipeline.tested["generated"] or len(found.part)
    drawn = np.random.default_rng(pipeline.seed).permutation(len(found.part))[:most]
    rows = np.sort(drawn).tolist()
    return [
        answers_table(pipeline, splits, found, rows),
        cache_table(pipeline.generator_, found.part),
    ]


def answers_table(
    pipeline: Pipeline, splits: Splits, found: Retrieved, rows: Sequence[int]
) -> Table:
    """Compare reading with generating, the right context with the retrieved one."""
    generator, seed = pipeline.generator_, pipeline.seed
    assert generator is not None and pipeline.served_ is not None
    part = found.part.some(rows)
    cited = [each.text if each else "" for each in (found.unasked.cited[row] for row in rows)]
    reader_ = pipeline.served_.read(part.texts, part.contexts)
    spans = [each.spans[0].text if each.spans else "" for each in reader_]
    generators = [each for each in (generator.untuned(), generator) if each is not None]
    others = elsewhere(part, seed=seed)
    table = {"reader, right context": Written(spans, part.contexts).values(part, seed=seed)}
    for each in generators:
        said = timed(each, part.texts, part.contexts)
        silent = each.answer([part.texts[row] for row in others], list(others.values()))
        values = said.values(part, seed=seed)
        rightly: Value = float(np.mean([not text for text in silent])) if silent else None
        table[f"{each.name}, right context"] = values | {"rightly nothing": rightly}
    retrieved = Written([found.unasked.said.texts[row] for row in rows], cited)
    table["reader, retrieved"] = retrieved.values(part, seed=seed)
    said = timed(generator, part.texts, cited)
    table[f"{generator.name}, retrieved"] = said.values(part, seed=seed)
    caption = (
        f"{len(part):,} of {len(splits.test):,} test questions, drawn at random. Supported: the"
        " answer stands, plainly, in the text it was read from. Rightly nothing: of"
        f" {len(others):,} questions beside another paragraph of their article, which does not hold"
        " the answer, the share that got none. Token ms: milliseconds for each token that was"
        f" written, its share of reading the prompts included, {generator.batch_size} at a time."
    )
    columns = ("EM", "F1", "answered", "supported", "rightly nothing", "token ms")
    listed = [Row(name, values, baseline=not n) for n, (name, values) in enumerate(table.items())]
    return Table("generated answers", columns, tuple(listed), caption)


def timed(generator: Generator, questions: Sequence[str], contexts: Sequence[str]) -> Written:
    """Answer, and tell how fast it was written."""
    began = time.perf_counter()
    texts = generator.answer(questions, contexts)
    seconds = time.perf_counter() - began
    tokens = generator.written_
    return Written(texts, list(contexts), 1000 * seconds / tokens if tokens else None)


def elsewhere(part: Questions, *, seed: int) -> dict[int, str]:
    """Return for rows of questions another paragraph of the article, without their answer."""
    rng = np.random.default_rng(seed)
    of_title: dict[str, list[int]] = {}
    for row, paragraph in enumerate(part.paragraphs):
        of_title.setdefault(paragraph.title, []).append(row)
    found = {}
    for row, question in enumerate(part.questions):
        near = [
            other
            for other in of_title[part.paragraphs[question.paragraph].title]
            if other != question.paragraph
            and not any(holds(part.paragraphs[other].text, each) for each in question.answers)
        ]
        if near and question.answerable:
            found[row] = part.paragraphs[int(rng.choice(near))].text
    return found


def cache_table(generator: Generator, part: Questions) -> Table:
    """Time the same tokens written with keys and values kept, and without."""
    assert generator.causal_ is not None and generator.prompt_ is not None
    prompt = generator.prompt_(part.texts[0], part.contexts[0])
    model, tokens = generator.causal_, generator.max_new_tokens  # for which there is room
    kept = seconds_of(model.writer(), prompt, tokens, model)
    again = seconds_of(Uncached(model), prompt, tokens, model)
    rows = [
        Row("reading all again", {"token ms": 1000 * again / tokens}, baseline=True),
        Row("keys and values kept", {"token ms": 1000 * kept / tokens}),
    ]
    caption = (
        f"{tokens} tokens written after a prompt of {len(prompt)}, one text, with the cache and"
        " without."
    )
    return Table("cache", ("token ms",), tuple(rows), caption)


def seconds_of(writer: Writer, prompt: Sequence[int], tokens: int, model: CausalModel) -> float:
    """Write `tokens` greedy tokens after a prompt, whatever they are, and return the seconds."""
    newest = torch.tensor([list(prompt)], device=model.device)  # (1, T)
    began = time.perf_counter()
    with torch.inference_mode():
        for _ in range(tokens):
            logits = writer.read(newest, torch.ones_like(newest))  # (1, V)
            newest = logits.argmax(dim=1, keepdim=True)
    return time.perf_counter() - began
