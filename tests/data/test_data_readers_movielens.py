"""Readers of MovieLens on tiny files of the same format, made up here."""

import io
from datetime import date

import polars as pl
import pytest
from tiny_dataset import fetched

from data import movielens
from data.movielens_cards import LATEST_SMALL, ML_1M, ML_100K


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
