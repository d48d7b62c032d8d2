"""The model trained and asked: from texts to pieces, through the Transformer, and back to texts.

    loss = − Σ_t log p(y_t | y_<t, x) / T        smoothed, see `loss`

The decoder is given the true words so far and learns the next one (teacher forcing). Loss is
computed on tokens alone: places of padding are taken out before the output layer, the largest
matrix product of all. What is kept is a moving average of the weights, and of its epochs the one
that finds the validation pairs likeliest.

Pairs of which a side has more than `max_length` pieces are left out of training: cut, they would
teach to stop in the middle. A source to be translated is cut there, and that is told.

Shapes: B batch, S source tokens, T target tokens, D width, M pieces of a batch that are to be
predicted, V vocabulary.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from common.atomic import write_json
from common.training import History, Optimisation, choose_precision, fit
from patterns.nlp.translation.entities.pairs import Pairs
from patterns.nlp.translation.stages.batches import Batch, PairLoader, with_end
from patterns.nlp.translation.stages.loss import smoothed_loss
from patterns.nlp.translation.stages.search import Hypothesis, beam_search, greedy_pieces
from patterns.nlp.translation.stages.sentences import cleaned
from patterns.nlp.translation.stages.subwords import END, PAD, START, Subwords
from patterns.nlp.translation.stages.transformer import Transformer

WEIGHTS, FACTS = "transformer.safetensors", "transformer.json"
SIZES = ("width", "heads", "encoder_layers", "decoder_layers", "hidden", "dropout")
UNKNOWN = "\ufffd"  # what bytes that are no UTF-8 are decoded to


@dataclass(frozen=True)
class Translation:
    """A translation and its score: the log-probability of its pieces by their number."""

    text: str
    score: float
    cut: bool = False
    """Whether only the beginning of the source was read."""


class Translator:
    """An encoder-decoder Transformer over subwords."""

    name = "Transformer"

    def __init__(
        self,
        *,
        width: int = 256,
        heads: int = 4,
        encoder_layers: int = 3,
        decoder_layers: int = 2,
        hidden: int = 512,
        dropout: float = 0.1,
        epochs: int = 10,
        batch_tokens: int = 3000,
        learning_rate: float = 1.5e-3,
        schedule: str = "cosine",
        warmup: float = 0.1,
        weight_decay: float = 0.01,
        label_smoothing: float = 0.1,
        ema: float = 0.995,
        max_length: int = 128,
        precision: str = "auto",
        device: str = "auto",
        seed: int = 0,
    ) -> None:
        """`ema` 0 keeps the weights of the last step instead of an average."""
        self.width, self.heads, self.hidden, self.dropout = width, heads, hidden, dropout
        self.encoder_layers, self.decoder_layers = encoder_layers, decoder_layers
        self.epochs, self.batch_tokens = epochs, batch_tokens
        self.learning_rate, self.schedule, self.warmup = learning_rate, schedule, warmup
        self.weight_decay, self.label_smoothing, self.ema = weight_decay, label_smoothing, ema
        self.max_length, self.device, self.seed = max_length, device, seed
        self.precision = choose_precision(precision, device)
        self.subwords_: Subwords | None = None
        self.module_: Transformer | None = None
        self.history_: History | None = None
        self.left_out_ = 0  # training pairs that are too long
        self.padding_ = 0.0  # share of the places of a training epoch

    def fit(
        self,
        train: Pairs,
        valid: Pairs,
        subwords: Subwords,
        *,
        checkpoint: Path | None = None,
        resume: bool = False,
    ) -> Self:
        """Train; the epoch with the lowest loss on the validation pairs is kept."""
        self.subwords_ = subwords
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            module = self.module_ = self._module(subwords.size_)
        loader = self._loader(train, shuffle=True)
        judged = self._loader(valid, shuffle=False)
        self.left_out_ = len(train) - len(loader.sources)
        self.padding_ = loader.padding()
        optimisation = Optimisation(
            epochs=self.epochs,
            learning_rate=self.learning_rate,
            schedule=self.schedule,
            warmup=self.warmup,
            weight_decay=self.weight_decay,
            gradient_clip=1.0,
            ema=self.ema or None,
            precision=self.precision,
        )
        self.history_ = fit(
            module,
            loader,
            lambda model, batch: next_piece_loss(model, batch, smoothing=self.label_smoothing),
            optimisation,
            validate=lambda model: -mean_loss(model, judged),
            checkpoint=checkpoint,
            resume=resume,
            device=self.device,
            seed=self.seed,
            label="translation",
        )
        return self

    def translate(
        self,
        texts: Sequence[str],
        *,
        beam: int = 4,
        length_penalty: float = 1.0,
        batch_size: int = 64,
        cached: bool = True,
    ) -> list[list[Translation]]:
        """Return up to `beam` translations of each text, the best first."""
        assert self.module_ is not None and self.subwords_ is not None, "fit or load it first"
        sources, cut = self.read(texts)
        found: list[list[Hypothesis]] = [[] for _ in texts]
        by_length = np.argsort([len(each) for each in sources], kind="stable").tolist()
        for start in range(0, len(by_length), batch_size):
            rows = by_length[start : start + batch_size]
            hypotheses = beam_search(
                self.module_, [sources[row] for row in rows],
                beam=beam, length_penalty=length_penalty, cached=cached,
            )  # fmt: skip
            for row, several in zip(rows, hypotheses, strict=True):
                found[row] = several if len(sources[row]) > 1 else [Hypothesis((), 0.0)]
        return [
            [
                Translation(text, hypothesis.score, was_cut)
                for text, hypothesis in zip(self._texts(several), several, strict=True)
            ]
            for several, was_cut in zip(found, cut, strict=True)
        ]

    def stream(self, text: str) -> Iterator[str]:
        """Yield the greedy translation piece by piece; a character waits until it is whole."""
        assert self.module_ is not None and self.subwords_ is not None, "fit or load it first"
        (source,), _ = self.read([text])
        ids: list[int] = []
        told = ""
        if not cleaned(text):
            return
        for piece in greedy_pieces(self.module_, source):
            ids.append(piece)
            said = self.subwords_.decode([ids])[0].lstrip()
            if not said.endswith(UNKNOWN) and len(said) > len(told):
                yield said[len(told) :].replace(UNKNOWN, "")
                told = said

    def read(self, texts: Sequence[str]) -> tuple[list[list[int]], list[bool]]:
        """Return the source ids of each text, with END, and whether its end was cut off."""
        assert self.subwords_ is not None, "fit or load it first"
        pieces = self.subwords_.encode([cleaned(text) for text in texts])
        most = self.max_length - 1
        return [with_end(each[:most]) for each in pieces], [len(each) > most for each in pieces]

    @torch.inference_mode()
    def likelihood(self, pairs: Pairs) -> np.ndarray:
        """Return the mean log-probability (N,) of the pieces of each target, given its source."""
        assert self.module_ is not None and self.subwords_ is not None, "fit or load it first"
        device = self.module_.embedding.weight.device
        sources, _ = self.read(pairs.sources)
        targets = self.subwords_.encode(pairs.targets)
        found = np.zeros(len(pairs))
        for row, (source, target) in enumerate(zip(sources, targets, strict=True)):
            whole = torch.tensor([[START, *target, END]], device=device)
            batch = (torch.tensor([source], device=device), whole)
            found[row] = -float(next_piece_loss(self.module_, batch))
        return found

    @torch.inference_mode()
    def looks(self, text: str) -> tuple[list[str], list[str], np.ndarray]:
        """Return the pieces of a text, those of its greedy translation, and who looks where (T, S).

        Row t is the step that wrote piece t; the last one wrote END.
        """
        assert self.module_ is not None and self.subwords_ is not None, "fit or load it first"
        device = self.module_.embedding.weight.device
        (source,), _ = self.read([text])
        target = list(greedy_pieces(self.module_, source))
        given = torch.tensor([START, *target], device=device)
        weights = self.module_.looks(torch.tensor(source, device=device), given)  # (T, S)
        names = [self._readable(each) for each in (source, [*target, END])]
        return names[0], names[1], weights.float().cpu().numpy()

    def parameters(self) -> int:
        """Return how many weights there are; those of the one embedding count once."""
        assert self.module_ is not None, "fit it first"
        return sum(weight.numel() for weight in self.module_.parameters())

    def save(self, folder: Path) -> None:
        """Write weights, sizes and the vocabulary."""
        assert self.module_ is not None and self.subwords_ is not None, "fit it first"
        self.subwords_.save(folder)
        state = {name: value.contiguous() for name, value in self.module_.state_dict().items()}
        save_file(state, folder / WEIGHTS)
        facts = {name: getattr(self, name) for name in (*SIZES, "max_length")}
        write_json(folder / FACTS, facts)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read a saved translator."""
        facts = json.loads((folder / FACTS).read_text(encoding="utf-8"))
        stage = cls(**facts, device="cpu")
        stage.subwords_ = Subwords.load(folder)
        stage.module_ = stage._module(stage.subwords_.size_)
        stage.module_.load_state_dict(load_file(folder / WEIGHTS))
        stage.module_.eval()
        return stage

    def _module(self, vocabulary: int) -> Transformer:
        return Transformer(vocabulary=vocabulary, **{name: getattr(self, name) for name in SIZES})

    def _loader(self, pairs: Pairs, *, shuffle: bool) -> PairLoader:
        """Return batches of the pairs that are short enough."""
        assert self.subwords_ is not None
        sides = [
            self.subwords_.encode([cleaned(text) for text in texts])
            for texts in (pairs.sources, pairs.targets)
        ]
        kept = [
            (source, target)
            for source, target in zip(*sides, strict=True)
            if source and target and max(len(source), len(target)) < self.max_length
        ]
        if not kept:
            raise ValueError(
                f"max_length: all {len(pairs):,} pairs have more than {self.max_length - 1} pieces;"
                " give a higher one, or split the texts into sentences"
            )
        sources, targets = zip(*kept, strict=True)
        return PairLoader(
            sources, targets, tokens=self.batch_tokens, shuffle=shuffle, seed=self.seed
        )

    def _texts(self, hypotheses: Sequence[Hypothesis]) -> list[str]:
        assert self.subwords_ is not None
        decoded = self.subwords_.decode([each.ids for each in hypotheses])
        return [text.replace(UNKNOWN, "").strip() for text in decoded]

    def _readable(self, ids: Sequence[int]) -> list[str]:
        assert self.subwords_ is not None
        decoded = self.subwords_.decode([[each] for each in ids])
        return [
            "end" if id == END else text.strip() or "·"
            for id, text in zip(ids, decoded, strict=True)
        ]


def next_piece_loss(model: nn.Module, batch: Batch, *, smoothing: float = 0.0) -> Tensor:
    """Return the mean cross-entropy of the pieces to come, a scalar."""
    source, target = batch
    hidden = model(source, target)  # (M, D)
    return smoothed_loss(hidden, _output(model), pieces_to_come(target), smoothing)


def mean_loss(model: nn.Module, loader: PairLoader) -> float:
    """Return the cross-entropy over all batches, each piece counted once."""
    device = next(model.parameters()).device
    total, pieces = 0.0, 0
    for source, target in loader:
        count = int((target[:, 1:] != PAD).sum())
        total += count * float(next_piece_loss(model, (source.to(device), target.to(device))))
        pieces += count
    return total / pieces


def _output(model: nn.Module) -> Tensor:
    """Return the output weights (V, D), of a model that may be wrapped for several processes."""
    inner = getattr(model, "module", model)
    assert isinstance(inner, Transformer)
    return inner.embedding.weight


def pieces_to_come(target: Tensor) -> Tensor:
    """Return what is to be predicted of targets (B, T), padding left out: (M,)."""
    gold = target[:, 1:]
    return gold[gold != PAD]
