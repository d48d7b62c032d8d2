r"""Artifact -> HTTP: a question in, its answer out, marked in the text or cited from a passage.

    python -m patterns.nlp.qa.serve --run latest
    curl -s 127.0.0.1:8000/predict -H 'content-type: application/json' \
      -d '{"question": "Who wrote it?", "context": "It was written by Anna in 1901."}'

Without a context the passages that the artifact holds are searched. The page at / has a form for
trying it. An exported reader is served without torch.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from itertools import product
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
from common.serving.formats import Truncated
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
    generate: bool = Field(
        default=True, strict=True,
        description="whether the language model words the answer, if the artifact has one",
    )  # fmt: skip


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
    citation: Annotated[str, shown("title")] = Field(
        default="", description="title, paragraph and characters in one line"
    )


class QuestionResponse(ServiceResponse):
    """The answer, how sure it is, and what else was found; nothing where it abstained."""

    answer: Annotated[str | None, shown("verdict", nothing="no answer")]
    score: Share
    abstained: bool = Field(description="true if no answer is sure enough to be given")
    answers: Annotated[list[FoundAnswer], shown("quotes")] = Field(
        description="possible answers, the likeliest first, also where none is given"
    )
    truncated: Truncated = False


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
        """Answer in one batch those that are alike: with a context or not, generated or not."""
        for row, request in enumerate(requests):
            _check(request, row)
        times = StageTimes()
        answers: dict[int, Answer] = {}
        for with_context, generate in product((True, False), repeat=2):
            rows = [
                row
                for row, each in enumerate(requests)
                if (bool(each.context), each.generate) == (with_context, generate)
            ]
            questions = [requests[row].question for row in rows]
            contexts = [requests[row].context or "" for row in rows] if with_context else None
            most = max((requests[row].k for row in rows), default=1)
            found = self.pipeline.answer(
                questions, contexts, k=most, generate=generate, times=times
            )
            answers |= dict(zip(rows, found, strict=True))
        cut = self.pipeline.truncates([each.question for each in requests])
        return [
            self._response(request, answers[row], cut[row], times)
            for row, request in enumerate(requests)
        ]

    @property
    def streams(self) -> bool:
        """Whether the artifact has a language model, which writes word by word."""
        return self.pipeline.generator_ is not None

    def stream(self, request: QuestionRequest) -> Generator[str, None, QuestionResponse]:
        """Yield the generated answer in pieces, nothing where it abstains; return it whole."""
        _check(request, 0)
        if not request.generate:
            (whole,) = self.predict([request])
            yield from [whole.answer] if whole.answer else []
            return whole
        times = StageTimes()
        answer = yield from self.pipeline.stream(
            request.question, request.context, k=request.k, times=times
        )
        (cut,) = self.pipeline.truncates([request.question])
        return self._response(request, answer, cut, times)

    def _response(
        self, request: QuestionRequest, answer: Answer, cut: bool, times: StageTimes
    ) -> QuestionResponse:
        found = answer.found[: request.k]
        return QuestionResponse(
            model_version=self.version,
            stage_ms=times.milliseconds,
            answer=None if answer.abstained else answer.text,
            score=min(1.0, answer.confidence),
            abstained=answer.abstained,
            answers=[_found(each) for each in found],
            truncated=cut,
        )


def _check(request: QuestionRequest, row: int) -> None:
    for field in ("question", "context"):
        text = getattr(request, field)
        if text is not None and not text.strip():
            raise RequestError(field, text, "it is only white space", "give words", row=row)


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
