"""The model: a pretrained transformer that marks where in a context the answer begins and ends.

    h = Encoder([CLS] question [SEP] context [SEP]) (B, L, D),   (s_t, e_t) = W h_t + b
    loss = ½ (−log softmax(s)[first] − log softmax(e)[last])

over all tokens of a window; where the window does not answer, both targets are the first token
(Devlin et al. 2019, § 4.2 and 4.3). The new layer learns faster than what is pretrained, and layers
below the top ever more slowly; batches hold windows of similar length. As in text classification,
`budget` bounds the tokens that are read, so that the same seed gives the same model. In a single
epoch nothing is seen twice, so nothing is dropped: `dropout` is 0, and with it goes a third of the
time that a CPU takes.

Shapes: B batch, L tokens, D hidden size.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor, nn

from common.atomic import write_json
from common.encoders import load_transformer
from common.encoders.network import bare_encoder, load_weights, save_network
from common.training import History, LengthLoader, choose_precision, fit
from common.training.finetuning import Length, falling, plain_attention, usual_rate
from common.training.layers import layer_groups
from patterns.nlp.qa.entities.answers import Reading
from patterns.nlp.qa.entities.questions import Questions
from patterns.nlp.qa.stages.abstention import spoken
from patterns.nlp.qa.stages.score import f1_scores
from patterns.nlp.qa.stages.spans import read
from patterns.nlp.qa.stages.training_windows import training_windows
from patterns.nlp.qa.stages.windows import PairTokens

WEIGHTS, FACTS = "reader.safetensors", "reader.json"
NARROW_RATE = 8e-4
LENGTH = Length(epochs=2, steps=100, most_epochs=30)
VALID_QUESTIONS = 400  # that choose the epoch
SPANS = 20  # that are kept of a context, at most


class SpanModule(nn.Module):
    """Encoder and one linear layer of two outputs a token."""

    def __init__(self, encoder: Any, *, separator: int, dropout: float) -> None:
        super().__init__()
        if getattr(encoder, "pooler", None) is not None:
            encoder.pooler = None  # the first-token layer of BERT, unused here
        for inner in encoder.modules():
            if isinstance(inner, nn.Dropout):
                inner.p = dropout
        self.encoder = encoder
        self.separator = separator
        self.segments = getattr(encoder.config, "type_vocab_size", 0) > 1
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(encoder.config.hidden_size, 2)
        nn.init.normal_(self.head.weight, std=0.02)
        nn.init.zeros_(self.head.bias)

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        """Return logits (B, L, 2) of starts and ends from ids and mask (B, L).

        Padding gets a logit that no softmax sees. The segments that BERT was pretrained with follow
        from the ids: what stands behind the first separator is the second.
        """
        given = {"input_ids": ids, "attention_mask": mask}
        if self.segments:
            separators = (ids == self.separator).long()
            behind = separators.cumsum(1) - separators  # (B, L) separators before each token
            given["token_type_ids"] = behind.clamp(max=1) * mask
        hidden = self.encoder(**given).last_hidden_state  # (B, L, D)
        logits = self.head(self.dropout(hidden)).float()  # (B, L, 2)
        return logits - (1 - mask[:, :, None].float()) * 1e4


class SpanReader:
    """A fine-tuned transformer, any that `AutoModel` knows and that has a fast tokenizer."""

    kind = "reader"

    def __init__(
        self,
        *,
        model: str = "auto",
        epochs: int = 0,
        budget: int = 1_400_000,
        batch_size: int = 16,
        learning_rate: float = 0.0,
        head_factor: float = 5.0,
        layer_decay: float = 0.9,
        warmup: float = 0.1,
        weight_decay: float = 0.01,
        dropout: float = 0.0,
        max_length: int = 256,
        train_length: int = 160,
        stride: int = 64,
        max_question: int = 48,
        max_answer: int = 30,
        negatives: float = 0.1,
        precision: str = "auto",
        device: str = "auto",
        seed: int = 0,
    ) -> None:
        """`epochs` 0 takes as many as `budget` and the training questions ask for."""
        self.model, self.dropout = model, dropout
        self.epochs, self.budget, self.batch_size = epochs, budget, batch_size
        self.learning_rate, self.head_factor = learning_rate, head_factor
        self.layer_decay, self.warmup, self.weight_decay = layer_decay, warmup, weight_decay
        self.max_length, self.train_length, self.stride = max_length, train_length, stride
        self.max_question, self.max_answer, self.negatives = max_question, max_answer, negatives
        self.device, self.seed = device, seed
        self.precision = choose_precision(precision, device)
        self.learning_rate_ = learning_rate
        self.epochs_ = epochs
        self.questions_ = 0  # read in training
        self.windows_ = 0  # that one epoch reads
        self.tokens_: PairTokens | None = None
        self.module_: SpanModule | None = None
        self.history_: History | None = None

    @property
    def name(self) -> str:
        """What tables call it."""
        short = "MiniLM" if self.model == "auto" else self.model.rstrip("/").rsplit("/", 1)[-1]
        return f"{short} reader"

    def fit(
        self,
        train: Questions,
        valid: Questions,
        *,
        checkpoint: Path | None = None,
        resume: bool = False,
    ) -> Self:
        """Fine-tune; the weights of the epoch with the best validation F1 are kept.

        Raises `EncoderUnavailable` where the pretrained model is not available.
        """
        module, tokens = self._started()
        loader = self._loader(train, tokens)
        judged = valid.sample(VALID_QUESTIONS, seed=self.seed)
        plan = falling(self.epochs_, self.learning_rate_, self.warmup, self.precision)
        with plain_attention(module.encoder, device=self.device):
            self.history_ = fit(
                module,
                loader,
                lambda model, batch: span_loss(model(batch[0], batch[1]), batch[2]),
                plan,
                parameter_groups=self._groups(module),
                device=self.device,
                seed=self.seed,
                validate=lambda _: self.valid_f1(judged),
                checkpoint=checkpoint,
                resume=resume,
                label="fine-tuning",
            )
        return self

    def _groups(self, module: SpanModule) -> list[dict[str, Any]]:
        return layer_groups(
            module.encoder,
            module.head.parameters(),
            learning_rate=self.learning_rate_,
            layer_decay=self.layer_decay,
            head_factor=self.head_factor,
            weight_decay=self.weight_decay,
        )

    def _started(self) -> tuple[SpanModule, PairTokens]:
        """Make the tokens and the module, its new layer by the seed."""
        tokenizer, encoder = load_transformer(self.model)
        tokens = self.tokens_ = PairTokens.of_transformer(
            tokenizer,
            max_length=self.max_length,
            stride=self.stride,
            max_question=self.max_question,
        )
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            separator = int(tokenizer.sep_token_id or 0)
            module = self.module_ = SpanModule(encoder, separator=separator, dropout=self.dropout)
        self.learning_rate_ = self.learning_rate or usual_rate(encoder, NARROW_RATE)
        return module, tokens

    def _loader(self, train: Questions, tokens: PairTokens) -> LengthLoader:
        """Draw the training windows, and set `epochs_` by how many tokens they have."""
        budget = self.budget if not self.epochs else 10**15
        windows = training_windows(
            train, tokens.shorter(self.train_length), negatives=self.negatives, budget=budget,
            seed=self.seed,
        )  # fmt: skip
        self.questions_, self.windows_ = windows.questions, len(windows.ids)
        batches = -(-len(windows.ids) // self.batch_size)
        fitting = LENGTH.within(self.budget, tokens=windows.tokens, batches=batches)
        self.epochs_ = self.epochs or fitting
        return LengthLoader(
            windows.ids,
            np.array(windows.targets, dtype=np.int64),
            batch_size=self.batch_size,
            tokens=self.batch_size * self.train_length,
            pad=tokens.pad,
            seed=self.seed,
        )

    def valid_f1(self, part: Questions) -> float:
        """Return the mean F1 with the right context, in the precision of training."""
        found = self.read(part.texts, part.contexts, k=1, half=self.precision == "bf16")
        return float(f1_scores(spoken(found, part), part.answers).mean())

    def read(
        self,
        questions: Sequence[str],
        contexts: Sequence[str],
        *,
        k: int = SPANS,
        half: bool = False,
    ) -> list[Reading]:
        """Return the best spans of each context; `half` multiplies in bf16."""
        assert self.module_ is not None and self.tokens_ is not None, "fit or load it first"
        self.module_.eval()
        run = _runner(self.module_, half=half)
        return read(run, self.tokens_, questions, contexts, max_answer=self.max_answer, k=k)

    def truncates(self, questions: Sequence[str]) -> list[bool]:
        """Tell which questions are too long to be read whole."""
        assert self.tokens_ is not None, "fit or load it first"
        return self.tokens_.truncates(questions)

    def unread(self, train: Questions) -> str | None:
        """Say what of the training questions was not read."""
        if self.epochs or self.questions_ >= 0.98 * len(train):
            return None
        return (
            f"{self.name} was trained on {self.questions_:,} of the {len(train):,} training"
            f" questions, drawn at random: all of them need more than {self.budget:,} tokens"
        )

    def save(self, folder: Path) -> None:
        """Write weights, the encoder's configuration and the tokenizer."""
        assert self.module_ is not None and self.tokens_ is not None, "fit it first"
        self.tokens_.save(folder)
        save_network(self.module_, self.module_.encoder, folder / WEIGHTS)
        facts = {
            "model": self.model, "dropout": self.dropout, "max_answer": self.max_answer,
            "separator": self.module_.separator, "tokens": self.tokens_.facts,
        }  # fmt: skip
        write_json(folder / FACTS, facts)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read a saved reader; nothing is looked up elsewhere."""
        facts = json.loads((folder / FACTS).read_text(encoding="utf-8"))
        stage = cls(
            model=facts["model"], dropout=facts["dropout"], max_answer=facts["max_answer"],
            device="cpu",
        )  # fmt: skip
        stage.tokens_ = PairTokens.load(folder, **facts["tokens"])
        encoder = bare_encoder(folder)
        stage.module_ = SpanModule(encoder, separator=facts["separator"], dropout=facts["dropout"])
        load_weights(stage.module_, folder / WEIGHTS)
        return stage


def span_loss(logits: Tensor, targets: Tensor) -> Tensor:
    """Return the mean cross-entropy of starts and ends: logits (B, L, 2), targets (B, 2)."""
    return nn.functional.cross_entropy(logits, targets)


def _runner(module: SpanModule, *, half: bool) -> Any:
    """Return the function of arrays that gives the module's logits."""
    device = next(module.parameters()).device

    @torch.inference_mode()
    def run(ids: np.ndarray, mask: np.ndarray) -> np.ndarray:
        with torch.autocast(device.type, torch.bfloat16, enabled=half):
            logits = module(torch.from_numpy(ids).to(device), torch.from_numpy(mask).to(device))
        return logits.float().cpu().numpy()

    return run
