"""Several models in one server, over real HTTP: each below its name, the whole in front."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import toy_tasks

from common.serving import several
from common.serving.prediction_log import read
from common.serving.several import SeveralConfig, chosen

ROOT = Path(__file__).resolve().parents[3]
ENVIRONMENT = {
    **os.environ,
    "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tests'}",
    "COLUMNS": "200",
}
SERVE = [sys.executable, "-m", "toy_tasks.serve", "all", "--port", "0"]


class Whole:
    """A server of two toy tasks, and what it printed on starting."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.runs = toy_tasks.save(folder / "runs", "words", "names")
        flags = ["--runs", str(folder / "runs"), "--prediction-log", str(folder / "log")]
        self.process = subprocess.Popen(
            [*SERVE, *flags], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env=ENVIRONMENT, cwd=ROOT,
        )  # fmt: skip
        assert self.process.stdout is not None
        self.said = ""
        while not (found := re.search(r"http://\S+", self.said)):
            line = self.process.stdout.readline()
            assert line, self.process.communicate(timeout=10)[1]
            self.said += line
        self.client = httpx.Client(base_url=found.group(), timeout=10, follow_redirects=True)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Whole]:
    started = Whole(tmp_path_factory.mktemp("several"))
    try:
        for _ in range(200):
            if started.client.get("/readyz").status_code == 200:
                break
            time.sleep(0.05)
        yield started
    finally:
        if started.process.poll() is None:
            started.process.kill()
            started.process.communicate(timeout=10)


def refused(*flags: str) -> str:
    done = subprocess.run(
        [*SERVE, *flags], capture_output=True, text=True, env=ENVIRONMENT, timeout=60, cwd=ROOT
    )
    assert done.returncode == 2 and "Traceback" not in done.stderr, done.stderr
    return done.stderr


def test_each_answers_below_its_name(whole: Whole) -> None:
    words, names = whole.runs
    counted = whole.client.post("/words/predict", json={"text": "one two two"}).json()
    assert (counted["first"], counted["model_version"]) == ("one", words.version)
    found = whole.client.post("/names/predict/batch", json={"requests": [{"text": "Ann"}] * 2})
    assert [answer["spans"][0]["text"] for answer in found.json()["responses"]] == ["Ann", "Ann"]
    assert found.headers["x-model-version"] == names.version
    assert whole.client.get("/words/model").json()["name"] == "toy/words"
    assert whole.client.get("/words/readyz").json()["version"] == words.version
    schema = whole.client.get("/names/openapi.json").json()
    assert schema["servers"] == [{"url": "/names"}] and "/predict" in schema["paths"]
    page = whole.client.get("/words")  # the slash is added
    assert page.url.path == "/words/" and 'id="home">' in page.text
    assert '"/predict' not in page.text and 'href="/' not in page.text  # its links stay below it
    logged = [len(read(whole.folder / "log" / task)) for task in ("words", "names")]
    assert logged == [1, 2]


def test_the_page_in_front_lists_them(whole: Whole) -> None:
    page = whole.client.get("/")
    assert 'href="words/"' in page.text and 'href="names/report"' in page.text
    assert "Finds names: words that begin with a capital letter. &lt;b&gt;" in page.text
    assert whole.runs[0].version in page.text and "{{" not in page.text
    assert "nothing" not in page.text  # it has no run
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert whole.client.head("/").headers["content-length"] == str(len(page.content))


def test_the_whole_is_asked_in_front(whole: Whole) -> None:
    versions = {task: run.version for task, run in zip(("words", "names"), whole.runs, strict=True)}
    assert whole.client.get("/readyz").json() == {"status": "ready", "versions": versions}
    assert whole.client.get("/healthz").json() == {"status": "alive"}
    whole.client.post("/words/predict", json={})
    metrics = whole.client.get("/metrics").text
    assert 'model_errors_total{kind="request",task="words"} 1.0' in metrics
    assert 'model_errors_total{kind="request",task="names"} 0.0' in metrics
    assert f'task="names",version="{versions["names"]}"}} 1.0' in metrics
    assert metrics.count("# HELP http_request_duration_seconds ") == 1
    assert len(re.findall(r"^process_open_fds", metrics, re.MULTILINE)) == 1
    assert "task=" not in whole.client.get("/words/metrics").text


@pytest.mark.parametrize("path", ["/other", "/other/predict", "/words/other", "/wordspredict"])
def test_what_is_not_there_is_404_in_the_one_shape(whole: Whole, path: str) -> None:
    response = whole.client.get(path)
    assert response.status_code == 404
    assert set(response.json()["error"]) == {"field", "value", "message", "remedy"}


def test_it_says_what_it_opened_and_what_that_took(whole: Whole) -> None:
    assert re.search(r"/words/ .* opened in \d+\.\d s, [+-]\d+ MB", whole.said)
    assert re.search(r"toy_tasks on http://\S+ +2 of 3 tasks, \d+\.\d s, \d+ MB", whole.said)
    whole.process.send_signal(signal.SIGTERM)
    out, err = whole.process.communicate(timeout=15)
    assert whole.process.returncode == 0 and "stopped" in out, err
    assert "NOTICE Left out, without a run: nothing" in err.splitlines()[0]


def test_no_run_at_all_is_refused_with_the_remedy(tmp_path: Path) -> None:
    assert "python -m toy_tasks.train words" in refused("--runs", str(tmp_path))


def test_a_task_that_is_named_must_be_there(tmp_path: Path) -> None:
    toy_tasks.save(tmp_path, "words")
    at = ("--runs", str(tmp_path))
    assert "toy/nothing" in refused(*at, "--tasks", "words,nothing")


def test_one_task_is_served_as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[tuple[object, ...]] = []
    monkeypatch.setattr(several, "run_task", lambda *words, **named: ran.append((*words, named)))
    monkeypatch.setattr(sys, "argv", ["serve", "names", "--port", "0"])
    several.serve_task("toy_tasks", toy_tasks.TASKS, "words")
    assert ran == [("toy_tasks", toy_tasks.TASKS, "words", {"command": "serve"})]


@pytest.mark.parametrize(
    ("config", "told"),
    [
        ({"tasks": "other"}, "'other' is not known; give --tasks one of words, names"),
        ({"run": "20260101-1"}, "give --run one of latest, production"),
    ],
)
def test_flags_that_fit_no_task_are_refused(config: dict[str, str], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        chosen("toy_tasks", toy_tasks.TASKS, SeveralConfig(**config))


def test_a_broken_run_is_not_left_out(tmp_path: Path) -> None:
    words, _ = toy_tasks.save(tmp_path, "words", "names")
    (words.pipeline / "weights.txt").write_text("changed")
    assert "sha256" in refused("--runs", str(tmp_path))
