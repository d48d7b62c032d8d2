"""The recommender over HTTP: known and unknown users, fresh events, and what is refused."""

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient

from common.serving import create_app
from patterns.recsys.serve import RecommendService


@pytest.fixture(scope="module")
def client(trained) -> Iterator[TestClient]:
    with TestClient(create_app(RecommendService(trained.run), trained.run)) as client:
        yield client


def page(client: TestClient, **payload: Any) -> dict[str, Any]:
    answer = client.post("/predict", json=payload)
    assert answer.status_code == 200, answer.text
    return answer.json()


def ids(answer: dict[str, Any]) -> list[str]:
    return [item["item_id"] for item in answer["items"]]


def refused(client: TestClient, **payload: Any) -> dict[str, Any]:
    answer = client.post("/predict", json=payload)
    assert 400 <= answer.status_code < 500, answer.text
    return answer.json()["error"]


@pytest.fixture(autouse=True)
def stopped_clock(pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    """The hour of a request is a feature, so answers are compared at one moment."""
    clock = SimpleNamespace(time=lambda: float(pipeline.histories_.now))
    monkeypatch.setattr("patterns.recsys.serve.time", clock)


def test_the_hour_of_a_request_is_the_clocks(trained, pipeline, monkeypatch) -> None:
    service, moments = RecommendService(trained.run), []
    real = service.pipeline.requests_for

    def asked(*args: Any, now: int, **told: Any) -> Any:
        moments.append(now)
        return real(*args, now=now, **told)

    monkeypatch.setattr(service.pipeline, "requests_for", asked)
    service.predict([service.Request(user_id="nobody")])
    assert moments == [pipeline.histories_.now]


def test_a_known_user_gets_what_the_pipeline_says(client: TestClient, trained, pipeline) -> None:
    for row in (0, 5, 42):
        answer = page(client, user_id=str(pipeline.catalogue.user_ids[row]), k=12)
        expected = pipeline.recommend(pipeline.requests_for(np.array([row]), [[]]), 12)
        items = expected.items.item_ids[0]
        assert ids(answer) == pipeline.catalogue.item_ids[items].tolist()
        np.testing.assert_allclose(
            [item["score"] for item in answer["items"]], expected.items.scores[0], rtol=1e-5
        )
        named = [pipeline.sources.found_by(int(bits)) for bits in expected.found_by[0]]
        assert [item["sources"] for item in answer["items"]] == named
        assert [i["title"] for i in answer["items"]] == pipeline.catalogue.titles[items].tolist()
        assert answer["known_user"] and answer["model_version"] == trained.run.version
        years = [pipeline.catalogue.year_of(item) for item in items]
        assert [item["year"] for item in answer["items"]] == years and None not in years
        assert all(item["genres"] for item in answer["items"])


def test_a_known_user_sees_nothing_seen_before(client: TestClient, pipeline) -> None:
    catalogue, histories = pipeline.catalogue, pipeline.histories_.seen
    for row in range(10):
        taken = set(catalogue.item_ids[histories[row].indices].tolist())
        assert not taken & set(ids(page(client, user_id=str(catalogue.user_ids[row]), k=50)))


@pytest.mark.parametrize("user", ["nobody", "Zoë 🎬", "", "u" * 200, "'; drop table users"])
def test_an_unknown_user_is_answered_from_what_is_popular(client: TestClient, user: str) -> None:
    answer = page(client, user_id=user, k=10)
    assert not answer["known_user"] and ids(answer) == ids(page(client, k=10))
    assert len(answer["items"]) == 10
    assert all("als" not in item["sources"] for item in answer["items"])


def test_what_was_chosen_since_counts_at_once(client: TestClient) -> None:
    before = ids(page(client, user_id="u00003", k=10))
    after = ids(page(client, user_id="u00003", k=10, recent=before[:3]))
    assert not set(after) & set(before[:3])
    stranger, same = page(client, recent=before[:3], k=10), page(client, k=10)
    assert ids(stranger) != ids(same)
    assert any("als" in item["sources"] for item in stranger["items"])  # folded in


def test_a_repeated_recent_item_counts_once_and_order_is_oldest_first(client, pipeline) -> None:
    items = pipeline.catalogue.item_ids[:3].tolist()
    assert ids(page(client, recent=[items[0]] * 5, k=5)) != []
    requests = pipeline.requests_for(np.array([-1]), [[0, 1, 2, 2]])
    assert requests.recent[0, :5].tolist() == [2, 2, 1, 0, -1]
    assert requests.seen[0].indices.tolist() == [0, 1, 2] and requests.seen[0].data.max() == 1.0
    assert (requests.segments == 0).all()


def test_an_unknown_recent_item_is_named(client: TestClient) -> None:
    error = refused(client, user_id="u00003", recent=["m00001", "no such item"])
    assert error["field"].startswith("recent") and error["value"] == "no such item"
    assert error["message"] and error["remedy"]


@pytest.mark.parametrize(
    "payload",
    [
        {"k": 0},
        {"k": 1001},
        {"k": -3},
        {"k": 2.5},
        {"k": "many"},
        {"user_id": 7},
        {"user_id": "u" * 201},
        {"recent": "m00001"},
        {"recent": [1]},
        {"recent": ["m00001"] * 1001},
        {"users_id": "u00003"},
    ],
)
def test_what_is_wrong_is_refused_by_field(client: TestClient, payload: dict[str, Any]) -> None:
    error = refused(client, **payload)
    assert next(iter(payload)) in error["field"] and error["message"]


def test_more_than_there_is_gives_what_there_is(client: TestClient, trained) -> None:
    found = ids(page(client, user_id="u00003", k=1000))
    assert 10 <= len(found) <= trained.config.candidates.keep
    assert len(set(found)) == len(found)


def test_a_batch_is_answered_as_each_alone(client: TestClient) -> None:
    requests = [
        {"user_id": "u00001", "k": 4},
        {"user_id": "nobody", "k": 9},
        {"user_id": "u00009", "recent": ["m00002", "m00003"], "k": 2},
        {"recent": ["m00005"]},
    ]
    answer = client.post("/predict/batch", json={"requests": requests})
    assert answer.status_code == 200, answer.text
    (answers,) = [value for value in answer.json().values() if isinstance(value, list)]
    assert [ids(each) for each in answers] == [ids(page(client, **each)) for each in requests]
    assert [len(each["items"]) for each in answers] == [4, 9, 2, 10]


def test_one_bad_row_of_a_batch_is_named(client: TestClient) -> None:
    requests = [{"user_id": "u00001"}, {"recent": ["no such item"]}]
    answer = client.post("/predict/batch", json={"requests": requests})
    assert 400 <= answer.status_code < 500
    assert "1" in answer.json()["error"]["field"]


def test_what_the_survey_says_is_disliked_is_on_no_page(client: TestClient) -> None:
    first = ids(page(client, user_id="new here", k=10))
    answers = dict.fromkeys(first[:4], "disliked")
    after = page(client, user_id="new here", k=10, survey=answers)
    assert len(ids(after)) == 10 and not set(answers) & set(ids(after))


def test_an_id_without_a_history_is_somebody_new(trained) -> None:
    service = RecommendService(trained.run)
    ends = service.pipeline.histories_.seen.indptr
    row = int(np.flatnonzero(np.diff(ends) == 0)[0])  # first seen in the test window
    user = str(service.pipeline.catalogue.user_ids[row])
    answer, young = service.predict(
        [service.Request(user_id=user, k=10), service.Request(user_id=user, k=10, age=15)]
    )
    assert not answer.known_user and answer.ask is not None
    assert [item.score for item in young.items] != [item.score for item in answer.items]


def test_a_recent_item_is_not_asked_about(trained) -> None:
    service = RecommendService(trained.run)
    (first,) = service.predict([service.Request(user_id="nobody")])
    assert first.ask is not None
    (then,) = service.predict([service.Request(user_id="nobody", recent=[first.ask.item_id])])
    assert then.ask is None or then.ask.item_id != first.ask.item_id


def test_explored_places_do_not_depend_on_who_else_asks(trained) -> None:
    service = RecommendService(trained.run)
    service.pipeline.exploration.slots = 2
    one = service.Request(user_id="u00005", k=10)
    (alone,) = service.predict([one])
    crowd = service.predict([service.Request(user_id="u00008", k=40), one])
    assert crowd[1].items == alone.items
    assert [item.propensity < 1 for item in alone.items] == [False] * 8 + [True] * 2
