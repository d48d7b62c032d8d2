"""Smaller and quicker forms of a classifier: frozen, pruned, taught, in int8."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from planted import intents, tiny_transformer

from common.probabilities import softmax
from patterns.nlp.classification import pipeline as wiring
from patterns.nlp.classification.data import Splits
from patterns.nlp.classification.entities.texts import Texts
from patterns.nlp.classification.evaluation.models import compared
from patterns.nlp.classification.evaluation.serving import quantisation_table
from patterns.nlp.classification.pipeline import Pipeline
from patterns.nlp.classification.stages import frozen
from patterns.nlp.classification.stages.encoder import EncoderClassifier
from patterns.nlp.classification.stages.export import OnnxClassifier, export
from patterns.nlp.classification.stages.frozen import FrozenClassifier
from patterns.nlp.classification.stages.guide import SHARES, blend, soft_loss
from patterns.nlp.classification.stages.pooled import PooledClassifier
from patterns.nlp.classification.stages.pruning import prune_neurons, shrunk
from patterns.nlp.classification.stages.quantisation import Gate, gate, quantise
from patterns.nlp.classification.stages.student import Student, reworded
from patterns.nlp.classification.stages.tfidf import TfidfClassifier

Parts = tuple[Texts, Texts]
GATE = Gate(0.99, 0.9, 0.905, "accuracy", 100, 23.0, 91.0)


@pytest.fixture(scope="module")
def parts() -> Parts:
    return intents()


@pytest.fixture(scope="module")
def tiny(parts: Parts, tmp_path_factory: pytest.TempPathFactory) -> str:
    return tiny_transformer(tmp_path_factory.mktemp("tiny"), parts[0].texts)


def trainee(tiny: str, **options: object) -> EncoderClassifier:
    settings: dict = {
        "model": tiny, "classes": 5, "epochs": 6, "learning_rate": 4e-3, "head_factor": 1.0,
        "batch_size": 32, "precision": "fp32", "device": "cpu", **options,
    }  # fmt: skip
    return EncoderClassifier(**settings)


@pytest.fixture(scope="module")
def teacher(tiny: str, parts: Parts) -> EncoderClassifier:
    return trainee(tiny, epochs=8).fit(*parts)


@pytest.fixture(scope="module")
def exported(teacher: EncoderClassifier) -> OnnxClassifier:
    return export(teacher)


def agreement(ours: object, theirs: EncoderClassifier, texts: list[str]) -> float:
    said = [each.predict(texts).argmax(axis=1) for each in (ours, theirs)]  # type: ignore[attr-defined]
    return float((said[0] == said[1]).mean())


def bert(layers: int = 6) -> torch.nn.Module:
    from transformers import BertConfig, BertModel

    config = BertConfig(
        vocab_size=30, hidden_size=16, num_hidden_layers=layers, num_attention_heads=2,
        intermediate_size=32, max_position_embeddings=16,
    )  # fmt: skip
    torch.manual_seed(0)
    return BertModel(config).eval()


def test_layers_are_kept_at_even_steps() -> None:
    whole = bert()
    for layers, kept in ((6, range(6)), (3, (0, 2, 5)), (2, (0, 5)), (1, (5,))):
        small = shrunk(whole, layers=layers, neurons=1.0)
        assert small.config.num_hidden_layers == layers == len(small.encoder.layer)
        for place, layer in zip(kept, small.encoder.layer, strict=True):
            ours = layer.intermediate.dense.weight
            assert torch.equal(ours, whole.encoder.layer[place].intermediate.dense.weight)
    assert len(whole.encoder.layer) == 6  # a copy was cut
    with pytest.raises(ValueError, match=r"^layers: 7 is out of range; the model has 6"):
        shrunk(whole, layers=7, neurons=1.0)


def test_neurons_that_add_nothing_are_pruned_first() -> None:
    whole = bert(2)
    idle = torch.arange(0, 32, 2)
    with torch.no_grad():
        for layer in whole.encoder.layer:
            layer.output.dense.weight[:, idle] = 0.0
    small = shrunk(whole, layers=2, neurons=0.5)
    ids = torch.arange(10)[None, :]
    ours, theirs = (each(input_ids=ids).last_hidden_state for each in (small, whole))
    assert torch.allclose(ours, theirs, atol=1e-6)
    assert small.config.intermediate_size == 16
    assert small.encoder.layer[0].intermediate.dense.weight.shape == (16, 16)
    again = type(small)(small.config)  # what is saved can be built again
    again.load_state_dict(small.state_dict())
    prune_neurons(whole, 0.25)  # beyond the idle ones, something is lost
    assert not torch.allclose(whole(input_ids=ids).last_hidden_state, theirs, atol=1e-3)


def test_a_model_without_such_matrices_cannot_be_pruned() -> None:
    strange = bert(2)
    strange.config.intermediate_size = 31
    with pytest.raises(ValueError, match=r"^neurons: BertModel has no pair"):
        prune_neurons(strange, 0.5)


def test_a_student_learns_from_its_teacher_and_not_from_labels(
    teacher: EncoderClassifier, tiny: str, parts: Parts, tmp_path: Path
) -> None:
    train, valid = parts
    wrong = Texts(train.texts, np.roll(train.labels, 7))
    said = Texts(valid.texts, teacher.predict(valid.texts).argmax(axis=1))
    stage = Student(trainee=trainee(tiny), layers=1, neurons=0.5, soft_share=1.0)
    student = stage.fit(teacher, wrong, said).model_
    assert student is not None and student.name.endswith("student")
    assert agreement(student, teacher, valid.texts) > 0.9
    module, whole = student.module_, teacher.module_
    assert isinstance(module, PooledClassifier) and isinstance(whole, PooledClassifier)
    assert module.encoder.config.num_hidden_layers == 1
    assert module.encoder.config.intermediate_size == 32
    assert whole.encoder.config.num_hidden_layers == 2  # the teacher is as it was
    student.save(tmp_path)
    loaded = EncoderClassifier.load(tmp_path)
    assert np.array_equal(loaded.predict(valid.texts), student.predict(valid.texts))


@pytest.mark.slow
def test_copies_teach_without_labels(teacher: EncoderClassifier, tiny: str, parts: Parts) -> None:
    few = Texts(parts[0].texts[:60], parts[0].labels[:60])
    stage = Student(trainee=trainee(tiny), layers=2, neurons=1.0, copies=3)
    student = stage.fit(teacher, few, parts[1]).model_
    assert student is not None and agreement(student, teacher, parts[1].texts) > 0.8


def test_a_copy_has_the_words_of_its_text() -> None:
    texts = ["a", "one two three four five six seven eight nine ten"]
    copies = reworded(texts, 50, np.random.default_rng(0))
    assert len(copies) == 100 and set(copies[:50]) == {"a"}
    assert all(set(copy.split()) <= set(texts[1].split()) for copy in copies[50:])
    assert len(set(copies[50:])) > 30 and texts[1].split()[0] == "one"
    assert reworded(texts, 0, np.random.default_rng(0)) == []


def test_a_student_that_keeps_too_little_is_not_served() -> None:
    stage = Student(trainee=EncoderClassifier(precision="fp32"))
    assert stage.judged(0.9, 0.92, least=0.97, measure="accuracy") is None
    said = stage.judged(0.8, 1.0, least=0.97, measure="accuracy") or ""
    assert "keeps 80.0% of its teacher's accuracy, less than 97.0%" in said


def test_frozen_vectors_are_told_apart_and_come_back(
    tiny: str, parts: Parts, tmp_path: Path
) -> None:
    stage = FrozenClassifier(model=tiny, device="cpu").fit(*parts)
    said = stage.predict(parts[1].texts).argmax(axis=1)
    assert (np.maximum(said, 1) == np.maximum(parts[1].labels, 1)).mean() > 0.8
    vectors = stage.outputs(parts[1].texts[:3]).vectors
    assert vectors is not None
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(np.ones(3), abs=1e-4)
    stage.save(tmp_path)
    loaded = FrozenClassifier.load(tmp_path)
    assert np.array_equal(loaded.predict(parts[1].texts), stage.predict(parts[1].texts))
    assert loaded.name == stage.name and loaded.predict([]).shape == (0, 5)


def test_frozen_reads_some_of_each_label_where_there_is_too_much(tiny: str, parts: Parts) -> None:
    train = parts[0]
    stage = FrozenClassifier(model=tiny, characters=1500, device="cpu")
    rows = stage._drawn(train)
    assert set(train.labels[rows]) == set(range(5)) and len(rows) < 0.2 * len(train)
    assert stage.said() == [f"{stage.name} was trained on {stage.read_share_:.0%} of the training"
                            " texts."]  # fmt: skip


def test_frozen_has_two_columns_for_two_labels(
    tiny: str, parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(frozen, "for_queries", lambda encoder, texts: (encoder, None))
    two = Texts(parts[0].texts[:80], np.minimum(parts[0].labels[:80], 1))
    logits = FrozenClassifier(model=tiny, device="cpu").fit(two, two).predict(two.texts)
    assert logits.shape == (80, 2) and (logits[:, 0] == 0).all()


def test_int8_serves_if_it_says_the_same(
    exported: OnnxClassifier, teacher: EncoderClassifier, parts: Parts, tmp_path: Path
) -> None:
    small = quantise(exported)
    found = gate(small, exported, parts[1])
    assert found.megabytes < found.full_megabytes and found.measure == "accuracy"
    assert found.agreement == agreement(small, teacher, parts[1].texts) > 0.9
    small.save(tmp_path)
    loaded = OnnxClassifier.load(tmp_path)
    assert loaded.name == "ONNX Runtime INT8"
    assert np.array_equal(loaded.predict(parts[1].texts), small.predict(parts[1].texts))


@pytest.mark.parametrize(
    ("change", "holds"),
    [
        ({}, True),
        ({"agreement": 0.979}, False),
        ({"score": 0.894}, False),
        ({"score": 0.95, "agreement": 0.98}, True),
    ],
)
def test_the_gate_asks_for_both(change: dict[str, float], holds: bool) -> None:
    found = dataclasses.replace(GATE, **change)  # type: ignore[arg-type]
    assert found.holds == holds == (found.notice is None)
    table = quantisation_table(found)
    served = [row.values["served"] for row in table.rows]
    assert served == (["no", "yes"] if holds else ["yes", "no"])


@pytest.mark.parametrize("broken", [False, True])
def test_what_fails_its_gate_does_not_serve(
    broken: bool, exported: OnnxClassifier, teacher: EncoderClassifier, parts: Parts,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    class Source:
        name = "planted"

    splits = Splits(Source(), *parts, parts[1], tuple("abcde"))  # type: ignore[arg-type]
    pipeline = Pipeline(
        label_names="abcde", baseline=TfidfClassifier(), encoder=teacher, runtime="onnx-int8"
    )
    pipeline.served_ = teacher
    small = quantise(exported)
    if broken:
        monkeypatch.setattr(small, "predict", lambda texts: -exported.predict(texts))
    monkeypatch.setattr(wiring, "export", lambda trained: exported)
    monkeypatch.setattr(wiring, "quantise", lambda export: small)
    pipeline.fit_export(splits)
    assert pipeline.parity_ is not None and pipeline.parity_.holds
    if broken:
        assert (
            pipeline.served_ is pipeline.exported_ and "INT8 is not served" in pipeline.notices[0]
        )
    else:
        assert pipeline.served_ is small and not pipeline.notices


def test_a_guided_encoder_begins_where_the_frozen_one_is(
    tiny: str, parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(frozen, "for_queries", lambda encoder, texts: (encoder, None))
    train, valid = parts
    before = FrozenClassifier(model=tiny, device="cpu", strengths=(30.0,))
    guide = before.fit(train, valid).guide()
    held_out = guide.held_out
    assert held_out is not None and held_out.shape == (len(train), 5)
    assert held_out.sum(axis=1) == pytest.approx(np.ones(len(train)), abs=1e-5)
    own = softmax(before.predict(train.texts))
    rows = np.arange(len(train))
    assert 0.3 < held_out[rows, train.labels].mean() < own[rows, train.labels].mean()
    stage = trainee(tiny, epochs=1, learning_rate=1e-6, guide=guide).fit(train, valid)
    assert agreement(before, stage, valid.texts) > 0.95
    tuned = trainee(tiny, epochs=6, guide=guide).fit(train, valid)
    said = tuned.predict(valid.texts).argmax(axis=1)
    assert (np.maximum(said, 1) == np.maximum(valid.labels, 1)).mean() > 0.95
    assert tuned.blend_ in SHARES


def test_targets_are_what_label_guide_and_smoothing_say() -> None:
    logits = torch.tensor([[2.0, 0.0, -1.0], [0.0, 1.0, 0.0]])
    labels, taught = torch.tensor([0, 2]), torch.tensor([[0.5, 0.5, 0.0], [0.0, 0.8, 0.2]])

    class Fixed(torch.nn.Module):
        def forward(self, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
            return logits

    batch = (labels, labels, labels, taught)
    logs = torch.log_softmax(logits, dim=1)
    for smoothing, guidance in ((0.0, 0.0), (0.3, 0.0), (0.0, 1.0), (0.1, 0.2)):
        loss = soft_loss(label_smoothing=smoothing, guidance=guidance)(Fixed(), batch)
        hard = torch.nn.functional.cross_entropy(logits, labels, reduction="mean")
        soft = -(taught * logs).sum(1).mean()
        even = -logs.mean(1).mean()
        expected = (1 - smoothing - guidance) * hard + guidance * soft + smoothing * even
        assert float(loss) == pytest.approx(float(expected), rel=1e-5)


def test_weights_are_moved_back_as_far_as_validation_likes() -> None:
    """Tuned to say twice too much of the second input: half of the way is right."""
    inputs, labels = np.eye(2), np.array([0, 1])
    module = torch.nn.Linear(2, 2, bias=False)
    start = {"weight": torch.tensor([[3.0, 3.0], [0.0, 0.0]])}
    for tuned, share in (
        ([[3.0, 0.0], [0.0, 3.0]], 1.0),
        ([[-3.0, -2.0], [3.0, 2.0]], 0.7),
    ):
        with torch.no_grad():
            module.weight.copy_(torch.tensor(tuned))

        def predict() -> np.ndarray:
            return inputs @ module.weight.detach().numpy().T

        assert blend(module, start, predict, labels) == share
        expected = torch.lerp(start["weight"], torch.tensor(tuned), share)
        assert torch.allclose(module.weight, expected)


def test_what_serves_stands_below_what_it_was_made_from() -> None:
    def stub(name: str) -> Any:
        return SimpleNamespace(name=name, kind="onnx")

    pipeline = Pipeline(label_names="ab", baseline=stub("base"))
    tuned, student, quick, int8 = map(stub, ("tuned", "student", "ONNX", "INT8"))
    pipeline.fitted_ = {"base": pipeline.baseline, "tuned": tuned, "student": student}  # type: ignore[dict-item]
    pipeline.served_ = pipeline.baseline
    assert [*compared(pipeline)] == ["base", "tuned", "student", "base + temperature"]
    pipeline.trained_, pipeline.exported_, pipeline.served_ = tuned, quick, quick
    assert [*compared(pipeline)] == ["base", "student", "tuned", "+ ONNX", "+ temperature"]
    pipeline.trained_, pipeline.served_ = student, int8
    assert [*compared(pipeline)] == [
        "base",
        "tuned",
        "student",
        "+ ONNX",
        "+ INT8",
        "+ temperature",
    ]
    assert compared(pipeline)["+ temperature"] == (int8, 1.0)
