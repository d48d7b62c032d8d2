"""What can read and what can generate, by the kind that a saved pipeline knows it by.

Each is imported when it is needed: a server of ONNX needs no torch.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, Self

from patterns.nlp.qa.entities.answers import Reading
from patterns.nlp.qa.entities.questions import Questions

if TYPE_CHECKING:
    from patterns.nlp.qa.stages.decoding import CausalModel
    from patterns.nlp.qa.stages.prompts import Prompt

STAGES = "patterns.nlp.qa.stages"
READERS = {  # kind -> module and class
    "overlap": ("overlap", "OverlapReader"),
    "reader": ("reader", "SpanReader"),
    "onnx": ("export", "OnnxReader"),
}
GENERATORS = {
    "causal": ("generator", "CausalGenerator"),
    "gpt": ("gpt_generator", "GptGenerator"),
}


class Reader(Protocol):
    """Questions with a context each to spans of it, saved to a folder."""

    @property
    def kind(self) -> str:
        """Key of `READERS`."""

    @property
    def name(self) -> str:
        """What tables call it."""

    def read(self, questions: Sequence[str], contexts: Sequence[str]) -> list[Reading]:
        """Return the best spans of each context for its question."""

    def truncates(self, questions: Sequence[str]) -> list[bool]:
        """Tell which questions are too long to be read whole; contexts always are."""

    def save(self, folder: Path) -> None:
        """Write all that `load` needs."""

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote."""


class Generator(Protocol):
    """Questions with a passage each to answers in words of its own.

    An empty string abstains: the passage does not tell. What a generator says instead ("not in the
    passage") it turns into the empty string itself.
    """

    prompt_: Prompt | None
    causal_: CausalModel | None
    batch_size: int
    max_new_tokens: int
    written_: int
    """Tokens of the answers last given."""

    @property
    def kind(self) -> str:
        """Key of `GENERATORS`."""

    @property
    def name(self) -> str:
        """What tables call it."""

    def fit(
        self,
        train: Questions,
        valid: Questions,
        *,
        checkpoint: Path | None = None,
        resume: bool = False,
    ) -> Self:
        """Learn to answer from the paragraph of each question; to abstain where it has none."""

    def answer(self, questions: Sequence[str], passages: Sequence[str]) -> list[str]:
        """Return one answer a question, read from the text of its passage alone."""

    def stream(self, question: str, passage: str) -> Iterator[str]:
        """Yield the same answer in pieces that add up to it, as they are written."""

    def untuned(self) -> Self | None:
        """Return the same model before it learned, to compare with; None of one that had none."""

    def save(self, folder: Path) -> None:
        """Write all that `load` needs into an existing folder."""

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote."""


def load_reader(kind: str, folder: Path) -> Reader:
    """Read what was saved by a reader of this kind."""
    stage: type[Reader] = _stage(*READERS[kind])
    return stage.load(folder)


def make_generator(kind: str, **settings: Any) -> Generator:
    """Make an unfitted generator; `settings` are its hyperparameters."""
    generator: Generator = _stage(*GENERATORS[kind])(**settings)
    return generator


def load_generator(kind: str, folder: Path) -> Generator:
    """Read what was saved by a generator of this kind."""
    stage: type[Generator] = _stage(*GENERATORS[kind])
    return stage.load(folder)


def _stage(module: str, name: str) -> Any:
    return getattr(import_module(f"{STAGES}.{module}"), name)
