"""What a word is, in scripts with marks, with spaces and without."""

import re

import pytest

from common.text import unspaced_notice, word_pattern, words


def test_words_are_not_cut_at_their_vowel_signs() -> None:
    assert words("मुझे हिन्दी में पैसे चाहिए।") == ["मुझे", "हिन्दी", "में", "पैसे", "चाहिए"]
    assert words("e\u0301tat தமிழ்") == ["e\u0301tat", "தமிழ்"]


def test_scripts_without_spaces_are_split_in_overlapping_pairs() -> None:
    assert words("東京都 人 iPhone手机x") == ["東京", "京都", "人", "iPhone", "手机", "x"]
    assert words("ครับ") == ["ครั", "รับ"]
    assert "pairs" in str(unspaced_notice(["abc", "東京"]))
    assert unspaced_notice(["abc", "한국어", "हिन्दी"]) is None


@pytest.mark.parametrize(
    "text", ["Don't _stop_, it2 naïve 4.5!", "Привет, мир", "한국어 검색", "", " -- ", "1️⃣ ❤️ a"]
)
def test_other_texts_give_what_the_plain_pattern_gives(text) -> None:
    assert words(text) == re.findall(r"\w+", text)


def test_the_pattern_serves_sklearn() -> None:
    from sklearn.feature_extraction.text import TfidfVectorizer

    vectorizer = TfidfVectorizer(token_pattern=word_pattern()).fit(
        ["हिन्दी में", "東京都", "a big Dog"]
    )
    assert set(vectorizer.vocabulary_) == {"हिन्दी", "में", "東京", "京都", "a", "big", "dog"}
