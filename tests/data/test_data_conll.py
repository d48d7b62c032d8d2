"""Tagged words in columns: the schemes, the public readers, and a user's own files."""

from pathlib import Path

import pytest
from tiny_dataset import fetched

import data
from data import registry, wikigold, wnut17
from data.conll import bio2, read_lines, scheme_of
from data.errors import Damaged
from data.files import tags_from_conll

OWN = "EU B-ORG\nrejects O\nGerman B-MISC\ncall O\n\nPeter B-PER\nBlackburn I-PER\n"


def tags(text: str) -> list[list[str]]:
    return [line.split() for line in text.split(" | ")]


@pytest.mark.parametrize(
    ("given", "scheme", "made"),
    [
        ("B-x I-x O B-x", "BIO2", "B-x I-x O B-x"),
        ("O O", "BIO2", "O O"),
        ("I-x I-x O I-y", "IOB1", "B-x I-x O B-y"),
        ("I-x B-x I-x", "IOB1", "B-x B-x I-x"),  # two neighbours of one type
        ("I-x I-y I-y", "IOB1", "B-x B-y I-y"),  # two neighbours of two types
        ("S-x B-x I-x E-x O", "BIOES", "B-x B-x I-x I-x O"),
        ("B-x E-x B-x E-x", "BIOES", "B-x I-x B-x I-x"),
        ("U-x B-x L-x", "BILOU", "B-x B-x I-x"),
    ],
)
def test_every_scheme_becomes_bio2(given: str, scheme: str, made: str) -> None:
    assert scheme_of([given.split()]) == (scheme, [])
    assert bio2(given.split()) == made.split()


def test_what_fits_no_scheme_is_found_and_begins_an_entity() -> None:
    sentences = tags("B-x I-x | O I-x | B-y I-x")
    assert scheme_of(sentences) == ("BIO2", [(1, 1), (2, 1)])
    assert [bio2(each) for each in sentences] == tags("B-x I-x | O B-x | B-y B-x")
    assert scheme_of(tags("S-x I-x"))[1] == [(0, 1)]


def test_lines_are_cut_at_tabs_or_spaces_and_white_space_parts_sentences() -> None:
    lines = ["-DOCSTART- O", "", "New York\tB-x", "\t", "a   b O", "   ", "-DOCSTART-", "\ufe0f\tO"]
    wrong: list[tuple[int, str]] = []
    found = read_lines(enumerate(lines, 1), fault=lambda *each: wrong.append(each))
    assert found.tokens == [["New York"], ["a"], ["\ufe0f"]]
    assert found.documents == [1, 1, 2] and found.rows == [[3], [5], [8]] and not wrong


def test_wnut17_reads_lone_tabs_as_the_end_of_a_sentence(tmp_path: Path) -> None:
    contents = {
        "wnut17train.conll": "Empire\tB-location\nState\tI-location\n\t\n@x\tO\n",
        "emerging.dev.conll": "a\u2028b\tB-person\n\n",
        "emerging.test.annotated": "c\tO\n\nd\tB-group",
    }
    table = wnut17.read(fetched(wnut17.CARD, tmp_path, contents))
    assert table.train["tokens"].to_list() == [["Empire", "State"], ["@x"]]
    assert table.valid is not None and table.valid["tokens"].to_list() == [["a\u2028b"]]
    assert table.test is not None and table.test["tags"].to_list() == [["O"], ["B-group"]]
    assert table.types == ("group", "location", "person")
    assert table.train["document"].to_list() == [0, 1]
    broken = contents | {"emerging.dev.conll": "a\tB-person\nb\tperson,group\n"}
    with pytest.raises(Damaged, match=r"emerging.dev.conll, row 2: 'person,group' is no tag"):
        wnut17.read(fetched(wnut17.CARD, tmp_path, broken))


def test_wikigold_becomes_bio2_and_keeps_its_articles(tmp_path: Path) -> None:
    content = "A I-PER\nB I-PER\nC I-ORG\n\n-DOCSTART- O\n\n" + "d O\nE I-LOC\n\nF I-LOC\n\n"
    table = wikigold.read(fetched(wikigold.CARD, tmp_path, {"wikigold.conll.txt": content}))
    assert table.train["tags"].to_list() == [
        ["B-PER", "I-PER", "B-ORG"], ["O", "B-LOC"], ["B-LOC"],
    ]  # fmt: skip
    assert table.train["document"].to_list() == [0, 1, 1]
    assert table.valid is None and table.test is None
    assert table.source.rows == "3 sentences of 2 articles, 4 entities of 3 types"


@pytest.mark.mirror
def test_the_public_sets_have_their_published_counts() -> None:
    table = data.load("wnut17")
    published = registry.card("wnut17").published
    for part in ("train", "valid", "test"):
        frame = getattr(table, part)
        assert frame.height == published[part]
        begun = frame["tags"].explode().str.starts_with("B-").sum()
        assert begun == published[f"entities_{part}"]
    assert len(table.types) == published["types"]
    table = data.load("wikigold")
    published = registry.card("wikigold").published
    assert table.train.height == published["sentences"]
    assert table.train["document"].n_unique() == published["documents"]
    marked = table.train["tokens"].explode().len() + published["documents"]
    assert marked == published["lines"]


def write(path: Path, content: str) -> Path:
    path.write_text(content, encoding="utf-8")
    return path


def test_a_file_of_ones_own(tmp_path: Path) -> None:
    table = tags_from_conll(write(tmp_path / "own.conll", OWN))
    assert table.train["tokens"].to_list() == [
        ["EU", "rejects", "German", "call"], ["Peter", "Blackburn"],
    ]  # fmt: skip
    assert table.types == ("MISC", "ORG", "PER") and table.valid is table.test is None
    assert table.source.notice is None
    assert table.source.rows == "2 train sentences, 3 entities of 3 types"


def test_columns_between_a_header_comments_and_a_scheme_are_taken_as_they_come(
    tmp_path: Path,
) -> None:
    text = "word pos chunk ner\n# id 7 domain=train\nEU NNP I-NP I-ORG\n# NN I-NP O\n\n"
    table = tags_from_conll(write(tmp_path / "own.txt", text + "UN NNP I-NP I-ORG\n"))
    assert table.train["tokens"].to_list() == [["EU", "#"], ["UN"]]
    assert table.train["tags"].to_list() == [["B-ORG", "O"], ["B-ORG"]]
    assert table.source.notice == (
        "own.txt: 1 lines of comments and row 1, a header, were left out."
        " The tags of own.txt are IOB1, read as BIO2."
    )
    swapped = tags_from_conll(write(tmp_path / "tag-first.tsv", "B-x\ta\nO\tb\n"), token=2, tag=1)
    assert swapped.train["tokens"].to_list() == [["a", "b"]]


def test_parts_are_found_by_the_names_of_files_or_given(tmp_path: Path) -> None:
    for name in ("eng.train", "eng.testa", "eng.testb", "README.md"):
        write(tmp_path / name, OWN if name == "eng.train" else f"{name} B-LOC\n")
    table = tags_from_conll(tmp_path)
    assert table.valid is not None and table.valid["tokens"].to_list() == [["eng.testa"]]
    assert table.test is not None and table.test["tokens"].to_list() == [["eng.testb"]]
    assert "no training sentence has, and that cannot be found: 'LOC'" in table.source.notice
    other = write(tmp_path / "other.conll", "x B-ORG\n")
    given = tags_from_conll(tmp_path / "eng.train", test=other)
    assert given.valid is None and given.test is not None and given.test.height == 1
    write(tmp_path / "train.conll", OWN)
    with pytest.raises(ValueError, match=r"2 train parts: eng\.train, train\.conll.*--data\.train"):
        tags_from_conll(tmp_path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a B-x\nb\n", r"own\.conll, row 2: one cell, where a word and its tag are needed"),
        ("a B-x\n\tO\n", r"own\.conll, row 2: the word is empty"),
        ("a B-x\nb PER\n", r"own\.conll, row 2: 'PER' is no tag: O, or B-, I-"),
        ("a PER\nb\n", r"2 faults\n  row 1: 'PER' is no tag.*\n  row 2: one cell"),
        ("a O\nb O\n", r"all words have the tag O\..*--data\.tag"),
        ("\n\n", r"no sentence in it"),
    ],
)
def test_what_is_wrong_is_told_with_its_row(content: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=message):
        tags_from_conll(write(tmp_path / "own.conll", content))


def test_wrong_places_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no such file or folder"):
        tags_from_conll(tmp_path / "none")
    with pytest.raises(ValueError, match=r"token: 0 is no column; give --data\.token"):
        tags_from_conll(write(tmp_path / "own.conll", OWN), token=0)
    with pytest.raises(ValueError, match=r"2 cells, where a word and its tag"):
        tags_from_conll(tmp_path / "own.conll", token=3)
    write(tmp_path / "notes.conll", OWN)
    (tmp_path / "own.conll").unlink()
    with pytest.raises(ValueError, match=r"without a file of training sentences.*'notes\.conll'"):
        tags_from_conll(tmp_path)


def test_what_continues_nothing_is_said(tmp_path: Path) -> None:
    table = tags_from_conll(write(tmp_path / "own.conll", "a B-x\n\nb O\nc I-x\n"))
    assert table.source.notice == (
        "1 tags of own.conll continue an entity that is not there (row 4 first): each begins one."
    )
    assert table.train["tags"].to_list() == [["B-x"], ["O", "B-x"]]
