"""The simulated messages: what was planted is there, and nothing else decides."""

import polars as pl
import pytest

from common.evaluation.spans import is_valid, spans
from data.simulated.entities import TYPES, generate


def names(frame: pl.DataFrame) -> set[tuple[str, str]]:
    return {
        (" ".join(tokens[start:end]).lower(), kind)
        for tokens, tags in frame.select("tokens", "tags").rows()
        for start, end, kind in spans(tags)
    }


def test_shape_and_determinism() -> None:
    world, again = generate(seed=3, sentences=500), generate(seed=3, sentences=500)
    assert world.train.equals(again.train) and world.test.equals(again.test)
    assert world.source.checksums == again.source.checksums
    assert not world.train.equals(generate(seed=4, sentences=500).train)
    assert [world.train.height, world.valid.height, world.test.height] == [325, 75, 100]
    assert world.types == TYPES and {kind for _, kind in names(world.test)} == set(TYPES)
    for part in (world.train, world.valid, world.test):
        assert all(len(a) == len(b) for a, b in part.select("tokens", "tags").rows())
        assert all(is_valid(tags) for tags in part["tags"])


def test_no_sentence_occurs_twice_and_no_test_name_was_seen() -> None:
    world = generate(sentences=2000)
    parts = [world.train, world.valid, world.test]
    texts = [" ".join(tokens).lower() for part in parts for tokens in part["tokens"]]
    assert len(set(texts)) == len(texts)
    first_words = [{name.split()[0] for name, _ in names(part)} for part in parts]
    assert not first_words[0] & first_words[2] and not first_words[1] & first_words[2]
    lengths = {len(name.split()) for name, _ in names(world.test)}
    assert lengths == {1, 2, 3}


def test_ambiguous_names_have_two_types_in_training() -> None:
    shares = []
    for ambiguous in (0.0, 0.5):
        single = [name for name, _ in names(generate(sentences=4000, ambiguous=ambiguous).train)
                  if " " not in name]  # fmt: skip
        shares.append(1 - len(set(single)) / len(single))
    assert shares[0] == 0 and shares[1] > 0.05


def test_small_messages_have_no_capitals() -> None:
    def share(small: float) -> float:
        tokens = generate(sentences=1000, small=small).train["tokens"]
        return sum(" ".join(words).islower() for words in tokens) / len(tokens)

    assert share(1.0) == 1.0 and share(0.0) == 0.0


@pytest.mark.parametrize(
    ("options", "named"), [({"sentences": 9}, "sentences"), ({"small": 2.0}, "small"),
                           ({"test_share": 0.9}, "test_share")]
)  # fmt: skip
def test_what_is_out_of_range_is_named(options: dict, named: str) -> None:
    with pytest.raises(ValueError, match=f"^{named}: "):
        generate(**options)
