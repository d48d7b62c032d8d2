"""Artifact -> HTTP: approve or decline a payment, with the reasons, in milliseconds.

    python -m patterns.fraud.serve --run latest
    curl -s 127.0.0.1:8000/predict -H 'content-type: application/json' \
         -d '{"customer_id": 42, "terminal_id": 7, "amount": 950.0, "device_id": 84, "distance": 2}'

The service holds the feature state in memory, loaded from the artifact as it was after the last
training payment, and moves it forward with every payment, so the next one of the same customer sees
it. A batch is a sequence: its payments are taken in order, as if sent one after another. A repeated
`transaction_id` is a retry: it gets the answer of the first time and is not counted twice; the id
of another payment is refused. `record: false` asks what-if and leaves the state as it is.

Labels come back the same way: `confirmed` lists earlier payments that turned out to be fraud, and
the risk of their terminals counts them from then on. A customer or terminal that the state does not
know is served with an empty past (`known_customer`, `known_terminal` say so). If the model fails,
the rules answer, and `fallback` says why.
"""

from __future__ import annotations

from collections import OrderedDict
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, Field, NaiveDatetime

from common.artifacts import Run
from common.serving import (
    RequestError,
    Service,
    ServiceRequest,
    ServiceResponse,
    serve_main,
)
from common.timing import StageTimes

NAME = "fraud"
REMEMBERED = 10_000  # answers kept for retries
LARGEST_ID = 2**31 - 1
# A payment without a time takes the latest one known: a slip into the future would move them all.
AHEAD_OF_STATE, AHEAD_OF_CLOCK = timedelta(days=60), timedelta(days=1)


Id = int | Annotated[str, Field(min_length=1, max_length=200)]


class Confirmation(ServiceRequest):
    """What became known of an earlier payment."""

    transaction_id: int = Field(ge=0, le=2**62)
    terminal_id: Id
    is_fraud: bool = True


class PaymentRequest(ServiceRequest):
    """One payment that waits for an answer."""

    customer_id: Id = Field(description="id as in the training data")
    terminal_id: Id = Field(description="id as in the training data")
    amount: float = Field(ge=0, le=1e9, description="in the currency of the training data")
    time: AwareDatetime | NaiveDatetime | None = Field(
        None, description="without a zone it is UTC; none: now, by the clock of the feature state"
    )
    transaction_id: int | None = Field(
        None, ge=0, le=2**62, description="makes a retry harmless; needed to confirm a fraud later"
    )
    device_id: int | None = Field(None, ge=0, le=LARGEST_ID, description="where the model uses it")
    distance: float | None = Field(None, ge=0, le=1e6, description="home to terminal")
    confirmed: list[Confirmation] = Field(
        default_factory=list, max_length=1000, description="labels that arrived since"
    )
    record: bool = Field(True, description="false asks what-if and leaves the state, labels too")


class Reason(BaseModel):
    """Why the score is high, strongest first: rules that hit, then features of the model."""

    code: str
    text: str
    value: float | None = None
    contribution: float | None = Field(None, description="added to the log-odds")


class PaymentResponse(ServiceResponse):
    """The decision and what it rests on."""

    score: float = Field(description="probability of fraud, calibrated")
    decision: Literal["approve", "decline"]
    reasons: list[Reason]
    answered_by: str = Field(description="the model, or the rules")
    fallback: str | None = Field(None, description="why the rules answered instead of the model")
    known_customer: bool
    known_terminal: bool


class FraudService(Service):
    """Approves or declines a payment by how likely it is a fraud, and tells why."""

    name = NAME
    Request = PaymentRequest
    Response = PaymentResponse
    keeps_state = True

    def __init__(self, run: Run) -> None:
        from patterns.fraud.pipeline import Pipeline

        self.version = run.version
        self.pipeline = Pipeline.load(run.pipeline)
        self.answers: OrderedDict[int, tuple[PaymentRequest, PaymentResponse]] = OrderedDict()
        self.next_id = self.pipeline.stream.largest_id() + 1
        start = self.pipeline.stream.start
        self.zero = datetime(start.year, start.month, start.day, tzinfo=UTC)
        self.example = self._example()

    def predict(self, requests: list[Any]) -> list[Any]:
        """Answer payments one after another: each is in the past of the next."""
        self._refuse_used_ids(requests)
        payments = [self._payment(request, row) for row, request in enumerate(requests)]
        labels = [self._labels(request, row) for row, request in enumerate(requests)]
        return [self._answer(*row) for row in zip(requests, payments, labels, strict=True)]

    def warm_up(self) -> None:
        """Answer the example as a what-if, so that no payment is made up."""
        request = self.Request.model_validate(self.example)
        for _ in range(3):
            self.predict([request])

    def _labels(self, request: PaymentRequest, row: int) -> list[tuple[int, int, bool]]:
        """Return terminal, transaction and label of each confirmation."""
        return [
            (
                self._number("terminals", f"confirmed[{place}].terminal_id", one.terminal_id, row),
                one.transaction_id,
                one.is_fraud,
            )
            for place, one in enumerate(request.confirmed)
        ]

    def _answer(
        self, request: PaymentRequest, payment: Any, labels: list[tuple[int, int, bool]]
    ) -> PaymentResponse:
        if request.record and payment.transaction_id in self.answers:
            return self.answers[payment.transaction_id][1]
        times, stream = StageTimes(), self.pipeline.stream
        for label in labels if request.record else ():
            stream.confirm(*label)
        known_customer = stream.knows("customer_id", payment.customer_id)
        known_terminal = stream.knows("terminal_id", payment.terminal_id)
        with times("score"):
            features, scores = self.pipeline.score([payment], record=request.record)
        with times("reasons"):
            reasons = self._reasons(features, fallback=scores.fallback is not None)
        answer = PaymentResponse(
            model_version=self.version,
            stage_ms=times.milliseconds,
            score=float(scores.probabilities[0]),
            decision="decline" if scores.declined[0] else "approve",
            reasons=reasons,
            answered_by=scores.by,
            fallback=scores.fallback,
            known_customer=known_customer,
            known_terminal=known_terminal,
        )
        if request.record:
            self._remember(payment.transaction_id, request, answer)
        return answer

    def _refuse_used_ids(self, requests: list[Any]) -> None:
        """Refuse an id that another payment had, before anything of the batch is recorded."""
        seen: dict[int, PaymentRequest] = {}
        for row, request in enumerate(requests):
            identifier = request.transaction_id
            if identifier is None or not request.record:
                continue
            known = seen.setdefault(identifier, request)
            if identifier in self.answers:
                known = self.answers[identifier][0]
            if known != request:
                raise RequestError(
                    "transaction_id",
                    identifier,
                    "another payment had this id",
                    "give each payment its own; send a retry unchanged",
                    status=409,
                    row=row,
                )

    def _reasons(self, features: Any, *, fallback: bool) -> list[Reason]:
        rules = self.pipeline.rules.model.reasons(features)[0]
        reasons = [Reason(code=r.code, text=r.reason, contribution=None) for r in rules]
        if fallback:
            return reasons
        for name, value, added in self.pipeline.reasons(features)[0]:
            text = f"{name.replace('_', ' ')} is {value:g}"
            reasons.append(Reason(code=name.upper(), text=text, value=value, contribution=added))
        return reasons

    def _payment(self, request: PaymentRequest, row: int) -> Any:
        from patterns.fraud.stages.features.history import Payment

        extras: dict[str, float] = {}
        for column in sorted(self.pipeline.features.columns - {"customer_id", "terminal_id"}):
            value = getattr(request, column)
            if value is None:
                raise RequestError(column, None, "this model needs it", f"give {column}", row=row)
            extras[column] = value
        identifier = request.transaction_id
        if identifier is None:
            identifier, self.next_id = self.next_id, self.next_id + 1
        return Payment(
            transaction_id=identifier,
            time_seconds=self._seconds(request, row),
            customer_id=self._number("customers", "customer_id", request.customer_id, row),
            terminal_id=self._number("terminals", "terminal_id", request.terminal_id, row),
            amount=request.amount,
            extras=extras,
        )

    def _seconds(self, request: PaymentRequest, row: int) -> int:
        """Seconds since day 0; without a time, the time of the latest payment known."""
        if request.time is None:
            return self.pipeline.stream.latest_time()
        moment = request.time
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        if moment < self.zero:
            raise RequestError(
                "time", moment.isoformat(), f"before {self.zero:%Y-%m-%d}, the state's first day",
                "give a later time", row=row,
            )  # fmt: skip
        latest = self.zero + timedelta(seconds=self.pipeline.stream.latest_time())
        if moment > max(latest + AHEAD_OF_STATE, datetime.now(UTC) + AHEAD_OF_CLOCK):
            raise RequestError(
                "time", moment.isoformat(), "in the future, where it would empty all windows",
                "give the time of the payment", row=row,
            )  # fmt: skip
        return int((moment - self.zero) / timedelta(seconds=1))

    def _number(self, kind: str, field: str, identifier: int | str, row: int) -> int:
        """The number of an id; one never seen gets a number of its own, above all others."""
        names = self.pipeline.names.get(kind)
        if names is not None:
            return names.setdefault(str(identifier), len(names))
        try:
            number = int(identifier)
        except ValueError:
            number = -1
        if not 0 <= number <= LARGEST_ID:
            raise RequestError(
                field, identifier, "not an id of the training data's kind",
                f"give a whole number from 0 to {LARGEST_ID}", row=row,
            )  # fmt: skip
        return number

    def _remember(self, identifier: int, request: PaymentRequest, answer: PaymentResponse) -> None:
        self.answers[identifier] = (request, answer)
        while len(self.answers) > REMEMBERED:
            self.answers.popitem(last=False)

    def _example(self) -> dict[str, Any]:
        """A payment of a known customer at a known terminal, just after the training data."""
        stream = self.pipeline.stream
        moment = self.zero + timedelta(seconds=stream.latest_time() + 60)
        example = {
            "time": moment.isoformat(),
            "customer_id": self._name("customers", stream.some("customer_id")),
            "terminal_id": self._name("terminals", stream.some("terminal_id")),
            "amount": 950.0,
            "record": False,
        }
        needed = self.pipeline.features.columns
        return example | {c: v for c, v in (("device_id", 1), ("distance", 1.0)) if c in needed}

    def _name(self, kind: str, number: int) -> int | str:
        names = self.pipeline.names.get(kind, {})
        return next((name for name, known in names.items() if known == number), number)


if __name__ == "__main__":
    serve_main(FraudService, NAME, description="Serve fraud decisions over HTTP.")
