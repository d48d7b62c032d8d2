"""Questions as SQuAD's JSON has them: read as they are meant, put right and told, or refused."""

import json

import pytest
from tiny_dataset import fetched

from data import squad
from data.files import questions_from_squad_json

CONTEXT = "Anna lives in Rome. Anna works in Oslo."


def asked(name, *answers, **more):
    given = [{"text": text, "answer_start": start} for text, start in answers]
    return {"id": name, "question": f"{name}?", "answers": given, **more}


def content(*questions, title="Anna", context=CONTEXT, version="1.1"):
    paragraphs = [{"context": context, "qas": list(questions)}]
    return {"version": version, "data": [{"title": title, "paragraphs": paragraphs}]}


def articles(*titles):
    whole = [content(asked(f"q{t}", ("Rome", 14)), title=t)["data"][0] for t in titles]
    return {"data": whole}


@pytest.fixture
def file(tmp_path):
    def write(value, name="own.json"):
        path = tmp_path / name
        path.write_text(value if isinstance(value, str) else json.dumps(value), encoding="utf-8")
        return path

    return write


def read(path, **more):
    """Read with a test part of its own, so that nothing is drawn."""
    test = path.parent / "held.json"
    test.write_text(json.dumps(content(asked("held", ("Rome", 14)), title="Held")))
    return questions_from_squad_json(path, test=test, **more)


def row(table, name):
    found = table.questions.filter(table.questions["question_id"] == name)
    return found.select("answers", "starts").rows()[0]


def test_both_versions(file):
    first = asked("q1", ("Rome", 14), ("in Rome", 11))
    second = asked("q2", is_impossible=True, plausible_answers=[{"text": "Oslo"}])
    table = read(file(content(first, second, title="Anna_of_Rome", version="v2.0")))
    assert row(table, "q1") == (["Rome", "in Rome"], [14, 11])
    assert row(table, "q2") == ([], [])
    assert table.paragraphs.rows()[0] == ("Anna of Rome#1", "Anna of Rome", CONTEXT, "train")
    assert table.source.notice is None and table.source.rows.startswith("3 questions, 2 para")


def test_flat_rows_share_their_paragraph(file):
    rows = [
        {"id": f"q{n}", "title": "Anna", "context": CONTEXT, "question": "Where?",
         "answers": {"text": ["Rome"], "answer_start": [14]}}
        for n in range(3)
    ]  # fmt: skip
    for value in (rows, "\n".join(map(json.dumps, rows))):
        table = read(file(value))
        assert table.questions.height == 4 and table.paragraphs.height == 2
        assert row(table, "q2") == (["Rome"], [14])


def test_a_start_that_is_wrong_is_put_right_where_the_answer_stands_once(file):
    emoji = content(asked("q", ("Rome", 16)), context="🎬🎬 Anna lives in Rome.")  # UTF-16 offset
    table = read(file(emoji))
    assert row(table, "q") == (["Rome"], [17])
    assert "1 answers did not begin where their answer_start says and were found" in (
        table.source.notice
    )
    missing = {"data": [{"paragraphs": [{"context": CONTEXT, "qas": [
        {"id": "q", "question": "Where?", "answers": [{"text": " Rome "}]}]}]}]}  # fmt: skip
    assert row(read(file(missing)), "q") == (["Rome"], [14])


@pytest.mark.parametrize(
    ("question", "message"),
    [
        (asked("q", ("Anna", 3)), "question 'q': its answer 'Anna' occurs 2 times and not at answ"),
        (
            asked("q", ("Paris", 3)),
            "question 'q': its answer 'Paris' does not stand in its context",
        ),
        (asked("q"), "question 'q' has no answers; give some, or is_impossible: true"),
        ({"id": "q", "question": " ", "answers": []}, "question 'q' is ' '; give its text"),
    ],
)
def test_what_cannot_be_used_is_named_and_refused_or_left_out(file, question, message):
    path = file(content(asked("good", ("Rome", 14)), question))
    with pytest.raises(ValueError, match=message) as error:
        read(path)
    assert "--data.incomplete skip" in str(error.value) and "own.json" in str(error.value)
    table = read(path, incomplete="skip")
    assert table.questions["question_id"].to_list() == ["good", "held"]
    assert "were left out (first: question 'q')" in table.source.notice


def test_an_answer_without_a_place_beside_others_is_left_out(file):
    table = read(file(content(asked("q", ("Rome", 14), ("Roma", 14)))))
    assert row(table, "q") == (["Rome"], [14]) and "others of their questions kept" in (
        table.source.notice
    )


def test_all_faults_are_told_at_once(file):
    twice = [asked("q", ("Rome", 14)), asked("q", ("Oslo", 34))]
    whole = content(*twice, {"question": "Who?"}, "no object")
    whole["data"][0]["paragraphs"].append({"qas": []})
    whole["data"].append({"title": "nothing"})
    with pytest.raises(ValueError, match="5 faults") as error:
        read(file(whole))
    for told in (
        "question 'q' stands twice",
        "data[0].paragraphs[0].qas[2]: its id is missing",
        "data[0].paragraphs[0].qas[3]: it is 'no object'",
        "data[0].paragraphs[1]: its context is missing",
        "data[1]: neither an article with paragraphs nor a question",
    ):
        assert told in str(error.value)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("{broken", "row 1: not JSON"),
        ("[]", "it holds no questions"),
        ({"data": []}, "it holds no questions"),
        (content(), "it holds no question that can be used"),
    ],
)
def test_what_is_no_such_file_is_refused(file, value, message):
    with pytest.raises(ValueError, match=message):
        read(file(value))


def test_half_a_surrogate_pair_becomes_a_sign_and_moves_nothing(file):
    broken = json.dumps(content(asked("q", ("Rome", 16)), context="\ud83c Anna lives in Rome."))
    table = read(file(broken))
    assert table.paragraphs["text"][0] == "\ufffd Anna lives in Rome."
    assert row(table, "q") == (["Rome"], [16]) and "surrogate" in table.source.notice


def test_without_a_test_part_whole_articles_are_drawn(file):
    table = questions_from_squad_json(file(articles(*"ABCDEFGHIJ")), seed=1)
    parts = dict(table.paragraphs.group_by("part").len().rows())
    assert parts == {"train": 8, "test": 2} and "20% of the articles" in table.source.notice
    again = questions_from_squad_json(file(articles(*"ABCDEFGHIJ")), seed=1)
    assert again.paragraphs.equals(table.paragraphs)
    with pytest.raises(ValueError, match="one paragraph alone cannot be split"):
        questions_from_squad_json(file(articles("A")))


def test_a_folder_of_parts(file, tmp_path):
    file(articles("A", "B"), "train-v1.1.json")
    dev = content(asked("other", ("Oslo", 34)), title="C")
    file(dev, "dev-v1.1.json")
    table = questions_from_squad_json(tmp_path)
    assert set(table.paragraphs["part"]) == {"train", "test"}
    assert "the validation part is the test" in table.source.notice
    (tmp_path / "train-v1.1.json").unlink()
    with pytest.raises(ValueError, match=r"without a file of training questions.*--data\.train"):
        questions_from_squad_json(tmp_path)


def test_squad_in_both_forms(tmp_path):
    train = content(asked("t1", ("Anna", 0)), asked("t2", ("Rome", 14)), title="A%26B_C")
    dev = content(asked("d1", ("Anna", 20)), title="D")
    for form, known in enumerate(squad.CARD.forms):
        folder = tmp_path / known.name
        folder.mkdir()
        files = dict(zip((f.name for f in known.files), map(json.dumps, (train, dev)), strict=True))
        table = squad.read(fetched(squad.CARD, folder, files, form=form))
        assert set(table.paragraphs["part"]) == {"train", "test"}
        assert table.paragraphs["title"].to_list() == ["A&B C", "D"]
        assert row(table, "t2") == (["Rome"], [14]) and row(table, "d1") == (["Anna"], [20])
        kept = ["t1", "t2", "d1"] if known.name == "official" else ["t2", "d1"]
        assert table.questions["question_id"].to_list() == kept
        assert (table.source.notice is None) == (known.name == "official")


@pytest.mark.mirror
def test_squad_of_the_mirror_is_whole():
    import data

    table = data.load("squad")
    published = squad.CARD.published
    for part, name in (("train", "train"), ("test", "test")):
        own = table.paragraphs.filter(table.paragraphs["part"] == part)
        assert own["title"].n_unique() == published[f"{name} articles"]
        # five paragraphs stand twice in their article
        assert 0 <= published[f"{name} paragraphs"] - own.height <= 5
    joined = table.questions.join(table.paragraphs, on="paragraph_id")
    assert (joined["part"] == "test").sum() == published["test questions"]
    assert (joined["part"] == "train").sum() == published["train questions"] - 9438
    for text, answers, starts in joined.select("text", "answers", "starts").head(3000).iter_rows():
        for answer, start in zip(answers, starts, strict=True):
            assert text[start : start + len(answer)] == answer
