"""Passages found, weighed and cited, or nothing said: on planted passages and by hand."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from common.encoders import load_encoder
from common.retrieval import Candidates
from patterns.nlp.qa.entities.answers import Reading, Span
from patterns.nlp.qa.entities.passages import Passage
from patterns.nlp.qa.entities.questions import Paragraph
from patterns.nlp.qa.stages.abstention import Abstention
from patterns.nlp.qa.stages.answering import Answering, given, read_passages, written
from patterns.nlp.qa.stages.chunks import Chunker
from patterns.nlp.qa.stages.retrieval import Retriever

PARAGRAPHS = [
    Paragraph("a", "Kelwick", "A mill employs ninety people. Bridges burned down."),
    Paragraph("b", "Dornham", "The mill employs twelve people. Poets were born."),
    Paragraph("c", "Ulmgate", "Clocks and candles come from here."),
    Paragraph("d", "Norgate", "Families cook barley cake on holidays."),
]
ASKED = ["How many people has the mill at Dornham?", "Who cooks cake in Norgate?"]


def test_chunks_cover_a_paragraph_and_overlap() -> None:
    words = [f"word{number}" for number in range(25)]
    text = "  " + "  ".join(words) + " "
    passages = Chunker(words=10, overlap=4).cut([Paragraph("p", "t", text)])
    assert [len(each.text.split()) for each in passages] == [10, 10, 10, 7]
    assert passages[0].text.split()[-4:] == passages[1].text.split()[:4]
    assert {word for each in passages for word in each.text.split()} == set(words)
    for each in passages:
        assert text[each.start : each.end] == each.text
    assert passages[1].citation == f"t [p:{passages[1].start}-{passages[1].end}]"


def test_a_paragraph_that_fits_is_one_passage_and_an_empty_one_none() -> None:
    paragraphs = [Paragraph("p", "", " one  two "), Paragraph("q", "", " \n ")]
    (passage,) = Chunker(words=2, overlap=1).cut(paragraphs)
    assert passage == Passage("p", "", " one  two ")
    exact = Chunker(words=3, overlap=1).cut([Paragraph("p", "", "a b c d e")])
    assert [each.text for each in exact] == ["a b c", "c d e"]
    with pytest.raises(ValueError, match=r"^overlap: 3 is out of range; give 0 to 2"):
        Chunker(words=3, overlap=3)


@pytest.fixture(scope="module")
def retriever() -> Retriever:
    encoder = load_encoder("tfidf-svd", dimension=4)
    passages = Chunker().cut(PARAGRAPHS)
    return Retriever(encoder=encoder).index(passages).fit(ASKED, ["b", "d"])


def test_the_name_and_the_fact_find_the_passage_together(retriever: Retriever) -> None:
    found = retriever.retrieve(ASKED, 2)
    assert found.item_ids[:, 0].tolist() == [1, 3] and found.item_ids.shape == (2, 2)
    assert retriever.recall(found, ["b", "d"], 1) == 1.0
    assert retriever.ranks(found, ["a", "nowhere"]).tolist() == [2.0, np.inf]
    assert retriever.retrieve(ASKED, 99).item_ids.shape[1] == 4


def test_retrieval_comes_back_equal_and_can_be_indexed_anew(
    retriever: Retriever, tmp_path: Path
) -> None:
    retriever.save(tmp_path)
    loaded = Retriever.load(tmp_path)
    before, after = retriever.retrieve(ASKED, 4), loaded.retrieve(ASKED, 4)
    assert np.array_equal(before.item_ids, after.item_ids)
    assert loaded.passages_ == retriever.passages_ and loaded.in_words == retriever.in_words
    other = Retriever(encoder=load_encoder("tfidf-svd", dimension=2)).index(retriever.passages_)
    other.index(Chunker().cut(PARAGRAPHS[2:]))
    assert other.retrieve(["clocks from Ulmgate"], 5).item_ids[0, 0] == 0
    assert other.notices_ == []
    other.index([Passage("j", "", "東京都の人口"), *retriever.passages_])
    assert other.notices_[0].startswith("BM25: Scripts without spaces")
    assert other.retrieve(["京都"], 1).item_ids.tolist() == [[0]]
    with pytest.raises(ValueError, match="^passages: there are none to search"):
        other.index([])


def test_abstention_answers_where_answers_are_right() -> None:
    margins = np.array([-4.0, -3, -2, -1, 1, 2, 3, 4])
    f1 = np.array([0.0, 0, 0, 0, 1, 1, 1, 1])
    sure = Abstention(wrong_cost=0.5).fit(margins, f1, np.ones(8, bool))
    confidence = sure.confidence(margins)
    assert (np.diff(confidence) > 0).all() and ((confidence > 0) & (confidence < 1)).all()
    assert sure.answers(confidence).tolist() == [False] * 4 + [True] * 4


def test_a_wrong_answer_that_costs_nothing_is_given_unless_there_is_none() -> None:
    margins, f1 = np.array([-2.0, -1, 1, 2]), np.array([0.0, 0, 1, 1])
    free = Abstention().fit(margins, f1, np.ones(4, bool))
    assert free.answers(free.confidence(margins)).all()
    some = Abstention().fit(margins, f1, np.array([False, False, True, True]))
    assert some.answers(some.confidence(margins)).tolist() == [False, False, True, True]
    none = some.confidence(np.array([-np.inf]))
    assert none == 0 and not free.answers(none).any()


@pytest.mark.parametrize("f1", [np.ones(5), np.zeros(5)])
def test_one_kind_of_answer_gives_one_confidence(f1: np.ndarray, tmp_path: Path) -> None:
    stage = Abstention().fit(np.arange(5.0), f1, np.ones(5, bool))
    confidence = stage.confidence(np.array([-9.0, 0, 9]))
    assert np.ptp(confidence) == 0 and (confidence[0] > 0.5) == (f1[0] == 1)
    stage.save(tmp_path)
    assert Abstention.load(tmp_path).threshold_ == stage.threshold_


class Marked:
    """Reads the word in brackets, the surer the more marks stand behind it."""

    kind = name = "marked"

    def read(self, questions: Sequence[str], contexts: Sequence[str]) -> list[Reading]:
        found = []
        for text in contexts:
            start, end = text.find("[") + 1, text.find("]")
            spans = (Span(text[start:end], start, end, float(text.count("!"))),) if end > 0 else ()
            found.append(Reading(spans, 1.0))
        return found


PASSAGES = [
    Passage("a", "A", "x [rome]", 10), Passage("b", "B", "[oslo] !!!"), Passage("c", "C", "none"),
]  # fmt: skip


def lists(*rows: Sequence[int]) -> Candidates:
    """Give lists of passages whose scores fall by a tenth a rank."""
    ids = np.array(rows, dtype=np.int64)
    scores = np.where(ids < 0, -np.inf, 1 - 0.1 * np.arange(ids.shape[1]))
    return Candidates(ids, scores.astype(np.float32))


def test_reading_re_ranks_and_cites() -> None:
    read = read_passages(Marked(), ["q", "q"], PASSAGES, lists([0, 1, 2], [2, 0, -1]))  # type: ignore[arg-type]
    assert read.margins[0].tolist() == [-1.0, 2.0, -1e9]
    stage = Answering(wrong_cost=0.0)
    answers = [stage.answer(read, PASSAGES, row, k=5) for row in range(2)]
    assert [each.text for each in answers] == ["oslo", "rome"]
    assert [found.text for found in answers[0].found] == ["oslo", "rome"]
    first = answers[1].found[0]
    assert (first.start, first.end, first.passage) == (13, 17, PASSAGES[0])
    assert answers[0].confidence > answers[1].confidence


def test_the_weight_is_chosen_by_the_answers(tmp_path: Path) -> None:
    read = read_passages(Marked(), ["q"] * 6, PASSAGES, lists(*[[0, 1]] * 6))  # type: ignore[arg-type]
    reader_right = Answering().fit(read, [["oslo"]] * 6)
    assert reader_right.weight_ == 0.0 and reader_right.abstention_.confidence(2.0) > 0.5
    retriever_right = Answering().fit(read, [["rome"]] * 6)
    assert retriever_right.weight_ == 32.0  # 3 of margin against .1 of what was retrieved
    retriever_right.save(tmp_path)
    loaded = Answering.load(tmp_path)
    assert loaded.answer(read, PASSAGES, 0, k=1) == retriever_right.answer(read, PASSAGES, 0, k=1)


def test_nothing_found_abstains() -> None:
    read = read_passages(Marked(), ["q", "q"], PASSAGES, lists([2, -1], [-1, -1]))  # type: ignore[arg-type]
    for row in range(2):
        answer = Answering().answer(read, PASSAGES, row, k=3)
        assert answer.abstained and not answer.text and answer.found == ()
    assert read.best(read.order(0.0))[0] == ["", ""]


def test_an_unsure_answer_is_withheld_but_told() -> None:
    reading = Reading((Span("rome", 2, 6, 1.0), Span("x", 0, 1, 0.5)), null=3.0)
    sure = Abstention()
    sure.threshold_ = 0.9
    answer = given(reading, sure, k=1)
    assert answer.abstained and answer.text == "" and [f.text for f in answer.found] == ["rome"]
    sure.threshold_ = 0.0
    assert given(reading, sure, k=5).text == "rome" and len(given(reading, sure, k=5).found) == 2


def test_a_generated_answer_is_placed_where_the_text_has_it() -> None:
    answer = given(Reading((Span("Rome", 14, 18, 4.0),)), Abstention(), k=3)
    text = "Anna lives in Rome."
    assert written(answer, "rome", text).found[0].start == 14
    free = written(answer, "in the city of Rome", text)
    assert (free.text, free.found[0].start, free.found[0].end) == ("in the city of Rome", -1, -1)
    assert written(answer, "", text).abstained and not written(answer, "", text).text
