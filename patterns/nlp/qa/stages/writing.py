"""What all generators share: from questions and passages to answers, whole or in pieces."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Self

from patterns.nlp.qa.stages.decoding import CausalModel, generate, pieces, write
from patterns.nlp.qa.stages.prompts import NOT_FOUND, Prompt, abstains
from patterns.nlp.qa.stages.sampling import Sampler


class Writing:
    """A causal model and its prompt, once a generator was fitted or loaded."""

    def __init__(
        self,
        *,
        max_new_tokens: int = 32,
        temperature: float = 0.0,
        top_k: int = 0,
        top_p: float = 1.0,
        batch_size: int = 16,
        device: str = "auto",
        seed: int = 0,
    ) -> None:
        Sampler(temperature=temperature, top_k=top_k, top_p=top_p)  # refuses what is out of range
        self.max_new_tokens, self.batch_size = max_new_tokens, batch_size
        self.temperature, self.top_k, self.top_p = temperature, top_k, top_p
        self.device, self.seed = device, seed
        self.prompt_: Prompt | None = None
        self.causal_: CausalModel | None = None
        self.written_ = 0  # tokens of the answers last given, for the speed

    def answer(self, questions: Sequence[str], passages: Sequence[str]) -> list[str]:
        """Return one answer a question, from its passage; empty where that does not tell."""
        assert self.prompt_ is not None and self.causal_ is not None, "fit or load it first"
        prompts = [self.prompt_(q, p) for q, p in zip(questions, passages, strict=True)]
        written = generate(
            self.causal_,
            prompts,
            stop=self.prompt_.stop,
            max_new_tokens=self.max_new_tokens,
            choose=self._sampler(),
            batch_size=self.batch_size,
        )
        self.written_ = sum(map(len, written))
        texts = [self.prompt_.decode(ids).strip() for ids in written]
        return ["" if abstains(text) else text for text in texts]

    def stream(self, question: str, passage: str) -> Iterator[str]:
        """Yield the answer in pieces as they are written; nothing where it abstains."""
        assert self.prompt_ is not None and self.causal_ is not None, "fit or load it first"
        tokens = write(
            self.causal_,
            [self.prompt_(question, passage)],
            stop=self.prompt_.stop,
            max_new_tokens=self.max_new_tokens,
            choose=self._sampler(),
        )
        return unless_abstained(pieces((token for _, token in tokens), self.prompt_.decode))

    def untuned(self) -> Self | None:
        """Return the same model before it learned, to compare with; None of one that had none."""
        return None

    def _sampler(self) -> Sampler:
        return Sampler(
            temperature=self.temperature, top_k=self.top_k, top_p=self.top_p, seed=self.seed
        )


def unless_abstained(given: Iterator[str]) -> Iterator[str]:
    """Hold pieces back while they may still become the sentence that abstains."""
    held = ""
    for piece in given:
        held += piece
        if not f"{NOT_FOUND}.".startswith(held.lower()):
            yield held
            held = ""
            break
    yield from given
    if held and not abstains(held):
        yield held
