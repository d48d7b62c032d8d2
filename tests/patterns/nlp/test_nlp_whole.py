"""All of text classification in one run: frozen, guided, taught, exported, int8, scope, service."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
from planted import tiny_transformer
from toy_report import check_whole

from common import artifacts
from patterns.nlp.classification import pipeline as wiring
from patterns.nlp.classification import train
from patterns.nlp.classification.config import (
    PRESETS,
    Config,
    EncoderOptions,
    SplitOptions,
    StudentOptions,
)
from patterns.nlp.classification.data import load, split
from patterns.nlp.classification.evaluate import evaluate
from patterns.nlp.classification.serve import ClassificationService


def whole(folder: Path) -> Config:
    table = load(PRESETS["smoke"])
    (folder / "tiny").mkdir()
    model = tiny_transformer(folder / "tiny", table.train["text"].to_list())
    return dataclasses.replace(
        PRESETS["smoke"],
        model=model,
        runtime="onnx-int8",
        runs=folder / "runs",
        device="cpu",
        split=SplitOptions(unknown=0.5),
        encoder=EncoderOptions(epochs=4, learning_rate=4e-3, batch_size=32, precision="fp32"),
        student=StudentOptions(layers=1, keep=0.5),
    )


@pytest.mark.slow
def test_a_run_of_everything(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = whole(tmp_path)
    reports = []

    def kept(*arguments: object) -> object:
        reports.append(evaluate(*arguments))  # type: ignore[arg-type]
        return reports[0]

    monkeypatch.setattr("patterns.nlp.classification.evaluate.evaluate", kept)
    monkeypatch.setattr(wiring, "preferred", lambda scores, learned, measure: (learned, None))
    path = train.main(config)
    (report,) = reports
    check_whole(report)
    rows = [row.name for row in report.tables[0].rows]
    assert rows == [
        "TF-IDF + LR", "tiny frozen + LR", "tiny fine-tuned", "tiny student", "+ ONNX Runtime",
        "+ ONNX Runtime INT8", "+ temperature",
    ]  # fmt: skip
    names = {table.name for table in report.tables}
    assert {"export", "quantisation", "out of scope", "behaviour", "slices"} <= names
    published = json.dumps(report.to_dict(), ensure_ascii=False)
    assert not [text for text in split(load(config), config).test.texts if text in published]
    run = artifacts.open_run(path, name="nlp/classification")
    service = ClassificationService(run)
    asked = [service.Request(text=text) for text in ("stop my wire", "zebra quantum xylophone")]
    known, strange = service.predict(asked)
    assert known.scope_score > strange.scope_score and not strange.in_scope
    assert known.labels[0].label == known.label
