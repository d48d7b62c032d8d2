"""Answers by a small GPT trained from nothing, on the questions and their paragraphs alone.

    <passage> … <question> … <answer> … <end>

Where the passage does not tell, the end follows at once. It has its own vocabulary of byte pairs
(Sennrich et al. 2016), every word with the space before it, so that a word has the same tokens in a
passage and in an answer: what it has to learn is to find and to copy. It learns that from the whole
text, not from the answers alone (`language`): a name that comes again in a passage can be predicted
by looking back to where it stood, which is the same as copying an answer (induction, Olsson et al.
2022). With the loss on answers alone it learned the training answers by heart instead.

A world of few and plain sentences is learned so. Text as people write it is another matter: there a
hundred million words of reading are missing, which is what a pretrained model brings.

Shapes: see `gpt` and `packing`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Self

import torch
from safetensors.torch import load_file, save_file

from common.atomic import write_json
from common.training import History, Optimisation, fit
from patterns.nlp.qa.entities.questions import Questions
from patterns.nlp.qa.stages.gpt import Gpt
from patterns.nlp.qa.stages.packing import Pack, PackLoader, packs, text_loss, validation
from patterns.nlp.qa.stages.prompts import CONTROL, plain_prompt, well_formed
from patterns.nlp.qa.stages.writing import Writing

WEIGHTS, TOKENIZER, FACTS = "gpt.safetensors", "tokenizer.json", "generator.json"
VALID_TOKENS = 30_000  # of the validation questions that choose the epoch


class GptGenerator(Writing):
    """A causal Transformer of a few million weights that learns to answer from a passage."""

    kind = "gpt"
    name = "small GPT"

    def __init__(
        self,
        *,
        vocabulary: int = 2000,
        width: int = 128,
        layers: int = 4,
        heads: int = 4,
        epochs: int = 0,
        budget: int = 3_000_000,
        batch_tokens: int = 2000,
        learning_rate: float = 3e-3,
        warmup: float = 0.1,
        weight_decay: float = 0.05,
        dropout: float = 0.0,
        language: float = 1.0,
        unanswerable: float = 0.15,
        most_questions: int = 8,
        max_length: int = 512,
        precision: str = "fp32",
        max_new_tokens: int = 32,
        temperature: float = 0.0,
        top_k: int = 0,
        top_p: float = 1.0,
        batch_size: int = 16,
        device: str = "auto",
        seed: int = 0,
    ) -> None:
        """`epochs` 0 takes as many as `budget`, of tokens in all epochs together, allows."""
        super().__init__(
            max_new_tokens=max_new_tokens, temperature=temperature, top_k=top_k, top_p=top_p,
            batch_size=batch_size, device=device, seed=seed,
        )  # fmt: skip
        self.vocabulary, self.width, self.layers, self.heads = vocabulary, width, layers, heads
        self.epochs, self.budget, self.batch_tokens = epochs, budget, batch_tokens
        self.learning_rate, self.warmup = learning_rate, warmup
        self.weight_decay, self.dropout, self.language = weight_decay, dropout, language
        self.unanswerable, self.most_questions = unanswerable, most_questions
        self.max_length, self.precision = max_length, precision
        self.epochs_ = epochs
        self.tokenizer_: Any = None
        self.module_: Gpt | None = None
        self.history_: History | None = None

    def fit(
        self,
        train: Questions,
        valid: Questions,
        *,
        checkpoint: Path | None = None,
        resume: bool = False,
    ) -> Self:
        """Learn the vocabulary, then to answer; the epoch with the lowest validation loss stays."""
        texts = dict.fromkeys([*(each.text for each in train.paragraphs), *train.texts])
        self.tokenizer_ = byte_pairs(texts, self.vocabulary)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            module = self._network()
        rows = self._packs(train, self.budget)
        self.epochs_ = self.epochs or max(1, self.budget // sum(len(row) for row in rows))
        judged = self._packs(valid, VALID_TOKENS)
        self.history_ = fit(
            module,
            PackLoader(rows, batch_tokens=self.batch_tokens, seed=self.seed),
            lambda _, batch: text_loss(module, batch, language=self.language),
            Optimisation(
                epochs=self.epochs_,
                learning_rate=self.learning_rate,
                weight_decay=self.weight_decay,
                schedule="cosine",
                warmup=self.warmup,
                gradient_clip=1.0,
                precision=self.precision,
            ),
            validate=validation(
                module, judged, batch_tokens=self.batch_tokens, precision=self.precision
            ),
            device=self.device,
            seed=self.seed,
            checkpoint=checkpoint,
            resume=resume,
            label="small GPT",
        )
        return self

    def save(self, folder: Path) -> None:
        """Write weights and vocabulary."""
        assert self.module_ is not None, "fit it first"
        self.tokenizer_.save(str(folder / TOKENIZER))
        save_file(self.module_.state_dict(), folder / WEIGHTS)
        facts = {
            "vocabulary": self.vocabulary, "width": self.width, "layers": self.layers,
            "heads": self.heads, "max_length": self.max_length, "seed": self.seed,
            "max_new_tokens": self.max_new_tokens, "temperature": self.temperature,
            "top_k": self.top_k, "top_p": self.top_p,
        }  # fmt: skip
        write_json(folder / FACTS, facts)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote."""
        from tokenizers import Tokenizer

        stage = cls(**json.loads((folder / FACTS).read_text(encoding="utf-8")), device="cpu")
        tokenizer = Tokenizer.from_file(str(folder / TOKENIZER))
        stage.tokenizer_ = without_control(tokenizer)
        stage._network().load_state_dict(load_file(folder / WEIGHTS))
        return stage

    def _network(self) -> Gpt:
        """Make the network and the prompt that fit the vocabulary."""
        self.prompt_ = plain_prompt(
            self.tokenizer_, max_length=self.max_length, max_new_tokens=self.max_new_tokens
        )
        module = Gpt(
            vocabulary=self.tokenizer_.get_vocab_size(),
            width=self.width,
            layers=self.layers,
            heads=self.heads,
            max_length=self.max_length,
            dropout=self.dropout,
        )
        self.causal_ = self.module_ = module.eval()
        return module

    def _packs(self, part: Questions, budget: int) -> list[Pack]:
        assert self.prompt_ is not None
        return packs(
            part, self.prompt_, unanswerable=self.unanswerable, budget=budget, seed=self.seed,
            most_questions=self.most_questions, max_new_tokens=self.max_new_tokens,
        )  # fmt: skip


def byte_pairs(texts: Iterable[str], vocabulary: int) -> Any:
    """Train a byte-level BPE tokenizer of up to `vocabulary` tokens, those of `CONTROL` included.

    Any text has tokens, since the 256 bytes are among them; control tokens come from no text.
    """
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=list(CONTROL),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator((well_formed(text) for text in texts), trainer)
    return without_control(tokenizer)


def without_control(tokenizer: Any) -> Any:
    """Let the text of a control token be text; the file of a tokenizer does not say it."""
    tokenizer.encode_special_tokens = True
    return tokenizer
