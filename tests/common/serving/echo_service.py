"""A small service for the tests of serving, and a serve command around it.

Run as `python echo_service.py --runs FOLDER --port 0`, it is what a pattern's `serve.py` is.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Annotated, Any, Literal

from pydantic import Field

from common import artifacts
from common.evaluation.report import Report, Row, Table
from common.serving import (
    ImageBase64,
    RequestError,
    Service,
    ServiceRequest,
    ServiceResponse,
    serve_main,
    shown,
)
from common.timing import StageTimes

UNKNOWN = "nobody"


class EchoRequest(ServiceRequest):
    text: Annotated[str, shown("search")] = Field(
        min_length=1, max_length=2000, description="what to say"
    )
    times: int = Field(default=1, ge=1, le=10)
    weight: float = 0.5
    loud: bool = False
    language: Literal["en", "de", "日本語"] = "en"
    tags: list[str] = []
    picture: ImageBase64 | None = None
    wait_seconds: float = Field(default=0.0, ge=0.0, le=5.0)


class Word(ServiceRequest):
    word: str
    score: float


class EchoResponse(ServiceResponse):
    text: str
    words: list[Word]
    batch_size: int


class EchoService(Service):
    """Says again what it was told, word by word."""

    name = "echo"
    Request = EchoRequest
    Response = EchoResponse
    example = {"text": "hello wörld 🎬", "times": 2}
    max_batch = 8

    def __init__(self, *, warm_up_seconds: float = 0.0) -> None:
        self.warm_up_seconds = warm_up_seconds
        self.calls = 0
        self.keeps_state = bool(os.environ.get("ECHO_STATE"))  # type: ignore[misc]

    def warm_up(self) -> None:
        time.sleep(self.warm_up_seconds)
        if os.environ.get("ECHO_BROKEN"):
            raise RuntimeError("the model is broken")
        super().warm_up()

    def predict(self, requests: list[EchoRequest]) -> list[EchoResponse]:
        self.calls += 1
        stages = StageTimes()
        with stages("echo"):
            texts = [self._say(row, request) for row, request in enumerate(requests)]
        return [
            EchoResponse(
                text=text,
                words=[Word(word=word, score=request.weight) for word in text.split()],
                batch_size=len(requests),
                stage_ms=stages.milliseconds,
            )
            for text, request in zip(texts, requests, strict=True)
        ]

    def _say(self, row: int, request: EchoRequest) -> str:
        time.sleep(request.wait_seconds)
        if request.text == UNKNOWN:
            raise RequestError(
                "text", request.text, "nobody of this name", "say a known name", status=404, row=row
            )
        if request.text == "crash":
            raise ValueError("a bug, with a secret in its message")
        text = " ".join([request.text] * request.times)
        return text.upper() if request.loud else text


class EchoPipeline:
    def save(self, folder: Path) -> None:
        (folder / "words.txt").write_text("hello\n", encoding="utf-8")


def save_run(runs: Path) -> artifacts.Run:
    """Write a real artifact named `echo` and open it."""
    source = SimpleNamespace(
        name="simulated-echo",
        origin="simulated",
        title="Echoes",
        licence="CC0",
        rows="3 words, 2 speakers",
        checksums={},
        notice=None,
    )
    report = Report("echo", source, notices=["simulated data </script><b>&"])
    rows = (
        Row("silence", {"accuracy": 0.1, "p99 ms": 0.5}, baseline=True),
        Row("echo", {"accuracy": 0.99, "p99 ms": 1.5}),
    )
    report.tables.append(Table("echo", ("accuracy", "p99 ms"), rows))
    report.served, report.metric = "echo", "accuracy"
    config: Any = make_config(runs)
    path = artifacts.save(EchoPipeline(), report, config, name="echo")
    return artifacts.open_run(path, name="echo", runs=runs)


def make_config(runs: Path) -> Any:
    from common.config import RunConfig

    return RunConfig(runs=runs)


def make_service(run: artifacts.Run) -> EchoService:
    assert (run.pipeline / "words.txt").is_file()
    return EchoService(warm_up_seconds=float(os.environ.get("ECHO_WARM_UP", "0")))


if __name__ == "__main__":
    serve_main(make_service, "echo")
