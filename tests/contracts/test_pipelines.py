"""What holds for every pipeline, whatever its field."""

import json
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from contracts.cases import CASES, Case, ask, strip
from fastapi.testclient import TestClient

from common.artifacts import Run, open_run
from common.serving import create_app


def only(condition: Callable[[Case], bool]) -> pytest.MarkDecorator:
    """Run a test on the pipelines that have what it tests."""
    chosen = [case for case in CASES if condition(case)]
    return pytest.mark.parametrize("case", chosen, ids=[case.key for case in chosen], indirect=True)


def untimed(values: dict[str, Any]) -> dict[str, Any]:
    return {column: value for column, value in values.items() if not column.endswith(" ms")}


def assert_alike(left: Any, right: Any) -> None:
    """Compare answers; numbers may differ by the rounding of another batch shape."""
    if isinstance(left, dict):
        assert left.keys() == right.keys()
        for key in left:
            assert_alike(left[key], right[key])
    elif isinstance(left, list):
        assert len(left) == len(right)
        for a, b in zip(left, right, strict=True):
            assert_alike(a, b)
    elif isinstance(left, float) and isinstance(right, int | float):
        assert np.isclose(left, right, rtol=1e-4, atol=1e-5)
    else:
        assert left == right


def test_the_artifact_is_whole(case: Case, trained: Run) -> None:
    manifest = trained.manifest
    assert manifest["name"] == case.name
    assert manifest["dataset"]["origin"] in ("simulated", "bundled")
    assert {"config", "seed", "versions", "metrics", "files"} <= manifest.keys()
    assert {"metrics.json", "report.html", "profile.json"} <= manifest["files"].keys()
    html = (trained.path / "report.html").read_text(encoding="utf-8")
    assert 'src="http' not in html and "data:image/png;base64," in html


def test_the_report_leads_with_the_baseline(case: Case, trained: Run) -> None:
    metrics = json.loads((trained.path / "metrics.json").read_text(encoding="utf-8"))
    first = metrics["tables"][0]
    assert first["rows"][0]["baseline"] and len(first["rows"]) >= 2
    intervals = [v for row in first["rows"] for v in row["values"].values() if isinstance(v, dict)]
    assert intervals and all(each["low"] <= each["high"] for each in intervals)
    assert metrics["latency"] and len(metrics["figures"]) >= 2


def test_no_pickle(case: Case, trained: Run) -> None:
    for path in trained.path.rglob("*"):
        if path.is_file():
            start = path.read_bytes()[:4096]
            assert not start.startswith(b"\x80\x04") and not start.startswith(b"\x80\x05"), path
            assert b"data.pkl" not in start, path


def test_what_was_loaded_answers_as_what_was_fitted(
    case: Case, trained: Run, smoke_record: Callable[[str], dict[str, Any]]
) -> None:
    fitted = smoke_record(case.key)
    payloads = case.requests(case.open(trained))
    assert payloads == fitted["requests"]
    assert_alike(ask(case.open(trained), payloads), fitted["answers"])


def test_saved_again_it_answers_alike(case: Case, trained: Run, tmp_path: Path) -> None:
    pipeline = import_module(f"{case.package}.pipeline").Pipeline
    (tmp_path / "pipeline").mkdir()
    pipeline.load(trained.pipeline).save(tmp_path / "pipeline")
    again = Run(tmp_path, trained.manifest)
    payloads = case.requests(case.open(trained))
    assert_alike(ask(case.open(again), payloads), ask(case.open(trained), payloads))


def test_batch_equals_single(case: Case, trained: Run) -> None:
    batch, single = case.open(trained), case.open(trained)
    payloads = case.requests(single)
    assert_alike(ask(batch, payloads), [ask(single, [payload])[0] for payload in payloads])


def test_http_equals_pipeline(case: Case, trained: Run) -> None:
    direct = case.open(trained)
    payloads = case.requests(direct)
    with TestClient(create_app(case.open(trained), trained)) as client:
        answers = [client.post("/predict", json=payload) for payload in payloads]
    assert [answer.status_code for answer in answers] == [200] * len(payloads)
    assert all(answer.json()["model_version"] == trained.version for answer in answers)
    expected = [ask(direct, [payload])[0] for payload in payloads]
    assert_alike([strip(answer.json()) for answer in answers], expected)


def test_what_is_wrong_is_refused_with_a_message(case: Case, trained: Run) -> None:
    service = case.open(trained)
    with TestClient(create_app(service, trained)) as client:
        for change in case.refused:
            answer = client.post("/predict", json=service.example | change)
            assert 400 <= answer.status_code < 500, (change, answer.text)
            assert answer.json()["error"]["message"] and answer.json()["error"]["remedy"]
        assert client.post("/predict", json={}).status_code == case.nothing
        empty = client.post("/predict/batch", json={"requests": []})
        assert empty.status_code == 200 and empty.json() == {"responses": []}
        assert client.post("/predict", json=service.example).status_code == 200


@only(lambda case: case.k_beyond is not None)
def test_more_than_there_is_gives_what_there_is(case: Case, trained: Run) -> None:
    assert case.k_beyond is not None
    service = case.open(trained)
    (answer,) = ask(service, [service.example | case.k_beyond])
    (shorter,) = ask(case.open(trained), [service.example])
    (many,) = [value for value in answer.values() if isinstance(value, list)][:1]
    (few,) = [value for value in shorter.values() if isinstance(value, list)][:1]
    assert len(few) < len(many) < case.k_beyond["k"]


@only(lambda case: case.unknown is not None)
def test_an_unknown_id_is_answered_as_documented(case: Case, trained: Run) -> None:
    assert case.unknown is not None
    service = case.open(trained)
    known, unknown = ask(service, [service.example, service.example | case.unknown])
    assert all(known[field] for field in case.known_by)
    assert not any(unknown[field] for field in case.known_by)
    assert unknown[case.answered_by]


def test_a_changed_byte_refuses_to_load(case: Case, trained: Run, tmp_path: Path) -> None:
    import shutil

    copy = tmp_path / trained.path.name
    shutil.copytree(trained.path, copy)
    largest = max((copy / "pipeline").rglob("*"), key=lambda path: path.stat().st_size)
    content = bytearray(largest.read_bytes())
    content[len(content) // 2] ^= 1
    largest.write_bytes(content)
    with pytest.raises(ValueError, match="sha256"):
        open_run(copy, name=case.name)


@pytest.mark.slow
def test_the_same_seed_gives_the_identical_report(case: Case, trained: Run, tmp_path: Path) -> None:
    again = open_run(case.train(tmp_path)["run"], name=case.name)
    reports = [
        json.loads((run.path / "metrics.json").read_text(encoding="utf-8"))
        for run in (trained, again)
    ]
    for report in reports:
        del report["latency"]
        for table in report["tables"]:
            for row in table["rows"]:  # times are the one thing that may differ
                row["values"] = untimed(row["values"])
    assert reports[0] == reports[1]
    metrics = [run.manifest["metrics"] for run in (trained, again)]
    left, right = ({name: untimed(row) for name, row in rows.items()} for rows in metrics)
    assert left == right
