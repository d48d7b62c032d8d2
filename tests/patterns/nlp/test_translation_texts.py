"""What is done to texts: the lexicon, subwords, sentences, BLEU, on texts whose answer is known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from planted_translation import ODD, world

from patterns.nlp.translation.entities.pairs import Pairs
from patterns.nlp.translation.stages import bleu
from patterns.nlp.translation.stages.lexicon import Lexicon, joined, tokens
from patterns.nlp.translation.stages.sentences import cleaned, sentences, together
from patterns.nlp.translation.stages.subwords import END, PAD, START, Subwords, normalised


@pytest.fixture(scope="module")
def pairs() -> tuple[Pairs, Pairs]:
    return world()


def test_model_1_finds_which_word_is_which() -> None:
    texts = Pairs(
        ["the house", "the book", "a book", "the red house", "Anna"],
        ["das Haus", "das Buch", "ein Buch", "das rote Haus", "Anna"],
    )
    lexicon = Lexicon(rounds=20).fit(texts)
    assert lexicon.translate(["The house, a red book! Zoë"]) == ["Das Haus, ein rote Buch! Zoë"]
    steps = np.diff(lexicon.log_likelihood_)
    assert (steps >= -1e-12).all() and steps[0] > 0.01  # EM never makes it worse


def test_model_1_reads_as_many_pairs_as_its_memory_allows() -> None:
    texts = Pairs(["a b", "a c", "d"], ["x y", "x z", "w"])  # 6 + 6 + 2 places
    assert [Lexicon(most_places=most).fit(texts).read_ for most in (1, 11, 12, 99)] == [1, 1, 2, 3]
    assert "d" not in Lexicon(most_places=12).fit(texts).words_


def test_words_are_joined_as_people_write_them() -> None:
    assert joined(tokens("Well (so), don't: it's 3.")) == "Well (so), don't: it's 3."


def test_a_lexicon_comes_back_equal_and_refuses_texts_without_words(tmp_path: Path) -> None:
    lexicon = Lexicon().fit(Pairs(["a b", "a c"], ["x y", "x z"]))
    lexicon.save(tmp_path)
    assert Lexicon.load(tmp_path).translate(["A c b 🎬"]) == lexicon.translate(["A c b 🎬"])
    with pytest.raises(ValueError, match="^texts: no words"):
        Lexicon().fit(Pairs([""], [""]))


@pytest.fixture(scope="module", params=["bpe", "sentencepiece"])
def subwords(request: pytest.FixtureRequest, pairs: tuple[Pairs, Pairs]) -> Subwords:
    train = pairs[0]
    return Subwords(kind=request.param, vocabulary=500).fit([*train.sources, *train.targets])


@settings(max_examples=60, deadline=None)
@given(text=st.text(max_size=40))
def test_any_text_comes_back_equal(subwords: Subwords, text: str) -> None:
    assert subwords.decode(subwords.encode([text])) == [normalised(text)]


def test_odd_texts_come_back_equal_and_no_text_is_a_sign_of_ours(
    subwords: Subwords, tmp_path: Path
) -> None:
    found = subwords.encode(ODD)
    assert subwords.decode(found) == [normalised(text) for text in ODD]
    assert not {PAD, START, END} & {piece for ids in found for piece in ids}
    assert subwords.size_ <= 500 and max(max(ids, default=0) for ids in found) < subwords.size_
    assert subwords.decode([[START, *found[1], END, PAD]]) == [ODD[1]]
    subwords.save(tmp_path)
    loaded = Subwords.load(tmp_path)
    assert loaded.encode(ODD) == found and loaded.size_ == subwords.size_


def test_frequent_words_are_one_piece(subwords: Subwords, pairs: tuple[Pairs, Pairs]) -> None:
    found = subwords.encode([" yesterday", " teacher", "qxzqxzqxz"])
    assert len(found[0]) < 6 and len(found[1]) < 5 and len(found[2]) > 6


def test_a_vocabulary_that_cannot_be_made_is_refused() -> None:
    with pytest.raises(ValueError, match="^kind: 'words' is not known"):
        Subwords(kind="words")
    with pytest.raises(ValueError, match="^vocabulary: SentencePiece makes no 100 pieces"):
        Subwords(kind="sentencepiece", vocabulary=103).fit(["a b"])


def test_sentences_are_cut_and_put_together_again() -> None:
    text = "Mr. Smith sleeps. A dog (red!) runs…  He said: “No.” Then\n\n 12 birds sang?! yes. It"
    found = sentences(f"  {text} ")
    assert [each.text for each in found] == [
        "Mr. Smith sleeps.", "A dog (red!) runs…", "He said: “No.”", "Then", "12 birds sang?! yes.",
        "It",
    ]  # fmt: skip
    assert together(found, [each.text for each in found]) == text
    assert [each.text for each in sentences("今日は。明日")] == ["今日は。", "明日"]
    assert sentences(" \n ") == [] and sentences("a")[0].after == ""


def test_what_cannot_be_seen_is_taken_out() -> None:
    assert cleaned("a\x00b\tc\u200b\ufeff\n d\u00a0e") == "a b c d e"
    assert cleaned("👩\u200d👧 \ud800") == "👩\u200d👧 \ufffd"
    assert cleaned("\u200b \u00ad") == ""


WORDS = st.lists(st.sampled_from("the cat sat on a mat . , The".split()), max_size=9).map(" ".join)


@settings(max_examples=40, deadline=None)
@given(texts=st.lists(st.tuples(WORDS, WORDS), min_size=1, max_size=6))
def test_bleu_equals_sacrebleu(texts: list[tuple[str, str]]) -> None:
    from sacrebleu.metrics import BLEU

    said, references = [list(each) for each in zip(*texts, strict=True)]
    assert bleu.bleu(said, references) == pytest.approx(
        BLEU().corpus_score(said, [references]).score, abs=1e-6
    )
    lower = bleu.score(bleu.counts(said, references, lowercase=True).sum(axis=0))
    expected = BLEU(lowercase=True).corpus_score(said, [references]).score
    assert float(lower) == pytest.approx(expected, abs=1e-6)


def test_resampled_bleu_is_of_whole_test_sets() -> None:
    from sacrebleu.metrics import BLEU

    references = [f"the cat number {n} sat on the red mat ." for n in range(30)]
    said = [text if n % 3 else text.replace("red", "big") for n, text in enumerate(references)]
    found = bleu.counts(said, references)
    drawn = bleu.resampled(found, samples=50, seed=4)
    rng = np.random.default_rng(4)
    times = rng.multinomial(30, np.full(30, 1 / 30), size=50)[7]
    rows = [row for row, count in enumerate(times) for _ in range(count)]
    expected = BLEU().corpus_score([said[r] for r in rows], [[references[r] for r in rows]]).score
    assert drawn[7] == pytest.approx(expected, abs=1e-6)
    assert drawn.min() < bleu.bleu(said, references) < drawn.max()
    assert "case:mixed" in bleu.signature() and "eff:no" in bleu.signature()
    assert bleu.chrf(references, references) == pytest.approx(100)
