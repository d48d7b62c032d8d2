"""Readers of the other public tables on tiny files of the same format, made up here."""

import gzip
import io
import json
from datetime import date

import polars as pl
import pytest
from tiny_dataset import fetched

from data import banking77, handbook_fraud, msrd, multi30k


def test_msrd(tmp_path):
    film = {
        "id": "7",
        "title": "Heat",
        "overview": "A heist.",
        "tags": [],
        "genres": ["Crime"],
        "director": "M",
        "actors": ["A", "B"],
        "characters": ["a", "b"],
        "year": 1995,
        "votes": 3,
        "rating": 8.5,
        "popularity": 1,
        "budget": 60000000,
        "url": "u",
    }
    bare = film | {"id": "8", "overview": None, "director": None, "year": None}
    rows = (
        'query_id\tquery\tdoc_id\tgrade\nq:1\t6" heist\t7\t1\nq:1\t6" heist\t8\t0\nq:2\tx\t8\t1\n'
    )
    table = msrd.read(
        fetched(
            msrd.CARD,
            tmp_path,
            {
                "movies-corpus.jsonl": f"{json.dumps(film)}\n{json.dumps(bare)}\n",
                "movies-judgments.tsv": rows,
            },
        )
    )
    assert table.documents["text"].to_list() == ["A heist.", ""]
    assert table.documents["actors"].to_list() == [["A", "B"]] * 2
    assert table.queries.rows() == [("q:1", '6" heist'), ("q:2", "x")]
    assert table.judgments.rows() == [("q:1", "7", 1), ("q:1", "8", 0), ("q:2", "8", 1)]


def test_handbook_fraud(tmp_path):
    packed = io.BytesIO()
    pl.DataFrame(
        {
            "TRANSACTION_ID": [5, 6],
            "TX_DATETIME": [None, None],
            "CUSTOMER_ID": pl.Series([1, 2], dtype=pl.Int16),
            "TERMINAL_ID": pl.Series([3, 4], dtype=pl.Int16),
            "TX_AMOUNT": [1.5, 250.0],
            "TX_TIME_SECONDS": pl.Series([31, 90000], dtype=pl.Int32),
            "TX_TIME_DAYS": pl.Series([0, 1], dtype=pl.Int16),
            "TX_FRAUD": pl.Series([0, 1], dtype=pl.Int8),
            "TX_FRAUD_SCENARIO": pl.Series([0, 1], dtype=pl.Int8),
        }
    ).write_parquet(packed)
    table = handbook_fraud.read(
        fetched(handbook_fraud.CARD, tmp_path, {"transactions.parquet": packed.getvalue()})
    )
    assert table.start == date(2018, 4, 1)
    assert table.frame.rows() == [(5, 31, 0, 1, 3, 1.5, 0, 0), (6, 90000, 1, 2, 4, 250.0, 1, 1)]
    assert table.frame.schema == {
        "transaction_id": pl.Int64,
        "time_seconds": pl.Int64,
        "day": pl.Int16,
        "customer_id": pl.Int32,
        "terminal_id": pl.Int32,
        "amount": pl.Float64,
        "is_fraud": pl.Int8,
        "scenario": pl.Int8,
    }


def test_banking77_numbers_labels_in_the_order_of_the_list(tmp_path):
    table = banking77.read(
        fetched(
            banking77.CARD,
            tmp_path,
            {
                "train.csv": 'text,category\n"My ""card"",\nwhere?",zebra\nhello,apple\n',
                "test.csv": "text,category\nhi,apple\n",
                "categories.json": '["zebra", "apple"]',
            },
        )
    )
    assert table.train.rows() == [('My "card",\nwhere?', 0), ("hello", 1)]
    assert table.test.rows() == [("hi", 1)]
    assert table.train.schema == {"text": pl.String, "label": pl.Int32}


def test_multi30k_pairs_its_lines(tmp_path):
    published = dict.fromkeys(multi30k.CARD.published, 2)
    texts = {
        f"{part}.{language}.gz": gzip.compress(f"{part} \u2028 {language}\n two \n".encode())
        for part in published
        for language in multi30k.LANGUAGES
    }
    table = multi30k.read(fetched(multi30k.CARD, tmp_path, texts, published=published))
    assert table.languages == ("en", "de", "fr") == tuple(table.train.columns)
    assert table.train.rows()[0] == tuple(f"train \u2028 {each}" for each in table.languages)
    assert table.test.rows()[1] == ("two",) * 3 and len(table.extra) == 3
    texts["val.de.gz"] = gzip.compress(b"one\n")
    with pytest.raises(ValueError, match="val has lines that do not pair up .en: 2, de: 1"):
        multi30k.read(fetched(multi30k.CARD, tmp_path, texts, published=published))
