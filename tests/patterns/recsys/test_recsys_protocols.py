"""Published protocols: cut to the letter, and their figures reached on the real data."""

import numpy as np
import polars as pl
import pytest

from data.tables import Interactions, Source
from patterns.recsys import protocols
from patterns.recsys.config import Config
from patterns.recsys.data import load
from patterns.recsys.evaluation.cuts import Problem, leave_one_out, random_quarter

USERS, ITEMS = 30, 140


def table(name: str = "movielens-1m") -> Interactions:
    """Give a small set whose held-out items come with 99 given negatives."""
    rng = np.random.default_rng(0)
    taken = rng.random((USERS, ITEMS)) < 0.15
    taken[:, :3] = True
    taken[np.arange(ITEMS) % USERS, np.arange(ITEMS)] = True  # every item is taken by somebody
    users, items = np.nonzero(taken)
    frame = pl.DataFrame(
        {
            "user_id": [str(user + 1) for user in users],
            "item_id": [f"m{item}" for item in items],
            "rating": rng.integers(1, 6, len(users)).astype(np.float32),
            "timestamp": np.arange(len(users)),
        }
    )
    held = [int(np.flatnonzero(row)[-1]) for row in taken]
    others = [rng.choice(np.flatnonzero(~row), 99).tolist() for row in taken]  # with repeats
    user_ids = [str(user + 1) for user in range(USERS)]
    extra = {
        "ncf_test": pl.DataFrame({"user_id": user_ids, "item_id": [f"m{n}" for n in held]}),
        "ncf_negatives": pl.DataFrame(
            {"user_id": user_ids, "item_ids": [[f"m{n}" for n in row] for row in others]}
        ),
    }
    items_frame = pl.DataFrame({"item_id": [f"m{n}" for n in range(ITEMS)]})
    source = Source(name, "file", "t", "t", {}, "t")
    users_frame = pl.DataFrame({"user_id": user_ids})
    return Interactions(source, frame, users_frame, items_frame, extra)


def test_ncf_holds_out_the_given_item_and_leaks_it_nowhere() -> None:
    given = table()
    items = given.interactions["item_id"].unique(maintain_order=True).to_list()
    valid, test = leave_one_out(given, seed=0)
    for row in range(USERS):
        answer = items[test.candidates[row, -1]]
        assert answer == given.extra["ncf_test"]["item_id"][row]
        negatives = [items[column] for column in test.candidates[row, :-1]]
        assert negatives == given.extra["ncf_negatives"]["item_ids"][row].to_list()
        assert test.seen[row, test.candidates[row, -1]] == 0
        assert valid.seen[row, valid.candidates[row, -1]] == 0
        assert test.seen[row, valid.candidates[row, -1]] == 1  # validation is cut out of training
        assert valid.seen[row].nnz == test.seen[row].nnz - 1
        taken = set(test.seen[row].indices) | {test.candidates[row, -1]}
        assert not taken & set(valid.candidates[row, :-1].tolist())


def test_an_answer_that_ties_loses() -> None:
    problem = Problem(None, np.zeros((3, 12), np.int64), None)  # type: ignore[arg-type]
    scores = np.zeros((3, 12))
    scores[1, -1], scores[2, :9] = 1.0, 1.0
    scores[2, -1] = 0.5
    relevance, total = problem.judge(scores)
    assert relevance.sum(axis=1).tolist() == [0, 1, 1]
    assert relevance[1, 0] == 1 and relevance[2, 9] == 1 and total.tolist() == [1, 1, 1]


def test_a_quarter_of_every_user_is_held_out() -> None:
    valid, test = random_quarter(table(), seed=3)
    known, held = np.diff(test.seen.indptr), np.diff(test.answers.indptr)
    assert (held == np.round((known + held) * 0.25)).all()
    assert test.seen.multiply(test.answers).nnz == 0
    assert (valid.seen + valid.answers - test.seen).nnz == 0
    rows, columns = test.seen.nonzero()
    assert (test.candidates[rows, columns] == -1).all()
    assert (test.candidates >= 0).sum() == USERS * ITEMS - test.seen.nnz


def test_what_cannot_be_run_is_named() -> None:
    with pytest.raises(ValueError, match="protocol: 'netflix' is not known"):
        protocols.run("netflix", table(), Config())
    with pytest.raises(ValueError, match="is defined on movielens-100k"):
        protocols.run("recommenders-ml100k", table(), Config())


@pytest.mark.slow
@pytest.mark.mirror
def test_recommenders_ml100k_passes_the_published_figures() -> None:
    config = Config(protocol="recommenders-ml100k")
    table = load(config)
    assert table.source.name == "movielens-100k"  # of the protocol, since none is named
    ranking, ratings = protocols.run(config.protocol, table, config)
    found = {row.name: row.values for row in ranking.rows}
    assert found["als + ease"]["nDCG@10"] > 0.475
    assert found["als"]["nDCG@10"] > 0.442
    assert found["popularity"]["nDCG@10"] < 0.30  # the baseline is one
    errors = {row.name: row.values["RMSE"] for row in ratings.rows}
    assert errors["biased MF"] < 0.939 < errors["global mean"]


def test_a_protocol_names_its_dataset_unless_one_is_given(monkeypatch) -> None:
    asked = []
    monkeypatch.setattr("data.load_table", lambda _, name, **options: asked.append(name) or table())
    load(Config(protocol="ncf-ml1m"))
    load(Config(protocol="ncf-ml1m", dataset="simulated-movies"))
    load(Config())
    assert asked == ["movielens-1m", "simulated-movies", "auto"]


def test_small_protocols_run_and_the_blend_is_between_its_parts() -> None:
    (compared,) = protocols.run("ncf-ml1m", table(), Config())
    rows = {row.name: row.values for row in compared.rows}
    assert [row.name for row in compared.rows if row.baseline] == ["popularity"]
    assert set(rows) >= {"als", "ease", "als + ease", "NeuMF, published"}
    assert all(0 <= value <= 1 for row in rows.values() for value in row.values())
