"""The simulated gazetteer: what was planted is there."""

import pytest

from data.simulated.questions import TOPICS, generate


def test_shape_and_determinism() -> None:
    world, again = generate(seed=3, articles=20), generate(seed=3, articles=20)
    assert world.paragraphs.equals(again.paragraphs) and world.questions.equals(again.questions)
    assert world.source.checksums == again.source.checksums
    assert not world.questions.equals(generate(seed=4, articles=20).questions)
    assert world.paragraphs.height == 20 * len(TOPICS)
    titles = {
        part: set(world.paragraphs.filter(world.paragraphs["part"] == part)["title"])
        for part in ("train", "test")
    }
    assert len(titles["test"]) == 5 and not titles["train"] & titles["test"]


def test_an_answer_stands_once_in_its_paragraph_where_it_should() -> None:
    world = generate(seed=1, articles=60)
    texts = dict(world.paragraphs.select("paragraph_id", "text").iter_rows())
    for paragraph, answers, starts in world.questions.select(
        "paragraph_id", "answers", "starts"
    ).iter_rows():
        for answer, start in zip(answers, starts, strict=True):
            assert texts[paragraph][start : start + len(answer)] == answer
            assert texts[paragraph].count(answer) == 1


def test_questions_without_an_answer_ask_for_what_stands_nowhere() -> None:
    world = generate(seed=2, articles=60, unanswerable=0.15)
    without = world.questions.filter(world.questions["answers"].list.len() == 0)
    assert 0.1 < without.height / world.questions.height <= 0.16
    known = {}  # article and kind of fact -> whether a sentence of the article tells it
    for title, text in world.paragraphs.select("title", "text").iter_rows():
        for topic, facts in TOPICS.items():
            for place, fact in enumerate(facts):
                for told in fact.told:
                    before, after = told.replace("{town}", title).split("{value}")
                    if before and before in text and (not after or after in text):
                        known[title, topic, place] = True
    for name in without["question_id"]:
        article, rest = name.split("#")
        topic, _, place = rest.split("-")
        assert (article, topic, int(place)) not in known
    assert not generate(articles=20, unanswerable=0.0).questions["answers"].list.len().eq(0).any()


def test_neighbours_names_stand_in_each_others_paragraphs() -> None:
    world = generate(articles=30)
    towns = set(world.paragraphs["title"])
    with_another = [
        any(town in text for town in towns - {title})
        for title, text in world.paragraphs.select("title", "text").iter_rows()
    ]
    assert sum(with_another) / len(with_another) > 0.95


@pytest.mark.parametrize("options", [{"articles": 3}, {"unanswerable": 0.5}, {"test_share": 0.9}])
def test_a_size_out_of_range_is_named(options: dict) -> None:
    (name,) = options
    with pytest.raises(ValueError, match=rf"^{name}: .* is out of range"):
        generate(**options)
