"""A user's folders of masks and search collections."""

import json

import numpy as np
import pytest
from PIL import Image

from data.files import (
    search_from_beir,
    segmentation_from_folder,
)


def save(path, *, size=(8, 6), color=(10, 20, 30)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, color).save(path)


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def test_masks(tmp_path):
    mask = np.zeros((6, 8), np.uint16)
    mask[0, 0], mask[5, 5] = 1, 700
    save(tmp_path / "images" / "ü.jpg")
    (tmp_path / "labels").mkdir()
    Image.fromarray(mask).save(tmp_path / "labels" / "ü.png")
    table = segmentation_from_folder(tmp_path)
    assert table.names == ("ü",)
    assert table.masks[0].dtype == np.uint16 and (table.masks[0] == mask).all()
    assert table.source.rows == "1 images, 2 objects"


def test_masks_that_do_not_fit_are_named(tmp_path):
    save(tmp_path / "images" / "a.png")
    with pytest.raises(ValueError, match=r"a\.png: no .*labels/a\.png"):
        segmentation_from_folder(tmp_path)
    save(tmp_path / "labels" / "a.png")
    with pytest.raises(ValueError, match="a label image has one channel"):
        segmentation_from_folder(tmp_path)
    Image.new("L", (3, 3)).save(tmp_path / "labels" / "a.png")
    with pytest.raises(ValueError, match="3 x 3 pixels, its image has 8 x 6"):
        segmentation_from_folder(tmp_path)
    (tmp_path / "labels" / "a.png").write_bytes(b"no png")
    with pytest.raises(ValueError, match=r"labels/a\.png: not a readable image"):
        segmentation_from_folder(tmp_path)


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
