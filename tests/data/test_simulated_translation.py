"""The made-up language pair: one right answer, its grammar, combinations that are held out."""

import re

import pytest
from sacrebleu.metrics import BLEU

from data.simulated import translation
from data.simulated.translation import ADJECTIVES, UNSEEN, _Meaning, _Phrase, generate


@pytest.fixture(scope="module")
def world():
    return generate(seed=3, texts=2000)


def test_a_sentence_as_its_grammar_says() -> None:
    girl, house = ("girl mira", "house domo")
    meaning = _Meaning(
        _Phrase(girl, "tall tali", False, True), "see sees saw vid", True, True,
        _Phrase(house, "red rug", True, False), "", None, "yesterday hieri",
    )  # fmt: skip
    assert meaning.english() == "The tall girl did not see some red houses yesterday."
    assert meaning.toy() == "Hieri la mira talia unoj domojn rugojn ne vidis."


def test_a_perfect_system_scores_100_and_a_source_has_one_translation(world) -> None:
    for frame in (world.train, world.test):
        assert frame["en"].n_unique() == frame["toy"].n_unique() == frame.height
    right = {en: toy for en, toy in [*world.train.iter_rows(), *world.test.iter_rows()]}
    said = [right[text] for text in world.test["en"]]
    assert BLEU().corpus_score(said, [world.test["toy"].to_list()]).score == pytest.approx(100)


def test_no_sentence_stands_in_two_parts_and_the_seed_decides(world) -> None:
    assert not set(world.train["en"]) & set(world.test["en"])
    assert world.train.height == 1800 and world.test.height == 200
    assert generate(seed=3, texts=2000).train.equals(world.train)
    assert not generate(seed=4, texts=2000).train.equals(world.train)


def test_held_out_pairs_of_words_never_occur_in_training(world) -> None:
    nouns = (*translation.PEOPLE, *translation.THINGS)
    held_out = {
        f"{adjective.split()[0]} {noun.split()[0]}"
        for a, adjective in enumerate(ADJECTIVES)
        for n, noun in enumerate(nouns)
        if (a + n) % 5 == 0
    }
    pattern = re.compile(rf"\b({'|'.join(held_out)})s?\b")
    assert len(held_out) == 48
    assert not [text for text in world.train["en"] if pattern.search(text)]
    unseen = world.extra[UNSEEN]["en"].to_list()
    assert len(unseen) == 100 and all(pattern.search(text) for text in unseen)
    assert set(unseen) <= set(world.test["en"])
    assert sum(bool(pattern.search(text)) for text in world.test["en"]) == 100


@pytest.mark.parametrize(
    ("options", "named"), [({"texts": 9}, "texts"), ({"test_share": 0.9}, "test_share")]
)
def test_sizes_out_of_range_are_named(options, named) -> None:
    with pytest.raises(ValueError, match=f"^{named}: "):
        generate(**options)
