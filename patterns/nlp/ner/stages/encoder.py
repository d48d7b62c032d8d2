"""The model: a pretrained transformer, fine-tuned to score the tags of each word.

`network` has the layers and says how pieces become words. What makes a few epochs enough is what
does so for classification: the new layers learn `head_factor` times faster, layers below the top
ever more slowly, the rate warms up and falls linearly to 0, batches hold sentences of similar
length.

`word_dropout` replaces that share of the training words by the mask token: their tags must then
come from how they are written and from what stands beside them, as those of a name never seen must.

How long it trains follows from how much there is to read (`common/training/finetuning.py`).

Shapes: B windows, L pieces, W words, n words of a sentence, C tags.
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
from common.encoders import Tokens, load_transformer
from common.encoders.network import bare_encoder, load_weights, save_network
from common.training import History, LengthLoader, choose_precision, fit
from common.training.finetuning import (
    Length,
    falling,
    plain_attention,
    rows_within,
    usual_rate,
)
from common.training.layers import layer_groups
from patterns.nlp.ner.entities.sentences import Sentences, Words
from patterns.nlp.ner.entities.tags import TagSet
from patterns.nlp.ner.stages.batches import window_batches
from patterns.nlp.ner.stages.decoding import Decoder
from patterns.nlp.ner.stages.network import CRF, PieceTagger, of_words
from patterns.nlp.ner.stages.pieces import Pieces, Window, stitched, word_means

WEIGHTS, FACTS = "encoder.safetensors", "encoder.json"
NARROW_RATE = 5e-4
LENGTH = Length(epochs=4, steps=300, most_epochs=40)
TOKENS = 48  # a window, on average over a batch; batches of longer ones hold fewer, to bound memory
NO_TAG = -100


class EncoderTagger:
    """A fine-tuned transformer, any that `AutoModel` knows and that has a fast tokenizer."""

    kind = "encoder"

    def __init__(
        self,
        *,
        tags: TagSet,
        model: str = "auto",
        decoder: str = "viterbi",
        epochs: int = 0,
        budget: int = 900_000,
        batch_size: int = 32,
        learning_rate: float = 0.0,
        head_factor: float = 5.0,
        layer_decay: float = 0.8,
        warmup: float = 0.1,
        weight_decay: float = 0.01,
        label_smoothing: float = 0.0,
        dropout: float = 0.1,
        word_dropout: float = 0.1,
        max_length: int = 256,
        overlap: int = 64,
        precision: str = "auto",
        device: str = "auto",
        seed: int = 0,
    ) -> None:
        """`epochs` 0 takes as many as `budget` and the training sentences ask for.

        `decoder` is viterbi, rules alone, or crf, learned transitions.
        """
        self.tags, self.model, self.crf = tags, model, decoder == "crf"
        self.epochs, self.budget = epochs, budget
        self.batch_size, self.learning_rate = batch_size, learning_rate
        self.head_factor, self.layer_decay, self.warmup = head_factor, layer_decay, warmup
        self.weight_decay, self.label_smoothing = weight_decay, label_smoothing
        self.dropout, self.word_dropout = dropout, word_dropout
        self.max_length, self.overlap = max_length, overlap
        self.device, self.seed = device, seed
        self.precision = choose_precision(precision, device)
        self.learning_rate_ = learning_rate
        self.epochs_ = epochs
        self.read_share_ = 1.0  # of the training sentences
        self.pieces_: Pieces | None = None
        self.module_: PieceTagger | None = None
        self.decoder_ = Decoder(tags=tags)
        self.history_: History | None = None

    @property
    def name(self) -> str:
        """What tables call it."""
        short = "MiniLM" if self.model == "auto" else self.model.rsplit("/", 1)[-1]
        return f"{short} fine-tuned"

    def fit(
        self,
        train: Sentences,
        valid: Sentences,
        *,
        checkpoint: Path | None = None,
        resume: bool = False,
    ) -> Self:
        """Fine-tune; the weights of the epoch with the best entity F1 on validation are kept.

        Raises `EncoderUnavailable` where the pretrained model is not available.
        """
        tokenizer, encoder = load_transformer(self.model)
        tokens = Tokens.of_transformer(tokenizer, max_length=self.max_length)
        pieces = self.pieces_ = Pieces(tokens, overlap=self.overlap)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            tagger = PieceTagger(encoder, classes=len(self.tags), dropout=self.dropout)
        self.module_ = tagger
        module = _Trained(tagger, CRF(self.tags) if self.crf else None)
        self.learning_rate_ = self.learning_rate or usual_rate(encoder, NARROW_RATE)
        made = [each for each in pieces(train.words) if each.words]
        made = [made[row] for row in self._plan(np.array([len(each.ids) for each in made]))]
        loader = LengthLoader(
            [each.ids for each in made],
            torch.arange(len(made)),
            batch_size=self.batch_size,
            tokens=TOKENS * self.batch_size,
            pad=pieces.pad,
            seed=self.seed,
        )
        objective = self._objective(made, [self.tags.numbers(tags) for tags in train.tags])
        plan = falling(self.epochs_, self.learning_rate_, self.warmup, self.precision)
        with plain_attention(encoder, device=self.device):
            self.history_ = fit(
                module,
                loader,
                objective,
                plan,
                parameter_groups=self.parameter_groups(module),
                device=self.device,
                seed=self.seed,
                validate=lambda _: self._valid_score(module, valid),
                checkpoint=checkpoint,
                resume=resume,
                label="fine-tuning",
            )
        self.decoder_ = module.decoder(self.tags)
        return self

    def unread(self) -> dict[str, str]:
        """Say what of the training sentences was not read, by the argument that limits it."""
        if self.read_share_ == 1:
            return {}
        return {
            "budget": f"{self.name} was trained on {self.read_share_:.0%} of the training"
            f" sentences, drawn at random: all of them hold more than {self.budget:,} tokens"
        }

    def parameter_groups(self, module: _Trained) -> list[dict[str, Any]]:
        """Return each depth its rate: the new layers fastest, embeddings slowest."""
        old = {id(each) for each in module.tagger.encoder.parameters()}
        new = [each for each in module.parameters() if id(each) not in old]
        return layer_groups(
            module.tagger.encoder,
            new,
            learning_rate=self.learning_rate_,
            layer_decay=self.layer_decay,
            head_factor=self.head_factor,
            weight_decay=self.weight_decay,
        )

    def predict(self, sentences: Sequence[Words], *, batch_size: int = 32) -> list[np.ndarray]:
        """Return the scores (n, C) of each sentence in fp32."""
        assert self.module_ is not None and self.pieces_ is not None, "fit or load it first"
        self.module_.eval()
        made = self.pieces_(sentences)
        found = _window_scores(self.module_, made, self.pieces_.pad, batch_size)
        return stitched(made, found, sentences, len(self.tags))

    def truncates(self, sentences: Sequence[Words]) -> list[bool]:
        """Tell of each sentence whether a word of it is too long to be read whole."""
        assert self.pieces_ is not None, "fit or load it first"
        return self.pieces_.truncates(sentences)

    def save(self, folder: Path) -> None:
        """Write weights, the encoder's configuration, the tokenizer and the decoder."""
        assert self.module_ is not None and self.pieces_ is not None, "fit it first"
        self.pieces_.save(folder)
        self.decoder_.save(folder)
        save_network(self.module_, self.module_.encoder, folder / WEIGHTS)
        facts = {"model": self.model, "dropout": self.dropout, "pieces": self.pieces_.facts()}
        write_json(folder / FACTS, facts)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read a saved tagger; nothing is looked up elsewhere."""
        facts = json.loads((folder / FACTS).read_text(encoding="utf-8"))
        decoder = Decoder.load(folder)
        stage = cls(tags=decoder.tags, model=facts["model"], dropout=facts["dropout"], device="cpu")
        stage.decoder_, stage.pieces_ = decoder, Pieces.load(folder, **facts["pieces"])
        encoder = bare_encoder(folder)
        stage.module_ = PieceTagger(encoder, classes=len(decoder.tags), dropout=facts["dropout"])
        load_weights(stage.module_, folder / WEIGHTS)
        return stage

    def _plan(self, lengths: np.ndarray) -> np.ndarray:
        """Set `epochs_` for windows of these lengths (N,), and return the rows to train on."""
        budget = 10**15 if self.epochs else self.budget
        rows = rows_within(budget, lengths, seed=self.seed)
        self.read_share_ = len(rows) / len(lengths)
        batches = -(-len(rows) // self.batch_size)
        fitting = LENGTH.within(budget, tokens=int(lengths[rows].sum()), batches=batches)
        self.epochs_ = self.epochs or fitting
        return rows

    def _objective(self, made: Sequence[Window], numbers: Sequence[np.ndarray]) -> Any:
        """Return the loss of a batch (ids, mask, rows): per word, or per sentence of the CRF."""
        assert self.pieces_ is not None and self.module_ is not None
        masked = self.pieces_.mask
        if masked >= self.module_.encoder.get_input_embeddings().num_embeddings:
            masked = self.pieces_.unknown  # a token that the encoder was not trained with
        codes = [torch.tensor(each.codes) for each in made]
        words = [torch.tensor(each.words) for each in made]
        tags = [torch.from_numpy(_tags_of(each, numbers[each.sentence])) for each in made]
        by_word = nn.CrossEntropyLoss(label_smoothing=self.label_smoothing, ignore_index=NO_TAG)

        def loss(module: nn.Module, batch: tuple[Tensor, Tensor, Tensor]) -> Tensor:
            ids, mask, rows = batch
            chosen = rows.tolist()
            written = _padded([codes[row] for row in chosen], 0).to(ids.device)
            of_word = _padded([words[row] for row in chosen], -1).to(ids.device)
            true = _padded([tags[row] for row in chosen], NO_TAG).to(ids.device)  # (B, W)
            ids = _without_words(ids, of_word, true.shape[1], masked, self.word_dropout)
            scores, crf = module(ids, mask, written, of_word, true.shape[1])
            if crf is None:
                return by_word(scores.flatten(0, 1), true.flatten())
            lengths = (true != NO_TAG).sum(1)
            likelihood = crf.log_likelihood(scores, true.clamp(min=0), lengths)
            return -likelihood.sum() / lengths.sum()

        return loss

    def _valid_score(self, module: _Trained, valid: Sentences) -> float:
        assert self.pieces_ is not None
        made = self.pieces_(valid.words)
        found = _window_scores(module.tagger, made, self.pieces_.pad)
        scores = stitched(made, found, valid.words, len(self.tags))
        return module.decoder(self.tags).best_penalty(scores, valid.tags)[1]


class _Trained(nn.Module):
    """The tagger and, if there is one, the CRF: what is optimised together."""

    def __init__(self, tagger: PieceTagger, crf: CRF | None) -> None:
        super().__init__()
        self.tagger, self.crf = tagger, crf

    def forward(
        self, ids: Tensor, mask: Tensor, codes: Tensor, words: Tensor, count: int
    ) -> tuple[Tensor, CRF | None]:
        return of_words(self.tagger(ids, mask, codes), words, count), self.crf

    def decoder(self, tags: TagSet) -> Decoder:
        return Decoder(tags=tags, transitions=self.crf.transitions() if self.crf else None)


@torch.inference_mode()
def _window_scores(
    module: nn.Module, made: Sequence[Window], pad: int, batch_size: int = 32
) -> list[np.ndarray]:
    """Return the scores of each window's words."""
    device = next(module.parameters()).device
    found: list[np.ndarray] = [np.zeros(0)] * len(made)
    for rows, *arrays in window_batches(made, batch_size=batch_size, pad=pad):
        scores = module(*(torch.from_numpy(each).to(device) for each in arrays)).cpu().numpy()
        for row, of_pieces in zip(rows, scores, strict=True):
            words = made[row].words
            found[row] = word_means(of_pieces[: len(words)], words)
    return found


def _tags_of(window: Window, numbers: np.ndarray) -> np.ndarray:
    """Return the tags of a window; one that begins inside an entity begins it anew."""
    tags = numbers[window.first : window.first + window.count].copy()
    if tags[0] and tags[0] % 2 == 0:
        tags[0] -= 1  # I-x to B-x
    return tags


def _without_words(ids: Tensor, words: Tensor, count: int, mask: int, share: float) -> Tensor:
    """Replace the pieces of that share of the words, drawn by torch's generator, by `mask`."""
    if not share:
        return ids
    dropped = torch.rand(len(ids), count + 1, device=ids.device) < share  # (B, W + 1)
    dropped[:, -1] = False  # of special tokens
    return torch.where(dropped.gather(1, torch.where(words < 0, count, words)), mask, ids)


def _padded(sequences: Sequence[Tensor], value: int) -> Tensor:
    return nn.utils.rnn.pad_sequence(list(sequences), batch_first=True, padding_value=value)
