"""The prediction log: whole lines, bounded, and never in the way of an answer."""

from __future__ import annotations

import base64
import json
import os
import threading
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from common.serving import create_app
from common.serving.prediction_log import PATTERN, PredictionLog, read


def test_every_answer_is_a_line(echo: Any, echo_run: Any, tmp_path: Path) -> None:
    picture = base64.b64encode(bytes(3000)).decode()
    with TestClient(create_app(echo.EchoService(), echo_run, prediction_log=tmp_path)) as client:
        one = client.post("/predict", json={"text": "zwei wörter", "picture": picture})
        client.post("/predict/batch", json={"requests": [{"text": "a"}, {"text": "b"}]})
        client.post("/predict", json={})  # refused: nothing was predicted
    records = read(tmp_path)
    assert [record["response"]["text"] for record in records] == ["zwei wörter", "a", "b"]
    assert [record["row"] for record in records] == [0, 0, 1]
    first = records[0]
    assert first["id"] == one.headers["x-request-id"]
    assert first["version"] == echo_run.version == first["response"]["model_version"]
    assert first["request"]["picture"].startswith("sha256:")
    assert first["request"]["weight"] == 0.5  # defaults are written as the model saw them
    assert first["ms"] > 0 and first["time"].endswith("Z")


def test_only_the_pages_own_example_is_left_out(echo: Any, echo_run: Any, tmp_path: Path) -> None:
    example, page = echo.EchoService.example, {"x-example": "1"}
    with TestClient(create_app(echo.EchoService(), echo_run, prediction_log=tmp_path)) as client:
        assert client.post("/predict", json=example, headers=page).status_code == 200
        assert read(tmp_path) == []
        client.post("/predict", json={"text": "a"}, headers=page)  # no way around the log
        client.post("/predict", json=example)
    assert [record["request"]["text"] for record in read(tmp_path)] == ["a", example["text"]]


def test_threads_never_tear_a_line(tmp_path: Path) -> None:
    log = PredictionLog(tmp_path, max_bytes=20_000, max_files=1000)

    def write(writer: int) -> None:
        for number in range(100):
            record = {"request": {"writer": writer, "number": number, "pad": "x" * (number * 7)}}
            assert log.write("id", [record], ms=1.0, version="v") == 0

    threads = [threading.Thread(target=write, args=(writer,)) for writer in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    log.close()
    found = {(r["request"]["writer"], r["request"]["number"]) for r in read(tmp_path)}
    assert found == {(writer, number) for writer in range(6) for number in range(100)}


def test_the_folder_stays_bounded(tmp_path: Path) -> None:
    log = PredictionLog(tmp_path, max_bytes=1_000, max_files=3)
    for number in range(200):
        log.write(str(number), [{"request": {}}], ms=1.0, version="v")
    log.close()
    files = sorted(tmp_path.glob(PATTERN))
    assert len(files) == 3
    assert all(file.stat().st_size <= 1_000 for file in files)
    assert read(tmp_path)[-1]["id"] == "199"


def test_a_torn_line_is_skipped_by_the_reader(tmp_path: Path) -> None:
    log = PredictionLog(tmp_path)
    log.write("whole", [{"request": {}}], ms=1.0, version="v")
    log.close()
    file = next(tmp_path.glob(PATTERN))
    file.write_bytes(file.read_bytes() + b'{"id": "torn')
    assert [record["id"] for record in read(tmp_path)] == ["whole"]


def test_not_a_number_is_written_as_null(tmp_path: Path) -> None:
    log = PredictionLog(tmp_path)
    log.write("id", [{"response": {"score": float("nan")}}], ms=1.0, version="v")
    log.close()
    text = next(tmp_path.glob(PATTERN)).read_text()
    assert json.loads(text, parse_constant=pytest.fail)["response"]["score"] is None


def test_a_failing_disk_does_not_fail_the_answer(
    echo: Any, echo_run: Any, tmp_path: Path, monkeypatch: Any
) -> None:
    with TestClient(create_app(echo.EchoService(), echo_run, prediction_log=tmp_path)) as client:
        write = os.write

        def full(descriptor: int, content: bytes) -> int:
            if content.startswith(b'{"time"'):
                raise OSError(28, "No space left on device")
            return write(descriptor, content)

        monkeypatch.setattr("common.serving.prediction_log.os.write", full)
        assert client.post("/predict", json={"text": "a"}).status_code == 200
        assert "prediction_log_dropped_total 1.0" in client.get("/metrics").text


def test_a_line_that_fits_in_part_is_lost_and_the_next_one_is_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log, write = PredictionLog(tmp_path), os.write
    monkeypatch.setattr("common.serving.prediction_log.os.write", lambda d, c: write(d, c[:9]))
    assert log.write("torn", [{"request": {}}], ms=1.0, version="v") == 1
    monkeypatch.setattr("common.serving.prediction_log.os.write", write)
    assert log.write("whole", [{"request": {}}], ms=1.0, version="v") == 0
    log.close()
    assert [record["id"] for record in read(tmp_path)] == ["whole"]


def test_a_folder_that_cannot_be_written_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ValueError, match="--prediction-log"):
        PredictionLog(tmp_path / "file" / "log")
