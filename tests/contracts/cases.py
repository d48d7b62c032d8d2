"""The pipelines under contract: how each is trained small, asked, and asked wrongly."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import Any
from unittest import mock

from common import artifacts
from common.artifacts import Run, open_run
from common.serving import Service

Payload = dict[str, Any]


@dataclass(frozen=True)
class Case:
    """One pipeline."""

    name: str
    service: str  # the class in the pattern's serve.py
    requests: Callable[[Service], list[Payload]]  # different requests that must be answered
    refused: tuple[Payload, ...]  # changes to the example that must be refused with a 4xx
    nothing: int = 422  # the status that an empty request gets
    k_beyond: Payload | None = None  # a change that asks for more than there is
    unknown: Payload | None = None  # a change that names an id never seen
    known_by: tuple[str, ...] = ()  # fields of the answer that tell whether the ids are known
    answered_by: str = ""  # the field that holds the answer to an unknown id too
    dataset: str = ""  # in place of the smoke preset's, where a pipeline has a second task

    @property
    def key(self) -> str:
        return f"{self.name}:{self.dataset}" if self.dataset else self.name

    @property
    def package(self) -> str:
        return f"patterns.{self.name.replace('/', '.')}"

    def train(self, runs: Path) -> dict[str, Any]:
        """Run the smoke preset by the pattern's own main and ask the pipeline that it fitted.

        Returns the folder of the run, and the requests and answers of the pipeline in memory:
        whatever `save` or `load` loses, these still have.
        """
        preset = import_module(f"{self.package}.config").PRESETS["smoke"]
        preset = replace(preset, dataset=self.dataset or preset.dataset)
        saved: list[Any] = []

        def save(pipeline: Any, *arguments: Any, **named: Any) -> Path:
            saved.append(pipeline)
            return original(pipeline, *arguments, **named)

        original = artifacts.save
        with mock.patch.object(artifacts, "save", save):
            path = import_module(f"{self.package}.train").main(replace(preset, runs=runs))
        (pipeline,) = saved
        kind = import_module(f"{self.package}.pipeline").Pipeline
        with mock.patch.object(kind, "load", lambda folder: pipeline):
            service = self.open(open_run(path, name=self.name))
        requests = self.requests(service)
        return {"run": str(path), "requests": requests, "answers": ask(service, requests)}

    def open(self, run: Run) -> Service:
        """Make a fresh service from the artifact."""
        service: Service = getattr(import_module(f"{self.package}.serve"), self.service)(run)
        return service


VOLATILE = {"stage_ms", "model_version"}


def ask(service: Service, payloads: list[Payload]) -> list[Any]:
    """Predict as a server would and return plain values without times."""
    requests = [service.Request.model_validate(payload) for payload in payloads]
    return [strip(answer.model_dump(mode="json")) for answer in service.predict(requests)]


def strip(answer: Payload) -> Payload:
    """Return the answer without what differs from one time to the next."""
    return {key: value for key, value in answer.items() if key not in VOLATILE}


def with_changes(*changes: Payload) -> Callable[[Service], list[Payload]]:
    """Give the example and one variation of it per change."""
    return lambda service: [service.example, *(service.example | change for change in changes)]


def images(service: Service) -> list[Payload]:
    """Give the example image, its mirror image and a plain one."""
    import base64
    import io

    from PIL import Image, ImageOps

    first = Image.open(io.BytesIO(base64.b64decode(service.example["image"].split(",")[-1])))
    payloads = [service.example]
    for picture in (ImageOps.mirror(first), Image.new(first.mode, first.size, 128)):
        buffer = io.BytesIO()
        picture.save(buffer, "PNG")
        payloads.append(
            service.example | {"image": base64.b64encode(buffer.getvalue()).decode("ascii")}
        )
    return payloads


NOT_AN_IMAGE = ({"image": "aGVsbG8="}, {"image": "???"}, {"image": ""}, {"image": None})
CASES = [
    Case(
        "recsys",
        "RecommendService",
        with_changes({"user_id": "u00007", "k": 3}, {"user_id": "nobody", "recent": ["m00001"]}),
        refused=({"k": 0}, {"recent": ["no such item"]}, {"typo": 1}, {"user_id": 7}),
        nothing=200,  # a guest
        k_beyond={"k": 1000},
        unknown={"user_id": "Zoë 🎬"},
        known_by=("known_user",),
        answered_by="items",
    ),
    Case(
        "search_ranking",
        "SearchService",
        with_changes({"query": "Zoë 🎬 robbery", "k": 3}, {"query": "quiet"}),
        refused=(
            {"query": ""},
            {"query": "   "},
            {"k": 0},
            {"genre": "no such genre"},
            {"typo": 1},
        ),
        k_beyond={"k": 10_000},
    ),
    Case(
        "fraud",
        "FraudService",
        with_changes({"amount": 5.0}, {"customer_id": 10**6}),
        refused=({"amount": -1}, {"customer_id": "nobody"}, {"typo": 1}, {"amount": None}),
        unknown={"customer_id": 10**6, "terminal_id": 10**6},
        known_by=("known_customer", "known_terminal"),
        answered_by="score",
    ),
    Case(
        "nlp/classification",
        "ClassificationService",
        with_changes({"text": "ﬁnd my card 💳"}, {"text": "x " * 2000, "k": 1}),
        refused=({"text": ""}, {"text": "  \n "}, {"text": None}, {"k": 0}, {"typo": 1}),
        k_beyond={"k": 1000},
    ),
    Case(
        "nlp/ner",
        "EntitiesService",
        with_changes(
            {"text": "she met Zoe\u0308 👩\u200d💻 in\tKelodal"},
            {"text": "dr Vanor called from Fulgen Labs . " * 200},
        ),
        refused=(
            {"text": ""},
            {"text": "  \n "},
            {"text": None},
            {"least_confidence": 2},
            {"typo": 1},
        ),
    ),
    Case(
        "nlp/translation",
        "TranslationService",
        with_changes(
            {"text": "Die Straße 🎬\nThe girl saw a dog.", "n": 3}, {"text": "x " * 300, "beam": 1}
        ),
        refused=(
            {"text": ""},
            {"text": "  \n "},
            {"text": "\u200b"},
            {"text": None},
            {"text": "a" * 5001},
            {"n": 0},
            {"beam": 17},
            {"typo": 1},
        ),
    ),
    Case(
        "nlp/qa",
        "QuestionService",
        with_changes({"context": None}, {"question": "Zoë 🎬 who?", "k": 1}),
        refused=(
            {"question": ""},
            {"question": "  "},
            {"context": " \n"},
            {"k": 0},
            {"typo": 1},
        ),
        k_beyond={"k": 1000},
    ),
    Case(
        "vision/classification",
        "ClassificationService",
        images,
        refused=(*NOT_AN_IMAGE, {"k": 0}),
        k_beyond={"k": 1000},
    ),
    Case("vision/detection", "DetectionService", images, refused=NOT_AN_IMAGE),
    Case("vision/segmentation", "SegmentationService", images, refused=NOT_AN_IMAGE),
    Case(
        "vision/segmentation",
        "SegmentationService",
        images,
        refused=NOT_AN_IMAGE,
        dataset="simulated-streets",
    ),
]
