"""How good each model is, what is gained over the baselines, and what decoding and export change.

An entity counts if its words and its type are right. `surface F1` counts each name once, however
often it stands in the test: the second measure of WNUT-17.

Shapes: N sentences.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from common.evaluation.latency import Latency, measure
from common.evaluation.report import Row, Table, Value
from common.evaluation.spans import Counts, counts_of_tags, f1_gain, is_valid
from patterns.nlp.ner.entities.sentences import Words
from patterns.nlp.ner.evaluation.answers import Answers
from patterns.nlp.ner.pipeline import Pipeline
from patterns.nlp.ner.stages.servable import Servable

BUDGET_MS = 50.0
TIMED = 200  # sentences


def headline_table(answers: Answers, *, seed: int) -> Table:
    """Compare all models, the baseline first."""
    test = answers.splits.test
    rows: list[Row] = []
    for name, model in answers.models.items():
        values: dict[str, Value] = {**answers.counts(name).estimates(seed=seed)}
        values["surface F1"] = _surface_f1(answers, name)
        time = _time(name, model, test.words[:TIMED])
        values |= {"p50 ms": time.p50_ms, "p99 ms": time.p99_ms}
        rows.append(Row(name, values, baseline=not rows))
    entities = sum(map(len, answers.true))
    caption = (
        f"{len(test):,} test sentences, {entities:,} entities of {len(answers.splits.types)} types;"
        " 95 % bootstrap intervals over sentences; an entity counts if its words and its type are"
        " right; milliseconds of one sentence alone, from its words to its tags."
    )
    columns = ("precision", "recall", "F1", "surface F1", "p50 ms", "p99 ms")
    return Table("named entities", columns, tuple(rows), caption)


def against_baselines(answers: Answers, *, seed: int) -> Table:
    """Compare what serves with each other model, sentence by sentence."""
    ours, final = answers.counts(answers.served), answers.final
    rows = []
    for name in answers.models:
        if name == answers.served or answers.said[name] == final:
            continue
        theirs = answers.said[name]
        pairs = list(zip(answers.true, final, theirs, strict=True))
        only_ours = sum(len(set(t) & set(a) - set(b)) for t, a, b in pairs)
        only_theirs = sum(len(set(t) & set(b) - set(a)) for t, a, b in pairs)
        neither = sum(len(set(t) - set(a) - set(b)) for t, a, b in pairs)
        values: dict[str, Value] = {
            "F1 gained": f1_gain(answers.counts(name), ours, seed=seed),
            "only ours": float(only_ours),
            "only theirs": float(only_theirs),
            "neither": float(neither),
        }
        rows.append(Row(f"over {name}", values))
    columns = ("F1 gained", "only ours", "only theirs", "neither")
    caption = "Paired over the test sentences; the other columns count the true entities found."
    return Table("gain", columns, tuple(rows), caption)


def decoding_table(pipeline: Pipeline, answers: Answers) -> Table:
    """Tell what the sequence of tags gains over the best tag of each word."""
    assert pipeline.served_ is not None
    decoder, true = pipeline.served_.decoder_, answers.splits.test.tags
    name = "CRF" if pipeline.encoder is not None and pipeline.encoder.crf else "Viterbi"
    ways = {
        "best tag of each word": [decoder.tags.words(s.argmax(axis=1)) for s in answers.scores],
        name: decoder.decode(answers.scores, penalty=0.0),
        f"+ penalty on O, {decoder.penalty_:g}": decoder.decode(answers.scores),
    }
    rows = []
    for way, tags in ways.items():
        found = counts_of_tags(true, tags)
        values = _plain(found) | {
            "F1 strict": counts_of_tags(true, tags, strict=True).f1,
            "invalid": float(np.mean([not is_valid(each) for each in tags])),
        }
        rows.append(Row(way, values))
    caption = (
        "The same scores, decoded in three ways; the penalty was fitted on validation. Invalid is"
        " the share of sentences with a tag that continues nothing: F1 reads such a tag as the"
        " beginning of an entity (conlleval), strict F1 as none."
    )
    columns = ("precision", "recall", "F1", "F1 strict", "invalid")
    return Table("decoding", columns, tuple(rows), caption)


def _plain(found: Counts) -> dict[str, Value]:
    return {"precision": found.precision, "recall": found.recall, "F1": found.f1}


def _surface_f1(answers: Answers, name: str) -> float:
    true, said = answers.surfaces(answers.true), answers.surfaces(answers.said[name])
    return 2 * len(true & said) / max(len(true) + len(said), 1)


def _time(name: str, model: Servable, sentences: Sequence[Words]) -> Latency:
    def tag(words: Words) -> object:
        return model.decoder_.decode(model.predict([words]))

    return measure(name, tag, sentences, budget_ms=BUDGET_MS)
