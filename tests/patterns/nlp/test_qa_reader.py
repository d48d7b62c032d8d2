"""The reader: windows that know their characters, spans that can be, and a tiny transformer."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from planted_questions import coloured, tiny_reader

from patterns.nlp.qa.entities.questions import Paragraph, Question, Questions
from patterns.nlp.qa.stages.export import OnnxReader, export, parity
from patterns.nlp.qa.stages.overlap import OverlapReader
from patterns.nlp.qa.stages.reader import SpanReader
from patterns.nlp.qa.stages.score import f1_scores
from patterns.nlp.qa.stages.spans import reading
from patterns.nlp.qa.stages.training_windows import training_windows
from patterns.nlp.qa.stages.windows import PairTokens, Window

TRAIN, VALID = coloured(300, seed=1), coloured(60, seed=2)
ODD = ["日本語 🎬 red", "\x00 \x07", "fox " * 300, "Red", "e\u0301 ﬁ İ fox"]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> str:
    return tiny_reader(tmp_path_factory.mktemp("tiny"))


def small(tiny: str, **more: object) -> SpanReader:
    settings: dict = {
        "model": tiny, "epochs": 4, "learning_rate": 5e-3, "batch_size": 16, "head_factor": 1.0,
        "max_length": 32, "train_length": 32, "stride": 8, "max_question": 8, "max_answer": 4,
        "negatives": 0.0, "precision": "fp32", "device": "cpu", **more,
    }  # fmt: skip
    return SpanReader(**settings)


@pytest.fixture(scope="module")
def reader(tiny: str) -> SpanReader:
    return small(tiny).fit(TRAIN, VALID)


@pytest.fixture(scope="module")
def exported(reader: SpanReader) -> OnnxReader:
    return export(reader)


@pytest.fixture(scope="module")
def tokens(reader: SpanReader) -> PairTokens:
    assert reader.tokens_ is not None
    return reader.tokens_


def test_windows_cover_a_long_context_and_overlap(tokens: PairTokens) -> None:
    context = " ".join(f"{'red' if n % 7 else 'blue'}" for n in range(90))
    windows = tokens(["Which colour?", "Which animal?"], [context, "fox"])
    of_first = [each for each in windows if each.row == 0]
    assert len(windows) == len(of_first) + 1 and len(of_first) > 2
    covered = set()
    for before, after in zip(of_first, of_first[1:], strict=False):
        shared = set(before.starts[before.inside]) & set(after.starts[after.inside])
        assert len(shared) == 8 and len(after.ids) <= 32
    for window in of_first:
        for place in window.inside:
            start, end = window.starts[place], window.ends[place]
            assert context[start:end] in ("red", "blue")
            covered.add((start, end))
    assert len(covered) == 90


def test_a_place_is_found_only_where_the_window_holds_all_of_it() -> None:
    window = Window(
        0, [1, 2, 3, 4, 5], np.array([-1, 10, 14, 20, -1]), np.array([-1, 13, 19, 25, -1])
    )
    assert window.place(14, 25) == (2, 3)
    assert window.place(15, 16) == (2, 2)  # a part of a token
    assert window.place(5, 13) is None and window.place(20, 26) is None


def test_a_question_too_long_is_cut_and_told(tokens: PairTokens) -> None:
    long = "which " * 8 + "colour?"
    assert tokens.truncates(["which " * 8, long]) == [False, True]
    cut, whole = tokens([long, "which " * 8], ["red", "red"])
    assert cut.ids == whole.ids


def window_of(count: int, first: int) -> Window:
    """Give a window of one question token and `count` words of one letter, from `first` on."""
    starts = np.array([-1, -1, *range(2 * first, 2 * (first + count), 2)])
    return Window(0, list(range(count + 2)), starts, np.where(starts < 0, -1, starts + 1))


def test_only_spans_that_can_be_are_scored() -> None:
    context = "a b c d e f"
    logits = np.zeros((8, 2))
    logits[1] = 99  # a token of the question
    logits[6, 0], logits[3, 1] = 5, 4  # the best end stands before the best start
    logits[2, 0], logits[7, 1] = 4.5, 3.5  # the next two are too far apart
    found = reading(context, [window_of(6, 0)], [logits], max_answer=3, k=3)
    assert [(each.text, each.score) for each in found.spans] == [
        ("e f", 8.5), ("a b", 8.5), ("e", 5.0),
    ] or found.spans[0].text in ("a b", "e f")  # fmt: skip
    assert all(0 < each.end - each.start <= 5 for each in found.spans)
    assert {each.text for each in found.spans[:2]} == {"a b", "e f"}
    assert found.null == 0.0 and found.margin == 8.5


def test_windows_are_combined_by_their_best_span_and_their_least_null() -> None:
    context = "a b c d e f"
    first, second = np.zeros((6, 2)), np.zeros((6, 2))
    first[0], second[0] = 3, -1
    first[3], second[2] = 2, 4  # "b" in the first, "c" in the second
    windows = [window_of(4, 0), window_of(4, 2)]
    found = reading(context, windows, [first, second], max_answer=1, k=9)
    assert found.spans[0].text == "c" and found.spans[0].score == 8.0 and found.null == -2.0
    assert len({(each.start, each.end) for each in found.spans}) == len(found.spans) == 6


def test_it_learns_what_is_asked(reader: SpanReader) -> None:
    said = [each.spans[0].text for each in reader.read(VALID.texts, VALID.contexts)]
    assert f1_scores(said, VALID.answers).mean() > 0.9
    assert reader.history_ is not None and len(reader.history_.valid) == 4


def test_answers_deep_in_a_long_context_are_found(reader: SpanReader) -> None:
    context = "the hill near town " * 60 + "Green" + " old house with many" * 60
    (found,) = reader.read(["Which colour?"], [context], k=1)
    assert context[found.spans[0].start : found.spans[0].end] == found.spans[0].text == "Green"


def test_it_answers_odd_contexts_and_alone_as_in_a_batch(reader: SpanReader) -> None:
    asked = ["Which colour?"] * len(ODD)
    batch = reader.read(asked, ODD)
    for question, context, together in zip(asked, ODD, batch, strict=True):
        (alone,) = reader.read([question], [context])
        assert [each.text for each in alone.spans[:1]] == [each.text for each in together.spans[:1]]
        assert np.isclose(alone.null, together.null, atol=1e-4)
        for span in together.spans:
            assert context[span.start : span.end] == span.text
    assert reader.read([], []) == []


def test_it_comes_back_equal(reader: SpanReader, tmp_path: Path) -> None:
    reader.save(tmp_path)
    loaded = SpanReader.load(tmp_path)
    assert loaded.read(VALID.texts, VALID.contexts) == reader.read(VALID.texts, VALID.contexts)
    assert loaded.truncates(["which " * 9]) == [True]


def test_the_export_reads_as_torch_does(
    exported: OnnxReader, reader: SpanReader, tiny: str, tmp_path: Path
) -> None:
    asked, contexts = VALID.texts + ["Which colour?"] * len(ODD), VALID.contexts + ODD
    found = parity(exported, reader, asked, contexts)
    assert found.holds and found.agreement == 1.0 and found.max_difference < 1e-3
    exported.save(tmp_path)
    loaded = OnnxReader.load(tmp_path)
    assert loaded.read(asked, contexts) == exported.read(asked, contexts)
    other = small(tiny, epochs=1, seed=3).fit(VALID, VALID)
    assert not parity(exported, other, asked, contexts).holds


def test_it_learns_to_say_nothing(tiny: str) -> None:
    train = coloured(300, seed=3, unanswerable=0.4)
    valid = coloured(80, seed=4, unanswerable=0.4)
    stage = small(tiny).fit(train, valid)
    found = stage.read(valid.texts, valid.contexts)
    margins = np.array([each.margin for each in found])
    answerable = np.array([each.answerable for each in valid.questions])
    assert ((margins > 0) == answerable).mean() > 0.85


def test_training_windows_hold_the_answer_or_point_to_the_first_token(tokens: PairTokens) -> None:
    part = coloured(60, seed=5, unanswerable=0.3)
    found = training_windows(part, tokens, negatives=0.0, budget=10**9, seed=0)
    assert found.questions == len(found.ids) == 60
    null = sum(target == (0, 0) for target in found.targets)
    assert null == sum(not each.answerable for each in part.questions)
    known = {word: tokens.questions.token_to_id(word) for word in ("red", "fox", "blue")}
    answers = [
        ids[start] for ids, (start, _) in zip(found.ids, found.targets, strict=True) if start
    ]
    assert set(known.values()) & set(answers) and tokens.questions.token_to_id("the") not in answers


def test_negatives_pair_a_question_with_a_paragraph_of_its_article_that_does_not_answer(
    tokens: PairTokens,
) -> None:
    paragraphs = [
        Paragraph(str(n), "same", text) for n, text in enumerate(("red", "old red", "hill"))
    ]
    paragraphs.append(Paragraph("3", "other", "house"))
    asked = [Question(str(n), "Which colour?", 0, ("red",), (0,)) for n in range(100)]
    part = Questions(paragraphs, asked)
    found = training_windows(part, tokens, negatives=0.4, budget=10**9, seed=0)
    null = [ids for ids, target in zip(found.ids, found.targets, strict=True) if target == (0, 0)]
    assert len(null) / len(found.ids) == pytest.approx(0.4, abs=0.08)
    hill = tokens.questions.token_to_id("hill")
    assert all(hill in ids for ids in null)


def test_the_budget_is_of_tokens(tokens: PairTokens) -> None:
    whole = training_windows(TRAIN, tokens, negatives=0.1, budget=10**9, seed=0)
    part = training_windows(TRAIN, tokens, negatives=0.1, budget=1000, seed=0)
    assert 1000 <= part.tokens < 1000 + 64 and part.questions < whole.questions == len(TRAIN)
    assert part.ids == whole.ids[: len(part.ids)]


def test_how_long_it_trains_follows_from_the_budget(tiny: str, tokens: PairTokens) -> None:
    def plan(**more: int) -> tuple[int, int]:
        stage = small(tiny, **{"epochs": 0, **more})
        stage._loader(TRAIN, tokens)
        return stage.epochs_, stage.questions_

    assert plan(batch_size=1) == (2, 300)  # 300 steps an epoch are enough
    assert plan(batch_size=400) == (30, 300)
    assert plan(budget=7000)[0] == 1 and plan(budget=7000)[1] == 300
    epochs, questions = plan(budget=3000)
    assert epochs == 1 and 100 < questions < 250
    assert plan(budget=3000, epochs=3) == (3, 300)


def test_the_baseline_finds_the_sentence_and_what_is_asked(tmp_path: Path) -> None:
    text = (
        "The old bridge of Kelwick burned down in 1572. Anna Brandt built the lighthouse of the "
        "town. Most workshops of Kelwick make woollen cloth and candles."
    )
    part = Questions([Paragraph("p", "Kelwick", text)], [])
    stage = OverlapReader().fit(part)
    asked = ["When did the bridge burn?", "Who built the lighthouse?", "What do workshops make?"]
    found = stage.read(asked, [text] * 3)
    assert [each.spans[0].text for each in found] == ["1572", "Anna Brandt", "woollen cloth"]
    stage.save(tmp_path)
    assert OverlapReader.load(tmp_path).read(asked, [text] * 3) == found
    assert stage.read(["?"], ["..."])[0].spans == ()
