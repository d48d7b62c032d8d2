"""Labelled texts in every form that a JSON file may have, and what is refused of them."""

import json
from pathlib import Path
from typing import Any

import pytest

from data.files import Wanted, texts_from_files
from data.tables import TextClassification

ROWS = [("open the door", "open"), ("shut the door", "shut"), ("open a box", "open"),
        ("shut a box", "shut"), ("open it", "open"), ("shut it", "shut")]  # fmt: skip
OBJECTS = [{"text": text, "label": label} for text, label in ROWS]


def read(home: Path, content: Any, **arguments: Any) -> TextClassification:
    path = home / "own.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content, indent=1))
    return texts_from_files("jsonl", path, **{"test_share": 0.0, **arguments})


def pairs(table: TextClassification, part: str = "train") -> list[tuple[str, str]]:
    rows = getattr(table, part).select("text", "label").rows()
    return [(text, table.label_names[label]) for text, label in rows]


@pytest.mark.parametrize(
    "content",
    [
        ROWS,
        [(label, text) for text, label in ROWS],
        {"version": "1.0", "data": OBJECTS},
        {"open": [t for t, x in ROWS if x == "open"], "shut": [t for t, x in ROWS if x == "shut"]},
        {"text": [text for text, _ in ROWS], "label": [label for _, label in ROWS]},
        {
            "text": {str(n): text for n, (text, _) in enumerate(ROWS)},
            "label": {str(n): label for n, (_, label) in enumerate(ROWS)},
        },
        [{"text": text, "label": [label]} for text, label in ROWS],
    ],
    ids=["pairs", "label first", "wrapped", "by label", "columns", "pandas", "lists of one"],
)
def test_every_form_gives_the_same_texts(tmp_path: Path, content: Any) -> None:
    assert sorted(pairs(read(tmp_path, content))) == sorted(ROWS)


@pytest.mark.parametrize("rows", [[list(row) for row in ROWS], OBJECTS], ids=["pairs", "objects"])
def test_parts_of_one_file_are_kept_and_other_keys_named(tmp_path: Path, rows: Any) -> None:
    content = {
        "oos_train": [["the moon", "oos"]],
        "val": rows[:2],
        "train": rows,
        "test": rows[2:4],
        "dev": None,
    }
    table = read(tmp_path, content, test_share=0.2)
    assert pairs(table) == ROWS
    assert pairs(table, "valid") == ROWS[:2] and pairs(table, "test") == ROWS[2:4]
    assert table.label_names == ("open", "shut")
    assert "Keys of own.json that are not read: 'oos_train', 'dev'." in (table.source.notice or "")
    with pytest.raises(ValueError, match=r"parts of its own.*Leave out --data\.valid"):
        read(tmp_path, content, test=tmp_path / "own.json")
    with pytest.raises(ValueError, match=r"own.json has parts of its own; leave out --data\.split"):
        read(tmp_path, content, wanted=Wanted(split="part"))


def test_a_field_inside_goes_by_its_path(tmp_path: Path) -> None:
    nested = [{"doc": {"body": text}, "meta": {"intent": label, "n": 1}} for text, label in ROWS]
    lines = "\n".join(map(json.dumps, nested))
    table = read(tmp_path, lines, wanted=Wanted(text=("doc.body",), label="meta.intent"))
    assert pairs(table) == ROWS
    assert "not used: 'meta.n'" in (table.source.notice or "")
    with pytest.raises(ValueError, match=r"It has 'doc\.body', 'meta\.intent', 'meta\.n'; name"):
        read(tmp_path, lines)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"a": OBJECTS, "b": OBJECTS}, r"lists under 'a', 'b', none of them called train"),
        ({"text": ["a", "b"], "label": ["x"]}, r"differ in length \('text' 2, 'label' 1\)"),
        (
            [{"text": "a", "label": ["x", "y"]}] * 3,
            r"rows 1, 2, 3: field 'label' holds a list of 2",
        ),
        ([{"text": {"a": 1}, "label": "x"}], "row 1: field 'text' holds an object. Name a field"),
        ([OBJECTS[0], 1, 2], r"rows 2, 3: not a JSON object"),
        ('{\n "text": "a",\n "label" "x"\n}', r"own.json, row 3: not JSON"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, content: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read(tmp_path, content)
