"""A service whose answer has a field of every format, for the tests of the page in a browser."""

from __future__ import annotations

import base64
import io
from typing import Annotated, Any, Literal

import numpy as np
from PIL import Image
from pydantic import BaseModel, Field

from common.serving import (
    ImageBase64,
    RequestError,
    Service,
    ServiceRequest,
    ServiceResponse,
    Share,
    shown,
)

HEBREW, LONG = "\u05e9\u05dc\u05d5\u05dd <b>\u05e2\u05d5\u05dc\u05dd</b>", "x" * 60


def png(image: np.ndarray) -> str:
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, format="PNG")
    return base64.b64encode(buffer.getvalue()).decode("ascii")


class GalleryRequest(ServiceRequest):
    image: ImageBase64
    k: int = Field(default=3, ge=1, le=9)
    tags: list[str] = []
    facets: dict[str, str] = {}
    shop: str | None = Field(default=None, alias="shop name")


class Film(BaseModel):
    title: Annotated[str, shown("title")]
    year: Annotated[int, shown("facts")]
    why: Annotated[str, shown("why")]
    score: float


class Reason(BaseModel):
    text: Annotated[str, shown("why")]
    weight: Annotated[float, shown("weight")]


class Thing(BaseModel):
    label: str
    score: Share
    box: Annotated[tuple[float, float, float, float], shown("box")]


class GalleryResponse(ServiceResponse):
    decision: Annotated[Literal["yes", "no"], shown("verdict", alarm=["no"])]
    sure: Share
    mask: Annotated[str, shown("mask")]
    objects: list[Thing]
    reasons: list[Reason]
    films: Annotated[list[Film], shown("shelf")]
    wide: list[dict[str, float]]
    counts: dict[str, int]


class GalleryService(Service):
    """Shows every format."""

    name = "gallery"
    Request = GalleryRequest
    Response = GalleryResponse

    def __init__(self, side: int = 40) -> None:
        image = np.full((side, side, 3), 200, np.uint8)
        self.example: dict[str, Any] = {"image": png(image), "k": 2}
        self.mask = np.zeros((side, side), np.uint16)
        self.mask[4:12, 4:12], self.mask[20:30, 20:30] = 1, 257  # alike in their lower 8 bits
        self.mask[0, 0] = 7

    def predict(self, requests: list[GalleryRequest]) -> list[GalleryResponse]:
        for row, request in enumerate(requests):
            if request.k == 9:
                raise RequestError("facets.genre", "x", "no such genre", "try drama", row=row)
        return [self._answer(request) for request in requests]

    def _answer(self, request: GalleryRequest) -> GalleryResponse:
        films = [Film(title=t, year=1999, why="you saw <i>", score=1.5) for t in (HEBREW, LONG)]
        return GalleryResponse(
            decision="no",
            sure=0.987,
            mask=png(self.mask),
            objects=[
                Thing(label=LONG, score=0.5, box=(1, 1, 9, 9)),
                Thing(label=HEBREW, score=0.25, box=(20, 20, 30, 30)),
            ],
            reasons=[Reason(text="amount", weight=1.5), Reason(text="age", weight=-0.5)],
            films=films[: request.k],
            counts={"cell": 23},
            wide=[{f"column {place}": place / 7 for place in range(30)}],
        )
