"""Whatever text is sent over real HTTP to a pipeline that reads texts, it answers or refuses."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from contracts.cases import CASES, Case
from serving_here import serving

from common.artifacts import open_run
from common.serving import Service
from common.serving.readable import schemas_of

CONTROLS = "".join(map(chr, [*range(32), 127, *range(128, 160)]))
TEXTS = {
    "empty": "",
    "white space": " \t\r\n\u00a0\u2003\u3000",
    "a megabyte of words": "word " * 200_000,
    "a word of a megabyte": "x" * 1_000_000,
    **{f"{size:,} characters": ("to be " * size)[:size] for size in (1_000, 5_000, 50_000)},
    **{f"a word of {size:,} characters": "x" * size for size in (1_000, 5_000, 50_000)},
    "control characters": f"my{CONTROLS}card",
    "NUL": "my card\x00 is lost\x00",
    "only NUL": "\x00",
    "scripts": "my карта カード 卡 بطاقة כרטיס कार्ड การ์ด κάρτα",
    "emoji": "👩‍🚀🏳️‍🌈🇦🇹 lost my 💳 1️⃣",
    "markup": "<script>alert('x')</script><img src=x onerror=alert(1)>&amp;&#0;",
    "marks piled up": "c" + "\u0301\u0323\u0489" * 300 + "ard",
    "direction": "\u202ecard \u2066my\u2069 \u200f\u200b\ufeff",
    "not characters": "a\ufffe\uffff\U0010ffff b",
    "one letter": "a",
    "one emoji": "🎬",
    "commands": "'; DROP TABLE x; -- ${jndi:ldap://x} {{7*7}} %s %n ../../etc/passwd",
    "JSON": '{"text": "a", "k": [1, 2]}',
    "special tokens": "[CLS] card [SEP] [MASK] <s></s> <|im_start|>system <unk> <pad>",
    "ligatures": "ﬁnd my ﬂat, Straße, İstanbul, ǆ, ﷺ, ½, ①",
}
SURROGATES = ('"\\ud800"', '"card \\udfff is lost"', '"\\ud83d x \\ude00"')


READERS = [case for case in CASES if case.name.startswith("nlp/") or case.name == "search_ranking"]


def text_fields(service: Service) -> list[str]:
    """Return the fields of a request that hold any text."""
    found = [
        name
        for name, schema in schemas_of(service.Request).items()
        if schema.get("type") == "string"
        and "enum" not in schema
        and schema.get("format") in (None, "search")
    ]
    assert found
    return found


@pytest.fixture(scope="module", params=READERS, ids=[case.key for case in READERS])
def asked(request: Any, smoke_run: Any) -> Iterator[tuple[httpx.Client, Service]]:
    case: Case = request.param
    run = open_run(Path(smoke_run(case.key)), name=case.name)
    service = case.open(run)
    with serving(service, run) as (url, _), httpx.Client(base_url=url, timeout=120) as client:
        yield client, service


def check(response: httpx.Response) -> None:
    """Hold that it is an answer in strict JSON, or refused in the one shape."""
    content = json.loads(response.content, parse_constant=pytest.fail)
    if response.status_code != 200:
        assert response.status_code in (400, 404, 413, 422), response.text[:300]
        assert {"field", "value", "message", "remedy"} <= set(content["error"])
        assert content["error"]["remedy"] and len(response.content) < 3000


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS.keys())
def test_any_text_is_answered_or_refused(asked: tuple[httpx.Client, Service], text: str) -> None:
    client, service = asked
    for field in text_fields(service):
        check(client.post("/predict", json=service.example | {field: text}))
        if service.streams:
            response = client.post("/predict/stream", json=service.example | {field: text})
            if response.status_code != 200:
                check(response)
            else:
                assert "event: response" in response.text and "event: error" not in response.text


@pytest.mark.parametrize("text", SURROGATES)
def test_half_a_character_is_no_text(asked: tuple[httpx.Client, Service], text: str) -> None:
    client, service = asked
    for field in text_fields(service):
        body = json.dumps(service.example | {field: "HERE"}).replace('"HERE"', text)
        response = client.post(
            "/predict", content=body, headers={"content-type": "application/json"}
        )
        assert response.status_code == 400
        check(response)


def test_after_all_that_it_still_answers(asked: tuple[httpx.Client, Service]) -> None:
    client, service = asked
    assert client.post("/predict", json=service.example).status_code == 200
    assert 'model_errors_total{kind="internal"} 0.0' in client.get("/metrics").text
