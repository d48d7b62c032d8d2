r"""Artifact -> HTTP: a text in, its translation out, with the next best ones.

    python -m patterns.nlp.translation.serve --run latest
    curl -s 127.0.0.1:8000/predict -H 'content-type: application/json' \
      -d '{"text": "A man is riding a horse.", "n": 3}'

The page at / has a form for trying it; /predict/stream sends the translation while it is written.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Generator, Sequence
from typing import Annotated

from pydantic import BaseModel, Field

from common.artifacts import Run
from common.serving import RequestError, Service, ServiceRequest, ServiceResponse, serve_main, shown
from common.serving.formats import Truncated
from common.timing import StageTimes
from patterns.nlp.translation.config import NAME
from patterns.nlp.translation.stages.sentences import cleaned

LONGEST = 5_000  # characters of a text: some fifty sentences


class TranslationRequest(ServiceRequest):
    """One text, of a sentence or several."""

    text: str = Field(min_length=1, max_length=LONGEST, description="the text to translate")
    beam: int | None = Field(
        default=None, ge=1, le=16, strict=True,
        description="hypotheses the search keeps, 1 for greedy; without it, as the run was made",
    )  # fmt: skip
    n: int = Field(
        default=1, ge=1, le=16, strict=True, description="how many translations to answer with"
    )


class Alternative(BaseModel):
    """Another translation, and its score."""

    text: str
    score: float


class TranslationResponse(ServiceResponse):
    """The best translation, and the next best ones; several sentences are translated one by one."""

    translation: Annotated[str, shown("beside", over="text")]
    score: float | None = Field(
        description="mean log-probability of a piece; none where words are looked up"
    )
    others: list[Alternative] = Field(description="the next best translations, best first")
    sentences: int = Field(description="how many sentences the text was cut into")
    truncated: Truncated = False


class TranslationService(Service):
    """Translates a text from the language it was trained on into the other."""

    name = NAME
    Request = TranslationRequest
    Response = TranslationResponse

    def __init__(self, run: Run) -> None:
        from patterns.nlp.translation.pipeline import Pipeline

        self.version = run.version
        self.pipeline = Pipeline.load(run.pipeline)
        self.example = {"text": self.pipeline.example_[:LONGEST], "n": 2}

    def predict(self, requests: Sequence[TranslationRequest]) -> list[TranslationResponse]:
        """Translate all texts of the batch that ask for the same search at once."""
        for row, request in enumerate(requests):
            _refuse_blank(request, row)
        alike: dict[tuple[int, int], list[int]] = defaultdict(list)
        for row, request in enumerate(requests):
            beam = request.beam or self.pipeline.beam
            alike[max(beam, request.n), request.n].append(row)
        times = StageTimes()
        found: dict[int, TranslationResponse] = {}
        for (beam, n), rows in alike.items():
            with times("translate"):
                answers = self.pipeline.translate(
                    [requests[row].text for row in rows], beam=beam, n=n
                )
            for row, answer in zip(rows, answers, strict=True):
                found[row] = TranslationResponse(
                    model_version=self.version,
                    translation=answer.translation,
                    score=answer.score,
                    others=[Alternative(text=text, score=score) for text, score in answer.others],
                    sentences=answer.sentences,
                    truncated=answer.cut,
                )
        for response in found.values():
            response.stage_ms = times.milliseconds
        return [found[row] for row in range(len(requests))]

    def stream(self, request: TranslationRequest) -> Generator[str, None, TranslationResponse]:
        """Yield the greedy translation as it is written; return the answer to what was asked.

        The pieces are a draft where a wider search is asked for: it may end in better words.
        """
        _refuse_blank(request, None)
        yield from self.pipeline.stream(request.text)
        (response,) = self.predict([request])
        return response


def _refuse_blank(request: TranslationRequest, row: int | None) -> None:
    if not cleaned(request.text):
        raise RequestError(
            "text",
            request.text,
            "there is nothing to see in it",
            "give a text to translate",
            row=row,
        )


if __name__ == "__main__":
    serve_main(TranslationService, NAME, description=__doc__)
