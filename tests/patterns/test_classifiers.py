"""What holds for every classifier, of texts or of images: one suite over all of them.

All answer raw logits (N, C) of a batch, learn planted labels, and come back from their files
as they were.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
from planted import grey_levels, intents, tiny_transformer

from common.probabilities import softmax
from patterns.nlp.classification.entities.texts import Texts
from patterns.nlp.classification.stages.encoder import EncoderClassifier
from patterns.nlp.classification.stages.export import export
from patterns.nlp.classification.stages.features import FeatureClassifier
from patterns.nlp.classification.stages.frozen import FrozenClassifier
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
def transformer() -> tuple[str, TemporaryDirectory]:
    """Write the pretrained model into a folder that is removed with the returned object."""
    folder = TemporaryDirectory()
    return tiny_transformer(Path(folder.name), texts()[0].texts), folder


def encoder() -> EncoderClassifier:
    return EncoderClassifier(
        model=transformer()[0], classes=3, epochs=8, learning_rate=5e-3, head_factor=1.0,
        batch_size=16, precision="fp32", device="cpu",
    )  # fmt: skip


def of_images(stage: Any, *, count: int = 192) -> Any:
    return stage.fit(grey_levels(count, seed=0), grey_levels(24, seed=1))


SHARED = {"classes": 3, "precision": "fp32", "device": "cpu"}
NETWORK = SHARED | {"least_steps": 0, "epochs": 10, "batch_size": 32, "learning_rate": 2e-2}
MOBILENET = SHARED | {
    "least_steps": 0,
    "epochs": 10,
    "batch_size": 8,
    "weights": "none",
    "input_size": 32,
}
OF_TEXTS: dict[str, Callable[[], Any]] = {
    "tfidf": lambda: TfidfClassifier(strengths=(10.0,)).fit(*texts()),
    "frozen": lambda: FrozenClassifier(model=transformer()[0], device="cpu").fit(*texts()),
    "features": lambda: FeatureClassifier(classes=3, epochs=20, device="cpu").fit(*texts()),
    "encoder": lambda: encoder().fit(*texts()),
    "onnx": lambda: export(encoder().fit(*texts())),
}
OF_IMAGES: dict[str, Callable[[], Any]] = {
    "linear": lambda: of_images(LinearClassifier(**NETWORK)),
    "cnn": lambda: of_images(CnnClassifier(widths=(8, 16), **NETWORK)),
    "mobilenet": lambda: of_images(MobileNetClassifier(**MOBILENET), count=48),
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
    assert accuracy > max(majority + 0.2, 0.8)


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


NOTHING_DRAWN = ("frozen", "onnx")
SEEDED = [name for name in (*OF_TEXTS, *OF_IMAGES) if name not in NOTHING_DRAWN]


@pytest.mark.parametrize("fitted", SEEDED, indirect=True)
def test_the_same_seed_gives_the_same_answers(fitted: Fitted) -> None:
    again = fitted.again()
    assert np.array_equal(again.predict(fitted.inputs), fitted.stage.predict(fitted.inputs))
