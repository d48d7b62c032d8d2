"""Each route of the service base, and each way in which a request can be wrong."""

from __future__ import annotations

import json
import logging
import threading
from typing import Any

import pytest
from fastapi.testclient import TestClient
from prometheus_client import REGISTRY
from prometheus_client.parser import text_string_to_metric_families

from common.serving import create_app


def metrics_of(client: Any) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    text = client.get("/metrics").text
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def error_of(response: Any) -> dict[str, Any]:
    content = response.json()
    assert set(content) == {"error"}
    error = content["error"]
    assert {"field", "value", "message", "remedy"} <= set(error)
    assert error["message"] and error["remedy"]
    assert "Traceback" not in response.text
    return error


def test_one_request_equals_the_service(client: Any, echo: Any, echo_run: Any) -> None:
    response = client.post("/predict", json={"text": "ünïcode 🎬", "times": 2, "loud": True})
    direct = echo.EchoService().predict([echo.EchoRequest(text="ünïcode 🎬", times=2, loud=True)])[
        0
    ]
    assert response.status_code == 200
    answer = response.json()
    assert answer["text"] == direct.text == "ÜNÏCODE 🎬 ÜNÏCODE 🎬"
    assert answer["words"] == [word.model_dump() for word in direct.words]
    assert answer["model_version"] == echo_run.version == response.headers["x-model-version"]
    assert set(answer["stage_ms"]) == {"echo"}
    assert "predict;dur=" in response.headers["server-timing"]


def test_a_batch_answers_in_order_by_one_call(client: Any) -> None:
    rows = [{"text": f"word {number}"} for number in range(8)]
    answers = client.post("/predict/batch", json={"requests": rows}).json()["responses"]
    assert [answer["text"] for answer in answers] == [row["text"] for row in rows]
    assert {answer["batch_size"] for answer in answers} == {8}


def test_an_empty_batch_is_an_empty_answer(client: Any) -> None:
    response = client.post("/predict/batch", json={"requests": []})
    assert (response.status_code, response.json()) == (200, {"responses": []})


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        (b"", 400, "body"),
        (b"{", 400, "body"),
        (b"\xff\xfe", 400, "body"),
        (b'{"text": "a", "weight": NaN}', 400, "body"),
        (b'{"text": "a", "weight": Infinity}', 400, "body"),
        (b'{"text": "a", "weight": 1e400}', 400, "weight"),
        (b'{"text": "a", "weight": ' + b"9" * 400 + b".0}", 400, "weight"),
        (b'{"text": "\\ud800"}', 400, "body"),
        (b"[" * 5000, 400, "body"),
        (b"null", 422, "body"),
        (b"[]", 422, "body"),
        (b"{}", 422, "text"),
        (b'{"text": 3}', 422, "text"),
        (b'{"text": ""}', 422, "text"),
        (b'{"text": null}', 422, "text"),
        (b'{"text": "a", "times": 11}', 422, "times"),
        (b'{"text": "a", "times": 1.5}', 422, "times"),
        (b'{"text": "a", "tags": ["b", 3]}', 422, "tags[1]"),
        (b'{"text": "a", "language": "xx"}', 422, "language"),
        (b'{"text": "a", "tmies": 2}', 422, "tmies"),
    ],
)
def test_a_bad_body_is_refused_by_name(client: Any, body: bytes, status: int, field: str) -> None:
    response = client.post("/predict", content=body, headers={"content-type": "application/json"})
    assert response.status_code == status, response.text
    assert error_of(response)["field"] == field


def test_every_problem_of_a_request_is_told(client: Any) -> None:
    error = error_of(client.post("/predict", json={"times": 0, "tags": 1}))
    assert error["field"] == "text"
    assert {problem["field"] for problem in error["also"]} == {"times", "tags"}


def test_a_long_value_is_shown_shortened(client: Any) -> None:
    error = error_of(client.post("/predict", json={"text": "x" * 3000}))
    assert error["value"].startswith("xxx") and len(error["value"]) < 200


@pytest.mark.parametrize(
    ("content", "status", "field"),
    [
        ({"requests": [{"text": "a"}] * 9}, 413, "requests"),
        ({"requests": [{"text": "a"}, {"text": "b", "times": 0}]}, 422, "requests[1].times"),
        ({"requests": [{"text": "a"}, 3]}, 422, "requests[1]"),
        ({"requests": [{"text": "a"}, {"text": "nobody"}]}, 404, "requests[1].text"),
        ({"requests": "a"}, 422, "requests"),
        ({"requests": [], "more": 1}, 422, "requests"),
        ([{"text": "a"}], 422, "requests"),
    ],
)
def test_a_bad_batch_names_the_row(client: Any, content: Any, status: int, field: str) -> None:
    response = client.post("/predict/batch", json=content)
    assert response.status_code == status
    assert error_of(response)["field"] == field


def test_what_the_service_refuses_keeps_its_status(client: Any) -> None:
    error = error_of(client.post("/predict", json={"text": "nobody"}))
    assert error == {
        "field": "text",
        "value": "nobody",
        "message": "nobody of this name",
        "remedy": "say a known name",
    }


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", ""])
def test_another_content_type_is_415(client: Any, kind: str) -> None:
    response = client.post("/predict", content=b'{"text": "a"}', headers={"content-type": kind})
    assert response.status_code == 415
    assert error_of(response)["field"] == "content-type"


def test_a_large_body_is_413_declared_or_streamed(client: Any) -> None:
    body = json.dumps({"text": "x" * 60_000}).encode()
    headers = {"content-type": "application/json"}
    declared = client.post("/predict", content=body, headers=headers)
    streamed = client.post(
        "/predict", content=iter([body[:40_000], body[40_000:]]), headers=headers
    )
    assert declared.status_code == streamed.status_code == 413
    assert "50,000" in error_of(declared)["message"]
    assert error_of(streamed)["field"] == "body"


def test_unknown_route_and_method_have_the_same_shape(client: Any) -> None:
    unknown = client.get("/nothing/here")
    wrong = client.get("/predict")
    assert (unknown.status_code, error_of(unknown)["value"]) == (404, "/nothing/here")
    assert (wrong.status_code, error_of(wrong)["value"]) == (405, "GET")
    assert "POST" in error_of(wrong)["remedy"]


def test_a_bug_is_500_with_an_id_found_in_the_log(client: Any, caplog: Any) -> None:
    with caplog.at_level(logging.ERROR, logger="serving"):
        response = client.post("/predict", json={"text": "crash"})
    error = error_of(response)
    assert response.status_code == 500
    assert error["id"] == response.headers["x-request-id"]
    assert "secret" not in response.text
    assert [record.fields["id"] for record in caplog.records] == [error["id"]]
    assert "secret" in caplog.text
    assert client.post("/predict", json={"text": "still alive"}).status_code == 200


def test_the_request_id_is_kept_if_harmless(client: Any) -> None:
    kept = client.get("/healthz", headers={"x-request-id": "abc-1.2_3"})
    replaced = client.get("/healthz", headers={"x-request-id": "a b\t<script>"})
    assert kept.headers["x-request-id"] == "abc-1.2_3"
    assert len(replaced.headers["x-request-id"]) == 32


def test_health_model_report_and_description(client: Any, echo_run: Any) -> None:
    assert client.get("/healthz").json() == {"status": "alive"}
    assert client.get("/readyz").json() == {"status": "ready", "version": echo_run.version}
    card = client.get("/model").json()
    assert (card["name"], card["version"]) == ("echo", echo_run.version)
    assert card["dataset"]["name"] == "simulated-echo"
    assert card["metrics"]["echo"]["accuracy"] == 0.99
    assert (card["served"], card["metric"]) == ("echo", "accuracy")
    assert card["created"] and "files" not in card
    assert "<html" in client.get("/report").text


def test_head_is_get_without_the_body_on_every_route(client: Any) -> None:
    routes = [each.path for each in client.app.routes if "GET" in each.methods]
    assert {"/", "/report", "/model", "/metrics", "/readyz", "/openapi.json"} <= set(routes)
    for route in routes:
        got, headed = client.get(route), client.head(route)
        assert (headed.status_code, headed.content) == (200, b""), route
        same = (
            set(got.headers)
            - {"x-request-id"}
            - ({"content-length"} if "metrics" in route else set())
        )
        assert {name: headed.headers[name] for name in same} == {n: got.headers[n] for n in same}
        assert int(headed.headers["content-length"]) > 0
    assert client.head("/predict").status_code == 405
    assert client.head("/nothing").status_code == 404
    counted = (("method", "HEAD"), ("route", "/model"), ("status", "200"))
    assert metrics_of(client)[("http_request_duration_seconds_count", counted)] == 1


def test_openapi_describes_the_real_bodies(client: Any) -> None:
    content = client.get("/openapi.json").json()
    schemas = content["components"]["schemas"]
    assert schemas["EchoRequest"]["properties"]["picture"]["anyOf"][0]["format"] == "image"
    batch = content["paths"]["/predict/batch"]["post"]["requestBody"]["content"]
    requests = batch["application/json"]["schema"]["properties"]["requests"]
    assert requests["maxItems"] == 8
    assert requests["items"] == {"$ref": "#/components/schemas/EchoRequest"}
    named = json.dumps(content).split('"$ref": "#/components/schemas/')[1:]
    assert {part.split('"')[0] for part in named} <= set(schemas)


def test_metrics_count_by_route_and_status(client: Any) -> None:
    client.post("/predict/batch", json={"requests": [{"text": "a"}] * 3})
    client.post("/predict", json={})
    client.get("/secret/path/1")
    found = metrics_of(client)
    labels = (("method", "POST"), ("route", "/predict/batch"), ("status", "200"))
    assert found[("http_request_duration_seconds_count", labels)] == 1
    unmatched = (("method", "GET"), ("route", "unmatched"), ("status", "404"))
    assert found[("http_request_duration_seconds_count", unmatched)] == 1
    assert found[("model_predictions_total", ())] == 3
    assert found[("model_errors_total", (("kind", "request"),))] == 1
    assert found[("model_errors_total", (("kind", "internal"),))] == 0
    assert found[("model_stage_seconds_count", (("stage", "echo"),))] == 1
    assert found[("model_ready", ())] == 1


def test_two_apps_share_no_metrics(client: Any, echo: Any, echo_run: Any) -> None:
    with TestClient(create_app(echo.EchoService(), echo_run)) as other:
        other.post("/predict", json={"text": "a"})
        assert metrics_of(other)[("model_predictions_total", ())] == 1
    assert metrics_of(client)[("model_predictions_total", ())] == 0
    assert not any("model_" in family.name for family in REGISTRY.collect())


def test_not_ready_until_warm(echo: Any, echo_run: Any) -> None:
    service = echo.EchoService()
    warm = threading.Event()
    service.warm_up = lambda: warm.wait(10)
    app = create_app(service, echo_run, answer_while_warming=True)
    with TestClient(app) as client:
        ready, predict = client.get("/readyz"), client.post("/predict", json={"text": "a"})
        assert ready.status_code == predict.status_code == 503
        assert ready.headers["retry-after"]
        assert error_of(predict)["message"] == "the model is not ready"
        assert client.get("/healthz").status_code == 200
        assert metrics_of(client)[("model_ready", ())] == 0
        warm.set()
        wait_until(lambda: client.get("/readyz").status_code == 200)
        assert client.post("/predict", json={"text": "a"}).status_code == 200


def test_a_failed_warm_up_is_told(echo: Any, echo_run: Any, monkeypatch: Any) -> None:
    monkeypatch.setenv("ECHO_BROKEN", "1")
    with TestClient(create_app(echo.EchoService(), echo_run)) as client:
        response = client.get("/readyz")
        assert response.status_code == 503
        assert "the model is broken" in error_of(response)["message"]


def test_a_full_queue_is_refused_at_once(echo: Any, echo_run: Any) -> None:
    app = create_app(echo.EchoService(), echo_run, queue_limit=1)
    statuses: list[int] = []
    with TestClient(app) as client:

        def ask() -> None:
            response = client.post("/predict", json={"text": "a", "wait_seconds": 0.4})
            statuses.append(response.status_code)

        threads = [threading.Thread(target=ask) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert metrics_of(client)[("model_errors_total", (("kind", "busy"),))] == 2
    assert sorted(statuses) == [200, 200, 503, 503]


def test_a_request_past_its_deadline_is_not_computed(echo: Any, echo_run: Any) -> None:
    service = echo.EchoService()
    with TestClient(create_app(service, echo_run, queue_seconds=0.1)) as client:
        warmed_up = service.calls
        slow = threading.Thread(
            target=lambda: client.post("/predict", json={"text": "a", "wait_seconds": 0.5})
        )
        slow.start()
        wait_until(lambda: app_pending(client) == 1)
        response = client.post("/predict", json={"text": "b"})
        slow.join()
        assert response.status_code == 503
        assert service.calls == warmed_up + 1  # the slow one


def app_pending(client: Any) -> int:
    return client.app.state.server.worker.pending


def wait_until(condition: Any, seconds: float = 5.0) -> None:
    step = threading.Event()
    for _ in range(int(seconds / 0.02)):
        if condition():
            return
        step.wait(0.02)
    raise AssertionError("it did not happen in time")
