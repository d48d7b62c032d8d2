"""Whatever the body, the answer is a 200 or a well-formed 4xx, never a 500."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

FIELDS = ["text", "times", "weight", "loud", "language", "tags", "picture", "requests", "é", ""]
scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=30)
    | st.sampled_from(["", "en", "nobody", "NaN", "\x00", "9" * 40])
)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(FIELDS) | st.text(max_size=5), inner, max_size=4)
    ),
    max_leaves=12,
)
rows = st.fixed_dictionaries(
    {"text": st.text(max_size=20) | scalars},
    optional={name: values for name in FIELDS[1:-2]},
)
limits = settings(
    max_examples=150,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@pytest.fixture(scope="module")
def shared_client(echo: Any, echo_run: Any) -> Iterator[Any]:
    from fastapi.testclient import TestClient

    from common.serving import create_app

    with TestClient(create_app(echo.EchoService(), echo_run)) as client:
        yield client


def check(client: Any, path: str, body: bytes) -> None:
    response = client.post(path, content=body, headers={"content-type": "application/json"})
    content = json.loads(response.content, parse_constant=pytest.fail)
    if response.status_code == 200:
        return
    assert response.status_code in (400, 404, 413, 422), response.text
    assert {"field", "value", "message", "remedy"} <= set(content["error"])


@limits
@given(content=rows | values)
def test_any_json_at_predict(shared_client: Any, content: Any) -> None:
    body = json.dumps(content).encode("utf-8", "surrogatepass")
    if isinstance(content, dict) and content.get("text") == "crash":
        return
    check(shared_client, "/predict", body)


@limits
@given(content=st.fixed_dictionaries({"requests": st.lists(rows, max_size=10) | values}) | values)
def test_any_json_at_batch(shared_client: Any, content: Any) -> None:
    check(shared_client, "/predict/batch", json.dumps(content).encode("utf-8", "surrogatepass"))


@limits
@given(body=st.binary(max_size=200))
def test_any_bytes(shared_client: Any, body: bytes) -> None:
    check(shared_client, "/predict", body)
    check(shared_client, "/predict/batch", body)


@limits
@given(text=st.text(min_size=1, max_size=50))
def test_any_text_comes_back_unchanged(shared_client: Any, text: str) -> None:
    if text in ("nobody", "crash"):
        return
    answer = shared_client.post("/predict", json={"text": text}).json()
    assert answer["text"] == text
