"""The service: state that moves forward, retries, confirmed labels, what is refused."""

from datetime import timedelta

import numpy as np
import pytest
from fastapi.testclient import TestClient

from common import artifacts
from common.serving import RequestError, create_app
from patterns.fraud.entities.answers import Answers
from patterns.fraud.entities.identifiers import Identifiers
from patterns.fraud.serve import FraudService


@pytest.fixture(scope="module")
def run(smoke_run):
    return artifacts.open_run(smoke_run("fraud"), name="fraud")


@pytest.fixture
def service(run):
    return FraudService(run)


def ask(service, **changes):
    request = service.Request.model_validate({**service.example, "record": True, **changes})
    return service.predict([request])[0]


def test_service_scores_a_known_customer_with_reasons(service):
    answer = ask(service, amount=950.0)
    assert answer.known_customer and answer.known_terminal and answer.fallback is None
    assert 0 <= answer.score <= 1 and answer.reasons
    assert answer.decision in ("approve", "decline")
    assert any(reason.code == "AMOUNT_LIMIT" for reason in answer.reasons)


def test_service_scores_an_unknown_customer_and_then_knows_it(service):
    first = ask(service, customer_id=10**6, terminal_id=10**6, amount=20.0)
    assert not first.known_customer and not first.known_terminal
    again = ask(service, customer_id=10**6, terminal_id=10**6, amount=20.0)
    assert again.known_customer and again.known_terminal


def test_retry_gets_the_same_answer_and_what_if_leaves_no_trace(service):
    calm = ask(service, amount=5.0, record=False)
    first = ask(service, amount=5.0, transaction_id=10**7)
    assert first.score == calm.score
    assert ask(service, amount=5.0, transaction_id=10**7) == first  # a retry
    with pytest.raises(ValueError, match="another payment had this id"):
        ask(service, amount=6.0, transaction_id=10**7)
    count = service.pipeline.features.names.index("customer_count_1h")
    customer = service._payment(service.Request.model_validate(service.example), 0)
    before = service.pipeline.stream_.peek(customer)[count]
    ask(service, amount=5.0, transaction_id=10**7)  # a retry counts once
    ask(service, amount=5.0, record=False)
    assert service.pipeline.stream_.peek(customer)[count] == before


def test_the_example_of_the_page_changes_nothing(service):
    before = service.next_id, service.pipeline.stream_.latest_time()
    service.predict([service.Request.model_validate(service.example)])
    assert (service.next_id, service.pipeline.stream_.latest_time()) == before
    ask(service, amount=5.0)
    assert service.next_id == before[0] + 1


def test_confirmed_frauds_raise_the_risk_of_their_terminal(service):
    start = service.clock.moment(service.pipeline.stream_.latest_time())
    shop = {"terminal_id": 10**6, "amount": 20.0}
    for number in range(3):
        when = (start + timedelta(minutes=number + 1)).isoformat()
        ask(service, **shop, customer_id=10**6, transaction_id=10**7 + number, time=when)
    later = {**shop, "customer_id": 10**6, "time": (start + timedelta(days=8)).isoformat()}
    before = ask(service, **later)
    known = [{"transaction_id": 10**7 + i, "terminal_id": 10**6} for i in range(3)]
    ask(service, **later, confirmed=known, record=False)  # a what-if changes nothing
    assert ask(service, **later, record=False).score <= before.score * 1.5
    after = ask(service, **later, confirmed=known)
    assert after.score > 3 * before.score
    assert any(reason.code == "TERMINAL_RISK" for reason in after.reasons)


def test_nothing_of_a_refused_batch_counts(service):
    sound = {**service.example, "record": True}
    wrong = {**sound, "confirmed": [{"transaction_id": 5, "terminal_id": "abc"}]}
    requests = [service.Request.model_validate(each) for each in (sound, wrong)]
    payment = service._payment(requests[0], 0)
    before = service.pipeline.stream_.peek(payment)
    with pytest.raises(RequestError) as refused:
        service.predict(requests)
    assert refused.value.row == 1 and refused.value.field == "confirmed[0].terminal_id"
    assert np.array_equal(service.pipeline.stream_.peek(payment), before, equal_nan=True)


def test_a_time_in_the_future_is_refused_and_moves_no_clock(service):
    latest = service.pipeline.stream_.latest_time()
    with pytest.raises(RequestError, match="in the future"):
        ask(service, time="9999-01-01T00:00:00Z")
    assert service.pipeline.stream_.latest_time() == latest


def test_batch_is_a_sequence(run):
    one, other = FraudService(run), FraudService(run)
    requests = [
        one.Request.model_validate({**one.example, "record": True, "amount": 40.0 + i})
        for i in range(6)
    ]
    together = one.predict(requests)
    apart = [other.predict([request])[0] for request in requests]
    assert [a.score for a in together] == [a.score for a in apart]


def test_http_equals_the_pipeline_and_bad_requests_are_told(run, service):
    expected = ask(service, record=False)
    with TestClient(create_app(service, run)) as client:
        found = client.post("/predict", json={**service.example, "record": False}).json()
        assert found["score"] == expected.score and found["decision"] == expected.decision
        for change, field in (
            ({"amount": -1}, "amount"),
            ({"customer_id": "nobody"}, "customer_id"),
            ({"device_id": None}, "device_id"),
            ({"distance": None}, "distance"),
            ({"time": (service.clock.zero - timedelta(days=1)).isoformat()}, "time"),
            ({"colour": "red"}, "colour"),
        ):
            response = client.post("/predict", json={**service.example, **change})
            assert response.status_code == 422 and field in response.text


# ---------------------------------------------------------------- entities


def test_answers_are_kept_for_retries_and_conflicts_named_by_row():
    answers = Answers(most=2)
    for identifier in (1, 2, 3):
        answers.keep(identifier, f"request {identifier}", f"answer {identifier}")
    assert answers.get(1) is None and answers.get(3) == "answer 3"
    assert answers.conflict([(3, "request 3"), (None, "other"), (4, "new"), (4, "new")]) is None
    assert answers.conflict([(4, "new"), (3, "other")]) == 1
    assert answers.conflict([(4, "new"), (None, "new"), (4, "newer")]) == 2


def test_identifiers_number_names_and_check_numbers():
    identifiers = Identifiers({"customer_id": {"card-a": 0, "card-b": 1}})
    assert [identifiers.number("customer_id", n) for n in ("card-b", "new", "new")] == [1, 2, 2]
    assert identifiers.name("customer_id", 2) == "new"
    assert identifiers.number("terminal_id", "7") == identifiers.name("terminal_id", 7) == 7
    for wrong in ("card-a", -1, 2**31):
        with pytest.raises(ValueError):
            identifiers.number("terminal_id", wrong)
