"""Readers of the public sets on tiny files of the same format, made up here."""

import dataclasses
import gzip
import io
import json
import struct
import zipfile
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from PIL import Image

from data import banking77, bccd, fashion_mnist, handbook_fraud, movielens, msrd, nuclei
from data.cards import Fetched
from data.movielens_cards import LATEST_SMALL, ML_1M, ML_100K


def fetched(card, folder, contents, *, form=0, published=None):
    """Write the files and hand them over as if they had been fetched."""
    paths = {}
    for name, content in contents.items():
        paths[name] = Path(folder) / name
        paths[name].write_bytes(content if isinstance(content, bytes) else content.encode())
    card = dataclasses.replace(card, published=card.published | (published or {}))
    return Fetched(card, card.forms[form], paths, "mirror", dict.fromkeys(paths, "0" * 64))


def png(array, **options):
    packed = io.BytesIO()
    Image.fromarray(array).save(packed, "PNG", **options)
    return packed.getvalue()


def jpeg(height, width):
    packed = io.BytesIO()
    Image.new("RGB", (width, height), (200, 10, 10)).save(packed, "JPEG")
    return packed.getvalue()


def zipped(members):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return packed.getvalue()


def test_movielens_100k(tmp_path):
    flags = "|".join(["0"] * 5 + ["1"] + ["0"] * 12 + ["1"])
    table = movielens.read_100k(
        fetched(
            ML_100K,
            tmp_path,
            {
                "u.data": "7\t1\t5\t881250949\n9\t2\t3\t891717742\n",
                "u.user": "7|24|M|writer|85711\n9|53|F|other|T8H1N\n",
                "u.genre": "".join(f"genre {number}|{number}\n" for number in range(19)) + "\n",
                "u.item": (
                    f"1|Fête, La (1972)|01-Jan-1972||http://x|{flags}\n2|unknown||||{flags}\n"
                ).encode("latin-1"),
            },
        )
    )
    assert table.interactions.schema == {
        "user_id": pl.String,
        "item_id": pl.String,
        "rating": pl.Float32,
        "timestamp": pl.Int64,
    }
    assert table.interactions.row(0) == ("7", "1", 5.0, 881250949)
    assert table.users.row(1) == ("9", 53, "F", "other", "T8H1N")
    assert table.items.rows() == [
        ("1", "Fête, La (1972)", ["genre 5", "genre 18"], 1972, date(1972, 1, 1)),
        ("2", "unknown", ["genre 5", "genre 18"], None, None),
    ]
    assert table.source.rows == "2 ratings, 2 users, 2 items"


ML_1M_FILES = {
    "users.dat": "1::F::1::10::48067\n2::M::56::16::70072\n",
    "movies.dat": (
        "10::Été (1999)::Comedy|Drama\n20::Up: Down (2000)::War\n30::Odd (1)::War\n"
    ).encode("latin-1"),
}


def test_movielens_1m_official_ratings(tmp_path):
    ratings = "1::20::5::978300760\n1::10::3::978302109\n2::30::4::978301968\n"
    table = movielens.read_1m(
        fetched(
            ML_1M,
            tmp_path,
            ML_1M_FILES | {"ratings.dat": ratings},
            published={"ratings": 3},
        )
    )
    assert table.interactions.rows() == [
        ("1", "20", 5.0, 978300760),
        ("1", "10", 3.0, 978302109),
        ("2", "30", 4.0, 978301968),
    ]
    assert table.interactions.schema["rating"] == pl.Float32
    assert table.interactions.schema["timestamp"] == pl.Int64
    assert table.users.rows() == [("1", 1, "F", "10", "48067"), ("2", 56, "M", "16", "70072")]
    assert "text" not in table.items.columns
    assert table.source.rows == "3 ratings, 2 users, 3 items"
    assert table.items["year"].to_list() == [1999, 2000, None]
    assert table.items["genres"].to_list() == [["Comedy", "Drama"], ["War"], ["War"]]
    assert table.items["title"][0] == "Été (1999)"
    assert table.source.notice is None


def test_movielens_1m_short_ratings_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"ratings\.dat holds 1 ratings of 1,000,209"):
        movielens.read_1m(
            fetched(ML_1M, tmp_path, ML_1M_FILES | {"ratings.dat": "1::20::5::978300760\n"})
        )


def test_movielens_1m_line_without_all_fields_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"ratings\.dat: a line has fewer than 4 fields"):
        movielens.read_1m(
            fetched(ML_1M, tmp_path, ML_1M_FILES | {"ratings.dat": "1::20::5::9\n1::20\n"})
        )


def test_movielens_1m_pairs_and_ncf_ids(tmp_path):
    pairs = io.BytesIO()
    pl.DataFrame({"userID": ["1", "1", "2"], "movieID": ["20", "10", "30"]}).write_parquet(pairs)
    table = movielens.read_1m(
        fetched(
            ML_1M,
            tmp_path,
            ML_1M_FILES
            | {
                "ratings.parquet": pairs.getvalue(),
                "ncf.ml-1m.test.rating": "0\t1\t3\t978302109\n1\t2\t4\t978301968\n",
                "ncf.ml-1m.test.negative": "(0,1)\t2\n(1,2)\t0\t1\n",
            },
            form=1,
        )
    )
    assert table.interactions["rating"].null_count() == 3
    assert table.source.rows.startswith("3 pairs")
    assert 'form="official"' in table.source.notice
    # item 1 is the second film to appear in the ratings, user 0 is user "1"
    assert table.extra["ncf_test"].row(0) == ("1", "10", 3.0, 978302109)
    assert table.extra["ncf_negatives"]["item_ids"].to_list() == [["30"], ["20", "10"]]


def test_movielens_latest_small(tmp_path):
    table = movielens.read_latest_small(
        fetched(
            LATEST_SMALL,
            tmp_path,
            {
                "ratings.csv": "userId,movieId,rating,timestamp\n1,7,4.5,964982703\n",
                "movies.csv": 'movieId,title,genres\n7,"Heat, The (1995)",Action|Crime\n'
                "8,No Year,(no genres listed)\n",
                "links.csv": "movieId,imdbId,tmdbId\n7,0114709,862\n8,0113497,\n",
                "tags.csv": "userId,movieId,tag,timestamp\n1,7,naïve,1445714994\n"
                '2,7,"slow, dark",1445714990\n2,7,naïve,1445714999\n',
            },
        )
    )
    assert table.items.rows() == [
        (
            "7",
            "Heat, The (1995)",
            ["Action", "Crime"],
            1995,
            "The Heat. slow, dark, naïve",
            "0114709",
            "862",
        ),
        ("8", "No Year", [], None, "No Year", "0113497", None),
    ]
    assert table.items.columns[4:] == ["text", "imdb_id", "tmdb_id"]
    assert table.extra["tags"].row(0) == ("1", "7", "naïve", 1445714994)
    assert table.interactions.row(0) == ("1", "7", 4.5, 964982703)


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


def idx(array):
    header = b"\x00\x00\x08" + bytes([array.ndim]) + struct.pack(f">{array.ndim}i", *array.shape)
    return gzip.compress(header + array.astype(np.uint8).tobytes())


def test_fashion_mnist(tmp_path):
    rng = np.random.default_rng(0)
    images, labels = rng.integers(0, 256, (5, 4, 3)), np.arange(5)
    names = list(fashion_mnist._FILES)
    contents = dict(zip(names, map(idx, (images, labels, images[:2], labels[:2])), strict=True))
    table = fashion_mnist.read(fetched(fashion_mnist.CARD, tmp_path, contents))
    assert table.train_images.dtype == np.uint8
    assert (table.train_images == images).all()
    assert table.train_labels.dtype == np.int64
    assert table.test_images.shape == (2, 4, 3)


@pytest.mark.parametrize("raw", [b"", b"\x00\x00\x0d\x01", b"\x00\x00\x08\x01\x00\x00\x00\x09ab"])
def test_idx_that_is_none_is_named(tmp_path, raw):
    (tmp_path / "x.gz").write_bytes(gzip.compress(raw))
    with pytest.raises(ValueError, match=r"x\.gz: "):
        fashion_mnist.read_idx(tmp_path / "x.gz")


def voc(*objects):
    boxes = "".join(
        f"<object><name>{name}</name><bndbox><xmin>{x0}</xmin><ymin>{y0}</ymin>"
        f"<xmax>{x1}</xmax><ymax>{y1}</ymax></bndbox></object>"
        for name, x0, y0, x1, y1 in objects
    )
    return f"<annotation>{boxes}</annotation>"


@pytest.mark.parametrize("wrap", ["", "BCCD_Dataset-d272fb1/"])
def test_bccd_in_either_form_drops_boxes_without_area(tmp_path, wrap):
    members = {
        f"{wrap}README.md": "x",
        f"{wrap}BCCD/Annotations/b.xml": voc(("RBC", 1, 2, 30, 40), ("RBC", 5, 5, 5, 5)),
        f"{wrap}BCCD/Annotations/a.xml": voc(("WBC", 1, 2, 3, 4), ("Platelets", 0, 0, 9, 9)),
        f"{wrap}BCCD/JPEGImages/b.jpg": jpeg(48, 64),
        f"{wrap}BCCD/JPEGImages/a.jpg": jpeg(48, 64),
        f"{wrap}BCCD/ImageSets/Main/train.txt": "b\n",
        f"{wrap}BCCD/ImageSets/Main/val.txt": "",
        f"{wrap}BCCD/ImageSets/Main/test.txt": "a\n",
    }
    table = bccd.read(fetched(bccd.CARD, tmp_path, {"set.zip": zipped(members)}, form=bool(wrap)))
    assert [image.shape for image in table.images] == [(48, 64, 3)] * 2
    assert table.images[0].dtype == np.uint8
    assert [box.tolist() for box in table.boxes] == [[[1, 2, 3, 4], [0, 0, 9, 9]], [[1, 2, 30, 40]]]
    assert [label.tolist() for label in table.labels] == [[1, 2], [0]]
    assert {part: rows.tolist() for part, rows in table.split.items()} == {
        "train": [1],
        "valid": [],
        "test": [0],
    }


def test_bccd_annotation_of_an_unknown_class_is_named(tmp_path):
    members = {
        "BCCD/Annotations/a.xml": voc(("Alien", 1, 2, 3, 4)),
        "BCCD/JPEGImages/a.jpg": jpeg(8, 8),
    }
    with pytest.raises(
        ValueError, match=r"a\.xml: object 'Alien' is not one of RBC, WBC, Platelets"
    ):
        bccd.read(fetched(bccd.CARD, tmp_path, {"set.zip": zipped(members)}))


def test_nuclei_official_form_is_converted(tmp_path):
    gray = np.full((6, 8, 4), 255, np.uint8)
    gray[..., :3] = 40
    stained = gray.copy()
    stained[..., 0] = 90
    first, second = np.zeros((2, 6, 8), np.uint8)
    first[1:3, 1:3] = 255
    second[2:5, 2:6] = 255  # shares pixel (2, 2) with the first
    members = {
        "stage1_train/bb/images/bb.png": png(gray),
        "stage1_train/bb/masks/2.png": png(second),
        "stage1_train/bb/masks/1.png": png(first),
        "aa/images/aa.png": png(stained),  # the archive has no folder around it in some copies
        "aa/masks/m.png": png(first),
        "aa/masks/n.png": png(first),  # wholly covered: no label of its own
        "big/images/big.png": png(np.zeros((400, 10, 4), np.uint8)),
        "big/masks/m.png": png(np.full((400, 10), 255, np.uint8)),
    }
    table = nuclei.read(
        fetched(
            nuclei.CARD,
            tmp_path,
            {"stage1_train.zip": zipped(members)},
            form=1,
            published={"official_images": 3},
        )
    )
    assert table.names == ("aa", "bb")
    assert table.kinds == ("stained_rgb", "fluorescence_gray")
    assert table.images[1].shape == (6, 8, 3)
    assert table.masks[1].dtype == np.uint16
    assert table.masks[1][2, 2] == 1
    assert (table.masks[1] == 2).sum() == 3 * 4 - 1
    assert table.masks[0].max() == 1
    assert "without the community's corrections" in table.source.notice


def test_nuclei_official_form_with_images_missing_is_refused(tmp_path):
    archive = zipped({"aa/images/aa.png": png(np.zeros((4, 4, 4), np.uint8))})
    with pytest.raises(ValueError, match="holds 1 images of 670"):
        nuclei.read(fetched(nuclei.CARD, tmp_path, {"stage1_train.zip": archive}, form=1))


def test_nuclei_repack(tmp_path):
    import tarfile

    mask = np.zeros((5, 7), np.uint16)
    mask[1, 1], mask[3, 3] = 1, 300
    webp = io.BytesIO()
    Image.new("L", (7, 5), 99).save(webp, "WEBP", lossless=True)
    members = {
        "images/aa.webp": webp.getvalue(),
        "labels/aa.png": png(mask),
        "index.csv": b"image_id,width,height,kind,nuclei,kept\naa,7,5,fluorescence_gray,2,1\n",
    }
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    table = nuclei.read(fetched(nuclei.CARD, tmp_path, {"set.tar": packed.getvalue()}))
    assert (table.masks[0] == mask).all()
    assert table.images[0].shape == (5, 7, 3)
    assert table.kinds == ("fluorescence_gray",)
