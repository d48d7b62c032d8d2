"""Texts that no label fits: scores, the threshold, labels held out, what a caller is told."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from scipy.special import logsumexp
from sklearn.metrics import roc_auc_score

from patterns.nlp.classification.config import PRESETS, ScopeOptions, SplitOptions
from patterns.nlp.classification.data import Splits, load, split
from patterns.nlp.classification.entities.outputs import Outputs
from patterns.nlp.classification.entities.texts import Texts
from patterns.nlp.classification.evaluation.behaviour import behaviour_table
from patterns.nlp.classification.evaluation.scope import scope_table
from patterns.nlp.classification.pipeline import Pipeline
from patterns.nlp.classification.stages.scope import METHODS, Scope, fit_scopes, separation

HELD_OUT = dataclasses.replace(PRESETS["smoke"], model="tfidf-svd", split=SplitOptions(unknown=0.5))


def world(seed: int, *, out: float = 0.0) -> tuple[Outputs, np.ndarray]:
    """Give vectors around three centres, `out` off the plane of them, and logits that point at
    the centres alone.
    """
    rng = np.random.default_rng(seed)
    centres = 6 * np.eye(5)[:3]
    labels = rng.integers(3, size=300)
    vectors = (centres[labels] + rng.normal(size=(300, 5))).astype(np.float32)
    vectors[:, 4] += out
    return Outputs(vectors @ centres.T.astype(np.float32), vectors), labels


def test_scores_are_what_their_formulas_say() -> None:
    outputs, labels = world(0)
    scores = {
        name: Scope(method=name).fit(outputs, labels, outputs).rate(outputs) for name in METHODS
    }
    logits = outputs.logits.astype(float)
    assert scores["energy"] == pytest.approx(logsumexp(logits, axis=1))
    assert scores["max-logit"] == pytest.approx(logits.max(axis=1))
    shares = np.exp(logits - logsumexp(logits, axis=1)[:, None])
    assert scores["max-probability"] == pytest.approx(shares.max(axis=1))
    vectors = np.asarray(outputs.vectors, dtype=float)
    means = np.stack([vectors[labels == label].mean(axis=0) for label in range(3)])
    inverse = np.linalg.inv(np.cov((vectors - means[labels]).T, bias=True))
    from_means = vectors[:, None, :] - means[None]
    squares = np.einsum("ncd,de,nce->nc", from_means, inverse, from_means).min(axis=1)
    assert -scores["mahalanobis"] == pytest.approx(squares, rel=0.05)  # shrunk by a hundredth


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("keep", [0.8, 0.95])
def test_the_threshold_keeps_what_it_should_and_comes_back(
    method: str, keep: float, tmp_path: Path
) -> None:
    train, labels = world(0)
    valid, _ = world(1)
    stage = Scope(method=method, keep=keep).fit(train, labels, valid)
    kept = float((stage.rate(valid) >= stage.threshold_).mean())
    assert keep <= kept < keep + 0.01
    stage.save(tmp_path)
    loaded = Scope.load(tmp_path)
    assert (loaded.method, loaded.keep, loaded.threshold_) == (method, keep, stage.threshold_)
    assert np.array_equal(loaded.rate(valid), stage.rate(valid))
    assert len(loaded.rate(Outputs(train.logits[:0], np.zeros((0, 5), np.float32)))) == 0


def test_without_a_threshold_all_is_in_scope(tmp_path: Path) -> None:
    Scope().save(tmp_path)
    assert Scope.load(tmp_path).threshold_ == -np.inf
    with pytest.raises(ValueError, match=r"^method: 'entropy' is not known"):
        Scope(method="entropy")


def test_separation_is_the_auroc_of_the_library() -> None:
    train, labels = world(0)
    known, unknown = world(1)[0], world(2, out=2.0)[0]
    for method in METHODS:
        stage = Scope(method=method).fit(train, labels, known)
        scores = np.concatenate([stage.rate(known), stage.rate(unknown)])
        expected = roc_auc_score(np.repeat([1, 0], 300), scores)
        assert separation(stage, known, unknown) == pytest.approx(expected)


def test_the_best_method_is_chosen_on_texts_out_of_scope() -> None:
    """What lies off the plane of the centres has the logits of the others."""
    made = {"train": world(0), "valid": world(1), "strange": world(2, out=9.0)}

    def outputs(texts: Sequence[str]) -> Outputs:
        return made[texts[0]][0]

    parts = {name: Texts([name] * 300, labels) for name, (_, labels) in made.items()}
    chosen, scopes, notice = fit_scopes(outputs, parts["train"], parts["valid"], parts["strange"])
    assert chosen.method == "mahalanobis" and set(scopes) == set(METHODS) and notice is None
    assert separation(chosen, made["valid"][0], made["strange"][0]) > 0.99
    assert separation(scopes["energy"], made["valid"][0], made["strange"][0]) < 0.6
    usual, none, _ = fit_scopes(outputs, parts["train"], parts["valid"], None)
    assert usual.method == "energy" and not none
    made = {name: (Outputs(each.logits), labels) for name, (each, labels) in made.items()}
    plain, _, said = fit_scopes(outputs, parts["train"], parts["valid"], None, method="mahalanobis")
    assert plain.method == "energy" and "needs the vectors of an encoder" in str(said)


@pytest.fixture(scope="module")
def splits() -> Splits:
    return split(load(HELD_OUT), HELD_OUT)


@pytest.fixture(scope="module")
def pipeline(splits: Splits) -> Pipeline:
    pipeline = Pipeline.from_config(HELD_OUT, splits).fit_baseline(splits).fit_encoder(splits)
    return pipeline.fit_temperature(splits).fit_scope(splits)


def test_labels_that_are_held_out_stand_in_no_part(splits: Splits) -> None:
    whole = dataclasses.replace(HELD_OUT, split=SplitOptions())
    names = split(load(whole), whole).label_names
    assert len(splits.label_names) == 4 and set(splits.label_names) < set(names)
    table = load(whole)
    label_of = {
        text: table.label_names[label]
        for frame in (table.train, table.test)
        for text, label in frame.rows()
    }
    for part in (splits.train, splits.valid, splits.test):
        true = [label_of[text] for text in part.texts]
        assert true == [splits.label_names[label] for label in part.labels]
    assert splits.unknown_valid is not None and splits.unknown_test is not None
    chosen, told = (
        {label_of[text] for text in part.texts}
        for part in (splits.unknown_valid, splits.unknown_test)
    )
    assert len(chosen) == len(told) == 2 and not chosen & told
    assert not (chosen | told) & set(splits.label_names)
    assert set(splits.unknown_test.texts) <= set(table.test["text"])
    assert set(splits.unknown_valid.texts) <= set(table.train["text"])


def test_too_few_labels_to_hold_out_is_said() -> None:
    config = dataclasses.replace(HELD_OUT, split=SplitOptions(unknown=0.1))
    with pytest.raises(ValueError, match=r"^split.unknown: 0.1 of 8 labels are 1; at least two"):
        split(load(config), config)


def test_what_is_unlike_all_labels_is_turned_away(pipeline: Pipeline, splits: Splits) -> None:
    table = scope_table(pipeline, splits)
    rows = {row.name: row.values for row in table.rows}
    (served,) = (values for name, values in rows.items() if name.endswith("(served)"))
    assert served["AUROC"].value > 0.8  # type: ignore[union-attr]
    assert float(served["kept"]) > 0.8 and float(served["turned away"]) > 0.3  # type: ignore[arg-type]
    assert table.rows[0].baseline and table.rows[0].name.startswith("max-probability")
    texts = [*splits.test.texts[:40], "zebra quantum xylophone"]
    answers = pipeline.classify(texts)
    assert np.mean([answer.in_scope for answer in answers[:-1]]) > 0.8
    assert not answers[-1].in_scope and answers[-1].scope_score < pipeline.scope_.threshold_


def test_without_labels_held_out_the_cost_is_told(pipeline: Pipeline, splits: Splits) -> None:
    plain = dataclasses.replace(splits, unknown_valid=None, unknown_test=None)
    again = Pipeline(label_names=splits.label_names, scope="max-logit", keep_scope=0.9)
    again.served_ = pipeline.served_
    (row,) = scope_table(again.fit_scope(plain), plain).rows
    assert row.name == "max-logit (served)" and "AUROC" not in row.values
    assert 0.75 < float(row.values["kept"]) < 1  # type: ignore[arg-type]


def test_the_share_to_keep_has_a_range() -> None:
    with pytest.raises(ValueError, match=r"^scope.keep: "):
        dataclasses.replace(HELD_OUT, scope=ScopeOptions(keep=0.2))


class Shouting:
    """Says 1 where a text shouts, whatever it says."""

    kind, name = "tfidf", "shouting"

    def predict(self, texts: Sequence[str]) -> np.ndarray:
        return np.array([[0.5, float("!" in text or text.isupper())] for text in texts])


def test_a_checklist_finds_what_changes_the_label(splits: Splits) -> None:
    pipeline = Pipeline(label_names=("calm", "loud_one"))
    pipeline.served_ = Shouting()  # type: ignore[assignment]
    texts = Texts(["open the door.", "close the lid", "please help"], np.zeros(3, np.int64))
    simple = Texts(["help", "help!"], np.array([0, 1]))
    asked = dataclasses.replace(splits, test=texts, simple=simple, label_names=("calm", "loud_one"))
    rows = {row.name: row.values for row in behaviour_table(pipeline, asked).rows}
    passed = {name: values["passed"] for name, values in rows.items()}
    assert passed.pop("all in capitals") == passed.pop("exclamation marks at the end") == 0
    assert passed.pop("thanks after it") == 0 and passed.pop("the label's own name gets it") == 0.5
    assert set(passed.values()) == {1.0}
    assert rows["all in capitals"]["first failure"] == "calm → loud_one"
    assert rows["the label's own name gets it"]["first failure"] == "loud one → calm"
