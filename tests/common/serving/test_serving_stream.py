"""Answers sent while they are made: over real HTTP, and each way in which one can end early."""

from __future__ import annotations

import json
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi.testclient import TestClient
from serving_here import serving

from common.serving import create_app
from common.serving.prediction_log import read

WORDS = "once upon a time there was a wörd 🎬\n\nthe end"
Event = tuple[str, dict[str, Any]]


def events(text: str) -> list[Event]:
    """Read server-sent events as a browser would: lines of a name and of data, an empty one."""
    found = []
    for block in text.removesuffix("\n\n").split("\n\n"):
        name, data = block.split("\n")
        assert name.startswith("event: ") and data.startswith("data: ")
        found.append((name[7:], json.loads(data[6:])))
    return found


def ask(client: Any, text: str, **more: Any) -> list[Event]:
    response = client.post("/predict/stream", json={"text": text, **more})
    assert response.status_code == 200, response.text
    assert response.headers["content-type"].startswith("text/event-stream")
    return events(response.text)


def sample(text: str, name: str) -> float:
    return next(float(line.split()[-1]) for line in text.splitlines() if line.startswith(name))


def errors(client: Any, kind: str) -> float:
    return sample(client.get("/metrics").text, f'model_errors_total{{kind="{kind}"}}')


def wait_until(true: Any, seconds: float = 10.0) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it never became true"
        time.sleep(0.02)


@pytest.fixture
def story(load_script: Any) -> Any:
    return load_script("story_service").StoryService()


@pytest.fixture
def client(story: Any, echo_run: Any, tmp_path: Path) -> Iterator[Any]:
    app = create_app(story, echo_run, prediction_log=tmp_path)
    with TestClient(app, raise_server_exceptions=False) as testing:
        yield testing


@pytest.fixture(scope="module")
def server(running: Any, runs: Path) -> Iterator[str]:
    """Give the address of a process with one thread, no queue, and a second for a stream."""
    flags = ("--queue-limit", "0", "--stream-seconds", "2")
    with running(runs, *flags, script="story_service") as (_, url):
        running.ready(url)
        yield url


def test_the_pieces_are_the_response(client: Any, echo_run: Any) -> None:
    *pieces, last = ask(client, WORDS)
    assert [name for name, _ in pieces] == ["piece"] * len(WORDS.split(" "))
    assert "".join(piece["text"] for _, piece in pieces) == WORDS
    name, answer = last
    assert (name, answer["text"], answer["model_version"]) == ("response", WORDS, echo_run.version)
    assert answer["stage_ms"] == {"tell": 1.0}


def test_it_is_measured_and_logged_once_and_whole(client: Any, story: Any, tmp_path: Path) -> None:
    ask(client, WORDS)
    ask(client, story.example["text"])
    metrics = client.get("/metrics").text
    assert sample(metrics, "model_predictions_total") == 2
    assert sample(metrics, "model_first_piece_seconds_count") == 2
    assert sample(metrics, 'model_stage_seconds_count{stage="tell"}') == 2
    texts = [record["response"]["text"] for record in read(tmp_path)]
    assert texts == [WORDS, story.example["text"]]
    client.post("/predict/stream", json=story.example, headers={"x-example": "1"})
    assert len(read(tmp_path)) == 2  # the page's own


@pytest.mark.parametrize(
    ("text", "kind", "field"),
    [("go on refuse x", "request", "text"), ("a crash", "internal", None)],
)
def test_an_error_midway_is_the_last_event(
    client: Any, story: Any, tmp_path: Path, text: str, kind: str, field: str | None
) -> None:
    *pieces, (name, content) = ask(client, text)
    assert [each for each, _ in pieces] == ["piece"] * (2 if field else 1) and name == "error"
    assert content["error"]["field"] == field and content["error"]["remedy"]
    assert "secret" not in json.dumps(content) and ("id" in content["error"]) == (not field)
    assert errors(client, kind) == 1 and errors(client, "gone") == 0
    assert read(tmp_path) == [] and story.closed == 1  # it had its `finally`


def test_what_is_wrong_before_the_first_piece_has_a_status(client: Any) -> None:
    refused = client.post("/predict/stream", json={"text": "refuse"})
    assert refused.status_code == 422 and refused.json()["error"]["field"] == "text"
    assert client.post("/predict/stream", json={"text": "crash"}).status_code == 500
    assert client.post("/predict/stream", json={"text": 1}).status_code == 422
    assert client.post("/predict/stream", content=b"{").status_code == 415
    assert client.head("/predict/stream").status_code == 405
    assert client.get("/predict/stream").json()["error"]["remedy"] == "use POST"


def test_a_service_that_does_not_stream_says_so(echo: Any, echo_run: Any) -> None:
    with TestClient(create_app(echo.EchoService(), echo_run)) as client:
        response = client.post("/predict/stream", json={"text": "a"})
        assert response.status_code == 404
        assert response.json()["error"]["remedy"] == "send the same body to /predict"
        assert "/predict/stream" not in client.get("/openapi.json").json()["paths"]


def test_openapi_describes_the_events(client: Any) -> None:
    operation = client.get("/openapi.json").json()["paths"]["/predict/stream"]["post"]
    assert operation["responses"]["200"]["content"] == {"text/event-stream": {}}
    assert "StoryRequest" in json.dumps(operation["requestBody"])


def test_pieces_arrive_while_the_rest_is_made(server: str) -> None:
    start, arrived, text = time.monotonic(), [], ""
    body = {"text": "a b c d e f", "pause": 0.1}
    with httpx.stream("POST", f"{server}/predict/stream", json=body, timeout=10) as response:
        for part in response.iter_text():
            arrived += [time.monotonic() - start] * part.count("event: ")
            text += part
    assert events(text)[-1][1]["text"] == "a b c d e f"
    assert len(arrived) == 7 and arrived[0] < 0.4 and arrived[-1] - arrived[0] > 0.35


def test_a_caller_who_goes_away_frees_the_thread(server: str) -> None:
    gone = errors(httpx.Client(base_url=server), "gone")
    body = {"text": "word " * 1000, "pause": 0.02}  # 20 seconds
    with httpx.stream("POST", f"{server}/predict/stream", json=body, timeout=10) as response:
        next(response.iter_text())
    client = httpx.Client(base_url=server, timeout=10)
    wait_until(lambda: errors(client, "gone") == gone + 1, seconds=1.5)  # sooner than its deadline
    wait_until(lambda: client.post("/predict", json={"text": "next"}).status_code == 200, 1.0)


def test_who_leaves_the_queue_is_not_answered(story: Any, echo_run: Any) -> None:
    body = {"text": "a b c d e f g h", "pause": 0.1}
    with serving(story, echo_run) as (url, _), httpx.Client(base_url=url, timeout=10) as client:
        first = threading.Thread(target=ask, args=(client, body["text"]), kwargs={"pause": 0.1})
        first.start()
        wait_until(lambda: sample(client.get("/metrics").text, "http_requests_in_flight") == 2)
        with pytest.raises(httpx.ReadTimeout):
            httpx.post(f"{url}/predict/stream", json=body, timeout=0.1)
        wait_until(lambda: errors(client, "gone") == 1, seconds=0.5)  # the first is still told
        assert first.is_alive()
        first.join()
        assert client.post("/predict", json={"text": "next"}).status_code == 200
        assert story.closed == 1  # the other was never begun
        labels = 'method="POST",route="/predict/stream",status="499"'
        left = f"http_request_duration_seconds_count{{{labels}}}"
        assert sample(client.get("/metrics").text, left) == 1


def test_a_stream_takes_a_place_in_the_queue_and_ends_at_its_deadline(server: str) -> None:
    found: list[Event] = []
    client = httpx.Client(base_url=server, timeout=20)

    def long() -> None:
        found.extend(ask(client, "word " * 1000, pause=0.05))

    slow = errors(client, "slow")
    thread = threading.Thread(target=long)
    thread.start()
    wait_until(lambda: sample(client.get("/metrics").text, "http_requests_in_flight") == 2)
    for route in ("/predict", "/predict/stream"):
        busy = client.post(route, json={"text": "a"})
        assert busy.status_code == 503 and busy.headers["retry-after"] == "1", route
    assert client.get("/healthz").status_code == 200
    thread.join()
    name, content = found[-1]
    assert name == "error" and "longer than 2 s" in content["error"]["message"]
    assert "--stream-seconds" in content["error"]["remedy"]
    assert 10 < len(found) < 60 and errors(client, "slow") == slow + 1


def test_a_server_that_is_stopped_ends_its_streams(running: Any, runs: Path) -> None:
    found: list[Event] = []
    with running(runs, script="story_service") as (process, url):
        running.ready(url)
        client = httpx.Client(base_url=url, timeout=20)
        asking = threading.Thread(
            target=lambda: found.extend(ask(client, "a b c d e f g h", pause=0.1))
        )
        asking.start()
        wait_until(lambda: sample(httpx.get(f"{url}/metrics").text, "http_requests_in_flight") == 2)
        process.send_signal(signal.SIGTERM)
        asking.join()
        process.communicate(timeout=10)
    assert found[-1][0] == "response" and len(found) == 9
    assert process.returncode == 0
