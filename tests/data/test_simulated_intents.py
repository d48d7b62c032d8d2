"""The simulated intents: what was planted is there, and nothing else decides."""

from __future__ import annotations

import re

import numpy as np
import pytest

from data.simulated.intents import generate


def tokens(text: str) -> list[str]:
    return re.findall(r"\w+", text.lower())


def test_shape_and_determinism() -> None:
    world = generate(seed=3, intents=6, texts=600)
    again = generate(seed=3, intents=6, texts=600)
    assert world.train.equals(again.train) and world.test.equals(again.test)
    assert world.source.checksums == again.source.checksums
    assert not world.train.equals(generate(seed=4, intents=6, texts=600).train)
    assert len(world.label_names) == 6
    assert sorted(world.train["label"].unique()) == sorted(world.test["label"].unique())
    assert world.train.height + world.test.height == pytest.approx(600, abs=60)
    assert f"{world.train.height:,} train" in world.source.rows


def test_no_text_occurs_twice() -> None:
    world = generate(intents=20, texts=2000)
    texts = [*world.train["text"], *world.test["text"]]
    assert len(set(texts)) == len(texts)
    assert all(text.strip() for text in texts)


def test_class_sizes_fall_by_the_imbalance() -> None:
    counts = np.bincount(generate(intents=10, texts=3000, imbalance=1.0).train["label"])
    assert counts[0] / counts[-1] == pytest.approx(2.0, rel=0.1)
    even = np.bincount(generate(intents=10, texts=3000, imbalance=0.0).train["label"])
    assert even.max() - even.min() <= 1


def test_noise_replaces_its_share_of_training_labels_only() -> None:
    clean = generate(seed=1, intents=8, texts=4000, noise=0.0)
    noisy = generate(seed=1, intents=8, texts=4000, noise=0.2)
    assert noisy.train["text"].equals(clean.train["text"])
    assert noisy.test.equals(clean.test)
    share = (noisy.train["label"] != clean.train["label"]).mean()
    assert share == pytest.approx(0.2, abs=0.03)


def accuracy(world, ngrams: int, labels: tuple[int, ...]) -> float:
    from sklearn.feature_extraction.text import CountVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    train = world.train.filter(world.train["label"].is_in(labels))
    test = world.test.filter(world.test["label"].is_in(labels))
    model = make_pipeline(
        CountVectorizer(ngram_range=(1, ngrams)), LogisticRegression(max_iter=500)
    )
    model.fit(train["text"], train["label"])
    return model.score(test["text"], test["label"])


def test_order_decides_between_the_ordered_pair() -> None:
    world = generate(intents=2, texts=800, typos=0.0, imbalance=0.0)
    assert world.label_names == ("move_to_savings", "move_from_savings")
    assert accuracy(world, 1, (0, 1)) < 0.62
    assert accuracy(world, 2, (0, 1)) > 0.97


def test_neighbours_share_their_words_but_can_be_told_apart() -> None:
    world = generate(intents=12, texts=2400, typos=0.0)
    words = [
        {w for t in world.train.filter(world.train["label"] == label)["text"] for w in tokens(t)}
        for label in range(12)
    ]
    same_action, same_object = words[2] & words[3], words[2] & words[7]
    assert "cancel" in same_action and "card" in same_object
    assert accuracy(world, 2, tuple(range(12))) > 0.9


@pytest.mark.parametrize(
    "options", [{"intents": 1}, {"intents": 99}, {"texts": 3}, {"noise": 1.5}, {"typos": -1}]
)
def test_out_of_range_is_named(options: dict) -> None:
    with pytest.raises(ValueError, match=rf"^{next(iter(options))}: .*out of range; give"):
        generate(**options)
