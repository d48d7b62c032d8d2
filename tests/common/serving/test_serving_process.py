"""A real server process: start, readiness, SIGTERM with a request in flight, clear refusals."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from common import artifacts

SCRIPT = Path(__file__).with_name("echo_service.py")
ROOT = Path(__file__).resolve().parents[3]


def refused(runs: Path, *flags: str) -> str:
    """Run a command that must end with code 2 and one message: a line, or the parser's box."""
    done = subprocess.run(
        [sys.executable, str(SCRIPT), "--runs", str(runs), *flags],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "200"},
        timeout=60,
        cwd=ROOT,
    )
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1 or lines[0].startswith("╭"), done.stderr
    return done.stderr


def test_start_predict_and_sigterm_with_a_request_in_flight(runs: Path, running: Any) -> None:
    answers: list[httpx.Response] = []
    with running(runs, ECHO_WARM_UP="0.7") as (process, url):
        assert url.startswith("http://127.0.0.1:")
        assert set(running.ready(url)) == {503, 200}  # alive before it was warm
        body = {"text": "slow", "wait_seconds": 1.0}
        slow = threading.Thread(
            target=lambda: answers.append(httpx.post(f"{url}/predict", json=body, timeout=10))
        )
        slow.start()
        wait_until_in_flight(url)
        process.send_signal(signal.SIGTERM)
        slow.join(timeout=10)
        out, err = process.communicate(timeout=10)
    assert answers[0].status_code == 200
    assert answers[0].json()["text"] == "slow"
    assert process.returncode == 0, err
    assert "stopped" in out
    lines = [json.loads(line) for line in err.splitlines()]
    served = [line for line in lines if line.get("route") == "/predict"]
    assert [(line["status"], line["rows"]) for line in served] == [(200, 1)]
    assert served[0]["id"] == answers[0].headers["x-request-id"]
    assert served[0]["ms"] >= served[0]["predict_ms"] >= 1000


def wait_until_in_flight(url: str) -> None:
    for _ in range(200):
        text = httpx.get(f"{url}/metrics").text
        if "http_requests_in_flight 2.0" in text:  # the slow one and this one
            return
        time.sleep(0.02)
    raise AssertionError("the slow request never arrived")


def test_a_large_body_is_answered_over_a_real_socket(runs: Path, running: Any) -> None:
    with running(runs, "--max-body-mb", "2") as (_, url):
        running.ready(url)
        response = httpx.post(f"{url}/predict", json={"text": "x" * 14_000_000})
        assert response.status_code == 413
        assert response.json()["error"]["field"] == "body"
        assert httpx.post(f"{url}/predict", json={"text": "y"}).status_code == 200
        assert int(httpx.head(f"{url}/").headers["content-length"]) > 1000


def test_a_model_that_cannot_warm_up_ends_the_server(runs: Path, running: Any) -> None:
    with running(runs, ECHO_BROKEN="1") as (process, _):
        err = process.communicate(timeout=20)[1]
    assert process.returncode == 2
    assert "warm-up failed: RuntimeError: the model is broken" in err.splitlines()[-1]


def test_a_port_in_use_is_one_clear_line(runs: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        line = refused(runs, "--port", str(taken.getsockname()[1]))
    assert "--port" in line and "in use" in line


def test_a_tampered_artifact_is_refused(echo: Any, tmp_path: Path) -> None:
    run = echo.save_run(tmp_path)
    words = run.pipeline / "words.txt"
    words.write_text("jello\n")
    line = refused(tmp_path, "--port", "0")
    assert "words.txt" in line and "sha256" in line


@pytest.mark.parametrize(
    ("flags", "named"),
    [
        (("--run", "production"), "production"),
        (("--run", "no-such-run"), "no-such-run"),
        (("--port", "70000"), "--port"),
        (("--concurrency", "0"), "--concurrency"),
    ],
)
def test_what_cannot_be_served_is_refused(runs: Path, flags: tuple[str, ...], named: str) -> None:
    assert named in refused(runs, *flags)


def test_a_service_that_learns_from_requests_does_not_follow(runs: Path, monkeypatch: Any) -> None:
    monkeypatch.setenv("ECHO_STATE", "1")
    assert "follow_seconds: echo keeps" in refused(runs, "--follow-seconds", "1", "--port", "0")


def test_a_log_inside_the_run_is_refused(runs: Path, echo_run: Any) -> None:
    assert "outside" in refused(runs, "--prediction-log", str(echo_run.path / "log"))


def test_a_newer_run_is_served_without_losing_a_request(
    echo: Any, tmp_path: Path, running: Any
) -> None:
    first = echo.save_run(tmp_path)
    answers: list[tuple[int, str]] = []
    stop = threading.Event()

    def ask(url: str) -> None:
        with httpx.Client(base_url=url, timeout=10) as client:
            while not stop.is_set():
                response = client.post("/predict", json={"text": "x", "wait_seconds": 0.01})
                answers.append((response.status_code, response.json()["model_version"]))

    with running(tmp_path, "--follow-seconds", "0.1") as (_, url):
        running.ready(url)
        asking = threading.Thread(target=ask, args=(url,))
        asking.start()
        try:
            second = echo.save_run(tmp_path)
            wait_until(lambda: httpx.get(f"{url}/model").json()["version"] == second.version)
            broken = echo.save_run(tmp_path / "aside").path
            (broken / "pipeline" / "words.txt").write_text("changed\n", encoding="utf-8")
            moved = broken.rename(second.path.parent / broken.name)
            artifacts.point("latest", moved)
            refused = 'model_reloads_total{outcome="refused"}'
            wait_until(lambda: sample(url, refused) >= 1.0)
            assert httpx.get(f"{url}/readyz").json()["version"] == second.version
        finally:
            stop.set()
            asking.join()
        assert f'version="{second.version}"' in httpx.get(f"{url}/metrics").text
    assert {status for status, _ in answers} == {200}
    versions = [version for _, version in answers]
    assert set(versions) <= {first.version, second.version} and versions[-1] == second.version


def wait_until(true: Any, *, seconds: float = 15.0) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if true():
            return
        time.sleep(0.05)
    raise AssertionError("it never became true")


def sample(url: str, name: str) -> float:
    lines = httpx.get(f"{url}/metrics").text.splitlines()
    return next(float(line.split()[-1]) for line in lines if line.startswith(name))
