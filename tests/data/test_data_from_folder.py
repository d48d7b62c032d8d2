"""A user's folders of boxes, masks and search collections."""

import json

import numpy as np
import pytest
from PIL import Image

from data.files import (
    detection_from_voc,
    search_from_beir,
)


def save(path, *, size=(8, 6), color=(10, 20, 30)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, color).save(path)


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def voc(*objects):
    boxes = "".join(
        f"<object><name>{name}</name><bndbox><xmin>{x0}</xmin><ymin>{y0}</ymin>"
        f"<xmax>{x1}</xmax><ymax>{y1}</ymax></bndbox></object>"
        for name, x0, y0, x1, y1 in objects
    )
    return f"<annotation>{boxes}</annotation>"


@pytest.fixture
def voc_folder(tmp_path):
    for number in range(10):
        save(tmp_path / "JPEGImages" / f"{number}.jpg", size=(40, 30))
        write(tmp_path / "Annotations" / f"{number}.xml", voc(("cell", 1, 2, 10, 12)))
    return tmp_path


def test_voc_folder(voc_folder):
    write(
        voc_folder / "Annotations" / "0.xml",
        voc(("virus", 30, 20, 45, 35), ("cell", 5, 5, 5, 9), ("cell", 0, 0, 4, 4)),
    )
    table = detection_from_voc(voc_folder, seed=0)
    assert table.label_names == ("cell", "virus")
    assert table.boxes[0].tolist() == [[30, 20, 40, 30], [0, 0, 4, 4]]
    assert table.labels[0].tolist() == [1, 0]
    assert table.images[0].shape == (30, 40, 3)
    assert [len(table.split[part]) for part in ("train", "valid", "test")] == [7, 1, 2]
    assert sorted(np.concatenate(list(table.split.values()))) == list(range(10))
    assert "1 boxes were clipped" in table.source.notice
    assert "1 boxes without area were dropped" in table.source.notice


def test_voc_split_of_the_folder_is_kept(voc_folder):
    write(voc_folder / "ImageSets" / "Main" / "train.txt", "1\n2\n")
    write(voc_folder / "ImageSets" / "Main" / "test.txt", "0\n")
    split = detection_from_voc(voc_folder).split
    assert {part: rows.tolist() for part, rows in split.items()} == {
        "train": [1, 2],
        "valid": [],
        "test": [0],
    }
    write(voc_folder / "ImageSets" / "Main" / "test.txt", "77\n")
    with pytest.raises(ValueError, match=r"test\.txt: '77' has no annotation"):
        detection_from_voc(voc_folder)


@pytest.mark.parametrize(("train", "test"), [("1 2", "0 2"), ("1 2 1", "0")])
def test_a_picture_listed_twice_is_named(voc_folder, train, test):
    write(voc_folder / "ImageSets" / "Main" / "train.txt", train)
    write(voc_folder / "ImageSets" / "Main" / "test.txt", test)
    with pytest.raises(ValueError, match="is listed twice"):
        detection_from_voc(voc_folder)


@pytest.mark.parametrize(
    ("xml", "message"),
    [
        ("<annotation><object>", "not a Pascal-VOC annotation"),
        ("<annotation><object><name>a</name></object></annotation>", "not a Pascal-VOC annotation"),
        (voc(("a", 1, 2, "nan", 9)), "is not finite"),
        (voc(("a", 1, 2, "inf", 9)), "is not finite"),
        (voc((" ", 1, 2, 8, 9)), "an object without a name"),
        ('<!DOCTYPE x [<!ENTITY a "b">]><annotation/>', "declares entities"),
    ],
)
def test_malformed_annotation_is_named(voc_folder, xml, message):
    write(voc_folder / "Annotations" / "4.xml", xml)
    with pytest.raises(ValueError, match=rf"4\.xml: .*{message}"):
        detection_from_voc(voc_folder)


def test_broken_or_absent_image_of_an_annotation_is_named(voc_folder):
    (voc_folder / "JPEGImages" / "5.jpg").write_bytes(b"\xff\xd8broken")
    with pytest.raises(ValueError, match=r"5\.jpg: not a readable image"):
        detection_from_voc(voc_folder)
    (voc_folder / "JPEGImages" / "5.jpg").unlink()
    with pytest.raises(ValueError, match=r"5\.xml: no image of that name"):
        detection_from_voc(voc_folder)


@pytest.fixture
def beir(tmp_path):
    corpus = [
        {"_id": "d1", "title": "Été", "text": "warm"},
        {"_id": 2, "text": "cold", "metadata": {}},
    ]
    write(tmp_path / "corpus.jsonl", "\n".join(map(json.dumps, corpus)) + "\n\n")
    write(tmp_path / "queries.jsonl", json.dumps({"_id": "q1", "text": "heat ☀"}))
    write(
        tmp_path / "qrels" / "test.tsv",
        "query-id\tcorpus-id\tscore\nq1\td1\t2\nq1\t2\t0\nq1\td9\t1\n",
    )
    return tmp_path


def test_beir(beir):
    table = search_from_beir(beir)
    assert table.documents.rows() == [("d1", "Été", "warm"), ("2", "", "cold")]
    assert table.queries.rows() == [("q1", "heat ☀")]
    assert table.judgments.sort("doc_id").rows() == [("q1", "2", 0), ("q1", "d1", 2)]
    assert table.source.notice.startswith("1 judgments name unknown ids")


def test_beir_qrels_beside_the_corpus_come_first(beir):
    write(beir / "qrels.tsv", "q1\td1\t1\n")
    assert search_from_beir(beir).judgments.rows() == [("q1", "d1", 1)]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("corpus.jsonl", '{"_id": "a", "text": "x"}\n{broken\n', r"corpus\.jsonl, row 2: not JSON"),
        ("corpus.jsonl", '{"_id": "a"}\n', r"corpus\.jsonl, row 1: no 'text'"),
        ("corpus.jsonl", "", r"corpus\.jsonl: contains no rows"),
        ("queries.jsonl", '{"_id": 1, "text": "x"}\n' * 2, r"queries\.jsonl: the _id '1' is on"),
        ("qrels/test.tsv", "q1\td1\t1000\n", r"test\.tsv, row 1: the grade 1000 is above"),
        ("corpus.jsonl", "[1]\n", r"corpus\.jsonl, row 1: no '_id'"),
        ("qrels/test.tsv", "h\th\th\nq1 d1 1\n", r"test\.tsv, row 2: 'q1 d1 1' is not query id"),
    ],
)
def test_malformed_collection_is_named(beir, name, content, message):
    write(beir / name, content)
    with pytest.raises(ValueError, match=message):
        search_from_beir(beir)


def test_absent_part_of_a_collection_is_named(beir):
    (beir / "queries.jsonl").unlink()
    with pytest.raises(ValueError, match=r"queries\.jsonl: no such file"):
        search_from_beir(beir)
