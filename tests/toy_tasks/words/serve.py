"""Artifact -> HTTP: how many words a text has."""

from collections.abc import Sequence
from typing import Annotated

from pydantic import BaseModel, Field

from common.artifacts import Run
from common.serving import RequestError, Service, ServiceRequest, ServiceResponse, Share, shown
from common.serving.formats import Truncated

READ = 12  # words


class Word(BaseModel):
    word: str
    share: Share


class WordsRequest(ServiceRequest):
    text: str = Field(min_length=1, max_length=1000, description="the text to count")
    k: int = Field(default=2, ge=1, strict=True, description="how many words to list")
    loud: bool = False


class WordsResponse(ServiceResponse):
    first: Annotated[str, shown("verdict")]
    count: int
    words: list[Word]
    truncated: Truncated = False


class WordsService(Service):
    """Counts the words of a text."""

    name = "toy/words"
    Request = WordsRequest
    Response = WordsResponse
    max_batch = 3

    def __init__(self, run: Run) -> None:
        assert (run.pipeline / "weights.txt").is_file()
        self.example = {"text": "one two two"}

    def predict(self, requests: Sequence[WordsRequest]) -> list[WordsResponse]:
        for row, request in enumerate(requests):
            if not request.text.strip():
                raise RequestError("text", request.text, "no words", "give some", row=row)
        return [self._count(request) for request in requests]

    def _count(self, request: WordsRequest) -> WordsResponse:
        text = request.text.upper() if request.loud else request.text
        words = text.split()[:READ]
        shares = [Word(word=each, share=words.count(each) / len(words)) for each in set(words)]
        shares.sort(key=lambda each: (-each.share, each.word))
        return WordsResponse(
            first=words[0],
            count=len(words),
            words=shares[: request.k],
            truncated=len(text.split()) > READ,
        )
