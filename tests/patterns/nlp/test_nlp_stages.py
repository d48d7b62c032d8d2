"""The stages of text classification, on planted texts and a tiny random transformer."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from planted import intents, tiny_transformer

from common.encoders import Tokens, length_batches
from patterns.nlp.classification.entities.texts import Texts
from patterns.nlp.classification.pipeline import Pipeline
from patterns.nlp.classification.stages import tfidf
from patterns.nlp.classification.stages.encoder import EncoderClassifier
from patterns.nlp.classification.stages.export import OnnxClassifier, export, parity
from patterns.nlp.classification.stages.features import FeatureClassifier
from patterns.nlp.classification.stages.tfidf import TfidfClassifier

Parts = tuple[Texts, Texts]
ODD = ["", "日本語 🎬", "word " * 400, "a"]


@pytest.fixture(scope="module")
def parts() -> Parts:
    return intents()


@pytest.fixture(scope="module")
def tiny(parts: Parts, tmp_path_factory: pytest.TempPathFactory) -> str:
    return tiny_transformer(tmp_path_factory.mktemp("tiny"), parts[0].texts)


def small_encoder(tiny: str, **options: object) -> EncoderClassifier:
    settings: dict = {
        "model": tiny, "classes": 5, "epochs": 10, "learning_rate": 4e-3, "head_factor": 1.0,
        "batch_size": 32, "precision": "fp32", "device": "cpu", **options,
    }  # fmt: skip
    return EncoderClassifier(**settings)


@pytest.fixture(scope="module")
def encoder(tiny: str, parts: Parts) -> EncoderClassifier:
    return small_encoder(tiny).fit(*parts)


@pytest.fixture(scope="module")
def exported(encoder: EncoderClassifier) -> OnnxClassifier:
    return export(encoder)


def accuracy(stage: TfidfClassifier | FeatureClassifier, part: Texts) -> float:
    return float((stage.predict(part.texts).argmax(axis=1) == part.labels).mean())


def test_tfidf_learns_and_chooses_its_strength(parts: Parts) -> None:
    stage = TfidfClassifier().fit(*parts)
    assert stage.strength_ in (3.0, 10.0, 30.0)
    assert accuracy(stage, parts[1]) > 0.95
    assert stage.predict([]).shape == (0, 5)


def test_tfidf_has_fewer_words_where_classes_are_many(
    parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tfidf, "COEFFICIENTS", 60)
    stage = TfidfClassifier(strengths=(3.0,)).fit(*parts)
    assert len(stage.model_[0].vocabulary_) == 60 // 5
    assert stage.predict(["a"]).shape == (1, 5)


def test_tfidf_keeps_vowel_signs_in_their_words() -> None:
    texts = ["कल मिल", "कल मील", "कल मिल आज", "कल मील आज"] * 3  # short and long vowel
    part = Texts(texts, np.array([0, 1] * 6))
    assert TfidfClassifier().fit(part, part).predict(texts[:2]).argmax(axis=1).tolist() == [0, 1]


def test_how_long_an_encoder_trains_follows_from_its_texts() -> None:
    def plan(count: int, length: int, **options: int) -> tuple[int, int]:
        stage = EncoderClassifier(classes=3, **options)
        labels = np.arange(count) % 2
        labels[-1] = 2
        rows = stage._plan(np.full(count, length), labels)
        assert 2 in labels[rows] and len(np.unique(rows)) == len(rows)
        return stage.epochs_, len(rows)

    assert plan(9000, 16) == (6, 9000)
    assert plan(640, 16) == (20, 640)  # 200 steps
    assert plan(90, 16) == (30, 90)
    assert plan(9000, 50) == (2, 9000)
    epochs, rows = plan(100_000, 50)
    assert epochs == 1 and 18_000 <= rows <= 18_003
    assert plan(100_000, 50, epochs=3) == (3, 100_000)


def test_tfidf_gives_two_columns_for_two_classes() -> None:
    part = Texts(["good film", "bad film"] * 5, np.array([1, 0] * 5))
    logits = TfidfClassifier().fit(part, part).predict(["good", "bad"])
    assert logits.shape == (2, 2) and logits.argmax(1).tolist() == [1, 0]


def test_tfidf_refuses_texts_without_words() -> None:
    with pytest.raises(ValueError, match="no words"):
        TfidfClassifier().fit(Texts(["?", "!"], np.array([0, 1])), Texts(["?"], np.array([0])))


def test_tfidf_is_saved_without_pickle_and_refuses_foreign_types(
    parts: Parts, tmp_path: Path
) -> None:
    stage = TfidfClassifier(strengths=(3.0,)).fit(*parts)
    stage.save(tmp_path)
    assert np.array_equal(TfidfClassifier.load(tmp_path).predict(ODD), stage.predict(ODD))
    path = tmp_path / "tfidf.skops"
    with zipfile.ZipFile(path) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    schema = json.loads(files["schema.json"])
    schema["__module__"], schema["__class__"] = "os", "system"
    files["schema.json"] = json.dumps(schema).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    with pytest.raises(ValueError, match=r"not accepted: os\.system"):
        TfidfClassifier.load(tmp_path)


def test_features_learn_and_come_back_equal(parts: Parts, tmp_path: Path) -> None:
    stage = FeatureClassifier(classes=5, epochs=10, device="cpu").fit(*parts)
    assert accuracy(stage, parts[1]) > 0.9
    stage.save(tmp_path)
    assert np.array_equal(FeatureClassifier.load(tmp_path).predict(ODD), stage.predict(ODD))


def test_length_batches_hold_every_row_once_with_its_tokens() -> None:
    sequences = [[7] * n for n in (5, 1, 3, 9, 2)]
    seen = {}
    for rows, ids, mask in length_batches(sequences, batch_size=2, pad=0):
        assert ids.shape == mask.shape == (len(rows), max(len(sequences[r]) for r in rows))
        for row, tokens, real in zip(rows.tolist(), ids, mask, strict=True):
            seen[row] = tokens[real == 1].tolist()
    assert [seen[row] for row in range(5)] == sequences
    assert list(length_batches([], batch_size=2, pad=0)) == []


def test_tokens_are_the_transformers_own(tiny: str, parts: Parts) -> None:
    from common.encoders import load_transformer

    tokenizer, _ = load_transformer(tiny)
    texts = parts[0].texts[:50] + ODD
    expected = tokenizer(texts, truncation=True, max_length=16)["input_ids"]
    assert Tokens.of_transformer(tokenizer, max_length=16)(texts) == expected
    assert Tokens.of_transformer(tokenizer, max_length=999).max_length == 64


def test_encoder_learns_what_words_say(encoder: EncoderClassifier, parts: Parts) -> None:
    said, true = encoder.predict(parts[1].texts).argmax(axis=1), parts[1].labels
    # Labels 0 and 1 differ in word order alone, too little for a network this small to learn.
    assert (np.maximum(said, 1) == np.maximum(true, 1)).mean() > 0.95
    assert encoder.history_ is not None and len(encoder.history_.valid) == 10


def test_layers_learn_at_falling_rates(encoder: EncoderClassifier) -> None:
    assert encoder.module_ is not None
    encoder.layer_decay, encoder.head_factor = 0.5, 10.0
    rates: dict[float, int] = {}
    for group in encoder.parameter_groups(encoder.module_):
        rates[group["lr"]] = rates.get(group["lr"], 0) + sum(p.numel() for p in group["params"])
    encoder.layer_decay, encoder.head_factor = 0.8, 1.0
    base = encoder.learning_rate_
    assert sorted(rates) == pytest.approx([base / 4, base / 2, base, base * 10])
    assert sum(rates.values()) == sum(p.numel() for p in encoder.module_.parameters())


def test_encoder_comes_back_equal_and_answers_odd_texts(
    encoder: EncoderClassifier, tmp_path: Path
) -> None:
    encoder.save(tmp_path)
    loaded = EncoderClassifier.load(tmp_path)
    assert np.array_equal(loaded.predict(ODD), encoder.predict(ODD))
    assert loaded.predict([]).shape == (0, 5)
    single = np.concatenate([encoder.predict([text]) for text in ODD])
    assert np.allclose(encoder.predict(ODD), single, atol=1e-4)


def test_same_seed_same_encoder(tiny: str, parts: Parts, encoder: EncoderClassifier) -> None:
    again = small_encoder(tiny).fit(*parts)
    assert np.array_equal(again.predict(parts[1].texts), encoder.predict(parts[1].texts))


def test_a_finished_fine_tuning_is_taken_up_and_not_repeated(
    tiny: str, parts: Parts, encoder: EncoderClassifier, tmp_path: Path
) -> None:
    first = small_encoder(tiny).fit(*parts, checkpoint=tmp_path)
    again = small_encoder(tiny).fit(*parts, checkpoint=tmp_path, resume=True)
    assert again.history_ is not None and first.history_ is not None
    assert again.history_.resumed_from is not None
    assert again.history_.valid == first.history_.valid
    assert np.array_equal(again.predict(parts[1].texts), encoder.predict(parts[1].texts))


def test_export_answers_as_torch_does(
    exported: OnnxClassifier, encoder: EncoderClassifier, parts: Parts, tmp_path: Path
) -> None:
    found = parity(exported, encoder, parts[1].texts + ODD)
    assert found.holds and found.agreement == 1.0 and found.max_difference < 1e-4
    exported.save(tmp_path)
    loaded = OnnxClassifier.load(tmp_path)
    assert np.array_equal(loaded.predict(ODD), exported.predict(ODD))
    assert loaded.predict([]).shape == (0, 5)


def test_serving_an_export_imports_neither_torch_nor_transformers(
    exported: OnnxClassifier, tmp_path: Path
) -> None:
    pipeline = Pipeline(label_names="abcde")
    pipeline.served_ = exported
    pipeline.save(tmp_path)
    code = (
        "import sys, pathlib\n"
        "import patterns.nlp.classification.serve\n"
        "from patterns.nlp.classification.pipeline import Pipeline\n"
        "pipeline = Pipeline.load(pathlib.Path(sys.argv[1]))\n"
        "assert len(pipeline.classify(['stop my wire'])[0].labels) == 3\n"
        "heavy = {'torch', 'transformers', 'sklearn', 'data'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    root = Path(__file__).parents[3]
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], cwd=root, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-1500:]


def test_parity_notices_another_model(
    exported: OnnxClassifier, tiny: str, parts: Parts, encoder: EncoderClassifier
) -> None:
    other = small_encoder(tiny, epochs=1, seed=1).fit(*parts)
    found = parity(exported, other, parts[1].texts)
    assert not found.holds and found.max_difference > 1e-2
