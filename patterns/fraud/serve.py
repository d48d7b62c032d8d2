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

A run knows which columns its features read, so a request has a field for each of them, under the
name of the column, and no other: /openapi.json lists them (above: those of the simulated world). A
category may hold any text.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, Field, NaiveDatetime, create_model

from common.artifacts import Run
from common.serving import (
    RequestError,
    Service,
    ServiceRequest,
    ServiceResponse,
    Share,
    serve_main,
    shown,
)
from common.timing import StageTimes
from patterns.fraud.config import NAME
from patterns.fraud.entities.answers import Answers
from patterns.fraud.entities.clock import Clock
from patterns.fraud.entities.identifiers import LARGEST
from patterns.fraud.entities.payment import Payment

if TYPE_CHECKING:
    import numpy as np

    from patterns.fraud.stages.features.definition import FeatureSet

Label = tuple[int, int, bool]  # terminal, transaction, whether it was fraud

Id = int | Annotated[str, Field(min_length=1, max_length=200)]


class Confirmation(ServiceRequest):
    """What became known of an earlier payment."""

    transaction_id: int = Field(ge=0, le=2**62)
    terminal_id: Id
    is_fraud: bool = True


class PaymentRequest(ServiceRequest):
    """One payment that waits for an answer; a run's own columns come on top."""

    transaction_id: int | None = Field(
        default=None,
        ge=0,
        le=2**62,
        description="makes a retry harmless; needed to confirm a fraud later",
    )
    record: bool = Field(
        default=True, description="false scores without changing the state or adding labels"
    )


def request_model(features: FeatureSet) -> type[PaymentRequest]:
    """Return the request of payments with the columns that `features` read.

    A further column has its own name outside and a plain one inside, since it may be any text.
    """
    id_ = (Id, Field(description="id as in the training data"))
    about = "UTC if it has no zone; without it, the time of the newest known payment"
    time = (AwareDatetime | NaiveDatetime | None, Field(default=None, description=about))
    about = "in the currency of the training data"
    least = -1e9 if features.refunds else 0
    amount = (float, Field(ge=least, le=1e9, description=about))
    known: dict[str, tuple[str, Any]] = {
        "customer_id": ("customer_id", id_),
        "terminal_id": ("terminal_id", id_),
        "device_id": ("device_id", id_),
        "amount": ("amount", amount),
        "time_seconds": ("time", time),
    }
    fields = dict(field for column, field in known.items() if column in features.columns)
    for place, column in enumerate(further_columns(features)):
        fields[_inside(place)] = _further_field(features, column)
    if any(window.value == "label" for window in features.windows):
        about = "labels that arrived since"
        labels: Any = Field(default_factory=list, max_length=1000, description=about)
        fields["confirmed"] = (list[Confirmation], labels)
    return create_model(
        "PaymentRequest", __base__=PaymentRequest, __doc__=PaymentRequest.__doc__, **fields
    )


def further_columns(features: FeatureSet) -> tuple[str, ...]:
    """Return the table's own columns: numbers, then categories; a terminal is told by its id."""
    named = (category.column for category in features.categories)
    return (*features.numbers, *(column for column in named if column != "terminal"))


def _further_field(features: FeatureSet, column: str) -> tuple[Any, Any]:
    """Return type and field of a further column; it may be missing where training saw it so."""
    optional = column in features.optional
    kind: Any = float if column in features.numbers else str
    limits: dict[str, Any] = {"ge": -1e15, "le": 1e15} if kind is float else {"max_length": 1000}
    about = "a number" if kind is float else "a category: any text, an unknown one counts as rare"
    about = f"column of the training data, {about}{', null if missing' if optional else ''}"
    field = Field(default=None if optional else ..., alias=column, description=about, **limits)
    return (kind | None if optional else kind), field


def _inside(place: int) -> str:
    return f"further_{place}"


class Reason(BaseModel):
    """Why the score is high, strongest first: rules that hit, then features of the model."""

    code: str
    text: Annotated[str, shown("why")]
    value: float | None = None
    contribution: Annotated[float | None, shown("weight")] = Field(
        default=None, description="added to the log-odds"
    )


class PaymentResponse(ServiceResponse):
    """The decision and what it rests on."""

    score: Share = Field(description="probability of fraud, calibrated")
    decision: Annotated[Literal["approve", "decline"], shown("verdict", alarm=["decline"])]
    reasons: list[Reason]
    answered_by: str = Field(description="the model, or what answers when it fails")
    fallback: str | None = Field(default=None, description="why another answered than the model")
    known_customer: bool | None = Field(default=None, description="null if customers are not used")
    known_terminal: bool | None = Field(default=None, description="null if terminals are not used")


class FraudService(Service):
    """Approves or declines a payment by how likely it is a fraud, and tells why."""

    name = NAME
    Response = PaymentResponse
    keeps_state = True

    def __init__(self, run: Run) -> None:
        from patterns.fraud.pipeline import Pipeline

        self.version = run.version
        self.pipeline = Pipeline.load(run.pipeline)
        self.Request: type[PaymentRequest] = request_model(self.pipeline.features)
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
        known = {
            column: stream.knows(column, getattr(payment, column))
            for column in ("customer_id", "terminal_id")
            if column in self.pipeline.features.columns
        }
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
            known_customer=known.get("customer_id"),
            known_terminal=known.get("terminal_id"),
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
            shown = self.pipeline.features.shown(name, value)
            missing = value != value  # NaN, which JSON has no word for
            reasons.append(
                Reason(
                    code=name.upper(),
                    text=f"{name.replace('_', ' ')} is {shown}",
                    value=None if missing else value,
                    contribution=added,
                )
            )
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
        """Return the payment of a request: ids as numbers, what the features do not read as 0."""
        values: dict[str, Any] = {}
        for column in ("customer_id", "terminal_id", "device_id"):
            if hasattr(request, column):
                values[column] = self._number(column, getattr(request, column), row)
        extras = {c: values.pop(c) for c in ("device_id",) if c in values}
        for place, column in enumerate(further_columns(self.pipeline.features)):
            extras[column] = getattr(request, _inside(place))
        if hasattr(request, "terminal_id"):
            extras["terminal"] = str(request.terminal_id)
        identifier = request.transaction_id
        if identifier is None:
            identifier = self.next_id
            self.next_id += request.record  # a what-if takes none
        return Payment(
            transaction_id=identifier,
            time_seconds=self._seconds(request, row),
            amount=getattr(request, "amount", 0.0),
            extras=extras,
            **values,
        )

    def _labels(self, request: PaymentRequest, row: int) -> list[Label]:
        found = []
        for place, one in enumerate(getattr(request, "confirmed", ())):
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
        moment = getattr(request, "time", None)
        if moment is None:
            return latest
        try:
            return self.clock.seconds(moment, latest=latest)
        except ValueError as problem:
            remedy = "give the time of the payment"
            value = moment.isoformat()
            raise RequestError("time", value, str(problem), remedy, row=row) from None

    def _example(self) -> dict[str, Any]:
        """Return the last payment of the training data, a minute later and as a what-if."""
        names, last = self.pipeline.identifiers_, dict(self.pipeline.example_)
        last.pop("terminal", None)
        for column in ("customer_id", "terminal_id", "device_id"):
            if column in last:
                last[column] = names.name(column, last[column])
        if "time_seconds" in last:
            moment = self.clock.moment(int(last.pop("time_seconds")) + 60)
            last = {"time": moment.isoformat(), **last}
        return last | {"record": False}

    def log_record(self, request: Any, response: Any) -> dict[str, Any]:
        """Return the request under the names of its columns, and the answer."""
        asked = request.model_dump(mode="json", by_alias=True)
        return {"request": asked, "response": response.model_dump(mode="json")}


if __name__ == "__main__":
    serve_main(FraudService, NAME, description="Serve fraud decisions over HTTP.")
