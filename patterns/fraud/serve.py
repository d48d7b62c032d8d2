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

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal

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
from patterns.fraud.config import NAME
from patterns.fraud.entities.answers import Answers
from patterns.fraud.entities.clock import Clock
from patterns.fraud.entities.identifiers import LARGEST
from patterns.fraud.entities.payment import Payment

if TYPE_CHECKING:
    import numpy as np

Label = tuple[int, int, bool]  # terminal, transaction, whether it was fraud

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
        default=None,
        description="UTC if it has no zone; without it, the time of the newest known payment",
    )
    transaction_id: int | None = Field(
        default=None,
        ge=0,
        le=2**62,
        description="makes a retry harmless; needed to confirm a fraud later",
    )
    device_id: int | None = Field(
        default=None, ge=0, le=LARGEST, description="needed if the model uses it"
    )
    distance: float | None = Field(default=None, ge=0, le=1e6, description="home to terminal")
    confirmed: list[Confirmation] = Field(
        default_factory=list, max_length=1000, description="labels that arrived since"
    )
    record: bool = Field(
        default=True, description="false scores without changing the state or adding labels"
    )


class Reason(BaseModel):
    """Why the score is high, strongest first: rules that hit, then features of the model."""

    code: str
    text: str
    value: float | None = None
    contribution: float | None = Field(default=None, description="added to the log-odds")


class PaymentResponse(ServiceResponse):
    """The decision and what it rests on."""

    score: float = Field(description="probability of fraud, calibrated")
    decision: Literal["approve", "decline"]
    reasons: list[Reason]
    answered_by: str = Field(description="the model, or the rules")
    fallback: str | None = Field(
        default=None, description="why the rules answered instead of the model"
    )
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
        self.answers: Answers[PaymentRequest, PaymentResponse] = Answers()
        self.next_id = self.pipeline.stream_.largest_id() + 1
        self.clock = Clock(self.pipeline.stream_.start)
        self.example = self._example()

    def predict(self, requests: Sequence[PaymentRequest]) -> list[PaymentResponse]:
        """Answer payments one after another: each is in the past of the next."""
        self._refuse_used_ids(requests)
        payments = [self._payment(request, row) for row, request in enumerate(requests)]
        labels = [self._labels(request, row) for row, request in enumerate(requests)]
        return [self._answer(*each) for each in zip(requests, payments, labels, strict=True)]

    def warm_up(self) -> None:
        """Answer the example as a what-if, so that no payment is made up."""
        request = self.Request.model_validate(self.example)
        for _ in range(3):
            self.predict([request])

    def _answer(
        self, request: PaymentRequest, payment: Payment, labels: list[Label]
    ) -> PaymentResponse:
        identifier = payment.transaction_id
        if request.record and (kept := self.answers.get(identifier)):
            return kept
        times, stream = StageTimes(), self.pipeline.stream_
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
            self.answers.keep(identifier, request, answer)
        return answer

    def _reasons(self, features: np.ndarray, *, fallback: bool) -> list[Reason]:
        """Return the rules that hit and, where the model answered, what raised its score."""
        rules = self.pipeline.rules.model.reasons(features)[0]
        reasons = [Reason(code=r.code, text=r.reason) for r in rules]
        if fallback:
            return reasons
        for name, value, added in self.pipeline.reasons(features)[0]:
            text = f"{name.replace('_', ' ')} is {value:g}"
            reasons.append(Reason(code=name.upper(), text=text, value=value, contribution=added))
        return reasons

    def _refuse_used_ids(self, requests: Sequence[PaymentRequest]) -> None:
        """Refuse an id that another payment had, before anything of the batch is recorded."""
        row = self.answers.conflict((r.transaction_id if r.record else None, r) for r in requests)
        if row is not None:
            raise RequestError(
                "transaction_id",
                requests[row].transaction_id,
                "another payment had this id",
                "give each payment its own; send a retry unchanged",
                status=409,
                row=row,
            )

    def _payment(self, request: PaymentRequest, row: int) -> Payment:
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
            customer_id=self._number("customer_id", request.customer_id, row),
            terminal_id=self._number("terminal_id", request.terminal_id, row),
            amount=request.amount,
            extras=extras,
        )

    def _labels(self, request: PaymentRequest, row: int) -> list[Label]:
        found = []
        for place, one in enumerate(request.confirmed):
            within = f"confirmed[{place}]."
            terminal = self._number("terminal_id", one.terminal_id, row, within=within)
            found.append((terminal, one.transaction_id, one.is_fraud))
        return found

    def _number(self, column: str, identifier: int | str, row: int, *, within: str = "") -> int:
        """Return the number that the windows know an id by; `within` is the way to its field."""
        try:
            return self.pipeline.identifiers_.number(column, identifier)
        except ValueError:
            message = "not an id of the training data's kind"
            remedy = f"give a whole number from 0 to {LARGEST}"
            raise RequestError(within + column, identifier, message, remedy, row=row) from None

    def _seconds(self, request: PaymentRequest, row: int) -> int:
        """Return seconds since day 0; without a time, the time of the latest payment known."""
        latest = self.pipeline.stream_.latest_time()
        if request.time is None:
            return latest
        try:
            return self.clock.seconds(request.time, latest=latest)
        except ValueError as problem:
            remedy = "give the time of the payment"
            value = request.time.isoformat()
            raise RequestError("time", value, str(problem), remedy, row=row) from None

    def _example(self) -> dict[str, Any]:
        """Return a payment of a known customer at a known terminal, after the training data."""
        stream, identifiers = self.pipeline.stream_, self.pipeline.identifiers_
        example = {
            "time": self.clock.moment(stream.latest_time() + 60).isoformat(),
            "customer_id": identifiers.name("customer_id", stream.some("customer_id")),
            "terminal_id": identifiers.name("terminal_id", stream.some("terminal_id")),
            "amount": 950.0,
            "record": False,
        }
        needed = self.pipeline.features.columns
        return example | {c: v for c, v in (("device_id", 1), ("distance", 1.0)) if c in needed}


if __name__ == "__main__":
    serve_main(FraudService, NAME, description="Serve fraud decisions over HTTP.")
