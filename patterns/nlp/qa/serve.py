r"""Artifact -> HTTP: a question in, its answer out, marked in the text or cited from a passage.

    python -m patterns.nlp.qa.serve --run latest
    curl -s 127.0.0.1:8000/predict -H 'content-type: application/json' \
      -d '{"question": "Who wrote it?", "context": "It was written by Anna in 1901."}'

Without a context the passages that the artifact holds are searched. The page at / has a form for
trying it. An exported reader is served without torch.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from pydantic import BaseModel, Field

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
from patterns.nlp.qa.config import NAME
from patterns.nlp.qa.entities.answers import Answer, Found

LONGEST_QUESTION, LONGEST_CONTEXT = 1_000, 50_000  # characters


class QuestionRequest(ServiceRequest):
    """A question, with the text to read it in or without, to search for a passage."""

    question: str = Field(
        min_length=1, max_length=LONGEST_QUESTION, description="the question to answer"
    )
    context: str | None = Field(
        default=None, min_length=1, max_length=LONGEST_CONTEXT,
        description="the text to read; without one the indexed passages are searched",
    )  # fmt: skip
    k: int = Field(
        default=3, ge=1, le=1000, strict=True, description="how many possible answers to return"
    )


class FoundAnswer(BaseModel):
    """A possible answer with its characters in the context, or in the paragraph that is cited."""

    text: str
    score: Share = Field(description="how likely it is right")
    start: int = Field(description="first character; -1 if it does not stand there word for word")
    end: int
    passage: str = Field(default="", description="the passage; empty where a context was given")
    passage_start: int = Field(default=0, description="its first character in the paragraph")
    title: str = Field(default="", description="the article of the passage")
    source: str = Field(default="", description="the paragraph that the passage is of")
    citation: str = Field(default="", description="title, paragraph and characters in one line")


class AnswerSpan(BaseModel):
    """Characters of the context that answer."""

    start: int
    end: int
    label: str
    text: str
    score: Share


class QuestionResponse(ServiceResponse):
    """The answer, how sure it is, and what else was found; nothing where it abstained."""

    answer: Annotated[str | None, shown("verdict")]
    score: Share
    abstained: bool = Field(description="true if no answer is sure enough to be given")
    answers: list[FoundAnswer]
    spans: list[AnswerSpan] = Field(description="the answer in the context that was given")
    truncated: bool = Field(
        default=False, description="whether the question was too long to be read whole"
    )


class QuestionService(Service):
    """Answers questions from a text that you give, or from its own passages, which it cites."""

    name = NAME
    Request = QuestionRequest
    Response = QuestionResponse

    def __init__(self, run: Run) -> None:
        from patterns.nlp.qa.pipeline import Pipeline

        self.version = run.version
        self.pipeline = Pipeline.load(run.pipeline)
        example = self.pipeline.example_
        self.example = {
            "question": example["question"][:LONGEST_QUESTION],
            "context": example["context"][:LONGEST_CONTEXT],
            "k": self.pipeline.k,
        }

    def predict(self, requests: Sequence[QuestionRequest]) -> list[QuestionResponse]:
        """Answer those with a context in one batch, those without in another."""
        for row, request in enumerate(requests):
            for field in ("question", "context"):
                text = getattr(request, field)
                if text is not None and not text.strip():
                    raise RequestError(field, text, "it is only white space", "give words", row=row)
        times = StageTimes()
        answers: dict[int, Answer] = {}
        for with_context in (True, False):
            rows = [n for n, each in enumerate(requests) if bool(each.context) == with_context]
            questions = [requests[row].question for row in rows]
            contexts = [requests[row].context or "" for row in rows] if with_context else None
            most = max((requests[row].k for row in rows), default=1)
            found = self.pipeline.answer(questions, contexts, k=most, times=times)
            answers |= dict(zip(rows, found, strict=True))
        cut = self.pipeline.truncates([each.question for each in requests])
        return [
            self._response(request, answers[row], cut[row], times)
            for row, request in enumerate(requests)
        ]

    def _response(
        self, request: QuestionRequest, answer: Answer, cut: bool, times: StageTimes
    ) -> QuestionResponse:
        found = answer.found[: request.k]
        spans = [
            AnswerSpan(start=first.start, end=first.end, label="answer", text=first.text,
                       score=first.confidence)
            for first in found[:1]
            if request.context and not answer.abstained and first.start >= 0
        ]  # fmt: skip
        return QuestionResponse(
            model_version=self.version,
            stage_ms=times.milliseconds,
            answer=None if answer.abstained else answer.text,
            score=min(1.0, answer.confidence),
            abstained=answer.abstained,
            answers=[_found(each) for each in found],
            spans=spans,
            truncated=cut,
        )


def _found(found: Found) -> FoundAnswer:
    answer = FoundAnswer(
        text=found.text, score=min(1.0, found.confidence), start=found.start, end=found.end
    )
    passage = found.passage
    if passage is not None:
        answer.passage, answer.passage_start = passage.text, passage.start
        answer.title, answer.source = passage.title, passage.id
        answer.citation = passage.citation
    return answer


if __name__ == "__main__":
    serve_main(QuestionService, NAME, description=__doc__)
