"""A user's labelled texts in each layout: what is read, which part it is, and what is refused."""

import json
from pathlib import Path

import polars as pl
import pytest

from common.own_files import TableOptions
from data.files import Wanted, texts_from_files
from data.tables import TextClassification

ROWS = [("open the door", "open"), ("shut the door", "shut"), ("open a box", "open"),
        ("shut a box", "shut"), ("open it", "open"), ("shut it", "shut")]  # fmt: skip
HEADED = "text,label\n" + "".join(f"{text},{label}\n" for text, label in ROWS)


def write(path: Path, content: str, encoding: str = "utf-8") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content, encoding=encoding)
    return path


def read(path: Path, layout: str = "csv", **arguments: object) -> TextClassification:
    return texts_from_files(layout, path, **{"test_share": 0.0, **arguments})  # type: ignore[arg-type]


def pairs(part: pl.DataFrame | None, table: TextClassification) -> list[tuple[str, str]]:
    assert part is not None
    return [(text, table.label_names[label]) for text, label in part.select("text", "label").rows()]


def as_csv(home: Path) -> tuple[Path, str]:
    return write(home / "own.csv", HEADED), "csv"


def as_json_lines(home: Path) -> tuple[Path, str]:
    lines = [json.dumps({"id": n, "text": t, "label": x}) for n, (t, x) in enumerate(ROWS)]
    return write(home / "own.jsonl", "\n".join(lines)), "jsonl"


def as_json_list(home: Path) -> tuple[Path, str]:
    return write(home / "own.json", json.dumps([{"text": t, "label": x} for t, x in ROWS])), "jsonl"


def as_fasttext(home: Path) -> tuple[Path, str]:
    return write(home / "own.txt", "\n".join(f"__label__{x} {t}" for t, x in ROWS)), "fasttext"


def as_folders(home: Path) -> tuple[Path, str]:
    for place, (text, label) in enumerate(ROWS):
        write(home / "own" / label / f"{place}.txt", text + "\n")
    write(home / "own" / "unsup" / "0.txt", "no label")
    write(home / "own" / "open" / "list.feat", "1:2")
    return home / "own", "folder"


def as_files_of_lines(home: Path) -> tuple[Path, str]:
    for label in ("open", "shut"):
        lines = [text for text, own in ROWS if own == label]
        write(home / "own" / f"{label}.txt", "\n".join(lines) + "\n")
    write(home / "own" / "README.txt", "what this is")
    return home / "own", "folder"


def as_files_with_the_label_behind(home: Path) -> tuple[Path, str]:
    for label in ("open", "shut"):
        lines = [text for text, own in ROWS if own == label]
        write(home / "own" / f"doors.{label}", "\n".join(lines))
    return home / "own", "folder"


@pytest.mark.parametrize(
    "make",
    [as_csv, as_json_lines, as_json_list, as_fasttext, as_folders, as_files_of_lines,
     as_files_with_the_label_behind],
)  # fmt: skip
def test_every_layout_gives_the_same_texts(tmp_path: Path, make) -> None:
    path, layout = make(tmp_path)
    table = read(path, layout)
    assert sorted(pairs(table.train, table)) == sorted(ROWS)
    assert table.train.schema == {"text": pl.String, "label": pl.Int32}
    notice = table.source.notice or ""
    assert ("unsup holds texts without a label" in notice) is (make is as_folders)
    assert ("1 files that are no texts are not read, such as list.feat" in notice) is (
        make is as_folders
    )


@pytest.mark.parametrize(
    "names", ["train valid test", "training dev testing", "x-train x-val x-test"]
)
def test_a_folder_of_parts_is_kept_as_it_is(tmp_path: Path, names: str) -> None:
    for name in names.split():
        write(tmp_path / "tables" / f"{name}.csv", HEADED.replace("door", name))
        write(tmp_path / "lines" / name / "open.txt", f"open {name}\n")
        write(tmp_path / "lines" / name / "shut.txt", f"shut {name}\n")
    train, valid, test = names.split()
    table = read(tmp_path / "tables")
    assert pairs(table.train, table)[0] == (f"open the {train}", "open")
    assert pairs(table.valid, table)[0] == (f"open the {valid}", "open")
    assert pairs(table.test, table)[0] == (f"open the {test}", "open")
    table = read(tmp_path / "lines", "folder")
    assert pairs(table.valid, table) == [(f"open {valid}", "open"), (f"shut {valid}", "shut")]
    assert pairs(table.test, table) == [(f"open {test}", "open"), (f"shut {test}", "shut")]


def test_parts_are_given_by_name_and_may_call_a_column_differently(tmp_path: Path) -> None:
    train = write(tmp_path / "a.csv", HEADED)
    test = write(tmp_path / "b.csv", "content,label\nopen up,open\n")
    valid = write(tmp_path / "c.csv", "label,text\nshut,shut up\n")
    table = read(train, test=test, valid=valid)
    assert pairs(table.test, table) == [("open up", "open")]
    assert pairs(table.valid, table) == [("shut up", "shut")]
    assert "b.csv calls column 'text' of a.csv 'content'" in (table.source.notice or "")
    assert table.source.rows == "6 train texts, 1 validation texts, 1 test texts, 2 classes"


def test_a_column_of_parts_is_followed(tmp_path: Path) -> None:
    parts = ["train", "TRAIN", "train", "train", "dev", "test"]
    rows = [f"{t},{x},{part}" for (t, x), part in zip(ROWS, parts, strict=True)]
    path = write(tmp_path / "own.csv", "text,label,part\n" + "\n".join(rows))
    table = read(path, wanted=Wanted(split="part"))
    assert pairs(table.train, table) == ROWS[:4]
    assert pairs(table.valid, table) == ROWS[4:5] and pairs(table.test, table) == ROWS[5:]
    found = read(path)
    assert pairs(found.test, found) == ROWS[5:]
    assert "Column 'part' of own.csv says which part a text is." in str(found.source.notice)
    write(path, path.read_text().replace("dev", "maybe"))
    assert "not used: 'part'" in str(read(path).source.notice)
    with pytest.raises(ValueError, match=r"row 6: column 'part' holds 'maybe', which name no part"):
        read(path, wanted=Wanted(split="part"))
    with pytest.raises(ValueError, match="^split: column 'part' was given, and files of parts too"):
        read(path, wanted=Wanted(split="part"), test=path)


@pytest.mark.parametrize("text", [("title,body",), ("title", "body")])
def test_several_columns_are_joined_with_or_without_a_header(
    tmp_path: Path, text: tuple[str, ...]
) -> None:
    path = write(tmp_path / "news.csv", '"1","Rain","It rains"\n"2","Goal",""\n"1","","Sun"\n')
    options = TableOptions(columns=("label,title,body",))
    table = read(path, wanted=Wanted(text=text, options=options))
    assert pairs(table.train, table) == [("Rain It rains", "1"), ("Goal", "2"), ("Sun", "1")]
    write(path, '"1","",""\n"2","a","b"\n')
    with pytest.raises(ValueError, match="row 1: .*the other columns of the text are empty too"):
        read(path, wanted=Wanted(text=text, options=options))


def test_labels_that_training_lacks_are_all_named(tmp_path: Path) -> None:
    train = write(tmp_path / "a.csv", HEADED)
    test = write(tmp_path / "b.csv", "text,label\nx,open\ny,lock\nz,lock\nw,hang\n")
    with pytest.raises(ValueError, match=r"'lock' \(row 3 and 1 more\), 'hang' \(row 5\)"):
        read(train, test=test)


def test_texts_are_split_by_seed_and_class(tmp_path: Path) -> None:
    rows = "".join(f"text {n},{'b' if n % 4 else 'a'}\n" for n in range(40))
    path = write(tmp_path / "own.csv", "text,label\n" + rows + "alone,c\n")
    table = read(path, test_share=0.2, seed=1)
    assert table.label_names == ("a", "b", "c")
    assert (table.train.height, table.test.height) == (33, 8)
    assert table.test["label"].value_counts().sort("label").rows() == [(0, 2), (1, 6)]
    assert 2 in table.train["label"].to_list(), "a class of one row is for training"
    assert read(path, test_share=0.2, seed=1).test.equals(table.test)
    assert not read(path, test_share=0.2, seed=2).test.equals(table.test)
    assert len(set(table.train["text"]) | set(table.test["text"])) == 41
    assert "No test part was given: 20% of each label" in (table.source.notice or "")
    with pytest.raises(ValueError, match="^test_share: "):
        read(path, test_share=1.5)


def test_null_and_none_are_texts_and_labels(tmp_path: Path) -> None:
    path = write(tmp_path / "own.csv", "text,label\nnull,NONE\nNone,null\n")
    table = read(path)
    assert sorted(pairs(table.train, table)) == [("None", "null"), ("null", "NONE")]


def test_labels_that_differ_in_case_are_said(tmp_path: Path) -> None:
    path = write(tmp_path / "own.csv", "text,label\na,Spam\nb,spam\nc,ham\n")
    assert "Labels 'Spam' and 'spam' are taken for different" in (read(path).source.notice or "")


@pytest.mark.parametrize(
    ("layout", "content", "message"),
    [
        (
            "csv",
            "text,label\na,x\n,y\n  ,y\nb,\n",
            r"(?s)2 faults.*row 3: .*empty \(2 such.*row 5: ",
        ),
        ("csv", "text,label\na,x\nb,x\n", "all 2 training texts have the label 'x'"),
        ("csv", "text,kind\na,x\nb,y\n", r"no column 'label'.*--data\.label.*'text', 'kind'"),
        ("csv", '{"text": "a", "label": "x"}\n', "Give --dataset jsonl"),
        ("csv", "__label__x a\n", "Give --dataset fasttext"),
        (
            "csv",
            "text,label\n" + "".join(f"a{n},{n / 7}\n" for n in range(60)),
            r"60 different labels in 60 texts.*--data\.label \(now label\)",
        ),
        ("jsonl", "a,x\n", r"no JSON object; one a line is needed, such as \{\"text\""),
        (
            "jsonl",
            '{"text": "a", "label": ["x", "y"]}\n{"text": 1\n{"text": "", "label": "y"}',
            r"(?s)2 faults.*row 1: field 'label' holds a list.*row 2: not JSON \(Expecting",
        ),
        ("jsonl", '{"text": "a", "label": null}\n', "row 1: column 'label' is empty"),
        ("fasttext", "a,x\nb,y\n", "no line begins with one __label__"),
        (
            "fasttext",
            "__label__x a\n__label__x __label__y b\nc\n",
            r"(?s)2 faults.*row 2: 2 labels; .*row 3: no label",
        ),
        ("folder", "text,label\n", "a file, not a folder. Give --dataset csv"),
    ],
)
def test_what_is_wrong_is_named_with_its_row(
    tmp_path: Path, layout: str, content: str, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        read(write(tmp_path / "own.csv", content), layout)


def test_everything_wrong_in_a_folder_is_named(tmp_path: Path) -> None:
    write(tmp_path / "open" / "1.txt", "  \n")
    (tmp_path / "shut").mkdir()
    (tmp_path / "shut" / "2.txt").write_bytes(b"a\0b")
    with pytest.raises(ValueError, match=r"(?s)2 faults.*open/1.txt holds no text.*2.txt.*NUL"):
        read(tmp_path, "folder")
    write(tmp_path / "none" / "notes.pdf", "x")
    with pytest.raises(ValueError, match=r"neither folders of text files.*a label\. Name the"):
        read(tmp_path / "none", "folder")
    write(tmp_path / "none" / "train.csv", HEADED)
    with pytest.raises(ValueError, match=r"For train\.csv give --dataset csv\."):
        read(tmp_path / "none", "folder")
    with pytest.raises(ValueError, match="without a file of training texts"):
        read(tmp_path)
    for name in ("train_a.csv", "train_b.csv"):
        write(tmp_path / name, HEADED)
    with pytest.raises(ValueError, match=r"2 train parts: train_a.csv, train_b.csv.*--data\.train"):
        read(tmp_path)


def test_a_folder_in_a_folder_is_looked_into(tmp_path: Path) -> None:
    for part in ("train", "test"):
        for text, label in ROWS:
            write(tmp_path / "zip" / "own" / part / label / f"{text[5:]}.txt", text)
    table = read(tmp_path / "zip", "folder")
    assert table.label_names == ("open", "shut") and table.test.height == 6
    write(tmp_path / "one" / "open" / "1.txt", "a\nb\n")
    write(tmp_path / "one" / "open" / "2.txt", "a\nb\n")
    with pytest.raises(ValueError, match="all 2 training texts have the label 'open'"):
        read(tmp_path / "one", "folder")


def test_texts_without_their_labels_are_named(tmp_path: Path) -> None:
    train = write(tmp_path / "train.tsv", "text\tlabel\na\tx\nb\ty\n")
    write(tmp_path / "test.tsv", "index\ttext\n0\ta\n")
    with pytest.raises(ValueError, match=r"test.tsv: no column 'label', so.*--data\.valid"):
        read(tmp_path)
    assert read(train).train.height == 2
    for part in ("train", "test"):
        write(tmp_path / "apart" / f"{part}_text.txt", "a\nb\n")
        write(tmp_path / "apart" / f"{part}_labels.txt", "x\ny\n")
    for layout in ("folder", "csv"):
        with pytest.raises(
            ValueError, match=r"`paste train_labels.txt train_text.txt > train.tsv`"
        ):
            read(tmp_path / "apart", layout)
    write(tmp_path / "named" / "train.txt", "a\n")
    write(tmp_path / "named" / "test.txt", "a\n")
    with pytest.raises(ValueError, match=r"'test.txt', 'train.txt' are named after parts"):
        read(tmp_path / "named", "folder")


def test_labels_before_texts_are_named_with_their_flags(tmp_path: Path) -> None:
    rows = [f"{label}:sub what is this, {n} ?" for n in range(20) for label in ("NUM", "LOC")]
    path = write(tmp_path / "train.label", "\n".join(rows) + "\n")
    with pytest.raises(ValueError, match=r"--data\.delimiter space --data\.columns label text"):
        read(path)
    options = TableOptions(delimiter="space", columns=("label", "text"))
    assert read(path, wanted=Wanted(options=options)).label_names == ("LOC:sub", "NUM:sub")


def test_the_label_of_a_file_without_a_header_is_guessed_by_what_recurs(tmp_path: Path) -> None:
    rows = [f"g{n % 7}\t{n % 2}\t\ta sentence, number {n}" for n in range(20)]
    path = write(tmp_path / "own.tsv", "\n".join(rows))
    with pytest.raises(ValueError, match=r"--data\.columns other_1 label other_3 text$"):
        read(path)


def test_a_column_cannot_be_text_and_label(tmp_path: Path) -> None:
    path = write(tmp_path / "own.csv", HEADED)
    with pytest.raises(ValueError, match=r"^label: 'label' is the text too; name .* --data\.label"):
        read(path, wanted=Wanted(text=("text", "label")))


def test_labels_that_training_lacks_may_be_left_out(tmp_path: Path) -> None:
    train = write(tmp_path / "a.csv", HEADED)
    test = write(tmp_path / "b.csv", "text,label\nopen up,open\nlock up,lock\n")
    with pytest.raises(ValueError, match=r"'lock' \(row 3\).*--split\.rare leave-out"):
        read(train, test=test)
    table = read(train, test=test, unknown="leave-out")
    assert pairs(table.test, table) == [("open up", "open")]
    assert "1 texts of b.csv have labels that training lacks ('lock'): left out" in (
        table.source.notice or ""
    )


def test_labels_that_join_others_are_said(tmp_path: Path) -> None:
    table = read(write(tmp_path / "own.tsv", "text\tlabel\na\t1\nb\t2\nc\t1,2\n"))
    assert "1 labels join others, such as '1,2'" in (table.source.notice or "")


def test_texts_that_are_empty_may_be_skipped(tmp_path: Path) -> None:
    wanted = Wanted(options=TableOptions(incomplete="skip"))
    table = read(write(tmp_path / "own.csv", HEADED + " ,open\nx,\n"), wanted=wanted)
    assert pairs(table.train, table) == ROWS
    assert "2 rows were skipped for an empty 'text' (1) or 'label' (1)" in (
        table.source.notice or ""
    )
    for name, text in (("open/1", "open"), ("open/2", " "), ("shut/1", "shut")):
        write(tmp_path / "own" / f"{name}.txt", text)
    table = read(tmp_path / "own", "folder", wanted=wanted)
    assert pairs(table.train, table) == [("open", "open"), ("shut", "shut")]
    assert table.source.notice == "1 files without text were skipped."


def test_rows_are_named_as_they_stand_in_the_file_though_others_were_skipped(
    tmp_path: Path,
) -> None:
    train = write(tmp_path / "a.csv", HEADED)
    test = write(tmp_path / "b.csv", "text,label\n,open\ny,lock\n")
    wanted = Wanted(options=TableOptions(incomplete="skip"))
    with pytest.raises(ValueError, match=r"'lock' \(row 3\)"):
        read(train, test=test, wanted=wanted)


def test_files_of_a_folder_in_another_encoding_are_said_once(tmp_path: Path) -> None:
    for place, label in enumerate(("open", "shut")):
        write(tmp_path / label / f"{place}.txt", "Tür öffnen und schließen, bitte", "cp1252")
    table = read(tmp_path, "folder")
    assert pairs(table.train, table)[0] == ("Tür öffnen und schließen, bitte", "open")
    assert (table.source.notice or "").startswith("2 files are not UTF-8. ")
