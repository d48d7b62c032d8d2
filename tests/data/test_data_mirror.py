"""The real datasets of a mirror against their published counts."""

import numpy as np
import polars as pl
import pytest

import data
from data import registry

pytestmark = pytest.mark.mirror


@pytest.mark.parametrize("name", ["movielens-100k", "movielens-1m", "movielens-latest-small"])
def test_movielens(name):
    table = data.load(name)
    published = registry.card(name).published
    assert table.interactions.height == published["ratings"]
    assert table.interactions["user_id"].n_unique() == published["users"] == table.users.height
    assert table.items.height == published["items"]
    assert table.items["item_id"].n_unique() == table.items.height
    assert set(table.interactions["item_id"]) <= set(table.items["item_id"])
    assert set(table.interactions["user_id"]) == set(table.users["user_id"])
    if table.source.notice is None:
        assert table.interactions.null_count().sum_horizontal().item() == 0
        assert table.interactions["rating"].is_between(0.5, 5).all()
    if "tags" in table.extra:
        assert table.extra["tags"].height == published["tags"]


def test_movielens_1m_ncf_test_is_in_the_pairs_and_its_negatives_are_not():
    table = data.load("movielens-1m")
    test = table.extra["ncf_test"]
    assert test.height == 6040
    seen = table.interactions.select("user_id", "item_id")
    assert test.join(seen, on=["user_id", "item_id"], how="anti").height == 0
    negatives = table.extra["ncf_negatives"].explode("item_ids").rename({"item_ids": "item_id"})
    assert negatives.height == 6040 * 99
    assert negatives.join(seen, on=["user_id", "item_id"], how="semi").height == 156


def test_msrd():
    table = data.load("msrd")
    published = registry.card("msrd").published
    assert table.documents.height == published["documents"] == table.documents["doc_id"].n_unique()
    assert table.queries.height == published["queries"]
    assert table.judgments.height == published["judgments"]
    assert int((table.judgments["grade"] > 0).sum()) == published["relevant"]
    absent = table.judgments.join(table.documents, on="doc_id", how="anti")
    assert set(absent["doc_id"]) == {"440249"}  # as published; see data/msrd.py
    assert (absent.height, int(absent["grade"].sum())) == (374, 0)


def test_handbook_fraud():
    table = data.load("handbook-fraud")
    published = registry.card("handbook-fraud").published
    assert table.frame.height == published["rows"]
    assert int(table.frame["is_fraud"].sum()) == published["frauds"]
    counts = dict(table.frame.group_by("scenario").len().iter_rows())
    assert [counts[n] for n in (1, 2, 3)] == [published[f"scenario_{n}"] for n in (1, 2, 3)]
    assert table.frame["time_seconds"].is_sorted()
    assert (table.frame["time_seconds"] // 86_400 == table.frame["day"]).all()


def test_banking77():
    table = data.load("banking77")
    assert (table.train.height, table.test.height) == (10003, 3080)
    assert len(table.label_names) == 77
    assert (table.test.group_by("label").len()["len"] == 40).all()
    assert table.train["label"].n_unique() == 77


def test_fashion_mnist():
    table = data.load("fashion-mnist")
    assert table.train_images.shape == (60000, 28, 28)
    assert (np.bincount(table.test_labels) == 1000).all()
    assert (np.bincount(table.train_labels) == 6000).all()
    assert table.train_images.mean() / 255 == pytest.approx(0.286, abs=5e-4)


def test_bccd():
    table = data.load("bccd")
    published = registry.card("bccd").published
    assert len(table.images) == published["images"]
    counts = np.bincount(np.concatenate(table.labels))
    expected = [published[name] for name in table.label_names]
    expected[0] -= published["zero_area"]
    assert counts.tolist() == expected
    sizes = [len(table.split[part]) for part in ("train", "valid", "test")]
    assert sizes == [205, 87, 72]
    assert len(set(np.concatenate(list(table.split.values())))) == 364
    assert table.images[5].shape == (480, 640, 3)


def test_nuclei():
    table = data.load("nuclei")
    published = registry.card("nuclei").published
    assert len(table.images) == len(table.masks) == published["images"]
    assert sum(int(mask.max()) for mask in table.masks) == published["nuclei"]
    for image, mask in zip(table.images, table.masks, strict=True):
        assert image.shape[:2] == mask.shape
        assert max(mask.shape) <= 360
    assert pl.Series(table.kinds).value_counts()["count"].sort().to_list() == [107, 431]


def test_texts_with_one_label():
    films = data.load("sst2")
    assert (films.train.height, films.test.height) == (67349, 872)
    assert films.test["label"].sum() == 444
    messages = data.load("sms_spam")
    spam = messages.train["label"].sum() + messages.test["label"].sum()
    assert messages.train.height + messages.test.height == 5574 and spam == 747
    assert 0.17 < messages.test.height / 5574 < 0.23
    news = data.load("ag_news")
    assert (news.test.group_by("label").len()["len"] == 1900).all()
    assert news.train["label"].n_unique() == 4 and news.train.height > 20_000
    assert not set(news.train["text"]) & set(news.test["text"])
