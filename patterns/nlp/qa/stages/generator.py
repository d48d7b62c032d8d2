"""Answers written by a causal language model that reads the passage: SmolLM2, as it comes or tuned.

    p(answer | question, passage) = Π_t p(a_t | instruction, passage, question, a_1 … a_{t-1})

As it comes, a small chat model answers in sentences. Tuned by LoRA on questions with their
paragraph, it copies a few words from the passage, or says that it is not there; that sentence is
turned into the empty answer, as of any reader that abstains. What a model writes need not stand in
the passage: whoever cites it has to check.

How long it trains follows from `budget`, the tokens to read in all epochs together: tokens, not
seconds, since the same seed must give the same model. What is saved is the adapters with the name
and the digest of the base model, which `load` finds as `fit` did: SmolLM2 has 538 MB, its adapters
20. Once trained they are merged into the weights, so that serving them costs nothing.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor

from common.atomic import write_json
from common.training import History, Optimisation, choose_precision, fit
from patterns.nlp.qa.entities.questions import Questions
from patterns.nlp.qa.stages.causal import HubModel, find_causal, load_causal, weights_digest
from patterns.nlp.qa.stages.lora import Lora, load_adapters
from patterns.nlp.qa.stages.packing import Pack, PackLoader, answer_loss, packs, validation
from patterns.nlp.qa.stages.prompts import chat_prompt
from patterns.nlp.qa.stages.writing import Writing

FACTS = "generator.json"
VALID_TOKENS = 8000  # of the validation questions that choose the epoch


class CausalGenerator(Writing):
    """Any causal language model that transformers knows, SmolLM2-135M-Instruct by default."""

    kind = "causal"

    def __init__(
        self,
        *,
        model: str = "auto",
        rank: int = 16,
        alpha: float = 32.0,
        targets: Sequence[str] = (),
        epochs: int = 1,
        budget: int = 150_000,
        batch_tokens: int = 800,
        learning_rate: float = 1e-3,
        warmup: float = 0.1,
        weight_decay: float = 0.0,
        dropout: float = 0.0,
        unanswerable: float = 0.15,
        most_questions: int = 8,
        max_length: int = 512,
        precision: str = "auto",
        max_new_tokens: int = 32,
        temperature: float = 0.0,
        top_k: int = 0,
        top_p: float = 1.0,
        batch_size: int = 16,
        device: str = "auto",
        seed: int = 0,
    ) -> None:
        """`rank` 0 takes the model as it comes; `budget` is of tokens, in all epochs together."""
        super().__init__(
            max_new_tokens=max_new_tokens, temperature=temperature, top_k=top_k, top_p=top_p,
            batch_size=batch_size, device=device, seed=seed,
        )  # fmt: skip
        if not 0 <= unanswerable < 1:
            raise ValueError(
                f"unanswerable: {unanswerable} is out of range; give a share from 0, below 1"
            )
        self.model, self.rank, self.alpha, self.targets = model, rank, alpha, tuple(targets)
        self.epochs, self.budget, self.batch_tokens = epochs, budget, batch_tokens
        self.learning_rate, self.warmup = learning_rate, warmup
        self.weight_decay, self.dropout = weight_decay, dropout
        self.unanswerable, self.most_questions = unanswerable, most_questions
        self.max_length, self.precision = max_length, precision
        self.precision_ = choose_precision(precision, device)
        self.base_ = ""  # digest of the weights that the adapters belong to
        self.adapters_: Lora | None = None
        self.history_: History | None = None
        self.questions_ = 0  # that were read in training, the same twice in two epochs

    @property
    def name(self) -> str:
        """What tables call it."""
        auto = self.model in ("auto", "smollm2")
        short = "SmolLM2-135M" if auto else self.model.rstrip("/").rsplit("/", 1)[-1]
        return f"{short} + LoRA" if self.rank else f"{short} as it comes"

    def fit(
        self,
        train: Questions,
        valid: Questions,
        *,
        checkpoint: Path | None = None,
        resume: bool = False,
    ) -> Self:
        """Find the model and, with a rank, tune it.

        Raises `GeneratorUnavailable` where the model is not available.
        """
        adapters = None
        if self.rank:
            adapters = self._tuned(train, valid, checkpoint, resume).state_dict()
        return self._ready(adapters)

    def untuned(self) -> Self | None:
        """Return the model as it comes, to compare with; None where it was not tuned."""
        if not self.rank:
            return None
        stage = type(self)(
            model=self.model, rank=0, max_length=self.max_length, precision=self.precision,
            max_new_tokens=self.max_new_tokens, batch_size=self.batch_size, device=self.device,
            seed=self.seed,
        )  # fmt: skip
        return stage._ready(None)

    def _tuned(
        self, train: Questions, valid: Questions, checkpoint: Path | None, resume: bool
    ) -> Lora:
        """Train adapters; the frozen weights beside them are bf16 where that is fast."""
        model = self._settled(self._found())
        causal = HubModel(model)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            lora = self._lora(model)
        rows = self._packs(train, self.budget // self.epochs)
        judged = self._packs(valid, VALID_TOKENS)
        self.questions_ = self.epochs * sum(row.questions for row in rows)
        self.history_ = fit(
            lora,
            PackLoader(rows, batch_tokens=self.batch_tokens, seed=self.seed),
            lambda _, batch: answer_loss(causal, batch),
            Optimisation(
                epochs=self.epochs,
                learning_rate=self.learning_rate,
                weight_decay=self.weight_decay,
                schedule="linear",
                warmup=self.warmup,
                gradient_clip=1.0,
                precision=self.precision_,
            ),
            validate=validation(
                causal, judged, batch_tokens=self.batch_tokens, precision=self.precision_
            ),
            device=self.device,
            seed=self.seed,
            checkpoint=checkpoint,
            resume=resume,
            label="LoRA",
        )
        return lora

    def _ready(self, adapters: dict[str, Tensor] | None, *, base: str = "") -> Self:
        """Take the base model in fp32 and merge adapters into it: they are rounded once, with it.

        After training as after loading, so that both answer the same.
        """
        model = self._found()
        if base not in ("", self.base_):
            raise ValueError(
                f"model: {self.model} has other weights than those that the adapters were trained"
                " on; install the same ones, or train again"
            )
        if adapters is not None:
            lora = self.adapters_ = self._lora(model)
            lora.load_state_dict(adapters)
            lora.merge(for_good=True)
        self.causal_ = HubModel(self._settled(model))
        return self

    def _packs(self, part: Questions, budget: int) -> list[Pack]:
        assert self.prompt_ is not None
        return packs(
            part, self.prompt_, unanswerable=self.unanswerable, budget=budget, seed=self.seed,
            most_questions=self.most_questions, max_new_tokens=self.max_new_tokens,
        )  # fmt: skip

    def save(self, folder: Path) -> None:
        """Write the adapters, and which model they belong to."""
        assert self.prompt_ is not None, "fit it first"
        if self.adapters_ is not None:
            self.adapters_.save(folder)
        facts = {
            "model": self.model, "base": self.base_, "rank": self.rank, "alpha": self.alpha,
            "targets": list(self.targets), "max_length": self.max_length,
            "precision": self.precision,
            "max_new_tokens": self.max_new_tokens, "temperature": self.temperature,
            "top_k": self.top_k, "top_p": self.top_p, "seed": self.seed,
        }  # fmt: skip
        write_json(folder / FACTS, facts)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote, and find the base model again.

        Raises `GeneratorUnavailable` where it is not available, `ValueError` where its weights are
        others than those of training.
        """
        facts = json.loads((folder / FACTS).read_text(encoding="utf-8"))
        base = facts.pop("base")
        stage = cls(**facts, device="cpu")
        return stage._ready(load_adapters(folder) if stage.rank else None, base=base)

    def _found(self) -> Any:
        """Find and load the base model, and make the prompt that it knows."""
        found = find_causal(self.model)
        self.base_ = weights_digest(found)
        tokenizer, model = load_causal(found)
        self.prompt_ = chat_prompt(
            tokenizer,
            max_length=self.max_length,
            max_new_tokens=self.max_new_tokens,
            ends=model.generation_config.eos_token_id,
        )
        if self.device != "cpu" and torch.cuda.is_available():
            model = model.to("cuda")
        return model

    def _lora(self, model: Any) -> Lora:
        return Lora(
            model, rank=self.rank, alpha=self.alpha, dropout=self.dropout, targets=self.targets
        )

    def _settled(self, model: Any) -> Any:
        """Return the model as it answers: in bf16 where that is fast, half the bytes to read."""
        return model.to(torch.bfloat16).eval() if self.precision_ == "bf16" else model.eval()
