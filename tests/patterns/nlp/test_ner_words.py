"""How a text is cut into words with their places, and how words are written."""

import numpy as np
import pytest

from patterns.nlp.ner.stages.shapes import CASES, CODES, case_of, shape_word, shapes
from patterns.nlp.ner.stages.words import places_of_words, readable, split_words


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Ada met Babbage.", ["Ada", "met", "Babbage", "."]),
        ("I don't like Ada's U.S. (12:46, 1,000)!",
         ["I", "don't", "like", "Ada", "'s", "U.S.", "(", "12:46", ",", "1,000", ")", "!"]),
        ("@ada_l #tag see https://a.b/c?d=1.", ["@ada_l", "#tag", "see", "https://a.b/c?d=1", "."]),
        ("Osc-Dis re-engineered - now", ["Osc-Dis", "re-engineered", "-", "now"]),
        ("<b>Ada</b>", ["<", "b", ">", "Ada", "<", "/", "b", ">"]),
        ("東京へ行く", ["東", "京", "へ", "行", "く"]),
        ("मिला Zoë", ["मिला", "Zoë"]),
        ("Zoe\u0308!", ["Zoe\u0308", "!"]),
        ("go 👩\u200d💻 ☺\ufe0f👍🏽", ["go", "👩\u200d💻", "☺\ufe0f", "👍🏽"]),
        ("a\x07b\x00\tc\u2028d", ["a", "b", "c", "d"]),
        ("\ud83d Ada", ["\ud83d", "Ada"]),
        (" \n\t ", []),
        ("", []),
    ],
)  # fmt: skip
def test_a_text_is_cut_into_words(text: str, words: list[str]) -> None:
    found, places = split_words(text)
    assert found == words
    assert [text[start:end] for start, end in places] == words


def test_places_are_in_order_and_leave_out_only_white_space_and_controls() -> None:
    rng = np.random.default_rng(0)
    signs = list("ab Z0.,'-@#é\u0301\u200d\ufe0f👍🏽東\x01\n\ud800:/") + ["http://", "'s"]
    for _ in range(300):
        text = "".join(signs[n] for n in rng.integers(len(signs), size=30))
        places = places_of_words(text)
        assert all(a[1] <= b[0] for a, b in zip(places, places[1:], strict=False))
        covered = {n for start, end in places for n in range(start, end)}
        left = {text[n] for n in range(len(text)) if n not in covered}
        assert left <= set(" \n\x01"), left


def test_a_long_text_is_cut_quickly() -> None:
    import time

    start = time.perf_counter()
    assert len(split_words("a'-." * 12_000 + "http://" * 5000)[0]) > 10_000
    assert time.perf_counter() - start < 5


def test_what_the_encoder_reads_is_composed_and_whole() -> None:
    assert readable("Zoe\u0308") == "Zoë" and readable("a\ud800") == "a\ufffd"
    assert readable("Ada") == "Ada"


def test_how_words_are_written() -> None:
    written = {word: case_of(word) for word in
               ["the", "Ada", "NASA", "I", "iPhone", "12:46", "X2", "...", "@ada", "#tag",
                "https://a.b", "東京", "😂"]}  # fmt: skip
    assert sorted(written.values()) == list(range(1, CASES)), written
    assert [shape_word(word) for word in ("McDonald", "aa12-B")] == ["XxXx", "x0-X"]
    codes = shapes(["Hello", "Ada", ".", "The", "end"])
    assert len(set((codes[[0, 1, 3]] // CASES % 3).tolist())) == 3  # first, other, after an end
    assert shapes([]).shape == (0,) and (shapes(["a"] * 9) < CODES).all()
    shouted, spoken = shapes(["ADA", "CALLED", "BOB"]), shapes(["Ada", "called", "him"])
    assert shouted[0] // (CASES * 3) == 3 and spoken[0] // (CASES * 3) == 1
