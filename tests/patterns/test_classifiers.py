"""What holds for every classifier, of texts or of images: one suite over all of them.

All answer raw logits (N, C) of a batch, learn planted labels, and come back from their files
as they were.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import numpy as np
import pytest
from planted import grey_levels, intents, tiny_transformer

from common.probabilities import softmax
from patterns.nlp.classification.entities.texts import Texts
from patterns.nlp.classification.stages.encoder import EncoderClassifier
from patterns.nlp.classification.stages.export import export
from patterns.nlp.classification.stages.features import FeatureClassifier
from patterns.nlp.classification.stages.tfidf import TfidfClassifier
from patterns.vision.classification.stages.cnn import CnnClassifier
from patterns.vision.classification.stages.linear import LinearClassifier
from patterns.vision.classification.stages.mobilenet import MobileNetClassifier

HELD_OUT = 60


@dataclass(frozen=True)
class Fitted:
    """A classifier fitted on planted data, how to fit it again, and what it is asked."""

    stage: Any
    again: Callable[[], Any]
    inputs: Any
    labels: np.ndarray

    @property
    def classes(self) -> int:
        return int(self.labels.max()) + 1


@cache
def texts() -> tuple[Texts, Texts]:
    """Give training and held-out texts of three intents that single words tell apart."""
    train, test = (
        Texts(
            [part.texts[row] for row in np.flatnonzero(part.labels)], part.labels[part.labels > 0]
        )
        for part in intents(count=4)
    )
    return Texts(train.texts, train.labels - 1), Texts(
        test.texts[:HELD_OUT], test.labels[:HELD_OUT] - 1
    )


@cache
def transformer() -> str:
    return tiny_transformer(Path(mkdtemp()), texts()[0].texts)


def encoder() -> EncoderClassifier:
    return EncoderClassifier(
        model=transformer(), classes=3, epochs=3, learning_rate=5e-3, head_factor=1.0,
        batch_size=32, precision="fp32", device="cpu",
    )  # fmt: skip


@cache
def fitted_encoder() -> EncoderClassifier:
    return encoder().fit(*texts())


def of_images(stage: Any) -> Any:
    return stage.fit(grey_levels(192, seed=0), grey_levels(48, seed=1))


NETWORK = {"classes": 3, "epochs": 4, "batch_size": 32, "precision": "fp32", "device": "cpu"}
MOBILENET = NETWORK | {"weights": "none", "input_size": 32, "learning_rate": 1e-2}
OF_TEXTS: dict[str, Callable[[], Any]] = {
    "tfidf": lambda: TfidfClassifier(strengths=(10.0,)).fit(*texts()),
    "features": lambda: FeatureClassifier(classes=3, epochs=5, device="cpu").fit(*texts()),
    "encoder": lambda: encoder().fit(*texts()),
    "onnx": lambda: export(fitted_encoder()),
}
OF_IMAGES: dict[str, Callable[[], Any]] = {
    "linear": lambda: of_images(LinearClassifier(**NETWORK)),
    "cnn": lambda: of_images(CnnClassifier(widths=(8, 16), **NETWORK)),
    "mobilenet": lambda: of_images(MobileNetClassifier(**MOBILENET)),
}


@pytest.fixture(scope="module", params=[*OF_TEXTS, *OF_IMAGES])
def fitted(request: pytest.FixtureRequest) -> Fitted:
    fit = (OF_TEXTS | OF_IMAGES)[request.param]
    if request.param in OF_TEXTS:
        return Fitted(fit(), fit, texts()[1].texts, texts()[1].labels)
    held_out = grey_levels(HELD_OUT, seed=2)
    return Fitted(fit(), fit, held_out.images, held_out.labels)


def test_it_learns_what_was_planted(fitted: Fitted) -> None:
    accuracy = (fitted.stage.predict(fitted.inputs).argmax(axis=1) == fitted.labels).mean()
    majority = np.bincount(fitted.labels).max() / len(fitted.labels)
    assert accuracy > max(majority + 0.2, 0.7)


def test_logits_become_probabilities(fitted: Fitted) -> None:
    logits = fitted.stage.predict(fitted.inputs)
    assert logits.shape == (HELD_OUT, fitted.classes)
    probabilities = softmax(logits)
    assert np.isfinite(logits).all() and (probabilities > 0).all()
    assert probabilities.sum(axis=1) == pytest.approx(np.ones(HELD_OUT))


def test_a_batch_equals_its_rows_one_by_one(fitted: Fitted) -> None:
    together = fitted.stage.predict(fitted.inputs[:12])
    alone = np.concatenate([fitted.stage.predict(fitted.inputs[i : i + 1]) for i in range(12)])
    assert np.allclose(together, alone, atol=1e-4)


def test_nothing_in_gives_nothing_out(fitted: Fitted) -> None:
    assert fitted.stage.predict(fitted.inputs[:0]).shape == (0, fitted.classes)


def test_it_comes_back_from_its_folder_as_it_was(fitted: Fitted, tmp_path: Path) -> None:
    fitted.stage.save(tmp_path)
    loaded = type(fitted.stage).load(tmp_path)
    expected = fitted.stage.predict(fitted.inputs)
    assert np.array_equal(loaded.predict(fitted.inputs), expected)
    (tmp_path / "again").mkdir()
    loaded.save(tmp_path / "again")
    again = type(loaded).load(tmp_path / "again")
    assert np.array_equal(again.predict(fitted.inputs), expected)


def test_the_same_seed_gives_the_same_answers(fitted: Fitted) -> None:
    again = fitted.again()
    assert again is not fitted.stage
    assert np.array_equal(again.predict(fitted.inputs), fitted.stage.predict(fitted.inputs))
